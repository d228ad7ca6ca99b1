//! An origin that costs next to nothing, so that what `scripts/bench` measures is the proxy in front of it.
//!
//! Responsible for: answering every request on every connection with the same bytes, for ever, in one thread. Not responsible for
//! reading requests: the end of a head is all that it looks for, so a request with content is not understood.
//!
//! Run as `bench_origin [LISTENERS [SIZE]]`. It listens on that many free ports of 127.0.0.1 and prints their addresses, one a line;
//! its answers have SIZE bytes of content, 200 unless told. It ends when it is killed.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::io::{self, ErrorKind, Read, Write, stdout};
use std::net::{Ipv4Addr, SocketAddr};

/// What a request's head ends with.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// How long the content of an answer is unless told.
const CONTENT_SIZE: usize = 200;

fn main() -> io::Result<()> {
    let number = |place| {
        std::env::args()
            .nth(place)
            .and_then(|word| word.parse().ok())
    };
    let mut origin = Origin::listen(number(1).unwrap_or(1), number(2).unwrap_or(CONTENT_SIZE))?;
    let mut events = Events::with_capacity(1024);
    loop {
        match origin.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome?,
        }
        for event in &events {
            origin.turn(event.token().0, event.is_read_closed())?;
        }
    }
}

/// Tokens below the number of listeners are theirs; those from there on are places in `connections`.
#[derive(Debug)]
struct Origin {
    poll: Poll,
    listeners: Vec<TcpListener>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    answer: Vec<u8>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// How many bytes of [`HEAD_END`] the last read ended with.
    matched: usize,
    /// Answers that are due, the one being sent included.
    due: usize,
    /// How much of that one the socket has taken.
    sent: usize,
}

impl Origin {
    fn listen(count: usize, size: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listeners = Vec::new();
        for number in 0..count {
            let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            writeln!(stdout(), "{}", listener.local_addr()?)?;
            poll.registry()
                .register(&mut listener, Token(number), Interest::READABLE)?;
            listeners.push(listener);
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n"
        );
        let mut answer = head.into_bytes();
        answer.resize(answer.len() + size, b'x');
        Ok(Self {
            poll,
            listeners,
            connections: Vec::new(),
            free: Vec::new(),
            answer,
            buffer: vec![0; 65_536],
        })
    }

    /// Acts on news of one socket. `is_closed` says that its peer will send nothing more.
    fn turn(&mut self, token: usize, is_closed: bool) -> io::Result<()> {
        if token < self.listeners.len() {
            return self.accept(token);
        }
        let place = token - self.listeners.len();
        let Some(entry) = self.connections.get_mut(place) else {
            return Ok(());
        };
        let is_over = match entry {
            Some(connection) => {
                connection.serve(&mut self.buffer, &self.answer).is_err() || is_closed
            }
            None => false,
        };
        if is_over {
            *entry = None;
            self.free.push(place);
        }
        Ok(())
    }

    /// Takes in everybody who waits: news of a listener come once.
    fn accept(&mut self, number: usize) -> io::Result<()> {
        let Some(listener) = self.listeners.get(number) else {
            return Ok(());
        };
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let place = self.free.pop().unwrap_or(self.connections.len());
            self.poll.registry().register(
                &mut stream,
                Token(self.listeners.len() + place),
                Interest::READABLE | Interest::WRITABLE,
            )?;
            let connection = Some(Connection {
                stream,
                matched: 0,
                due: 0,
                sent: 0,
            });
            match self.connections.get_mut(place) {
                Some(entry) => *entry = connection,
                None => self.connections.push(connection),
            }
        }
    }
}

impl Connection {
    /// Sends what is due and answers what has come. An error is the end of the connection.
    fn serve(&mut self, buffer: &mut [u8], answer: &[u8]) -> io::Result<()> {
        self.flush(answer)?;
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            self.due += self.heads(buffer.iter().take(count));
            self.flush(answer)?;
            // A short read has emptied the socket, and news of what comes later is sure: one system call less for each request.
            if count < buffer.len() {
                return Ok(());
            }
        }
    }

    /// How many heads end within these bytes.
    fn heads<'a>(&mut self, bytes: impl Iterator<Item = &'a u8>) -> usize {
        let mut heads = 0;
        for byte in bytes {
            self.matched = match HEAD_END.get(self.matched) {
                Some(wanted) if wanted == byte => self.matched + 1,
                _ => usize::from(*byte == b'\r'),
            };
            if self.matched == HEAD_END.len() {
                self.matched = 0;
                heads += 1;
            }
        }
        heads
    }

    fn flush(&mut self, answer: &[u8]) -> io::Result<()> {
        while self.due > 0 {
            match self
                .stream
                .write(answer.get(self.sent..).unwrap_or_default())
            {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            if self.sent == answer.len() {
                (self.due, self.sent) = (self.due - 1, 0);
            }
        }
        Ok(())
    }
}
