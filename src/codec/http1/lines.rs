//! The slow parser: one line at a time, by httpd's rules, with a reason for every refusal.

use crate::codec::{BadLine, CodecError};
use crate::http::fields::{is_token, is_value};
use crate::http::{FieldId, FieldSet, Fields};

/// How strict to be about lines: what backends have always been forgiven is a way to smuggle requests when a
/// client does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Requests and all trailers, as `HttpProtocolOptions Strict` wants it.
    Strict,
    /// Requests under `HttpProtocolOptions Unsafe`: bare LF ends a line, and a control character in a value becomes a
    /// space (RFC 9110 §5.5), unless the field says something about framing, routing or the connection.
    Unsafe,
    /// Response heads: bare LF ends a line, and white space before a colon is dropped (RFC 9112 §5.1).
    Lenient,
}

/// The lines of a complete head.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    strictness: Strictness,
}

impl<'a> Lines<'a> {
    pub(super) const fn new(head: &'a [u8], strictness: Strictness) -> Self {
        Self {
            rest: head,
            strictness,
        }
    }

    /// The next line without its end; empty for the line that ends the section.
    pub(super) fn next_line(&mut self) -> Result<&'a [u8], CodecError> {
        let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let line = self.rest.get(..end).unwrap_or_default();
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        let line = match (line.strip_suffix(b"\r"), self.strictness) {
            (Some(line), _) => line,
            (None, Strictness::Lenient | Strictness::Unsafe) => line,
            (None, Strictness::Strict) => {
                return Err(CodecError::malformed("line ends with a bare line feed"));
            }
        };
        if memchr::memchr(b'\r', line).is_some() {
            return Err(CodecError::malformed("carriage return inside a line"));
        }
        Ok(line)
    }

    /// Reads all field lines up to the empty one.
    pub(super) fn fields(&mut self, fields: &mut Fields) -> Result<(), CodecError> {
        loop {
            let line = self.next_line()?;
            match line.first() {
                None => return Ok(()),
                Some(b' ' | b'\t') => fold(line, fields)?,
                Some(_) => self.field(line, fields)?,
            }
        }
    }

    /// Reads the field lines of a response, and counts the lines that were passed over.
    pub(super) fn response_fields(
        &mut self,
        bad_lines: BadLine,
        fields: &mut Fields,
    ) -> Result<u16, CodecError> {
        let mut skipped = 0_u16;
        let mut is_skipping = false;
        loop {
            let line = self.next_line()?;
            let is_folded = matches!(line.first(), Some(b' ' | b'\t'));
            if line.is_empty() {
                return Ok(skipped);
            }
            // What continues a line goes with it.
            if is_folded && is_skipping {
                continue;
            }
            is_skipping = !is_folded && memchr::memchr(b':', line).is_none();
            match bad_lines {
                _ if is_folded => fold(line, fields)?,
                _ if !is_skipping => self.field(line, fields)?,
                _ if is_status_line(line) => skipped = skipped.saturating_add(1),
                BadLine::EndHead => return Ok(skipped.saturating_add(1)),
                // Whoever reads it as a length reads another message than we.
                BadLine::Skip if !names_framing(line) => skipped = skipped.saturating_add(1),
                BadLine::Skip | BadLine::Refuse => return Err(NO_COLON),
            }
        }
    }

    fn field(&self, line: &[u8], fields: &mut Fields) -> Result<(), CodecError> {
        let Some((name, value)) =
            memchr::memchr(b':', line).and_then(|colon| line.split_at_checked(colon))
        else {
            return Err(NO_COLON);
        };
        let trimmed = trim_end(name);
        let name = match self.strictness {
            Strictness::Lenient => trimmed,
            Strictness::Strict | Strictness::Unsafe if trimmed.len() != name.len() => {
                return Err(CodecError::malformed("white space before a field's colon"));
            }
            Strictness::Strict | Strictness::Unsafe => name,
        };
        if name.is_empty() {
            return Err(CodecError::malformed("field line without a name"));
        }
        if !is_token(name) {
            return Err(CodecError::malformed("bad character in a field name"));
        }
        let value = trim(value.get(1..).unwrap_or_default());
        if is_value(value) {
            fields.push(name, value);
            return Ok(());
        }
        match spaced(value) {
            Some(spaced) if self.strictness == Strictness::Unsafe && is_plain(name) => {
                fields.push(name, &spaced);
                Ok(())
            }
            Some(_) | None => Err(BAD_VALUE),
        }
    }
}

/// A value with a space for every control character; `None` if one of them is NUL, CR or LF, which the next reader may
/// take for an end.
fn spaced(value: &[u8]) -> Option<Vec<u8>> {
    if value.iter().any(|b| b"\0\r\n".contains(b)) {
        return None;
    }
    let is_control = |b: u8| b < b' ' && b != b'\t' || b == 0x7f;
    let mended = value.iter().map(|&b| if is_control(b) { b' ' } else { b });
    Some(mended.collect())
}

/// Whether a field is nobody's business on the way, so that its value may be mended.
fn is_plain(name: &[u8]) -> bool {
    const READ: FieldSet = FieldSet::of(&[
        FieldId::Host,
        FieldId::Connection,
        FieldId::ProxyConnection,
        FieldId::KeepAlive,
        FieldId::ContentLength,
        FieldId::TransferEncoding,
        FieldId::Te,
        FieldId::Trailer,
        FieldId::Upgrade,
        FieldId::Expect,
        FieldId::MaxForwards,
        FieldId::Via,
    ]);
    !READ.has(FieldId::of(name))
}

const NO_COLON: CodecError = CodecError::malformed("field line without a colon");
const BAD_VALUE: CodecError = CodecError::malformed("control character in a field value");

/// Whether a line, complete and not empty, ends a head whose fields may be followed by content directly.
pub(super) fn ends_head(line: &[u8]) -> bool {
    let is_folded = matches!(line.first(), Some(b' ' | b'\t'));
    !is_folded && memchr::memchr(b':', line).is_none() && !is_status_line(line)
}

/// Another status line among the fields: servers that are behind another one write both.
fn is_status_line(line: &[u8]) -> bool {
    let Some((start, [b' ', a, b, c, ..])) = line.split_at_checked(8) else {
        return false;
    };
    version(start).is_some() && [a, b, c].into_iter().all(u8::is_ascii_digit)
}

fn names_framing(line: &[u8]) -> bool {
    let line = line.to_ascii_lowercase();
    [&b"content-length"[..], b"transfer-encoding"]
        .into_iter()
        .any(|name| memchr::memmem::find(&line, name).is_some())
}

/// Joins a continuation to the line before it (RFC 9112 §5.2). httpd does so for requests too.
fn fold(line: &[u8], fields: &mut Fields) -> Result<(), CodecError> {
    let more = trim(line);
    if !is_value(more) {
        return Err(BAD_VALUE);
    }
    let is_joined = if more.is_empty() {
        !fields.is_empty()
    } else {
        fields.fold(more)
    };
    if is_joined {
        Ok(())
    } else {
        Err(CodecError::malformed(
            "white space before the first field name",
        ))
    }
}

/// Drops spaces and tabs at both ends, and nothing else that counts as white space elsewhere.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&b| b != b' ' && b != b'\t');
    trim_end(
        start
            .and_then(|start| bytes.get(start..))
            .unwrap_or_default(),
    )
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&b| b != b' ' && b != b'\t');
    end.and_then(|last| bytes.get(..=last)).unwrap_or_default()
}

/// Reads `HTTP/d.d`: major and minor version.
pub(super) fn version(bytes: &[u8]) -> Option<(u8, u8)> {
    match bytes {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Some((major - b'0', minor - b'0'))
        }
        _ => None,
    }
}
