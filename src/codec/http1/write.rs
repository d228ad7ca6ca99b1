//! Writing heads and content. Nothing else in the house writes HTTP/1.
//!
//! The one serializer refuses whatever could split a message (CVE-2023-25690, CVE-2024-38473): targets are checked
//! when they are assigned, fields when they are pushed ([`Fields::is_clean`]), the rest here.

use crate::buf::Outlet;
use crate::codec::{CodecError, Offer};
use crate::http::fields::{is_token, is_value};
use crate::http::{FieldId, FieldSet, Fields, Method, RequestHead, ResponseHead, Status, Version};

/// Fields that only this hop's own framing and persistence may say.
const OWN: FieldSet = FieldSet::of(&[
    FieldId::Connection,
    FieldId::KeepAlive,
    FieldId::ProxyConnection,
    FieldId::ContentLength,
    FieldId::TransferEncoding,
]);

/// Those, and what stands in front of a final response, wherever it was, as httpd writes it.
const OWN_AND_LEADING: FieldSet = OWN.with(FieldId::Date).with(FieldId::Server);

/// What is still to be written of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// Its head.
    Head,
    /// So many bytes of content.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Chunks are over, trailers were written; only the end may follow.
    Trailed,
    /// Content as it is, until the connection closes: old clients, and tunnels.
    Raw,
    /// Content is dropped: the response has none whatever its sender believes (HEAD, 204, 304).
    Dropped,
    /// Nothing.
    Done,
}

/// How the content that follows a head is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announce {
    Nothing,
    Length(u64),
    Chunked,
}

/// What the Connection field says; `None` leaves it out.
pub(super) type Persistence = Option<&'static [u8]>;

impl Sending {
    /// Writes content.
    pub(super) fn data(&mut self, bytes: &[u8], out: &mut Outlet<'_>) -> Result<(), CodecError> {
        if bytes.is_empty() {
            return Ok(());
        }
        match self {
            Self::Length(left) => {
                let n = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                *left = left
                    .checked_sub(n)
                    .ok_or(CodecError::unsendable("more content than announced"))?;
                out.write(bytes);
            }
            Self::Chunked => chunk(bytes, out),
            Self::Raw => out.write(bytes),
            Self::Dropped => {}
            Self::Head => return Err(CodecError::unsendable("content before its head")),
            Self::Trailed | Self::Done => {
                return Err(CodecError::unsendable("content after its end"));
            }
        }
        Ok(())
    }

    /// Writes trailers where there is a place for them, and drops them elsewhere.
    pub(super) fn trailers(
        &mut self,
        fields: &Fields,
        out: &mut Outlet<'_>,
    ) -> Result<(), CodecError> {
        if *self == Self::Chunked {
            check(fields)?;
            out.write(b"0\r\n");
            for run in fields.runs(OWN) {
                out.write(run);
            }
            out.write(b"\r\n");
            *self = Self::Trailed;
        }
        Ok(())
    }

    /// Writes the end.
    pub(super) fn end(&mut self, out: &mut Outlet<'_>) -> Result<(), CodecError> {
        match self {
            Self::Head => return Err(CodecError::unsendable("end before its head")),
            Self::Length(1..) => return Err(CodecError::unsendable("less content than announced")),
            Self::Chunked => out.write(b"0\r\n\r\n"),
            Self::Length(0) | Self::Trailed | Self::Raw | Self::Dropped | Self::Done => {}
        }
        *self = Self::Done;
        Ok(())
    }
}

/// Writes a request head. Host comes first, as RFC 9110 §7.2 wants it.
pub(super) fn request(
    head: &RequestHead,
    announce: Announce,
    persistence: Persistence,
    out: &mut Outlet<'_>,
) -> Result<(), CodecError> {
    check(&head.fields)?;
    let target = head.target.raw();
    if target.is_empty() {
        return Err(CodecError::unsendable("request without a target"));
    }
    if let Method::Other(token) = &head.method
        && !is_token(token.as_bytes())
    {
        return Err(CodecError::unsendable("the method is not a token"));
    }
    let method = head.method.as_str().as_bytes();
    let version: &[u8] = match head.version {
        Version::Http10 => b" HTTP/1.0\r\n",
        Version::Http11 => b" HTTP/1.1\r\n",
    };
    let line = [method, b" ", target, version];
    let skip = if head.fields.first_id() == Some(FieldId::Host) {
        out.write_pieces(&line);
        OWN
    } else {
        let host = head.fields.get(FieldId::Host).unwrap_or_default();
        let [method, space, target, version] = line;
        out.write_pieces(&[method, space, target, version, b"Host: ", host, b"\r\n"]);
        OWN.with(FieldId::Host)
    };
    for run in head.fields.runs(skip) {
        out.write(run);
    }
    finish(announce, persistence, out);
    Ok(())
}

/// Writes an interim response head.
pub(super) fn interim(head: &ResponseHead, out: &mut Outlet<'_>) -> Result<(), CodecError> {
    check_response(head)?;
    out.write_pieces(&[&beginning(head.status), &head.reason, b"\r\n"]);
    for run in head.fields.runs(OWN) {
        out.write(run);
    }
    out.write(b"\r\n");
    Ok(())
}

/// Writes a final response head. Of several `Date` or `Server` lines the first one counts.
pub(super) fn response(
    head: &ResponseHead,
    announce: Announce,
    persistence: Persistence,
    offer: Option<Offer>,
    out: &mut Outlet<'_>,
) -> Result<(), CodecError> {
    check_response(head)?;
    let line = |id| head.fields.line(id).unwrap_or_default();
    out.write_pieces(&[
        &beginning(head.status),
        &head.reason,
        b"\r\n",
        line(FieldId::Date),
        line(FieldId::Server),
    ]);
    for run in head.fields.runs(OWN_AND_LEADING) {
        out.write(run);
    }
    if offer.is_none() && persistence.is_none() {
        finish(announce, None, out);
        return Ok(());
    }
    if let (Announce::Length(n), mut number) = (announce, itoa::Buffer::new()) {
        out.write_pieces(&[b"Content-Length: ", number.format(n).as_bytes(), b"\r\n"]);
    }
    if let Some(offer) = offer {
        write_offer(offer, out);
    }
    let (connection, option, end): (&[u8], &[u8], &[u8]) = match persistence {
        Some(option) => (b"Connection: ", option, b"\r\n"),
        None => (b"", b"", b""),
    };
    let coding: &[u8] = match announce {
        Announce::Chunked => b"Transfer-Encoding: chunked\r\n",
        Announce::Nothing | Announce::Length(_) => b"",
    };
    out.write_pieces(&[connection, option, end, coding, b"\r\n"]);
    Ok(())
}

/// What httpd tells a client that asks for a persistent connection by name.
fn write_offer(offer: Offer, out: &mut Outlet<'_>) {
    let (mut timeout, mut left) = (itoa::Buffer::new(), itoa::Buffer::new());
    let timeout = timeout.format(offer.timeout_s).as_bytes();
    let (max, left): (&[u8], &[u8]) = match offer.left {
        Some(n) => (b", max=", left.format(n).as_bytes()),
        None => (b"", b""),
    };
    out.write_pieces(&[b"Keep-Alive: timeout=", timeout, max, left, b"\r\n"]);
}

fn check_response(head: &ResponseHead) -> Result<(), CodecError> {
    check(&head.fields)?;
    if !is_value(&head.reason) {
        return Err(CodecError::unsendable(
            "control character in a reason phrase",
        ));
    }
    Ok(())
}

/// Writes our own framing and persistence, and the head's end.
fn finish(announce: Announce, persistence: Persistence, out: &mut Outlet<'_>) {
    let mut number = itoa::Buffer::new();
    let (framing, length, end): (&[u8], &[u8], &[u8]) = match announce {
        Announce::Nothing => (b"", b"", b""),
        Announce::Length(n) => (b"Content-Length: ", number.format(n).as_bytes(), b"\r\n"),
        Announce::Chunked => (b"Transfer-Encoding: chunked\r\n", b"", b""),
    };
    match persistence {
        Some(option) => {
            out.write_pieces(&[framing, length, end, b"Connection: ", option, b"\r\n\r\n"])
        }
        None => out.write_pieces(&[framing, length, end, b"\r\n"]),
    }
}

/// One chunk per piece of content (RFC 9112 §7.1).
fn chunk(bytes: &[u8], out: &mut Outlet<'_>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut size = [0_u8; 16];
    let mut at = size.len();
    let mut rest = bytes.len();
    for place in size.iter_mut().rev() {
        *place = HEX.get(rest & 15).copied().unwrap_or_default();
        at -= 1;
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    let size = size.get(at..).unwrap_or_default();
    out.write_pieces(&[size, b"\r\n", bytes, b"\r\n"]);
}

fn check(fields: &Fields) -> Result<(), CodecError> {
    if fields.is_clean() {
        Ok(())
    } else {
        Err(CodecError::unsendable("field that could split the message"))
    }
}

/// The beginning of a response: our version, and the status.
fn beginning(status: Status) -> [u8; 13] {
    let code = status.as_u16();
    let [a, b, c] =
        [code / 100, code / 10 % 10, code % 10].map(|d| b'0' + u8::try_from(d).unwrap_or_default());
    [
        b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1', b' ', a, b, c, b' ',
    ]
}
