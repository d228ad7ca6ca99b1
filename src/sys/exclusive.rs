//! Watching a listener that sibling processes watch too.
//!
//! Responsible for: adding a listener to a mio `Poll`'s own epoll with `EPOLLEXCLUSIVE`, level-triggered, so that one connection wakes one
//! child and not all of them; the event arrives as an ordinary mio event with the given token. Not responsible for: when to watch. The
//! accept gate of the engine removes the listener when its slab is full and adds it again when there is room; adding reports a waiting
//! backlog at once, because the watch is level-triggered.
//!
//! Know first: the kernel knows only *add* and *remove* for exclusive entries, so mio's `reregister` must never see this descriptor.
//! Remove before closing: while the parent holds the same listener, closing it here does not remove it from this epoll.

#![expect(unsafe_code, reason = "calls that neither std nor nix wraps safely")]

use mio::Token;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Report `listener` as `token` when a connection waits.
///
/// # Errors
/// When it is watched already, or the kernel is out of watches.
pub fn add(epoll: &impl AsRawFd, listener: BorrowedFd<'_>, token: Token) -> io::Result<()> {
    let mut event = libc::epoll_event {
        events: (libc::EPOLLIN | libc::EPOLLEXCLUSIVE) as u32,
        u64: token.0 as u64,
    };
    control(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, listener, &mut event)
}

/// Stop reporting `listener`.
///
/// # Errors
/// When it is not watched.
pub fn remove(epoll: &impl AsRawFd, listener: BorrowedFd<'_>) -> io::Result<()> {
    // Kernels before 2.6.9 wanted an event here; a zeroed one costs nothing.
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    control(epoll.as_raw_fd(), libc::EPOLL_CTL_DEL, listener, &mut event)
}

fn control(
    epoll: RawFd,
    operation: libc::c_int,
    listener: BorrowedFd<'_>,
    event: &mut libc::epoll_event,
) -> io::Result<()> {
    // SAFETY: `event` is a live epoll_event that the kernel only reads during the call; both descriptors are plain numbers to it, and a
    // wrong one is an error, not undefined behaviour.
    let result = unsafe { libc::epoll_ctl(epoll, operation, listener.as_raw_fd(), event) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::time::Duration;

    fn tokens(poll: &mut Poll, wait: Duration) -> Vec<usize> {
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(wait)).expect("poll");
        events.iter().map(|event| event.token().0).collect()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a client on loopback")]
    fn a_waiting_backlog_is_reported_on_add_and_again_until_accepted() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("bound");
        let _first = TcpStream::connect(address).expect("connect");
        let _second = TcpStream::connect(address).expect("connect");
        let mut poll = Poll::new().expect("epoll");
        add(&poll, listener.as_fd(), Token(42)).expect("add");
        assert_eq!(tokens(&mut poll, Duration::from_secs(5)), [42]);
        listener.accept().expect("first");
        assert_eq!(tokens(&mut poll, Duration::from_secs(5)), [42]);
        listener.accept().expect("second");
        assert!(tokens(&mut poll, Duration::ZERO).is_empty());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a client on loopback")]
    fn a_removed_listener_is_silent_and_can_be_added_again() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let mut poll = Poll::new().expect("epoll");
        add(&poll, listener.as_fd(), Token(1)).expect("add");
        remove(&poll, listener.as_fd()).expect("remove");
        assert!(remove(&poll, listener.as_fd()).is_err(), "already removed");
        let _client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connect");
        assert!(tokens(&mut poll, Duration::ZERO).is_empty());
        add(&poll, listener.as_fd(), Token(2)).expect("add again");
        assert_eq!(tokens(&mut poll, Duration::from_secs(5)), [2]);
    }
}
