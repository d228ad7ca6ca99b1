//! How long an election takes: each method among 3 and among 100 members, alone and with its lease, with 64 children known to the board.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use scoreboard::{Board, Capacity};
use std::hint::black_box;
use tine::balancer::{Balancer, METHODS, Methods, Outcome, Silent};
use tine::config::model::{self, MemberParams, WorkerUrl};
use tine::config::{Place, Setting};

const CHILDREN: u32 = 64;

fn balancer(method: &str, members: u32) -> Balancer {
    let capacity = Capacity {
        processes: CHILDREN,
        slots_per_process: 1,
        balancers: 1,
        members,
    };
    let board = Board::heap(&capacity).expect("the capacity is modest");
    let board: &'static Board = Box::leak(Box::new(board));
    for pid in 1..=CHILDREN {
        board.claim_process(pid, 0, 0).expect("there is room");
    }
    let place = Place::new("bench", 1);
    let mut config = model::Balancer::new("c", &place);
    config.params.lbmethod = Setting::new(method.to_owned(), &place);
    config.members = (0..members)
        .map(|number| model::Member {
            url: WorkerUrl::parse(&format!("http://10.0.0.{number}:8080")).expect("a good URL"),
            id22: number,
            params: MemberParams::default(),
            place: place.clone(),
        })
        .collect();
    Balancer::register(&config, "", board, Methods::default()).expect("there is room")
}

fn elections(c: &mut Criterion) {
    for members in [3, 100] {
        let mut group = c.benchmark_group(format!("elect_among_{members}"));
        for method in METHODS {
            let balancer = balancer(method.name(), members);
            group.bench_function(BenchmarkId::from_parameter(method.name()), |b| {
                b.iter(|| black_box(balancer.elect(0, &[], &mut Silent)));
            });
        }
        group.finish();
    }
}

fn leases(c: &mut Criterion) {
    let balancer = balancer("byrequests", 3);
    c.bench_function("lease_and_settle", |b| {
        b.iter(|| {
            balancer
                .lease(black_box(1), 0, 0)
                .settle(black_box(Outcome::NOTHING));
        });
    });
}

criterion_group!(benches, elections, leases);
criterion_main!(benches);
