//! How large a head may be.

/// Limits that bound the memory a peer can make us hold. The same for both sides of the proxy: a backend that
/// sends endless fields is as much an attack as a client that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest start line in bytes, without its line end (LimitRequestLine).
    pub line: usize,
    /// Longest field line in bytes, folded lines together (LimitRequestFieldSize, responsefieldsize).
    pub field_size: usize,
    /// Most field lines; 0 means no limit of its own, then the whole head is bounded (LimitRequestFields).
    pub fields: usize,
}

/// A head never grows beyond this many bytes, whatever the limits say.
pub const HEAD_MAX: usize = 1024 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 8190,
            field_size: 8190,
            fields: 100,
        }
    }
}
