//! Everything that is known about one exchange when its access-log line is due.
//!
//! A [`Record`] only borrows: the engine fills it from the exchange's cell, hands it to each access log, and forgets
//! it. An [`Environment`] is the exchange's own small table of variables; notes are another one.

use std::net::SocketAddr;

use crate::http::{Fields, RequestHead, ResponseHead};

use super::trace::Trace;

/// The facts about one exchange.
#[derive(Debug)]
pub struct Record<'a> {
    /// The head as the client sent it; its fields as received.
    pub request: &'a RequestHead,
    /// The request line as received, without its line end; empty when none came.
    pub request_line: &'a [u8],
    /// The head that went to the client, if any did.
    pub response: Option<&'a ResponseHead>,
    /// The trailer section of the request.
    pub request_trailers: Option<&'a Fields>,
    /// The trailer section of the response.
    pub response_trailers: Option<&'a Fields>,
    /// The status that the client got; 0 if none.
    pub status: u16,
    /// The status before an error document replaced it.
    pub original_status: u16,
    /// The client, as a trusted proxy in front told it (RemoteIPHeader), else as connected.
    pub client: SocketAddr,
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// Our end of the connection.
    pub local: SocketAddr,
    /// The client's name, when names are looked up.
    pub client_name: Option<&'a str>,
    /// ServerName of the virtual host.
    pub server_name: &'a str,
    /// The name that UseCanonicalName chooses: ServerName, or the Host that the client sent.
    pub canonical_name: &'a [u8],
    /// The port of ServerName, else the scheme's.
    pub server_port: u16,
    /// The authenticated user.
    pub user: Option<&'a [u8]>,
    /// The handler, such as `proxy-server`.
    pub handler: Option<&'a str>,
    /// What the path was mapped to, such as `proxy:http://10.1.0.4:8080/x`.
    pub filename: Option<&'a [u8]>,
    /// The decoded path, after an error document replaced it.
    pub path: &'a [u8],
    /// The decoded path that was asked for.
    pub original_path: &'a [u8],
    /// The query without its question mark.
    pub query: Option<&'a [u8]>,
    /// When the request began, in µs since 1970.
    pub began_us: u64,
    /// How long it took until now.
    pub duration_us: u64,
    /// From the beginning to the first byte of the response's head, if it got that far.
    pub first_byte_us: Option<u64>,
    /// Bytes of content sent to the client, without chunk framing.
    pub content_out: u64,
    /// Bytes received from the client for this exchange, heads and TLS-decoded content alike.
    pub bytes_in: u64,
    /// Bytes sent to the client for this exchange.
    pub bytes_out: u64,
    /// How many requests the connection had carried before this one.
    pub keepalives: u32,
    /// What became of the connection.
    pub ending: Ending,
    /// The variables, such as BALANCER_WORKER_NAME.
    pub env: Variables<'a>,
    /// The notes, such as proxy-status.
    pub notes: &'a Environment,
    /// This process.
    pub pid: u32,
    /// This thread, as `%{tid}P` shows it.
    pub tid: u64,
    /// The identifier that error-log lines about this request carry.
    pub log_id: Option<&'a str>,
    /// The identifier that error-log lines about this connection carry.
    pub connection_log_id: Option<&'a str>,
    /// Where the time went.
    pub trace: &'a Trace,
}

/// What became of the client's connection when the exchange was over (`%X`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client went away before the response was complete.
    Aborted,
    /// It waits for the next request.
    KeptAlive,
    /// It is closed after the response.
    Closed,
}

impl Ending {
    /// The character that the access log shows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aborted => "X",
            Self::KeptAlive => "+",
            Self::Closed => "-",
        }
    }
}

/// A small ordered table of names and values, for the length of one exchange.
///
/// Names are compared without case, as httpd's tables do. Emptying keeps the allocations.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

/// The variables of an exchange, in two tables: what its last attempt set speaks before what its request had.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'a> {
    /// What the attempt set.
    pub attempt: &'a Environment,
    /// What the request has.
    pub request: &'a Environment,
}

impl<'a> Variables<'a> {
    /// A variable's value.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        let of_attempt = self.attempt.value(name);
        of_attempt.or_else(|| self.request.value(name))
    }

    /// Whether a variable is set, even to nothing.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.attempt.has(name) || self.request.has(name)
    }
}

/// Where one variable is in the buffer.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: usize,
    name_length: usize,
    value_length: usize,
}

impl Environment {
    /// An empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Forgets everything and keeps the allocations.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    /// Sets a variable, keeping its place if it was set before.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        let entry = Entry {
            at: self.bytes.len(),
            name_length: name.len(),
            value_length: value.len(),
        };
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(value);
        let place = self.place(name);
        match place.and_then(|index| self.entries.get_mut(index)) {
            Some(known) => *known = entry,
            None => self.entries.push(entry),
        }
    }

    /// Takes a variable away; tells whether it was there.
    pub fn unset(&mut self, name: &str) -> bool {
        let place = self.place(name);
        place.map(|index| self.entries.remove(index)).is_some()
    }

    /// A variable's value.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        let index = self.place(name)?;
        Some(self.entries.get(index)?.pair(&self.bytes).1)
    }

    /// A variable's value, if it is among the first `count` that were set.
    #[must_use]
    pub fn value_among(&self, count: usize, name: &str) -> Option<&[u8]> {
        let index = self.place(name).filter(|index| *index < count)?;
        Some(self.entries.get(index)?.pair(&self.bytes).1)
    }

    /// How many variables are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether a variable is set, even to nothing.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    /// All variables, in the order in which they were first set.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|entry| entry.pair(&self.bytes))
    }

    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn place(&self, name: &str) -> Option<usize> {
        let mut names = self.iter().map(|(known, _)| known);
        names.position(|known| known.eq_ignore_ascii_case(name.as_bytes()))
    }
}

impl Entry {
    fn pair<'a>(&self, bytes: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        bytes
            .get(self.at..self.at + self.name_length + self.value_length)
            .expect("entries point into their own buffer")
            .split_at(self.name_length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_keeps_its_place_and_its_last_value() {
        let mut env = Environment::new();
        env.set("BALANCER_NAME", b"balancer://c");
        env.set("no-gzip", b"1");
        env.set("balancer_name", b"balancer://d");
        assert_eq!(env.value("BALANCER_NAME"), Some(&b"balancer://d"[..]));
        let names: Vec<_> = env.iter().map(|(name, _)| name).collect();
        assert_eq!(names, [&b"balancer_name"[..], b"no-gzip"]);
        assert_eq!(
            env.value_among(1, "BALANCER_NAME"),
            Some(&b"balancer://d"[..])
        );
        assert_eq!(env.value_among(1, "no-gzip"), None);
        assert_eq!(env.len(), 2);
    }

    #[test]
    fn unset_and_empty_are_different() {
        let mut env = Environment::new();
        env.set("dontlog", b"");
        assert!(env.has("dontlog"));
        assert!(env.unset("dontlog"));
        assert!(!env.unset("dontlog"));
        assert!(!env.has("dontlog"));
        env.set("x", b"1");
        env.clear();
        assert!(env.is_empty());
    }
}
