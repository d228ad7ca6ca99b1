//! Whole choices: sets, reserves, states, recovery, sessions and failover, named after what an operator configures.

use super::testing::Cluster;
use super::*;
use crate::config::model::Sticky;
use crate::config::{Place, Setting};

fn place() -> Place {
    Place::new("t", 1)
}

fn plain() -> BalancerParams {
    BalancerParams::default()
}

fn sticky() -> BalancerParams {
    let sticky = Sticky {
        cookie: "SID".to_owned(),
        url_parameter: "sid".to_owned(),
    };
    BalancerParams {
        sticky: Setting::new(sticky, &place()),
        ..plain()
    }
}

fn without_force_recovery() -> BalancerParams {
    BalancerParams {
        force_recovery: Setting::new(false, &place()),
        ..plain()
    }
}

#[test]
fn status_letters_decide_who_stands() {
    // (the first of two members, who wins four elections)
    let table = [
        ("", "abab"),
        ("status=+I", "abab"),
        ("status=+D", "bbbb"),
        ("status=+S", "bbbb"),
        ("status=+N", "bbbb"),
        ("status=+H", "bbbb"),
        ("status=+R", "bbbb"),
        ("status=+C", "bbbb"),
        ("status=+U", "bbbb"),
    ];
    for (first, winners) in table {
        let cluster = Cluster::of(plain(), &[first, ""]);
        assert_eq!(cluster.elect_many(4), winners, "{first}");
    }
    // Configured in error since the year 1970: the rest is over.
    let cluster = Cluster::of(plain(), &["status=+E", ""]);
    assert_eq!(cluster.elect_at(0, &[], 2), "bb");
    assert_eq!(cluster.elect_at(60_001, &[], 2), "ab");
}

#[test]
fn lower_lbsets_go_first_and_gaps_do_not_matter() {
    let cluster = Cluster::of(
        without_force_recovery(),
        &["lbset=7", "lbset=3", "lbset=3", "lbset=9"],
    );
    assert_eq!(cluster.elect_at(0, &[], 4), "bcbc");
    cluster.fail(1, 0);
    assert_eq!(cluster.elect_at(0, &[], 2), "cc");
    cluster.fail(2, 0);
    assert_eq!(cluster.elect_at(0, &[], 2), "aa");
    cluster.fail(0, 0);
    assert_eq!(cluster.elect_at(0, &[], 2), "dd");
    cluster.fail(3, 0);
    assert_eq!(cluster.elect_at(0, &[], 1), "-");
}

#[test]
fn standbys_wait_until_nobody_else_of_their_set_is_usable() {
    let cluster = Cluster::of(plain(), &["", "status=+H", "status=+H", "lbset=1"]);
    assert_eq!(cluster.elect_at(0, &[], 2), "aa");
    cluster.fail(0, 0);
    assert_eq!(
        cluster.elect_at(0, &[], 4),
        "bcbc",
        "standbys of set 0 before set 1"
    );
    cluster.fail(1, 0);
    cluster.fail(2, 0);
    assert_eq!(cluster.elect_at(0, &[], 1), "d");
}

#[test]
fn however_many_members_there_are_each_gets_its_turn() {
    for count in [15, 16, 17, 26] {
        let cluster = Cluster::weighted("byrequests", &vec![1; count]);
        let expected: String = (0..).take(count).map(Cluster::letter).collect();
        assert_eq!(cluster.elect_many(count), expected);
    }
}

#[test]
fn spares_replace_unusable_members_one_for_one() {
    let cluster = Cluster::of(plain(), &["", "", "status=+R", "status=+R", "status=+H"]);
    assert_eq!(cluster.elect_at(0, &[], 4), "abab");
    cluster.fail(0, 0);
    assert_eq!(
        cluster.elect_at(0, &[], 4),
        "bcbc",
        "one is out, one spare is in"
    );
    cluster.fail(1, 0);
    let winners = cluster.elect_at(0, &[], 4);
    assert!(
        winners.chars().all(|winner| "cd".contains(winner)),
        "{winners}"
    );
    cluster.fail(2, 0);
    cluster.fail(3, 0);
    assert_eq!(cluster.elect_at(0, &[], 1), "e", "and then the standby");
}

#[test]
fn failover_to_a_member_and_a_spare_in_httpds_order() {
    let cluster = Cluster::of(plain(), &["", "", "status=+R", "status=+R"]);
    assert_eq!(cluster.elect_at(0, &[], 1), "a");
    cluster.fail(0, 0);
    assert_eq!(cluster.elect_at(0, &[0], 1), "b");
    assert_eq!(cluster.elect_at(0, &[], 7), "cbcbcbc");
}

#[test]
fn a_spare_replaces_a_draining_member() {
    let cluster = Cluster::of(plain(), &["status=+N", "", "status=+R"]);
    assert_eq!(cluster.elect_many(4), "bcbc");
    // A draining spare is no reserve and nobody's gap.
    let cluster = Cluster::of(plain(), &["", "status=+NR", "status=+R"]);
    assert_eq!(cluster.elect_many(2), "aa");
}

#[test]
fn a_member_in_error_rests_for_its_retry_time() {
    let cluster = Cluster::of(plain(), &["retry=5", ""]);
    let a = &cluster.balancer.members[0];
    assert!(cluster.fail(0, 1_000));
    assert_eq!(cluster.states(), "Err ok");
    assert_eq!(a.score.reason.get(), "connect failed");
    assert_eq!(a.try_retry(6_000, &mut Silent), Retry::TooSoon);
    assert_eq!(cluster.elect_at(6_000, &[], 2), "bb");
    assert_eq!(a.try_retry(6_001, &mut Silent), Retry::Marked);
    assert_eq!(a.try_retry(6_001, &mut Silent), Retry::NotInError);
    assert_eq!(a.score.retries.load(Relaxed), 1);
    a.succeeded();
    assert_eq!(a.score.retries.load(Relaxed), 0);
    assert_eq!(a.score.error_time_ms.load(Relaxed), 0);
}

#[test]
fn retry_0_does_not_rest_but_another_member_is_tried_first() {
    let cluster = Cluster::weighted("bytraffic", &[100, 100]);
    cluster.balancer.members[0].score.retry_ms.store(0, Relaxed);
    cluster.fail(0, 1_000);
    assert_eq!(
        cluster.elect_at(1_001, &[0], 1),
        "b",
        "a carried least, but was tried"
    );
    assert_eq!(cluster.states(), "Err ok");
    assert_eq!(
        cluster.elect_at(1_001, &[], 1),
        "a",
        "the next request may use it at once"
    );
    assert_eq!(
        cluster.elect_at(1_001, &[0, 1], 1),
        "a",
        "tried members serve when there are no others"
    );
}

#[test]
fn a_stopped_member_is_not_retried() {
    let cluster = Cluster::of(plain(), &["status=+ES", ""]);
    let a = &cluster.balancer.members[0];
    assert_eq!(a.try_retry(u64::MAX, &mut Silent), Retry::Stopped);
    assert_eq!(cluster.states(), "Stop Err ok");
}

#[test]
fn a_member_that_ignores_errors_is_never_put_in_error() {
    let cluster = Cluster::of(plain(), &["status=+I", ""]);
    assert!(!cluster.fail(0, 1_000), "so there is no failover either");
    assert_eq!(cluster.states(), "ok ok");
    let cluster = Cluster::of(plain(), &["status=+IE", ""]);
    assert_eq!(
        cluster.elect_at(0, &[], 2),
        "ab",
        "configured in error, it is retried at once"
    );
}

#[test]
fn forcerecovery_uses_all_members_again_when_all_are_in_error() {
    let cluster = Cluster::of(plain(), &["", ""]);
    cluster.fail(0, 1_000);
    cluster.fail(1, 1_000);
    let mut lines = Vec::new();
    assert_eq!(cluster.choose_with("/", "", &[], 2_000, &mut lines), "a");
    let expected = [
        "retrying a",
        "too soon a",
        "retrying b",
        "too soon b",
        "forcing a",
        "forcing b",
        "entering byrequests",
        "byrequests selected http://a:8080 busy 0 lbstatus -100",
    ];
    assert_eq!(lines, expected);
    assert_eq!(cluster.states(), "ok ok");
}

#[test]
fn forcerecovery_off_or_a_disabled_member_leaves_them_in_error() {
    let cluster = Cluster::of(without_force_recovery(), &["", ""]);
    cluster.fail(0, 1_000);
    cluster.fail(1, 1_000);
    assert_eq!(
        cluster.choose_with("/", "", &[], 2_000, &mut Vec::new()),
        "All workers are in error state"
    );
    let cluster = Cluster::of(plain(), &["", "status=+D"]);
    cluster.fail(0, 1_000);
    assert_eq!(
        cluster.choose_with("/", "", &[], 2_000, &mut Vec::new()),
        "All workers are in error state"
    );
    assert_eq!(
        Cluster::of(plain(), &[]).choose("/"),
        "No workers in balancer"
    );
}

#[test]
fn recovery_looks_no_further_than_the_first_member_not_in_error() {
    let cluster = Cluster::of(plain(), &["", "", ""]);
    cluster.fail(0, 1_000);
    cluster.fail(2, 1_000);
    let mut lines = Vec::new();
    assert_eq!(cluster.choose_with("/", "", &[], 61_001, &mut lines), "a");
    assert_eq!(
        lines[..3],
        ["retrying a", "marked a", "entering byrequests"]
    );
    assert_eq!(
        lines[3..5],
        ["retrying c", "marked c"],
        "the election retries the others"
    );
}

#[test]
fn a_session_goes_to_its_route() {
    let cluster = Cluster::of(sticky(), &["route=r1", "route=r2"]);
    let mut lines = Vec::new();
    assert_eq!(
        cluster.choose_with("/", "SID=x.r2", &[], 0, &mut lines),
        "b*"
    );
    assert_eq!(lines, ["value x.r2 for SID", "route r2"]);
    assert_eq!(cluster.lbstatus(), [100, -100], "a is owed the turn");
    assert_eq!(cluster.choose("/;sid=x.r1"), "a*");
    assert_eq!(
        cluster.choose("/"),
        "a!",
        "no session: the route is new to the client"
    );
    assert_eq!(cluster.choose("/;sid=x.r9"), "b!", "nobody's route");
}

#[test]
fn sessions_count_in_later_elections() {
    // The order that httpd 2.4 serves for these cookies, twice around.
    let members = ["route=r1", "route=r2 status=+D redirect=r3", "route=r3"];
    let cluster = Cluster::of(sticky(), &members);
    let routes = ["r1", "r2", "r9", "r1", "r2", "r9"];
    let served = routes.map(|route| cluster.choose(&format!("/;sid=1.{route}")));
    assert_eq!(served, ["a*", "c*!", "a!", "a*", "c*!", "c!"]);
}

#[test]
fn a_draining_or_disabled_member_and_its_sessions() {
    let cluster = Cluster::of(sticky(), &["route=r1 status=+N", "route=r2"]);
    assert_eq!(
        cluster.choose("/;sid=x.r1"),
        "a*",
        "draining serves its sessions"
    );
    assert_eq!(cluster.choose("/"), "b!", "and nobody else");
    let cluster = Cluster::of(sticky(), &["route=r1 status=+D", "route=r2"]);
    assert_eq!(cluster.choose("/;sid=x.r1"), "b!");
}

#[test]
fn redirect_leads_to_another_route() {
    let members = ["route=r1 redirect=r2 status=+D", "route=r2", "route=r3"];
    let cluster = Cluster::of(sticky(), &members);
    let mut lines = Vec::new();
    assert_eq!(
        cluster.choose_with("/", "SID=x.r1", &[], 0, &mut lines),
        "b*!"
    );
    assert_eq!(
        lines,
        ["value x.r1 for SID", "route r1", "changed r1 to r2"]
    );
}

#[test]
fn a_circle_of_redirects_ends() {
    let members = [
        "route=r1 redirect=r2 status=+D",
        "route=r2 redirect=r1 status=+D",
        "route=r3",
    ];
    assert_eq!(Cluster::of(sticky(), &members).choose("/;sid=x.r1"), "c!");
    let same = ["route=r redirect=r status=+D"; 12];
    assert_eq!(
        Cluster::of(sticky(), &same).choose("/;sid=x.r"),
        "All workers are in error state"
    );
}

#[test]
fn members_that_share_a_route_come_in_order_and_standbys_last() {
    let cluster = Cluster::of(
        sticky(),
        &["route=r status=+H", "route=r lbset=5", "route=r"],
    );
    assert_eq!(cluster.choose("/;sid=x.r"), "b*");
    cluster.fail(1, 0);
    assert_eq!(cluster.choose("/;sid=x.r"), "c*");
    cluster.fail(2, 0);
    assert_eq!(cluster.choose("/;sid=x.r"), "a*");
}

#[test]
fn a_sessions_member_comes_back_when_its_rest_is_over() {
    let cluster = Cluster::of(sticky(), &["route=r1 retry=5", "route=r2"]);
    cluster.fail(1, 0);
    cluster.fail(0, 0);
    cluster.balancer.members[1].recover();
    let at = |now_ms| cluster.choose_with("/", "SID=x.r1", &[], now_ms, &mut Vec::new());
    assert_eq!(at(5_000), "b!");
    assert_eq!(at(5_001), "a*");
}

#[test]
fn nofailover_refuses_when_the_route_is_known_and_its_member_is_not_usable() {
    let params = BalancerParams {
        no_failover: Setting::new(true, &place()),
        ..sticky()
    };
    let cluster = Cluster::of(params, &["route=r1 status=+D", "route=r2"]);
    assert_eq!(
        cluster.choose("/;sid=x.r1"),
        "All workers are in error state for route (r1)"
    );
    assert_eq!(
        cluster.choose("/;sid=x.r9"),
        "b!",
        "an unknown route is no session of ours"
    );
    assert_eq!(cluster.choose("/"), "b!");
}

#[test]
fn failover_leaves_the_sessions_member_for_another() {
    let cluster = Cluster::of(sticky(), &["route=r1 retry=0", "route=r2"]);
    let choose = |tried: &[u32], now_ms| {
        cluster.choose_with("/", "SID=x.r1", tried, now_ms, &mut Vec::new())
    };
    assert_eq!(choose(&[], 1_000), "a*");
    cluster.fail(0, 1_000);
    assert_eq!(choose(&[0], 1_001), "b!");
    assert_eq!(
        choose(&[], 1_002),
        "a*",
        "the next request of the session may try again"
    );
}

#[test]
fn maxattempts_is_one_for_each_other_member_unless_set() {
    let set = |attempts| BalancerParams {
        max_attempts: Setting::new(attempts, &place()),
        ..plain()
    };
    for (params, members, expected) in [
        (plain(), 0, 0),
        (plain(), 1, 0),
        (plain(), 2, 1),
        (plain(), 5, 4),
        (set(0), 5, 0),
        (set(9), 2, 9),
        (set(3), 1, 3),
    ] {
        assert_eq!(
            attempts_allowed(&params, members),
            expected,
            "{members} members"
        );
    }
    assert_eq!(
        Cluster::of(set(7), &["", ""]).balancer.attempts_allowed(),
        7
    );
}

#[test]
fn the_environment_says_who_and_why() {
    let cluster = Cluster::of(sticky(), &["route=r1", "route=r2"]);
    let fields = crate::http::Fields::new();
    let variables = |url: &str| {
        let request = Request {
            path_and_query: url.as_bytes(),
            fields: &fields,
            tried: &[],
            now_ms: 0,
        };
        let choice = cluster.balancer.choose(&request, &mut Silent).unwrap();
        let pairs = choice.variables(&cluster.balancer).into_iter();
        let pairs =
            pairs.map(|(name, value)| format!("{name}={}", String::from_utf8(value).unwrap()));
        pairs.collect::<Vec<_>>()
    };
    let common = [
        "BALANCER_NAME=balancer://c",
        "BALANCER_WORKER_NAME=http://b:8080",
        "BALANCER_WORKER_ROUTE=r2",
    ];
    let mut expected = common.to_vec();
    expected.extend(["BALANCER_SESSION_STICKY=sid", "BALANCER_SESSION_ROUTE=r2"]);
    assert_eq!(variables("/;sid=x.r2"), expected);
    cluster.choose("/");
    let mut expected = common.to_vec();
    expected.push("BALANCER_ROUTE_CHANGED=1");
    cluster.choose("/;sid=x.r1");
    assert_eq!(variables("/"), expected);
}

#[test]
fn an_unknown_method_is_refused_with_what_there_is() {
    let mut config = model::Balancer::new("c", &place());
    config.params.lbmethod = Setting::new("byluck".to_owned(), &place());
    let capacity = scoreboard::Capacity {
        processes: 1,
        slots_per_process: 1,
        balancers: 1,
        members: 1,
    };
    let board = Box::leak(Box::new(Board::heap(&capacity).unwrap()));
    let refused = Balancer::register(&config, "", board, Methods::default()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "unknown lbmethod `byluck` of balancer://c; there are bybusyness, byrequests, bytraffic"
    );
}
