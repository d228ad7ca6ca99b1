//! Scoreboards with fixed content, for golden pages: nothing in them depends on this machine or this moment.
//!
//! `tinectl`'s tests use the same boards, so the pages and the terminal can be compared.

use std::sync::atomic::Ordering::Relaxed;

use scoreboard::{
    BalancerFlags, BalancerInit, Birth, Board, Capacity, LeaseKind, MemberInit, PLAIN,
    ProcessState, ServerState, ShapeKind, SlotScore, Status, StatusBits,
};

/// The moment at which the samples are looked at: Tuesday, 24 November 2026, 15:42:53 UTC.
pub(crate) const NOW_MS: u64 = 1_795_534_973_000;
/// When the samples were started.
pub(crate) const START_MS: u64 = NOW_MS - 93_784_000;

/// An empty board of this many children with this many slots.
pub(crate) fn board(processes: u32, slots_per_process: u32) -> Board {
    Board::heap(&Capacity {
        processes,
        slots_per_process,
        balancers: 4,
        members: 16,
    })
    .expect("the capacity is a sensible one")
}

/// A prefork server in its ordinary life, one restart behind it: idle, busy and leaving children, an attack in a request line, one
/// balancer with a member in error, one with a sticky session, and a plain member.
pub(crate) fn prefork() -> Board {
    let board = board(80, 1);
    begin(&board, ShapeKind::Prefork);
    fleet(&board);
    for pid in 1001..1007 {
        child(&board, pid, if pid == 1006 { 0 } else { 1 });
    }
    board.process(5).set_state(ProcessState::Quiescing);
    let requests = [
        (0, Status::Write, "GET /app/list?page=2 HTTP/1.1", Some(0)),
        (
            1,
            Status::Write,
            "GET /<script>alert('1')</script>?a=1&b=\"2\" HTTP/1.1",
            None,
        ),
        (3, Status::KeepAlive, "POST /app/order HTTP/1.1", None),
        (5, Status::Write, "GET /shop/basket HTTP/1.1", Some(3)),
    ];
    for (process, status, line, member) in requests {
        request(board.slot(process, 0), line);
        work(&board, process, 0, 37);
        if let Some(member) = member {
            board.claim(process, 0, member, LeaseKind::Busy);
        }
        board
            .slot(process, 0)
            .set_status(status, (NOW_MS - 3_000) * 1000);
    }
    board
}

/// An event server: three children of 48 slots, one of them leaving.
pub(crate) fn event() -> Board {
    let board = board(4, 48);
    begin(&board, ShapeKind::Event);
    fleet(&board);
    for (pid, generation) in [(2001, 1), (2002, 1), (2003, 0)] {
        child(&board, pid, generation);
    }
    board.process(2).set_state(ProcessState::Quiescing);
    board.process(2).not_accepting.store(1, Relaxed);
    for (process, slot, status) in [
        (0, 0, Status::Write),
        (0, 1, Status::Read),
        (1, 4, Status::Write),
        (2, 9, Status::Write),
    ] {
        request(board.slot(process, slot), "GET /app/ HTTP/1.1");
        work(&board, process, slot, 1200);
        board
            .slot(process, slot)
            .set_status(status, (NOW_MS - 1_000) * 1000);
    }
    for process in 0..3 {
        let score = board.process(process);
        for (gauge, value) in [
            (&score.connections, 120),
            (&score.keepalive, 90),
            (&score.writing, 4),
            (&score.closing, 2),
            (&score.waiting, 11),
        ] {
            gauge.store(value + process, Relaxed);
        }
    }
    board
}

fn begin(board: &Board, shape: ShapeKind) {
    let global = board.global();
    global.begin(&Birth {
        pid: 1000,
        now_ms: START_MS,
        shape,
        extended: true,
        server: "tine/0.1.0 (Unix)",
        built: "2026-11-20T08:00:00",
    });
    global.config_generation.store(1, Relaxed);
    global.begin_generation(START_MS + 3_600_000);
    global.set_state(ServerState::Running);
    global.heartbeat(NOW_MS - 400);
    global.cpu_user_us.store(1_250_000, Relaxed);
    global.cpu_system_us.store(730_000, Relaxed);
    global.children_user_us.store(61_000_000, Relaxed);
    global.children_system_us.store(20_500_000, Relaxed);
    global.deaths.store(1, Relaxed);
}

fn child(board: &Board, pid: u32, generation: u32) {
    let start_ms = START_MS + 3_600_000 * u64::from(generation) + 5_000;
    let process = board.claim_process(pid, generation, start_ms).expect(FITS);
    let score = board.process(process);
    score.set_state(ProcessState::Ready);
    score.threads.store(1, Relaxed);
    score.cpu_user_us.store(2_340_000, Relaxed);
    score.cpu_system_us.store(560_000, Relaxed);
    for slot in board.slots(process) {
        slot.pid.store(pid, Relaxed);
        slot.generation.store(generation, Relaxed);
        slot.set_status(Status::Ready, start_ms * 1000);
    }
}

fn request(slot: &SlotScore, line: &str) {
    slot.client.set(b"192.0.2.77");
    slot.request.set(line.as_bytes());
    slot.vhost.set(b"www.example.com:443");
    slot.protocol.set(b"http/1.1");
    slot.start_us.store((NOW_MS - 3_000) * 1000, Relaxed);
}

/// The slot has finished `count` requests before.
fn work(board: &Board, process: u32, slot: u32, count: u64) {
    let score = board.slot(process, slot);
    score.begin_connection();
    for n in 0..count {
        let (bytes, duration_us) = (2_000 + n * 311, 4_000 + n * 97);
        let now_us = (NOW_MS - 2_400) * 1000;
        score.count(bytes, duration_us, now_us);
        board
            .process(process)
            .count(bytes, duration_us, now_us / 1000);
    }
    board
        .process(process)
        .accepted
        .fetch_add(count / 3, Relaxed);
    board.process(process).connections.fetch_add(1, Relaxed);
}

fn fleet(board: &Board) {
    let app = BalancerInit {
        lbmethod: "byrequests",
        max_attempts: 2,
        growth: 5,
        ..BalancerInit::default()
    };
    let shop = BalancerInit {
        lbmethod: "bybusyness",
        sticky: "ROUTE|route",
        timeout_ms: 3_000,
        max_attempts: 1,
        flags: BalancerFlags::STICKY_FORCE,
        ..BalancerInit::default()
    };
    let member = MemberInit::default();
    let heavy = MemberInit {
        lbfactor: 250,
        route: "a",
        ..member.clone()
    };
    let broken = MemberInit {
        order: 1,
        route: "b",
        ..member.clone()
    };
    let reserve = MemberInit {
        order: 2,
        lbset: 1,
        status: StatusBits::STANDBY,
        ..member.clone()
    };
    let sticky = MemberInit {
        route: "s1",
        redirect: "s2",
        ..member.clone()
    };
    let drained = MemberInit {
        order: 1,
        route: "s2",
        status: StatusBits::DRAIN,
        ..member.clone()
    };
    let add = |name: &str, init: &BalancerInit<'_>, members: &[(&str, &MemberInit<'_>)]| {
        let balancer = board.register_balancer(name, "main").expect(FITS);
        board.configure_balancer(balancer, init);
        for (url, init) in members {
            let (index, _) = board.register_member(balancer, url, init).expect(FITS);
            board.member(index).set_status(StatusBits::INIT);
        }
    };
    let members = [
        ("http://app1.example.com:8080", &heavy),
        ("http://app2.example.com:8080", &broken),
        ("http://operator:secret@app3.example.com:8080", &reserve),
    ];
    add("balancer://app", &app, &members);
    let members = [
        ("ajp://shop1.example.com", &sticky),
        ("ajp://shop2.example.com", &drained),
    ];
    add("balancer://shop", &shop, &members);
    let (plain, _) = board
        .register_member(PLAIN, "http://img.example.com/", &member)
        .expect(FITS);
    board.member(plain).set_status(StatusBits::INIT);
    numbers(board);
}

fn numbers(board: &Board) {
    for (index, elected, lbstatus, to, from) in [
        (
            0_u32,
            8_211_u64,
            -120_i64,
            31_250_000_u64,
            9_870_000_000_u64,
        ),
        (1, 3_280, 70, 12_400_000, 3_100_000_000),
        (2, 0, 50, 0, 0),
        (3, 512, 0, 999_000, 77_000_000),
        (4, 498, 0, 973, 1_023),
        (5, 44, 0, 0, 4_400_000),
    ] {
        let member = board.member(index);
        member.elected.store(elected, Relaxed);
        member.lbstatus.store(lbstatus, Relaxed);
        member.transferred.store(to, Relaxed);
        member.read.store(from, Relaxed);
    }
    let broken = board.member(1);
    broken.set_status(StatusBits::IN_ERROR);
    broken.error_time_ms.store(NOW_MS - 42_000, Relaxed);
    broken.retries.store(3, Relaxed);
    broken.reason_since_ms.store(NOW_MS - 42_000, Relaxed);
    broken.reason.set(b"connection refused");
}

const FITS: &str = "the sample's capacity is chosen for it";
