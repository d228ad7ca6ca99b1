//! Members and balancers by identity: what a graceful restart, an operator's edit and a crashed parent leave behind.

#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::Ordering;

use scoreboard::{BalancerInit, Board, BoardError, Capacity, Found, MemberInit, PLAIN, StatusBits};

const CAPACITY: Capacity = Capacity {
    processes: 2,
    slots_per_process: 1,
    balancers: 2,
    members: 3,
};

fn board() -> Board {
    Board::heap(&CAPACITY).unwrap()
}

#[test]
fn a_graceful_restart_finds_members_by_name_whatever_their_place() {
    let board = board();
    let balancer = board.register_balancer("balancer://app", "vhost").unwrap();
    let init = MemberInit::default();
    let (a, found) = board
        .register_member(balancer, "http://a:8080", &init)
        .unwrap();
    assert_eq!(found, Found::New);
    let (b, _) = board
        .register_member(balancer, "http://b:8080", &init)
        .unwrap();
    board.member(b).elected.store(7, Ordering::Relaxed);
    board.member(b).set_status(StatusBits::IN_ERROR);

    let again = board.register_balancer("balancer://app", "vhost").unwrap();
    assert_eq!(again, balancer);
    assert_eq!(
        board
            .register_member(balancer, "http://b:8080", &init)
            .unwrap(),
        (b, Found::Kept)
    );
    assert_eq!(board.member(b).elected.load(Ordering::Relaxed), 7);
    assert_eq!(board.member(b).status().names(), "Init Err ");
    assert_eq!(board.member(a).status().names(), "Init Ok ");
    assert_eq!(board.members_of(balancer), [a, b]);
}

#[test]
fn the_same_url_elsewhere_is_another_member() {
    let board = board();
    let init = MemberInit::default();
    let one = board.register_balancer("balancer://app", "one").unwrap();
    let two = board.register_balancer("balancer://app", "two").unwrap();
    assert_ne!(one, two);
    let members = [one, two, PLAIN].map(|owner| {
        board
            .register_member(owner, "http://a:8080", &init)
            .unwrap()
            .0
    });
    assert_eq!(members, [0, 1, 2]);
    assert_eq!(board.member(2).balancer(), None);
    let full = board.register_member(PLAIN, "http://b:8080", &init);
    assert!(matches!(
        full,
        Err(BoardError::Full {
            what: "members",
            capacity: 3
        })
    ));
}

#[test]
fn urls_that_differ_only_past_what_the_record_holds_are_told_apart() {
    let board = board();
    let init = MemberInit::default();
    let long = "x".repeat(300);
    let (a, _) = board
        .register_member(PLAIN, &format!("http://a/{long}1"), &init)
        .unwrap();
    let (b, _) = board
        .register_member(PLAIN, &format!("http://a/{long}2"), &init)
        .unwrap();
    assert_ne!(a, b);
}

#[test]
fn an_edit_stays_until_the_configuration_says_something_new() {
    let board = board();
    let first = MemberInit {
        lbfactor: 100,
        ..MemberInit::default()
    };
    let (index, _) = board
        .register_member(PLAIN, "http://a:8080", &first)
        .unwrap();
    let member = board.member(index);
    member.lbfactor.store(500, Ordering::Relaxed);
    member.set_status(StatusBits::DISABLED.with(StatusBits::IN_ERROR));

    board
        .register_member(PLAIN, "http://a:8080", &first)
        .unwrap();
    assert_eq!(member.lbfactor.load(Ordering::Relaxed), 500);
    assert_eq!(member.status().names(), "Init Dis Err ");

    let second = MemberInit {
        lbfactor: 200,
        route: "r2",
        ..first
    };
    board
        .register_member(PLAIN, "http://a:8080", &second)
        .unwrap();
    assert_eq!(member.lbfactor.load(Ordering::Relaxed), 200);
    assert_eq!(member.route.get(), "r2");
    assert_eq!(
        member.status().names(),
        "Init Err ",
        "trouble found by the server stays"
    );
}

#[test]
fn a_balancer_s_edits_stay_likewise_and_children_hear_of_changes() {
    let board = board();
    let index = board.register_balancer("balancer://app", "").unwrap();
    let init = BalancerInit {
        lbmethod: "byrequests",
        ..BalancerInit::default()
    };
    let balancer = board.balancer(index);
    assert!(board.configure_balancer(index, &init));
    let seen = balancer.changed();
    balancer.lbmethod.set(b"bybusyness");
    assert!(!board.configure_balancer(index, &init));
    assert_eq!(balancer.lbmethod.get(), "bybusyness");
    assert_eq!(balancer.changed(), seen);
    balancer.mark_changed();
    assert_ne!(balancer.changed(), seen);
}

#[test]
fn a_retired_record_waits_for_the_children_that_know_it() {
    let board = board();
    let init = MemberInit::default();
    for url in ["http://a/", "http://b/", "http://c/"] {
        board.register_member(PLAIN, url, &init).unwrap();
    }
    let process = board.claim_process(10, 0, 0).unwrap();
    board.busy_inc(process, 1);
    assert_eq!(board.sweep_unregistered(&[], &[0, 2]), 1);
    assert!(!board.member(1).is_used());
    assert_eq!(board.snapshot().members.len(), 2);
    board.global().begin_generation(1);

    let taken = board.register_member(PLAIN, "http://d/", &init);
    assert!(taken.is_err(), "the old child is still busy with record 1");
    let back = board.register_member(PLAIN, "http://b/", &init).unwrap();
    assert_eq!(back, (1, Found::Kept), "its own name may come back at once");
    assert_eq!(board.member(1).status().names(), "Init Ok ");

    board.sweep_unregistered(&[], &[0, 2]);
    board.free_process(process);
    let taken = board.register_member(PLAIN, "http://d/", &init).unwrap();
    assert_eq!(taken, (1, Found::New));
    assert_eq!(board.member(1).url.get(), "http://d/");
    assert_eq!(board.busy(1), 0);
}

#[test]
fn a_new_parent_takes_over_what_a_crashed_one_left() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("scoreboard");
    let init = MemberInit::default();
    {
        let old = Board::create(&path, &CAPACITY).unwrap();
        old.register_balancer("balancer://gone", "").unwrap();
        old.sweep_unregistered(&[], &[]);
        let app = old.register_balancer("balancer://app", "").unwrap();
        let (member, _) = old.register_member(app, "http://a/", &init).unwrap();
        old.member(member).elected.store(3, Ordering::Relaxed);
        old.member(member).set_status(StatusBits::DISABLED);
        old.busy_inc(0, member);
    }
    let earlier = Board::open_read_only(&path).unwrap();
    let new = Board::create(
        &path,
        &Capacity {
            members: 9,
            ..CAPACITY
        },
    )
    .unwrap();
    assert_eq!(new.inherit(&earlier).unwrap(), 2);
    assert!(
        new.snapshot().members.is_empty(),
        "nothing counts until it is registered"
    );

    let app = new.register_balancer("balancer://app", "").unwrap();
    let (member, found) = new.register_member(app, "http://a/", &init).unwrap();
    assert_eq!(found, Found::Kept);
    let view = &new.snapshot().members[0];
    assert_eq!(
        (view.index, view.balancer, view.elected),
        (member, Some(app), 3)
    );
    assert_eq!(view.status.names(), "Init Dis ");
    assert_eq!(view.busy, 0, "leases died with those who held them");
}
