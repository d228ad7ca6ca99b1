//! What stays settled when a request is located again inside the server: for an error document, or for the file that
//! stands for a directory.
//!
//! Know first: the server is not chosen again, so that no document of one can be another's.

use super::{Route, Site};
use crate::log::Environment;

/// What [`super::locate`] takes over instead of finding it out.
#[derive(Debug)]
pub struct Again {
    site: &'static Site,
    host: Vec<u8>,
    host_port: Option<u16>,
    vars: Environment,
}

impl Again {
    /// What was settled for a request to `site`; it goes on with these variables.
    #[must_use]
    pub fn of(route: &Route, site: &'static Site, vars: Environment) -> Box<Self> {
        Box::new(Self {
            site,
            host: route.host.clone(),
            host_port: route.host_port,
            vars,
        })
    }

    /// Gives it to an empty route.
    pub(super) fn resume(self, route: &mut Route) {
        route.site = Some(self.site);
        route.host = self.host;
        route.host_port = self.host_port;
        route.vars = self.vars;
    }
}
