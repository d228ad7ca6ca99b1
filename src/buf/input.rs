//! Bytes that arrived and were not decoded yet, and decoded ones that may be wanted again.

use super::{BLOCK_SIZE, Blocks};

/// A window of received bytes in one contiguous block.
///
/// ```text
/// block:  .......[ kept ].......[ waiting ].......
///                               ^start    ^end
/// ```
///
/// What was taken last can be *kept*: it stays in the block, in front of what waits, until it is released. So a short
/// content can be sent, and sent again, from where it was received.
#[derive(Debug, Default)]
pub struct Input {
    block: Option<Box<[u8]>>,
    start: usize,
    end: usize,
    /// Where the bytes lie that were taken last.
    taken: (usize, usize),
    /// Where the kept bytes lie; never behind `start`.
    kept: (usize, usize),
}

/// A read into less space than this is not worth its call, so a block with kept bytes in it grows before.
const SPACE_MIN: usize = 4096;

impl Input {
    /// An input that holds nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            block: None,
            start: 0,
            end: 0,
            taken: (0, 0),
            kept: (0, 0),
        }
    }

    /// The bytes waiting to be decoded.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.range((self.start, self.end))
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

    /// The bytes that [`Input::take`] lent last, until the next fill.
    #[must_use]
    pub fn taken(&self) -> &[u8] {
        self.range(self.taken)
    }

    /// The bytes that were kept, in order.
    #[must_use]
    pub fn kept(&self) -> &[u8] {
        self.range(self.kept)
    }

    fn range(&self, (from, to): (usize, usize)) -> &[u8] {
        match &self.block {
            Some(block) => block.get(from..to).unwrap_or_default(),
            None => &[],
        }
    }

    /// Marks the first `n` bytes as decoded.
    ///
    /// # Panics
    /// When `n` is more than [`Input::len`]: the decoder's own arithmetic is wrong.
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.len(), "consumed more than arrived");
        self.start += n;
        self.settle();
    }

    /// Consumes the first `n` bytes and lends them until the next use of the input.
    ///
    /// # Panics
    /// As [`Input::consume`].
    pub fn take(&mut self, n: usize) -> &[u8] {
        assert!(n <= self.len(), "took more than arrived");
        self.taken = (self.start, self.start + n);
        self.start += n;
        // The bytes stay in place until the next fill, so lending them is fine.
        self.settle();
        self.taken()
    }

    /// An input without waiting bytes begins anew, behind what is kept.
    fn settle(&mut self) {
        if self.start == self.end {
            self.start = self.kept.1;
            self.end = self.kept.1;
        }
    }

    /// Keeps the bytes that were taken last, behind those that were kept before. The first ones stay where they are; to
    /// join them, later ones move.
    pub fn keep_taken(&mut self) {
        let (from, to) = self.taken;
        if self.kept.0 == self.kept.1 {
            self.kept = self.taken;
        } else {
            if self.kept.1 != from
                && let Some(block) = &mut self.block
            {
                block.copy_within(from..to, self.kept.1);
            }
            self.kept.1 += to - from;
        }
        self.taken = (0, 0);
        self.settle();
    }

    /// Forgets what was kept.
    pub fn release(&mut self) {
        self.kept = (0, 0);
        self.settle();
    }

    /// Free space to read into, at least one byte, taking or moving blocks as needed. The input grows beyond one
    /// block only when it is full of undecoded bytes, which codecs allow for heads alone, or of kept ones.
    pub fn space(&mut self, blocks: &mut Blocks) -> &mut [u8] {
        self.block.get_or_insert_with(|| blocks.take());
        self.taken = (0, 0);
        let size = self.block.as_ref().map_or(0, |block| block.len());
        if self.end == size {
            let used = self.len() + self.kept.1 - self.kept.0;
            let is_tight = self.kept.0 != self.kept.1 && size - used < SPACE_MIN;
            self.rearrange(if used == size || is_tight {
                size + BLOCK_SIZE
            } else {
                size
            });
        }
        let block = self.block.get_or_insert_with(|| blocks.take());
        block.get_mut(self.end..).unwrap_or_default()
    }

    /// Moves everything to the front of a block of this size.
    fn rearrange(&mut self, size: usize) {
        let Some(block) = &mut self.block else {
            return;
        };
        let (kept, waiting) = (self.kept.1 - self.kept.0, self.end - self.start);
        if size == block.len() {
            block.copy_within(self.kept.0..self.kept.1, 0);
            block.copy_within(self.start..self.end, kept);
        } else {
            let mut grown = Vec::with_capacity(size);
            grown.extend_from_slice(block.get(self.kept.0..self.kept.1).unwrap_or_default());
            grown.extend_from_slice(block.get(self.start..self.end).unwrap_or_default());
            grown.resize(size, 0);
            *block = grown.into_boxed_slice();
        }
        self.kept = (0, kept);
        self.start = kept;
        self.end = kept + waiting;
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

    /// Gives the block back when nothing waits in it and nothing is kept.
    #[inline]
    pub fn rest(&mut self, blocks: &mut Blocks) {
        if self.block.is_some() && self.is_empty() && self.kept.0 == self.kept.1 {
            self.clear(blocks);
        }
    }

    /// Drops what waits and what is kept, and gives the block back.
    pub fn clear(&mut self, blocks: &mut Blocks) {
        self.start = 0;
        self.end = 0;
        self.taken = (0, 0);
        self.kept = (0, 0);
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

    #[test]
    fn kept_bytes_stay_whatever_arrives_behind_them() {
        let mut blocks = Blocks::new();
        let mut input = Input::new();
        input.extend(b"head5:hello;6: world;next", &mut blocks);
        input.consume(6);
        assert_eq!(input.take(5), b"hello");
        input.keep_taken();
        input.consume(3);
        assert_eq!(input.take(6), b" world");
        assert_eq!(input.taken(), b" world");
        input.keep_taken();
        assert_eq!(
            (input.kept(), input.bytes()),
            (&b"hello world"[..], &b";next"[..])
        );
        input.consume(5);
        input.rest(&mut blocks);
        assert_eq!((input.kept(), blocks.spare()), (&b"hello world"[..], 0));
        input.extend(&[b'x'; 2 * BLOCK_SIZE], &mut blocks);
        assert_eq!(
            (input.kept(), input.len()),
            (&b"hello world"[..], 2 * BLOCK_SIZE)
        );
        input.release();
        assert_eq!(
            (input.kept(), input.bytes().len()),
            (&b""[..], 2 * BLOCK_SIZE)
        );
        input.consume(2 * BLOCK_SIZE);
        input.rest(&mut blocks);
        assert_eq!(blocks.spare(), 0, "a grown block is not kept");
    }

    #[test]
    fn kept_bytes_are_the_same_however_they_arrive_and_fill_the_block() {
        let content: Vec<u8> = (0..3 * BLOCK_SIZE)
            .map(|n| u8::try_from(n % 251).unwrap())
            .collect();
        for piece in [1000, BLOCK_SIZE - 1, BLOCK_SIZE] {
            let mut blocks = Blocks::new();
            let mut input = Input::new();
            input.extend(b"head", &mut blocks);
            input.consume(4);
            for bytes in content.chunks(piece) {
                let mut rest = bytes;
                while !rest.is_empty() {
                    let n = input.space(&mut blocks).len().min(rest.len());
                    assert!(n > 0);
                    input.extend(&rest[..n], &mut blocks);
                    let n = input.len();
                    input.take(n);
                    input.keep_taken();
                    rest = &rest[n..];
                }
            }
            assert_eq!(input.kept(), content);
        }
    }
}
