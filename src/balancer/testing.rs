//! A balancer over a board in private memory, for this room's tests.

use super::{Balancer, Choice, Event, Methods, NoMember, Outcome, Request, Silent};
use crate::config::Place;
use crate::config::model::{self, BalancerParams, MemberParams, StatusBit, StatusEdit, WorkerUrl};
use crate::config::setting::Setting;
use crate::http::Fields;
use scoreboard::{Board, Capacity};
use std::sync::atomic::Ordering::Relaxed;

/// Members a, b, c … of `balancer://c`, and one child that elects.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) balancer: Balancer,
    pub(super) board: &'static Board,
    pub(super) process: u32,
}

/// A member's parameters from words such as `loadfactor=2 lbset=1 status=+H route=r1`.
pub(super) fn params(words: &str) -> MemberParams {
    let place = Place::new("t", 1);
    let mut params = MemberParams::default();
    for word in words.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap();
        let number = || value.parse::<u32>().unwrap();
        match key {
            "loadfactor" => params.load_factor_percent = Setting::new(number() * 100, &place),
            "lbset" => params.lbset = Setting::new(number(), &place),
            "retry" => params.retry_s = Setting::new(number(), &place),
            "route" => params.route = Setting::new(value.to_owned(), &place),
            "redirect" => params.redirect = Setting::new(value.to_owned(), &place),
            "status" => {
                let mut edit = StatusEdit::default();
                for letter in value.trim_start_matches('+').chars() {
                    edit.apply(StatusBit::from_letter(letter).unwrap(), true);
                }
                params.status = Setting::new(edit, &place);
            }
            other => panic!("no such word: {other}"),
        }
    }
    params
}

impl Cluster {
    /// A balancer whose members have these load factors in hundredths.
    pub(super) fn weighted(method: &str, factors: &[u32]) -> Self {
        let place = Place::new("t", 1);
        let members = factors.iter().map(|&factor| MemberParams {
            load_factor_percent: Setting::new(factor, &place),
            ..MemberParams::default()
        });
        let params = BalancerParams {
            lbmethod: Setting::new(method.to_owned(), &place),
            ..BalancerParams::default()
        };
        Self::build(params, members.collect())
    }

    /// A byrequests balancer whose members have the parameters in `members`, as [`params`] reads them.
    pub(super) fn of(balancer: BalancerParams, members: &[&str]) -> Self {
        Self::build(
            balancer,
            members.iter().map(|words| params(words)).collect(),
        )
    }

    fn build(params: BalancerParams, members: Vec<MemberParams>) -> Self {
        let capacity = Capacity {
            processes: 2,
            slots_per_process: 4,
            balancers: 1,
            members: 32,
        };
        let board: &'static Board = Box::leak(Box::new(Board::heap(&capacity).unwrap()));
        let place = Place::new("t", 1);
        let mut config = model::Balancer::new("c", &place);
        config.params = params;
        config.members = members
            .into_iter()
            .zip(0..)
            .map(|(params, index)| model::Member {
                url: WorkerUrl::parse(&format!("http://{}:8080", Self::letter(index))).unwrap(),
                id22: 2 * index + 1,
                params,
                place: place.clone(),
            })
            .collect();
        let balancer = Balancer::register(&config, "", board, Methods::default()).unwrap();
        let process = board.claim_process(1, 0, 0).unwrap();
        Self {
            balancer,
            board,
            process,
        }
    }

    pub(super) fn letter(index: u32) -> char {
        char::from_u32(u32::from('a') + index).unwrap()
    }

    pub(super) fn elect_index(&self) -> u32 {
        self.balancer
            .elect(0, &[], &mut Silent)
            .expect("somebody is usable")
    }

    /// Holds an election; the winner's letter.
    pub(super) fn elect(&self) -> char {
        Self::letter(self.elect_index())
    }

    pub(super) fn elect_many(&self, elections: usize) -> String {
        (0..elections).map(|_| self.elect()).collect()
    }

    /// Winners of elections at `now_ms`, `-` for nobody.
    pub(super) fn elect_at(&self, now_ms: u64, tried: &[u32], elections: usize) -> String {
        (0..elections)
            .map(|_| {
                self.balancer
                    .elect(now_ms, tried, &mut Silent)
                    .map_or('-', Self::letter)
            })
            .collect()
    }

    pub(super) fn hold(&self, index: u32) {
        self.board.busy_inc(
            self.process,
            self.balancer.member(index).unwrap().board_index,
        );
    }

    pub(super) fn release(&self, index: u32) {
        self.board.busy_dec(
            self.process,
            self.balancer.member(index).unwrap().board_index,
        );
    }

    pub(super) fn settle(&self, index: u32, bytes_sent: u64, bytes_received: u64) {
        let outcome = Outcome {
            bytes_sent,
            bytes_received,
            result: Some(Ok(200)),
        };
        self.balancer.lease(index, self.process, 0).settle(outcome);
    }

    pub(super) fn fail(&self, index: u32, now_ms: u64) -> bool {
        self.balancer
            .member(index)
            .unwrap()
            .put_in_error(now_ms, "connect failed")
    }

    /// What choosing for `url` at time 0 comes to, without cookies.
    pub(super) fn choose(&self, url: &str) -> String {
        self.choose_with(url, "", &[], 0, &mut Vec::new())
    }

    /// The letter chosen, `*` after it when sticky, `!` when the route changed; or why there is nobody. Events go to `lines`.
    pub(super) fn choose_with(
        &self,
        url: &str,
        cookie: &str,
        tried: &[u32],
        now_ms: u64,
        lines: &mut Vec<String>,
    ) -> String {
        let mut fields = Fields::new();
        if !cookie.is_empty() {
            fields.push(b"Cookie", cookie.as_bytes());
        }
        let request = Request {
            path_and_query: url.as_bytes(),
            fields: &fields,
            tried,
            now_ms,
        };
        let choice = self
            .balancer
            .choose(&request, &mut |event: Event<'_>| lines.push(line(event)));
        match choice {
            Ok(Choice {
                index,
                is_sticky,
                route_changed,
                ..
            }) => format!(
                "{}{}{}",
                Self::letter(index),
                if is_sticky { "*" } else { "" },
                if route_changed { "!" } else { "" }
            ),
            Err(none) => NoMember::to_string(&none),
        }
    }

    pub(super) fn lbstatus(&self) -> Vec<i64> {
        self.balancer
            .members
            .iter()
            .map(|member| member.score.lbstatus.load(Relaxed))
            .collect()
    }

    pub(super) fn busy(&self) -> Vec<u64> {
        self.balancer
            .members
            .iter()
            .map(|member| self.board.busy(member.board_index))
            .collect()
    }

    /// Every member's state in one word: `ok` if usable, else the letters of what is wrong.
    pub(super) fn states(&self) -> String {
        let words = self.balancer.members.iter().map(|member| {
            let text = member.status_text();
            if member.usable() {
                "ok".to_owned()
            } else {
                text.replace("Init", "").trim().to_owned()
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// An event in few words.
fn line(event: Event<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match event {
        Event::Retrying(member) => format!("retrying {}", member.url.host),
        Event::MarkedForRetry(member) => format!("marked {}", member.url.host),
        Event::TooSoonToRetry(member) => format!("too soon {}", member.url.host),
        Event::WillNotRetry(member) => format!("stopped {}", member.url.host),
        Event::ForcingRecovery(member) => format!("forcing {}", member.url.host),
        Event::FoundSession { name, value } => format!("value {} for {name}", text(value)),
        Event::FoundRoute(route) => format!("route {}", text(route)),
        Event::RouteChanged { from, to } => {
            format!("changed {} to {}", text(from), to.score.route.get())
        }
        Event::Entering { method } => format!("entering {method}"),
        Event::Selected {
            method,
            member,
            busy,
            lbstatus,
        } => {
            format!(
                "{method} selected {} busy {busy} lbstatus {lbstatus}",
                member.name()
            )
        }
    }
}
