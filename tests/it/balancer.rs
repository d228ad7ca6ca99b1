//! Who gets the next request: methods, weights, sets, standbys, status letters, errors and their end, sticky sessions.
//!
//! The orders asserted here are httpd 2.4's, to the request.

use crate::harness::{Client, DeadPort, Gate, NOTHING_HAPPENS, Origin, Tine, holds_within, until};
use std::collections::BTreeMap;
use std::thread;

/// Backends that answer with their names `a`, `b`, `c`…
struct Field(Vec<Origin>);

impl Field {
    fn new(count: usize) -> Self {
        Self(
            ["a", "b", "c", "d"]
                .into_iter()
                .take(count)
                .map(Origin::named)
                .collect(),
        )
    }

    fn url(&self, index: usize) -> String {
        self.0[index].url()
    }
}

/// A server that balances `/` over these `BalancerMember` lines, with these `ProxySet` parameters.
#[track_caller]
fn balanced(members: &[String], set: &str) -> Tine {
    let mut conf = String::from("<Proxy balancer://pool>\n");
    for member in members {
        conf.push_str(&format!("  BalancerMember {member}\n"));
    }
    if !set.is_empty() {
        conf.push_str(&format!("  ProxySet {set}\n"));
    }
    conf.push_str("</Proxy>\nProxyPass / balancer://pool/\n");
    Tine::start(&conf)
}

/// What `count` requests, one after the other, are answered with; `!` where the status is not 200.
#[track_caller]
fn order(tine: &Tine, count: usize) -> String {
    let mut order = String::new();
    for _ in 0..count {
        let response = tine.get("/");
        order.push_str(if response.status == 200 { "" } else { "!" });
        order.push_str(&if response.status == 200 {
            response.text()
        } else {
            String::new()
        });
    }
    order
}

fn shares(order: &str) -> BTreeMap<char, usize> {
    let mut shares = BTreeMap::new();
    for name in order.chars() {
        *shares.entry(name).or_default() += 1;
    }
    shares
}

#[test]
fn equal_members_take_turns_from_the_first() {
    let field = Field::new(3);
    let tine = balanced(&[field.url(0), field.url(1), field.url(2)], "");
    assert_eq!(order(&tine, 9), "abcabcabc");
}

#[test]
fn loadfactor_gives_httpds_order() {
    let field = Field::new(2);
    let tine = balanced(
        &[
            format!("{} loadfactor=1", field.url(0)),
            format!("{} loadfactor=2", field.url(1)),
        ],
        "",
    );
    assert_eq!(order(&tine, 9), "babbabbab");
}

#[test]
fn loadfactor_may_be_a_fraction() {
    let field = Field::new(2);
    let tine = balanced(
        &[
            format!("{} loadfactor=1.5", field.url(0)),
            format!("{} loadfactor=4.5", field.url(1)),
        ],
        "",
    );
    assert_eq!(
        shares(&order(&tine, 16)),
        BTreeMap::from([('a', 4), ('b', 12)])
    );
}

#[test]
fn shares_hold_under_concurrent_clients_in_several_children() {
    let field = Field::new(2);
    let tine = balanced(
        &[
            format!("{} loadfactor=1", field.url(0)),
            format!("{} loadfactor=3", field.url(1)),
        ],
        "",
    );
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = tine.client();
                for _ in 0..50 {
                    client.get("/").expect(200);
                }
            });
        }
    });
    let counts = (field.0[0].count(), field.0[1].count());
    assert_eq!(counts.0 + counts.1, 400);
    assert!((92..=108).contains(&counts.0), "{counts:?}");
}

#[test]
fn bytraffic_evens_out_bytes_not_requests() {
    let large = Origin::start("large", |call| call.reply(200, &[], &[b'a'; 20_000]));
    let small = Origin::start("small", |call| call.reply(200, &[], &[b'b'; 500]));
    let tine = balanced(&[large.url(), small.url()], "lbmethod=bytraffic");
    let mut client = tine.client();
    for _ in 0..41 {
        client.get("/").expect(200);
    }
    assert!((1..=3).contains(&large.count()), "{} of 41", large.count());
    assert_eq!(large.count() + small.count(), 41);
}

#[test]
fn bytraffic_heeds_loadfactor() {
    let field: Vec<Origin> = (0..2)
        .map(|_| Origin::start("one", |call| call.reply(200, &[], &[b'x'; 5000])))
        .collect();
    let members = [
        format!("{} loadfactor=1", field[0].url()),
        format!("{} loadfactor=4", field[1].url()),
    ];
    let tine = balanced(&members, "lbmethod=bytraffic");
    let mut client = tine.client();
    for _ in 0..50 {
        client.get("/").expect(200);
    }
    assert!(
        (9..=11).contains(&field[0].count()),
        "{} of 50",
        field[0].count()
    );
}

#[test]
fn bybusyness_avoids_the_member_that_is_at_work() {
    let gate = Gate::new();
    let held = gate.clone();
    let slow = Origin::start("slow", move |call| {
        call.wait(&held).reply(200, &[], b"slow")
    });
    let quick = Origin::named("quick");
    let tine = balanced(&[slow.url(), quick.url()], "lbmethod=bybusyness");
    let mut waiting = tine.client();
    waiting.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    slow.wait_for(1);
    let mut client = tine.client();
    for _ in 0..10 {
        assert_eq!(client.get("/").expect(200).text(), "quick");
    }
    gate.open();
    assert_eq!(waiting.response().expect(200).text(), "slow");
    let counts_before = slow.count();
    until("the other member is used again", || {
        client.get("/").expect(200);
        slow.count() > counts_before
    });
}

#[test]
fn a_higher_lbset_waits_until_the_lower_one_has_nobody() {
    let field = Field::new(2);
    let tine = balanced(
        &[
            format!("{} lbset=1", field.url(0)),
            format!("{} lbset=0", field.url(1)),
        ],
        "",
    );
    assert_eq!(order(&tine, 4), "bbbb");
    let dead = DeadPort::new();
    let tine = balanced(
        &[
            format!("{} lbset=0", dead.url()),
            format!("{} lbset=7", field.url(0)),
        ],
        "",
    );
    assert_eq!(order(&tine, 4), "aaaa");
}

#[test]
fn a_hot_standby_serves_only_when_its_set_has_nobody_else() {
    let field = Field::new(3);
    let tine = balanced(
        &[
            field.url(0),
            format!("{} status=+H", field.url(1)),
            field.url(2),
        ],
        "",
    );
    assert_eq!(order(&tine, 6), "acacac");
    let dead = DeadPort::new();
    let tine = balanced(&[dead.url(), format!("{} status=+h", field.url(1))], "");
    assert_eq!(order(&tine, 3), "bbb");
}

#[test]
fn a_standby_of_a_lower_set_comes_before_a_member_of_a_higher_one() {
    let field = Field::new(2);
    let dead = DeadPort::new();
    let members = [
        dead.url(),
        format!("{} lbset=0 status=+H", field.url(0)),
        format!("{} lbset=1", field.url(1)),
    ];
    assert_eq!(order(&balanced(&members, ""), 3), "aaa");
}

#[test]
fn a_hot_spare_takes_the_place_of_one_member() {
    let field = Field::new(3);
    let spare = format!("{} status=+R", field.url(2));
    let tine = balanced(&[field.url(0), field.url(1), spare.clone()], "");
    assert_eq!(order(&tine, 4), "abab");
    let dead = DeadPort::new();
    let tine = balanced(&[dead.url(), field.url(1), spare], "");
    order(&tine, 2);
    assert_eq!(
        shares(&order(&tine, 10)),
        BTreeMap::from([('b', 5), ('c', 5)])
    );
}

#[test]
fn disabled_and_stopped_members_get_nothing() {
    for letter in ["D", "S", "d", "s"] {
        let field = Field::new(2);
        let tine = balanced(
            &[format!("{} status=+{letter}", field.url(0)), field.url(1)],
            "",
        );
        assert_eq!(order(&tine, 4), "bbbb", "{letter}");
    }
}

#[test]
fn a_member_configured_in_error_is_retried_at_once() {
    // The error has no time, so that its rest is over.
    let field = Field::new(2);
    let tine = balanced(&[format!("{} status=+E", field.url(0)), field.url(1)], "");
    assert_eq!(order(&tine, 4), "abab");
}

#[test]
fn a_minus_takes_a_letter_back() {
    let field = Field::new(2);
    let tine = balanced(&[format!("{} status=+D-D", field.url(0)), field.url(1)], "");
    assert_eq!(order(&tine, 4), "abab");
}

#[test]
fn a_member_that_ignores_errors_is_tried_every_time() {
    let field = Field::new(2);
    let dead = DeadPort::new();
    let tine = balanced(&[format!("{} status=+I", dead.url()), field.url(1)], "");
    assert_eq!(order(&tine, 4), "!b!b");
}

#[test]
fn a_draining_member_serves_its_own_sessions_only() {
    let field = Field::new(2);
    let members = [
        format!("{} route=one status=+N", field.url(0)),
        format!("{} route=two", field.url(1)),
    ];
    let tine = balanced(&members, "stickysession=SESSION");
    assert_eq!(order(&tine, 3), "bbb");
    assert_eq!(with_cookie(&tine, "SESSION=x.one"), "a");
}

#[test]
fn a_refused_connection_is_tried_elsewhere_and_the_member_rests() {
    let field = Field::new(1);
    let dead = DeadPort::new();
    let tine = balanced(&[dead.url(), field.url(0)], "");
    assert_eq!(order(&tine, 1), "a");
    let refused = tine.log_count("Connection refused");
    assert!(refused > 0, "{}", tine.error_log());
    assert_eq!(order(&tine, 3), "aaa");
    let response = tine
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody");
    response.expect(200);
    assert_eq!(field.0[0].last().content, b"body");
    // Tried once, then in error for 60 s.
    assert_eq!(tine.log_count("Connection refused"), refused);
}

#[test]
fn a_post_whose_first_member_refuses_arrives_whole_at_the_second() {
    let field = Field::new(1);
    let dead = DeadPort::new();
    let tine = balanced(&[dead.url(), field.url(0)], "");
    let body = "x".repeat(10_000);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    tine.send(&format!("{head}{body}")).expect(200);
    assert_eq!(field.0[0].last().content.len(), body.len());
}

#[test]
fn the_retry_timer_brings_a_member_back() {
    let field = Field::new(1);
    let dead = DeadPort::new();
    let port = dead.port();
    let tine = balanced(&[format!("{} retry=1", dead.url()), field.url(0)], "");
    assert_eq!(order(&tine, 2), "aa");
    drop(dead);
    let revived = Origin::on(&format!("127.0.0.1:{port}"), "revived", |call| {
        call.reply(200, &[], b"r")
    });
    until("the member that was in error serves", || {
        order(&tine, 1) == "r"
    });
    assert!(revived.count() > 0);
    assert_eq!(
        shares(&order(&tine, 4)),
        BTreeMap::from([('a', 2), ('r', 2)])
    );
}

#[test]
fn before_the_retry_timer_a_member_is_left_alone() {
    let field = Field::new(1);
    let dead = DeadPort::new();
    let port = dead.port();
    let tine = balanced(&[format!("{} retry=3600", dead.url()), field.url(0)], "");
    assert_eq!(order(&tine, 2), "aa");
    drop(dead);
    let revived = Origin::on(&format!("127.0.0.1:{port}"), "revived", |call| {
        call.reply(200, &[], b"r")
    });
    assert!(!holds_within(NOTHING_HAPPENS, &mut || order(&tine, 1) != "a"));
    assert_eq!(revived.count(), 0);
}

#[test]
fn when_all_are_down_the_answer_is_503_and_recovery_is_forced() {
    let (one, two) = (DeadPort::new(), DeadPort::new());
    let port = two.port();
    let tine = balanced(&[one.url(), two.url()], "");
    assert_eq!(order(&tine, 2), "!!");
    drop(two);
    let _revived = Origin::on(&format!("127.0.0.1:{port}"), "revived", |call| {
        call.reply(200, &[], b"r")
    });
    assert_eq!(
        order(&tine, 2),
        "rr",
        "all in error: the retry timer does not count"
    );
}

#[test]
fn without_forcerecovery_the_retry_timer_counts_even_when_all_are_down() {
    let dead = [DeadPort::new(), DeadPort::new()];
    let ports = [dead[0].port(), dead[1].port()];
    let tine = balanced(&[dead[0].url(), dead[1].url()], "forcerecovery=Off");
    assert_eq!(order(&tine, 2), "!!");
    drop(dead);
    let revived = ports.map(|port| {
        Origin::on(&format!("127.0.0.1:{port}"), "revived", |call| {
            call.reply(200, &[], b"r")
        })
    });
    assert_eq!(order(&tine, 3), "!!!");
    assert_eq!(revived.iter().map(Origin::count).sum::<usize>(), 0);
}

#[test]
fn failonstatus_puts_a_member_in_error_but_relays_its_answer() {
    let failing = Origin::start("failing", |call| call.reply(500, &[], b"broken"));
    let field = Field::new(1);
    let tine = balanced(&[failing.url(), field.url(0)], "failonstatus=500,503");
    let response = tine.get("/").expect(500);
    assert_eq!(response.text(), "broken");
    assert_eq!(order(&tine, 3), "aaa");
    assert_eq!(failing.count(), 1);
}

#[test]
fn a_silent_backend_runs_into_timeout_and_failontimeout_marks_it() {
    let gate = Gate::new();
    let held = gate.clone();
    let silent = Origin::start("silent", move |call| call.wait(&held).close());
    let field = Field::new(1);
    let members = [format!("{} timeout=1", silent.url()), field.url(0)];
    let tine = balanced(&members, "failontimeout=On");
    let status = tine.get("/").status;
    assert!(matches!(status, 502 | 504), "{status}");
    assert_eq!(order(&tine, 3), "aaa");
    gate.open();
}

#[test]
fn maxattempts_limits_failover() {
    let dead = [DeadPort::new(), DeadPort::new(), DeadPort::new()];
    let field = Field::new(1);
    let members = [dead[0].url(), dead[1].url(), dead[2].url(), field.url(0)];
    assert_eq!(order(&balanced(&members, "maxattempts=1"), 1), "!");
    assert_eq!(order(&balanced(&members, "maxattempts=3"), 1), "a");
    assert_eq!(
        order(&balanced(&members, ""), 1),
        "a",
        "as many as there are other members"
    );
}

fn with_cookie(tine: &Tine, cookie: &str) -> String {
    let request =
        format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
    let response = tine.send(&request);
    if response.status == 200 {
        response.text()
    } else {
        response.status.to_string()
    }
}

#[test]
fn a_session_sticks_by_cookie_or_by_url() {
    let field = Field::new(3);
    let members = ["one", "two", "three"].iter().enumerate();
    let members: Vec<String> = members
        .map(|(at, route)| format!("{} route={route}", field.url(at)))
        .collect();
    let tine = balanced(&members, "stickysession=SESSION|session");
    for (cookie, name) in [
        ("SESSION=abc.two", "b"),
        ("x=1; SESSION=q.three", "c"),
        ("SESSION=1.one;y=2", "a"),
    ] {
        for _ in 0..3 {
            assert_eq!(with_cookie(&tine, cookie), name, "{cookie}");
        }
    }
    assert_eq!(tine.get("/?session=abc.three").expect(200).text(), "c");
    assert_eq!(
        tine.get("/?x=1&session=abc.two&y=2").expect(200).text(),
        "b"
    );
}

#[test]
fn an_unknown_route_is_elected_freely() {
    let field = Field::new(2);
    let members = [
        format!("{} route=one", field.url(0)),
        format!("{} route=two", field.url(1)),
    ];
    let tine = balanced(&members, "stickysession=SESSION nofailover=On");
    let mut names: Vec<String> = (0..4)
        .map(|_| with_cookie(&tine, "SESSION=x.nobody"))
        .collect();
    names.sort();
    assert_eq!(names, ["a", "a", "b", "b"]);
}

#[test]
fn a_broken_session_fails_over_unless_nofailover_says_otherwise() {
    let field = Field::new(1);
    let dead = DeadPort::new();
    let members = [
        format!("{} route=one", dead.url()),
        format!("{} route=two", field.url(0)),
    ];
    let tine = balanced(&members, "stickysession=SESSION");
    assert_eq!(with_cookie(&tine, "SESSION=x.one"), "a");
    let tine = balanced(&members, "stickysession=SESSION nofailover=On");
    assert_eq!(with_cookie(&tine, "SESSION=x.one"), "503");
    assert_eq!(with_cookie(&tine, "SESSION=x.one"), "503");
    assert_eq!(with_cookie(&tine, "SESSION=x.two"), "a");
}

#[test]
fn redirect_names_the_route_to_use_instead() {
    let field = Field::new(2);
    let dead = DeadPort::new();
    let members = [
        format!("{} route=one redirect=three", dead.url()),
        format!("{} route=two", field.url(0)),
        format!("{} route=three", field.url(1)),
    ];
    let tine = balanced(&members, "stickysession=SESSION");
    with_cookie(&tine, "SESSION=x.one");
    for _ in 0..3 {
        assert_eq!(with_cookie(&tine, "SESSION=x.one"), "b");
    }
}

#[test]
fn one_client_connection_may_visit_all_members() {
    let field = Field::new(3);
    let tine = balanced(&[field.url(0), field.url(1), field.url(2)], "");
    let mut client: Client = tine.client();
    let visited: String = (0..9).map(|_| client.get("/").expect(200).text()).collect();
    assert_eq!(visited, "abcabcabc");
    let connections: Vec<usize> = field.0.iter().map(Origin::connections).collect();
    assert_eq!(connections, [1, 1, 1], "one singleton connection to each");
}

#[test]
fn balancers_are_independent() {
    let field = Field::new(4);
    let url = |at: usize| field.url(at);
    let tine = Tine::start(&format!(
        "<Proxy balancer://one>\nBalancerMember {}\nBalancerMember {}\n</Proxy>\n\
         <Proxy balancer://two>\nBalancerMember {}\nBalancerMember {}\n</Proxy>\n\
         ProxyPass /1 balancer://one\nProxyPass /2 balancer://two\n",
        url(0),
        url(1),
        url(2),
        url(3)
    ));
    let visited: String = ["/1", "/2", "/2", "/1", "/1", "/2"]
        .iter()
        .map(|target| tine.get(target).expect(200).text())
        .collect();
    assert_eq!(visited, "acdbac");
}
