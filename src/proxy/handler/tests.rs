//! Requests from their line to a plan, through failures, to the books.

use super::testing::World;
use super::*;
use crate::http::{ContentSize, Status};
use crate::request::{FailureKind, Sent, Side};
use std::time::Duration;

const CLUSTER: &str = "
    <Proxy balancer://c>
        BalancerMember http://a:8080 route=r1
        BalancerMember http://b:8080/base route=r2
        BalancerMember http://s:8080 status=+H
    </Proxy>
    ProxyPass /app balancer://c
    ";

fn refused() -> Failure {
    let mut failure = Failure::new(Side::Backend, FailureKind::Connect, "Connection refused");
    failure.os_error = Some(111);
    failure
}

#[test]
fn members_take_turns_and_their_books_are_kept() {
    let world = World::new(CLUSTER);
    let went: Vec<_> = (0..4)
        .map(|_| world.serve("GET /app/x?q=1", &[("Host", "h")]))
        .collect();
    assert_eq!(
        went,
        [
            "-> http://a:8080 /x?q=1",
            "-> http://b:8080/base /base/x?q=1",
            "-> http://a:8080 /x?q=1",
            "-> http://b:8080/base /base/x?q=1",
        ]
    );
    assert_eq!(world.busy(), [0, 0, 0]);
    assert_eq!(world.books(), [(20, 600, 2), (20, 600, 2), (0, 0, 0)]);
}

#[test]
fn a_failing_member_gives_way_to_the_next_then_the_standby_then_503() {
    let world = World::new(CLUSTER);
    let mut asked = world.ask("POST /app/x", &[("Host", "h")]).unwrap();
    asked.head.content = ContentSize::Length(5);
    assert_eq!(world.start(&mut asked), "-> http://a:8080 /x");
    assert_eq!(world.busy(), [1, 0, 0]);
    assert_eq!(
        world.fail(&mut asked, &refused()),
        "-> http://b:8080/base /base/x"
    );
    assert_eq!((world.busy(), asked.plan.attempt), (vec![0, 1, 0], 1));
    assert_eq!(world.fail(&mut asked, &refused()), "-> http://s:8080 /x");
    assert_eq!(world.fail(&mut asked, &refused()), "503");
    assert_eq!(world.busy(), [0, 0, 0]);
    assert_eq!(world.states(), ["Init Err", "Init Err", "Init Err Stby"]);
    assert_eq!(
        asked.plan.vars.value("BALANCER_WORKER_NAME"),
        Some(&b"http://s:8080"[..])
    );
    // With forcerecovery, which is the default, the next request tries them all again.
    assert!(world.serve("GET /app/y", &[]).starts_with("-> "));
    assert_eq!(world.states(), ["Init Ok", "Init Ok", "Init Stby Ok"]);
}

#[test]
fn without_forcerecovery_failed_members_rest_for_retry() {
    let mut world = World::new(&format!(
        "{CLUSTER}<Proxy balancer://c>\nProxySet forcerecovery=off\n</Proxy>"
    ));
    let mut asked = world.ask("GET /app/x", &[]).unwrap();
    world.start(&mut asked);
    for _ in 0..3 {
        world.fail(&mut asked, &refused());
    }
    assert_eq!(world.serve("GET /app/x", &[]), "503");
    let log = world.log();
    assert_eq!(
        log[log.len() - 2..],
        [
            "proxy: BALANCER: (balancer://c). All workers are in error state",
            "[client 192.0.2.7:4711] AH01167: balancer://c: All workers are in error state; answering 503",
        ]
    );
    world.now_ms += 60_001;
    assert!(world.serve("GET /app/x", &[]).starts_with("-> "));
    assert_eq!(world.states(), ["Init Ok", "Init Ok", "Init Stby Ok"]);
}

#[test]
fn maxattempts_limits_the_search() {
    let world = World::new(&format!(
        "{CLUSTER}<Proxy balancer://c>\nProxySet maxattempts=0\n</Proxy>"
    ));
    let mut asked = world.ask("GET /app/x", &[]).unwrap();
    assert_eq!(world.start(&mut asked), "-> http://a:8080 /x");
    assert_eq!(world.fail(&mut asked, &refused()), "503");
    assert_eq!(world.states()[0], "Init Err");
}

#[test]
fn a_member_that_ignores_errors_is_answered_for_and_not_left() {
    let world = World::new(&CLUSTER.replace("route=r1", "route=r1 status=+I"));
    let mut asked = world.ask("GET /app/x", &[]).unwrap();
    world.start(&mut asked);
    assert_eq!(world.fail(&mut asked, &refused()), "503");
    assert_eq!(world.states()[0], "Init Ign Ok");
}

#[test]
fn a_stale_connection_is_replaced_at_the_same_member() {
    let world = World::new(CLUSTER);
    let mut asked = world.ask("GET /app/x", &[]).unwrap();
    world.start(&mut asked);
    let mut closed = Failure::new(Side::Backend, FailureKind::Closed, "closed");
    (closed.reused, closed.sent) = (true, Sent::Head);
    assert_eq!(world.fail(&mut asked, &closed), "-> http://a:8080 /x");
    assert!(asked.plan.is_fresh_only);
    assert_eq!(
        (world.busy(), world.states()[0].as_str()),
        (vec![1, 0, 0], "Init Ok")
    );
    // The fresh one closes too: that is the backend's answer.
    closed.reused = false;
    assert_eq!(world.fail(&mut asked, &closed), "502");
    assert_eq!(world.busy(), [0, 0, 0]);
}

#[test]
fn sticky_sessions_come_back_and_variables_tell_where_they_went() {
    let world = World::new(&format!(
        "{CLUSTER}<Proxy balancer://c>\nProxySet stickysession=SID|sid\n</Proxy>"
    ));
    for _ in 0..3 {
        assert_eq!(
            world.serve("GET /app/x", &[("Cookie", "SID=abc.r2")]),
            "-> http://b:8080/base /base/x"
        );
    }
    assert_eq!(
        world.serve("GET /app/x?sid=abc.r1", &[("Cookie", "SID=abc.r2")]),
        "-> http://a:8080 /x?sid=abc.r1"
    );
    let mut asked = world
        .ask("GET /app/x", &[("Cookie", "SID=abc.r2")])
        .unwrap();
    world.start(&mut asked);
    world.finish(&mut asked, 200);
    let vars: Vec<_> = asked
        .plan
        .vars
        .iter()
        .map(|(name, value)| {
            format!(
                "{}={}",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(value)
            )
        })
        .collect();
    assert_eq!(
        vars,
        [
            "BALANCER_NAME=balancer://c",
            "BALANCER_WORKER_NAME=http://b:8080/base",
            "BALANCER_WORKER_ROUTE=r2",
            "BALANCER_SESSION_STICKY=SID",
            "BALANCER_SESSION_ROUTE=r2",
        ]
    );
}

#[test]
fn failonstatus_puts_the_member_in_error_after_its_response() {
    let world = World::new(&format!(
        "{CLUSTER}<Proxy balancer://c>\nProxySet failonstatus=500,503\n</Proxy>"
    ));
    let mut asked = world.ask("GET /app/x", &[]).unwrap();
    world.start(&mut asked);
    world.finish(&mut asked, 503);
    assert_eq!(world.states(), ["Init Err", "Init Ok", "Init Stby Ok"]);
    let words =
        "into error state due to status code 503 matching 'failonstatus' balancer parameter";
    let log = world.log();
    for expected in [
        format!("proxy: BALANCER: (balancer://c).  Forcing worker (http://a:8080) {words}"),
        format!(
            "[client 192.0.2.7:4711] AH01174: balancer://c: Forcing worker (http://a:8080) {words}"
        ),
    ] {
        assert!(log.contains(&expected), "{log:#?}");
    }
}

#[test]
fn plain_workers_take_the_requests_below_their_path() {
    let world = World::new(
        "ProxyPass /x/b http://h/a/b timeout=7\n\
         ProxyPass /x http://h/a\n\
         ProxyPass /https https://h/\n\
         ProxyPass /unix unix:/run/app.sock|http://app/u\n\
         ProxyPassMatch ^/m(/.*)$ http://m:81$1\n\
         ProxyTimeout 9",
    );
    assert_eq!(world.serve("GET /x/b/c", &[]), "-> http://h/a/b /a/b/c");
    assert_eq!(
        world.serve("GET /x/c%20d?e", &[]),
        "-> http://h/a /a/c%20d?e"
    );
    assert_eq!(
        world.serve("GET /unix/y", &[]),
        "-> unix:/run/app.sock|http://app/u /u/y"
    );
    assert_eq!(world.serve("GET /m/y", &[]), "-> http://m:81$1 /y");
    assert_eq!(world.serve("GET /none", &[]), "404");
    let mut asked = world.ask("GET /x/b", &[("Host", "front")]).unwrap();
    world.start(&mut asked);
    assert_eq!(asked.plan.io_timeout, Duration::from_secs(7));
    assert_eq!(asked.plan.head.fields.get(FieldId::Host), Some(&b"h"[..]));
    // Plain workers ignore errors: they are tried again at once.
    assert_eq!(world.fail(&mut asked, &refused()), "503");
    assert_eq!(world.serve("GET /x/b", &[]), "-> http://h/a/b /a/b");
    let mut asked = world.ask("GET /x/c", &[]).unwrap();
    world.start(&mut asked);
    assert_eq!(asked.plan.io_timeout, Duration::from_secs(9));
    world.finish(&mut asked, 200);
}

#[test]
fn the_worker_with_the_longest_path_takes_the_request_whatever_rule_matched() {
    let world = World::new("ProxyPass /deep http://h/a/b\nProxyPass /x http://h/a");
    assert_eq!(world.serve("GET /x/b/c", &[]), "-> http://h/a/b /a/b/c");
    assert_eq!(world.serve("GET /x/c", &[]), "-> http://h/a /a/c");
}

#[test]
fn a_scheme_that_nobody_speaks_loads_and_is_answered_with_500() {
    let world = World::new(
        "ProxyPass /f fcgi://php:9000/\n<Proxy balancer://j>\nBalancerMember ajp://t:8009\n</Proxy>\nProxyPass /j balancer://j",
    );
    assert_eq!(world.serve("GET /f/x", &[]), "500");
    assert_eq!(world.serve("GET /j/x", &[]), "500");
    assert_eq!(world.busy(), [0]);
    let log = world.log();
    let line = log.iter().find(|line| line.contains("/f/x")).unwrap();
    assert!(
        line.contains("AH01144: No protocol handler was valid for the URL /f/x (scheme 'fcgi')."),
        "{line}"
    );
}

#[test]
fn encoded_slashes_are_for_rules_that_ask_for_them() {
    let world = World::new("ProxyPass /e http://h/e mapping=encoded\nProxyPass / http://h/d/");
    assert_eq!(
        world.serve("GET /e/a%2Fb?q", &[]),
        "-> http://h/e /e/a%2Fb?q"
    );
    assert_eq!(world.serve("GET /d/a%2Fb", &[]), "404");
    assert_eq!(world.serve("GET /e/a%zz", &[]), "400");
}

#[test]
fn what_guards_a_servlets_path_is_not_fooled_by_parameters() {
    let world = World::new(
        "ProxyPass /s http://h/s mapping=servlet\n<Location /s/secret>\nRequire all denied\n</Location>",
    );
    assert_eq!(
        world.serve("GET /s/open;x=1", &[]),
        "-> http://h/s /s/open;x=1"
    );
    for path in [
        "/s/secret",
        "/s/secret;x=1/y",
        "/s;x/secret",
        "/s/a/..;/secret",
    ] {
        assert_eq!(world.serve(&format!("GET {path}"), &[]), "403", "{path}");
    }
}

#[test]
fn limit_and_limitexcept_leave_the_other_methods_alone() {
    let world = World::new(
        "ProxyPass / http://h/
         <Location /limit>\n<Limit POST PUT>\nRequire all denied\n</Limit>\n</Location>
         <Location /except>\n<LimitExcept GET>\nRequire all denied\n</LimitExcept>\n</Location>
         <Location /beside>\nRequire ip 10.0.0.1\n<Limit GET>\nRequire all granted\n</Limit>\n</Location>
         <Location /before>\n<Limit POST>\nRequire all granted\n</Limit>\nRequire ip 10.0.0.1\n</Location>",
    );
    for (path, get, post, delete) in [
        ("/limit", true, false, true),
        ("/except", true, false, false),
        ("/beside", true, false, false),
        ("/before", false, true, false),
    ] {
        for (method, is_let_in) in [("GET", get), ("POST", post), ("DELETE", delete)] {
            let went = world.serve(&format!("{method} {path}"), &[]);
            assert_eq!(went.starts_with("->"), is_let_in, "{method} {path}: {went}");
        }
    }
}

#[test]
fn max_forwards_ends_loops() {
    let world = World::new("ProxyPass /x http://h/");
    assert_eq!(world.serve("GET /x/y", &[("Max-Forwards", "0")]), "400");
    assert_eq!(world.serve("GET /x/y", &[("Max-Forwards", "x")]), "400");
    let twice = [("Max-Forwards", "3"), ("Max-Forwards", "4")];
    assert_eq!(world.serve("GET /x/y", &twice), "400");
    assert_eq!(
        world.serve("GET /x/y", &[("Max-Forwards", "1")]),
        "-> http://h/ //y"
    );
}

#[test]
fn responses_are_led_back_and_errors_overridden() {
    let world = World::new(&format!(
        "{CLUSTER}ProxyVia On\nProxyPassReverse /app balancer://c\n<Location /app/own>\nProxyErrorOverride On 404 401\n</Location>"
    ));
    let rewritten = |line: &str, status: u16, fields: &[(&str, &str)]| {
        let mut asked = world.ask(line, &[("Host", "front:8080")]).unwrap();
        world.start(&mut asked);
        let mut head = ResponseHead {
            status: Status::from_u16(status).unwrap(),
            content: ContentSize::Length(5),
            ..ResponseHead::default()
        };
        for (name, value) in fields {
            head.fields.push(name.as_bytes(), value.as_bytes());
        }
        let answer = world.with(&mut asked, |ask, plan| {
            world.proxy.rewrite(ask, plan, &mut head)
        });
        world.finish(&mut asked, status);
        (answer, head)
    };
    let (answer, head) = rewritten("GET /app/x", 302, &[("Location", "http://b:8080/base/y")]);
    assert!(answer.is_none());
    assert_eq!(
        head.fields.get(FieldId::Location),
        Some(&b"http://front:8080/app/y"[..])
    );
    assert_eq!(
        head.fields.get(FieldId::Via),
        Some(&b"1.1 tine.test:8080"[..])
    );
    let (_, head) = rewritten("GET /app/x", 304, &[("ETag", "\"x\"")]);
    assert_eq!(head.content, ContentSize::None);
    let (answer, _) = rewritten(
        "GET /app/own",
        401,
        &[("WWW-Authenticate", "Basic realm=x")],
    );
    let answer = answer.unwrap();
    assert_eq!(
        (answer.status.as_u16(), answer.close, answer.is_built_in),
        (401, false, true)
    );
    assert_eq!(
        answer.fields.get(FieldId::WwwAuthenticate),
        Some(&b"Basic realm=x"[..])
    );
    assert!(rewritten("GET /app/own", 500, &[]).0.is_none());
    assert!(rewritten("GET /app/x", 404, &[]).0.is_none());
}

#[test]
fn virtual_hosts_share_what_they_inherit_and_keep_what_they_change() {
    let world = World::new(&format!(
        "{CLUSTER}
         <VirtualHost *:80>\nServerName same\n</VirtualHost>
         <VirtualHost *:80>\nServerName changed\n<Proxy balancer://c>\nProxySet lbmethod=bybusyness\n</Proxy>\n</VirtualHost>
         <VirtualHost *:80>\nServerName own\nProxyPass /own http://own/\n</VirtualHost>"
    ));
    assert_eq!(world.proxy.balancers().count(), 2);
    assert_eq!(
        world.serve("GET /app/x", &[("Host", "same")]),
        "-> http://a:8080 /x"
    );
    assert_eq!(
        world.serve("GET /app/x", &[("Host", "own")]),
        "-> http://b:8080/base /base/x"
    );
    assert_eq!(
        world.serve("GET /app/x", &[("Host", "changed")]),
        "-> http://a:8080 /x"
    );
    assert_eq!(
        world.serve("GET /own/x", &[("Host", "own")]),
        "-> http://own/ //x"
    );
    assert_eq!(world.serve("GET /own/x", &[("Host", "same")]), "404");
}

#[test]
fn a_balanced_request_is_traced_as_in_2_2() {
    let world = World::new(CLUSTER);
    let mut asked = world.ask("GET /app/x?q", &[("Host", "h")]).unwrap();
    world.start(&mut asked);
    world.reach_all(&mut asked, "10.0.0.1:8080");
    world.finish(&mut asked, 200);
    let expected = "\
mod_proxy_balancer.c(46): proxy: BALANCER: canonicalising URL //c/x
mod_proxy_balancer.c(1012): proxy: Entering byrequests for BALANCER (balancer://c)
mod_proxy_balancer.c(1055): proxy: byrequests selected worker \"http://a:8080\" : busy 0 : lbstatus -100
mod_proxy_balancer.c(581): proxy: BALANCER (balancer://c) worker (http://a:8080) rewritten to http://a:8080/x?q
mod_proxy.c(1020): Running scheme balancer handler (attempt 0)
mod_proxy_http.c(1973): proxy: HTTP: serving URL http://a:8080/x?q
proxy_util.c(2011): proxy: HTTP: has acquired connection for (a)
proxy_util.c(2067): proxy: connecting http://a:8080/x?q to a:8080
proxy_util.c(2193): proxy: connected /x?q to a:8080
proxy_util.c(2444): proxy: HTTP: fam 2 socket created to connect to a
proxy_util.c(2576): proxy: HTTP: connection complete to 10.0.0.1:8080 (a)
mod_proxy_http.c(1743): proxy: start body send
mod_proxy_http.c(1847): proxy: end body send
proxy_util.c(2029): proxy: HTTP: has released connection for (a)
mod_proxy_balancer.c(622): proxy_balancer_post_request for (balancer://c)";
    assert_eq!(world.log().join("\n"), expected);
}

#[test]
fn a_plain_request_and_a_failing_one_are_traced_as_in_2_2() {
    let world = World::new("ProxyPass /p http://img/dir");
    let mut asked = world.ask("GET /p/x", &[("Host", "h")]).unwrap();
    world.start(&mut asked);
    world.finish(&mut asked, 200);
    let expected = "\
proxy: HTTP: canonicalising URL //img/dir/x
[client 192.0.2.7:4711] proxy: http: found worker http://img/dir for http://img/dir/x
mod_proxy.c(1020): Running scheme http handler (attempt 0)
mod_proxy_http.c(1973): proxy: HTTP: serving URL http://img/dir/x";
    assert_eq!(world.log().join("\n"), expected);

    let world = World::new(CLUSTER);
    let mut asked = world.ask("GET /app/x", &[]).unwrap();
    world.start(&mut asked);
    let before = world.log().len();
    let address = "10.0.0.1:8080".parse().unwrap();
    world.with(&mut asked, |ask, plan| {
        world
            .proxy
            .milestone(ask, plan, Milestone::Refused(address, Some(111)));
    });
    world.fail(&mut asked, &refused());
    world.finish(&mut asked, 200);
    let log = world.log();
    assert_eq!(
        log[before..before + 7],
        [
            "(111)Connection refused: proxy: HTTP: attempt to connect to 10.0.0.1:8080 (a) failed",
            "ap_proxy_connect_backend disabling worker for (a)",
            "proxy_util.c(2029): proxy: HTTP: has released connection for (a)",
            "(111)Connection refused: [client 192.0.2.7:4711] TN0302: member http://a:8080 refused the connection; in error for 60 s, trying \
             the next one (1 of 2)",
            "proxy_util.c(1949): proxy: BALANCER: retrying the worker for (a)",
            "mod_proxy_balancer.c(1012): proxy: Entering byrequests for BALANCER (balancer://c)",
            "mod_proxy_balancer.c(1055): proxy: byrequests selected worker \"http://b:8080/base\" : busy 0 : lbstatus 100",
        ]
    );
}

#[test]
fn every_failure_leaves_one_line_that_says_what_is_done_about_it() {
    let failure = |kind, reused, has_response| {
        let mut failure = Failure::new(Side::Backend, kind, "why");
        (failure.reused, failure.has_response) = (reused, has_response);
        failure.sent = Sent::Head;
        failure
    };
    let member = "[client 192.0.2.7:4711] TN";
    let table = [
        (
            failure(FailureKind::Acquire, false, false),
            "0304: no connection to member http://a:8080 became free in time: why; in error for 60 s, trying the next one (1 of 2)",
        ),
        (
            failure(FailureKind::Closed, true, false),
            "0306: member http://a:8080 had closed the idle connection: why; trying again on a new connection",
        ),
        (
            failure(FailureKind::Closed, false, false),
            "0312: member http://a:8080 gave no answer: why; not repeated because the connection was a new one, answering 502",
        ),
        (
            failure(FailureKind::ReadTimeout, false, false),
            "0308: member http://a:8080 gave no answer in time: why; answering 502",
        ),
        (
            failure(FailureKind::Malformed, false, false),
            "0305: member http://a:8080 sent no proper response: why; answering 502",
        ),
        (
            failure(FailureKind::Resolve, false, false),
            "0301: the host name of member http://a:8080 has no address: why; answering 502",
        ),
    ];
    for (failure, expected) in table {
        let world = World::quiet(CLUSTER);
        let mut asked = world.ask("GET /app/x", &[]).unwrap();
        world.start(&mut asked);
        if world.fail(&mut asked, &failure).starts_with("->") {
            world.finish(&mut asked, 200);
        }
        assert_eq!(world.log(), [format!("{member}{expected}")]);
    }
}

/// The first example of the slides on mod_proxy_balancer.
const SLIDES: &str = "
    <Proxy balancer://foo>
        BalancerMember http://www1.example.com/
        BalancerMember http://www3.example.com/
        BalancerMember http://www2.example.com/ status=+h
        ProxySet lbmethod=bytraffic
    </Proxy>
    ProxyPass / balancer://foo/
    ";

#[test]
fn the_slides_first_example_is_traced_from_the_childs_birth_to_the_requests_end() {
    for (name, threads) in [("slides_prefork.txt", 1), ("slides_threaded.txt", 25)] {
        let world = World::new(SLIDES);
        world.init(threads);
        let mut asked = world
            .ask("GET /index.html", &[("Host", "www.example.com")])
            .unwrap();
        assert_eq!(
            world.start(&mut asked),
            "-> http://www1.example.com/ //index.html"
        );
        world.reach_all(&mut asked, "192.0.2.80:80");
        world.finish(&mut asked, 200);
        world.assert_golden(name);
    }
}

const WISH: [(&str, &str); 2] = [("Connection", "Upgrade"), ("Upgrade", "websocket")];

#[test]
fn requests_without_an_upgrade_find_the_next_mapping_when_wstunnel_serves_alone() {
    const MAPPINGS: &str = "ProxyPass /x ws://a:8080\nProxyPass /x http://b:8080\n\
        <Proxy balancer://c>\nBalancerMember ws://m:8080\n</Proxy>\nProxyPass /c balancer://c\n";
    let world = World::new(&format!(
        "ProxyWebsocketFallbackToProxyHttp Off\n{MAPPINGS}"
    ));
    assert_eq!(world.serve("GET /x/1", &WISH), "-> ws://a:8080 /1");
    assert_eq!(world.serve("GET /x/1", &[]), "-> http://b:8080 /1");
    let other = [("Connection", "Upgrade"), ("Upgrade", "h2c")];
    assert_eq!(world.serve("GET /x/1", &other), "426");
    assert_eq!(world.serve("GET /c/1", &[]), "426");
    assert_eq!(world.busy(), [0], "a refusal claims nobody");
    let log = world.log();
    assert!(
        log.iter().any(|line| line.ends_with(
            "AH02900: require upgrade for URL ws://a:8080/1 (Upgrade header is h2c, expecting WebSocket)"
        )),
        "{log:#?}"
    );

    let world = World::new(MAPPINGS);
    assert_eq!(world.serve("GET /x/1", &[]), "-> ws://a:8080 /1");
    assert_eq!(world.serve("GET /c/1", &WISH), "-> ws://m:8080 /1");

    let world = World::new(&format!(
        "<Location /x>\nProxyWebsocketFallbackToProxyHttp Off\n</Location>\n{MAPPINGS}"
    ));
    assert_eq!(world.serve("GET /x/1", &[]), "-> http://b:8080 /1");
    assert_eq!(world.serve("GET /c/1", &[]), "-> ws://m:8080 /1");
}

#[test]
fn what_a_backend_offers_comes_back_if_the_member_may_be_asked_for_it() {
    let world =
        World::new("ProxyPass /x http://a:8080 upgrade=websocket\nProxyPass /y http://b:8080\n");
    for (path, offered, expected) in [
        ("/x", "WebSocket", Some("WebSocket")),
        ("/x", "h2c", None),
        ("/y", "WebSocket", None),
    ] {
        let mut asked = world.ask(&format!("GET {path}"), &WISH).unwrap();
        world.start(&mut asked);
        let mut head = ResponseHead::default();
        head.fields.push(b"Upgrade", offered.as_bytes());
        head.fields.push(b"Connection", b"Upgrade");
        world.with(&mut asked, |ask, plan| {
            world.proxy.rewrite(ask, plan, &mut head);
        });
        let given = head.fields.get(FieldId::Upgrade);
        assert_eq!(given, expected.map(str::as_bytes), "{path} {offered}");
        assert!(!head.fields.has(FieldId::Connection));
        world.finish(&mut asked, 426);
    }
}
