//! Decoding a response head: the fast way, the slow way, and what its fields mean.

use std::mem::MaybeUninit;

use super::SLOTS;
use super::lines::{self, Lines, Strictness};
use super::scan::{Scan, Section};
use crate::codec::{BadLine, CodecError, Limits};
use crate::http::head::Shelf;
use crate::http::{ResponseHead, Status, Version};

/// Decodes the head at the start of `bytes`, which are not empty; `None` while it is incomplete. Framing depends
/// on the request, so it is left to the caller.
pub(super) fn decode(
    bytes: &[u8],
    scan: &mut Scan,
    limits: &Limits,
    bad_lines: BadLine,
    shelf: &mut Shelf<ResponseHead>,
) -> Result<Option<(Box<ResponseHead>, usize)>, CodecError> {
    // HTTP/0.9 has no head at all, and another protocol's greeting must never reach a client as content.
    if bytes.first() != Some(&b'H') {
        return Err(NOT_HTTP);
    }
    let small = limits.line.min(limits.field_size);
    if scan.is_fresh() {
        let mut head = shelf.take();
        match fast(bytes, &mut head) {
            Some(end) if end <= small && is_few(&head, limits) => return Ok(Some((head, end))),
            _ => shelf.put(head),
        }
    }
    let section = match bad_lines {
        BadLine::Refuse | BadLine::Skip => Section::Response,
        BadLine::EndHead => Section::LooseResponse,
    };
    let Some(end) = scan.advance(bytes, limits, section)? else {
        return Ok(None);
    };
    let bytes = bytes.get(..end).unwrap_or_default();
    let mut head = shelf.take();
    if fast(bytes, &mut head).is_some() {
        return Ok(Some((head, end)));
    }
    shelf.put(head);
    head = shelf.take();
    match slow(bytes, bad_lines, &mut head) {
        Ok(()) => Ok(Some((head, end))),
        Err(e) => {
            shelf.put(head);
            Err(e)
        }
    }
}

const NOT_HTTP: CodecError = CodecError::malformed("answer is not HTTP/1");

fn is_few(head: &ResponseHead, limits: &Limits) -> bool {
    limits.fields == 0 || head.fields.len() <= limits.fields
}

/// Reads a head by httparse. `None` when that refuses it, whatever the reason, or it is incomplete.
pub(super) fn fast(bytes: &[u8], head: &mut ResponseHead) -> Option<usize> {
    let mut slots = [const { MaybeUninit::uninit() }; SLOTS];
    let mut parsed = httparse::Response::new(&mut []);
    let httparse::Status::Complete(end) = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut parsed, bytes, &mut slots)
        .ok()?
    else {
        return None;
    };
    head.status = Status::from_u16(parsed.code?)?;
    let reason = parsed.reason?.as_bytes();
    // httparse drops a reason with obs-text; only the slow parser keeps it.
    if reason.is_empty() && memchr::memchr(b'\n', bytes)? > "HTTP/1.1 200 \r".len() {
        return None;
    }
    head.reason.extend_from_slice(reason);
    head.version = match parsed.version? {
        0 => Version::Http10,
        _ => Version::Http11,
    };
    let first = parsed
        .headers
        .first()
        .map(|field| field.name.as_ptr().addr());
    let block_at = match first {
        Some(address) => address.checked_sub(bytes.as_ptr().addr())?,
        None => end,
    };
    // Without the empty line, so that a line pushed later follows the loaded ones directly.
    let block = bytes.get(block_at..end)?;
    let block = block.strip_suffix(b"\n").unwrap_or(block);
    let fields = parsed.headers.iter();
    head.fields.load(
        block.strip_suffix(b"\r").unwrap_or(block),
        fields.map(|field| (field.name.as_bytes(), field.value)),
    );
    Some(end)
}

/// Reads a complete head by our own rules.
pub(super) fn slow(
    bytes: &[u8],
    bad_lines: BadLine,
    head: &mut ResponseHead,
) -> Result<(), CodecError> {
    let mut lines = Lines::new(bytes, Strictness::Lenient);
    let line = lines.next_line()?;
    let (version, rest) = line.split_at_checked(8).ok_or(NOT_HTTP)?;
    head.version = match lines::version(version) {
        Some((1, 0)) => Version::Http10,
        Some((1, _)) => Version::Http11,
        Some(_) | None => return Err(NOT_HTTP),
    };
    let (code, reason) = match rest {
        [b' ', a, b, c] => ([*a, *b, *c], &[][..]),
        [b' ', a, b, c, b' ', reason @ ..] => ([*a, *b, *c], reason),
        _ => return Err(CodecError::malformed("malformed status line")),
    };
    head.status = status(code).ok_or(CodecError::malformed("malformed status code"))?;
    if !crate::http::fields::is_value(reason) {
        return Err(CodecError::malformed(
            "control character in a reason phrase",
        ));
    }
    head.reason.extend_from_slice(reason);
    head.skipped_lines = lines.response_fields(bad_lines, &mut head.fields)?;
    Ok(())
}

fn status(digits: [u8; 3]) -> Option<Status> {
    let mut code = 0_u16;
    for b in digits {
        if !b.is_ascii_digit() {
            return None;
        }
        code = code * 10 + u16::from(b - b'0');
    }
    Status::from_u16(code)
}
