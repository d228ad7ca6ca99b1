//! Simulation: the whole engine over scripted streams and a hand-moved clock, from a seed.
//!
//! Clients send generated requests in random pieces and sometimes vanish; origins answer in random pieces, close,
//! reset, stall or lie. After every run: each client saw, in order, the answers to what it sent, until its
//! connection ended; every plan was settled exactly once (I8); no slot, cell or buffer is left. A failing seed is
//! replayed by `TINE_SEED=n cargo test --lib engine::sim`.

mod ledger;
mod tunnels;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crossbeam::queue::SegQueue;
use scoreboard::{Board, Capacity, SlotRange};

use super::core::{Core, CoreBirth, Wires};
use super::pool::Shared;
use super::slab::Key;
use super::timers::Kind;
use crate::buf::{Blocks, Input, Outlet, Output};
use crate::codec::{ClientCodec as _, Codec as _, Limits, StreamId, http1};
use crate::config::model::{Config, Server};
use crate::http::head::Shelf;
use crate::http::{ContentSize, Method, Part, RequestHead, ResponseHead, Status};
use crate::request::{
    Address, Ask, Backend, Claim, Env, Failure, Handler, Me, Outcome, Peers, Plan, PoolRules, Sent,
    Site, Verdict, Vhosts,
};
use crate::transport::Stream;
use crate::transport::memory::Pipe;

/// A small generator: xorshift is random enough to choose splits, and every seed gives the same run on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides.max(1)
    }

    fn size(&mut self, sides: usize) -> usize {
        usize::try_from(self.roll(sides as u64)).unwrap()
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }
}

/// Forwards everything to one backend and counts what it claimed and settled.
struct Forwarder {
    backend: &'static Backend,
    open: AtomicI64,
    settled: AtomicI64,
}

impl Forwarder {
    fn plan(&self, ask: &Ask<'_>, plan: &mut Plan) -> Verdict {
        self.open.fetch_add(1, Ordering::Relaxed);
        plan.backend = Some(self.backend);
        plan.io_timeout = Duration::from_secs(5);
        plan.head.copy_from(ask.head);
        plan.head.keep_alive = true;
        plan.head.expects_continue =
            ask.head.expects_continue && ask.head.target.query() == Some(b"ask");
        // Some contents are read whole before they are sent, some are not waited for.
        plan.content.needs_length = ask.now_us.is_multiple_of(3);
        plan.content.dials_at_once = ask.now_us.is_multiple_of(5);
        plan.ends_at_first_eof = ask.head.target.path().ends_with(b"/together");
        Verdict::Forward
    }
}

impl Handler for Forwarder {
    fn name(&self) -> &'static str {
        "forward"
    }

    fn claims(&self, _ask: &Ask<'_>, _claim: &mut Claim) -> bool {
        true
    }

    fn start(&self, ask: &Ask<'_>, plan: &mut Plan) -> Verdict {
        assert_ne!(ask.head.method, Method::Delete, "a defect");
        self.plan(ask, plan)
    }

    fn failed(&self, ask: &Ask<'_>, plan: &mut Plan, failure: &Failure) -> Verdict {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.settled.fetch_add(1, Ordering::Relaxed);
        plan.attempt += 1;
        if plan.attempt < 3 && failure.sent != Sent::Content && ask.head.method.is_idempotent() {
            return self.plan(ask, plan);
        }
        Verdict::Answer(failure.answer(ask))
    }

    fn finish(&self, _ask: &Ask<'_>, _plan: &mut Plan, _outcome: &Outcome) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.settled.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sockets that are pipes: what was watched and what was dialled goes to the simulation.
struct SimWires {
    watched: Arc<SegQueue<(Kind, Key, Pipe)>>,
    dialled: Arc<SegQueue<Pipe>>,
    refuse: Arc<AtomicI64>,
}

impl Wires for SimWires {
    fn connect(
        &mut self,
        _to: SocketAddr,
        _source: Option<IpAddr>,
        _keepalive: bool,
    ) -> io::Result<Stream> {
        if self.refuse.load(Ordering::Relaxed) > 0 {
            self.refuse.fetch_sub(1, Ordering::Relaxed);
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (ours, theirs) = Pipe::pair();
        self.dialled.push(theirs);
        Ok(Stream::Memory(ours))
    }

    fn connect_unix(&mut self, _path: &Path) -> io::Result<Stream> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn watch(&mut self, stream: &mut Stream, kind: Kind, key: Key) -> io::Result<()> {
        if let Stream::Memory(pipe) = stream {
            self.watched.push((kind, key, pipe.clone()));
        }
        Ok(())
    }

    fn unwatch(&mut self, _stream: &mut Stream) -> io::Result<()> {
        Ok(())
    }

    fn resolve(&mut self, _question: u64, _host: &str, _port: u16) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn wake_siblings(&mut self) {}
}

/// A client: what it will send, and what it has seen.
struct SimClient {
    pipe: Pipe,
    to_send: Vec<u8>,
    sent: usize,
    /// Per request, the number that its answer must carry, and whether the answer has content.
    expected: Vec<(u64, bool)>,
    seen: Vec<u8>,
}

/// An origin's end of one backend connection.
struct SimOrigin {
    pipe: Pipe,
    input: Input,
    codec: http1::Server,
    stream: Option<StreamId>,
    /// Number and size that the present request asks for.
    asked: (u64, u64),
    pending: Vec<u8>,
    is_dead: bool,
}

struct World {
    dice: Dice,
    core: Core,
    handler: &'static Forwarder,
    watched: Arc<SegQueue<(Kind, Key, Pipe)>>,
    dialled: Arc<SegQueue<Pipe>>,
    refuse: Arc<AtomicI64>,
    sockets: Vec<(Kind, Key, Pipe)>,
    clients: Vec<SimClient>,
    origins: Vec<SimOrigin>,
    blocks: Blocks,
    now_ms: u64,
    is_calm: bool,
    /// Nobody dies, resets or refuses: then every client must get all its answers.
    is_kind: bool,
}

fn backend(max: u32) -> &'static Backend {
    Box::leak(Box::new(Backend {
        index: 0,
        label: "http://origin".to_owned(),
        address: Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port: 80,
        },
        codec: |limits| Box::new(http1::Client::new(limits)),
        limits: Limits::default(),
        pool: PoolRules {
            max,
            smax: 0,
            ttl: None,
            acquire: None,
            connect_timeout: Duration::from_secs(3),
            keepalive: false,
            reuse: true,
        },
    }))
}

impl World {
    fn new(seed: u64) -> Self {
        Self::with_pool(seed, 2)
    }

    /// One whose backend may have `max` connections, 0 for as many as there are slots.
    fn with_pool(seed: u64, max: u32) -> Self {
        let backend = backend(max);
        let handler: &'static Forwarder = Box::leak(Box::new(Forwarder {
            backend,
            open: AtomicI64::new(0),
            settled: AtomicI64::new(0),
        }));
        let capacity = Capacity {
            processes: 1,
            slots_per_process: 3,
            balancers: 1,
            members: 1,
        };
        let board: &'static Board = Box::leak(Box::new(Board::heap(&capacity).unwrap()));
        let config: &'static Config = Box::leak(Box::new(Config::default()));
        let handlers: Vec<&'static dyn Handler> = vec![handler];
        let site = Site::compile(0, &Server::default(), "sim", &handlers).unwrap();
        let env: &'static Env = Box::leak(Box::new(Env {
            config,
            board,
            sites: vec![site],
            vhosts: Vhosts::compile(config, &mut |_| Vec::new()),
            handlers,
            backends: vec![backend],
            generation: 0,
            product: "tine".to_owned(),
        }));
        let (watched, dialled, refuse) = (Arc::default(), Arc::default(), Arc::default());
        let wires = SimWires {
            watched: Arc::clone(&watched),
            dialled: Arc::clone(&dialled),
            refuse: Arc::clone(&refuse),
        };
        let birth = CoreBirth {
            me: Me {
                pid: 1,
                tid: None,
                process: 0,
            },
            thread: 0,
            slots: SlotRange::new(0, 3),
            connections_max: 100,
            shared: Box::leak(Box::new(Shared::new(1, 1, 3))),
            now_us: 1,
        };
        Self {
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            core: Core::new(env, Box::new(wires), birth),
            handler,
            watched,
            dialled,
            refuse,
            sockets: Vec::new(),
            clients: Vec::new(),
            origins: Vec::new(),
            blocks: Blocks::new(),
            now_ms: 0,
            is_calm: false,
            is_kind: false,
        }
    }

    /// A new client with a few requests, which it may send as it likes.
    fn join(&mut self) {
        let mut client = SimClient {
            pipe: Pipe::pair().0,
            to_send: Vec::new(),
            sent: 0,
            expected: Vec::new(),
            seen: Vec::new(),
        };
        for _ in 0..=self.dice.roll(3) {
            let number = self.dice.roll(1_000_000);
            let size = self.dice.size(40_000);
            let (request, has_content) = match self.dice.roll(4) {
                0 => (
                    format!("GET /{number}/{size} HTTP/1.1\r\nHost: a\r\n\r\n"),
                    true,
                ),
                1 => (
                    format!("HEAD /{number}/{size} HTTP/1.1\r\nHost: a\r\n\r\n"),
                    false,
                ),
                2 => {
                    let body = "x".repeat(size);
                    (
                        format!(
                            "POST /{number}/{size} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n{body}"
                        ),
                        true,
                    )
                }
                _ => {
                    let body = "y".repeat(size.max(1));
                    let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
                    (
                        format!(
                            "PUT /{number}/7 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"
                        ),
                        true,
                    )
                }
            };
            client.to_send.extend_from_slice(request.as_bytes());
            client.expected.push((number, has_content));
        }
        let (theirs, ours) = Pipe::pair();
        client.pipe = theirs;
        self.clients.push(client);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1000));
        self.core.accept(
            Stream::Memory(ours),
            Peers {
                client: address,
                local: address,
            },
        );
    }

    fn step(&mut self) {
        self.now_ms += self.dice.roll(3);
        self.core.begin_turn(self.now_ms, self.now_ms * 1000 + 1);
        if !self.is_calm && self.dice.one_in(12) && self.clients.len() < 12 {
            self.join();
        }
        for index in 0..self.clients.len() {
            self.move_client(index);
        }
        while let Some(pipe) = self.dialled.pop() {
            self.origins.push(SimOrigin {
                pipe,
                input: Input::new(),
                codec: http1::Server::new(Limits::default()),
                stream: None,
                asked: (0, 0),
                pending: Vec::new(),
                is_dead: false,
            });
        }
        for index in 0..self.origins.len() {
            self.move_origin(index);
        }
        if !self.is_calm && !self.is_kind && self.dice.one_in(40) {
            self.refuse.store(1, Ordering::Relaxed);
        }
        self.deliver();
        self.core.end_turn();
    }

    fn move_client(&mut self, index: usize) {
        let may_die = !self.is_calm && !self.is_kind;
        let (stalls, dies) = (self.dice.one_in(3), may_die && self.dice.one_in(400));
        let amount = 1 + self.dice.size(9_000);
        let limit = self.dice.size(20_000);
        let client = &mut self.clients[index];
        client.seen.extend(client.pipe.received());
        if dies {
            client.pipe.reset();
        }
        if !stalls || self.is_calm {
            client.pipe.limit(limit.max(1));
            let upto = (client.sent + amount).min(client.to_send.len());
            client.pipe.send(&client.to_send[client.sent..upto]);
            client.sent = upto;
        }
    }

    fn move_origin(&mut self, index: usize) {
        let roll = if self.is_calm || self.is_kind {
            99
        } else {
            self.dice.roll(300)
        };
        let (stalls, amount) = (
            !self.is_calm && self.dice.one_in(3),
            1 + self.dice.size(9_000),
        );
        let limit = 1 + self.dice.size(20_000);
        let origin = &mut self.origins[index];
        if origin.is_dead || stalls {
            return;
        }
        origin.pipe.limit(limit);
        match roll {
            0 => {
                origin.pipe.reset();
                origin.is_dead = true;
                return;
            }
            1 => {
                origin.pipe.close();
                origin.is_dead = true;
                return;
            }
            2 => origin
                .pending
                .extend_from_slice(b"HTTP/1.1 garbage\r\n\r\n"),
            _ => {}
        }
        let received = origin.pipe.received();
        origin.input.extend(&received, &mut self.blocks);
        origin.answer(&mut self.blocks);
        let n = amount.min(origin.pending.len());
        origin.pipe.send(&origin.pending[..n]);
        origin.pending.drain(..n);
    }

    /// Tells the core what its sockets would say, in random order; a stalled one says it later.
    fn deliver(&mut self) {
        while let Some(socket) = self.watched.pop() {
            self.sockets.push(socket);
        }
        for _ in 0..self.sockets.len() {
            let at = self.dice.size(self.sockets.len());
            if !self.is_calm && self.dice.one_in(4) {
                continue;
            }
            let (kind, key, pipe) = &self.sockets[at];
            let closing = pipe.is_closed_by_peer() || pipe.is_reset();
            let readable = pipe.waiting() > 0 || closing;
            match kind {
                Kind::Client => self.core.client_event(*key, readable, true, closing),
                Kind::Backend => self.core.upstream_event(*key, readable, true, closing),
            }
        }
    }

    /// Everybody behaves until nothing is left to do.
    fn settle(&mut self) {
        self.is_calm = true;
        let mut quiet = 0;
        for _ in 0..3_000 {
            self.step();
            quiet = if self.is_quiet() { quiet + 1 } else { 0 };
            if quiet > 50 {
                break;
            }
        }
        for client in &self.clients {
            client.pipe.close();
        }
        for _ in 0..200 {
            self.step();
        }
        // Whoever a dead origin left waiting is let go by the clock.
        for _ in 0..20 {
            self.now_ms += 10_000;
            self.step();
        }
    }

    /// Whether everything was sent and answered.
    fn is_quiet(&self) -> bool {
        self.core.exchanges.is_empty()
            && self
                .clients
                .iter()
                .all(|client| client.sent == client.to_send.len())
            && self.origins.iter().all(|origin| origin.pending.is_empty())
    }

    fn check(&self, seed: u64) {
        assert_eq!(
            self.handler.open.load(Ordering::Relaxed),
            0,
            "seed {seed}: a plan was not settled"
        );
        assert!(self.core.clients.is_empty(), "seed {seed}: {:?}", self.core);
        assert!(
            self.core.exchanges.is_empty(),
            "seed {seed}: an exchange is left"
        );
        assert_eq!(
            self.core.tally.in_flight(),
            0,
            "seed {seed}: a slot is left"
        );
        for client in &self.clients {
            client.check(seed, self.is_kind);
        }
    }
}

impl SimOrigin {
    /// Decodes requests and answers each with its own number, so that a mixed-up response would show.
    fn answer(&mut self, blocks: &mut Blocks) {
        let (mut shelf, mut news, mut output) = (Shelf::new(), Vec::new(), Output::new());
        loop {
            let Some(id) = self.stream else {
                self.codec.absorb(&mut self.input, &mut news).unwrap();
                let Some(id) = news.pop() else { break };
                self.stream = Some(id);
                continue;
            };
            match self.codec.pull(id, &mut self.input, &mut shelf) {
                Ok(Some(Part::Head(head))) => {
                    let path = String::from_utf8(head.target.path().to_vec()).unwrap();
                    let mut pieces = path
                        .split('/')
                        .skip(1)
                        .map(|piece| piece.parse::<u64>().unwrap());
                    self.asked = (pieces.next().unwrap(), pieces.next().unwrap());
                }
                Ok(Some(Part::End)) => {
                    let mut outlet = Outlet {
                        output: &mut output,
                        blocks,
                    };
                    reply(self.asked, &mut self.codec, id, &mut outlet);
                    self.stream = None;
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => panic!("the engine sent a malformed request: {error}"),
            }
        }
        self.pending.extend(output.to_vec());
        output.clear(blocks);
    }
}

/// A response that carries its request's number, length-framed or chunked.
fn reply(
    (number, size): (u64, u64),
    codec: &mut http1::Server,
    id: StreamId,
    outlet: &mut Outlet<'_>,
) {
    let body = vec![b'z'; usize::try_from(size).unwrap()];
    let mut head = Box::new(ResponseHead::default());
    head.status = Status::OK;
    head.fields.push(b"X-Number", number.to_string().as_bytes());
    head.content = if number % 2 == 0 {
        ContentSize::Length(size)
    } else {
        ContentSize::Unknown
    };
    codec.push(id, &Part::Head(head), outlet).unwrap();
    if !body.is_empty() {
        codec.push(id, &Part::Data(&body), outlet).unwrap();
    }
    codec.push(id, &Part::End, outlet).unwrap();
}

impl SimClient {
    /// Reads what the client saw as a client would: each answer must be its own request's, or an error of ours.
    fn check(&self, seed: u64, is_kind: bool) {
        let (mut blocks, mut shelf) = (Blocks::new(), Shelf::new());
        let mut input = Input::new();
        input.extend(&self.seen, &mut blocks);
        for &(number, has_content) in &self.expected {
            // A codec for each: one that finds further bytes after a response takes them for a backend's mistake.
            let mut codec = http1::Client::new(Limits::default());
            let id = codec.open().unwrap();
            let mut persists = true;
            let mut request = Box::new(RequestHead::default());
            request.method = if has_content {
                Method::Get
            } else {
                Method::Head
            };
            request.target.assign(b"/", false).unwrap();
            request.fields.push(b"Host", b"a");
            request.keep_alive = true;
            let mut output = Output::new();
            let mut outlet = Outlet {
                output: &mut output,
                blocks: &mut blocks,
            };
            codec.push(id, &Part::Head(request), &mut outlet).unwrap();
            codec.push(id, &Part::End, &mut outlet).unwrap();
            output.clear(&mut blocks);
            loop {
                match codec.pull(id, &mut input, &mut shelf) {
                    Ok(Some(Part::Head(head))) if head.status == Status::OK => {
                        persists = head.keep_alive;
                        let carried = head
                            .fields
                            .find(b"X-Number")
                            .expect("the origin numbers its answers");
                        assert_eq!(
                            carried,
                            number.to_string().as_bytes(),
                            "seed {seed}: somebody else's answer"
                        );
                    }
                    Ok(Some(Part::Head(head))) => {
                        assert!(!is_kind, "seed {seed}: status {}", head.status);
                        persists = head.keep_alive;
                        let code = head.status.as_u16();
                        assert!(
                            [408, 502, 503, 504].contains(&code),
                            "seed {seed}: status {code}"
                        );
                    }
                    Ok(Some(Part::End)) => break,
                    Ok(Some(_)) => {}
                    // The rest was cut: the client sees that the connection ended.
                    Ok(None) => {
                        assert!(!is_kind, "seed {seed}: the answer to {number} is missing");
                        return;
                    }
                    Err(error) => {
                        panic!("seed {seed}: the client got a malformed response: {error}")
                    }
                }
            }
            if !persists {
                assert!(
                    input.is_empty(),
                    "seed {seed}: bytes after the last response"
                );
                return;
            }
        }
        assert!(input.is_empty(), "seed {seed}: bytes that nobody asked for");
    }
}

fn run(seed: u64, is_kind: bool) {
    let mut world = World::new(seed);
    world.is_kind = is_kind;
    for _ in 0..400 {
        world.step();
    }
    world.settle();
    world.check(seed);
}

#[test]
fn every_seed_ends_with_closed_books() {
    let one = std::env::var("TINE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    match one {
        Some(seed) => run(seed, false),
        None => (1..=16).for_each(|seed| run(seed, false)),
    }
}

#[test]
fn every_client_of_a_kind_world_gets_every_answer() {
    (100..=108).for_each(|seed| run(seed, true));
}

#[test]
fn a_defect_costs_the_exchange_that_meets_it_and_no_other() {
    let mut world = World::new(7);
    world.is_kind = true;
    for _ in 0..150 {
        world.step();
    }
    let (theirs, ours) = Pipe::pair();
    theirs.send(b"DELETE /1/1 HTTP/1.1\r\nHost: a\r\n\r\n");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1000));
    world.core.accept(
        Stream::Memory(ours),
        Peers {
            client: address,
            local: address,
        },
    );
    assert!(world.core.has_panicked() || !world.core.starved.is_empty());
    world.settle();
    assert!(world.core.has_panicked());
    assert!(
        theirs.received().is_empty(),
        "whoever met it is told nothing"
    );
    world.check(7);
}
