//! The pool of fixed-size blocks of one loop.

/// Bytes in a block: one TLS record, or the largest read that still fits a cache well.
pub const BLOCK_SIZE: usize = 16 * 1024;

/// A loop keeps at most this many unused blocks (4 MiB); a burst's memory goes back to the system.
const SPARE_MAX: usize = 256;

/// Unused blocks of one loop. Blocks are always `BLOCK_SIZE` long and never cleared: whoever takes one writes
/// before reading, and the lengths that say so are kept beside the block.
#[derive(Debug, Default)]
pub struct Blocks {
    spare: Vec<Box<[u8]>>,
}

impl Blocks {
    /// An empty pool.
    #[must_use]
    pub const fn new() -> Self {
        Self { spare: Vec::new() }
    }

    /// A block with unspecified content.
    pub fn take(&mut self) -> Box<[u8]> {
        self.spare
            .pop()
            .unwrap_or_else(|| vec![0; BLOCK_SIZE].into_boxed_slice())
    }

    /// Takes a block back. Grown ones are simply dropped.
    pub fn put(&mut self, block: Box<[u8]>) {
        if block.len() == BLOCK_SIZE && self.spare.len() < SPARE_MAX {
            self.spare.push(block);
        }
    }

    /// How many unused blocks are kept.
    #[must_use]
    pub fn spare(&self) -> usize {
        self.spare.len()
    }
}
