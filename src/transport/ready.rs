//! What the last events said about a socket.

/// Sticky readiness: true until a call found otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ready {
    /// Reading may bring bytes.
    pub readable: bool,
    /// Writing may take bytes.
    pub writable: bool,
    /// The peer has closed its side: read until that is seen, however short the reads are.
    pub closing: bool,
}

impl Ready {
    /// An accepted socket: its request is usually there already.
    pub const BOTH: Self = Self {
        readable: true,
        writable: true,
        closing: false,
    };
    /// A socket that is still being connected.
    pub const NONE: Self = Self {
        readable: false,
        writable: false,
        closing: false,
    };
    /// A fresh connection: nothing to read yet, everything to say.
    pub const WRITE: Self = Self {
        readable: false,
        writable: true,
        closing: false,
    };

    /// Adds what an event says.
    pub const fn add(&mut self, readable: bool, writable: bool, closing: bool) {
        self.readable |= readable;
        self.writable |= writable;
        self.closing |= closing;
    }
}
