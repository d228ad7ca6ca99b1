//! Everything that decisions need and that never changes while a child lives.

use scoreboard::Board;

use super::{Backend, Handler, Site};
use crate::config::model::Config;

/// A generation's configuration, compiled. Built by `server` before the fork and leaked, so that everything in a
/// child borrows `&'static`.
pub struct Env {
    /// The configuration as it was read.
    pub config: Config,
    /// The shared scoreboard.
    pub board: &'static Board,
    /// The main server (index 0), then the virtual hosts in configuration order.
    pub sites: Vec<Site>,
    /// The handlers, in the order in which they may claim a request.
    pub handlers: Vec<&'static dyn Handler>,
    /// Every place that handlers may send requests to; a backend's `index` is its position.
    pub backends: Vec<&'static Backend>,
    /// Which generation this is: 0 at start, one more after each restart.
    pub generation: u32,
    /// The product and version for the `Server` field, pages and `Via` comments.
    pub product: String,
}

/// The process that serves: what differs between the children of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Me {
    /// Its process id.
    pub pid: u32,
    /// Its record in the scoreboard.
    pub process: u32,
}
