//! The error log: messages for people, in the layout of httpd 2.4.
//!
//! ```text
//! [Wed Oct 11 14:32:52.123456 2000] [proxy:error] [pid 7:tid 9] (111)Connection refused: [client 10.0.0.9:5123] AH00957: …
//! ```
//!
//! Responsible for: whether a message is wanted, its layout, its escaping, one write per line. Not responsible for:
//! the words (they stand where the event is) or the clock (the caller's turn has read it).
//!
//! Know first: asking whether a line is wanted costs a load and a compare, so that callers may ask everywhere. A
//! wanted line is put together on the stack and is at most [`LINE_MAX`] long; what does not fit is cut off.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use nix::errno::Errno;

use super::error_format::ErrorFormat;
use super::escape::{Escape, carried, is_plain_in_error_log};
use super::level::{Level, Levels};
use super::module::Module;
use super::record::{Environment, Variables};
use super::sink::Sink;
use super::tag::Tag;
use super::zone::Zone;
use crate::http::Fields;

/// The error log of one virtual host.
#[derive(Debug)]
pub struct ErrorLog {
    sink: Arc<Sink>,
    levels: Levels,
    server_name: Box<str>,
    zone: Zone,
    format: Option<ErrorFormat>,
}

impl ErrorLog {
    /// A log in httpd's default layout. As in httpd, a notice is always written, except to syslog.
    #[must_use]
    pub fn new(sink: Arc<Sink>, levels: Levels, server_name: &str, zone: Zone) -> Self {
        let levels = match sink.as_syslog() {
            None => levels.at_least(Level::Notice),
            Some(_) => levels,
        };
        Self {
            sink,
            levels,
            server_name: server_name.into(),
            zone,
            format: None,
        }
    }

    /// The same log in the layout of an ErrorLogFormat.
    #[must_use]
    pub fn with_format(mut self, format: ErrorFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// Whether a message would be written; ask before collecting what an expensive one needs.
    #[inline]
    #[must_use]
    pub fn enabled(&self, module: Module, level: Level) -> bool {
        self.levels.enabled(module, level)
    }

    /// Whether a message would be written under a location's own levels.
    #[inline]
    #[must_use]
    pub fn enabled_under(&self, levels: &Levels, module: Module, level: Level) -> bool {
        level == Level::Notice && self.sink.as_syslog().is_none() || levels.enabled(module, level)
    }

    /// Writes a line, if its level is wanted.
    pub fn write(&self, stamp: &Stamp, line: &Line<'_>) {
        if self.enabled(line.module, line.level) {
            self.write_anyway(stamp, line);
        }
    }

    /// Writes a line that the caller found wanted by [`ErrorLog::enabled_under`].
    pub fn write_anyway(&self, stamp: &Stamp, line: &Line<'_>) {
        let mut text = Text::new();
        let syslog = self.sink.as_syslog();
        if let Some((facility, tag)) = syslog {
            let priority = facility.bits() | line.level.severity();
            text.bare(format_args!("<{priority}>"));
            text.time(|out| self.zone.wall(stamp.now_us).syslog(out));
            text.bare(format_args!(" {tag}[{}]: ", stamp.pid));
        }
        match &self.format {
            Some(format) => format.render(self, stamp, line, syslog.is_some(), &mut text),
            None => self.default_layout(stamp, line, syslog.is_some(), &mut text),
        }
        self.sink.write(text.finish());
    }

    /// The sink, for counting what it lost.
    #[must_use]
    pub fn sink(&self) -> &Arc<Sink> {
        &self.sink
    }

    pub(super) const fn zone(&self) -> &Zone {
        &self.zone
    }

    pub(super) fn server_name(&self) -> &str {
        &self.server_name
    }

    fn default_layout(&self, stamp: &Stamp, line: &Line<'_>, is_syslog: bool, text: &mut Text) {
        // Syslog has put its own time in front.
        if !is_syslog {
            text.push(b'[');
            text.time(|out| self.zone.wall(stamp.now_us).error_log(out, true));
            text.bare("] ");
        }
        text.bare(format_args!(
            "[{}:{}] [pid {}",
            line.module, line.level, stamp.pid
        ));
        if let Some(tid) = stamp.tid {
            text.bare(format_args!(":tid {tid}"));
        }
        text.bare("] ");
        if line.level >= Level::Debug
            && let Some((file, number)) = line.source
        {
            text.bare(format_args!("{file}({number}): "));
        }
        if let Some(cause) = line.cause {
            text.bare(format_args!("{cause}: "));
        }
        match line.peer {
            Peer::None => {}
            Peer::Client(address) => text.bare(format_args!("[client {}] ", Bare(address))),
            Peer::Backend(address) => text.bare(format_args!("[remote {}] ", Bare(address))),
        }
        text.message(line);
        if let Some(referer) = line.about.and_then(About::referer) {
            text.bare(", referer: ");
            text.escaped(referer);
        }
    }
}

/// When and where a line is written.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The turn's time, in µs since 1970.
    pub now_us: u64,
    /// This process.
    pub pid: u32,
    /// This thread, if threads are shown.
    pub tid: Option<u64>,
}

/// One message and what it is about.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    /// Under whose name it is printed.
    pub module: Module,
    /// How important it is.
    pub level: Level,
    /// What it is found by.
    pub tag: Tag,
    /// What the operating system said.
    pub cause: Option<Cause>,
    /// Where in the source it stands; shown from debug on.
    pub source: Option<(&'a str, u32)>,
    /// The other end of the connection in question.
    pub peer: Peer,
    /// The request in question.
    pub about: Option<&'a About<'a>>,
    /// The words.
    pub message: &'a dyn fmt::Display,
}

impl<'a> Line<'a> {
    /// A message: `Line::new(Module::Proxy, Level::Error, Tag::Tn(142), &format_args!("member {name} is gone"))`.
    pub const fn new(
        module: Module,
        level: Level,
        tag: Tag,
        message: &'a dyn fmt::Display,
    ) -> Self {
        Self {
            module,
            level,
            tag,
            cause: None,
            source: None,
            peer: Peer::None,
            about: None,
            message,
        }
    }

    /// The same message about a client.
    #[must_use]
    pub const fn client(mut self, address: SocketAddr) -> Self {
        self.peer = Peer::Client(address);
        self
    }

    /// The same message about a backend's connection.
    #[must_use]
    pub const fn backend(mut self, address: SocketAddr) -> Self {
        self.peer = Peer::Backend(address);
        self
    }

    /// The same message with what caused it.
    #[must_use]
    pub const fn cause(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    /// The same message with the place in the source that it stands for.
    #[must_use]
    pub const fn source(mut self, file: &'a str, line: u32) -> Self {
        self.source = Some((file, line));
        self
    }

    /// The same message about a request.
    #[must_use]
    pub const fn about(mut self, about: &'a About<'a>) -> Self {
        self.about = Some(about);
        self
    }
}

impl fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "[{}:{}] {}{}",
            self.module, self.level, self.tag, self.message
        )
    }
}

/// The connection that a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Peer {
    /// None.
    #[default]
    None,
    /// A client's.
    Client(SocketAddr),
    /// One to a backend.
    Backend(SocketAddr),
}

/// The request that a message is about, as far as ErrorLogFormat can show it. Whatever is not known stays empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// The request's fields.
    pub fields: Option<&'a Fields>,
    /// Its variables.
    pub env: Option<Variables<'a>>,
    /// Its notes.
    pub notes: Option<&'a Environment>,
    /// Our end of the client's connection.
    pub local: Option<SocketAddr>,
    /// The other end of it.
    pub peer: Option<SocketAddr>,
    /// How many requests it had carried before this one.
    pub keepalives: Option<u32>,
    /// The identifier of the request.
    pub log_id: Option<&'a str>,
    /// The identifier of the connection.
    pub connection_log_id: Option<&'a str>,
    /// The name that UseCanonicalName chooses.
    pub canonical_name: Option<&'a [u8]>,
}

impl<'a> About<'a> {
    fn referer(&self) -> Option<&'a [u8]> {
        self.fields?.get(crate::http::FieldId::Referer)
    }
}

/// Why something failed, as the operating system or its stand-in numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An errno.
    Errno(i32),
    /// A time limit of ours passed; httpd's number for it is 70007.
    TimedOut,
    /// The stream ended where it must not; httpd's number for it is 70014.
    EndOfFile,
}

impl Cause {
    /// The cause that an IO error names, if it names one.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        match error.raw_os_error() {
            Some(number) => Some(Self::Errno(number)),
            None if error.kind() == io::ErrorKind::TimedOut => Some(Self::TimedOut),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Some(Self::EndOfFile),
            None => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(number) => write!(f, "({number}){}", Errno::from_raw(*number).desc()),
            Self::TimedOut => f.write_str("(70007)The timeout specified has expired"),
            Self::EndOfFile => f.write_str("(70014)End of file found"),
        }
    }
}

/// An address as logs show it: no brackets, and an IPv4 address as one even when it came through an IPv6 socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bare(pub(super) SocketAddr);

impl fmt::Display for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.ip().to_canonical(), self.0.port())
    }
}

/// No line of the error log is longer, its line end included.
pub const LINE_MAX: usize = 8192;

/// A line in the making. What does not fit is cut off, never the line end.
pub(super) struct Text {
    bytes: [u8; LINE_MAX],
    length: usize,
}

impl Text {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; LINE_MAX],
            length: 0,
        }
    }

    /// Adds a byte of ours.
    pub(super) fn push(&mut self, byte: u8) {
        if self.length < LINE_MAX - 1
            && let Some(cell) = self.bytes.get_mut(self.length)
        {
            *cell = byte;
            self.length += 1;
        }
    }

    /// Adds words; whatever in them is not printable is escaped, ours or not.
    pub(super) fn bare(&mut self, words: impl fmt::Display) {
        // A `Display` that fails has said what it could; the line stays whole.
        write!(self, "{words}").ok();
    }

    /// Adds bytes of somebody else.
    pub(super) fn escaped(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if is_plain_in_error_log(byte) {
                self.push(byte);
            } else {
                for &escape in Escape::of(byte).as_bytes() {
                    self.push(escape);
                }
            }
        }
    }

    /// Adds a time.
    pub(super) fn time(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::with_capacity(40);
        write(&mut out);
        self.escaped(&out);
    }

    /// Adds the tag and the words of a line.
    pub(super) fn message(&mut self, line: &Line<'_>) {
        self.bare(line.tag);
        self.bare(line.message);
    }

    pub(super) const fn length(&self) -> usize {
        self.length
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Ends the line.
    pub(super) fn finish(&mut self) -> &[u8] {
        if let Some(cell) = self.bytes.get_mut(self.length) {
            *cell = b'\n';
        }
        self.bytes.get(..=self.length).unwrap_or_default()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, words: &str) -> fmt::Result {
        for c in words.chars() {
            match carried(c) {
                Some(byte) => self.escaped(&[byte]),
                None => self.escaped(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Ok(())
    }
}

/// Says something before any log is open, or when none can be: on standard error, without time or names, as httpd
/// does while it starts.
pub fn startup(line: &Line<'_>) {
    let mut text = Text::new();
    if let Some(cause) = line.cause {
        text.bare(format_args!("{cause}: "));
    }
    text.message(line);
    // There is nobody left to tell when standard error is gone.
    io::stderr().write_all(text.finish()).ok();
}

#[cfg(test)]
#[path = "error_log/tests.rs"]
mod tests;
