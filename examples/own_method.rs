//! A balancing method of your own, in a crate of your own.
//!
//! `first_usable` sends everything to the first member and uses the next one only while those before it are out of service. It needs
//! nothing from tine but the trait: [`Methods`] is an argument, so a longer slice makes `lbmethod=first_usable` known.
//!
//! Run it with `cargo run --example own_method`.

use scoreboard::{Board, Capacity};
use std::error::Error;
use std::io::{Write as _, stdout};
use tine::balancer::method::{ByBusyness, ByRequests, ByTraffic};
use tine::balancer::{Balancer, Candidate, LbMethod, Member, Methods, Outcome, Silent};
use tine::config::model::{self, MemberParams, WorkerUrl};
use tine::config::{Place, Setting};

/// The first usable member, in configuration order.
#[derive(Debug)]
struct FirstUsable;

impl LbMethod for FirstUsable {
    fn name(&self) -> &'static str {
        "first_usable"
    }

    fn elect(&self, field: &[Candidate<'_>], _now_ms: u64) -> Option<usize> {
        // The field holds only members that may be used; spares come after the others.
        (!field.is_empty()).then_some(0)
    }

    /// It keeps no numbers.
    fn reset(&self, _members: &[Member]) {}
}

/// The server's own methods and ours, by name.
static METHODS: &[&dyn LbMethod] = &[&ByBusyness, &ByRequests, &ByTraffic, &FirstUsable];

fn main() -> Result<(), Box<dyn Error>> {
    let capacity = Capacity {
        processes: 1,
        slots_per_process: 1,
        balancers: 1,
        members: 3,
    };
    // A server's board lives in a file that its children share; one in private memory serves a single process.
    let board: &'static Board = Box::leak(Box::new(Board::heap(&capacity)?));
    let balancer = Balancer::register(&configuration()?, "", board, Methods(METHODS))?;
    let process = board
        .claim_process(std::process::id(), 0, 0)
        .ok_or("the board has one process")?;

    let mut out = stdout().lock();
    for (now_ms, what) in [
        (0, "all well"),
        (1_000, "a fails"),
        (61_001, "a has rested"),
    ] {
        if now_ms == 1_000 {
            let a = balancer.member(0).ok_or("there are three members")?;
            a.put_in_error(now_ms, "connect failed");
        }
        let index = balancer
            .elect(now_ms, &[], &mut Silent)
            .ok_or("somebody is usable")?;
        let lease = balancer.lease(index, process, 0);
        let member = balancer.member(index).ok_or("it was just elected")?;
        writeln!(
            out,
            "{what}: {} ({})",
            member.name(),
            member.status_text().trim()
        )?;
        lease.settle(Outcome {
            bytes_sent: 120,
            bytes_received: 4_000,
            result: Some(Ok(200)),
        });
    }
    Ok(())
}

/// What three `BalancerMember` lines and `ProxySet lbmethod=first_usable` come to.
fn configuration() -> Result<model::Balancer, Box<dyn Error>> {
    let place = Place::new("own_method", 1);
    let mut balancer = model::Balancer::new("c", &place);
    balancer.params.lbmethod = Setting::new("first_usable".to_owned(), &place);
    for (id22, host) in (1..).zip(["a", "b", "c"]) {
        let url = WorkerUrl::parse(&format!("http://{host}:8080"))
            .map_err(|error| format!("http://{host}:8080: {error:?}"))?;
        balancer.members.push(model::Member {
            url,
            id22,
            params: MemberParams::default(),
            place: place.clone(),
        });
    }
    Ok(balancer)
}
