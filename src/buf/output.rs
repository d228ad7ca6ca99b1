//! Bytes that were encoded and not written yet.

use std::collections::VecDeque;
use std::io::IoSlice;

use super::{BLOCK_SIZE, Blocks};

/// A writer should stop when blocks are filled this far: enough to keep a fast peer busy, little enough that a slow one
/// costs less than 64 KiB in all. A part of a block's size in front of the mark makes three blocks of it.
pub const HIGH_WATER: usize = 24 * 1024;

/// At most this many slices are handed to one vectored write; the rest waits for the next.
pub const SLICES_MAX: usize = 16;

/// A chain of blocks with bytes to be written in order.
#[derive(Debug, Default)]
pub struct Output {
    chain: VecDeque<Segment>,
    len: usize,
}

#[derive(Debug)]
struct Segment {
    block: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Output {
    /// An output that holds nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            chain: VecDeque::new(),
            len: 0,
        }
    }

    /// How many bytes wait to be written.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none wait.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes more its writer should produce now: 0 means stop until some were written. What was written of the
    /// first block counts too, because the block is held until its last byte has left.
    #[inline]
    #[must_use]
    pub fn room(&self) -> usize {
        let written = self.chain.front().map_or(0, |first| first.start);
        HIGH_WATER.saturating_sub(written + self.len)
    }

    /// Appends bytes. There is no hard limit: one part may overshoot [`HIGH_WATER`], the next waits for room.
    #[inline]
    pub fn write(&mut self, bytes: &[u8], blocks: &mut Blocks) {
        self.begin(bytes.len(), blocks);
        match self.tail(bytes.len()) {
            Some(tail) => tail.copy_from_slice(bytes),
            None => self.write_across(bytes, blocks),
        }
    }

    /// Appends several pieces: as cheap as one write when they fit the last block together.
    #[inline]
    pub fn write_pieces(&mut self, pieces: &[&[u8]], blocks: &mut Blocks) {
        let total = pieces.iter().map(|piece| piece.len()).sum();
        self.begin(total, blocks);
        let Some(mut tail) = self.tail(total) else {
            for piece in pieces {
                self.write_across(piece, blocks);
            }
            return;
        };
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            if let Some((to, rest)) = std::mem::take(&mut tail).split_at_mut_checked(piece.len()) {
                to.copy_from_slice(piece);
                tail = rest;
            }
        }
    }

    /// Makes sure that there is a last block for `n` bytes to begin in; an output without bytes has none.
    #[inline]
    fn begin(&mut self, n: usize, blocks: &mut Blocks) {
        if n > 0 && self.chain.is_empty() {
            self.extend_chain(blocks);
        }
    }

    fn extend_chain(&mut self, blocks: &mut Blocks) {
        self.chain.push_back(Segment {
            block: blocks.take(),
            start: 0,
            end: 0,
        });
    }

    /// Claims the next `n` bytes of the last block, if it has them.
    #[inline]
    fn tail(&mut self, n: usize) -> Option<&mut [u8]> {
        let last = self.chain.back_mut()?;
        let tail = last.block.get_mut(last.end..last.end + n)?;
        last.end += n;
        self.len += n;
        Some(tail)
    }

    fn write_across(&mut self, mut bytes: &[u8], blocks: &mut Blocks) {
        self.len += bytes.len();
        while !bytes.is_empty() {
            if self
                .chain
                .back()
                .is_none_or(|last| last.end == last.block.len())
            {
                self.extend_chain(blocks);
            }
            let Some(last) = self.chain.back_mut() else {
                return;
            };
            let space = last.block.get_mut(last.end..).unwrap_or_default();
            let n = space.len().min(bytes.len());
            let (now, later) = bytes.split_at(n);
            if let Some(to) = space.get_mut(..n) {
                to.copy_from_slice(now);
            }
            last.end += n;
            bytes = later;
        }
    }

    /// The waiting bytes as slices for one vectored write, and how many slices there are.
    pub fn slices<'a>(&'a self, into: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        let mut n = 0;
        for (segment, slot) in self.chain.iter().zip(into.iter_mut()) {
            *slot = IoSlice::new(segment.bytes());
            n += 1;
        }
        n
    }

    /// The first waiting bytes, contiguous.
    #[must_use]
    pub fn front(&self) -> &[u8] {
        self.chain.front().map(Segment::bytes).unwrap_or_default()
    }

    /// Whether everything that waits is contiguous, so that a plain write does.
    #[must_use]
    pub fn is_contiguous(&self) -> bool {
        self.chain.len() <= 1
    }

    /// Marks the first `n` bytes as written and gives emptied blocks back.
    pub fn written(&mut self, mut n: usize, blocks: &mut Blocks) {
        self.len -= n.min(self.len);
        while n > 0 {
            let Some(first) = self.chain.front_mut() else {
                return;
            };
            let here = (first.end - first.start).min(n);
            first.start += here;
            n -= here;
            if first.start == first.end
                && let Some(emptied) = self.chain.pop_front()
            {
                blocks.put(emptied.block);
            }
        }
        debug_assert!(
            self.len <= self.chain.len() * BLOCK_SIZE,
            "length and chain agree"
        );
    }

    /// Drops what waits and gives the blocks back.
    pub fn clear(&mut self, blocks: &mut Blocks) {
        for segment in self.chain.drain(..) {
            blocks.put(segment.block);
        }
        self.len = 0;
        // A chain that once grew long should not keep its ring for an idle connection's life.
        if self.chain.capacity() > SLICES_MAX {
            self.chain = VecDeque::new();
        }
    }

    /// Everything that waits, copied; for tests and dumps.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.chain
            .iter()
            .flat_map(|segment| segment.bytes().iter().copied())
            .collect()
    }
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        self.block.get(self.start..self.end).unwrap_or_default()
    }
}

/// An [`Output`] together with the pool that feeds it: what an encoder writes into.
#[derive(Debug)]
pub struct Outlet<'a> {
    /// Where bytes go.
    pub output: &'a mut Output,
    /// Where its blocks come from.
    pub blocks: &'a mut Blocks,
}

impl Outlet<'_> {
    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        self.output.write(bytes, self.blocks);
    }

    /// Appends several pieces; see [`Output::write_pieces`].
    pub fn write_pieces(&mut self, pieces: &[&[u8]]) {
        self.output.write_pieces(pieces, self.blocks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_order_across_blocks_and_blocks_come_back() {
        let mut blocks = Blocks::new();
        let mut output = Output::new();
        let long: Vec<u8> = (0..3 * BLOCK_SIZE)
            .map(|n| u8::try_from(n % 251).unwrap())
            .collect();
        output.write(b"head", &mut blocks);
        output.write(&long, &mut blocks);
        assert_eq!(output.len(), long.len() + 4);
        let mut seen = Vec::new();
        while !output.is_empty() {
            let n = output.front().len().min(1000);
            seen.extend_from_slice(&output.front()[..n]);
            output.written(n, &mut blocks);
        }
        assert_eq!(seen, [b"head".as_slice(), &long].concat());
        assert_eq!(blocks.spare(), 4);
    }

    #[test]
    fn pieces_are_one_run_of_bytes_wherever_blocks_end() {
        for filled in [
            0,
            1,
            BLOCK_SIZE - 9,
            BLOCK_SIZE - 8,
            BLOCK_SIZE - 3,
            BLOCK_SIZE,
        ] {
            let mut blocks = Blocks::new();
            let mut output = Output::new();
            output.write(&vec![b'.'; filled], &mut blocks);
            output.write_pieces(&[b"abc", b"", b"defgh"], &mut blocks);
            assert_eq!(output.len(), filled + 8);
            assert_eq!(&output.to_vec()[filled..], b"abcdefgh");
        }
    }

    #[test]
    fn a_slow_reader_holds_three_blocks_at_most() {
        let mut blocks = Blocks::new();
        let mut output = Output::new();
        for taken in [5000, 1, 16_000, 700, 16_383, 9, 12_345].repeat(20) {
            while output.room() > 0 {
                output.write(&vec![0; BLOCK_SIZE], &mut blocks);
            }
            assert!(output.chain.len() <= 3, "{} blocks", output.chain.len());
            output.written(taken, &mut blocks);
        }
    }

    #[test]
    fn room_ends_at_the_high_water_mark() {
        let mut blocks = Blocks::new();
        let mut output = Output::new();
        assert_eq!(output.room(), HIGH_WATER);
        output.write(&vec![0; HIGH_WATER + 1], &mut blocks);
        assert_eq!(output.room(), 0);
        output.clear(&mut blocks);
        assert_eq!((output.room(), output.is_empty()), (HIGH_WATER, true));
        output.write(b"", &mut blocks);
        output.write_pieces(&[b"", b""], &mut blocks);
        assert!(output.chain.is_empty(), "nothing needs no block");
    }
}
