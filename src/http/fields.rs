//! Field lines (RFC 9110 §5): ordered, case kept, one buffer.
//!
//! A [`Fields`] owns one byte buffer and a list of where each line is in it. Clearing keeps both allocations.
//! Names that a proxy asks for again and again are recognised once, when a line is pushed ([`FieldId`]), so later
//! look-ups compare one byte, and a set of the names seen answers most questions without looking at all.
//!
//! Know first: every line stands in the buffer exactly as HTTP/1 writes it, `Name: value` with its line end. A
//! head that came over HTTP/1 is copied in one piece ([`Fields::load`]) and, where nobody edited it, leaves in
//! one piece ([`Fields::runs`]). An edited line is written anew at the buffer's end; its place in the order stays.
//!
//! What codecs load was checked by them. Everything else is checked here when it is pushed, and a line that could
//! split a message makes the whole list *dirty*: encoders refuse it (CVE-2023-38709 and its kin).

mod named;
mod names;

pub use named::FieldName;
pub use names::{FieldId, FieldSet};

use std::fmt;

/// The field lines of one message, in the order they came.
#[derive(Default)]
pub struct Fields {
    bytes: Vec<u8>,
    lines: Vec<Line>,
    /// The names of all lines, and perhaps of some that were taken away.
    seen: FieldSet,
    is_dirty: bool,
}

/// Where one line is in the buffer. Offsets fit 32 bits because heads are limited far below 4 GiB.
#[derive(Clone, Copy, Debug)]
struct Line {
    at: u32,
    name_len: u32,
    value_len: u32,
    id: FieldId,
}

impl Fields {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            lines: Vec::new(),
            seen: FieldSet::NONE,
            is_dirty: false,
        }
    }

    /// Forgets all lines and keeps the allocations.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.lines.clear();
        self.seen = FieldSet::NONE;
        self.is_dirty = false;
    }

    /// Adds a line at the end. A name that is no token, or a value with control characters, makes the list dirty.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        self.is_dirty |= !is_token(name) || !is_value(value);
        self.append(FieldId::of(name), name, value);
    }

    /// Adds a line whose name is known already.
    pub fn push_id(&mut self, id: FieldId, value: &[u8]) {
        self.is_dirty |= !is_value(value);
        self.append(id, id.name().as_bytes(), value);
    }

    /// Adds the lines that a decoder found in `block`, which it has checked: each name is a token in `block`, each
    /// value clean. The block is copied once; lines that don't stand there in wire form are copied again.
    pub fn load<'b>(&mut self, block: &[u8], lines: impl Iterator<Item = (&'b [u8], &'b [u8])>) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(block);
        for (name, value) in lines {
            let id = FieldId::of(name);
            match wire_offset(block, name, value) {
                Some(at) => {
                    self.seen.insert(id);
                    self.lines.push(Line {
                        at: offset(base + at),
                        name_len: offset(name.len()),
                        value_len: offset(value.len()),
                        id,
                    });
                }
                None => self.append(id, name, value),
            }
        }
    }

    fn append(&mut self, id: FieldId, name: &[u8], value: &[u8]) {
        let at = offset(self.bytes.len());
        self.bytes.reserve(name.len() + value.len() + 4);
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(b": ");
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(b"\r\n");
        self.seen.insert(id);
        self.lines.push(Line {
            at,
            name_len: offset(name.len()),
            value_len: offset(value.len()),
            id,
        });
    }

    /// Replaces every line of this name by one; appends if there was none.
    pub fn set(&mut self, id: FieldId, value: &[u8]) {
        let Some(first) = self.position(id) else {
            self.push_id(id, value);
            return;
        };
        self.is_dirty |= !is_value(value);
        self.renew(first, |bytes, _| bytes.extend_from_slice(value));
        self.keep_first(id, first);
    }

    /// Appends a member to the list that all lines of this name make together, as one line (RFC 9110 §5.3).
    pub fn append_member(&mut self, id: FieldId, member: &[u8]) {
        let Some(first) = self.position(id) else {
            self.push_id(id, member);
            return;
        };
        self.is_dirty |= !is_value(member);
        self.renew(first, |bytes, lines| {
            for line in lines.iter().filter(|line| line.id == id) {
                if line.value_len > 0 {
                    bytes.extend_from_within(line.value_range());
                    bytes.extend_from_slice(b", ");
                }
            }
            bytes.extend_from_slice(member);
        });
        self.keep_first(id, first);
    }

    /// Takes every line of this name away; tells whether there was one.
    pub fn remove(&mut self, id: FieldId) -> bool {
        if !self.seen.has(id) {
            return false;
        }
        let before = self.lines.len();
        self.lines.retain(|line| line.id != id);
        self.seen = self.seen.without(FieldSet::of(&[id]));
        before != self.lines.len()
    }

    /// Takes every line of these names away.
    pub fn remove_all(&mut self, ids: FieldSet) {
        if self.seen.meets(ids) {
            self.lines.retain(|line| !ids.has(line.id));
            self.seen = self.seen.without(ids);
        }
    }

    /// Keeps only the lines for which `keep(id, name, value)` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(FieldId, &[u8], &[u8]) -> bool) {
        let bytes = &self.bytes;
        self.lines
            .retain(|line| keep(line.id, line.name(bytes), line.value(bytes)));
    }

    /// Rewrites values in place: `edit(id, name, value)` returns the new value, or `None` to leave the line alone.
    pub fn rewrite(&mut self, mut edit: impl FnMut(FieldId, &[u8], &[u8]) -> Option<Vec<u8>>) {
        for index in 0..self.lines.len() {
            let Some(line) = self.lines.get(index) else {
                return;
            };
            let Some(value) = edit(line.id, line.name(&self.bytes), line.value(&self.bytes)) else {
                continue;
            };
            self.is_dirty |= !is_value(&value);
            self.renew(index, |bytes, _| bytes.extend_from_slice(&value));
        }
    }

    /// Appends `more` to the last line's value after one space: an obs-fold continuation (RFC 9112 §5.2).
    /// False when there is no line to continue.
    pub fn fold(&mut self, more: &[u8]) -> bool {
        let Some(&line) = self.lines.last() else {
            return false;
        };
        self.is_dirty |= !is_value(more);
        if line.end() == self.bytes.len() {
            self.bytes.truncate(line.end() - 2);
            self.bytes.push(b' ');
            self.bytes.extend_from_slice(more);
            self.bytes.extend_from_slice(b"\r\n");
            if let Some(line) = self.lines.last_mut() {
                line.value_len += offset(more.len()) + 1;
            }
        } else {
            let folded = [line.value(&self.bytes), b" ", more].concat();
            self.renew(self.lines.len() - 1, |bytes, _| {
                bytes.extend_from_slice(&folded);
            });
        }
        true
    }

    /// Writes a line anew at the end of the buffer, with a value that `write` appends. It is shown the lines as they were.
    fn renew(&mut self, index: usize, write: impl FnOnce(&mut Vec<u8>, &[Line])) {
        let at = self.bytes.len();
        let Some(line) = self.lines.get(index) else {
            return;
        };
        let name = line.at as usize..(line.at + line.name_len) as usize;
        self.bytes.extend_from_within(name);
        self.bytes.extend_from_slice(b": ");
        let from = self.bytes.len();
        write(&mut self.bytes, &self.lines);
        let value_len = offset(self.bytes.len() - from);
        self.bytes.extend_from_slice(b"\r\n");
        if let Some(line) = self.lines.get_mut(index) {
            line.at = offset(at);
            line.value_len = value_len;
        }
    }

    fn position(&self, id: FieldId) -> Option<usize> {
        if !self.seen.has(id) {
            return None;
        }
        self.lines.iter().position(|line| line.id == id)
    }

    /// Takes all lines of this name away but the first.
    pub fn keep_first_of(&mut self, id: FieldId) {
        if let Some(first) = self.position(id) {
            self.keep_first(id, first);
        }
    }

    fn keep_first(&mut self, id: FieldId, first: usize) {
        let mut index = 0;
        self.lines.retain(|line| {
            index += 1;
            line.id != id || index - 1 == first
        });
    }

    /// The first value of a name.
    #[must_use]
    pub fn get(&self, id: FieldId) -> Option<&[u8]> {
        self.all(id).next()
    }

    /// Every value of a name, in order.
    pub fn all(&self, id: FieldId) -> impl Iterator<Item = &[u8]> {
        let lines: &[Line] = if self.seen.has(id) { &self.lines } else { &[] };
        lines
            .iter()
            .filter(move |line| line.id == id)
            .map(|line| line.value(&self.bytes))
    }

    /// The first value of any name, compared without case.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter()
            .find(|(_, n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, _, value)| value)
    }

    /// Whether there is a line of this name.
    #[must_use]
    pub fn has(&self, id: FieldId) -> bool {
        self.seen.has(id) && self.lines.iter().any(|line| line.id == id)
    }

    /// All lines in order: `(id, name, value)`.
    pub fn iter(&self) -> impl Iterator<Item = (FieldId, &[u8], &[u8])> {
        self.lines
            .iter()
            .map(|line| (line.id, line.name(&self.bytes), line.value(&self.bytes)))
    }

    /// The comma-separated members of every line of this name, trimmed, empty ones skipped (RFC 9110 §5.6.1).
    pub fn list(&self, id: FieldId) -> impl Iterator<Item = &[u8]> {
        self.all(id)
            .flat_map(|value| value.split(|&b| b == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|m| !m.is_empty())
    }

    /// The lines as HTTP/1 writes them, without those named by `skip`, in as few pieces as the buffer allows.
    #[must_use]
    pub fn runs(&self, skip: FieldSet) -> Runs<'_> {
        Runs {
            bytes: &self.bytes,
            lines: &self.lines,
            skip,
        }
    }

    /// The first line of a name as HTTP/1 writes it, with its line end.
    #[must_use]
    pub fn line(&self, id: FieldId) -> Option<&[u8]> {
        let line = self.lines.get(self.position(id)?)?;
        self.bytes.get(line.at as usize..line.end())
    }

    /// The name of the first line.
    #[must_use]
    pub fn first_id(&self) -> Option<FieldId> {
        self.lines.first().map(|line| line.id)
    }

    /// Whether no line could split a message. Encoders refuse a list of which this is not true.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        !self.is_dirty
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// Pieces of [`Fields`] in wire form; see [`Fields::runs`].
#[derive(Debug)]
pub struct Runs<'a> {
    bytes: &'a [u8],
    lines: &'a [Line],
    skip: FieldSet,
}

impl<'a> Iterator for Runs<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut lines = self.lines.iter();
        let first = lines.find(|line| !self.skip.has(line.id))?;
        let mut end = first.end();
        self.lines = lines.as_slice();
        for line in lines {
            if line.at as usize != end || self.skip.has(line.id) {
                break;
            }
            end = line.end();
            self.lines = self.lines.split_first().map_or(&[], |(_, rest)| rest);
        }
        self.bytes.get(first.at as usize..end)
    }
}

impl Line {
    const fn end(&self) -> usize {
        self.at as usize + self.name_len as usize + self.value_len as usize + 4
    }

    fn name<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        slice(bytes, self.at as usize, self.name_len)
    }

    fn value<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        slice(bytes, self.value_range().start, self.value_len)
    }

    fn value_range(&self) -> std::ops::Range<usize> {
        let from = self.at as usize + self.name_len as usize + 2;
        from..from + self.value_len as usize
    }
}

/// Where a line begins in `block` when it stands there in wire form.
fn wire_offset(block: &[u8], name: &[u8], value: &[u8]) -> Option<usize> {
    let at = name.as_ptr().addr().checked_sub(block.as_ptr().addr())?;
    let colon = at + name.len();
    let value_at = value.as_ptr().addr().checked_sub(block.as_ptr().addr())?;
    let end = value_at + value.len();
    let is_wire = value_at == colon + 2
        && block.get(colon..value_at) == Some(b": ")
        && block.get(end..end + 2) == Some(b"\r\n");
    is_wire.then_some(at)
}

fn slice(bytes: &[u8], at: usize, len: u32) -> &[u8] {
    bytes
        .get(at..at + len as usize)
        .expect("lines point into their own buffer")
}

fn offset(n: usize) -> u32 {
    u32::try_from(n).expect("heads are limited far below 4 GiB")
}

impl Clone for Fields {
    fn clone(&self) -> Self {
        let mut copy = Self::new();
        copy.clone_from(self);
        copy
    }

    fn clone_from(&mut self, source: &Self) {
        self.bytes.clone_from(&source.bytes);
        self.lines.clone_from(&source.lines);
        self.seen = source.seen;
        self.is_dirty = source.is_dirty;
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self
            .iter()
            .map(|(_, n, v)| (String::from_utf8_lossy(n), String::from_utf8_lossy(v)));
        f.debug_map().entries(lines).finish()
    }
}

/// Whether the bytes are a token (RFC 9110 §5.6.2).
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is_token_byte(b))
}

/// Whether all bytes may stand in a field value.
#[must_use]
pub fn is_value(bytes: &[u8]) -> bool {
    // Without an early exit the loop is vectorised.
    bytes.iter().fold(true, |ok, &b| ok & is_value_byte(b))
}

/// Whether a byte may stand in a token (RFC 9110 §5.6.2).
#[must_use]
pub const fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Whether a byte may stand in a field value (RFC 9110 §5.5): visible, space, tab or obs-text.
#[must_use]
pub const fn is_value_byte(b: u8) -> bool {
    (b >= b' ' && b != 0x7f) || b == b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Fields {
        let mut fields = Fields::new();
        fields.push(b"HOST", b"a");
        fields.push(b"X-One", b"1");
        fields.push(b"via", b"1.0 x, 1.1 y");
        fields.push(b"Via", b"1.1 z");
        fields
    }

    #[test]
    fn names_are_found_in_any_case_and_kept_as_they_came() {
        let fields = sample();
        assert_eq!(fields.get(FieldId::Host), Some(&b"a"[..]));
        assert_eq!(fields.find(b"x-one"), Some(&b"1"[..]));
        assert_eq!(fields.iter().next().unwrap().1, b"HOST");
        assert_eq!(
            fields.list(FieldId::Via).collect::<Vec<_>>(),
            [&b"1.0 x"[..], b"1.1 y", b"1.1 z"]
        );
    }

    #[test]
    fn set_replaces_all_lines_of_a_name_in_the_first_ones_place() {
        let mut fields = sample();
        fields.set(FieldId::Via, b"new");
        assert_eq!(fields.all(FieldId::Via).collect::<Vec<_>>(), [b"new"]);
        fields.set(FieldId::Date, b"today");
        assert_eq!(
            fields.iter().map(|(_, n, _)| n).collect::<Vec<_>>(),
            [&b"HOST"[..], b"X-One", b"via", b"Date"]
        );
        assert!(fields.remove(FieldId::Via) && !fields.remove(FieldId::Via));
    }

    #[test]
    fn a_folded_line_continues_after_one_space() {
        let mut fields = sample();
        assert!(fields.fold(b"1.1 w"));
        assert_eq!(fields.all(FieldId::Via).last(), Some(&b"1.1 z 1.1 w"[..]));
        assert!(!Fields::new().fold(b"x"));
    }

    #[test]
    fn rewriting_touches_only_what_the_editor_returns() {
        let mut fields = sample();
        fields.rewrite(|id, _, v| (id == FieldId::Host).then(|| [v, b"!"].concat()));
        assert_eq!(fields.get(FieldId::Host), Some(&b"a!"[..]));
        assert_eq!(fields.find(b"X-One"), Some(&b"1"[..]));
    }

    #[test]
    fn a_loaded_block_leaves_in_one_piece_and_edits_cut_it() {
        let block = b"Host: a\r\nX-One:1\r\nAccept: */*\r\nDate: d\r\n";
        let mut fields = Fields::new();
        let line = |n: &str| {
            let at = memchr::memmem::find(block, n.as_bytes()).unwrap();
            let end = at + memchr::memchr(b'\r', &block[at..]).unwrap();
            let colon = at + memchr::memchr(b':', &block[at..]).unwrap();
            (&block[at..colon], block[colon + 1..end].trim_ascii())
        };
        let lines = [line("Host"), line("X-One"), line("Accept"), line("Date")];
        fields.load(block, lines.into_iter());
        let all = |fields: &Fields, skip| fields.runs(skip).map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert_eq!(
            all(&fields, FieldSet::NONE),
            [
                b"Host: a\r\n".to_vec(),
                b"X-One: 1\r\n".to_vec(),
                b"Accept: */*\r\nDate: d\r\n".to_vec()
            ]
        );
        let skip = FieldSet::of(&[FieldId::Host, FieldId::Date]);
        assert_eq!(all(&fields, skip).concat(), b"X-One: 1\r\nAccept: */*\r\n");
        fields.set(FieldId::Host, b"b");
        fields.fold(b"e");
        assert_eq!(
            all(&fields, FieldSet::NONE).concat(),
            b"Host: b\r\nX-One: 1\r\nAccept: */*\r\nDate: d e\r\n"
        );
    }

    #[test]
    fn what_could_split_a_message_makes_the_list_dirty() {
        for (name, value) in [
            (&b"A"[..], &b"x\r\nEvil: 1"[..]),
            (b"A", b"x\0"),
            (b"A B", b"x"),
            (b"", b"x"),
            (b"A\n", b"x"),
        ] {
            let mut fields = sample();
            fields.push(name, value);
            assert!(!fields.is_clean(), "{name:?}: {value:?}");
        }
        let mut fields = sample();
        assert!(fields.is_clean());
        fields.set(FieldId::Host, b"a\nb");
        assert!(!fields.is_clean() && !fields.clone().is_clean());
        fields.clear();
        assert!(fields.is_clean());
    }

    #[test]
    fn members_are_appended_to_all_lines_joined() {
        let mut fields = sample();
        fields.append_member(FieldId::Via, b"1.1 me");
        assert_eq!(
            fields.all(FieldId::Via).collect::<Vec<_>>(),
            [&b"1.0 x, 1.1 y, 1.1 z, 1.1 me"[..]]
        );
        fields.append_member(FieldId::XForwardedFor, b"10.0.0.1");
        assert_eq!(fields.get(FieldId::XForwardedFor), Some(&b"10.0.0.1"[..]));
    }
}
