//! Tunnels in the simulation: both ends talk at once, in random pieces, and end when they like.
//!
//! What one end sends the other must see, in order and nothing else: all of it where nobody dies, the beginning of it
//! otherwise. Afterwards nothing is left, and the pool counts no connection that is gone.

use super::*;
use crate::engine::pool::Offer;

/// One end of a tunnel.
struct End {
    pipe: Pipe,
    to_send: Vec<u8>,
    sent: usize,
    seen: Vec<u8>,
    is_over: bool,
}

/// What the client (`side` 0) or the backend (1) of tunnel `number` says.
fn speech(number: usize, side: usize) -> Vec<u8> {
    let length = (number * 7919 + side * 104_729) % 50_000;
    (0..length)
        .map(|at| u8::try_from((at * 31 + number * 7 + side * 101) % 251).unwrap())
        .collect()
}

fn ask(number: usize) -> Vec<u8> {
    let ends = if number.is_multiple_of(4) {
        "together"
    } else {
        "apart"
    };
    let head = format!(
        "GET /{number}/{ends} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
    );
    [head.as_bytes(), &speech(number, 0)].concat()
}

const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n";

impl End {
    fn new(pipe: Pipe, to_send: Vec<u8>) -> Self {
        Self {
            pipe,
            to_send,
            sent: 0,
            seen: Vec::new(),
            is_over: false,
        }
    }

    fn step(&mut self, dice: &mut Dice, may_die: bool, is_calm: bool) {
        let (stalls, amount) = (dice.one_in(3), 1 + dice.size(9_000));
        let (limit, dies) = (1 + dice.size(20_000), may_die && dice.one_in(300));
        if dies {
            self.pipe.reset();
            self.is_over = true;
        }
        if stalls && !is_calm {
            return;
        }
        self.seen.extend(self.pipe.received());
        self.pipe.limit(limit);
        let upto = (self.sent + amount).min(self.to_send.len());
        self.pipe.send(&self.to_send[self.sent..upto]);
        self.sent = upto;
        if self.sent == self.to_send.len() && !self.to_send.is_empty() && !self.is_over {
            self.pipe.close();
            self.is_over = true;
        }
    }

    /// What came behind the head, once that is there.
    fn heard(&self) -> Option<(&[u8], &[u8])> {
        let end = self.seen.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
        Some(self.seen.split_at(end))
    }
}

/// The number in a request's target.
fn number(head: &[u8]) -> usize {
    let head = String::from_utf8(head.to_vec()).unwrap();
    head.split('/').nth(1).unwrap().parse().unwrap()
}

fn run(seed: u64, is_kind: bool) {
    let mut world = World::with_pool(seed, 0);
    let (mut clients, mut origins): (Vec<End>, Vec<End>) = (Vec::new(), Vec::new());
    let mut most = 0;
    for turn in 0..900 {
        world.now_ms += world.dice.roll(3);
        let is_calm = turn > 600;
        world.is_calm = is_calm;
        world.core.begin_turn(world.now_ms, world.now_ms * 1000 + 1);
        if clients.len() < 12 && world.dice.one_in(4) {
            let (theirs, ours) = Pipe::pair();
            clients.push(End::new(theirs, ask(clients.len())));
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1000));
            let peers = Peers {
                client: address,
                local: address,
            };
            world.core.accept(Stream::Memory(ours), peers);
        }
        while let Some(pipe) = world.dialled.pop() {
            origins.push(End::new(pipe, Vec::new()));
        }
        for end in clients.iter_mut().chain(&mut origins) {
            end.step(&mut world.dice, !is_kind && !is_calm, is_calm);
        }
        for origin in &mut origins {
            if let (true, Some((head, _))) = (origin.to_send.is_empty(), origin.heard()) {
                origin.to_send = [SWITCH, &speech(number(head), 1)].concat();
            }
        }
        world.deliver();
        world.core.end_turn();
        most = most.max(world.core.exchanges.len());
    }
    check(seed, is_kind, &clients, &origins);
    if is_kind {
        assert!(most > 3, "seed {seed}: tunnels hold slots");
    }
    finish(seed, &mut world);
}

fn check(seed: u64, is_kind: bool, clients: &[End], origins: &[End]) {
    for (number, client) in clients.iter().enumerate() {
        let (_, heard) = client.heard().unwrap_or_default();
        let said = speech(number, 1);
        assert!(said.starts_with(heard), "seed {seed}: client {number}");
        if is_kind && !number.is_multiple_of(4) {
            assert_eq!(said.len(), heard.len(), "seed {seed}: client {number}");
        }
    }
    for origin in origins {
        let Some((head, heard)) = origin.heard() else {
            continue;
        };
        let number = number(head);
        let said = speech(number, 0);
        assert!(said.starts_with(heard), "seed {seed}: backend of {number}");
        if is_kind && !number.is_multiple_of(4) {
            assert_eq!(said.len(), heard.len(), "seed {seed}: backend {number}");
        }
    }
}

/// The clock ends what nobody ended, and nothing is left.
fn finish(seed: u64, world: &mut World) {
    for _ in 0..20 {
        world.now_ms += 30_000;
        world.core.begin_turn(world.now_ms, world.now_ms * 1000 + 1);
        world.deliver();
        world.core.end_turn();
    }
    world.check(seed);
    assert!(world.core.upstreams.is_empty(), "seed {seed}");
    let backend = world.handler.backend;
    for _ in 0..3 {
        let offer = world.core.pool.get(backend, true);
        assert!(matches!(offer, Offer::Open), "seed {seed}: {offer:?}");
    }
}

#[test]
fn both_ends_hear_everything_where_nobody_dies() {
    (1..=4).for_each(|seed| run(seed, true));
}

#[test]
fn whoever_dies_takes_nothing_with_him_but_his_tunnel() {
    (101..=106).for_each(|seed| run(seed, false));
}
