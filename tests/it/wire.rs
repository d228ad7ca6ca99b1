//! A server with a backend behind it that keeps every byte, for tests of what goes over the wire.
//!
//! Responsible for: the raw bytes that reach a backend, and reading them as RFC 9112 says, strictly, by a parser that shares nothing with
//! the server's. Bytes at the backend that this parser refuses fail the test, whatever the test is about. Not responsible for: backends
//! with a will of their own (`harness::origin`).

use crate::harness::client::Broken;
use crate::harness::{Response, Setup, Shape, Tine};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// One request as a strict reader finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The request line.
    pub(crate) line: String,
    /// The field lines in order.
    pub(crate) fields: Vec<(String, String)>,
    /// The content, chunking undone.
    pub(crate) content: Vec<u8>,
}

impl Request {
    /// All values of this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self
            .fields
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The first value of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// The request target.
    pub(crate) fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }
}

/// Reads one request; `None` when it is incomplete.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<(Request, usize)>, String> {
    let Some(end) = find(bytes, b"\r\n\r\n") else {
        return match bytes.first() {
            Some(first) if !first.is_ascii_alphabetic() => Err("no method".into()),
            _ => Ok(None),
        };
    };
    let head = latin1(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let words: Vec<&str> = line.split(' ').collect();
    let is_visible =
        |word: &&str| !word.is_empty() && word.chars().all(|c| c > ' ' && c != '\u{7f}');
    if words.len() != 3 || !words.iter().all(is_visible) || words[2] != "HTTP/1.1" {
        return Err(format!("bad request line: {line:?}"));
    }
    let fields = lines.map(field).collect::<Result<Vec<_>, _>>()?;
    let mut request = Request {
        line,
        fields,
        content: Vec::new(),
    };
    if request.all("host").len() != 1 {
        return Err(format!("not one Host: {head}"));
    }
    let (lengths, codings) = (
        request.all("content-length"),
        request.all("transfer-encoding"),
    );
    let at = end + 4;
    let size = match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => 0,
        ([length], []) if length.bytes().all(|b| b.is_ascii_digit()) => {
            length.parse().map_err(|_| format!("bad length {length}"))?
        }
        ([], ["chunked"]) => {
            let Some((content, size)) = chunks(&bytes[at..])? else {
                return Ok(None);
            };
            request.content = content;
            return Ok(Some((request, at + size)));
        }
        _ => return Err(format!("ambiguous framing: {head}")),
    };
    let Some(content) = bytes.get(at..at + size) else {
        return Ok(None);
    };
    request.content = content.to_vec();
    Ok(Some((request, at + size)))
}

fn field(line: &str) -> Result<(String, String), String> {
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| format!("no colon: {line:?}"))?;
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        return Err(format!("no name: {line:?}"));
    }
    let is_value = |c: char| c == '\t' || (c >= ' ' && c != '\u{7f}');
    if !value.chars().all(is_value) {
        return Err(format!("control character: {line:?}"));
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

/// Content in chunks as a proxy must write them: sizes and nothing else, no trailers.
fn chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    let (mut content, mut at) = (Vec::new(), 0);
    loop {
        let Some(end) = find(&bytes[at..], b"\r\n") else {
            return Ok(None);
        };
        let line = latin1(&bytes[at..at + end]);
        let size = usize::from_str_radix(&line, 16).map_err(|_| format!("chunk size {line:?}"))?;
        at += end + 2;
        if size == 0 {
            return match bytes.get(at..at + 2) {
                Some(b"\r\n") => Ok(Some((content, at + 2))),
                Some(other) => Err(format!("behind the last chunk: {other:?}")),
                None => Ok(None),
            };
        }
        let Some(chunk) = bytes.get(at..at + size + 2) else {
            return Ok(None);
        };
        if !chunk.ends_with(b"\r\n") {
            return Err("chunk without its end".into());
        }
        content.extend_from_slice(&chunk[..size]);
        at += size + 2;
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// What a backend does with a request.
pub(crate) enum Reply {
    /// Sends these bytes and waits for the next request.
    Keep(Vec<u8>),
    /// Sends these bytes and closes.
    Close(Vec<u8>),
}

/// 200, with what was asked for as content.
pub(crate) fn ok(request: &Request) -> Reply {
    let method = request.line.split(' ').next().unwrap_or_default();
    let mut content = format!("{method} {}:", request.target()).into_bytes();
    content.extend_from_slice(&request.content);
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        content.len()
    )
    .into_bytes();
    if method != "HEAD" {
        bytes.extend(content);
    }
    Reply::Keep(bytes)
}

#[derive(Default)]
struct Tape {
    is_over: AtomicBool,
    bytes: Mutex<Vec<u8>>,
    requests: Mutex<Vec<Request>>,
    wrong: Mutex<Vec<String>>,
    connections: Mutex<Vec<TcpStream>>,
}

/// A backend that keeps every byte.
pub(crate) struct Wire {
    address: SocketAddr,
    tape: Arc<Tape>,
    acceptor: Option<JoinHandle<()>>,
}

impl Wire {
    /// A backend that answers by `answer`.
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port to listen on");
        let address = listener.local_addr().expect("it is bound");
        let tape = Arc::new(Tape::default());
        let (shared, answer) = (Arc::clone(&tape), Arc::new(answer));
        let acceptor = thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let again = stream.try_clone().expect("one more descriptor");
                shared
                    .connections
                    .lock()
                    .expect("no panic while held")
                    .push(again);
                let (tape, answer) = (Arc::clone(&shared), Arc::clone(&answer));
                thread::spawn(move || serve(&tape, stream, &*answer));
            }
        });
        Self {
            address,
            tape,
            acceptor: Some(acceptor),
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every byte that came since the last call, in order of arrival, with `@` for the backend's own address.
    pub(crate) fn bytes(&self) -> String {
        let bytes = std::mem::take(&mut *self.tape.bytes.lock().expect("no panic while held"));
        latin1(&bytes).replace(&self.address.to_string(), "@")
    }

    /// The requests that came since the last call.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.tape.requests.lock().expect("no panic while held"))
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.tape
            .connections
            .lock()
            .expect("no panic while held")
            .len()
    }
}

fn serve(tape: &Tape, mut stream: TcpStream, answer: &dyn Fn(&Request) -> Reply) {
    let (mut waiting, mut block) = (Vec::new(), [0; 65536]);
    while let Ok(count @ 1..) = stream.read(&mut block) {
        tape.bytes
            .lock()
            .expect("no panic while held")
            .extend_from_slice(&block[..count]);
        waiting.extend_from_slice(&block[..count]);
        loop {
            match read(&waiting) {
                Ok(None) => break,
                Ok(Some((request, size))) => {
                    waiting.drain(..size);
                    let reply = answer(&request);
                    tape.requests
                        .lock()
                        .expect("no panic while held")
                        .push(request);
                    let (bytes, is_last) = match reply {
                        Reply::Keep(bytes) => (bytes, false),
                        Reply::Close(bytes) => (bytes, true),
                    };
                    if stream.write_all(&bytes).is_err() || is_last {
                        stream.shutdown(Shutdown::Both).ok();
                        return;
                    }
                }
                Err(why) => {
                    tape.wrong.lock().expect("no panic while held").push(why);
                    stream.shutdown(Shutdown::Both).ok();
                    return;
                }
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.tape.is_over.store(true, Ordering::SeqCst);
        for stream in self
            .tape
            .connections
            .lock()
            .expect("no panic while held")
            .drain(..)
        {
            stream.shutdown(Shutdown::Both).ok();
        }
        if TcpStream::connect(self.address).is_ok()
            && let Some(acceptor) = self.acceptor.take()
        {
            acceptor.join().ok();
        }
        if !thread::panicking() {
            let wrong = self.tape.wrong.lock().expect("no panic while held");
            assert!(
                wrong.is_empty(),
                "a strict backend refuses what it got: {wrong:?}"
            );
        }
    }
}

/// A server in front of a [`Wire`].
pub(crate) struct Pair {
    pub(crate) tine: Tine,
    pub(crate) wire: Wire,
}

/// What a client got until the server closed.
#[derive(Debug)]
pub(crate) struct Talk {
    /// Whole responses, interim ones included.
    pub(crate) responses: Vec<Response>,
    /// How it ended, unless by a close behind a whole response.
    pub(crate) broken: Option<Broken>,
}

impl Talk {
    /// The statuses in order.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        self.responses
            .iter()
            .map(|response| response.status)
            .collect()
    }

    /// The only response.
    #[track_caller]
    pub(crate) fn only(mut self) -> Response {
        assert!(
            self.responses.len() == 1 && self.broken.is_none(),
            "{self:?}"
        );
        self.responses.remove(0)
    }

    /// The texts in order.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.responses.iter().map(Response::text).collect()
    }
}

impl Pair {
    /// One that forwards everything to a backend that says what it was asked.
    pub(crate) fn new() -> Self {
        Self::with("", ok)
    }

    /// The same with more configuration in front of the mapping.
    pub(crate) fn conf(conf: &str) -> Self {
        Self::with(conf, ok)
    }

    /// A backend that says this to every request.
    pub(crate) fn saying(response: impl AsRef<[u8]>) -> Self {
        let bytes = response.as_ref().to_vec();
        Self::with("", move |_| Reply::Keep(bytes.clone()))
    }

    /// A backend that says this to every request and closes.
    pub(crate) fn saying_last(response: impl AsRef<[u8]>) -> Self {
        let bytes = response.as_ref().to_vec();
        Self::with("", move |_| Reply::Close(bytes.clone()))
    }

    /// A backend that answers by `answer`, and more configuration. The three X-Forwarded fields are off, so that heads are short.
    pub(crate) fn with(
        conf: &str,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let wire = Wire::start(answer);
        let conf = format!("ProxyAddHeaders Off\n{conf}\nProxyPass / {}/\n", wire.url());
        let setup = Setup::new().shape(Shape::Event).single_process();
        Self {
            tine: setup.start(&conf),
            wire,
        }
    }

    /// Sends bytes on a connection of their own, closes the sending side, and reads to the end.
    pub(crate) fn talk(&self, bytes: impl AsRef<[u8]>) -> Talk {
        self.talk_about(bytes, &[])
    }

    /// The same; `heads` says which responses are to HEAD requests.
    pub(crate) fn talk_about(&self, bytes: impl AsRef<[u8]>, heads: &[bool]) -> Talk {
        let mut client = self.tine.client();
        // The server may answer and close while we are still sending.
        if client.try_send(bytes).is_ok() {
            client.try_half_close();
        }
        let mut responses = Vec::new();
        loop {
            let is_head = heads.get(responses.len()).copied().unwrap_or(false);
            match client.try_response(is_head) {
                Ok(response) => responses.push(response),
                Err(Broken::Closed) => break,
                Err(broken) => {
                    let broken = Some(broken);
                    return Talk { responses, broken };
                }
            }
        }
        Talk {
            responses,
            broken: None,
        }
    }

    /// The response to a plain GET.
    #[track_caller]
    pub(crate) fn get(&self) -> Response {
        self.talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\n").only()
    }

    /// What reached the backend byte for byte; `@` stands for its address.
    #[track_caller]
    pub(crate) fn forwards(&self, bytes: impl AsRef<[u8]>, expected: &str) {
        let talk = self.talk(&bytes);
        let shown = latin1(bytes.as_ref());
        assert_eq!(
            self.wire.bytes(),
            expected,
            "of {shown:?}, answered {talk:?}"
        );
        assert!(
            talk.statuses().iter().all(|status| *status < 300),
            "{talk:?}"
        );
    }

    /// The one request that came of these bytes.
    #[track_caller]
    pub(crate) fn forwarded(&self, bytes: impl AsRef<[u8]>) -> Request {
        let shown = latin1(bytes.as_ref());
        let talk = self.talk(bytes);
        let mut requests = self.wire.requests();
        assert_eq!(requests.len(), 1, "of {shown:?}, answered {talk:?}");
        requests.remove(0)
    }

    /// That these bytes get this status, once, that the connection ends, and that neither they nor what follows reach the backend.
    #[track_caller]
    pub(crate) fn refuses(&self, bytes: impl AsRef<[u8]>, status: u16) {
        let marked = [bytes.as_ref(), MARKER].concat();
        let talk = self.talk(&marked);
        let shown = latin1(bytes.as_ref());
        assert_eq!(talk.statuses(), [status], "{shown:?}: {talk:?}");
        let close = talk.responses[0].field("connection");
        assert_eq!(close, Some("close"), "{shown:?}: {talk:?}");
        assert_eq!(self.wire.bytes(), "", "{shown:?} reached the backend");
    }

    /// The same for several.
    #[track_caller]
    pub(crate) fn refuses_all(&self, rows: &[(&[u8], u16)]) {
        for (bytes, status) in rows {
            self.refuses(bytes, *status);
        }
    }
}

/// A request that must not be seen behind one that is refused.
pub(crate) const MARKER: &[u8] = b"GET /marker HTTP/1.1\r\nHost: h\r\n\r\n";
