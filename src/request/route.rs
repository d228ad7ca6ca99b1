//! Where a request belongs: server, sections, path, handler.

use super::{Claim, Handler};
use crate::config::model::{DirConfig, Server};

/// A server (main or virtual host), compiled.
pub struct Site {
    /// Position in [`super::Env::sites`].
    pub index: u32,
    /// The server as configured, merged.
    pub server: Server,
}

/// One combination of sections, merged and compiled. There are few, so they are made on first use and kept.
pub struct Dir {
    /// What the sections say together.
    pub config: DirConfig,
    /// Positions in `Server::locations` of the sections that match, in order.
    pub locations: Vec<u16>,
    /// The handler that `SetHandler` names.
    pub handler: Option<&'static dyn Handler>,
}

/// Where one request belongs. Recycled with its exchange.
#[derive(Default)]
pub struct Route {
    /// The server.
    pub site: Option<&'static Site>,
    /// The sections.
    pub dir: Option<&'static Dir>,
    /// The decoded, normalised path.
    pub path: Vec<u8>,
    /// Who decides.
    pub handler: Option<&'static dyn Handler>,
    /// What the handler claimed.
    pub claim: Claim,
}
