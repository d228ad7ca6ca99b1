//! Sockets, with the options that httpd sets.
//!
//! Responsible for: making listeners, accepting, starting connects, and the options of both. Everything made here is non-blocking and
//! close-on-exec. Not responsible for: bytes; and not for watching, see [`super::exclusive`].
//!
//! Know first: no call here waits. A connect that is under way is a success; whether it worked is [`take_error`] once the socket is
//! writable.

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Open a listener. An IPv6 wildcard also takes IPv4, as httpd's does on Linux.
///
/// # Errors
/// When the address is in use, not ours, or needs privileges.
pub fn bind_listener(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // httpd does the same: what is accepted inherits both, so every client connection saves the calls.
    socket.set_keepalive(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Change the backlog of a listener that is open already.
///
/// # Errors
/// Never for a listener.
pub fn set_backlog(listener: &TcpListener, backlog: u32) -> io::Result<()> {
    SockRef::from(listener).listen(i32::try_from(backlog).unwrap_or(i32::MAX))
}

/// `SendBufferSize` and `ReceiveBufferSize` of a listener, which what it accepts inherits; 0 is the system's choice.
///
/// # Errors
/// When the size is refused.
pub fn set_buffer_sizes(socket: impl AsFd, send_bytes: u32, receive_bytes: u32) -> io::Result<()> {
    let socket = socket.as_fd();
    let socket = SockRef::from(&socket);
    if send_bytes > 0 {
        socket.set_send_buffer_size(size(send_bytes))?;
    }
    if receive_bytes > 0 {
        socket.set_recv_buffer_size(size(receive_bytes))?;
    }
    Ok(())
}

/// Take a waiting connection and its peer's address. `WouldBlock` when none waits, or when a sibling was faster.
///
/// # Errors
/// As accept4(2): the connection may have been reset while it waited, or descriptors may be short.
pub fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let (socket, peer) = SockRef::from(listener).accept4(flags)?;
    let peer = peer
        .as_socket()
        .ok_or_else(|| io::Error::other("accepted a connection without an internet address"))?;
    Ok((socket.into(), unmapped(peer)))
}

/// Start connecting to a TCP address, from `source` if one is given.
///
/// # Errors
/// When it is clear at once that it will not work.
pub fn connect_tcp(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    if let Some(source) = source {
        socket.bind(&SockAddr::from(SocketAddr::new(source, 0)))?;
    }
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&SockAddr::from(address)) {
        Err(error) if !is_under_way(&error) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// Connect to a unix socket. `WouldBlock` when its backlog is full: try again later.
///
/// # Errors
/// When nobody listens there.
pub fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket.into())
}

/// How a connect that was under way ended; to be asked once the socket is writable.
///
/// # Errors
/// The reason, if it failed.
pub fn take_error(socket: impl AsFd) -> io::Result<()> {
    let socket = socket.as_fd();
    match SockRef::from(&socket).take_error()? {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Probe an idle peer: after `idle` without a byte, if given, else after the system's time.
///
/// # Errors
/// When the option is refused.
pub fn set_keepalive(socket: impl AsFd, idle: Option<Duration>) -> io::Result<()> {
    let socket = socket.as_fd();
    let socket = SockRef::from(&socket);
    match idle {
        Some(idle) => socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle)),
        None => socket.set_keepalive(true),
    }
}

/// Whether small writes leave at once.
///
/// # Errors
/// When the option is refused.
pub fn set_nodelay(socket: impl AsFd, nodelay: bool) -> io::Result<()> {
    let socket = socket.as_fd();
    SockRef::from(&socket).set_tcp_nodelay(nodelay)
}

/// Make the coming close a reset instead of an orderly end, for a peer that must not take what it got as complete.
///
/// # Errors
/// When the option is refused.
pub fn reset_on_close(socket: impl AsFd) -> io::Result<()> {
    let socket = socket.as_fd();
    SockRef::from(&socket).set_linger(Some(Duration::ZERO))
}

/// Close the writing side: the first half of a lingering close.
///
/// # Errors
/// When the peer has gone already.
pub fn shutdown_write(socket: impl AsFd) -> io::Result<()> {
    let socket = socket.as_fd();
    SockRef::from(&socket).shutdown(Shutdown::Write)
}

/// Whether this machine speaks IPv6: then `Listen 80` means `[::]:80`, as in httpd, else `0.0.0.0:80`.
#[must_use]
pub fn has_ipv6() -> bool {
    let Ok(socket) = Socket::new(Domain::IPV6, Type::STREAM.cloexec(), Some(Protocol::TCP)) else {
        return false;
    };
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
    socket.bind(&SockAddr::from(any)).is_ok()
}

/// An IPv4 peer of an IPv6 listener, as the IPv4 address that it has.
fn unmapped(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

fn is_under_way(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINPROGRESS | libc::EINTR | libc::EALREADY)
    )
}

fn size(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::net::Ipv4Addr;
    use std::os::unix::net::UnixListener;

    fn loopback() -> SocketAddr {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)
    }

    fn until(socket: impl AsFd, flags: PollFlags) {
        let mut watched = [PollFd::new(socket.as_fd(), flags)];
        assert_eq!(poll(&mut watched, PollTimeout::from(10_000u16)), Ok(1));
    }

    #[test]
    fn a_connection_is_made_without_waiting_and_says_where_it_comes_from() {
        let listener = bind_listener(loopback(), 5).expect("bind");
        let address = listener.local_addr().expect("bound");
        assert_eq!(
            accept(&listener).expect_err("none waits").kind(),
            io::ErrorKind::WouldBlock
        );
        let client = connect_tcp(address, Some(Ipv4Addr::LOCALHOST.into())).expect("under way");
        until(&client, PollFlags::POLLOUT);
        take_error(&client).expect("connected");
        until(&listener, PollFlags::POLLIN);
        let (server, peer) = accept(&listener).expect("one waits");
        assert_eq!(peer, client.local_addr().expect("bound"));
        assert!(server.nodelay().expect("inherited"));
        let mut byte = [0];
        let read = io::Read::read(&mut &server, &mut byte);
        assert_eq!(
            read.expect_err("nothing sent").kind(),
            io::ErrorKind::WouldBlock
        );
    }

    #[test]
    fn a_refused_connect_is_told_by_take_error() {
        let address = {
            let listener = bind_listener(loopback(), 5).expect("bind");
            listener.local_addr().expect("bound")
        };
        let refused = match connect_tcp(address, None) {
            Ok(client) => {
                until(&client, PollFlags::POLLOUT);
                take_error(&client).expect_err("nobody listens")
            }
            Err(error) => error,
        };
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn an_address_in_use_is_an_error_and_a_just_left_one_is_not() {
        let listener = bind_listener(loopback(), 5).expect("bind");
        let address = listener.local_addr().expect("bound");
        let again = bind_listener(address, 5).expect_err("in use");
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        bind_listener(address, 5).expect("free again");
    }

    #[test]
    fn an_ipv4_client_of_an_ipv6_wildcard_shows_its_ipv4_address() {
        if !has_ipv6() {
            return;
        }
        let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
        let listener = bind_listener(any, 5).expect("bind");
        let port = listener.local_addr().expect("bound").port();
        let client = connect_tcp((Ipv4Addr::LOCALHOST, port).into(), None).expect("under way");
        until(&client, PollFlags::POLLOUT);
        until(&listener, PollFlags::POLLIN);
        let (_server, peer) = accept(&listener).expect("one waits");
        assert!(peer.is_ipv4(), "{peer}");
    }

    #[test]
    fn a_unix_socket_connects_at_once_or_says_why_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("backend");
        assert!(connect_unix(&path).is_err());
        let _listener = UnixListener::bind(&path).expect("bind");
        connect_unix(&path).expect("somebody listens");
    }

    #[test]
    fn a_reset_reaches_the_peer_as_one() {
        let listener = bind_listener(loopback(), 5).expect("bind");
        let client = connect_tcp(listener.local_addr().expect("bound"), None).expect("under way");
        until(&listener, PollFlags::POLLIN);
        let (server, _) = accept(&listener).expect("one waits");
        reset_on_close(&server).expect("ours");
        drop(server);
        until(&client, PollFlags::POLLIN);
        let mut byte = [0];
        let read = io::Read::read(&mut &client, &mut byte);
        assert_eq!(
            read.expect_err("not an end").kind(),
            io::ErrorKind::ConnectionReset
        );
    }
}
