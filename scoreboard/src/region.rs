//! The memory under a board, and the only cast in the house from bytes to records.
//!
//! A region is either a shared mapping of a file or zeroed private memory (tests, Miri, and a reader's copy of a file).
//! [`Region::table`] checks bounds and alignment, so a caller's mistake is `None` and never undefined behaviour.

use core::slice;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memmap2::{MmapOptions, MmapRaw};

use crate::atomic::AtomicU64;
use crate::shared::Shared;

/// Memory for the lifetime of a board.
#[derive(Debug)]
pub(crate) struct Region {
    backing: Backing,
    len: usize,
}

#[derive(Debug)]
enum Backing {
    Map(MmapRaw),
    Heap(Vec<Line>),
}

/// Two cache lines, the largest alignment that a record asks for. x86 fetches lines in pairs.
#[derive(Debug)]
#[repr(C, align(128))]
struct Line([AtomicU64; LINE_WORDS]);

const LINE_WORDS: usize = 16;
pub(crate) const LINE: usize = size_of::<Line>();

impl Region {
    /// Map the first `len` bytes of `file`, shared with every process that maps them and with every child.
    pub(crate) fn map(file: &File, len: usize) -> io::Result<Self> {
        // `map_anon` would be private to each process after a fork; only a file is shared.
        let map = MmapOptions::new().len(len).map_raw(file)?;
        Ok(Self {
            backing: Backing::Map(map),
            len,
        })
    }

    /// Zeroed private memory.
    pub(crate) fn heap(len: usize) -> Self {
        let lines = (0..len.div_ceil(LINE))
            .map(|_| Line([const { AtomicU64::new(0) }; LINE_WORDS]))
            .collect();
        Self {
            backing: Backing::Heap(lines),
            len,
        }
    }

    /// A private copy of the first `len` bytes of `file`. Reading, unlike mapping, turns a file that shrinks meanwhile
    /// into an error instead of a SIGBUS.
    pub(crate) fn copy_of(file: &File, len: usize) -> io::Result<Self> {
        let mut lines = Vec::with_capacity(len.div_ceil(LINE));
        let mut chunk = vec![0_u8; CHUNK];
        let mut at = 0;
        while at < len {
            let size = CHUNK.min(len - at);
            let part = chunk.get_mut(..size).expect("a chunk is at most CHUNK");
            file.read_exact_at(part, at as u64)?;
            lines.extend(part.chunks(LINE).map(line_of));
            at += size;
        }
        Ok(Self {
            backing: Backing::Heap(lines),
            len,
        })
    }

    /// `count` records of type `T` from `offset` bytes on, or `None` if they do not lie inside or are not aligned.
    pub(crate) fn table<T: Shared>(&self, offset: usize, count: usize) -> Option<&[T]> {
        let end = size_of::<T>().checked_mul(count)?.checked_add(offset)?;
        let first = self.base().wrapping_add(offset).cast::<T>();
        if end > self.len || !first.is_aligned() {
            return None;
        }
        // SAFETY: the records lie inside the region and are aligned, as just checked; the region is initialised and
        // lives as long as `self`; `T: Shared` makes any bytes valid and all writes to them atomic.
        Some(unsafe { slice::from_raw_parts(first, count) })
    }

    fn base(&self) -> *mut u8 {
        match &self.backing {
            Backing::Map(map) => map.as_mut_ptr(),
            Backing::Heap(lines) => lines.as_ptr().cast_mut().cast(),
        }
    }
}

fn line_of(bytes: &[u8]) -> Line {
    let (words, _) = bytes.as_chunks::<8>();
    let mut words = words.iter();
    Line(core::array::from_fn(|_| {
        AtomicU64::new(words.next().map_or(0, |word| u64::from_ne_bytes(*word)))
    }))
}

/// How much a copy reads at a time: whole lines.
const CHUNK: usize = 512 * LINE;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atomic::{AtomicU32, Ordering};

    #[test]
    fn a_table_never_reaches_outside() {
        let region = Region::heap(256);
        assert_eq!(region.table::<AtomicU64>(0, 32).unwrap().len(), 32);
        assert!(region.table::<AtomicU64>(0, 33).is_none());
        assert!(region.table::<AtomicU64>(8, 32).is_none());
        assert!(region.table::<AtomicU64>(4, 1).is_none(), "not aligned");
        assert!(region.table::<AtomicU64>(usize::MAX, 1).is_none());
        assert!(region.table::<AtomicU64>(8, usize::MAX).is_none());
        assert!(region.table::<AtomicU32>(256, 0).unwrap().is_empty());
    }

    #[test]
    fn two_views_of_a_word_agree() {
        let region = Region::heap(LINE);
        let words = region.table::<AtomicU64>(0, 2).unwrap();
        let again = region.table::<AtomicU64>(8, 1).unwrap();
        words[1].store(42, Ordering::Relaxed);
        assert_eq!(again[0].load(Ordering::Relaxed), 42);
    }
}
