//! Field lines (RFC 9110 §5): ordered, case kept, one buffer.
//!
//! A [`Fields`] owns one byte buffer that holds every name and value, and a list of where each line is. Clearing
//! keeps both allocations. Names that a proxy asks for again and again are recognised once, when a line is
//! pushed ([`FieldId`]), so later look-ups compare one byte.

use std::fmt;

macro_rules! field_ids {
    ($($id:ident $name:literal;)*) => {
        /// The field names that tine itself looks at.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "each variant is the field name it stands for")]
        pub enum FieldId { $($id,)* Other }

        impl FieldId {
            /// Recognises a name, whatever its case.
            #[must_use]
            pub fn of(name: &[u8]) -> Self {
                match name.len() {
                    $(n if n == $name.len() && name.eq_ignore_ascii_case($name.as_bytes()) => Self::$id,)*
                    _ => Self::Other,
                }
            }

            /// The name as it is usually written; empty for `Other`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$id => $name,)* Self::Other => "" }
            }
        }
    };
}

// Sorted by how often a request or response has them, since recognition tries them in this order.
field_ids! {
    Host "Host";
    UserAgent "User-Agent";
    Accept "Accept";
    Connection "Connection";
    ContentLength "Content-Length";
    ContentType "Content-Type";
    Date "Date";
    Server "Server";
    Cookie "Cookie";
    TransferEncoding "Transfer-Encoding";
    SetCookie "Set-Cookie";
    KeepAlive "Keep-Alive";
    Expect "Expect";
    Via "Via";
    XForwardedFor "X-Forwarded-For";
    XForwardedHost "X-Forwarded-Host";
    XForwardedServer "X-Forwarded-Server";
    Location "Location";
    ContentLocation "Content-Location";
    Uri "URI";
    Destination "Destination";
    Upgrade "Upgrade";
    Te "TE";
    Trailer "Trailer";
    ProxyConnection "Proxy-Connection";
    ProxyAuthorization "Proxy-Authorization";
    ProxyAuthenticate "Proxy-Authenticate";
    Authorization "Authorization";
    WwwAuthenticate "WWW-Authenticate";
    MaxForwards "Max-Forwards";
    Referer "Referer";
    Warning "Warning";
    Expires "Expires";
    LastModified "Last-Modified";
    RetryAfter "Retry-After";
    Allow "Allow";
    CacheControl "Cache-Control";
}

/// The field lines of one message, in the order they came.
#[derive(Clone, Default)]
pub struct Fields {
    bytes: Vec<u8>,
    lines: Vec<Line>,
}

/// Where one line is in the buffer. Offsets fit 32 bits because heads are limited far below 4 GiB.
#[derive(Clone, Copy, Debug)]
struct Line {
    id: FieldId,
    name_at: u32,
    name_len: u32,
    value_at: u32,
    value_len: u32,
}

impl Fields {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// Forgets all lines and keeps the allocations.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.lines.clear();
    }

    /// Adds a line at the end. The caller has checked the name to be a token and the value to be clean
    /// ([`is_token_byte`], [`is_value_byte`]): codecs do for what arrives, and constants of ours are.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        self.push_known(FieldId::of(name), name, value);
    }

    /// Adds a line whose name is known already.
    pub fn push_id(&mut self, id: FieldId, value: &[u8]) {
        self.push_known(id, id.name().as_bytes(), value);
    }

    fn push_known(&mut self, id: FieldId, name: &[u8], value: &[u8]) {
        let name_at = offset(self.bytes.len());
        self.bytes.extend_from_slice(name);
        let value_at = offset(self.bytes.len());
        self.bytes.extend_from_slice(value);
        self.lines.push(Line {
            id,
            name_at,
            name_len: offset(name.len()),
            value_at,
            value_len: offset(value.len()),
        });
    }

    /// Replaces every line of this name by one; appends if there was none.
    pub fn set(&mut self, id: FieldId, value: &[u8]) {
        let value_at = offset(self.bytes.len());
        match self.lines.iter().position(|line| line.id == id) {
            Some(first) => {
                self.bytes.extend_from_slice(value);
                let mut index = 0;
                self.lines.retain(|line| {
                    index += 1;
                    line.id != id || index - 1 == first
                });
                if let Some(line) = self.lines.get_mut(first) {
                    line.value_at = value_at;
                    line.value_len = offset(value.len());
                }
            }
            None => self.push_id(id, value),
        }
    }

    /// Takes every line of this name away; tells whether there was one.
    pub fn remove(&mut self, id: FieldId) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| line.id != id);
        before != self.lines.len()
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
            let value_at = offset(self.bytes.len());
            self.bytes.extend_from_slice(&value);
            if let Some(line) = self.lines.get_mut(index) {
                line.value_at = value_at;
                line.value_len = offset(value.len());
            }
        }
    }

    /// Appends `more` to the last line's value after one space: an obs-fold continuation (RFC 9112 §5.2).
    /// False when there is no line to continue.
    pub fn fold(&mut self, more: &[u8]) -> bool {
        let Some(line) = self.lines.last_mut() else {
            return false;
        };
        self.bytes
            .truncate((line.value_at + line.value_len) as usize);
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(more);
        line.value_len += offset(more.len()) + 1;
        true
    }

    /// The first value of a name.
    #[must_use]
    pub fn get(&self, id: FieldId) -> Option<&[u8]> {
        self.lines
            .iter()
            .find(|line| line.id == id)
            .map(|line| line.value(&self.bytes))
    }

    /// Every value of a name, in order.
    pub fn all(&self, id: FieldId) -> impl Iterator<Item = &[u8]> {
        self.lines
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
        self.lines.iter().any(|line| line.id == id)
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

impl Line {
    fn name<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        slice(bytes, self.name_at, self.name_len)
    }

    fn value<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        slice(bytes, self.value_at, self.value_len)
    }
}

fn slice(bytes: &[u8], at: u32, len: u32) -> &[u8] {
    bytes
        .get(at as usize..at as usize + len as usize)
        .expect("lines point into their own buffer")
}

fn offset(n: usize) -> u32 {
    u32::try_from(n).expect("heads are limited far below 4 GiB")
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self
            .iter()
            .map(|(_, n, v)| (String::from_utf8_lossy(n), String::from_utf8_lossy(v)));
        f.debug_map().entries(lines).finish()
    }
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
}
