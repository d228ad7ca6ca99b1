//! Finding the end of a head (or trailer section) that arrives in pieces, and refusing one that is too large.
//!
//! Each byte is looked at once, however many reads it takes: the scan remembers where it stopped. Limits are
//! checked on lines that are still incomplete, so an endless line is refused as soon as it passes its limit.

use super::lines::ends_head;
use crate::codec::limits::HEAD_MAX;
use crate::codec::{CodecError, Limits};
use crate::http::Status;

/// What is scanned; it decides what an overlong first line is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Request,
    Response,
    /// A response head that a line without a colon ends too.
    LooseResponse,
    Trailers,
}

/// How far a head was scanned.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// Bytes looked at.
    seen: u32,
    /// Where the line that is not complete yet begins.
    line_at: u32,
    /// Bytes that the present field has on the lines before this one (RFC 9112 §5.2, obs-fold).
    folded: u32,
    /// Complete lines, folded ones not counted.
    lines: u32,
}

impl Scan {
    /// A scan of a trailer section, which has no start line.
    pub(super) const fn trailers() -> Self {
        Self {
            seen: 0,
            line_at: 0,
            folded: 0,
            lines: 1,
        }
    }

    /// Whether nothing was scanned yet.
    pub(super) const fn is_fresh(&self) -> bool {
        self.seen == 0
    }

    /// Looks at what is new in `bytes`, which begins where the section begins. Gives the section's length, with the
    /// empty line that ends it, once that has arrived.
    pub(super) fn advance(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        section: Section,
    ) -> Result<Option<usize>, CodecError> {
        while let Some(end) = memchr::memchr(b'\n', rest(bytes, self.seen)) {
            let end = self.seen as usize + end;
            let line = bytes.get(self.line_at as usize..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                return Ok(Some(end + 1));
            }
            self.check(line, limits, section)?;
            if section == Section::LooseResponse && self.lines > 0 && ends_head(line) {
                return Ok(Some(end + 1));
            }
            if !self.is_folded(line) {
                self.lines += 1;
                self.folded = 0;
            }
            self.folded += small(line.len());
            self.seen = small(end + 1);
            self.line_at = self.seen;
        }
        let line = rest(bytes, self.line_at);
        self.check(line.strip_suffix(b"\r").unwrap_or(line), limits, section)?;
        self.seen = small(bytes.len());
        Ok(None)
    }

    /// A field line that begins with white space continues the one before it.
    fn is_folded(&self, line: &[u8]) -> bool {
        self.lines > 1 && matches!(line.first(), Some(b' ' | b'\t'))
    }

    /// Refuses a line, complete or not, that is too long or one too many.
    fn check(&self, line: &[u8], limits: &Limits, section: Section) -> Result<(), CodecError> {
        if self.lines == 0 {
            if line.len() > limits.line {
                return Err(match section {
                    Section::Request => CodecError::with_status(
                        Status::URI_TOO_LONG,
                        "request line is longer than LimitRequestLine",
                    ),
                    Section::Response | Section::LooseResponse | Section::Trailers => {
                        CodecError::malformed("status line is too long")
                    }
                });
            }
        } else {
            self.check_field(line, limits, section)?;
        }
        if self.line_at as usize + line.len() > HEAD_MAX {
            return Err(CodecError::malformed("head is too large"));
        }
        Ok(())
    }

    fn check_field(
        &self,
        line: &[u8],
        limits: &Limits,
        section: Section,
    ) -> Result<(), CodecError> {
        let is_folded = self.is_folded(line);
        // Counted before it is measured: the first byte of a line tells that it is one too many, wherever the head
        // was cut.
        let is_field = !line.is_empty() && !is_folded;
        if is_field && limits.fields > 0 && self.lines as usize > limits.fields {
            return Err(CodecError::malformed(match section {
                Section::Request => "more field lines than LimitRequestFields",
                Section::Response | Section::LooseResponse => "too many field lines",
                Section::Trailers => "too many trailer field lines",
            }));
        }
        let before = if is_folded { self.folded as usize } else { 0 };
        if before + line.len() > limits.field_size {
            return Err(CodecError::malformed(match section {
                Section::Request => "field line is longer than LimitRequestFieldSize",
                Section::Response | Section::LooseResponse => "field line is too long",
                Section::Trailers => "trailer field line is too long",
            }));
        }
        Ok(())
    }
}

fn rest(bytes: &[u8], from: u32) -> &[u8] {
    bytes.get(from as usize..).unwrap_or_default()
}

/// Scanned lengths stay near [`HEAD_MAX`]; what is beyond it is refused before it is counted again.
fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            line: 20,
            field_size: 10,
            fields: 2,
        }
    }

    /// Scans byte by byte and tells after how many bytes it was sure, and of what.
    fn scan(bytes: &[u8], mut scan: Scan, section: Section) -> (usize, Result<usize, u16>) {
        for n in 1..=bytes.len() {
            match scan.advance(&bytes[..n], &limits(), section) {
                Ok(None) => {}
                Ok(Some(end)) => return (n, Ok(end)),
                Err(e) => return (n, Err(e.status.as_u16())),
            }
        }
        (bytes.len(), Ok(0))
    }

    #[test]
    fn the_end_is_found_with_either_line_end() {
        for (head, end) in [
            (&b"GET / HTTP/1.1\r\na: b\r\n\r\nrest"[..], 24),
            (b"GET / HTTP/1.1\na: b\n\nrest", 21),
            (b"GET / HTTP/1.1\r\n\r\n", 18),
        ] {
            assert_eq!(
                scan(head, Scan::default(), Section::Request),
                (end, Ok(end))
            );
            let whole = Scan::default().advance(head, &limits(), Section::Request);
            assert_eq!(whole, Ok(Some(end)));
        }
        assert_eq!(
            scan(b"\r\n", Scan::trailers(), Section::Trailers),
            (2, Ok(2))
        );
    }

    #[test]
    fn limits_hold_before_the_line_is_complete() {
        let table: [(&[u8], usize, u16); 6] = [
            (b"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 21, 414),
            (b"GET /\r\nabcdefghijklmnopq", 18, 400),
            (b"GET /\r\nabcdefghij\r\n k", 20, 400),
            (b"GET /\r\na:\r\n b\r\n c\r\n d\r\n efghij", 26, 400),
            (b"GET /\r\na:\r\nb:\r\nc", 16, 400),
            (b"GET /\r\na:\r\n b\r\nb:\r\n\tc\r\nc:", 24, 400),
        ];
        for (head, at, status) in table {
            let text = String::from_utf8_lossy(head);
            assert_eq!(
                scan(head, Scan::default(), Section::Request),
                (at, Err(status)),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_head_of_many_small_lines_is_bounded_too() {
        let line = b"a: b\r\n";
        let head = [
            &b"GET / HTTP/1.1\r\n"[..],
            &line.repeat(HEAD_MAX / line.len()),
        ]
        .concat();
        let unlimited = Limits {
            fields: 0,
            ..Limits::default()
        };
        let refused = Scan::default().advance(&head, &unlimited, Section::Request);
        assert_eq!(refused.unwrap_err().reason, "head is too large");
    }
}
