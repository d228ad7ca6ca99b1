//! The properties of the fuzz targets, from seeds, so that they are checked wherever tests run.
//!
//! Responsible for: making bytes that are nearly messages. A failing seed is replayed by `TINE_SEED=n cargo test --test it properties`.

#[expect(unreachable_pub, reason = "the fuzz targets use it as a crate")]
#[path = "../fuzz/src/lib.rs"]
mod invariants;

/// Inputs for each property.
const ROUNDS: u64 = 3_000;

/// A small generator: every seed gives the same bytes on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).expect("53 bits fit") % sides.max(1)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.roll(256)).expect("below 256")
    }
}

/// What framing is made of; mutations put these where they do not belong.
const TOKENS: [&str; 40] = [
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "\0",
    "0",
    "5",
    "f",
    "\"",
    "\\",
    "#",
    "?",
    "%2e",
    "/../",
    "//",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Host: h\r\n",
    "HTTP/1.1",
    "HTTP/1.0",
    "GET / HTTP/1.1\r\n",
    "\r\n ",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "Expect: 100-continue\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "Upgrade: x\r\n",
    "\x7f",
    "\u{1}",
    "chunked",
    "Trailer: X\r\n",
    "5;a=\"b\"\r\n",
    "http://h/",
];

const REQUESTS: [&str; 10] = [
    "GET /a?b HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET http://h:80/a HTTP/1.1\r\nHost: x\r\nConnection: X, close\r\nX: y\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: h\r\nMax-Forwards: 3\r\n\r\n",
    "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nHEAD /b HTTP/1.1\r\nHost: h\r\n\r\n",
    "PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    "GET /a HTTP/1.1\nHost: h\nX: a\n b\n\n",
    "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n",
];

const RESPONSES: [&str; 8] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.0 200 OK\r\n\r\nuntil the end",
    "HTTP/1.1 304 X\r\nContent-Length: 9\r\nConnection: X\r\nX: y\r\n\r\n",
    "HTTP/1.1 200\nX: a\n b\nContent-Length: 2, 2\n\nok",
    "\r\nHTTP/1.1 404 \u{e4}\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n",
];

const CHUNKS: [&str; 8] = [
    "5\r\nhello\r\n0\r\n\r\n",
    "5;a=\"b\\\"\";c\r\nhello\r\n0;d\r\n\r\n",
    "A \r\n0123456789\r\n00\r\nX: y\r\n\r\n",
    "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n",
    "0\r\n\r\n5\r\nhello\r\n",
    "ffffffffffffffff\r\nx",
    "5\nhello\n0\n\n",
    "3\r\na\r\n\r\n0\r\nTrailer: x\r\n\r\n",
];

const PATHS: [&str; 6] = [
    "/a/b/../c",
    "/%2e%2e/a",
    "//a///b",
    "/a%2Fb%20c",
    "/\u{e4};x=y/./z",
    "/a%zz",
];

/// Runs a property over mutations of seeds.
fn check(property: fn(&[u8]), seeds: &[&str], prefix: usize) {
    let one = std::env::var("TINE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let rounds = one.map_or(1..=ROUNDS, |seed| seed..=seed);
    for seed in rounds {
        let input = input(seed, seeds, prefix);
        let outcome = std::panic::catch_unwind(|| property(&input));
        assert!(
            outcome.is_ok(),
            "seed {seed}: {:?}",
            input.escape_ascii().to_string()
        );
    }
}

/// A seed text with some mutations, behind `prefix` bytes that say how it is tried.
fn input(seed: u64, seeds: &[&str], prefix: usize) -> Vec<u8> {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    // The first states of a small generator resemble its seed.
    for _ in 0..8 {
        dice.roll(2);
    }
    let text = seeds[dice.roll(seeds.len())];
    // A character of a seed is a byte.
    let mut bytes: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
        .collect();
    for _ in 0..dice.roll(4) {
        let at = dice.roll(bytes.len() + 1);
        let upto = (at + dice.roll(6)).min(bytes.len());
        match dice.roll(6) {
            0 => drop(bytes.drain(at..upto)),
            1 => {
                let piece = bytes[at..upto].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            2 if at < bytes.len() => bytes[at] = dice.byte(),
            3 => bytes.truncate(at),
            _ => {
                let token = TOKENS[dice.roll(TOKENS.len())];
                drop(bytes.splice(at..upto.min(at + dice.roll(2)), token.bytes()));
            }
        }
    }
    let how: Vec<u8> = (0..prefix).map(|_| dice.byte()).collect();
    [how, bytes].concat()
}

#[test]
fn requests_are_forwarded_as_what_they_are() {
    check(invariants::check_requests, &REQUESTS, 2);
}

#[test]
fn responses_are_forwarded_as_what_they_are() {
    check(invariants::check_responses, &RESPONSES, 2);
}

#[test]
fn chunks_mean_what_another_reader_says() {
    check(invariants::check_chunks, &CHUNKS, 2);
}

#[test]
fn paths_stay_paths() {
    check(invariants::check_path, &PATHS, 1);
}
