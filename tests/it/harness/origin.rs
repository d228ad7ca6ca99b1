//! A backend that does as it is told and remembers what it saw.
//!
//! Responsible for: accepting, reading one request at a time by its framing, keeping its bytes, and letting a closure answer in whatever
//! way, right or wrong. One thread per connection; all of them end with the [`Origin`].

use super::{Gate, PATIENCE, PatternCheck, pattern, until};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A fake backend.
#[derive(Debug)]
pub(crate) struct Origin {
    place: Place,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone)]
enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

struct Shared {
    name: String,
    is_over: AtomicBool,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    streams: Mutex<HashMap<usize, Wire>>,
    answer: Box<dyn Fn(&mut Call<'_>) + Send + Sync>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shared({})", self.name)
    }
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// On which connection, counted from 0.
    pub(crate) connection: usize,
    /// The request line and the field lines, as sent.
    pub(crate) head: String,
    /// The content, as far as it was read, chunking undone.
    pub(crate) content: Vec<u8>,
    /// The trailer section, as sent.
    pub(crate) trailers: String,
}

impl Seen {
    /// The request line.
    pub(crate) fn line(&self) -> &str {
        self.head.split("\r\n").next().unwrap_or_default()
    }

    /// The first field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// All fields of this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.split("\r\n").skip(1);
        let fields = lines.filter_map(|line| line.split_once(':'));
        let named = fields.filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect()
    }
}

impl Origin {
    /// A backend that answers by `answer`.
    pub(crate) fn start(
        name: &str,
        answer: impl Fn(&mut Call<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::on("127.0.0.1:0", name, answer)
    }

    /// The same at this address.
    pub(crate) fn on(
        address: &str,
        name: &str,
        answer: impl Fn(&mut Call<'_>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).expect("a port to listen on");
        let place = Place::Tcp(listener.local_addr().expect("it is bound"));
        Self::run(place, name, answer, move || {
            Ok(Wire::Tcp(listener.accept()?.0))
        })
    }

    /// The same at a Unix socket, which anybody may use.
    pub(crate) fn unix(
        path: &Path,
        name: &str,
        answer: impl Fn(&mut Call<'_>) + Send + Sync + 'static,
    ) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let listener = UnixListener::bind(path).expect("a socket to listen on");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))
            .expect("our own socket");
        let place = Place::Unix(path.to_owned());
        Self::run(place, name, answer, move || {
            Ok(Wire::Unix(listener.accept()?.0))
        })
    }

    /// A backend that answers everything with its name.
    pub(crate) fn named(name: &str) -> Self {
        let text = name.to_owned();
        Self::start(name, move |call| {
            call.content();
            call.reply(200, &[], text.as_bytes());
        })
    }

    /// A backend that answers with what was sent to it.
    pub(crate) fn echo() -> Self {
        Self::start("echo", |call| {
            let content = call.content();
            call.reply(200, &[], &content);
        })
    }

    fn run(
        place: Place,
        name: &str,
        answer: impl Fn(&mut Call<'_>) + Send + Sync + 'static,
        mut accept: impl FnMut() -> io::Result<Wire> + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            is_over: AtomicBool::new(false),
            seen: Mutex::new(Vec::new()),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            streams: Mutex::new(HashMap::new()),
            answer: Box::new(answer),
        });
        let ours = Arc::clone(&shared);
        let acceptor = thread::spawn(move || {
            while let Ok(wire) = accept() {
                if ours.is_over.load(Ordering::SeqCst) {
                    return;
                }
                admit(&ours, wire);
            }
        });
        Self {
            place,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        match &self.place {
            Place::Tcp(address) => address.port(),
            Place::Unix(path) => panic!("{} has no port", path.display()),
        }
    }

    /// `http://127.0.0.1:PORT`, or with a bracketed IPv6 address.
    pub(crate) fn url(&self) -> String {
        match &self.place {
            Place::Tcp(address) => format!("http://{address}"),
            Place::Unix(path) => format!("unix:{}|http://localhost", path.display()),
        }
    }

    /// What arrived so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared
            .seen
            .lock()
            .expect("no panic while held")
            .clone()
    }

    /// What arrived last.
    #[track_caller]
    pub(crate) fn last(&self) -> Seen {
        self.seen().pop().expect("the backend has seen a request")
    }

    /// How many requests arrived.
    pub(crate) fn count(&self) -> usize {
        self.shared.seen.lock().expect("no panic while held").len()
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many of them are open.
    pub(crate) fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Waits until so many requests have arrived.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) {
        until(&format!("{count} requests at {}", self.shared.name), || {
            self.count() >= count
        });
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // A connection wakes the acceptor, which then sees that it is over.
        let woken = match &self.place {
            Place::Tcp(address) => TcpStream::connect_timeout(address, PATIENCE).map(drop),
            Place::Unix(path) => UnixStream::connect(path).map(drop),
        };
        for (_, stream) in self
            .shared
            .streams
            .lock()
            .expect("no panic while held")
            .drain()
        {
            stream.end();
        }
        if let (Ok(()), Some(acceptor)) = (woken, self.acceptor.take()) {
            acceptor.join().ok();
        }
    }
}

fn admit(shared: &Arc<Shared>, wire: Wire) {
    let connection = shared.connections.fetch_add(1, Ordering::SeqCst);
    shared.open.fetch_add(1, Ordering::SeqCst);
    shared
        .streams
        .lock()
        .expect("no panic while held")
        .insert(connection, wire.again());
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let mut reader = Reader {
            wire,
            waiting: Vec::new(),
        };
        let mut is_reset = false;
        while let Some(head) = reader.head() {
            let index = remember(&shared, connection, &head);
            let mut call = Call {
                shared: &shared,
                index,
                reader: &mut reader,
                body: Body::of(&head),
                is_last: false,
                is_reset: false,
            };
            (shared.answer)(&mut call);
            is_reset = call.is_reset;
            if call.is_last {
                break;
            }
        }
        // A shutdown would say goodbye before the reset.
        if !is_reset {
            reader.wire.end();
        }
        shared
            .streams
            .lock()
            .expect("no panic while held")
            .remove(&connection);
        shared.open.fetch_sub(1, Ordering::SeqCst);
    });
}

fn remember(shared: &Shared, connection: usize, head: &str) -> usize {
    let mut seen = shared.seen.lock().expect("no panic while held");
    seen.push(Seen {
        connection,
        head: head.to_owned(),
        content: Vec::new(),
        trailers: String::new(),
    });
    seen.len() - 1
}

/// One request at a backend, and the means to answer it.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    shared: &'a Shared,
    index: usize,
    reader: &'a mut Reader,
    body: Body,
    is_last: bool,
    is_reset: bool,
}

#[derive(Debug, Clone, Copy)]
enum Body {
    None,
    Length(u64),
    Chunked,
}

impl Body {
    fn of(head: &str) -> Self {
        let head = head.to_ascii_lowercase();
        let mut fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
        if head.contains("\r\ntransfer-encoding:") {
            return Self::Chunked;
        }
        let length = fields.find(|(name, _)| *name == "content-length");
        match length.and_then(|(_, value)| value.trim().parse().ok()) {
            None | Some(0) => Self::None,
            Some(length) => Self::Length(length),
        }
    }
}

impl Call<'_> {
    /// The request as far as it is known.
    pub(crate) fn seen(&self) -> Seen {
        self.shared.seen.lock().expect("no panic while held")[self.index].clone()
    }

    /// The request target.
    pub(crate) fn target(&self) -> String {
        self.seen()
            .line()
            .split(' ')
            .nth(1)
            .unwrap_or_default()
            .to_owned()
    }

    /// The number of this request at this backend, counted from 0.
    pub(crate) fn number(&self) -> usize {
        self.index
    }

    /// The whole content, which is also kept.
    pub(crate) fn content(&mut self) -> Vec<u8> {
        let mut content = Vec::new();
        self.read_content(&mut |bytes| content.extend_from_slice(bytes));
        self.shared.seen.lock().expect("no panic while held")[self.index]
            .content
            .clone_from(&content);
        content
    }

    /// The content compared with [`pattern`]; it is not kept.
    pub(crate) fn check_content(&mut self) -> PatternCheck {
        let mut check = PatternCheck::default();
        self.read_content(&mut |bytes| check.add(bytes));
        check
    }

    fn read_content(&mut self, take: &mut dyn FnMut(&[u8])) {
        match std::mem::replace(&mut self.body, Body::None) {
            Body::None => {}
            Body::Length(length) => {
                self.reader.take(length, take);
            }
            Body::Chunked => {
                if let Some(trailers) = self.reader.chunks(take) {
                    self.shared.seen.lock().expect("no panic while held")[self.index].trailers =
                        trailers;
                }
            }
        }
    }

    /// Sends these bytes as they are. A peer that is gone ends the connection, not the test.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        if self.reader.wire.write_all(bytes.as_ref()).is_err() {
            self.is_last = true;
        }
        self
    }

    /// Answers with a Content-Length.
    pub(crate) fn reply(&mut self, status: u16, fields: &[&str], content: &[u8]) {
        let mut head = format!("HTTP/1.1 {status} Fine\r\n");
        for field in fields {
            head.push_str(field);
            head.push_str("\r\n");
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", content.len()));
        let mut bytes = head.into_bytes();
        if !self.seen().head.starts_with("HEAD ") {
            bytes.extend_from_slice(content);
        }
        self.send(bytes);
    }

    /// Answers in chunks.
    pub(crate) fn reply_chunked(&mut self, fields: &[&str], chunks: &[&[u8]], trailers: &[&str]) {
        let mut bytes = b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n".to_vec();
        for field in fields {
            bytes.extend_from_slice(format!("{field}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        for chunk in chunks {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n");
        for trailer in trailers {
            bytes.extend_from_slice(format!("{trailer}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        self.send(bytes);
    }

    /// Sends `length` bytes of [`pattern`].
    pub(crate) fn send_pattern(&mut self, length: u64) {
        let block = pattern(0, 65521);
        let mut left = length;
        while left > 0 && !self.is_last {
            let now = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
            self.send(&block[..now]);
            left -= now as u64;
        }
    }

    /// Whether the peer took everything so far.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_last
    }

    /// Waits at the gate.
    pub(crate) fn wait(&mut self, gate: &Gate) -> &mut Self {
        gate.wait();
        self
    }

    /// Ends the connection after this request.
    pub(crate) fn close(&mut self) {
        self.is_last = true;
    }

    /// Reads until the peer closes; whatever comes is thrown away.
    pub(crate) fn wait_for_close(&mut self) {
        while self.reader.fill() {}
        self.is_last = true;
    }

    /// Says that nothing more will be sent.
    pub(crate) fn half_close(&self) {
        self.reader.wire.half_close();
    }

    /// Resets the connection instead of closing it in order.
    pub(crate) fn reset(&mut self) {
        if let Wire::Tcp(stream) = &self.reader.wire {
            // Without linger the last close becomes a reset.
            socket2::SockRef::from(stream)
                .set_linger(Some(std::time::Duration::ZERO))
                .expect("a socket option");
        }
        self.is_reset = true;
        self.is_last = true;
    }

    /// Sends in a thread of its own, until everything is sent; the call goes on reading meanwhile.
    pub(crate) fn send_meanwhile(&self, bytes: Vec<u8>) -> JoinHandle<()> {
        let mut wire = self.reader.wire.again();
        thread::spawn(move || {
            wire.write_all(&bytes).ok();
        })
    }

    /// Bytes behind the head as they come, framing or not; empty at the end of the stream.
    pub(crate) fn some_bytes(&mut self) -> Vec<u8> {
        if self.reader.waiting.is_empty() {
            self.reader.fill();
        }
        std::mem::take(&mut self.reader.waiting)
    }
}

#[derive(Debug)]
struct Reader {
    wire: Wire,
    waiting: Vec<u8>,
}

impl Reader {
    /// The next head without its empty line; `None` when the peer has closed or sends nonsense.
    fn head(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.waiting.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = self.waiting[..at].iter().copied().map(char::from).collect();
                self.waiting.drain(..at + 4);
                return Some(head);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    fn take(&mut self, mut length: u64, take: &mut dyn FnMut(&[u8])) -> bool {
        while length > 0 {
            if self.waiting.is_empty() && !self.fill() {
                return false;
            }
            let now = self
                .waiting
                .len()
                .min(usize::try_from(length).unwrap_or(usize::MAX));
            take(&self.waiting[..now]);
            self.waiting.drain(..now);
            length -= now as u64;
        }
        true
    }

    /// Reads chunks up to and including the last; returns the trailer section.
    fn chunks(&mut self, take: &mut dyn FnMut(&[u8])) -> Option<String> {
        loop {
            let line = self.line()?;
            let size = u64::from_str_radix(line.split(';').next()?, 16).ok()?;
            if size == 0 {
                break;
            }
            if !self.take(size, take) || !self.line()?.is_empty() {
                return None;
            }
        }
        let mut trailers = String::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some(trailers);
            }
            trailers.push_str(&line);
            trailers.push_str("\r\n");
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.waiting.windows(2).position(|w| w == b"\r\n") {
                let line = self.waiting[..at].iter().copied().map(char::from).collect();
                self.waiting.drain(..at + 2);
                return Some(line);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    fn fill(&mut self) -> bool {
        let mut block = [0; 65536];
        match self.wire.read(&mut block) {
            Ok(count) if count > 0 => {
                self.waiting.extend_from_slice(&block[..count]);
                true
            }
            _ => false,
        }
    }
}

#[derive(Debug)]
enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Wire {
    fn again(&self) -> Self {
        match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone().expect("one more descriptor")),
            Self::Unix(stream) => Self::Unix(stream.try_clone().expect("one more descriptor")),
        }
    }

    /// Ends both directions; a peer that was faster is fine.
    fn end(&self) {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both).ok(),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both).ok(),
        };
    }

    fn half_close(&self) {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write).ok(),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write).ok(),
        };
    }

    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(block),
            Self::Unix(stream) => stream.read(block),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
        }
    }
}
