//! systemd's notification protocol: datagrams of `KEY=value` lines to the socket named in `NOTIFY_SOCKET`.
//!
//! Responsible for: sending them (sd_notify(3)). Not responsible for: what to say. Without the variable, or when the socket is full or gone,
//! nothing happens: a server never fails because its supervisor does not listen.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The way to the service manager, if there is one.
#[derive(Debug, Default)]
pub struct Notifier {
    manager: Option<UnixDatagram>,
}

impl Notifier {
    /// Find the manager named in the environment.
    #[must_use]
    pub fn from_environment() -> Self {
        env::var_os("NOTIFY_SOCKET").map_or_else(Self::default, |name| Self::to(&name))
    }

    /// Speak to the socket of this name: a path, or `@` and an abstract name.
    #[must_use]
    pub fn to(name: &OsStr) -> Self {
        Self {
            manager: connect(name).ok(),
        }
    }

    /// Send lines such as `READY=1`, separated by newlines.
    pub fn say(&self, lines: &str) {
        if let Some(manager) = &self.manager {
            // A manager that does not read loses a status line; it would be worse to wait for it.
            manager.send(lines.as_bytes()).unwrap_or_default();
        }
    }

    /// Send `STATUS=` with a line that a person reads. What follows a newline is dropped, for it would be another key.
    pub fn status(&self, text: &str) {
        let line = text.lines().next().unwrap_or_default();
        self.say(&format!("STATUS={line}"));
    }
}

fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_gets_one_datagram_per_saying() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("bind");
        let notifier = Notifier::to(path.as_os_str());
        notifier.say("READY=1\nMAINPID=7");
        notifier.status("serving 3\nREADY=0");
        let mut buffer = [0; 64];
        let count = manager.recv(&mut buffer).expect("first");
        assert_eq!(&buffer[..count], b"READY=1\nMAINPID=7");
        let count = manager.recv(&mut buffer).expect("second");
        assert_eq!(&buffer[..count], b"STATUS=serving 3");
    }

    #[test]
    fn no_manager_is_no_error() {
        Notifier::default().say("READY=1");
        Notifier::to(OsStr::new("/no/such/socket")).say("READY=1");
    }
}
