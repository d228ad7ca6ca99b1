//! A backend so cheap that it is never what a benchmark measures: one thread, one epoll, one answer.
//!
//! `bench-origin PORT…` listens on all of these ports, prints a line when it is ready, and answers each request head with 200 bytes. It
//! takes no content, looks at nothing but the ends of heads, and serves until it is killed.

#![expect(clippy::print_stdout, reason = "who starts it waits for the line")]

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

fn main() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listeners = Vec::new();
    for argument in std::env::args().skip(1) {
        let port: u16 = argument
            .parse()
            .map_err(|_| io::Error::other(format!("no port: {argument}")))?;
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        poll.registry()
            .register(&mut listener, Token(listeners.len()), Interest::READABLE)?;
        listeners.push(listener);
    }
    println!("ready");
    let mut connections = Connections {
        next: listeners.len(),
        open: HashMap::new(),
    };
    let mut events = Events::with_capacity(1024);
    loop {
        if let Err(error) = poll.poll(&mut events, None)
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(error);
        }
        for event in &events {
            match listeners.get(event.token().0) {
                Some(listener) => connections.accept(listener, poll.registry()),
                None => connections.serve(event.token()),
            }
        }
    }
}

struct Connections {
    next: usize,
    open: HashMap<usize, Connection>,
}

struct Connection {
    stream: TcpStream,
    /// How many bytes of the end of a head have come.
    matched: usize,
    /// Answers that did not fit.
    owed: Vec<u8>,
}

impl Connections {
    fn accept(&mut self, listener: &TcpListener, registry: &Registry) {
        while let Ok((mut stream, _)) = listener.accept() {
            let interest = Interest::READABLE | Interest::WRITABLE;
            stream.set_nodelay(true).ok();
            if registry
                .register(&mut stream, Token(self.next), interest)
                .is_ok()
            {
                let connection = Connection {
                    stream,
                    matched: 0,
                    owed: Vec::new(),
                };
                self.open.insert(self.next, connection);
                self.next += 1;
            }
        }
    }

    fn serve(&mut self, token: Token) {
        let is_over = self
            .open
            .get_mut(&token.0)
            .is_some_and(|connection| connection.serve().is_err());
        if is_over {
            self.open.remove(&token.0);
        }
    }
}

impl Connection {
    fn serve(&mut self) -> io::Result<()> {
        let mut block = [0; 16384];
        loop {
            match self.stream.read(&mut block) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.take(block.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.pay(),
                Err(error) => return Err(error),
            }
            self.pay()?;
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.matched = match (self.matched, byte) {
                (0 | 2, b'\r') => self.matched + 1,
                (1 | 3, b'\n') => self.matched + 1,
                (_, b'\r') => 1,
                _ => 0,
            };
            if self.matched == 4 {
                self.matched = 0;
                self.owed.extend_from_slice(ANSWER.as_bytes());
            }
        }
    }

    fn pay(&mut self) -> io::Result<()> {
        while !self.owed.is_empty() {
            match self.stream.write(&self.owed) {
                Ok(count) => drop(self.owed.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A head like that of any application, and 200 bytes of content.
const ANSWER: &str = concat!(
    "HTTP/1.1 200 OK\r\n",
    "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
    "Server: bench\r\n",
    "Content-Type: text/plain\r\n",
    "Content-Length: 200\r\n",
    "\r\n",
    "00000000000000000000000000000000000000000000000000\n1111111111111111111111111111111111111111111111111\n",
    "22222222222222222222222222222222222222222222222222\n333333333333333333333333333333333333333333333333",
);
