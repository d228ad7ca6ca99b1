//! From a plan to a connection that can carry it: idle one, or resolve → connect → codec ready.
//!
//! Each rung is a state ([`Dialing`]); the whole ladder has one deadline, `connectiontimeout`. Names are resolved on
//! threads of the resolver; what is found of a backend's host is kept for the life of the child, as httpd does by
//! default. A host that the plan names is asked for each time, and kept for nobody.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::buf::{Input, Outlet, Output};
use crate::http::Part;
use crate::request::{Address, Backend, Env, Failure, FailureKind, Milestone, Sent, Side};
use crate::transport::{Fill, Ready, Stream, Transport};

use super::asks::found;
use super::backend::{Upstream, UpstreamStage};
use super::core::Core;
use super::exchange::Phase;
use super::pool::{Offer, Parked};
use super::pump;
use super::slab::Key;
use super::spool;
use super::timers::Kind;
use super::work::Step;

/// Which rung of the ladder an exchange in phase *Dial* stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dialing {
    /// Nothing was tried yet.
    #[default]
    Start,
    /// Every connection of the pool is busy.
    Queued,
    /// The host's addresses were asked for, by the question with this number.
    Resolving(u64),
    /// A connection is being made.
    Connecting,
    /// The backend's unix socket has a full backlog; at this time of the loop's clock it is tried again.
    Backlogged(u64),
}

/// How long to leave a full backlog alone, in milliseconds. The kernel does not tell when it has room.
const BACKLOG_PAUSE_MS: u64 = 10;

/// What is known of the hosts of all backends, and who waits for what is not. The number of a question about a
/// backend's host is the backend's index; those about hosts of plans have numbers of their own.
#[derive(Debug)]
pub struct Addresses {
    known: Vec<Known>,
    /// The exchanges that wait for the host of their plan, by question.
    planned: HashMap<u64, Key>,
    /// The number of the next such question.
    next: u64,
}

#[derive(Debug)]
enum Known {
    /// Nobody asked yet.
    Unknown,
    /// Asked; these clients wait.
    Asked(Vec<Key>),
    /// The addresses, best first.
    Found(Vec<SocketAddr>),
}

impl Addresses {
    /// Literals are known from the start.
    pub fn new(env: &Env) -> Self {
        let known = env.backends.iter().map(|backend| match &backend.address {
            Address::Tcp { host, port } => host.parse::<IpAddr>().map_or(Known::Unknown, |ip| {
                Known::Found(vec![SocketAddr::new(ip, *port)])
            }),
            Address::Unix(_) | Address::Planned => Known::Unknown,
        });
        Self {
            known: known.collect(),
            planned: HashMap::new(),
            next: u64::from(u32::MAX) + 1,
        }
    }
}

impl Core {
    /// One step up the ladder for an exchange in phase *Dial*.
    pub(super) fn dial(&mut self, client: Key, exchange: Key) -> Result<Step, Failure> {
        let Some(cell) = self.exchanges.get_mut(exchange) else {
            return Ok(Step::Gone);
        };
        if cell.dialing != Dialing::Start {
            return Ok(Step::Wait);
        }
        let backend = cell.plan.backend.expect("a plan names its backend");
        let fresh = cell.plan.is_fresh_only || !backend.may_reuse();
        loop {
            let offer = self.pool.get(backend, fresh);
            if !matches!(offer, Offer::Full) {
                self.milestone(exchange, Milestone::Acquired);
            }
            match offer {
                Offer::Idle(key) => {
                    if self.pair_idle(exchange, key) {
                        return Ok(Step::Again);
                    }
                }
                Offer::Parked(parked) => {
                    if let Some(key) = self.adopt(backend, parked) {
                        self.pair(exchange, key);
                        return Ok(Step::Again);
                    }
                }
                Offer::Open => return self.open(backend, client, exchange),
                Offer::Full => match self.pool.sacrifice(backend) {
                    Some(idle) if fresh => self.drop_upstream(idle),
                    _ => {
                        self.pool.wait(backend, client);
                        self.set_dialing(exchange, Dialing::Queued);
                        return Ok(Step::Wait);
                    }
                },
            }
        }
    }

    /// Uses an idle connection if it still lives: an event may have said otherwise a moment ago.
    fn pair_idle(&mut self, exchange: Key, key: Key) -> bool {
        let lives = self.upstreams.at(key).is_some_and(|up| {
            up.stage == UpstreamStage::Idle && !up.transport.may_fill() && up.input.is_empty()
        });
        if lives {
            self.pair(exchange, key);
        } else {
            self.milestone(exchange, Milestone::Disconnected);
            self.drop_upstream(key);
        }
        lives
    }

    /// Registers a connection that another loop left.
    fn adopt(&mut self, backend: &'static Backend, parked: Parked) -> Option<Key> {
        let key = self.upstreams.insert(Upstream {
            backend,
            // Whatever arrived while it was parked is found by the first read.
            transport: Transport::new(parked.stream, Ready::BOTH),
            input: Input::new(),
            output: Output::new(),
            codec: parked.codec,
            stage: UpstreamStage::Idle,
            exchange: None,
            served: parked.served,
            since_ms: self.gear.now_ms,
            moved_ms: self.gear.now_ms,
            address: None,
            others: VecDeque::new(),
            is_at_eof: false,
            is_counted: true,
        });
        let up = self.upstreams.at_mut(key)?;
        let watched = self
            .wires
            .watch(up.transport.stream_mut(), Kind::Backend, key);
        let died = match &watched {
            Ok(()) => !matches!(
                up.transport.fill(&mut up.input, &mut self.gear.blocks),
                Ok(Fill::NotNow)
            ),
            Err(_) => true,
        };
        if died {
            self.drop_upstream(key);
            return None;
        }
        Some(key)
    }

    /// Opens a connection that the pool has counted.
    fn open(
        &mut self,
        backend: &'static Backend,
        client: Key,
        exchange: Key,
    ) -> Result<Step, Failure> {
        match &backend.address {
            Address::Unix(path) => match self.wires.connect_unix(path) {
                Ok(stream) => {
                    let key =
                        self.insert_upstream(backend, stream, Ready::WRITE, None, VecDeque::new());
                    self.link(exchange, key);
                    self.watch_upstream(key)?;
                    self.pair(exchange, key);
                    Ok(Step::Again)
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.pool.closed(backend);
                    let at = self.gear.now_ms + BACKLOG_PAUSE_MS;
                    self.set_dialing(exchange, Dialing::Backlogged(at));
                    Ok(Step::Wait)
                }
                Err(error) => {
                    self.pool.closed(backend);
                    Err(Failure::io(Side::Backend, FailureKind::Connect, &error))
                }
            },
            Address::Tcp { host, port } => {
                let known = self
                    .addresses
                    .known
                    .get_mut(backend.index as usize)
                    .expect("backends are dense");
                match known {
                    Known::Found(list) => {
                        let list: VecDeque<SocketAddr> = list.iter().copied().collect();
                        self.connect(backend, exchange, list)
                    }
                    Known::Asked(waiting) => {
                        waiting.push(client);
                        self.pool.closed(backend);
                        self.set_dialing(exchange, Dialing::Resolving(backend.index.into()));
                        Ok(Step::Wait)
                    }
                    Known::Unknown => {
                        self.pool.closed(backend);
                        self.wires
                            .resolve(backend.index.into(), host, *port)
                            .map_err(|error| {
                                Failure::io(Side::Backend, FailureKind::Resolve, &error)
                            })?;
                        *known = Known::Asked(vec![client]);
                        self.set_dialing(exchange, Dialing::Resolving(backend.index.into()));
                        Ok(Step::Wait)
                    }
                }
            }
            Address::Planned => self.open_planned(backend, exchange),
        }
    }

    /// Opens a connection to the host that the plan names: an address at once, a name after it was asked for.
    fn open_planned(&mut self, backend: &'static Backend, exchange: Key) -> Result<Step, Failure> {
        let Self {
            exchanges,
            clients,
            gear,
            ..
        } = self;
        let cell = exchanges.get_mut(exchange);
        let client = cell.as_ref().and_then(|cell| cell.client);
        let (Some(cell), Some(client)) = (cell, client.and_then(|key| clients.at(key))) else {
            self.pool.closed(backend);
            return Ok(Step::Gone);
        };
        let to = &cell.plan.address;
        let known = cell.found.take().or_else(|| {
            let ip: IpAddr = to.host.parse().ok()?;
            Some(vec![SocketAddr::new(ip, to.port)])
        });
        if let Some(list) = known {
            if let Some(verdict) = found(cell, client, gear, &list) {
                self.pool.closed(backend);
                cell.has_plan = false;
                return Ok(self.obey(exchange, verdict));
            }
            return self.connect(backend, exchange, list.into());
        }
        self.pool.closed(backend);
        let to = &cell.plan.address;
        let question = self.addresses.next;
        self.wires
            .resolve(question, &to.host, to.port)
            .map_err(|error| Failure::io(Side::Backend, FailureKind::Resolve, &error))?;
        cell.dialing = Dialing::Resolving(question);
        self.addresses.next += 1;
        self.addresses.planned.insert(question, exchange);
        Ok(Step::Wait)
    }

    /// Tries addresses in order until one does not fail at once.
    fn connect(
        &mut self,
        backend: &'static Backend,
        exchange: Key,
        mut list: VecDeque<SocketAddr>,
    ) -> Result<Step, Failure> {
        let mut last = Failure::new(
            Side::Backend,
            FailureKind::Resolve,
            "the host has no address",
        );
        let source = self
            .exchanges
            .get(exchange)
            .and_then(|cell| cell.plan.source);
        while let Some(address) = list.pop_front() {
            match self.wires.connect(address, source, backend.pool.keepalive) {
                Ok(stream) => {
                    self.milestone(exchange, Milestone::SocketCreated(address));
                    let key =
                        self.insert_upstream(backend, stream, Ready::NONE, Some(address), list);
                    self.link(exchange, key);
                    self.set_dialing(exchange, Dialing::Connecting);
                    self.watch_upstream(key)?;
                    return Ok(Step::Wait);
                }
                Err(error) => {
                    self.milestone(exchange, Milestone::Refused(address, error.raw_os_error()));
                    last = Failure::io(Side::Backend, FailureKind::Connect, &error);
                }
            }
        }
        self.pool.closed(backend);
        Err(last)
    }

    fn insert_upstream(
        &mut self,
        backend: &'static Backend,
        stream: Stream,
        ready: Ready,
        address: Option<SocketAddr>,
        others: VecDeque<SocketAddr>,
    ) -> Key {
        self.upstreams.insert(Upstream {
            backend,
            transport: Transport::new(stream, ready),
            input: Input::new(),
            output: Output::new(),
            codec: (backend.codec)(backend.limits),
            stage: UpstreamStage::Connecting,
            exchange: None,
            served: 0,
            since_ms: self.gear.now_ms,
            moved_ms: self.gear.now_ms,
            address,
            others,
            is_at_eof: false,
            is_counted: true,
        })
    }

    fn watch_upstream(&mut self, key: Key) -> Result<(), Failure> {
        let Some(up) = self.upstreams.at_mut(key) else {
            return Ok(());
        };
        self.wires
            .watch(up.transport.stream_mut(), Kind::Backend, key)
            .map_err(|error| Failure::io(Side::Ours, FailureKind::Connect, &error))
    }

    /// The exchange and the connection know each other.
    fn link(&mut self, exchange: Key, key: Key) {
        if let Some(cell) = self.exchanges.get_mut(exchange) {
            cell.upstream = Some(key);
        }
        if let Some(up) = self.upstreams.at_mut(key) {
            up.exchange = Some(exchange);
        }
    }

    fn set_dialing(&mut self, exchange: Key, dialing: Dialing) {
        if let Some(cell) = self.exchanges.get_mut(exchange) {
            cell.dialing = dialing;
        }
    }

    /// The connection is ready: it gets the request's head.
    fn pair(&mut self, exchange: Key, key: Key) {
        self.link(exchange, key);
        if let Err(failure) = self.send_head(exchange, key) {
            // Sent so little that nothing can have been seen; the next look at the exchange deals with it.
            if let Some(cell) = self.exchanges.get_mut(exchange) {
                cell.pending = Some(failure);
            }
        }
    }

    /// Encodes the head of the plan. What follows it is the pump's.
    fn send_head(&mut self, exchange: Key, key: Key) -> Result<(), Failure> {
        let Self {
            exchanges,
            upstreams,
            gear,
            ..
        } = self;
        let (Some(cell), Some(up)) = (exchanges.get_mut(exchange), upstreams.at_mut(key)) else {
            return Ok(());
        };
        up.stage = UpstreamStage::Busy;
        cell.dialing = Dialing::Start;
        cell.upstream_stream = up.codec.open().ok_or_else(|| {
            Failure::new(
                Side::Ours,
                FailureKind::Connect,
                "the connection takes no more requests",
            )
        })?;
        up.codec.judge(cell.plan.bad_lines);
        cell.count.backend_out = 0;
        cell.count.backend_in = 0;
        cell.count.backend_ms = gear.now_ms;
        cell.plan.head.content = cell.held.size().unwrap_or_default();
        cell.awaits_continue = cell.plan.head.expects_continue && !spool::is_without_content(cell);
        let part = Part::Head(std::mem::replace(&mut cell.plan.head, gear.requests.take()));
        let mut outlet = Outlet {
            output: &mut up.output,
            blocks: &mut gear.blocks,
        };
        let pushed = pump::push(up.codec.as_mut(), cell, &part, &mut outlet);
        if let Part::Head(head) = part {
            gear.requests
                .put(std::mem::replace(&mut cell.plan.head, head));
        }
        pushed?;
        cell.sent = Sent::Head;
        cell.mark(crate::log::Milestone::Dialed, gear.now_us);
        cell.count.backend_out = up.output.len() as u64;
        cell.enter(Phase::Await, gear.now_ms);
        Ok(())
    }

    /// The addresses of a host have come, or not.
    pub fn resolved(&mut self, question: u64, answer: io::Result<Vec<SocketAddr>>) {
        match u32::try_from(question) {
            Ok(backend) => self.backend_resolved(backend, answer),
            Err(_) => self.planned_resolved(question, answer),
        }
    }

    fn planned_resolved(&mut self, question: u64, answer: io::Result<Vec<SocketAddr>>) {
        let exchange = self.addresses.planned.remove(&question);
        let Some(cell) = exchange.and_then(|exchange| self.exchanges.get_mut(exchange)) else {
            return;
        };
        // An exchange that gave up waiting may be asking for another host by now.
        let (true, Some(client)) = (cell.dialing == Dialing::Resolving(question), cell.client)
        else {
            return;
        };
        cell.dialing = Dialing::Start;
        match answer {
            Ok(list) => cell.found = Some(list),
            Err(error) => {
                cell.pending = Some(Failure::io(Side::Backend, FailureKind::Resolve, &error));
            }
        }
        self.work(client);
    }

    fn backend_resolved(&mut self, backend: u32, answer: io::Result<Vec<SocketAddr>>) {
        let Some(known) = self.addresses.known.get_mut(backend as usize) else {
            return;
        };
        let Known::Asked(waiting) = std::mem::replace(known, Known::Unknown) else {
            return;
        };
        let failure = match answer {
            Ok(list) => {
                *known = Known::Found(list);
                None
            }
            Err(error) => Some(Failure::io(Side::Backend, FailureKind::Resolve, &error)),
        };
        for client in waiting {
            let Some(exchange) = self.clients.at(client).and_then(|c| c.exchange) else {
                continue;
            };
            let Some(cell) = self.exchanges.get_mut(exchange) else {
                continue;
            };
            if cell.dialing == Dialing::Resolving(backend.into()) {
                cell.dialing = Dialing::Start;
                cell.pending.clone_from(&failure);
                self.work(client);
            }
        }
    }

    /// A backend's socket has news.
    pub fn upstream_event(&mut self, key: Key, readable: bool, writable: bool, closing: bool) {
        let Some(up) = self.upstreams.at_mut(key) else {
            return;
        };
        up.transport.ready.add(readable, writable, closing);
        match (up.stage, up.exchange) {
            (UpstreamStage::Connecting, Some(exchange)) => {
                if writable || closing {
                    self.connected(key, exchange);
                }
            }
            (UpstreamStage::Busy, Some(exchange)) => {
                if let Some(client) = self.exchanges.get(exchange).and_then(|cell| cell.client) {
                    self.work(client);
                }
            }
            // Bytes on an idle connection belong to no one, and a close ends it: either way it can't be used again.
            _ => {
                if readable || closing {
                    self.drop_upstream(key);
                }
            }
        }
    }

    /// A connection attempt has ended.
    fn connected(&mut self, key: Key, exchange: Key) {
        let Some(up) = self.upstreams.at_mut(key) else {
            return;
        };
        let error = match up.transport.take_error() {
            Ok(None) => None,
            Ok(Some(error)) | Err(error) => Some(error),
        };
        let client = self.exchanges.get(exchange).and_then(|cell| cell.client);
        match error {
            None => {
                if let Some(address) = up.address {
                    self.milestone(exchange, Milestone::Connected(address));
                }
                self.pair(exchange, key);
            }
            Some(error) => self.try_next_address(key, exchange, &error),
        }
        if let Some(client) = client {
            self.work(client);
        }
    }

    fn try_next_address(&mut self, key: Key, exchange: Key, error: &io::Error) {
        let Some(up) = self.upstreams.take(key) else {
            return;
        };
        if let Some(cell) = self.exchanges.get_mut(exchange) {
            cell.upstream = None;
            cell.dialing = Dialing::Start;
        }
        if let Some(address) = up.address {
            self.milestone(exchange, Milestone::Refused(address, error.raw_os_error()));
        }
        let failure = if up.others.is_empty() {
            self.pool.closed(up.backend);
            Some(Failure::io(Side::Backend, FailureKind::Connect, error))
        } else {
            self.connect(up.backend, exchange, up.others).err()
        };
        if let Some(cell) = self.exchanges.get_mut(exchange)
            && failure.is_some()
        {
            cell.pending = failure;
        }
    }
}
