//! The state of one loop, and its turn: everything of the engine that needs no socket of its own to be tested.
//!
//! [`Core`] is told what happened ([`Core::accept`], [`Core::client_event`], [`Core::upstream_event`],
//! [`Core::resolved`], [`Core::end_turn`]) and does everything that can be done without waiting. How sockets are made
//! and watched is behind [`Wires`]: `event_loop` has the real ones, the simulation scripted ones.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use scoreboard::SlotRange;

use crate::codec::{ServerCodec, http1};
use crate::request::{Env, Me, Peers};
use crate::transport::{Ready, Stream, Transport};

use super::backend::Upstream;
use super::books::Books;
use super::client::{Client, Stage};
use super::dial::Addresses;
use super::exchange::Exchange;
use super::gear::Gear;
use super::pool::{Pool, Shared};
use super::slab::{Key, Slab};
use super::tally::Tally;
use super::timers::{Kind, Timers};

/// Makes sockets and watches them.
pub trait Wires {
    /// Begins to connect, from `source` if it is given; the outcome comes as an event.
    ///
    /// # Errors
    /// The attempt failed at once.
    fn connect(
        &mut self,
        to: SocketAddr,
        source: Option<IpAddr>,
        keepalive: bool,
    ) -> io::Result<Stream>;

    /// Connects to a unix socket, which succeeds or fails at once.
    ///
    /// # Errors
    /// Nobody listens there.
    fn connect_unix(&mut self, path: &Path) -> io::Result<Stream>;

    /// Watches a stream, edge-triggered, in both directions.
    ///
    /// # Errors
    /// The system refuses.
    fn watch(&mut self, stream: &mut Stream, kind: Kind, key: Key) -> io::Result<()>;

    /// Stops watching a stream that goes to another loop.
    ///
    /// # Errors
    /// The system refuses.
    fn unwatch(&mut self, stream: &mut Stream) -> io::Result<()>;

    /// Asks for the addresses of a host; the answer comes by [`Core::resolved`] with the number of the question.
    ///
    /// # Errors
    /// Too many questions wait already.
    fn resolve(&mut self, question: u64, host: &str, port: u16) -> io::Result<()>;

    /// Tells the other loops of the child that a connection was parked for them.
    fn wake_siblings(&mut self);
}

/// One loop.
pub struct Core {
    pub(super) clients: Slab<Option<Client>>,
    pub(super) upstreams: Slab<Option<Upstream>>,
    pub(super) exchanges: Slab<Exchange>,
    pub(super) pool: Pool,
    pub(super) timers: Timers,
    pub(super) tally: Tally,
    pub(super) gear: Gear,
    pub(super) books: Books,
    pub(super) addresses: Addresses,
    pub(super) wires: Box<dyn Wires>,
    /// Clients that used up their share of a turn.
    pub(super) again: VecDeque<Key>,
    /// Clients whose request has begun and that wait for a slot.
    pub(super) starved: VecDeque<Key>,
    /// Most client connections at once.
    connections_max: usize,
    /// Connections accepted so far, for MaxConnectionsPerChild.
    accepted: u64,
    /// An assumption of ours was broken: the child had better be replaced.
    pub(super) has_panicked: bool,
}

/// What a loop is born with.
#[derive(Debug)]
pub struct CoreBirth {
    /// This process.
    pub me: Me,
    /// Number of the loop in its child.
    pub thread: u32,
    /// The slots that belong to this loop.
    pub slots: SlotRange,
    /// Most client connections at once.
    pub connections_max: usize,
    /// What the loops of the child share.
    pub shared: &'static Shared,
    /// Unix time in microseconds.
    pub now_us: u64,
}

impl Core {
    /// A loop that has nothing to do yet.
    #[must_use]
    pub fn new(env: &'static Env, wires: Box<dyn Wires>, birth: CoreBirth) -> Self {
        let CoreBirth {
            me,
            thread,
            slots,
            connections_max,
            shared,
            now_us,
        } = birth;
        let mut gear = Gear::new(env, me);
        gear.now_us = now_us;
        Self {
            clients: Slab::new(),
            upstreams: Slab::new(),
            exchanges: Slab::new(),
            pool: Pool::new(shared),
            timers: Timers::new(),
            tally: Tally::new(env.board, me.process, slots, thread, me.pid, now_us),
            gear,
            books: Books::new(thread),
            addresses: Addresses::new(env),
            wires,
            again: VecDeque::new(),
            starved: VecDeque::new(),
            connections_max,
            accepted: 0,
            has_panicked: false,
        }
    }

    /// Begins a turn: everything until the next one happens at this time.
    pub fn begin_turn(&mut self, now_ms: u64, now_us: u64) {
        self.gear.now_ms = now_ms;
        self.gear.now_us = now_us;
    }

    /// Takes an accepted connection in and serves what it has sent already.
    pub fn accept(&mut self, stream: Stream, peers: Peers) {
        let site = self.gear.env.site_at(peers.local);
        let codec = http1::Server::new(site.head_limits);
        let codec: Box<dyn ServerCodec> = Box::new(match site.strict {
            true => codec,
            false => codec.unsafe_lines(),
        });
        let key = self.clients.insert(Client {
            transport: Transport::new(stream, Ready::BOTH),
            input: crate::buf::Input::new(),
            output: crate::buf::Output::new(),
            codec,
            peers,
            site,
            stage: Stage::Fresh,
            exchange: None,
            announced: None,
            served: 0,
            since_ms: self.gear.now_ms,
            moved_ms: self.gear.now_ms,
            received: 0,
            is_at_eof: false,
            must_linger: false,
        });
        self.accepted += 1;
        self.tally.accepted();
        let Some(client) = self.clients.at_mut(key) else {
            return;
        };
        if self
            .wires
            .watch(client.transport.stream_mut(), Kind::Client, key)
            .is_err()
        {
            self.drop_client(key);
            return;
        }
        self.work(key);
    }

    /// A client's socket has news.
    pub fn client_event(&mut self, key: Key, readable: bool, writable: bool, closing: bool) {
        let Some(client) = self.clients.at_mut(key) else {
            return;
        };
        client.transport.ready.add(readable, writable, closing);
        self.work(key);
    }

    /// Whether another client fits.
    #[must_use]
    pub fn has_room(&self) -> bool {
        !self.gear.is_draining
            && !self.has_panicked
            && self.clients.len() < self.connections_max
            && !self.tally.is_full()
    }

    /// Whether requests may have to wait for a slot while connections are free.
    pub(super) fn has_more_connections_than_slots(&self) -> bool {
        self.connections_max > self.tally.slots() as usize
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Whether something went wrong that a new child would not have to live with.
    #[must_use]
    pub const fn has_panicked(&self) -> bool {
        self.has_panicked
    }

    /// No new connections from now on, and none is kept alive longer than its client asks: what is in flight ends.
    pub fn drain(&mut self) {
        if self.gear.is_draining {
            return;
        }
        self.gear.is_draining = true;
        self.tally.quiesce();
        for key in self.clients.keys() {
            if let Some(client) = self.clients.at_mut(key) {
                // An idle connection stays until its timeout: its next request may be on its way already, and
                // is answered with `Connection: close`.
                client.codec.close_after_response();
            }
        }
    }

    /// Whether no new connections are taken any more.
    #[must_use]
    pub const fn is_draining(&self) -> bool {
        self.gear.is_draining
    }

    /// Ends everything now: exchanges are cut, their books closed.
    pub fn quit(&mut self) {
        self.gear.is_draining = true;
        for key in self.clients.keys() {
            self.stop(key);
        }
        self.books.flush();
    }

    /// Whether nothing is left to do for a loop that drains.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.gear.is_draining && self.clients.is_empty()
    }

    /// Ends a turn: looks again at what was paused and at what is due, writes logs. Returns when the loop wants
    /// to be called next, in milliseconds of its clock.
    pub fn end_turn(&mut self) -> Option<u64> {
        let paused = self.again.len();
        for _ in 0..paused {
            if let Some(key) = self.again.pop_front() {
                self.work(key);
            }
        }
        self.tick();
        self.feed_starved();
        self.books.flush();
        self.tally.publish(self.clients.len(), self.exchanges.len());
        if self.again.is_empty() {
            self.timers.next()
        } else {
            Some(self.gear.now_ms)
        }
    }

    /// Looks at every cell whose deadline has come.
    fn tick(&mut self) {
        while let Some((kind, index)) = self.timers.due(self.gear.now_ms) {
            match kind {
                Kind::Client => {
                    if let Some(filed) = self.clients.filed_mut(index) {
                        *filed = None;
                    }
                    if let Some(key) = self.clients.tenant(index) {
                        self.client_due(key);
                    }
                }
                Kind::Backend => {
                    if let Some(filed) = self.upstreams.filed_mut(index) {
                        *filed = None;
                    }
                    if let Some(key) = self.upstreams.tenant(index) {
                        self.upstream_due(key);
                    }
                }
            }
        }
    }

    /// Requests that wait for a slot get the freed ones, in order of arrival.
    fn feed_starved(&mut self) {
        while !self.tally.is_full() {
            let Some(key) = self.starved.pop_front() else {
                return;
            };
            self.work(key);
        }
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("clients", &self.clients.len())
            .field("upstreams", &self.upstreams.len())
            .field("exchanges", &self.exchanges.len())
            .field("timers", &self.timers.len())
            .finish_non_exhaustive()
    }
}
