//! A ledger of every request: what a client asked, how often an origin saw it, what the client was told.
//!
//! Origins here do what real ones do at bad moments: answer before they have read, close behind a head or in the middle of an
//! answer, say two answers, say interim ones. Clients pipeline, wait for a 100 or do not, close their side early, speak
//! HTTP/1.0, or end with nonsense. Then the books are compared: each response went to the request that asked for it and is
//! whole to the byte, or the client can tell that it is not; nothing that is not idempotent was asked twice; nothing that
//! stands behind an end was asked at all. `TINE_SEED=n cargo test --lib ledger` replays a seed.

use std::collections::HashMap;

use super::*;

/// What a client wants.
#[derive(Clone, Copy, Debug)]
struct Wish {
    number: u64,
    /// Bytes of content in the request and in the answer.
    size: usize,
    method: &'static str,
    /// The request is nonsense: 400, and nothing more.
    is_bad: bool,
}

/// What origins saw of a request.
#[derive(Clone, Copy, Debug, Default)]
struct Deliveries {
    heads: u32,
    whole: u32,
}

struct Asker {
    pipe: Pipe,
    to_send: Vec<u8>,
    sent: usize,
    wishes: Vec<Wish>,
    seen: Vec<u8>,
    /// Closes its side when everything is sent.
    half_closes: bool,
    is_dead: bool,
}

struct Teller {
    pipe: Pipe,
    input: Input,
    codec: http1::Server,
    stream: Option<StreamId>,
    wish: Option<Wish>,
    /// Content bytes that came, and whether one was wrong.
    content: (usize, bool),
    is_answered: bool,
    pending: Vec<u8>,
    /// Everything that is pending goes at once.
    is_hasty: bool,
    /// Closes when so many bytes of what is pending are gone.
    closes_after: Option<usize>,
    is_dead: bool,
}

struct Ledger {
    world: World,
    askers: Vec<Asker>,
    tellers: Vec<Teller>,
    wishes: HashMap<u64, Wish>,
    deliveries: HashMap<u64, Deliveries>,
    next: u64,
}

/// The number that stands in answers that nobody may see.
const NOBODYS: &str = "HTTP/1.1 200 OK\r\nX-Number: 999999999\r\nContent-Length: 4\r\n\r\nevil";

fn content_of(number: u64, size: usize, is_answer: bool) -> Vec<u8> {
    let salt = number.wrapping_mul(31) + u64::from(is_answer);
    (0..size as u64)
        .map(|at| u8::try_from((at * 7 + salt) % 251).unwrap())
        .collect()
}

impl Wish {
    fn has_content(self) -> bool {
        matches!(self.method, "POST" | "PUT" | "PATCH")
    }

    fn bytes(self, dice: &mut Dice) -> Vec<u8> {
        let Self {
            number,
            size,
            method,
            ..
        } = self;
        if self.is_bad {
            return format!("GET /{number} HTTP/1.1\r\nHost : a\r\n\r\nGET /888888888/1 HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
        }
        if !self.has_content() {
            return format!("{method} /{number}/{size} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
        }
        let content = content_of(number, size, false);
        let expect = if dice.one_in(4) {
            "Expect: 100-continue\r\n"
        } else {
            ""
        };
        let query = if dice.one_in(2) { "?ask" } else { "" };
        let head = format!("{method} /{number}/{size}{query} HTTP/1.1\r\nHost: a\r\n{expect}");
        if dice.one_in(2) {
            let framing = format!("Content-Length: {size}\r\n\r\n");
            return [head.as_bytes(), framing.as_bytes(), &content].concat();
        }
        let mut bytes = [head.as_bytes(), b"Transfer-Encoding: chunked\r\n\r\n"].concat();
        let mut rest = content.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(1 + dice.size(9_000)));
            bytes.extend_from_slice(format!("{:x}\r\n", now.len()).as_bytes());
            bytes.extend_from_slice(now);
            bytes.extend_from_slice(b"\r\n");
            rest = later;
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    }
}

impl Ledger {
    fn new(seed: u64, is_kind: bool) -> Self {
        let mut world = World::with_pool(seed, u32::try_from(seed % 4).unwrap());
        world.is_kind = is_kind;
        Self {
            world,
            askers: Vec::new(),
            tellers: Vec::new(),
            wishes: HashMap::new(),
            deliveries: HashMap::new(),
            next: 1,
        }
    }

    fn join(&mut self) {
        let (mut to_send, mut wishes) = (Vec::new(), Vec::new());
        for _ in 0..=self.world.dice.roll(5) {
            let dice = &mut self.world.dice;
            let methods = ["GET", "GET", "HEAD", "POST", "PUT", "PATCH"];
            let wish = Wish {
                number: self.next,
                size: match dice.roll(3) {
                    0 => dice.size(20),
                    1 => dice.size(3_000),
                    _ => dice.size(60_000),
                },
                method: methods[dice.size(methods.len())],
                is_bad: !self.world.is_kind && dice.one_in(15),
            };
            // Nonsense is written as a GET.
            let wish = if wish.is_bad {
                Wish {
                    method: "GET",
                    ..wish
                }
            } else {
                wish
            };
            self.next += 1;
            to_send.extend(wish.bytes(dice));
            wishes.push(wish);
            self.wishes.insert(wish.number, wish);
            if wish.is_bad {
                break;
            }
        }
        let (theirs, ours) = Pipe::pair();
        self.askers.push(Asker {
            pipe: theirs,
            to_send,
            sent: 0,
            wishes,
            seen: Vec::new(),
            half_closes: self.world.dice.one_in(3),
            is_dead: false,
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1000));
        let peers = Peers {
            client: address,
            local: address,
        };
        self.world.core.accept(Stream::Memory(ours), peers);
    }

    fn step(&mut self) {
        let world = &mut self.world;
        world.now_ms += world.dice.roll(3);
        world.core.begin_turn(world.now_ms, world.now_ms * 1000 + 1);
        let joins = !world.is_calm && world.dice.one_in(10) && self.askers.len() < 16;
        if joins {
            self.join();
        }
        let world = &mut self.world;
        let may_die = !world.is_calm && !world.is_kind;
        for asker in &mut self.askers {
            asker.step(&mut world.dice, may_die, world.is_calm);
        }
        while let Some(pipe) = world.dialled.pop() {
            self.tellers.push(Teller::new(pipe));
        }
        for teller in &mut self.tellers {
            teller.step(world, &self.wishes, &mut self.deliveries);
        }
        if may_die && world.dice.one_in(60) {
            world.refuse.store(1, Ordering::Relaxed);
        }
        world.deliver();
        world.core.end_turn();
    }

    fn settle(&mut self) {
        self.world.is_calm = true;
        let mut quiet = 0;
        for _ in 0..4_000 {
            self.step();
            let is_quiet = self.world.core.exchanges.is_empty()
                && self
                    .askers
                    .iter()
                    .all(|asker| asker.is_dead || asker.sent == asker.to_send.len())
                && self
                    .tellers
                    .iter()
                    .all(|teller| teller.is_dead || teller.pending.is_empty());
            quiet = if is_quiet { quiet + 1 } else { 0 };
            if quiet > 50 {
                break;
            }
        }
        for asker in &self.askers {
            asker.pipe.close();
        }
        for _ in 0..200 {
            self.step();
        }
        for _ in 0..20 {
            self.world.now_ms += 10_000;
            self.step();
        }
    }

    fn check(&self, seed: u64) {
        // The engine's own books.
        self.world.check(seed);
        for (number, seen) in &self.deliveries {
            let wish = self.wishes.get(number);
            let wish =
                wish.unwrap_or_else(|| panic!("seed {seed}: {number} was asked, and by nobody"));
            assert!(!wish.is_bad, "seed {seed}: nonsense was forwarded");
            let most = if matches!(wish.method, "POST" | "PATCH") {
                1
            } else {
                3
            };
            assert!(
                seen.heads <= most,
                "seed {seed}: {wish:?} was asked {} times",
                seen.heads
            );
        }
        for asker in &self.askers {
            asker.check(seed, self);
        }
    }
}

impl Asker {
    fn step(&mut self, dice: &mut Dice, may_die: bool, is_calm: bool) {
        let (stalls, dies) = (dice.one_in(3), may_die && dice.one_in(600));
        let (amount, limit) = (1 + dice.size(12_000), 1 + dice.size(20_000));
        self.seen.extend(self.pipe.received());
        if dies {
            self.pipe.reset();
            self.is_dead = true;
        }
        if self.is_dead || (stalls && !is_calm) {
            return;
        }
        self.pipe.limit(limit);
        let upto = (self.sent + amount).min(self.to_send.len());
        self.pipe.send(&self.to_send[self.sent..upto]);
        self.sent = upto;
        if self.half_closes && self.sent == self.to_send.len() {
            self.pipe.close();
        }
    }

    /// Reads what was seen as this client would.
    fn check(&self, seed: u64, ledger: &Ledger) {
        let (mut blocks, mut shelf) = (Blocks::new(), Shelf::new());
        let mut input = Input::new();
        input.extend(&self.seen, &mut blocks);
        let is_kind = ledger.world.is_kind;
        for wish in &self.wishes {
            let mut codec = http1::Client::new(Limits::default());
            let id = sent(&mut codec, wish.method, &mut blocks);
            let (mut status, mut content, mut persists) = (0, Vec::new(), true);
            loop {
                match codec.pull(id, &mut input, &mut shelf) {
                    Ok(Some(Part::Head(head))) => {
                        status = head.status.as_u16();
                        persists = head.keep_alive;
                        wish.check_head(seed, &head, is_kind, ledger);
                    }
                    Ok(Some(Part::Data(bytes))) => content.extend_from_slice(bytes),
                    Ok(Some(Part::End)) => break,
                    Ok(Some(_)) => {}
                    Ok(None) => {
                        assert!(!is_kind, "seed {seed}: the answer to {wish:?} is missing");
                        return;
                    }
                    Err(error) => panic!("seed {seed}: {wish:?} got a malformed response: {error}"),
                }
            }
            if status == 200 {
                let size = if wish.method == "HEAD" { 0 } else { wish.size };
                assert_eq!(
                    content,
                    content_of(wish.number, size, true),
                    "seed {seed}: content of {wish:?}"
                );
            }
            if !persists {
                break;
            }
        }
        assert!(
            input.is_empty(),
            "seed {seed}: bytes behind the last response of {:?}",
            self.wishes
        );
    }
}

impl Wish {
    fn check_head(&self, seed: u64, head: &ResponseHead, is_kind: bool, ledger: &Ledger) {
        let status = head.status.as_u16();
        let carried = head
            .fields
            .find(b"X-Number")
            .map(|value| String::from_utf8_lossy(value).into_owned());
        match status {
            _ if self.is_bad => assert_eq!(
                (status, head.keep_alive),
                (400, false),
                "seed {seed}: {self:?}"
            ),
            200 | 403 if carried.is_some() => {
                assert_eq!(
                    carried,
                    Some(self.number.to_string()),
                    "seed {seed}: somebody else's answer to {self:?}"
                );
                let seen = ledger
                    .deliveries
                    .get(&self.number)
                    .copied()
                    .unwrap_or_default();
                assert!(
                    seen.heads > 0,
                    "seed {seed}: an answer out of nothing to {self:?}"
                );
                assert!(
                    !is_kind || seen.whole == 1,
                    "seed {seed}: {self:?} {seen:?}"
                );
            }
            _ => {
                assert!(!is_kind, "seed {seed}: {status} to {self:?}");
                assert!(
                    [400, 408, 502, 503, 504].contains(&status),
                    "seed {seed}: {status} to {self:?}"
                );
            }
        }
    }
}

/// A codec to which a request of this method was given.
fn sent(codec: &mut http1::Client, method: &str, blocks: &mut Blocks) -> StreamId {
    let id = codec.open().unwrap();
    let mut request = Box::new(RequestHead::default());
    request.method = Method::parse(method.as_bytes()).unwrap();
    request.target.assign(b"/", false).unwrap();
    request.fields.push(b"Host", b"a");
    request.keep_alive = true;
    let mut output = Output::new();
    let mut outlet = Outlet {
        output: &mut output,
        blocks,
    };
    codec.push(id, &Part::Head(request), &mut outlet).unwrap();
    codec.push(id, &Part::End, &mut outlet).unwrap();
    output.clear(blocks);
    id
}

impl Teller {
    fn new(pipe: Pipe) -> Self {
        Self {
            pipe,
            input: Input::new(),
            codec: http1::Server::new(Limits::default()),
            stream: None,
            wish: None,
            content: (0, false),
            is_answered: false,
            pending: Vec::new(),
            is_hasty: false,
            closes_after: None,
            is_dead: false,
        }
    }

    fn step(
        &mut self,
        world: &mut World,
        wishes: &HashMap<u64, Wish>,
        deliveries: &mut HashMap<u64, Deliveries>,
    ) {
        let (stalls, limit) = (
            !world.is_calm && world.dice.one_in(3),
            1 + world.dice.size(20_000),
        );
        let amount = 1 + world.dice.size(9_000);
        let dies = !world.is_calm && !world.is_kind && world.dice.one_in(400);
        if self.is_dead || stalls {
            return;
        }
        if dies {
            self.pipe.reset();
            self.is_dead = true;
            return;
        }
        self.pipe.limit(limit);
        self.input.extend(&self.pipe.received(), &mut world.blocks);
        if self.closes_after.is_none() {
            self.read(world, wishes, deliveries);
        }
        let amount = if self.is_hasty {
            self.pending.len()
        } else {
            amount
        };
        let amount = amount
            .min(self.closes_after.unwrap_or(usize::MAX))
            .min(self.pending.len());
        self.pipe.send(&self.pending[..amount]);
        self.pending.drain(..amount);
        if let Some(left) = &mut self.closes_after {
            *left -= amount;
            if *left == 0 || self.pending.is_empty() {
                self.pipe.close();
                self.is_dead = true;
            }
        }
    }

    fn read(
        &mut self,
        world: &mut World,
        wishes: &HashMap<u64, Wish>,
        deliveries: &mut HashMap<u64, Deliveries>,
    ) {
        let (mut shelf, mut news) = (Shelf::new(), Vec::new());
        while self.closes_after.is_none() {
            let Some(id) = self.stream else {
                self.codec.absorb(&mut self.input, &mut news).unwrap();
                self.stream = news.pop();
                if self.stream.is_none() {
                    break;
                }
                continue;
            };
            match self.codec.pull(id, &mut self.input, &mut shelf) {
                Ok(Some(Part::Head(head))) => {
                    let path = String::from_utf8(head.target.path().to_vec()).unwrap();
                    let number = path.split('/').nth(1).unwrap().parse().unwrap();
                    deliveries.entry(number).or_default().heads += 1;
                    let wish = *wishes
                        .get(&number)
                        .unwrap_or_else(|| panic!("nobody asked for {path}"));
                    self.wish = Some(wish);
                    self.content = (0, false);
                    self.is_answered = false;
                    self.head_came(world, id, wish, head.expects_continue);
                }
                Ok(Some(Part::Data(bytes))) => {
                    let wish = self.wish.expect("content follows a head");
                    let whole = content_of(wish.number, wish.size, false);
                    let (at, _) = self.content;
                    self.content.1 |= whole.get(at..at + bytes.len()) != Some(bytes);
                    self.content.0 += bytes.len();
                }
                Ok(Some(Part::End)) => {
                    self.stream = None;
                    let wish = self.wish.expect("an end follows a head");
                    deliveries.entry(wish.number).or_default().whole += 1;
                    let expected = if wish.has_content() { wish.size } else { 0 };
                    assert_eq!(
                        self.content,
                        (expected, false),
                        "{wish:?} arrived otherwise than it was sent"
                    );
                    if !self.is_answered {
                        self.answer(world, id, wish);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => panic!("the engine sent a malformed request: {error}"),
            }
        }
    }

    /// What some origins do before they have read everything.
    fn head_came(&mut self, world: &mut World, id: StreamId, wish: Wish, expects_continue: bool) {
        let how = if world.is_kind || world.is_calm {
            99
        } else {
            world.dice.roll(30)
        };
        match how {
            0 => {
                self.closes_after = Some(0);
                return;
            }
            1 if wish.has_content() => {
                let refusal = format!(
                    "HTTP/1.1 403 No\r\nX-Number: {}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
                    wish.number
                );
                self.pending.extend_from_slice(refusal.as_bytes());
                self.closes_after = Some(self.pending.len());
                return;
            }
            2 if wish.has_content() && !expects_continue => {
                self.answer(world, id, wish);
                return;
            }
            _ => {}
        }
        if expects_continue {
            self.say(world, id, Status::CONTINUE, wish);
        } else if world.dice.one_in(6) {
            self.say(world, id, Status::from_u16(103).unwrap(), wish);
        }
    }

    fn say(&mut self, world: &mut World, id: StreamId, status: Status, wish: Wish) {
        let mut head = Box::new(ResponseHead::default());
        head.status = status;
        head.fields
            .push(b"X-Hint", wish.number.to_string().as_bytes());
        self.push(world, id, &Part::Interim(head));
    }

    fn push(&mut self, world: &mut World, id: StreamId, part: &Part<'_, crate::http::Response>) {
        let mut output = Output::new();
        let mut outlet = Outlet {
            output: &mut output,
            blocks: &mut world.blocks,
        };
        self.codec.push(id, part, &mut outlet).unwrap();
        self.pending.extend(output.to_vec());
        output.clear(&mut world.blocks);
    }

    fn answer(&mut self, world: &mut World, id: StreamId, wish: Wish) {
        self.is_answered = true;
        let is_head = wish.method == "HEAD";
        let body = content_of(wish.number, wish.size, true);
        let how = if world.is_calm {
            99
        } else {
            world.dice.roll(20)
        };
        // Until the connection closes.
        if how == 0 && !is_head {
            let head = format!("HTTP/1.1 200 OK\r\nX-Number: {}\r\n\r\n", wish.number);
            self.pending.extend_from_slice(head.as_bytes());
            self.pending.extend_from_slice(&body);
            self.closes_after = Some(self.pending.len());
            return;
        }
        let mut head = Box::new(ResponseHead::default());
        head.status = Status::OK;
        head.fields
            .push(b"X-Number", wish.number.to_string().as_bytes());
        head.content = if world.dice.one_in(2) {
            ContentSize::Length(body.len() as u64)
        } else {
            ContentSize::Unknown
        };
        self.push(world, id, &Part::Head(head));
        if !is_head && !body.is_empty() {
            self.push(world, id, &Part::Data(&body));
        }
        self.push(world, id, &Part::End);
        match how {
            // Closes without having said so, between two requests if nobody is quick.
            1 => self.closes_after = Some(self.pending.len()),
            // In the middle of its answer.
            2 if !world.is_kind => self.closes_after = Some(world.dice.size(self.pending.len())),
            // Says another answer behind it, at once: what comes later answers whatever is asked then.
            3 if !world.is_kind => {
                self.pending.extend_from_slice(NOBODYS.as_bytes());
                self.is_hasty = true;
            }
            _ => {}
        }
    }
}

fn run(seed: u64, is_kind: bool) {
    let mut ledger = Ledger::new(seed, is_kind);
    for _ in 0..500 {
        ledger.step();
    }
    ledger.settle();
    ledger.check(seed);
}

/// The seed that `TINE_SEED` names, or the first ones.
fn seeds(count: u64) -> std::ops::RangeInclusive<u64> {
    let one = |name| std::env::var(name).ok()?.parse().ok();
    match (one("TINE_SEED"), one("TINE_SEEDS")) {
        (Some(seed), _) => seed..=seed,
        (None, Some(count)) => 1..=count,
        (None, None) => 1..=count,
    }
}

#[test]
fn every_response_reaches_the_request_that_asked_for_it_or_an_error_does() {
    seeds(10).for_each(|seed| run(seed, false));
}

#[test]
fn where_nobody_misbehaves_every_request_is_asked_once_and_answered() {
    seeds(6).for_each(|seed| run(seed, true));
}
