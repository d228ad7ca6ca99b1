//! Decoding a request head: the fast way, the slow way, and what its fields mean.

use std::mem::MaybeUninit;

use super::SLOTS;
use super::lines::{self, Lines, Strictness};
use super::scan::{Scan, Section};
use crate::codec::{CodecError, Limits};
use crate::http::framing::{self, Framing};
use crate::http::head::Shelf;
use crate::http::host::Authority;
use crate::http::{ContentSize, FieldId, Form, Method, RequestHead, Status, Version};

/// A decoded head, how many bytes it took, and how its content is framed.
pub(super) type Decoded = (Box<RequestHead>, usize, Framing);

/// Decodes the head at the start of `bytes`, which are not empty; `None` while it is incomplete.
///
/// `is_head` is told as soon as the method is known, since even the answer to a malformed HEAD has no content.
pub(super) fn decode(
    bytes: &[u8],
    scan: &mut Scan,
    limits: &Limits,
    strictness: Strictness,
    shelf: &mut Shelf<RequestHead>,
    is_head: &mut bool,
) -> Result<Option<Decoded>, CodecError> {
    check_first(bytes)?;
    // No line of a head this small can be over a limit, so the scan would find nothing.
    let small = limits.line.min(limits.field_size);
    if scan.is_fresh() {
        let mut head = shelf.take();
        match fast(bytes, &mut head) {
            Some(end) if end <= small && is_few(&head, limits) => {
                return conclude(Ok(end), head, shelf, is_head);
            }
            _ => shelf.put(head),
        }
    }
    let Some(end) = scan.advance(bytes, limits, Section::Request)? else {
        return Ok(None);
    };
    let bytes = bytes.get(..end).unwrap_or_default();
    let mut head = shelf.take();
    let read = match fast(bytes, &mut head) {
        Some(_) => Ok(end),
        None => {
            shelf.put(head);
            head = shelf.take();
            slow(bytes, strictness, &mut head).map(|()| end)
        }
    };
    conclude(read, head, shelf, is_head)
}

/// Tells early that this is not HTTP/1, before a whole line of it was awaited.
fn check_first(bytes: &[u8]) -> Result<(), CodecError> {
    match bytes.first() {
        Some(0x16) => Err(CodecError::malformed(
            "TLS handshake on a connection that speaks plain HTTP",
        )),
        Some(&b) if !crate::http::fields::is_token_byte(b) => Err(CodecError::malformed(
            "request does not begin with a method",
        )),
        _ => Ok(()),
    }
}

fn is_few(head: &RequestHead, limits: &Limits) -> bool {
    limits.fields == 0 || head.fields.len() <= limits.fields
}

/// Draws the conclusions from a head that was read, or puts one back that was not.
fn conclude(
    read: Result<usize, CodecError>,
    mut head: Box<RequestHead>,
    shelf: &mut Shelf<RequestHead>,
    is_head: &mut bool,
) -> Result<Option<Decoded>, CodecError> {
    *is_head = head.method == Method::Head;
    match read.and_then(|end| Ok((end, interpret(&mut head)?))) {
        Ok((end, framing)) => Ok(Some((head, end, framing))),
        Err(e) => {
            shelf.put(head);
            Err(e)
        }
    }
}

/// Reads a head by httparse. `None` when that refuses it, whatever the reason, or it is incomplete.
pub(super) fn fast(bytes: &[u8], head: &mut RequestHead) -> Option<usize> {
    let mut slots = [const { MaybeUninit::uninit() }; SLOTS];
    let mut parsed = httparse::Request::new(&mut []);
    let httparse::Status::Complete(end) =
        parsed.parse_with_uninit_headers(bytes, &mut slots).ok()?
    else {
        return None;
    };
    // httparse takes a bare LF for a line end; a line begins after each, so looking before each name finds it.
    let block_end = end.checked_sub(2)?;
    let mut block_at = block_end;
    for field in parsed.headers.iter().rev() {
        block_at = field
            .name
            .as_ptr()
            .addr()
            .checked_sub(bytes.as_ptr().addr())?;
        if bytes.get(block_at.checked_sub(2)?..block_at) != Some(b"\r\n") {
            return None;
        }
    }
    if bytes.get(end.checked_sub(4)?..end) != Some(b"\r\n\r\n") {
        return None;
    }
    head.method = Method::parse(parsed.method?.as_bytes())?;
    let is_connect = head.method == Method::Connect;
    head.target
        .assign(parsed.path?.as_bytes(), is_connect)
        .ok()?;
    head.version = match parsed.version? {
        0 => Version::Http10,
        _ => Version::Http11,
    };
    let fields = parsed.headers.iter();
    head.fields.load(
        bytes.get(block_at..block_end)?,
        fields.map(|field| (field.name.as_bytes(), field.value)),
    );
    Some(end)
}

/// Reads a complete head by our own rules.
pub(super) fn slow(
    bytes: &[u8],
    strictness: Strictness,
    head: &mut RequestHead,
) -> Result<(), CodecError> {
    let mut lines = Lines::new(bytes, strictness);
    let line = lines.next_line()?;
    let mended = (strictness == Strictness::Unsafe).then(|| mend(line));
    request_line(mended.as_deref().unwrap_or(line), head)?;
    lines.fields(&mut head.fields)
}

/// A request line with one space where there were several, none at its end, no fragment, and the version in capitals:
/// what `HttpProtocolOptions Unsafe` forgives. Spaces inside the target stay, and are refused.
fn mend(line: &[u8]) -> Vec<u8> {
    let words = line.split(|&b| b == b' ').filter(|word| !word.is_empty());
    let mut mended = Vec::with_capacity(line.len());
    for (index, word) in words.enumerate() {
        if index > 0 {
            mended.push(b' ');
        }
        let fragment = (index == 1).then(|| memchr::memchr(b'#', word)).flatten();
        let word = word
            .get(..fragment.unwrap_or(word.len()))
            .unwrap_or_default();
        match word {
            [
                b'h' | b'H',
                b't' | b'T',
                b't' | b'T',
                b'p' | b'P',
                b'/',
                rest @ ..,
            ] if index == 2 => {
                mended.extend_from_slice(b"HTTP/");
                mended.extend_from_slice(rest);
            }
            _ => mended.extend_from_slice(word),
        }
    }
    mended
}

/// Reads the request line.
fn request_line(line: &[u8], head: &mut RequestHead) -> Result<(), CodecError> {
    let (method, rest) =
        split(line).ok_or(CodecError::malformed("request line without a target"))?;
    head.method =
        Method::parse(method).ok_or(CodecError::malformed("the method is not a token"))?;
    let (target, version) =
        split(rest).ok_or(CodecError::malformed("request line without a version"))?;
    let is_connect = head.method == Method::Connect;
    if head.target.assign(target, is_connect).is_err() {
        return Err(CodecError::malformed(if target.is_empty() {
            "more than one space in the request line"
        } else {
            "malformed request target"
        }));
    }
    head.version = match lines::version(version) {
        Some((1, 0)) => Version::Http10,
        Some((1, _)) => Version::Http11,
        Some(_) => {
            return Err(CodecError::with_status(
                Status::VERSION_NOT_SUPPORTED,
                "HTTP version is not 1.x",
            ));
        }
        None => return Err(CodecError::malformed("malformed HTTP version")),
    };
    Ok(())
}

/// Splits at the first space.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, after) = bytes.split_at_checked(memchr::memchr(b' ', bytes)?)?;
    Some((before, after.get(1..)?))
}

/// What the lines mean together: host, framing, persistence, expectation.
fn interpret(head: &mut RequestHead) -> Result<Framing, CodecError> {
    check_host(head)?;
    let framing = framing::request(head.version, &head.fields)?;
    if framing.closes {
        // RFC 9112 §6.3 rule 3: removed before anything is forwarded.
        head.fields.remove(FieldId::ContentLength);
        head.is_dubious = true;
    }
    head.content = framing.content;
    head.keep_alive = !framing.closes && framing::keeps_alive(head.version, &head.fields);
    head.expects_continue = expects_continue(head)?;
    Ok(framing)
}

/// RFC 9112 §3.2: exactly one valid Host in HTTP/1.1; an absolute-form target's authority replaces it.
fn check_host(head: &mut RequestHead) -> Result<(), CodecError> {
    if head.fields.all(FieldId::Host).nth(1).is_some() {
        return Err(CodecError::malformed("more than one Host"));
    }
    match head.fields.get(FieldId::Host) {
        Some(host) if Authority::parse(host).is_none() => {
            return Err(CodecError::malformed("malformed Host"));
        }
        None if head.version != Version::Http10 => {
            return Err(CodecError::malformed("HTTP/1.1 request without Host"));
        }
        Some(_) | None => {}
    }
    match head.target.form() {
        Form::Asterisk if head.method != Method::Options => Err(CodecError::malformed(
            "asterisk target of a method other than OPTIONS",
        )),
        Form::Origin | Form::Asterisk => Ok(()),
        Form::Authority => match Authority::parse(head.target.authority()) {
            Some(authority) if !authority.host.is_empty() && authority.port.is_some() => Ok(()),
            Some(_) | None => Err(CodecError::malformed("CONNECT target is not host:port")),
        },
        Form::Absolute => replace_host(head),
    }
}

fn replace_host(head: &mut RequestHead) -> Result<(), CodecError> {
    let authority = head.target.authority();
    let host = match memchr::memrchr(b'@', authority) {
        // RFC 9110 §4.2.4: user information in an http URI is an attempt to mislead. FTP has a use for it.
        Some(_) if !head.target.scheme().eq_ignore_ascii_case(b"ftp") => {
            return Err(CodecError::malformed(
                "user information in the request target",
            ));
        }
        Some(at) => authority.get(at + 1..).unwrap_or_default(),
        None => authority,
    };
    match Authority::parse(host) {
        Some(parsed) if !parsed.host.is_empty() => {
            head.fields.set(FieldId::Host, host);
            Ok(())
        }
        Some(_) | None => Err(CodecError::malformed(
            "malformed host in the request target",
        )),
    }
}

/// RFC 9110 §10.1.1: the only expectation there is. A request without content has nothing to hold back.
fn expects_continue(head: &RequestHead) -> Result<bool, CodecError> {
    if head.version == Version::Http10 || !head.fields.has(FieldId::Expect) {
        return Ok(false);
    }
    let mut members = head.fields.list(FieldId::Expect);
    if !members.all(|member| member.eq_ignore_ascii_case(b"100-continue")) {
        return Err(CodecError::with_status(
            Status::EXPECTATION_FAILED,
            "unknown expectation",
        ));
    }
    Ok(match head.content {
        ContentSize::None | ContentSize::Length(0) => false,
        ContentSize::Length(_) | ContentSize::Unknown => true,
    })
}
