//! The items of a format, and how each is written.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::super::escape::log_item;
use super::super::record::Record;
use super::super::strftime::Strftime;
use super::super::zone::{ClfCache, Zone, digits};
use crate::http::{FieldId, Fields};

/// One item.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Literal(Vec<u8>),
    Address(Address),
    Host,
    ContentOut { zero: u8 },
    Cookie(Vec<u8>),
    RequestField(Vec<u8>),
    ResponseField(Vec<u8>),
    RequestTrailer(Vec<u8>),
    ResponseTrailer(Vec<u8>),
    Env(Box<str>),
    Note(Box<str>),
    Trace,
    Duration(Unit),
    FirstByte,
    Filename,
    Handler,
    Keepalives,
    LogId(LogId),
    Method,
    Port(Port),
    Process(ProcessId),
    Query,
    RequestLine,
    Protocol,
    Status,
    Time(Clock),
    User,
    Path,
    ServerName,
    CanonicalName,
    Ending,
    BytesIn,
    BytesOut,
    BytesBoth,
}

/// Whose address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Client,
    Peer,
    Local,
}

/// Which port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    Canonical,
    Local,
    Remote,
}

/// What a duration is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
}

/// Which number of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProcessId {
    Pid,
    Tid,
    HexTid,
}

/// Which identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogId {
    Request,
    Connection,
}

/// Which moment, in which form.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Clock {
    pub(super) moment: Moment,
    pub(super) form: TimeForm,
}

/// The ends of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Begin,
    End,
}

/// The forms of a time.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TimeForm {
    Clf,
    Seconds,
    Milliseconds,
    Microseconds,
    MillisecondsOfSecond,
    MicrosecondsOfSecond,
    Strftime(Strftime),
}

/// What telling the time needs.
pub(super) struct Times<'a> {
    pub(super) zone: &'a Zone,
    pub(super) cache: &'a mut ClfCache,
}

impl Item {
    /// Whether the item shows the request as it came, unless the format says `>`.
    pub(super) const fn defaults_to_original(&self) -> bool {
        matches!(
            self,
            Self::Status | Self::Path | Self::Duration(_) | Self::RequestLine
        )
    }

    /// Appends the item's text.
    pub(super) fn render(
        &self,
        record: &Record<'_>,
        wants_original: bool,
        times: &mut Times<'_>,
        out: &mut Vec<u8>,
    ) {
        match self {
            Self::Literal(text) => out.extend_from_slice(text),
            Self::Address(which) => ip(out, which.of(record).ip()),
            Self::Host => match record.client_name {
                Some(name) => log_item(out, name.as_bytes()),
                None => ip(out, record.client.ip()),
            },
            Self::ContentOut { zero } => match record.content_out {
                0 => out.push(*zero),
                bytes => number(out, bytes),
            },
            Self::Cookie(name) => optional(out, cookie(&record.request.fields, name)),
            Self::RequestField(name) => every(out, &record.request.fields, name),
            Self::ResponseField(name) => match record.response {
                Some(response) => response_field(out, &response.fields, name),
                None => out.push(b'-'),
            },
            Self::RequestTrailer(name) => optional(out, found(record.request_trailers, name)),
            Self::ResponseTrailer(name) => optional(out, found(record.response_trailers, name)),
            Self::Env(name) => optional(out, record.env.value(name)),
            Self::Note(name) => optional(out, record.notes.value(name)),
            Self::Trace => record.trace.render(out),
            Self::Duration(unit) => number(out, unit.of(record.duration_us)),
            Self::FirstByte => match record.first_byte_us {
                Some(us) => number(out, us),
                None => out.push(b'-'),
            },
            Self::Filename => optional(out, record.filename),
            Self::Handler => optional(out, record.handler.map(str::as_bytes)),
            Self::Keepalives => number(out, record.keepalives.into()),
            Self::LogId(LogId::Request) => optional(out, record.log_id.map(str::as_bytes)),
            Self::LogId(LogId::Connection) => {
                optional(out, record.connection_log_id.map(str::as_bytes));
            }
            Self::Method => optional(out, method(record.request_line)),
            Self::Port(which) => number(out, which.of(record).into()),
            Self::Process(ProcessId::Pid) => number(out, record.pid.into()),
            Self::Process(ProcessId::Tid) => number(out, record.tid),
            Self::Process(ProcessId::HexTid) => {
                write!(Ascii(out), "{:x}", record.tid).expect("a vector takes all bytes");
            }
            Self::Query => {
                if let Some(query) = record.query {
                    out.push(b'?');
                    log_item(out, query);
                }
            }
            Self::RequestLine => request_line(out, record.request_line),
            Self::Protocol => out.extend_from_slice(record.request.version.as_str().as_bytes()),
            Self::Status => match if wants_original {
                record.original_status
            } else {
                record.status
            } {
                0 => out.push(b'-'),
                code => number(out, code.into()),
            },
            Self::Time(clock) => clock.render(record, times, out),
            Self::User => match record.user {
                Some(b"") => out.extend_from_slice(b"\"\""),
                user => optional(out, user),
            },
            Self::Path => match if wants_original {
                record.original_path
            } else {
                record.path
            } {
                b"" => out.push(b'-'),
                path => log_item(out, path),
            },
            Self::ServerName => log_item(out, record.server_name.as_bytes()),
            Self::CanonicalName => log_item(out, record.canonical_name),
            Self::Ending => out.extend_from_slice(record.ending.as_str().as_bytes()),
            Self::BytesIn => number(out, record.bytes_in),
            Self::BytesOut => number(out, record.bytes_out),
            Self::BytesBoth => number(out, record.bytes_in.saturating_add(record.bytes_out)),
        }
    }
}

impl Address {
    const fn of(self, record: &Record<'_>) -> SocketAddr {
        match self {
            Self::Client => record.client,
            Self::Peer => record.peer,
            Self::Local => record.local,
        }
    }
}

impl Port {
    fn of(self, record: &Record<'_>) -> u16 {
        match self {
            Self::Canonical => record.server_port,
            Self::Local => record.local.port(),
            Self::Remote => record.client.port(),
        }
    }
}

impl Unit {
    const fn of(self, us: u64) -> u64 {
        match self {
            Self::Seconds => us / 1_000_000,
            Self::Milliseconds => us / 1000,
            Self::Microseconds => us,
        }
    }
}

impl Clock {
    fn render(&self, record: &Record<'_>, times: &mut Times<'_>, out: &mut Vec<u8>) {
        let at = match self.moment {
            Moment::Begin => record.began_us,
            Moment::End => record.began_us.saturating_add(record.duration_us),
        };
        let us = u32::try_from(at % 1_000_000).expect("a remainder of a million fits");
        match &self.form {
            TimeForm::Clf => times.cache.render(times.zone, at, out),
            TimeForm::Seconds => number(out, at / 1_000_000),
            TimeForm::Milliseconds => number(out, at / 1000),
            TimeForm::Microseconds => number(out, at),
            TimeForm::MillisecondsOfSecond => digits(out, us / 1000, 3),
            TimeForm::MicrosecondsOfSecond => digits(out, us, 6),
            TimeForm::Strftime(format) => format.render(&times.zone.wall(at), out),
        }
    }
}

fn number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// An IPv4 address is shown as one even when it came through an IPv6 socket.
fn ip(out: &mut Vec<u8>, address: IpAddr) {
    write!(Ascii(out), "{}", address.to_canonical()).expect("a vector takes all bytes");
}

fn optional(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(value) => log_item(out, value),
        None => out.push(b'-'),
    }
}

fn found<'a>(fields: Option<&'a Fields>, name: &[u8]) -> Option<&'a [u8]> {
    fields?.find(name)
}

/// All values of a name in one list: the server joins repeated request fields before anybody sees them.
fn every(out: &mut Vec<u8>, fields: &Fields, name: &[u8]) {
    let mut values = fields
        .iter()
        .filter(|(_, known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, _, value)| value);
    optional(out, values.next());
    // RFC 6265 §5.4: cookies are joined otherwise than all other fields.
    let between: &[u8] = match FieldId::of(name) == FieldId::Cookie {
        true => b"; ",
        false => b", ",
    };
    for value in values {
        out.extend_from_slice(between);
        log_item(out, value);
    }
}

/// Of a response field the first value is shown, of Set-Cookie all, and of Content-Type the type alone.
fn response_field(out: &mut Vec<u8>, fields: &Fields, name: &[u8]) {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "two names are special, whatever else has one"
    )]
    match FieldId::of(name) {
        FieldId::SetCookie => every(out, fields, name),
        FieldId::ContentType => {
            let value = fields.get(FieldId::ContentType);
            let bare = value.and_then(|value| value.split(|&b| b == b';').next());
            optional(out, bare.map(<[u8]>::trim_ascii_end));
        }
        _ => optional(out, fields.find(name)),
    }
}

/// A cookie's value; its name is compared without case, and blanks around `=` do not count.
fn cookie<'a>(fields: &'a Fields, name: &[u8]) -> Option<&'a [u8]> {
    fields
        .all(FieldId::Cookie)
        .flat_map(|value| value.split(|&b| b == b';'))
        .find_map(|pair| {
            let equals = memchr::memchr(b'=', pair)?;
            let (known, value) = pair.split_at(equals);
            known
                .trim_ascii()
                .eq_ignore_ascii_case(name)
                .then(|| value.get(1..).unwrap_or_default().trim_ascii())
        })
}

/// The method as it stands in the request line, which there may be even when the head was refused.
fn method(line: &[u8]) -> Option<&[u8]> {
    let word = line.split(|&b| b == b' ').next()?;
    (!word.is_empty()).then_some(word)
}

/// The request line, with a password in its target made unreadable.
fn request_line(out: &mut Vec<u8>, line: &[u8]) {
    if line.is_empty() {
        out.push(b'-');
        return;
    }
    match password(line) {
        Some((before, after)) => {
            log_item(out, before);
            out.extend_from_slice(b"XXXXXXXX");
            log_item(out, after);
        }
        None => log_item(out, line),
    }
}

/// The request line before and after a password in `method scheme://user:password@host…`.
fn password(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let target = memchr::memchr(b' ', line)? + 1;
    let length = memchr::memchr(b' ', line.get(target..)?).unwrap_or(line.len() - target);
    let url = line.get(target..target + length)?;
    let authority = memchr::memmem::find(url, b"://")? + 3;
    let path = memchr::memchr3(b'/', b'?', b'#', url.get(authority..)?);
    let end = path.map_or(url.len(), |at| authority + at);
    let at = authority + memchr::memrchr(b'@', url.get(authority..end)?)?;
    let colon = authority + memchr::memchr(b':', url.get(authority..at)?)?;
    Some((line.get(..=target + colon)?, line.get(target + at..)?))
}

/// Lets `write!` reach a byte vector.
struct Ascii<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Ascii<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
