//! The loop of one thread: polls, and tells [`Core`] what happened.
//!
//! ```text
//! poll ─► listener   accept while there is room
//!      ─► client     Core::client_event
//!      ─► backend    Core::upstream_event
//!      ─► control    drain or quit (first loop of a child only; it passes orders on)
//!      ─► waker      answers of the resolver, orders, connections that siblings parked
//!      ─► (deadline) Core::end_turn
//! ```
//!
//! The accept gate: listeners are in the poll's own epoll with `EPOLLEXCLUSIVE`, so that a connection wakes one child;
//! they are taken out while the slab is full and put back when it has room, and putting back reports what waits.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use scoreboard::SlotRange;

use crate::request::{Env, Me, Peers};
use crate::sys::clock;
use crate::sys::control::{Control, Order};
use crate::sys::resolver::Resolver;
use crate::sys::{exclusive, socket};
use crate::transport::Stream;

use super::core::{Core, CoreBirth, Wires};
use super::pool::Shared;
use super::slab::Key;
use super::timers::Kind;

/// How many events are taken from the kernel at once.
const EVENTS: usize = 256;

/// How many connections are accepted per listener and turn, so that siblings get their share of a burst.
const ACCEPTS: usize = 16;

/// What one loop is born with.
#[derive(Debug)]
pub struct LoopBirth {
    /// The generation's configuration.
    pub env: &'static Env,
    /// This process.
    pub me: Me,
    /// Number of the loop in the child; loop 0 has the control wire.
    pub thread: u32,
    /// The scoreboard slots of this loop.
    pub slots: SlotRange,
    /// Most client connections at once.
    pub connections_max: usize,
    /// The generation's listeners, non-blocking.
    pub listeners: Arc<Vec<TcpListener>>,
    /// What the loops of this child share.
    pub shared: &'static Shared,
    /// What the loops of this child tell each other.
    pub party: &'static Party,
    /// The wire to the parent, for loop 0.
    pub control: Option<Control>,
    /// Connections after which the loop drains by itself (MaxConnectionsPerChild); 0 is never.
    pub accepts_max: u64,
}

/// What the loops of one child tell each other: one standing order, and a bell for each.
#[derive(Debug)]
pub struct Party {
    order: AtomicU32,
    /// The bell of each loop, once it has one.
    bells: Vec<OnceLock<Arc<Waker>>>,
}

impl Party {
    /// For `size` loops.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self {
            order: AtomicU32::new(0),
            bells: (0..size).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Hangs a loop's bell up, and rings it: an order may have been given before.
    fn join(&self, thread: u32, bell: Arc<Waker>) -> io::Result<()> {
        let place = usize::try_from(thread)
            .ok()
            .and_then(|at| self.bells.get(at));
        let _hung_already = place.map(|place| place.set(bell.clone()));
        // Either who gives an order finds the bell, or the loop finds the order.
        fence(Ordering::SeqCst);
        bell.wake()
    }

    /// Gives an order to every loop. Orders only get stronger.
    pub fn tell(&self, order: Order) {
        self.order.fetch_max(code(order), Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.ring();
    }

    /// Wakes every loop.
    fn ring(&self) {
        for bell in self.bells.iter().filter_map(OnceLock::get) {
            // A bell that can't ring belongs to a loop that has ended.
            let _gone = bell.wake();
        }
    }

    fn order(&self) -> Option<Order> {
        match self.order.load(Ordering::SeqCst) {
            0 => None,
            1 => Some(Order::Drain),
            _ => Some(Order::Quit),
        }
    }
}

const fn code(order: Order) -> u32 {
    match order {
        Order::Drain => 1,
        Order::Quit => 2,
    }
}

/// Serves until ordered to end. The result says why the loop could not go on, if it could not.
///
/// # Errors
/// The system refused what a loop can't live without: an epoll, a waker, a registration.
pub fn run(birth: LoopBirth) -> io::Result<()> {
    EventLoop::new(birth)?.serve()
}

struct EventLoop {
    poll: Poll,
    core: Core,
    listeners: Arc<Vec<TcpListener>>,
    is_gate_open: bool,
    control: Option<Control>,
    party: &'static Party,
    resolver: Arc<Lookups>,
    began: Instant,
    accepts_max: u64,
}

/// The resolver of this loop, made by the first question.
#[derive(Debug)]
struct Lookups {
    resolver: OnceLock<Resolver>,
    bell: Arc<Waker>,
}

impl EventLoop {
    fn new(birth: LoopBirth) -> io::Result<Self> {
        let LoopBirth {
            env,
            me,
            thread,
            slots,
            connections_max,
            listeners,
            shared,
            party,
            control,
            accepts_max,
        } = birth;
        let poll = Poll::new()?;
        let bell = Arc::new(Waker::new(poll.registry(), WAKER)?);
        party.join(thread, bell.clone())?;
        if let Some(control) = &control {
            for (n, fd) in control.fds().enumerate() {
                let raw = fd.as_raw_fd();
                poll.registry().register(
                    &mut SourceFd(&raw),
                    Token(CONTROL.0 + n),
                    Interest::READABLE,
                )?;
            }
        }
        let resolver = Arc::new(Lookups {
            resolver: OnceLock::new(),
            bell,
        });
        let wires = Box::new(MioWires {
            registry: poll.registry().try_clone()?,
            resolver: resolver.clone(),
            party,
        });
        let now = clock::now();
        let core = Core::new(
            env,
            wires,
            CoreBirth {
                me,
                thread,
                slots,
                connections_max,
                shared,
                now_us: now.unix_us,
            },
        );
        Ok(Self {
            poll,
            core,
            listeners,
            is_gate_open: false,
            control,
            party,
            resolver,
            began: now.instant,
            accepts_max,
        })
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        self.gate()?;
        let mut wake_ms = None;
        loop {
            let timeout =
                wake_ms.map(|at: u64| Duration::from_millis(at.saturating_sub(self.now_ms())));
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            let now = clock::now();
            self.core
                .begin_turn(millis(now.instant - self.began), now.unix_us);
            // What backends say comes first: no request may go out on an idle connection whose end is in the same batch.
            for event in &events {
                if let Source::Backend(key) = decode(event.token()) {
                    let (readable, writable) = (event.is_readable(), event.is_writable());
                    self.core
                        .upstream_event(key, readable, writable, is_closing(event));
                }
            }
            let mut is_called = false;
            for event in &events {
                match decode(event.token()) {
                    Source::Client(key) => {
                        let (readable, writable) = (event.is_readable(), event.is_writable());
                        self.core
                            .client_event(key, readable, writable, is_closing(event));
                    }
                    Source::Backend(_) => {}
                    Source::Listener(index) => self.accept(index),
                    Source::Called => is_called = true,
                }
            }
            if is_called && self.called() == Some(Order::Quit) {
                self.core.quit();
                return Ok(());
            }
            wake_ms = self.core.end_turn();
            let is_worn_out = self.accepts_max > 0 && self.core.accepted() >= self.accepts_max;
            if is_worn_out || self.core.has_panicked() {
                self.party.tell(Order::Drain);
            }
            self.gate()?;
            if self.core.is_draining() && !self.listeners.is_empty() {
                // Out of the epoll already. Without the descriptors gone as well, the port would stay open for as long
                // as the last exchange takes.
                self.listeners = Arc::default();
            }
            if self.core.is_drained() {
                return Ok(());
            }
        }
    }

    /// Milliseconds of the loop's clock, read for the poll's timeout only: the turn has its own.
    fn now_ms(&self) -> u64 {
        millis(clock::now().instant - self.began)
    }

    /// Takes connections that wait, while there is room.
    fn accept(&mut self, index: usize) {
        for _ in 0..ACCEPTS {
            if !self.core.has_room() {
                return;
            }
            let Some(listener) = self.listeners.get(index) else {
                return;
            };
            // Nobody there, or a sibling was faster, or the client has left already: an event will tell of the next.
            let Ok((stream, client)) = socket::accept(listener) else {
                return;
            };
            let Ok(local) = stream.local_addr() else {
                continue;
            };
            let local = SocketAddr::new(local.ip().to_canonical(), local.port());
            let _kept_slow = socket::set_nodelay(stream.as_fd(), true);
            self.core.accept(
                Stream::Tcp(mio::net::TcpStream::from_std(stream)),
                Peers { client, local },
            );
        }
    }

    /// Opens or shuts the accept gate as the room demands.
    fn gate(&mut self) -> io::Result<()> {
        let wanted = self.core.has_room();
        if wanted == self.is_gate_open {
            return Ok(());
        }
        for (index, listener) in self.listeners.iter().enumerate() {
            if wanted {
                exclusive::add(&self.poll, listener.as_fd(), Token(LISTENER.0 + index))?;
            } else {
                exclusive::remove(&self.poll, listener.as_fd())?;
            }
        }
        self.is_gate_open = wanted;
        Ok(())
    }

    /// Somebody rang: orders of the parent, answers of the resolver, connections of siblings.
    fn called(&mut self) -> Option<Order> {
        if let Some(order) = self.control.as_mut().and_then(Control::order) {
            self.party.tell(order);
        }
        let resolver = self.resolver.clone();
        if let Some(resolver) = resolver.resolver.get() {
            for (question, answer) in resolver.answers() {
                self.core.resolved(question, answer);
            }
        }
        self.core.siblings_called();
        let order = self.party.order();
        if order == Some(Order::Drain) {
            // Whoever waits at a listener that nobody else will serve must not be reset.
            (0..self.listeners.len()).for_each(|index| self.accept(index));
            self.core.drain();
        }
        order
    }
}

/// Real sockets, watched by mio.
struct MioWires {
    registry: mio::Registry,
    resolver: Arc<Lookups>,
    party: &'static Party,
}

impl Wires for MioWires {
    fn connect(
        &mut self,
        to: SocketAddr,
        source: Option<IpAddr>,
        keepalive: bool,
    ) -> io::Result<Stream> {
        let stream = socket::connect_tcp(to, source)?;
        if keepalive {
            socket::set_keepalive(stream.as_fd(), None)?;
        }
        Ok(Stream::Tcp(mio::net::TcpStream::from_std(stream)))
    }

    fn connect_unix(&mut self, path: &Path) -> io::Result<Stream> {
        Ok(Stream::Unix(mio::net::UnixStream::from_std(
            socket::connect_unix(path)?,
        )))
    }

    fn watch(&mut self, stream: &mut Stream, kind: Kind, key: Key) -> io::Result<()> {
        let token = encode(kind, key);
        let both = Interest::READABLE | Interest::WRITABLE;
        match stream {
            Stream::Tcp(socket) => self.registry.register(socket, token, both),
            Stream::Unix(socket) => self.registry.register(socket, token, both),
            #[cfg(any(test, feature = "sim"))]
            Stream::Memory(_) => Ok(()),
        }
    }

    fn unwatch(&mut self, stream: &mut Stream) -> io::Result<()> {
        match stream {
            Stream::Tcp(socket) => self.registry.deregister(socket),
            Stream::Unix(socket) => self.registry.deregister(socket),
            #[cfg(any(test, feature = "sim"))]
            Stream::Memory(_) => Ok(()),
        }
    }

    fn resolve(&mut self, question: u64, host: &str, port: u16) -> io::Result<()> {
        let Lookups { resolver, bell } = &*self.resolver;
        let resolver = resolver.get_or_init(|| {
            let bell = bell.clone();
            Resolver::new(move || {
                let _loop_has_ended = bell.wake();
            })
        });
        resolver.ask(question, host, port)
    }

    fn wake_siblings(&mut self) {
        self.party.ring();
    }
}

/// Where an event comes from.
enum Source {
    Client(Key),
    Backend(Key),
    Listener(usize),
    Called,
}

// A token is the cell's generation in the upper half; in the lower half one bit for the kind and the cell's index.
// Cells never reach the index space that the fixed tokens use.
const BACKEND_BIT: u64 = 1 << 31;
const FIXED: usize = 0x7fff_0000;
const WAKER: Token = Token(FIXED);
const CONTROL: Token = Token(FIXED + 1);
const LISTENER: Token = Token(FIXED + 16);

fn encode(kind: Kind, key: Key) -> Token {
    let kind = match kind {
        Kind::Client => 0,
        Kind::Backend => BACKEND_BIT,
    };
    let packed = u64::from(key.generation) << 32 | kind | u64::from(key.index);
    Token(usize::try_from(packed).expect("a 64-bit system"))
}

/// The peer has closed its side, or the connection is broken.
fn is_closing(event: &mio::event::Event) -> bool {
    event.is_read_closed() || event.is_error()
}

fn decode(token: Token) -> Source {
    match token.0 {
        n if (LISTENER.0..FIXED + 0x1_0000).contains(&n) => Source::Listener(n - LISTENER.0),
        n if (FIXED..LISTENER.0).contains(&n) => Source::Called,
        n => {
            let packed = n as u64;
            let lower = u32::try_from(packed & u64::from(u32::MAX)).unwrap_or(0);
            let generation = u32::try_from(packed >> 32).unwrap_or(0);
            let index = lower & 0x7fff_ffff;
            let key = Key { index, generation };
            if packed & BACKEND_BIT == 0 {
                Source::Client(key)
            } else {
                Source::Backend(key)
            }
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_is_born_after_an_order_hears_it() {
        let party = Party::new(2);
        party.tell(Order::Drain);
        let mut poll = Poll::new().unwrap();
        let bell = Arc::new(Waker::new(poll.registry(), WAKER).unwrap());
        party.join(1, bell).unwrap();
        let mut events = Events::with_capacity(4);
        let hear = |poll: &mut Poll, events: &mut Events| {
            poll.poll(events, Some(Duration::ZERO)).unwrap();
            !events.is_empty()
        };
        assert!(hear(&mut poll, &mut events));
        assert_eq!(party.order(), Some(Order::Drain));
        assert!(!hear(&mut poll, &mut events));
        party.tell(Order::Quit);
        assert!(hear(&mut poll, &mut events));
        assert_eq!(party.order(), Some(Order::Quit));
    }

    #[test]
    fn tokens_keep_kind_index_and_generation_apart() {
        for (kind, index, generation) in [
            (Kind::Client, 0, 0),
            (Kind::Backend, 0, 0),
            (Kind::Client, 70_000, 3),
            (Kind::Backend, 1, u32::MAX),
        ] {
            let key = Key { index, generation };
            match (decode(encode(kind, key)), kind) {
                (Source::Client(found), Kind::Client) | (Source::Backend(found), Kind::Backend) => {
                    assert_eq!(found, key);
                }
                _ => panic!("kind lost"),
            }
        }
        assert!(matches!(decode(WAKER), Source::Called));
        assert!(matches!(decode(Token(CONTROL.0 + 1)), Source::Called));
        assert!(matches!(decode(Token(LISTENER.0 + 5)), Source::Listener(5)));
    }
}
