//! The pages against golden files, their switches, and what a hostile scoreboard shows.

use std::sync::atomic::Ordering::Relaxed;

use super::*;
use crate::admin::sample;
use crate::admin::testing::{ask, assert_golden, env, get, identity};
use crate::config::Config;
use crate::config::setting::Setting;
use crate::config::source::Place;
use crate::http::{self, Method};

const HANDLER: Status = Status {
    load: || Some([0.96, 1.234, 12.0]),
    identity,
};

fn with_proxy_status(config: &mut Config) {
    config.main.proxy.status = Setting::new(ProxyStatus::On, &Place::new("test.conf", 2));
}

#[test]
fn golden_pages() {
    let prefork = env(sample::prefork(), with_proxy_status);
    let event = env(sample::event(), |_| {});
    assert_golden("status.html", &get(&HANDLER, prefork, "/server-status"));
    assert_golden(
        "status_notable.html",
        &get(&HANDLER, prefork, "/server-status?notable"),
    );
    assert_golden(
        "status.auto",
        &get(&HANDLER, prefork, "/server-status?auto"),
    );
    assert_golden("status_event.html", &get(&HANDLER, event, "/server-status"));
    assert_golden(
        "status_event.auto",
        &get(&HANDLER, event, "/server-status?auto"),
    );
}

#[test]
fn golden_page_without_extended_status() {
    let board = sample::prefork();
    board.global().extended.store(0, Relaxed);
    let env = env(board, |_| {});
    assert_golden("status_brief.html", &get(&HANDLER, env, "/server-status"));
    assert_golden(
        "status_brief.auto",
        &get(&HANDLER, env, "/server-status?auto"),
    );
}

/// What httpd 2.4.71 (event, ExtendedStatus On, ProxyStatus On, one balancer of one member) writes, keys only.
const HTTPD_KEYS: &str = "\
ServerVersion
ServerMPM
Server Built
CurrentTime
RestartTime
ParentServerConfigGeneration
ParentServerMPMGeneration
ServerUptimeSeconds
ServerUptime
Load1
Load5
Load15
Total Accesses
Total kBytes
Total Duration
CPUUser
CPUSystem
CPUChildrenUser
CPUChildrenSystem
CPULoad
Uptime
ReqPerSec
BytesPerSec
BytesPerReq
DurationPerReq
BusyWorkers
GracefulWorkers
IdleWorkers
Processes
Stopping
ConnsTotal
ConnsAsyncWaitIO
ConnsAsyncWriting
ConnsAsyncKeepAlive
ConnsAsyncClosing
Scoreboard
ProxyBalancer[0]Name
ProxyBalancer[0]Worker[0]Name
ProxyBalancer[0]Worker[0]Status
ProxyBalancer[0]Worker[0]Elected
ProxyBalancer[0]Worker[0]Busy
ProxyBalancer[0]Worker[0]Sent
ProxyBalancer[0]Worker[0]Rcvd";

#[test]
fn auto_has_the_keys_of_httpd_in_its_order() {
    let env = env(sample::event(), with_proxy_status);
    let text = get(&HANDLER, env, "/server-status?auto");
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("www.example.com"),
        "the name stands alone"
    );
    let keys: Vec<&str> = lines
        .map(|line| line.split_once(": ").expect("key: value").0)
        .collect();
    let expected: Vec<&str> = HTTPD_KEYS.lines().collect();
    assert_eq!(keys[..expected.len()], expected);
    for line in text.lines().filter(|line| line.contains("Per")) {
        let value = line.split_once(": ").unwrap().1;
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn what_a_client_sent_is_shown_and_not_obeyed() {
    let env = env(sample::prefork(), with_proxy_status);
    for target in ["/server-status", "/server-status?notable"] {
        let html = get(&HANDLER, env, target);
        assert!(html.contains(
            "GET /&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;?a=1&amp;b=&quot;2&quot;"
        ));
        assert!(!html.contains("<script"));
    }
}

#[test]
fn passwords_of_members_stay_in_the_configuration() {
    let env = env(sample::prefork(), with_proxy_status);
    for target in ["/server-status", "/server-status?auto"] {
        let text = get(&HANDLER, env, target);
        assert!(text.contains("app3.example.com"));
        assert!(!text.contains("secret"));
    }
}

#[test]
fn query_words_are_found_anywhere() {
    let query = |text: &str| Query::parse(text.as_bytes());
    let plain = Query::default();
    for (text, expected) in [
        ("", plain),
        (
            "auto",
            Query {
                is_auto: true,
                ..plain
            },
        ),
        (
            "notable",
            Query {
                is_tableless: true,
                ..plain
            },
        ),
        (
            "refresh",
            Query {
                refresh_s: Some(10),
                ..plain
            },
        ),
        (
            "refresh=3",
            Query {
                refresh_s: Some(3),
                ..plain
            },
        ),
        (
            "refresh=0",
            Query {
                refresh_s: Some(10),
                ..plain
            },
        ),
        (
            "refresh=99999999999",
            Query {
                refresh_s: Some(10),
                ..plain
            },
        ),
        (
            "auto&refresh=5x",
            Query {
                is_auto: true,
                refresh_s: Some(5),
                ..plain
            },
        ),
        (
            "x,auto,notable",
            Query {
                is_auto: true,
                is_tableless: true,
                ..plain
            },
        ),
    ] {
        assert_eq!(query(text), expected, "{text}");
    }
    assert_eq!(Query::parse(b"\xff=refresh=\xff").refresh_s, Some(10));
}

#[test]
fn fields_of_the_answer() {
    let env = env(sample::prefork(), |_| {});
    let answer = ask(&HANDLER, env, Method::Head, "/server-status?auto&refresh=7");
    assert_eq!(answer.status, http::Status::OK);
    assert_eq!(answer.fields.find(b"refresh"), Some(&b"7"[..]));
    assert_eq!(
        answer.fields.find(b"content-type"),
        Some(&b"text/plain; charset=utf-8"[..])
    );
    assert_eq!(answer.fields.find(b"cache-control"), Some(&b"no-store"[..]));
    assert!(answer.fields.find(b"content-security-policy").is_some());
    assert!(
        !answer.is_built_in,
        "an ErrorDocument must not take its place"
    );
}

#[test]
fn only_reading_is_possible() {
    let env = env(sample::prefork(), |_| {});
    for method in [
        Method::Post,
        Method::Put,
        Method::Options,
        Method::Other("BREW".into()),
    ] {
        let answer = ask(&HANDLER, env, method, "/server-status");
        assert_eq!(answer.status, http::Status::METHOD_NOT_ALLOWED);
        assert_eq!(answer.fields.find(b"allow"), Some(&b"GET, HEAD"[..]));
    }
}

#[test]
fn balancers_are_shown_with_proxy_status_only() {
    let env = env(sample::prefork(), |_| {});
    assert!(!get(&HANDLER, env, "/server-status").contains("balancer://"));
    assert!(!get(&HANDLER, env, "/server-status?auto").contains("ProxyBalancer"));
}

#[test]
fn a_board_that_says_nonsense_is_shown_all_the_same() {
    let board = sample::prefork();
    let global = board.global();
    for word in [
        &global.restart_ms,
        &global.start_ms,
        &global.cpu_user_us,
        &global.children_user_us,
    ] {
        word.store(u64::MAX, Relaxed);
    }
    global.shape.store(77, Relaxed);
    for process in 0..6 {
        let score = board.process(process);
        score.cpu_user_us.store(u64::MAX, Relaxed);
        score.bytes.store(u64::MAX, Relaxed);
        score.accesses.store(u64::MAX, Relaxed);
        let slot = board.slot(process, 0);
        slot.status.store(4711, Relaxed);
        slot.accesses.store(u64::MAX, Relaxed);
        slot.start_us.store(u64::MAX, Relaxed);
        slot.client.set(&[0xff; 200]);
    }
    let env = env(board, with_proxy_status);
    for target in [
        "/server-status",
        "/server-status?auto",
        "/server-status?notable",
    ] {
        assert!(get(&HANDLER, env, target).contains("unknown"));
    }
}
