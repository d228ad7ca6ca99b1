//! The listeners of the server.
//!
//! Responsible for: opening them all or none, keeping those that a restart does not change (their backlog of waiting connections with
//! them), and closing the rest. Not responsible for: accepting; children take the same sockets over fork.
//!
//! Know first: a restart [plans](Listeners::plan) first, which may fail and then has changed nothing, and adopts later. A removed listener
//! stays open in draining children until they stop accepting.
//!
//! httpd: `server/listen.c`.

use crate::sys::socket;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

/// Socket options of all listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenOptions {
    /// `ListenBacklog`
    pub backlog: u32,
    /// `SendBufferSize`; 0 is the system's choice.
    pub send_buffer_bytes: u32,
    /// `ReceiveBufferSize`; 0 is the system's choice.
    pub receive_buffer_bytes: u32,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            backlog: 511,
            send_buffer_bytes: 0,
            receive_buffer_bytes: 0,
        }
    }
}

/// What is open.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    /// As configured: with port 0, the socket has another.
    address: SocketAddr,
    listener: TcpListener,
}

/// What will be open: for each address a new listener, or `None` for the one that is there.
#[derive(Debug)]
pub(super) struct ListenPlan(Vec<(SocketAddr, Option<TcpListener>)>);

/// An address that could not be listened on.
#[derive(Debug)]
pub(super) struct ListenError {
    address: SocketAddr,
    cause: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause.raw_os_error() {
            Some(number) => {
                let text = nix::errno::Errno::from_raw(number).desc();
                write!(f, "({number}){text}")?;
            }
            None => write!(f, "{}", self.cause)?,
        }
        write!(
            f,
            ": AH00072: make_sock: could not bind to address {}",
            self.address
        )
    }
}

impl std::error::Error for ListenError {}

impl Listeners {
    /// Open what `wanted` adds to what is open.
    ///
    /// # Errors
    /// The first address that cannot be listened on; what was opened for this plan is closed again.
    pub(super) fn plan(
        &self,
        wanted: &[SocketAddr],
        options: &ListenOptions,
    ) -> Result<ListenPlan, ListenError> {
        let mut plan: Vec<(SocketAddr, Option<TcpListener>)> = Vec::new();
        for &address in wanted {
            if plan.iter().any(|(earlier, _)| covers(*earlier, address)) {
                continue;
            }
            let is_open = self.open.iter().any(|open| open.address == address);
            let fresh = if is_open {
                None
            } else {
                let opened = open(address, options);
                Some(opened.map_err(|cause| ListenError { address, cause })?)
            };
            plan.push((address, fresh));
        }
        Ok(ListenPlan(plan))
    }

    /// Carry out a plan that was made from these listeners; what it does not name is closed.
    pub(super) fn adopt(&mut self, plan: ListenPlan, options: &ListenOptions) {
        let mut old = std::mem::take(&mut self.open);
        for (address, fresh) in plan.0 {
            if let Some(listener) = fresh {
                self.open.push(Open { address, listener });
                continue;
            }
            if let Some(at) = old.iter().position(|open| open.address == address) {
                let kept = old.swap_remove(at);
                // The backlog may have been configured anew; a kernel that refuses keeps the old one.
                socket::set_backlog(&kept.listener, options.backlog).unwrap_or_default();
                self.open.push(kept);
            }
        }
    }

    /// Whether nothing is open.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Close all.
    pub(super) fn close(&mut self) {
        self.open.clear();
    }

    /// The sockets, for a child that has just been forked.
    #[must_use]
    pub(super) fn into_sockets(self) -> Vec<TcpListener> {
        self.open.into_iter().map(|open| open.listener).collect()
    }
}

fn open(address: SocketAddr, options: &ListenOptions) -> io::Result<TcpListener> {
    let listener = socket::bind_listener(address, options.backlog)?;
    socket::set_buffer_sizes(
        &listener,
        options.send_buffer_bytes,
        options.receive_buffer_bytes,
    )?;
    Ok(listener)
}

/// Whether a listener on `earlier` takes what comes to `later`: the same address, or the IPv6 wildcard before the IPv4 one, which httpd
/// skips too.
fn covers(earlier: SocketAddr, later: SocketAddr) -> bool {
    if earlier == later {
        return true;
    }
    let is_any6 = matches!(earlier.ip(), IpAddr::V6(ip) if ip.is_unspecified());
    let is_any4 = matches!(later.ip(), IpAddr::V4(ip) if ip.is_unspecified());
    is_any6 && is_any4 && earlier.port() == later.port()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    fn free_address() -> SocketAddr {
        let taken = TcpListener::bind("127.0.0.1:0").expect("bind");
        taken.local_addr().expect("bound")
    }

    fn fds(listeners: &Listeners) -> Vec<(SocketAddr, i32)> {
        let open = listeners.open.iter();
        open.map(|open| (open.address, open.listener.as_raw_fd()))
            .collect()
    }

    #[test]
    fn a_restart_keeps_what_stays_opens_what_is_new_and_closes_the_rest() {
        let options = ListenOptions::default();
        let (stays, goes, comes) = (free_address(), free_address(), free_address());
        let mut listeners = Listeners::default();
        let plan = listeners.plan(&[goes, stays], &options).expect("free");
        listeners.adopt(plan, &options);
        let kept = fds(&listeners)[1];
        let plan = listeners.plan(&[stays, comes], &options).expect("free");
        assert_eq!(fds(&listeners).len(), 2, "a plan changes nothing");
        listeners.adopt(plan, &options);
        assert_eq!(fds(&listeners)[0], kept);
        assert_eq!(fds(&listeners)[1].0, comes);
        socket::bind_listener(goes, 5).expect("closed");
    }

    #[test]
    fn a_taken_address_fails_in_httpds_words_and_changes_nothing() {
        let options = ListenOptions::default();
        let taken = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = taken.local_addr().expect("bound");
        let mut listeners = Listeners::default();
        let plan = listeners.plan(&[free_address()], &options).expect("free");
        listeners.adopt(plan, &options);
        let before = fds(&listeners);
        let free = free_address();
        let error = listeners.plan(&[free, address], &options);
        assert_eq!(
            error.expect_err("taken").to_string(),
            format!(
                "(98)Address already in use: AH00072: make_sock: could not bind to address {address}"
            )
        );
        assert_eq!(fds(&listeners), before);
        socket::bind_listener(free, 5).expect("closed again");
    }

    #[test]
    fn what_is_covered_is_not_opened_twice() {
        let table = [
            ("[::]:80", "0.0.0.0:80", true),
            ("0.0.0.0:80", "0.0.0.0:80", true),
            ("0.0.0.0:80", "[::]:80", false),
            ("[::]:80", "0.0.0.0:81", false),
            ("[::1]:80", "127.0.0.1:80", false),
        ];
        for (earlier, later, expected) in table {
            let parse = |text: &str| text.parse().expect("literal");
            assert_eq!(
                covers(parse(earlier), parse(later)),
                expected,
                "{earlier} {later}"
            );
        }
    }
}
