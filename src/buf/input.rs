//! Bytes that arrived and were not decoded yet.

use super::{BLOCK_SIZE, Blocks};

/// A window of received bytes in one contiguous block.
#[derive(Debug, Default)]
pub struct Input {
    block: Option<Box<[u8]>>,
    start: usize,
    end: usize,
}

impl Input {
    /// An input that holds nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            block: None,
            start: 0,
            end: 0,
        }
    }

    /// The bytes waiting to be decoded.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.block {
            Some(block) => block.get(self.start..self.end).unwrap_or_default(),
            None => &[],
        }
    }

    /// How many bytes wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether none wait.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Marks the first `n` bytes as decoded.
    ///
    /// # Panics
    /// When `n` is more than [`Input::len`]: the decoder's own arithmetic is wrong.
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.len(), "consumed more than arrived");
        self.start += n;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Consumes the first `n` bytes and lends them until the next use of the input.
    ///
    /// # Panics
    /// As [`Input::consume`].
    pub fn take(&mut self, n: usize) -> &[u8] {
        assert!(n <= self.len(), "took more than arrived");
        let from = self.start;
        self.start += n;
        if self.start == self.end {
            // The bytes stay in place until the next fill, so lending them is fine.
            self.start = 0;
            self.end = 0;
        }
        self.block
            .as_deref()
            .and_then(|block| block.get(from..from + n))
            .unwrap_or_default()
    }

    /// Free space to read into, at least one byte, taking or moving blocks as needed. The input grows beyond one
    /// block only when it is full of undecoded bytes, which codecs allow for heads alone.
    pub fn space(&mut self, blocks: &mut Blocks) -> &mut [u8] {
        let block = self.block.get_or_insert_with(|| blocks.take());
        if self.end == block.len() {
            if self.start > 0 {
                block.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                let mut grown = vec![0; block.len() + BLOCK_SIZE].into_boxed_slice();
                if let Some(to) = grown.get_mut(..block.len()) {
                    to.copy_from_slice(block);
                }
                *block = grown;
            }
        }
        block.get_mut(self.end..).unwrap_or_default()
    }

    /// Marks `n` bytes of the last [`Input::space`] as filled.
    pub fn filled(&mut self, n: usize) {
        let size = self.block.as_ref().map_or(0, |block| block.len());
        self.end = (self.end + n).min(size);
    }

    /// Adds bytes, for tests and in-memory transports.
    pub fn extend(&mut self, mut bytes: &[u8], blocks: &mut Blocks) {
        while !bytes.is_empty() {
            let space = self.space(blocks);
            let n = space.len().min(bytes.len());
            let (now, later) = bytes.split_at(n);
            if let Some(to) = space.get_mut(..n) {
                to.copy_from_slice(now);
            }
            self.filled(n);
            bytes = later;
        }
    }

    /// Gives the block back when nothing waits in it.
    pub fn rest(&mut self, blocks: &mut Blocks) {
        if self.is_empty() {
            self.clear(blocks);
        }
    }

    /// Drops what waits and gives the block back.
    pub fn clear(&mut self, blocks: &mut Blocks) {
        self.start = 0;
        self.end = 0;
        if let Some(block) = self.block.take() {
            blocks.put(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_input_holds_no_block() {
        let mut blocks = Blocks::new();
        let mut input = Input::new();
        input.extend(b"abc", &mut blocks);
        assert_eq!(input.take(2), b"ab");
        input.rest(&mut blocks);
        assert_eq!(input.bytes(), b"c");
        input.consume(1);
        input.rest(&mut blocks);
        assert_eq!((input.bytes(), blocks.spare()), (&b""[..], 1));
    }

    #[test]
    fn a_full_block_moves_first_and_grows_only_when_nothing_was_decoded() {
        let mut blocks = Blocks::new();
        let mut input = Input::new();
        input.extend(&vec![b'x'; BLOCK_SIZE], &mut blocks);
        let mut undecoded = Input::new();
        undecoded.extend(&vec![b'x'; BLOCK_SIZE], &mut blocks);
        assert_eq!(undecoded.space(&mut blocks).len(), BLOCK_SIZE, "it grew");
        input.consume(10);
        assert_eq!(input.space(&mut blocks).len(), 10);
        input.extend(&[b'y'; 11], &mut blocks);
        assert_eq!(input.len(), BLOCK_SIZE + 1);
        assert_eq!(input.bytes().last(), Some(&b'y'));
    }
}
