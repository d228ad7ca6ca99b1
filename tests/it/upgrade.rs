//! Upgrades and the tunnels that come of them: which requests may ask, which answers open one, and how it lives and ends.

use crate::harness::tine::is_alive;
use crate::harness::{
    Call, Client, NOTHING_HAPPENS, Origin, PatternCheck, Response, Setup, Shape, Tine,
    holds_within, httpd, pattern, until,
};
use nix::sys::signal::Signal;
use std::time::Instant;

const ASK: &str =
    "GET /chat HTTP/1.1\r\nHost: tine.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const MEGABYTE: usize = 1024 * 1024;

/// A backend that switches whoever asks, and sends back what it gets; whoever does not ask is told the path.
fn echo() -> Origin {
    Origin::start("echo", |call| {
        if call.seen().field("upgrade").is_none() {
            let target = call.target();
            return call.reply(200, &[], target.as_bytes());
        }
        call.send(SWITCH);
        echo_until_end(call);
    })
}

fn echo_until_end(call: &mut Call<'_>) {
    loop {
        let bytes = call.some_bytes();
        if bytes.is_empty() {
            return call.close();
        }
        call.send(bytes);
    }
}

/// A configuration that lets `/` be upgraded to WebSocket at this backend.
fn conf(origin: &Origin) -> String {
    format!("ProxyPass / {}/ upgrade=websocket\n", origin.url())
}

/// A client whose request was answered with a 101.
#[track_caller]
fn switched(tine: &Tine) -> Client {
    let mut client = tine.client();
    client.send(ASK);
    client.response().expect(101);
    client
}

/// Whether what the client sends comes back.
#[track_caller]
fn echoes(client: &mut Client) {
    client.send("ping");
    assert_eq!(client.bytes(4), b"ping");
}

/// The access log, once it has so many lines.
#[track_caller]
fn logged(tine: &Tine, lines: usize) -> Vec<String> {
    until("lines in the access log", || {
        tine.access_log().len() >= lines
    });
    tine.access_log()
}

fn status_page() -> &'static str {
    "ProxyStatus On\nExtendedStatus On\n<Location /status>\nSetHandler server-status\n</Location>\nProxyPass /status !\n"
}

/// The value of a key of `server-status?auto`.
#[track_caller]
fn status(tine: &Tine, key: &str) -> String {
    let page = tine.get("/status?auto").expect(200).text();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no `{key}` in\n{page}"))
        .to_owned()
}

#[test]
fn a_websocket_shakes_hands_and_talks() {
    // The keys, and the two frames with `Hello`, are those of RFC 6455 §1.3 and §5.7.
    let origin = Origin::start("websocket", |call| {
        let seen = call.seen();
        assert_eq!(seen.field("sec-websocket-version"), Some("13"));
        assert_eq!(
            seen.field("sec-websocket-key"),
            Some("dGhlIHNhbXBsZSBub25jZQ==")
        );
        call.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n");
        let mut frame = Vec::new();
        while frame.len() < 11 {
            frame.extend(call.some_bytes());
        }
        assert_eq!(frame, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        call.send(b"\x81\x05Hello");
        // The closing handshake: the backend answers the close frame and ends.
        let close = call.some_bytes();
        assert_eq!(close.first(), Some(&0x88));
        call.send(b"\x88\x00");
        call.close();
    });
    let tine = Tine::start(&format!("ProxyPass /ws ws://127.0.0.1:{}\n", origin.port()));
    let mut client = tine.client();
    client.send("GET /ws/server HTTP/1.1\r\nHost: tine.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://tine.test\r\nSec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n");
    let head = client.response().expect(101);
    assert_eq!(head.field("upgrade"), Some("websocket"));
    assert_eq!(head.field("connection"), Some("Upgrade"));
    assert_eq!(
        head.field("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(head.field("sec-websocket-protocol"), Some("chat"));
    client.send(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    assert_eq!(client.bytes(7), b"\x81\x05Hello");
    client.send(b"\x88\x80\x00\x00\x00\x00");
    assert_eq!(client.bytes(2), b"\x88\x00");
    assert!(client.is_closed());
    let seen = origin.last();
    assert_eq!(seen.line(), "GET /server HTTP/1.1");
    assert_eq!(seen.all("connection"), ["Upgrade"]);
    assert_eq!(seen.all("upgrade"), ["websocket"]);
}

#[test]
fn what_the_backend_sees_of_an_upgrade_is_what_upgrade_allows() {
    let origin = Origin::named("here");
    let url = origin.url();
    let ws = url.replace("http:", "ws:");
    let tine = Tine::start(&format!(
        "ProxyPass /none {url}/0\nProxyPass /one {url}/1 upgrade=websocket\nProxyPass /list {url}/2 \"upgrade=foo, h2c\"\n\
         ProxyPass /any {url}/3 upgrade=ANY\nProxyPass /off {url}/4 upgrade=NONE\nProxyPass /old {url}/7 upgrade=ANY\n<Location /old>\nSetEnv force-proxy-request-1.0 1\n</Location>\nProxyPass /ws {ws}/5\nProxyPass /other {ws}/6 upgrade=foo\n",
    ));
    let rows = [
        ("nothing_is_allowed", "/none", "websocket", None),
        ("the_one", "/one", "websocket", Some("websocket")),
        (
            "the_one_in_another_case",
            "/one",
            "WEBsocket",
            Some("WEBsocket"),
        ),
        ("another_one", "/one", "h2c", None),
        ("one_of_a_list", "/list", "h2c", Some("h2c")),
        ("none_of_a_list", "/list", "websocket", None),
        ("any", "/any", "anything/9", Some("anything/9")),
        ("none", "/off", "websocket", None),
        ("http_1_0_to_the_backend", "/old", "websocket", None),
        ("the_default_of_ws", "/ws", "websocket", Some("websocket")),
        ("not_the_default_of_ws", "/ws", "foo", None),
        ("ws_with_another_protocol", "/other", "foo", Some("foo")),
        ("ws_without_its_default", "/other", "websocket", None),
        ("several", "/one", "websocket, h2c", None),
    ];
    for (name, path, upgrade, expected) in rows {
        if httpd::is_peer() && name == "several" {
            // It sends a list on whose beginning fits.
            continue;
        }
        let answer = tine.send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: {upgrade}\r\n\r\n"));
        answer.expect(200);
        let seen = origin.last();
        assert_eq!(seen.field("upgrade"), expected, "{name}");
        let connection = seen.field("connection").unwrap_or_default();
        assert_eq!(
            connection == "Upgrade",
            expected.is_some(),
            "{name}: {connection}"
        );
    }
}

#[test]
fn an_upgrade_that_does_not_belong_to_this_hop_ends_here() {
    if httpd::is_peer() {
        // It sends both on.
        return;
    }
    let origin = echo();
    let tine = Tine::start(&conf(&origin));
    for (name, request) in [
        (
            "not_named_in_connection",
            "GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
        ),
        (
            "http_1_0",
            "GET /x HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        ),
    ] {
        assert_eq!(tine.send(request).expect(200).text(), "/x", "{name}");
        assert_eq!(origin.last().field("upgrade"), None, "{name}");
    }
}

#[test]
fn a_request_with_content_may_upgrade() {
    let origin = Origin::start("origin", |call| {
        let content = call.content();
        call.send(SWITCH).send(content);
        echo_until_end(call);
    });
    let tine = Tine::start(&format!("LimitRequestBody 8\n{}", conf(&origin)));
    for body in [
        "Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ] {
        let mut client = tine.client();
        client.send(format!(
            "POST /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{body}ear"
        ));
        // What comes behind the content belongs to the tunnel.
        client.send("ly");
        client.response().expect(101);
        assert_eq!(client.bytes(10), b"helloearly");
        echoes(&mut client);
    }
}

#[test]
fn a_request_with_content_may_upgrade_after_a_100() {
    let origin = Origin::start("origin", |call| {
        call.send("HTTP/1.1 100 Continue\r\n\r\n");
        let content = call.content();
        call.send(SWITCH).send(content);
        echo_until_end(call);
    });
    let tine = Tine::start(&conf(&origin));
    let mut client = tine.client();
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    client.response().expect(100);
    client.send("hello");
    client.response().expect(101);
    assert_eq!(client.bytes(5), b"hello");
    echoes(&mut client);
}

#[test]
fn a_101_that_does_not_fit_is_a_502_and_no_tunnel() {
    let origin = Origin::start("origin", |call| {
        let upgrade = call
            .target()
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .replace('+', "\r\nUpgrade: ");
        let upgrade = if upgrade.is_empty() {
            String::new()
        } else {
            format!("Upgrade: {upgrade}\r\n")
        };
        call.send(format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}Connection: Upgrade\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"));
        call.wait_for_close();
    });
    let url = origin.url();
    let tine = Tine::start(&format!(
        "ProxyPass /plain/ {url}/plain/\nProxyPass /up/ {url}/up/ upgrade=websocket\n"
    ));
    let rows = [
        (
            "nobody_asked",
            "/plain/websocket",
            false,
            "Unexpected Upgrade: websocket (expecting n/a)",
        ),
        (
            "asked_in_vain",
            "/plain/websocket",
            true,
            "Unexpected Upgrade: websocket (expecting n/a)",
        ),
        (
            "another_protocol",
            "/up/h2c",
            true,
            "Unexpected Upgrade: h2c (expecting websocket)",
        ),
        (
            "no_protocol",
            "/up/",
            true,
            "Unexpected Upgrade: n/a (expecting websocket)",
        ),
    ];
    for (name, path, asks, words) in rows {
        let wish = if asks {
            "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        } else {
            ""
        };
        let mut client = tine.client();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{wish}\r\n"));
        let answer = client.response().expect(502);
        assert!(answer.text().contains(words), "{name}: {}", answer.text());
        client.half_close();
        assert_eq!(client.rest(), b"", "{name}");
    }
    if !httpd::is_peer() {
        // It takes the first of two.
        let two = tine.send(&format!(
            "{}\r\n",
            ASK.trim_end().replace("/chat", "/up/websocket+h2c") + "\r\n"
        ));
        two.expect(502);
    }
    until("no connection is kept", || origin.open() == 0);
}

#[test]
fn a_switch_to_the_same_protocol_in_another_case_is_fine() {
    let origin = Origin::start("origin", |call| {
        call.send(SWITCH.replace("websocket", "WebSocket"));
        echo_until_end(call);
    });
    let tine = Tine::start(&conf(&origin));
    let mut client = switched(&tine);
    echoes(&mut client);
}

#[test]
fn an_answer_other_than_101_is_an_ordinary_response() {
    let origin = Origin::start("origin", |call| {
        let seen = call.seen();
        let fields = ["Upgrade: websocket", "Connection: Upgrade", "X-A: 1"];
        match seen.line().split(' ').nth(1).unwrap_or_default() {
            "/up/426" | "/plain/426" => call.reply(426, &fields, b"ask again"),
            "/up/h2c" => call.reply(200, &["Upgrade: h2c", "Connection: Upgrade"], b"later"),
            _ => call.reply(404, &[], b"no"),
        }
    });
    let url = origin.url();
    let tine = Tine::start(&format!(
        "ProxyPass /plain/ {url}/plain/\nProxyPass /up/ {url}/up/ upgrade=websocket\n"
    ));
    let mut client = tine.client();
    let ask = |path: &str| ASK.replace("/chat", path);
    client.send(ask("/up/426"));
    let answer = client.response().expect(426);
    assert_eq!(answer.text(), "ask again");
    assert_eq!(answer.field("upgrade"), Some("websocket"));
    assert_eq!(answer.field("connection"), Some("Upgrade"));
    assert_eq!(answer.field("x-a"), Some("1"));
    client.send(ask("/plain/426"));
    let answer = client.response().expect(426);
    assert_eq!(
        (answer.field("upgrade"), answer.text().as_str()),
        (None, "ask again")
    );
    client.send(ask("/up/h2c"));
    assert_eq!(client.response().expect(200).field("upgrade"), None);
    client.send(ask("/up/404"));
    assert_eq!(client.response().expect(404).text(), "no");
    assert_eq!(origin.count(), 4);
    assert_eq!(
        origin.connections(),
        2,
        "such connections are kept, one for each worker"
    );
}

#[test]
fn megabytes_go_both_ways_at_once() {
    let origin = Origin::start("origin", |call| {
        call.send(SWITCH);
        let sending = call.send_meanwhile(pattern(0, MEGABYTE));
        let mut check = PatternCheck::default();
        while check.length < MEGABYTE as u64 {
            let bytes = call.some_bytes();
            assert!(!bytes.is_empty(), "all of it arrives");
            check.add(&bytes);
        }
        sending.join().expect("it sends everything");
        call.send(if check.is_wrong { "bad!" } else { "good" });
        call.close();
    });
    for shape in Shape::ALL {
        let tine = Setup::new().shape(shape).start(&conf(&origin));
        let mut client = switched(&tine);
        let sending = client.send_meanwhile(pattern(0, MEGABYTE));
        let mut check = PatternCheck::default();
        check.add(&client.bytes(MEGABYTE));
        assert_eq!(
            (check.length, check.is_wrong),
            (MEGABYTE as u64, false),
            "{shape:?}"
        );
        sending.join().expect("the server takes it");
        assert_eq!(client.bytes(4), b"good", "{shape:?}");
        assert!(client.is_closed(), "{shape:?}");
    }
}

#[test]
fn who_does_not_read_is_not_sent_more_than_a_little() {
    let origin = Origin::start("origin", |call| {
        call.send(SWITCH);
        call.some_bytes();
        call.send_pattern(64 * MEGABYTE as u64);
        call.close();
    });
    let tine = Setup::new().shape(Shape::Event).start(&conf(&origin));
    let mut client = switched(&tine);
    let before = tine.child_memory_kib();
    client.send("I am here");
    until("the backend waits", || {
        !holds_within(NOTHING_HAPPENS, &mut || origin.open() == 0)
    });
    if !httpd::is_peer() {
        assert!(
            tine.child_memory_kib() < before + 2048,
            "the rest is not kept here"
        );
    }
    let mut check = PatternCheck::default();
    for _ in 0..64 {
        check.add(&client.bytes(MEGABYTE));
    }
    assert!(!check.is_wrong);
    assert!(client.is_closed());
}

#[test]
fn the_end_of_one_direction_leaves_the_other_open() {
    for shape in Shape::ALL {
        let origin = Origin::start("origin", |call| {
            call.send(SWITCH);
            if call.seen().line().contains("/backend-first") {
                call.send("bye");
                call.half_close();
                let mut all = Vec::new();
                loop {
                    let bytes = call.some_bytes();
                    if bytes.is_empty() {
                        break;
                    }
                    all.extend(bytes);
                }
                assert_eq!(all, b"still here");
            } else {
                let mut all = Vec::new();
                loop {
                    let bytes = call.some_bytes();
                    if bytes.is_empty() {
                        break;
                    }
                    all.extend(bytes);
                }
                call.send([b"got ", &all[..]].concat());
            }
            call.close();
        });
        let tine = Setup::new().shape(shape).start(&conf(&origin));
        let mut client = switched(&tine);
        client.send("all of it");
        client.half_close();
        assert_eq!(client.rest(), b"got all of it", "{shape:?}");

        let mut client = tine.client();
        client.send(ASK.replace("/chat", "/backend-first"));
        client.response().expect(101);
        assert_eq!(client.bytes(3), b"bye", "{shape:?}");
        assert!(client.is_closed(), "{shape:?}");
        client.send("still here");
        client.half_close();
        until("the backend is told", || origin.open() == 0);
    }
}

#[test]
fn the_first_end_is_that_of_both_where_half_closing_is_off() {
    let origin = Origin::start("origin", |call| {
        call.send(SWITCH).send("hello");
        if call.seen().line().contains("/backend-first") {
            call.half_close();
        }
        call.wait_for_close();
    });
    for shape in Shape::ALL {
        let tine = Setup::new()
            .shape(shape)
            .start(&format!("SetEnv proxy-nohalfclose 1\n{}", conf(&origin)));
        let mut client = switched(&tine);
        assert_eq!(client.bytes(5), b"hello");
        client.half_close();
        assert!(client.is_closed(), "{shape:?}");
        until("the backend is told", || origin.open() == 0);

        let mut client = tine.client();
        client.send(ASK.replace("/chat", "/backend-first"));
        client.response().expect(101);
        assert_eq!(client.rest(), b"hello", "{shape:?}");
        // The client has not ended anything, and need not.
        until("the backend is told", || origin.open() == 0);
        until("the exchange is over", || tine.access_log().len() == 2);
    }
}

#[test]
fn bytes_that_come_early_keep_their_place_and_are_no_request() {
    let origin = Origin::start("origin", |call| {
        call.send([SWITCH.as_bytes(), b"HTTP/1.1 200 OK\r\n\r\nfirst"].concat());
        echo_until_end(call);
    });
    let tine = Tine::start(&conf(&origin));
    let early = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut client = tine.client();
    client.send([ASK, early].concat());
    client.response().expect(101);
    let first = "HTTP/1.1 200 OK\r\n\r\nfirst";
    assert_eq!(client.bytes(first.len()), first.as_bytes());
    assert_eq!(client.bytes(early.len()), early.as_bytes());
    client.send("later");
    assert_eq!(client.bytes(5), b"later");
    assert_eq!(origin.count(), 1);
    client.half_close();
    assert_eq!(logged(&tine, 1).len(), 1);
}

#[test]
fn a_tunnel_ends_with_a_connection_that_breaks() {
    let origin = Origin::start("origin", |call| {
        call.send(SWITCH).send("hello");
        if call.seen().line().contains("/reset") {
            call.some_bytes();
            call.reset();
        } else {
            call.wait_for_close();
        }
    });
    for shape in [Shape::Prefork, Shape::Event] {
        let tine = Setup::new().shape(shape).start(&conf(&origin));
        let mut client = tine.client();
        client.send(ASK.replace("/chat", "/reset"));
        client.response().expect(101);
        assert_eq!(client.bytes(5), b"hello");
        client.send("x");
        assert!(client.is_closed(), "{shape:?}");

        let mut client = switched(&tine);
        assert_eq!(client.bytes(5), b"hello");
        client.reset();
        until("the backend is left", || origin.open() == 0);

        // A client that is gone altogether has closed its side in order first.
        let mut client = switched(&tine);
        assert_eq!(client.bytes(5), b"hello");
        drop(client);
        until("the backend is left", || origin.open() == 0);
        assert_eq!(logged(&tine, 3).len(), 3, "{shape:?}");
        assert_eq!(tine.log_count("panic"), 0);
    }
}

#[test]
fn a_tunnel_in_which_nothing_moves_ends_after_the_longer_timeout() {
    let origin = echo();
    for (timeouts, member, least_s) in [
        ("Timeout 1\nProxyTimeout 1\n", "", 1),
        ("Timeout 2\n", " timeout=1", 2),
        ("Timeout 1\n", " timeout=2", 2),
    ] {
        let tine = Setup::new().start(&format!(
            "{timeouts}RequestReadTimeout header=1 body=1\nProxyPass / {}/ upgrade=websocket{member}\n",
            origin.url()
        ));
        let mut client = switched(&tine);
        let began = Instant::now();
        echoes(&mut client);
        assert!(client.is_closed(), "{timeouts}{member}");
        // The server's clock counts whole milliseconds.
        let passed_ms = began.elapsed().as_millis() + 5;
        assert!(passed_ms >= least_s * 1000, "{timeouts}{member}");
        let line = logged(&tine, 1).remove(0);
        assert!(line.ends_with("\" 101 -"), "{line}");
    }
}

#[test]
fn a_tunnel_is_logged_once_it_ends() {
    let origin = echo();
    let tine = Tine::start(&format!(
        "{}CustomLog logs/tunnels \"%>s %b %I %O %X\"\n",
        conf(&origin)
    ));
    let mut client = switched(&tine);
    echoes(&mut client);
    assert!(!holds_within(NOTHING_HAPPENS, &mut || !tine
        .access_log()
        .is_empty()));
    client.half_close();
    assert!(client.is_closed());
    let line = logged(&tine, 1).remove(0);
    assert!(line.contains("\"GET /chat HTTP/1.1\" 101 "), "{line}");
    let asked = ASK.len() + 4;
    let answered = SWITCH.len() + 4;
    assert_eq!(
        tine.file("logs/tunnels"),
        format!("101 - {asked} {answered} -\n")
    );
}

#[test]
fn neither_connection_is_used_again() {
    let origin = echo();
    let tine = Setup::new().shape(Shape::Event).start(&conf(&origin));
    let mut client = switched(&tine);
    client.half_close();
    assert!(client.is_closed());
    let mut client = tine.client();
    client.get("/one").expect(200);
    client.get("/two").expect(200);
    assert_eq!(origin.connections(), 2);
    client.send(ASK);
    client.response().expect(101);
    assert_eq!(
        origin.connections(),
        2,
        "a kept connection may become a tunnel"
    );
    client.half_close();
    assert!(client.is_closed());
    tine.get("/three").expect(200);
    assert_eq!(origin.connections(), 3);
}

#[test]
fn tunnels_take_no_slots_in_the_event_shape() {
    if httpd::is_peer() {
        // Each holds a thread there.
        return;
    }
    let origin = echo();
    let tine = Setup::new()
        .shape(Shape::Event)
        .sizes("StartServers 1\nServerLimit 1\nThreadsPerChild 2\nMaxRequestWorkers 2\nMinSpareThreads 1\nMaxSpareThreads 2\n")
        .start(&format!("{}{}", status_page(), conf(&origin)));
    let mut clients: Vec<Client> = (0..10).map(|_| switched(&tine)).collect();
    for client in &mut clients {
        echoes(client);
    }
    assert_eq!(tine.get("/one").expect(200).text(), "/one");
    until("tunnels are shown", || {
        status(&tine, "ConnsAsyncWaitIO") == "10"
    });
    assert_eq!(status(&tine, "BusyWorkers"), "1", "the page's own request");
    assert_eq!(status(&tine, "IdleWorkers"), "1");
    let before: u64 = status(&tine, "Total Accesses").parse().expect("a number");
    drop(clients);
    until("the tunnels end", || {
        status(&tine, "ConnsAsyncWaitIO") == "0"
    });
    let after: u64 = status(&tine, "Total Accesses").parse().expect("a number");
    assert!(
        after >= before + 10,
        "they are counted at their end: {before}, {after}"
    );
}

#[test]
fn a_tunnel_occupies_its_process_in_the_other_shapes() {
    let origin = echo();
    let tine = Setup::new()
        .sizes("StartServers 2\nMinSpareServers 1\nMaxSpareServers 2\nServerLimit 2\nMaxRequestWorkers 2\n")
        .start(&conf(&origin));
    let mut first = switched(&tine);
    let mut second = switched(&tine);
    let mut third = tine.client().patience(NOTHING_HAPPENS);
    third.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(third.try_response(false).is_err(), "there is nobody left");
    echoes(&mut first);
    echoes(&mut second);
    drop(first);
    let mut third = third.patience(crate::harness::PATIENCE);
    assert_eq!(third.response().expect(200).text(), "/x");
}

#[test]
fn a_tunnel_outlives_a_graceful_restart() {
    for shape in Shape::ALL {
        let origin = echo();
        let tine = Setup::new().shape(shape).start(&conf(&origin));
        let mut client = switched(&tine);
        let old = tine.children();
        tine.rewrite(&format!("ProxyPass /new !\n{}", conf(&origin)));
        assert!(tine.control(&["-k", "graceful"]).status.success());
        until("the new configuration serves", || {
            tine.get("/new").status == 404
        });
        echoes(&mut client);
        until("all but the tunnel's child are gone", || {
            old.iter().filter(|&&pid| is_alive(pid)).count() == 1
        });
        assert!(!holds_within(NOTHING_HAPPENS, &mut || old
            .iter()
            .all(|&pid| !is_alive(pid))));
        echoes(&mut client);
        client.half_close();
        assert!(client.is_closed());
        until("its child is gone as well", || {
            old.iter().all(|&pid| !is_alive(pid))
        });
    }
}

#[test]
fn stop_and_restart_end_tunnels_at_once() {
    for shape in [Shape::Prefork, Shape::Event] {
        let origin = echo();
        let mut tine = Setup::new().shape(shape).start(&conf(&origin));
        let mut client = switched(&tine);
        tine.signal(Signal::SIGHUP);
        assert!(client.is_closed(), "{shape:?}: restart");
        // A connection may still reach a child of the old generation.
        let mut again = None;
        until("it serves again", || {
            let mut client = tine.client();
            let response = client
                .try_send(ASK)
                .ok()
                .map(|()| client.try_response(false));
            let is_open = matches!(response, Some(Ok(head)) if head.status == 101);
            again = is_open.then_some(client);
            is_open
        });
        let mut client = again.expect("it serves");
        tine.signal(Signal::SIGTERM);
        assert!(client.is_closed(), "{shape:?}: stop");
        assert!(tine.wait().success());
    }
}

#[test]
fn a_graceful_stop_waits_for_tunnels_as_long_as_it_is_allowed_to() {
    let origin = echo();
    let mut tine = Setup::new()
        .shape(Shape::Event)
        .start(&format!("GracefulShutdownTimeout 1\n{}", conf(&origin)));
    let mut client = switched(&tine);
    tine.signal(Signal::SIGWINCH);
    until("nobody listens any more", || {
        std::net::TcpStream::connect(tine.address()).is_err()
    });
    assert!(client.is_closed());
    tine.wait();

    let mut tine = Setup::new().shape(Shape::Event).start(&conf(&origin));
    let mut client = switched(&tine);
    tine.signal(Signal::SIGWINCH);
    until("nobody listens any more", || {
        std::net::TcpStream::connect(tine.address()).is_err()
    });
    echoes(&mut client);
    assert!(!tine.has_ended());
    client.half_close();
    assert!(client.is_closed());
    assert!(tine.wait().success());
}

#[test]
fn a_worn_out_child_keeps_its_tunnel() {
    let origin = echo();
    for shape in [Shape::Prefork, Shape::Event] {
        let tine = Setup::new()
            .shape(shape)
            .start(&format!("MaxConnectionsPerChild 2\n{}", conf(&origin)));
        let mut client = switched(&tine);
        for _ in 0..6 {
            tine.get("/x").expect(200);
        }
        echoes(&mut client);
    }
}

#[test]
fn members_upgrade_by_their_own_rules_and_sessions_stick() {
    let backend = |name: &'static str| {
        Origin::start(name, move |call| {
            if call.seen().field("upgrade").is_none() {
                return call.reply(200, &[], name.as_bytes());
            }
            call.send(SWITCH).send(name);
            echo_until_end(call);
        })
    };
    let (a, b) = (backend("a"), backend("b"));
    for shape in [Shape::Prefork, Shape::Event] {
        let tine = Setup::new().shape(shape).start(&format!(
            "{}<Location /manager>\nSetHandler balancer-manager\n</Location>\nProxyPass /manager !\n<Proxy balancer://pool>\n\
             BalancerMember {} route=a upgrade=websocket\nBalancerMember ws://127.0.0.1:{} route=b\nProxySet stickysession=SID\n</Proxy>\n\
             ProxyPass / balancer://pool/\n",
            status_page(),
            a.url(),
            b.port()
        ));
        for (route, name) in [("a", "a"), ("b", "b"), ("a", "a")] {
            let mut client = tine.client();
            client.send(ASK.replace("Host:", &format!("Cookie: SID=x.{route}\r\nHost:")));
            client.response().expect(101);
            assert_eq!(client.bytes(1), name.as_bytes());
            client.send(pattern(0, 4096));
            client.bytes(4096);
            assert_eq!(
                status(
                    &tine,
                    &format!("ProxyBalancer[0]Worker[{}]Busy", u8::from(route == "b"))
                ),
                "1"
            );
            client.half_close();
            assert!(client.is_closed());
        }
        until("nobody is busy", || {
            status(&tine, "ProxyBalancer[0]Worker[0]Busy") == "0"
                && status(&tine, "ProxyBalancer[0]Worker[1]Busy") == "0"
        });
        if !httpd::is_peer() {
            assert_eq!(
                status(&tine, "ProxyBalancer[0]Worker[0]Sent"),
                "8K",
                "{shape:?}"
            );
            assert_eq!(
                status(&tine, "ProxyBalancer[0]Worker[1]Rcvd"),
                "4K",
                "{shape:?}"
            );
        }
        assert_eq!(status(&tine, "ProxyBalancer[0]Worker[0]Status"), "Init Ok ");
    }
}

#[test]
fn a_backend_at_a_unix_socket_can_be_switched_as_well() {
    let root = tempfile::tempdir().expect("a directory");
    let path = root.path().join("backend");
    std::fs::set_permissions(
        root.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("our own directory");
    let _origin = Origin::unix(&path, "unix", |call| {
        call.send(SWITCH);
        echo_until_end(call);
    });
    let tine = Tine::start(&format!(
        "ProxyPass / unix:{}|ws://localhost/\n",
        path.display()
    ));
    let mut client = switched(&tine);
    echoes(&mut client);
    client.half_close();
    assert!(client.is_closed());
}

#[test]
fn ws_and_http_can_share_a_path_when_wstunnel_serves_alone() {
    let (chat, page) = (echo(), Origin::named("page"));
    let mappings = format!(
        "ProxyPass /x ws://127.0.0.1:{}/\nProxyPass /x {}/\n",
        chat.port(),
        page.url()
    );
    let ask = |tine: &Tine, fields: &str| -> Response {
        tine.send(&format!("GET /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
    };
    let wish = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let tine = Tine::start(&format!(
        "ProxyWebsocketFallbackToProxyHttp Off\n{mappings}"
    ));
    ask(&tine, wish).expect(101);
    assert_eq!(ask(&tine, "").expect(200).text(), "page");
    let other = ask(&tine, "Connection: Upgrade\r\nUpgrade: h2c\r\n").expect(426);
    assert_eq!(other.field("upgrade"), Some("WebSocket"));
    assert!(
        other
            .all("connection")
            .iter()
            .any(|value| value.contains("Upgrade")),
        "{other:?}"
    );

    let tine = Tine::start(&mappings);
    ask(&tine, wish).expect(101);
    assert_eq!(
        ask(&tine, "").expect(200).text(),
        "/",
        "mod_proxy_http takes both"
    );
}

#[test]
fn wss_loads_with_a_warning_and_is_answered_with_500() {
    if httpd::is_peer() {
        // It tries, and fails for want of mod_ssl.
        return;
    }
    let tine = Tine::start("ProxyPass / wss://127.0.0.1:9/\n");
    tine.send(ASK).expect(500);
    let said = tine.error_log();
    assert!(
        said.contains("no protocol handler for wss://127.0.0.1:9/"),
        "{said}"
    );
}
