//! A client that sends exactly what it is given and reads exactly one response.
//!
//! Responsible for: framing of responses (RFC 9112 §6.3), noticing what a connection ends with. It is strict: a response that it cannot
//! frame fails the test. It follows no redirects, adds no fields and never sends anything by itself.

use super::PATIENCE;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// One connection to a server.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    /// Read from the connection, not yet taken.
    waiting: Vec<u8>,
    patience: Duration,
}

/// How a response's content ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There can be none.
    None,
    /// By Content-Length.
    Length,
    /// By the last chunk.
    Chunked,
    /// With the connection.
    Close,
}

/// One response.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    /// `HTTP/1.1` and the like.
    pub(crate) version: String,
    /// What stands behind the status code.
    pub(crate) reason: String,
    /// The field lines in order, names as sent.
    pub(crate) fields: Vec<(String, String)>,
    /// The content, chunking undone.
    pub(crate) content: Vec<u8>,
    /// The trailer fields.
    pub(crate) trailers: Vec<(String, String)>,
    /// How the content ended.
    pub(crate) framing: Framing,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The connection ended before the first byte of one.
    Closed,
    /// It ended inside one; with what had come.
    Truncated(String),
    /// Nothing came in time; with what had come.
    Late(String),
    /// What came is no response.
    Malformed(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Response {
    /// The first field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// All fields of this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        find(&self.fields, name)
    }

    /// The trailer field of this name.
    pub(crate) fn trailer(&self, name: &str) -> Option<&str> {
        find(&self.trailers, name).first().copied()
    }

    /// The content as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).into_owned()
    }

    /// The same response, if it has this status; a test fails with the whole response otherwise.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}\n{}", self.text());
        self
    }
}

fn find<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let named = fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_str()).collect()
}

impl Client {
    /// Connects.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE);
        let stream = stream.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        stream.set_nodelay(true).expect("a socket option");
        Self {
            stream,
            waiting: Vec::new(),
            patience: PATIENCE,
        }
    }

    /// The same client, with another idea of how long is too long.
    pub(crate) fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Our own address, as the server sees it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.stream.local_addr().expect("it is connected")
    }

    /// Sends all of this.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server takes what is sent");
    }

    /// Sends what the server lets us.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.set_write_timeout(Some(self.patience))?;
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends a GET without anything special.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Response {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: tine.test\r\n\r\n"));
        self.response()
    }

    /// Says that nothing more will be sent.
    pub(crate) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).expect("it is open");
    }

    /// The same, if the server has not ended the connection already.
    pub(crate) fn try_half_close(&self) {
        self.stream.shutdown(Shutdown::Write).ok();
    }

    /// Sends in a thread of its own, until everything is sent.
    pub(crate) fn send_meanwhile(&self, bytes: Vec<u8>) -> std::thread::JoinHandle<()> {
        let mut stream = self.stream.try_clone().expect("one more descriptor");
        std::thread::spawn(move || stream.write_all(&bytes).expect("the server takes it"))
    }

    /// Resets the connection instead of closing it in order.
    pub(crate) fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket
            .set_linger(Some(Duration::ZERO))
            .expect("a socket option");
    }

    /// The next response; the test fails if there is none.
    #[track_caller]
    pub(crate) fn response(&mut self) -> Response {
        self.try_response(false)
            .unwrap_or_else(|broken| panic!("no response: {broken}"))
    }

    /// The next response that is not interim.
    #[track_caller]
    pub(crate) fn final_response(&mut self) -> Response {
        loop {
            let response = self.response();
            if response.status >= 200 {
                return response;
            }
        }
    }

    /// The response to a HEAD, which has no content whatever its fields say.
    #[track_caller]
    pub(crate) fn head_response(&mut self) -> Response {
        self.try_response(true)
            .unwrap_or_else(|broken| panic!("no response: {broken}"))
    }

    /// The next response, or what came instead.
    pub(crate) fn try_response(&mut self, is_head: bool) -> Result<Response, Broken> {
        let mut content = Vec::new();
        let mut response = self.streamed(is_head, &mut |bytes| content.extend_from_slice(bytes))?;
        response.content = content;
        Ok(response)
    }

    /// The next response, its content handed over piece by piece instead of kept.
    pub(crate) fn streamed(
        &mut self,
        is_head: bool,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<Response, Broken> {
        let end = Instant::now() + self.patience;
        let mut response = self.head(end)?;
        response.framing = framing(&response, is_head)?;
        match response.framing {
            Framing::None => {}
            Framing::Length => {
                let length = response.field("content-length").map(str::parse);
                let Some(Ok(length)) = length else {
                    return Err(Broken::Malformed(format!("{response:?}")));
                };
                self.take(length, end, take)?;
            }
            Framing::Chunked => response.trailers = self.chunks(end, take)?,
            Framing::Close => while self.some(end, take)? {},
        }
        Ok(response)
    }

    /// Whether the server has ended the connection, or ends it soon, without another byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        let end = Instant::now() + self.patience;
        self.waiting.is_empty() && matches!(self.fill(end), Ok(false) | Err(Broken::Truncated(_)))
    }

    /// Whatever comes until the server closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let end = Instant::now() + self.patience;
        while let Ok(true) = self.fill(end) {}
        std::mem::take(&mut self.waiting)
    }

    /// Exactly this many bytes, unframed.
    #[track_caller]
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        let end = Instant::now() + self.patience;
        self.take(count as u64, end, &mut |bytes| {
            taken.extend_from_slice(bytes)
        })
        .expect("so many bytes");
        taken
    }

    fn head(&mut self, end: Instant) -> Result<Response, Broken> {
        loop {
            if let Some(at) = self.waiting.windows(4).position(|w| w == b"\r\n\r\n") {
                let head: Vec<u8> = self.waiting.drain(..at + 4).collect();
                return parse(&head[..at]);
            }
            if !self.fill(end)? {
                return Err(self.ended());
            }
        }
    }

    fn take(
        &mut self,
        mut length: u64,
        end: Instant,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Broken> {
        while length > 0 {
            if self.waiting.is_empty() && !self.fill(end)? {
                return Err(Broken::Truncated(format!("{length} bytes are missing")));
            }
            let now = self
                .waiting
                .len()
                .min(usize::try_from(length).unwrap_or(usize::MAX));
            take(&self.waiting[..now]);
            self.waiting.drain(..now);
            length -= now as u64;
        }
        Ok(())
    }

    fn chunks(
        &mut self,
        end: Instant,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<Vec<(String, String)>, Broken> {
        loop {
            let line = self.line(end)?;
            let size = line.split(';').next().unwrap_or_default();
            let size =
                u64::from_str_radix(size, 16).map_err(|_| Broken::Malformed(line.clone()))?;
            if size == 0 {
                return self.trailers(end);
            }
            self.take(size, end, take)?;
            if !self.line(end)?.is_empty() {
                return Err(Broken::Malformed("no line end behind a chunk".into()));
            }
        }
    }

    fn trailers(&mut self, end: Instant) -> Result<Vec<(String, String)>, Broken> {
        let mut trailers = Vec::new();
        loop {
            let line = self.line(end)?;
            if line.is_empty() {
                return Ok(trailers);
            }
            trailers.push(field(&line)?);
        }
    }

    fn line(&mut self, end: Instant) -> Result<String, Broken> {
        loop {
            if let Some(at) = self.waiting.windows(2).position(|w| w == b"\r\n") {
                let line = latin1(&self.waiting[..at]);
                self.waiting.drain(..at + 2);
                return Ok(line);
            }
            if !self.fill(end)? {
                return Err(Broken::Truncated(latin1(&self.waiting)));
            }
        }
    }

    fn some(&mut self, end: Instant, take: &mut dyn FnMut(&[u8])) -> Result<bool, Broken> {
        take(&self.waiting);
        self.waiting.clear();
        self.fill(end)
    }

    fn ended(&self) -> Broken {
        if self.waiting.is_empty() {
            Broken::Closed
        } else {
            Broken::Truncated(latin1(&self.waiting))
        }
    }

    /// Reads once; false at the end of the stream.
    fn fill(&mut self, end: Instant) -> Result<bool, Broken> {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Broken::Late(latin1(&self.waiting)));
        }
        self.stream
            .set_read_timeout(Some(left))
            .expect("a socket option");
        let mut block = [0; 65536];
        match self.stream.read(&mut block) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.waiting.extend_from_slice(&block[..count]);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(Broken::Late(latin1(&self.waiting)))
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(Broken::Truncated(error.to_string())),
        }
    }
}

fn framing(response: &Response, is_head: bool) -> Result<Framing, Broken> {
    if is_head || response.status < 200 || matches!(response.status, 204 | 304) {
        return Ok(Framing::None);
    }
    let coding = response.field("transfer-encoding");
    let length = response.all("content-length");
    match (coding, length.as_slice()) {
        (Some(coding), []) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        (None, [_]) => Ok(Framing::Length),
        (None, []) => Ok(Framing::Close),
        _ => Err(Broken::Malformed(format!("two framings: {response:?}"))),
    }
}

fn parse(head: &[u8]) -> Result<Response, Broken> {
    let text = latin1(head);
    let malformed = || Broken::Malformed(text.clone());
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().splitn(3, ' ');
    let version = words.next().unwrap_or_default().to_owned();
    let status = words
        .next()
        .and_then(|word| word.parse().ok())
        .ok_or_else(malformed)?;
    if !version.starts_with("HTTP/1.") {
        return Err(malformed());
    }
    Ok(Response {
        status,
        version,
        reason: words.next().unwrap_or_default().to_owned(),
        fields: lines.map(field).collect::<Result<_, _>>()?,
        content: Vec::new(),
        trailers: Vec::new(),
        framing: Framing::None,
    })
}

fn field(line: &str) -> Result<(String, String), Broken> {
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| Broken::Malformed(line.to_owned()))?;
    Ok((name.to_owned(), value.trim().to_owned()))
}

/// Bytes as text, each byte one character, so that nothing is lost.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
