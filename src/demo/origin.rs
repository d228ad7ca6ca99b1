//! A backend: a small HTTP/1.1 origin server.
//!
//! Responsible for: accepting, one thread per connection, reading requests whole and answering them. Not responsible for: what the answers
//! say, see `page`, or for being fast.
//!
//! Know first: bytes and messages are `codec`'s business here as everywhere; this file only waits and moves them. It waits in plain blocking
//! calls, which the engine must not: this is the other end of the wire.

use super::cast::Part;
use super::page::{self, Asked};
use crate::buf::{Blocks, Input, Outlet, Output};
use crate::codec::http1;
use crate::codec::{Codec, CodecError, Limits, Reuse, StreamId};
use crate::http::head::Shelf;
use crate::http::{
    ContentSize, FieldId, Part as MessagePart, RequestHead, Response, ResponseHead, Status, date,
};
use crate::sys::clock;
use crate::sys::process;
use std::io::{self, PipeReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Serve until the lifeline ends; then this process ends, whatever its threads do.
///
/// # Errors
/// When no thread can be started.
pub(super) fn play(
    part: &'static Part,
    listener: TcpListener,
    front: SocketAddr,
    mut lifeline: PipeReader,
) -> io::Result<()> {
    let origin = Arc::new(Origin {
        part,
        front,
        served: AtomicU64::new(0),
    });
    let accepting = thread::Builder::new().name("accept".to_owned());
    accepting.spawn(move || origin.accept(&listener))?;
    // Nobody writes to it: what can be read is its end.
    lifeline.read_to_end(&mut Vec::new())?;
    process::exit_now(0)
}

/// What the threads of one origin share.
#[derive(Debug)]
pub(super) struct Origin {
    part: &'static Part,
    /// The server's address, for links.
    front: SocketAddr,
    /// Requests answered.
    served: AtomicU64,
}

impl Origin {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        // An error is about the connection that was to be accepted, or passes (EMFILE) when others end.
        for stream in listener.incoming().flatten() {
            let origin = Arc::clone(self);
            let serving = thread::Builder::new().name("serve".to_owned());
            // Without a thread the connection is closed, which the server takes as a failure of this backend: so it is.
            drop(serving.spawn(move || origin.serve(stream)));
        }
    }

    fn serve(&self, stream: TcpStream) {
        let own = stream.local_addr();
        // A connection that breaks is the peer's business; there is no log here.
        drop(own.and_then(|own| Connection::new(stream, own)?.serve(self)));
    }
}

/// One connection.
struct Connection {
    stream: TcpStream,
    own: SocketAddr,
    codec: http1::Server,
    shelf: Shelf<RequestHead>,
    blocks: Blocks,
    input: Input,
    output: Output,
}

impl Connection {
    fn new(stream: TcpStream, own: SocketAddr) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            own,
            codec: http1::Server::new(Limits::default()),
            shelf: Shelf::new(),
            blocks: Blocks::new(),
            input: Input::new(),
            output: Output::new(),
        })
    }

    /// Requests and responses in turn, until one of the two sides has had enough.
    fn serve(mut self, origin: &Origin) -> io::Result<()> {
        let mut news = Vec::new();
        loop {
            if let Err(error) = self.codec.absorb(&mut self.input, &mut news) {
                return self.refuse(StreamId::default(), error);
            }
            let Some(stream) = news.pop() else {
                if self.fill()? {
                    continue;
                }
                return Ok(());
            };
            match self.request(stream)? {
                Ok(head) => self.respond(stream, &head, origin)?,
                Err(error) => return self.refuse(stream, error),
            }
            if self.codec.reuse() == Reuse::Close {
                return Ok(());
            }
        }
    }

    /// One whole request; its content is read and dropped.
    fn request(&mut self, stream: StreamId) -> io::Result<Result<Box<RequestHead>, CodecError>> {
        let mut head = None;
        loop {
            match self.codec.pull(stream, &mut self.input, &mut self.shelf) {
                Err(error) => return Ok(Err(error)),
                Ok(Some(MessagePart::End)) => {
                    let head = head.ok_or_else(|| io::Error::other("an end without a head"))?;
                    return Ok(Ok(head));
                }
                Ok(Some(MessagePart::Head(arrived))) => {
                    let goes_on = arrived.expects_continue;
                    head = Some(arrived);
                    if goes_on {
                        self.go_on(stream)?;
                    }
                }
                Ok(Some(
                    MessagePart::Interim(_)
                    | MessagePart::Data(_)
                    | MessagePart::Trailers(_)
                    | MessagePart::Note(_),
                )) => {}
                Ok(None) => {
                    if !self.fill()?
                        && let Err(error) = self.codec.eof()
                    {
                        return Ok(Err(error));
                    }
                }
            }
        }
    }

    /// Asks for the content that the client holds back (RFC 9110 §10.1.1).
    fn go_on(&mut self, stream: StreamId) -> io::Result<()> {
        let head = Box::new(ResponseHead::of(Status::CONTINUE));
        self.push(stream, &MessagePart::Interim(head))?;
        self.flush()
    }

    fn respond(&mut self, stream: StreamId, head: &RequestHead, origin: &Origin) -> io::Result<()> {
        let page = page::answer(&Asked {
            head,
            part: origin.part,
            front: origin.front,
            own: self.own,
            count: origin.served.fetch_add(1, Ordering::Relaxed) + 1,
        });
        let mut response = ResponseHead {
            content: ContentSize::Length(page.content.len() as u64),
            ..ResponseHead::of(page.status)
        };
        let now = date::format(clock::now().unix_s());
        response.fields.push_id(FieldId::Date, &now);
        response.fields.push(b"Server", b"tine-demo");
        response
            .fields
            .push(b"Content-Type", page.media_type.as_bytes());
        response.fields.push(b"Vary", b"Accept");
        if let Some(location) = &page.location {
            response.fields.push(b"Location", location.as_bytes());
        }
        self.push(stream, &MessagePart::Head(Box::new(response)))?;
        if head.method != crate::http::Method::Head {
            self.push(stream, &MessagePart::Data(page.content.as_bytes()))?;
        }
        self.push(stream, &MessagePart::End)?;
        self.flush()
    }

    /// Tells the client what was wrong with its request, as far as it still listens.
    fn refuse(mut self, stream: StreamId, error: CodecError) -> io::Result<()> {
        let content = format!("{}\n", error.reason);
        let head = ResponseHead {
            content: ContentSize::Length(content.len() as u64),
            keep_alive: false,
            ..ResponseHead::of(error.status)
        };
        self.push(stream, &MessagePart::Head(Box::new(head)))?;
        self.push(stream, &MessagePart::Data(content.as_bytes()))?;
        self.push(stream, &MessagePart::End)?;
        self.flush()
    }

    fn push(&mut self, stream: StreamId, part: &MessagePart<'_, Response>) -> io::Result<()> {
        let mut outlet = Outlet {
            output: &mut self.output,
            blocks: &mut self.blocks,
        };
        let pushed = self.codec.push(stream, part, &mut outlet);
        pushed.map_err(|error| io::Error::other(error.reason))
    }

    /// Reads some; says whether there was any.
    fn fill(&mut self) -> io::Result<bool> {
        let space = self.input.space(&mut self.blocks);
        let count = self.stream.read(space)?;
        self.input.filled(count);
        Ok(count > 0)
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            let count = self.stream.write(self.output.front())?;
            self.output.written(count, &mut self.blocks);
        }
        Ok(())
    }
}

/// The server keeps connections to backends for as long as it likes; a minute of silence is no reason to worry, ten are.
const PATIENCE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::super::cast::CAST;
    use super::*;
    use std::net::{Ipv4Addr, Shutdown};

    /// Sends bytes to an origin, closes, and gives what came back.
    fn ask(bytes: &[u8]) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let address = listener.local_addr().expect("bound");
        let origin = Origin {
            part: &CAST[1],
            front: address,
            served: AtomicU64::new(6),
        };
        #[expect(clippy::disallowed_methods, reason = "a test may block")]
        let mut client = TcpStream::connect(address).expect("it listens");
        let (stream, _) = listener.accept().expect("a connection");
        client
            .write_all(bytes)
            .expect("small enough for the socket's buffer");
        client.shutdown(Shutdown::Write).expect("open");
        origin.serve(stream);
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("text");
        answer
    }

    #[test]
    fn requests_are_counted_and_connections_kept() {
        let one = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
        let answer = ask(format!("{one}{one}").as_bytes());
        assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answer}");
        let pid = std::process::id();
        assert!(
            answer.contains(&format!("\r\n\r\nphp2 pid {pid} request 7\n")),
            "{answer}"
        );
        assert!(
            answer.ends_with(&format!("\r\n\r\nphp2 pid {pid} request 8\n")),
            "{answer}"
        );
    }

    #[test]
    fn content_is_read_before_the_next_request() {
        let answer = ask(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
              POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
              GET / HTTP/1.0\r\n\r\n",
        );
        assert_eq!(answer.matches(" 200 OK\r\n").count(), 3, "{answer}");
        assert_eq!(
            answer.matches("HTTP/1.1 100 Continue\r\n\r\n").count(),
            1,
            "{answer}"
        );
    }

    #[test]
    fn a_head_request_gets_a_head() {
        let answer = ask(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(answer.contains("\r\nContent-Length: "), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }

    #[test]
    fn nonsense_is_refused_and_silence_is_not_answered() {
        let answer = ask(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert_eq!(ask(b""), "");
    }
}
