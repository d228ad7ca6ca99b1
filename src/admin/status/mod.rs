//! `SetHandler server-status`.
//!
//! Responsible for: the query, the answer's fields, and what both views need. The views are `html` and `auto`. Not responsible for:
//! filling slots (the engine's tally does, texts and counters only with ExtendedStatus).
//!
//! Know first: httpd looks for its query words anywhere in the query, so `?auto&refresh=5`, `?auto,refresh=5` and `?xautox` all work;
//! so they do here.
//!
//! httpd: mod_status.

mod auto;
mod html;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::IpAddr;

use scoreboard::Snapshot;

use super::fleet::{self, Group};
use crate::config::model::{ProxyStatus, WorkerUrl};
use crate::request::{Answer, Ask, Failure, Handler, Plan, Site, Verdict};

/// The handler.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// Reads the load averages of the machine over 1, 5 and 15 minutes.
    pub load: fn() -> Option<[f64; 3]>,
    /// Writes a server's identity as its balancers were registered with.
    pub identity: fn(&Site) -> String,
}

impl Handler for Status {
    fn name(&self) -> &'static str {
        "server-status"
    }

    fn start(&self, ask: &Ask<'_>, _plan: &mut Plan) -> Verdict {
        if let Err(answer) = super::only_reading(ask) {
            return Verdict::Answer(answer);
        }
        let query = Query::parse(ask.head.target.query().unwrap_or_default());
        let snapshot = ask.env.board.snapshot();
        let site = ask.site();
        let view = View {
            snapshot: &snapshot,
            host: &String::from_utf8_lossy(ask.server_name()),
            via: ask.peers.local.ip(),
            now_us: ask.now_us,
            load: (self.load)(),
            groups: match site.server.proxy.status.or(ProxyStatus::Off) {
                ProxyStatus::Off => Vec::new(),
                ProxyStatus::On | ProxyStatus::Full => {
                    fleet::of_site(ask.env, site, &snapshot, self.identity)
                }
            },
        };
        Verdict::Answer(query.answer(&view))
    }

    fn failed(&self, ask: &Ask<'_>, _plan: &mut Plan, failure: &Failure) -> Verdict {
        // Nothing is ever forwarded, so nothing can fail; whatever it is, the client gets its status.
        Verdict::Answer(Answer::error(ask, failure.status()))
    }
}

/// Everything the page is made of.
#[derive(Debug)]
struct View<'a> {
    snapshot: &'a Snapshot,
    /// The name of the server as the client knows it.
    host: &'a str,
    /// The address that the client connected to.
    via: IpAddr,
    now_us: u64,
    load: Option<[f64; 3]>,
    /// The balancers to show; none with `ProxyStatus Off`.
    groups: Vec<Group<'a>>,
}

impl View<'_> {
    const fn now_ms(&self) -> u64 {
        self.now_us / 1000
    }

    /// Seconds since the server was started or restarted.
    const fn uptime_s(&self) -> u64 {
        self.now_ms()
            .saturating_sub(self.snapshot.global.restart_ms)
            / 1000
    }

    /// Processor time: of the living in user and system mode, then of reaped children in both.
    fn cpu_s(&self) -> [f64; 4] {
        let global = &self.snapshot.global;
        let sum = |own: u64, children: fn(&scoreboard::ProcessView) -> u64| {
            let living = self.snapshot.processes.iter().map(children);
            living.fold(own, u64::saturating_add)
        };
        let micros = [
            sum(global.cpu_user_us, |child| child.cpu_user_us),
            sum(global.cpu_system_us, |child| child.cpu_system_us),
            global.children_user_us,
            global.children_system_us,
        ];
        // httpd counts in clock ticks of 10 ms.
        micros.map(|us| super::units::approximate(us / 10_000) / 100.0)
    }

    fn mpm(&self) -> &'static str {
        self.snapshot
            .global
            .shape
            .map_or("unknown", scoreboard::ShapeKind::name)
    }

    /// Whether connections beyond the slots are possible, so that the table of connections says something.
    fn is_async(&self) -> bool {
        self.snapshot.global.shape == Some(scoreboard::ShapeKind::Event)
    }
}

/// What the query asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Query {
    /// For a program.
    is_auto: bool,
    /// Slots as lines of text instead of a table.
    is_tableless: bool,
    /// Seconds after which a browser asks again.
    refresh_s: Option<u32>,
}

impl Query {
    fn parse(query: &[u8]) -> Self {
        let find = |word: &[u8]| memchr::memmem::find(query, word).map(|at| at + word.len());
        Self {
            is_auto: find(b"auto").is_some(),
            is_tableless: find(b"notable").is_some(),
            refresh_s: find(b"refresh").map(|end| seconds_at(query.get(end..).unwrap_or_default())),
        }
    }

    fn answer(self, view: &View<'_>) -> Box<Answer> {
        let mut answer = if self.is_auto {
            super::answer("text/plain; charset=utf-8", auto::render(view))
        } else {
            super::answer(
                "text/html; charset=utf-8",
                html::render(view, self.is_tableless),
            )
        };
        if let Some(seconds) = self.refresh_s {
            answer
                .fields
                .push(b"Refresh", seconds.to_string().as_bytes());
        }
        answer
    }
}

/// The number in `=N…`; httpd's default where there is none.
fn seconds_at(rest: &[u8]) -> u32 {
    let digits = rest.strip_prefix(b"=").unwrap_or_default();
    let end = digits
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(digits.len());
    let digits = String::from_utf8_lossy(digits.get(..end).unwrap_or_default());
    digits
        .parse()
        .ok()
        .filter(|&seconds| seconds > 0)
        .unwrap_or(REFRESH_S)
}

const REFRESH_S: u32 = 10;

/// The two words of a member's URL that mod_status shows: scheme and host. Here with the port, if it is not the scheme's own: members
/// that differ in nothing else are not rare.
fn scheme_and_host(url: &str) -> (Cow<'_, str>, Cow<'_, str>) {
    match WorkerUrl::parse(url) {
        Ok(parsed) => (
            Cow::Owned(parsed.scheme.clone()),
            Cow::Owned(parsed.authority()),
        ),
        Err(_) => (Cow::Borrowed(""), Cow::Borrowed(url)),
    }
}
