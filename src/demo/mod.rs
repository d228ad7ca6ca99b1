//! `tine --demo`: the picture "putting it all together", alive on one machine.
//!
//! Responsible for: a directory of its own with a configuration, backends that answer with their names, a server that runs that
//! configuration, the words that say what to try, and leaving nothing behind. Not responsible for: serving; that is `server`'s, exactly as
//! in a real start.
//!
//! ```text
//!   demo ──fork──► php1 php2 phpbkup tc1 tc2 images start     one process each: ended by a signal, by the end of the lifeline
//!     │                                                       (a pipe that only the demo holds open), or by the demo's death
//!     └──fork──► tine's parent ──► its children
//! ```
//!
//! Know first: every process forked here leads a process group of its own. Ctrl-C, and the signal of a terminal that changes its size
//! (which asks a server to stop gracefully), therefore reach the demo alone, which ends the others in order.
//!
//! Where to read: this file (the story) → `conf` (the configuration) → `origin` (a backend) → `page` (what it answers) → `cast` (who is who).

mod cast;
mod conf;
mod origin;
mod page;
mod words;

use crate::cli::{complain, say};
use crate::config::Options;
use crate::mpm::Standing;
use crate::server::{self, Extensions, Start};
use crate::sys::clock;
use crate::sys::privileges::{Identity, are_root};
use crate::sys::process::{self, Exit, Fork, Pid};
use crate::sys::signals::{self, Signal, Signals};
use cast::{CAST, Part};
use conf::Place;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, PipeReader, PipeWriter};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

/// Run the demo until it is told to end; the result is the exit code.
pub(crate) fn run(extensions: Extensions) -> i32 {
    match Demo::start(extensions).and_then(Demo::watch) {
        Ok(()) => 0,
        Err(error) => {
            complain(&format!("tine: the demo has failed: {error}"), None);
            1
        }
    }
}

/// A demo under way.
struct Demo {
    place: Place,
    /// The address that the server listens on.
    address: SocketAddr,
    /// Holds the address, bound and not listening, until the end.
    _reserved: Socket,
    signals: Signals,
    server: Option<Pid>,
    origins: Vec<(Pid, &'static Part)>,
    /// When this closes, the origins end.
    _lifeline: PipeWriter,
}

/// What is made before anything is forked, and lent to each child.
struct Stage {
    place: Place,
    address: SocketAddr,
    reserved: Socket,
    /// One for each of the cast, in its order.
    listeners: Vec<TcpListener>,
    lifeline: (PipeReader, PipeWriter),
    identity: Option<Identity>,
}

impl Stage {
    fn build() -> io::Result<Self> {
        let (reserved, address) = reserve()?;
        let listeners = CAST
            .iter()
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
        let addresses = listeners.iter().map(TcpListener::local_addr);
        let addresses = addresses.collect::<io::Result<Vec<_>>>()?;
        let identity = identity()?;
        let place = Place::make(&conf::text(address, &addresses, identity.is_some()))?;
        Ok(Self {
            place,
            address,
            reserved,
            listeners,
            lifeline: io::pipe()?,
            identity,
        })
    }
}

impl Demo {
    fn start(extensions: Extensions) -> io::Result<Self> {
        let stage = Stage::build()?;
        // Blocked until the handlers stand, so that no signal finds children to be ended and nobody to end them.
        let blocked = signals::block()?;
        let mut origins = Vec::new();
        for (index, part) in CAST.iter().enumerate() {
            match process::fork()? {
                Fork::Parent(pid) => origins.push((pid, part)),
                Fork::Child => {
                    blocked.let_in();
                    play(index, part, stage)
                }
            }
        }
        let server = match process::fork()? {
            Fork::Parent(pid) => pid,
            Fork::Child => {
                blocked.let_in();
                serve(stage, extensions)
            }
        };
        let signals = Signals::parent()?;
        blocked.let_in();
        Ok(Self {
            place: stage.place,
            address: stage.address,
            _reserved: stage.reserved,
            signals,
            server: Some(server),
            origins,
            _lifeline: stage.lifeline.1,
        })
    }

    /// From the first answer to the last.
    fn watch(mut self) -> io::Result<()> {
        let mut is_open = false;
        loop {
            let patience = if is_open { LONG } else { MOMENT };
            process::wait_readable(&self.signals, patience)?;
            let arrived = self.signals.take();
            self.reap(is_open);
            let ends = [Signal::Interrupt, Signal::Terminate, Signal::Hangup];
            if ends.into_iter().any(|signal| arrived.has(signal)) {
                return self.end();
            }
            if self.server.is_none() {
                self.end()?;
                return Err(io::Error::other(
                    "the server has ended by itself, see above",
                ));
            }
            if !is_open && self.is_serving() {
                is_open = true;
                say(&words::opening(&self.place, self.address, &self.origins));
            }
        }
    }

    fn is_serving(&self) -> bool {
        matches!(
            Standing::of(&self.place.pid_file()),
            Ok(Standing::Running(_))
        )
    }

    /// Collects who has ended, and says what that means.
    fn reap(&mut self, is_told: bool) {
        while let Some((pid, exit)) = process::reap() {
            if self.server == Some(pid) {
                self.server = None;
                if let Exit::Signal { number, .. } = exit {
                    let name = signals::describe(number);
                    complain(&format!("tine: the server ended by a signal: {name}"), None);
                }
            }
            if let Some(at) = self.origins.iter().position(|(known, _)| *known == pid) {
                let (_, part) = self.origins.remove(at);
                if is_told {
                    say(&words::ended(part, pid, &self.origins));
                }
            }
        }
    }

    /// First the server, so that nobody asks a backend that is gone; then the backends; the directory goes with `self`.
    fn end(&mut self) -> io::Result<()> {
        if let Some(server) = self.server {
            self.tell(server, Signal::Terminate);
            self.until(SERVER_ENDS, |demo| demo.server.is_none())?;
            if self.server.is_some() {
                self.tell(server, Signal::Kill);
            }
        }
        let origins: Vec<Pid> = self.origins.iter().map(|(pid, _)| *pid).collect();
        for signal in [Signal::Terminate, Signal::Kill] {
            for pid in &origins {
                self.tell(*pid, signal);
            }
            self.until(ORIGINS_END, |demo| {
                demo.origins.is_empty() && demo.server.is_none()
            })?;
        }
        Ok(())
    }

    /// Signals one of ours, unless it has ended and been collected: its number may be a stranger's by now.
    fn tell(&self, pid: Pid, signal: Signal) {
        let is_ours =
            self.server == Some(pid) || self.origins.iter().any(|(known, _)| *known == pid);
        if is_ours && let Err(error) = pid.signal(signal) {
            complain(&format!("tine: signalling process {pid}: {error}"), None);
        }
    }

    fn until(&mut self, at_most: Duration, is_over: impl Fn(&Self) -> bool) -> io::Result<()> {
        let begun = clock::now().instant;
        self.reap(false);
        while !is_over(self) {
            let waited = clock::now().instant.saturating_duration_since(begun);
            let Some(left) = at_most.checked_sub(waited) else {
                break;
            };
            process::wait_readable(&self.signals, left)?;
            // CHLD woke us, or an impatient Ctrl-C; what comes next is the same.
            let _ = self.signals.take();
            self.reap(false);
        }
        Ok(())
    }
}

/// The address of the server, held by a socket that never listens: others get different ports, and a listener may still join.
fn reserve() -> io::Result<(Socket, SocketAddr)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.cloexec(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let address = socket.local_addr()?.as_socket();
    let address =
        address.ok_or_else(|| io::Error::other("an IPv4 socket without an IPv4 address"))?;
    Ok((socket, address))
}

/// Who serves when root has started the demo.
fn identity() -> io::Result<Option<Identity>> {
    if !are_root() {
        return Ok(None);
    }
    let found = Identity::resolve(conf::NOBODY, Some(conf::NOBODY_GROUP));
    found.map(Some).map_err(io::Error::other)
}

/// The life of an origin.
fn play(index: usize, part: &'static Part, stage: Stage) -> ! {
    let Stage {
        place,
        address,
        mut listeners,
        lifeline: (lifeline, writer),
        identity,
        ..
    } = stage;
    // With the lifeline in hand it would never end; with the listeners of others in hand, those would seem to live when they do not.
    drop(writer);
    let listener = listeners.swap_remove(index);
    drop(listeners);
    place.forget();
    let ready = alone(identity.as_ref());
    let played = ready.and_then(|()| origin::play(part, listener, address, lifeline));
    if let Err(error) = &played {
        complain(&format!("tine: {}: {error}", part.name), None);
    }
    process::exit_now(i32::from(played.is_err()))
}

/// The life of the server: the same as that of any other.
fn serve(stage: Stage, extensions: Extensions) -> ! {
    let Stage {
        place,
        lifeline,
        listeners,
        ..
    } = stage;
    // What this process holds, the server's children would hold after it.
    drop(lifeline);
    drop(listeners);
    let file = place.configuration();
    let ended = alone(None)
        .map_err(|error| error.to_string())
        .and_then(|()| {
            server::run(Start {
                command_line: format!("tine -D FOREGROUND -f {}", file.display()),
                options: Options {
                    file,
                    server_root: None,
                    defines: Vec::new(),
                    before: Vec::new(),
                    after: Vec::new(),
                    env: &|_| None,
                },
                is_foreground: true,
                startup_level: None,
                startup_log: None,
                extensions,
            })
        });
    // The server has no more use for it; and should the demo have been killed, nobody else removes it.
    drop(place);
    process::exit_now(ended.unwrap_or_else(|errors| {
        complain(&errors, None);
        1
    }))
}

/// What every process forked here does first.
fn alone(identity: Option<&Identity>) -> io::Result<()> {
    let (ours, group) = (nix::unistd::Pid::from_raw(0), nix::unistd::Pid::from_raw(0));
    nix::unistd::setpgid(ours, group)?;
    if let Some(identity) = identity {
        identity.assume().map_err(io::Error::other)?;
    }
    process::set_parent_death_signal(Signal::Terminate)
}

/// Between two looks at whether the server serves.
const MOMENT: Duration = Duration::from_millis(20);
/// There is nothing to look at until a signal arrives.
const LONG: Duration = Duration::from_secs(3600);
/// The server gives its children 10 s.
const SERVER_ENDS: Duration = Duration::from_secs(15);
/// An origin has nothing to finish.
const ORIGINS_END: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_address_takes_a_listener_and_no_stranger() {
        let (reserved, address) = reserve().expect("loopback");
        assert!(
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .expect("loopback")
                .local_addr()
                .expect("bound")
                != address
        );
        let listener = crate::sys::socket::bind_listener(address, 1).expect("it may join");
        assert_eq!(listener.local_addr().expect("bound"), address);
        drop(reserved);
    }
}
