//! Everything that decisions need and that never changes while a child lives.

use std::fmt;
use std::net::SocketAddr;

use scoreboard::Board;

use super::{Backend, Handler, Site, Vhosts};
use crate::config::model::Config;

/// A generation's configuration, compiled. Built by `server` before the fork and leaked, so that everything in a
/// child borrows `&'static`.
pub struct Env {
    /// The configuration as it was read.
    pub config: &'static Config,
    /// The shared scoreboard.
    pub board: &'static Board,
    /// The main server (index 0), then the virtual hosts in configuration order.
    pub sites: Vec<Site>,
    /// Which of them a request is for.
    pub vhosts: Vhosts,
    /// The handlers, in the order in which they may claim a request.
    pub handlers: Vec<&'static dyn Handler>,
    /// Every place that handlers may send requests to; a backend's `index` is its position.
    pub backends: Vec<&'static Backend>,
    /// Which generation this is: 0 at start, one more after each restart.
    pub generation: u32,
    /// The product and version for pages and `Via` comments; the `Server` field is the site's, by ServerTokens.
    pub product: String,
}

/// The process that serves: what differs between the children of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Me {
    /// Its process id.
    pub pid: u32,
    /// The id of the thread, for log lines, where a child has several.
    pub tid: Option<u64>,
    /// Its record in the scoreboard.
    pub process: u32,
}

impl Env {
    /// The main server.
    #[must_use]
    pub fn main(&self) -> &Site {
        self.sites
            .first()
            .expect("an environment is built with its main server")
    }

    /// The server whose rules hold on a connection to this address of ours until a request names one.
    #[must_use]
    pub fn site_at(&self, local: SocketAddr) -> &Site {
        self.site(
            self.vhosts
                .at(local)
                .map_or(0, super::vhost::Names::default_site),
        )
    }

    /// A server by its position; the main server when there is none there.
    #[must_use]
    pub fn site(&self, index: u32) -> &Site {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.sites.get(index))
            .unwrap_or_else(|| self.main())
    }

    /// The handler with this name, as `SetHandler` spells it.
    #[must_use]
    pub fn handler(&self, name: &str) -> Option<&'static dyn Handler> {
        self.handlers
            .iter()
            .find(|handler| handler.name() == name)
            .copied()
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("generation", &self.generation)
            .field("sites", &self.sites.len())
            .finish_non_exhaustive()
    }
}
