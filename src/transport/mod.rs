//! Byte streams: bytes in, bytes out, and whether now is a good time.
//!
//! Responsible for: moving bytes between a socket and the buffers of `buf`. Not responsible for: meaning
//! (`codec`), or waiting: every call returns at once.
//!
//! Know first: readiness is *sticky* (invariant I4). A socket is registered once, edge-triggered, for both
//! directions; [`Ready`] remembers what the last events said until a call finds otherwise. A read that fills less
//! than the space it was given has emptied the socket, so the next read would only say `WouldBlock`; that call is
//! saved. A peer's close always comes with an event of its own, which [`Ready::closing`] keeps.

#[cfg(any(test, feature = "sim"))]
pub mod memory;
mod ready;

use std::io::{self, IoSlice, Read, Write};

pub use ready::Ready;

use crate::buf::{Blocks, Input, Output, SLICES_MAX};

/// What a connection is made of.
#[derive(Debug)]
pub enum Stream {
    /// A TCP socket.
    Tcp(mio::net::TcpStream),
    /// A unix socket.
    Unix(mio::net::UnixStream),
    /// A scripted one, for simulation.
    #[cfg(any(test, feature = "sim"))]
    Memory(memory::Pipe),
}

/// A byte stream and what we know of its readiness.
#[derive(Debug)]
pub struct Transport {
    stream: Stream,
    /// What the last events said.
    pub ready: Ready,
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// So many bytes, at least one.
    Bytes(usize),
    /// The peer will send no more.
    Closed,
    /// Nothing now; an event will tell.
    NotNow,
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Everything was written.
    Done,
    /// The socket takes no more now; an event will tell.
    NotNow,
}

impl Transport {
    /// Wraps a stream. A new socket is assumed writable and, for an accepted one, readable: trying costs one call,
    /// waiting for the first event costs a turn.
    #[must_use]
    pub const fn new(stream: Stream, ready: Ready) -> Self {
        Self { stream, ready }
    }

    /// Reads once into `input`.
    ///
    /// # Errors
    /// The socket's own, such as a reset.
    pub fn fill(&mut self, input: &mut Input, blocks: &mut Blocks) -> io::Result<Fill> {
        if !self.ready.readable && !self.ready.closing {
            return Ok(Fill::NotNow);
        }
        let space = input.space(blocks);
        let size = space.len();
        let result = retry(|| self.stream.read(space));
        let outcome = match result {
            Ok(0) => Fill::Closed,
            Ok(n) => {
                input.filled(n);
                if n < size {
                    self.ready.readable = false;
                }
                Fill::Bytes(n)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.ready.readable = false;
                // A close that was announced but not reached yet comes with the bytes before it.
                self.ready.closing = false;
                Fill::NotNow
            }
            Err(error) => return Err(error),
        };
        input.rest(blocks);
        Ok(outcome)
    }

    /// Whether a `fill` might bring something.
    #[must_use]
    pub const fn may_fill(&self) -> bool {
        self.ready.readable || self.ready.closing
    }

    /// Writes as much of `output` as the socket takes.
    ///
    /// # Errors
    /// The socket's own, such as a reset or a broken pipe.
    pub fn flush(&mut self, output: &mut Output, blocks: &mut Blocks) -> io::Result<Flush> {
        while !output.is_empty() {
            if !self.ready.writable {
                return Ok(Flush::NotNow);
            }
            let result = if output.is_contiguous() {
                let front = output.front();
                retry(|| self.stream.write(front))
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let n = output.slices(&mut slices);
                let slices = slices.get(..n).unwrap_or_default();
                retry(|| self.stream.write_vectored(slices))
            };
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => output.written(n, blocks),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready.writable = false;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Flush::Done)
    }

    /// Reads and throws away what has arrived; true when the peer closed or the socket broke.
    pub fn discard(&mut self) -> bool {
        let mut sink = [0; 4096];
        while self.may_fill() {
            match retry(|| self.stream.read(&mut sink)) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready.readable = false;
                    self.ready.closing = false;
                }
                Err(_) => return true,
            }
        }
        false
    }

    /// Tells the peer that we will send no more. A socket that is gone already needs no telling.
    pub fn shutdown_write(&self) {
        let _already_gone = match &self.stream {
            Stream::Tcp(socket) => socket.shutdown(std::net::Shutdown::Write),
            Stream::Unix(socket) => socket.shutdown(std::net::Shutdown::Write),
            #[cfg(any(test, feature = "sim"))]
            Stream::Memory(pipe) => pipe.shutdown_write(),
        };
    }

    /// The socket's pending error, as a finished connection attempt reports it.
    ///
    /// # Errors
    /// The question itself may fail.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.stream {
            Stream::Tcp(socket) => socket.take_error(),
            Stream::Unix(socket) => socket.take_error(),
            #[cfg(any(test, feature = "sim"))]
            Stream::Memory(pipe) => Ok(pipe.take_error()),
        }
    }

    /// The stream itself, for registration.
    pub const fn stream_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Gives the stream away, to park its socket where other threads find it.
    #[must_use]
    pub fn into_stream(self) -> Stream {
        self.stream
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Unix(socket) => socket.read(buffer),
            #[cfg(any(test, feature = "sim"))]
            Self::Memory(pipe) => pipe.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Unix(socket) => socket.write(bytes),
            #[cfg(any(test, feature = "sim"))]
            Self::Memory(pipe) => pipe.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write_vectored(slices),
            Self::Unix(socket) => socket.write_vectored(slices),
            #[cfg(any(test, feature = "sim"))]
            Self::Memory(pipe) => pipe.write(slices.first().map(|s| &**s).unwrap_or_default()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Repeats a call that a signal interrupted.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::memory::Pipe;
    use super::*;

    fn pair() -> (Transport, Pipe) {
        let (ours, theirs) = Pipe::pair();
        (Transport::new(Stream::Memory(ours), Ready::BOTH), theirs)
    }

    #[test]
    fn a_short_read_saves_the_call_that_would_find_nothing() {
        let (mut transport, theirs) = pair();
        let (mut input, mut blocks) = (Input::new(), Blocks::new());
        theirs.send(b"hello");
        assert_eq!(
            transport.fill(&mut input, &mut blocks).unwrap(),
            Fill::Bytes(5)
        );
        assert!(!transport.may_fill());
        theirs.send(b" again");
        assert_eq!(
            transport.fill(&mut input, &mut blocks).unwrap(),
            Fill::NotNow,
            "no event yet"
        );
        transport.ready.readable = true;
        assert_eq!(
            transport.fill(&mut input, &mut blocks).unwrap(),
            Fill::Bytes(6)
        );
    }

    #[test]
    fn a_close_announced_with_bytes_is_found_after_them() {
        let (mut transport, theirs) = pair();
        let (mut input, mut blocks) = (Input::new(), Blocks::new());
        theirs.send(b"bye");
        theirs.close();
        transport.ready.closing = true;
        assert_eq!(
            transport.fill(&mut input, &mut blocks).unwrap(),
            Fill::Bytes(3)
        );
        assert_eq!(
            transport.fill(&mut input, &mut blocks).unwrap(),
            Fill::Closed
        );
    }

    #[test]
    fn a_full_socket_stops_the_flush_and_nothing_is_lost() {
        let (mut transport, theirs) = pair();
        let (mut output, mut blocks) = (Output::new(), Blocks::new());
        theirs.limit(4);
        output.write(b"abcdefg", &mut blocks);
        assert_eq!(
            transport.flush(&mut output, &mut blocks).unwrap(),
            Flush::NotNow
        );
        assert_eq!(theirs.received(), b"abcd");
        theirs.limit(100);
        transport.ready.writable = true;
        assert_eq!(
            transport.flush(&mut output, &mut blocks).unwrap(),
            Flush::Done
        );
        assert_eq!(theirs.received(), b"efg");
    }
}
