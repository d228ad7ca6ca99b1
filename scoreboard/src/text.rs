//! Text in shared memory: names, clients and request lines.
//!
//! Responsible for: writing text in a few relaxed stores without allocating, and reading it whole while another process
//! writes. Not responsible for what the text means.
//!
//! A text is a row of 8-byte words between two turn words. The writer announces a turn in `opened`, stores the words and
//! repeats the turn in `closed`. A reader loads `closed`, the words, then `opened`; equal turns mean that nobody wrote in
//! between. `closed` lies first and `opened` last, so that a plain ascending copy of the memory reads them in that order
//! too. A writer killed in mid-write leaves the turns different: readers give up after a bounded number of tries and show
//! what is there, and the next write makes the text whole again.
//!
//! A turn is a counter in the upper half and, for [`Text::set_shared`], the writer's pid in the lower half.

use core::fmt;

use crate::atomic::{AtomicU64, Ordering, fence};

/// Text of at most `WORDS * 8` bytes.
#[repr(C)]
pub struct Text<const WORDS: usize> {
    closed: AtomicU64,
    words: [AtomicU64; WORDS],
    opened: AtomicU64,
}

// SAFETY: `repr(C)` of atomics of one size; any bits are valid.
#[cfg(not(loom))]
unsafe impl<const WORDS: usize> crate::shared::Shared for Text<WORDS> {}

// A text has no gaps, whatever its length: its parts have one size and one alignment.
#[cfg(not(loom))]
const _: () = assert!(size_of::<Text<3>>() == 5 * size_of::<AtomicU64>());

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Bytes of text placed in the buffer.
    pub len: usize,
    /// Whether the bytes are one write's; `false` after too many tries against a writer, or a writer that died.
    pub is_whole: bool,
}

impl<const WORDS: usize> Text<WORDS> {
    /// The longest text that fits, in bytes.
    pub const BYTES: usize = WORDS * 8;

    /// An empty text in private memory, for models and tests.
    #[must_use]
    pub fn new() -> Self {
        Self {
            closed: AtomicU64::new(0),
            words: core::array::from_fn(|_| AtomicU64::new(0)),
            opened: AtomicU64::new(0),
        }
    }

    /// Write `text`, cut to what fits. One writer at a time: the owner of the record, or whoever holds the edit lock.
    pub fn set(&self, text: &[u8]) {
        let turn = self.opened.load(Ordering::Relaxed).wrapping_add(ONE_TURN);
        self.opened.store(turn, Ordering::Relaxed);
        self.write(turn, text);
    }

    /// Write `text` where several processes may try at once. Returns `false`, and writes nothing, when another writer is
    /// at it: for a reason or a note, his is as good as ours.
    pub fn set_shared(&self, pid: u32, text: &[u8]) -> bool {
        let last = self.closed.load(Ordering::Acquire);
        let turn = (last & !PID_HALF).wrapping_add(ONE_TURN) | u64::from(pid);
        let is_ours = self
            .opened
            .compare_exchange(last, turn, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        if is_ours {
            self.write(turn, text);
        }
        is_ours
    }

    /// Close what a dead process left open with [`Text::set_shared`], so that others can write again.
    pub fn forfeit(&self, pid: u32) -> bool {
        let opened = self.opened.load(Ordering::Acquire);
        // Pid 0 is a lone owner's, who heals by writing again.
        let is_his = pid != 0
            && opened & PID_HALF == u64::from(pid)
            && self.closed.load(Ordering::Acquire) != opened;
        if is_his {
            self.closed.store(opened, Ordering::Release);
        }
        is_his
    }

    /// Close whatever is open, in a record that was copied while its owner may have been writing.
    #[cfg(not(loom))]
    pub(crate) fn mend(&self) {
        let opened = self.opened.load(Ordering::Relaxed);
        self.closed.store(opened, Ordering::Release);
    }

    fn write(&self, turn: u64, text: &[u8]) {
        // Whoever sees one of the words below also sees the opened turn above.
        fence(Ordering::Release);
        let kept = text.get(..Self::BYTES).unwrap_or(text);
        let (full, rest) = kept.as_chunks::<8>();
        for (word, chunk) in self.words.iter().zip(full) {
            word.store(u64::from_ne_bytes(*chunk), Ordering::Relaxed);
        }
        if let Some(word) = self.words.get(full.len()) {
            let mut last = [0; 8];
            for (to, from) in last.iter_mut().zip(rest) {
                *to = *from;
            }
            word.store(u64::from_ne_bytes(last), Ordering::Relaxed);
        }
        self.closed.store(turn, Ordering::Release);
    }

    /// Copy the text into `buffer`, as much as fits, trying a bounded number of times to get one write's bytes.
    pub fn read_into(&self, buffer: &mut [u8]) -> Reading {
        let mut is_whole = false;
        for _ in 0..TRIES {
            let closed = self.closed.load(Ordering::Acquire);
            self.copy_words(buffer);
            fence(Ordering::Acquire);
            is_whole = self.opened.load(Ordering::Relaxed) == closed;
            if is_whole {
                break;
            }
        }
        let room = buffer.len().min(Self::BYTES);
        let len = buffer.iter().take(room).position(|&byte| byte == 0);
        Reading {
            len: len.unwrap_or(room),
            is_whole,
        }
    }

    fn copy_words(&self, buffer: &mut [u8]) {
        for (word, to) in self.words.iter().zip(buffer.chunks_mut(8)) {
            let bytes = word.load(Ordering::Relaxed).to_ne_bytes();
            for (to, from) in to.iter_mut().zip(bytes) {
                *to = from;
            }
        }
    }

    /// The text's bytes as they are.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut buffer = [[0; 8]; WORDS];
        let reading = self.read_into(buffer.as_flattened_mut());
        buffer
            .as_flattened()
            .get(..reading.len)
            .map_or_else(Vec::new, <[u8]>::to_vec)
    }

    /// The text fit to be shown: see [`escape`].
    #[must_use]
    pub fn get(&self) -> String {
        let mut buffer = [[0; 8]; WORDS];
        let reading = self.read_into(buffer.as_flattened_mut());
        escape(buffer.as_flattened().get(..reading.len).unwrap_or_default())
    }

    /// Whether the text is `other`, cut as [`Text::set`] would cut it.
    #[must_use]
    pub fn is(&self, other: &[u8]) -> bool {
        let mut buffer = [[0; 8]; WORDS];
        let reading = self.read_into(buffer.as_flattened_mut());
        buffer.as_flattened().get(..reading.len) == Some(other.get(..Self::BYTES).unwrap_or(other))
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words
            .first()
            .is_none_or(|word| word.load(Ordering::Relaxed).to_ne_bytes().starts_with(&[0]))
    }
}

impl<const WORDS: usize> Default for Text<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORDS: usize> fmt::Debug for Text<WORDS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.get(), f)
    }
}

/// Bytes from a peer made fit for a terminal or a page: control characters, direction overrides and bytes that are not
/// UTF-8 become `\xNN`.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if !is_hidden(c) {
                shown.push(c);
                continue;
            }
            let mut utf8 = [0; 4];
            for byte in c.encode_utf8(&mut utf8).bytes() {
                write!(shown, "\\x{byte:02x}").expect("writing to a string cannot fail");
            }
        }
        for byte in chunk.invalid() {
            write!(shown, "\\x{byte:02x}").expect("writing to a string cannot fail");
        }
    }
    shown
}

/// Characters that move the cursor or reorder what an operator reads.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Tries against a busy writer before a reader takes what it has.
#[cfg(not(loom))]
const TRIES: usize = 16;
#[cfg(loom)]
const TRIES: usize = 1;

const ONE_TURN: u64 = 1 << 32;
const PID_HALF: u64 = ONE_TURN - 1;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_as_it_was_set() {
        let text = Text::<4>::new();
        for len in 0..=40 {
            let long: Vec<u8> = (0..len).map(|i| b'a' + i % 26).collect();
            text.set(&long);
            assert_eq!(text.bytes(), long[..long.len().min(32)], "length {len}");
            assert!(text.is(&long));
        }
        text.set(b"GET / HTTP/1.1");
        text.set(b"x");
        assert_eq!(text.get(), "x", "the longer text before leaves no tail");
        text.set(b"");
        assert!(text.is_empty());
    }

    #[test]
    fn a_small_buffer_gets_the_beginning() {
        let text = Text::<4>::new();
        text.set(b"www.example.com:8080");
        let mut buffer = [0; 11];
        let reading = text.read_into(&mut buffer);
        assert_eq!(&buffer[..reading.len], b"www.example");
    }

    #[test]
    fn a_writer_killed_in_mid_write_hangs_nobody_and_the_next_write_mends() {
        let text = Text::<2>::new();
        text.set(b"before");
        text.opened.store(ONE_TURN * 9, Ordering::Relaxed);
        let mut buffer = [0; 16];
        assert!(!text.read_into(&mut buffer).is_whole);
        assert_eq!(text.get(), "before");
        text.set(b"after");
        assert!(text.read_into(&mut buffer).is_whole);
        assert_eq!(text.get(), "after");
    }

    #[test]
    fn a_shared_text_left_open_is_forfeited_by_pid() {
        let text = Text::<2>::new();
        assert!(text.set_shared(7, b"connection refused"));
        let closed = text.closed.load(Ordering::Relaxed);
        text.opened.store(closed + ONE_TURN, Ordering::Relaxed);
        assert!(!text.set_shared(8, b"timeout"), "pid 7 is writing");
        assert!(!text.forfeit(8));
        assert!(text.forfeit(7));
        assert!(text.set_shared(8, b"timeout"));
        assert_eq!(text.get(), "timeout");
    }

    #[test]
    fn what_a_peer_sent_cannot_drive_the_terminal() {
        for (raw, shown) in [
            (&b"GET /\x1b[2J HTTP/1.1"[..], "GET /\\x1b[2J HTTP/1.1"),
            (b"a\r\nb", "a\\x0d\\x0ab"),
            (b"\xff\xfe", "\\xff\\xfe"),
            ("b\u{fc}cher".as_bytes(), "b\u{fc}cher"),
            ("\u{202e}gpj".as_bytes(), "\\xe2\\x80\\xaegpj"),
        ] {
            assert_eq!(escape(raw), shown);
        }
    }
}
