//! An answer that tine gives itself.

use crate::http::{Fields, Status};

/// A complete response of ours: an admin page, an error, a redirect.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: Status,
    /// Fields beside Date, Server and the framing.
    pub fields: Fields,
    /// The content.
    pub body: Vec<u8>,
    /// Close the client connection afterwards.
    pub close: bool,
}
