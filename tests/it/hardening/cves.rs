//! One test for each defect that httpd has had and that concerns what is here.

use crate::harness::client::Broken;
use crate::harness::{Gate, Origin, Tine, until};
use crate::wire::{MARKER, Pair, Reply, Request, ok};

/// Targets with which a client has chosen the backend of a mapping without a slash.
#[test]
fn cve_2011_3368_a_request_cannot_choose_the_host() {
    let pair = Pair::new();
    pair.refuses_all(&[
        (b"GET @evil.example/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET .evil.example/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET :@evil.example/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET x:y@evil.example/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ]);
    let origin = Origin::named("here");
    let slashless = Tine::start(&format!("ProxyPass / {}\n", origin.url()));
    for target in [
        "/@evil.example/",
        "/.evil.example/",
        "/:80@evil.example/",
        "//evil.example/",
    ] {
        let text = slashless.get(target).expect(200).text();
        assert_eq!(text, "here", "{target}");
    }
}

#[test]
fn cve_2011_4317_a_scheme_in_the_target_cannot_choose_the_host() {
    let pair = Pair::new();
    pair.refuses_all(&[
        (b"GET h:8080/x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET example:@evil/x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET http:/x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET ftp://evil.example/x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ]);
    assert_eq!(
        pair.forwarded("GET http://evil.example/x HTTP/1.1\r\nHost: h\r\n\r\n")
            .target(),
        "/x"
    );
}

/// A path that looks like a socket's, and one so long that a buffer for it overflowed.
#[test]
fn cve_2021_40438_a_request_cannot_name_a_socket() {
    let pair = Pair::new();
    let long = "A".repeat(7000);
    for target in [
        "/?unix:/tmp/evil|http://evil.example/".to_owned(),
        "/unix:/tmp/evil%7Chttp://evil.example/".replace("//", "/"),
        format!("/?unix:{long}|http://evil.example/"),
        format!("/{long}"),
    ] {
        let request = pair.forwarded(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(request.target(), target);
    }
    pair.wire.bytes();
    pair.refuses(
        "GET unix:/tmp/evil|http://evil.example/ HTTP/1.1\r\nHost: h\r\n\r\n",
        400,
    );
}

#[test]
fn cve_2021_44224_an_absolute_target_without_a_proper_host_is_refused() {
    Pair::new().refuses_all(&[
        (b"GET unix:/x|http://a/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET http://a|b/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET http://:80/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET http://[/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ]);
}

#[test]
fn cve_2024_38477_a_url_without_a_host_is_refused() {
    Pair::new().refuses_all(&[
        (b"GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET http://?x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET :// HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ]);
}

/// What is decoded for matching is encoded again for sending.
#[test]
fn cve_2023_25690_a_decoded_path_cannot_split_the_request() {
    let origin = Origin::start("here", |call| call.reply(200, &[], b"here"));
    let tine = Tine::start(&format!(
        "ProxyPassMatch ^/match/(.*)$ {0}/got?path=$1\nProxyPassMatch ^/path/(.*)$ {0}/$1\nProxyPass / {0}/\n",
        origin.url()
    ));
    let attack = "x%20HTTP/1.1%0d%0aHost:%20evil%0d%0a%0d%0aGET%20/evil";
    for prefix in ["/", "/match/", "/path/"] {
        let status = tine.get(&format!("{prefix}{attack}")).status;
        assert!(matches!(status, 200 | 403 | 404), "{prefix}: {status}");
    }
    for seen in origin.seen() {
        assert!(!seen.line().contains("GET /evil"), "{}", seen.head);
        assert_eq!(seen.line().split(' ').count(), 3, "{}", seen.head);
        assert!(!seen.head.contains("Host: evil"), "{}", seen.head);
    }
}

#[test]
fn cve_2024_38473_an_encoded_path_stays_encoded() {
    let pair = Pair::new();
    for target in ["/a%3fb", "/a%23b", "/a%25b", "/%e4", "/a%5Cb", "/a%0ab"] {
        let sent = pair.forwarded(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert!(
            sent.target().eq_ignore_ascii_case(target),
            "{target} became {}",
            sent.target()
        );
    }
}

#[test]
fn cve_2024_38476_what_a_backend_says_selects_no_handler() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: server-status\r\nLocation: /server-status\r\nX-Sendfile: /etc/passwd\r\n\
                  X-Accel-Redirect: /server-status\r\nStatus: 302\r\nContent-Length: 2\r\n\r\nok";
    let pair = Pair::with(
        "<Location /server-status>\nSetHandler server-status\n</Location>",
        move |_| Reply::Keep(answer.into()),
    );
    let response = pair.get();
    assert_eq!((response.status, response.text().as_str()), (200, "ok"));
}

/// Heads that would become other heads, or content, for the client.
#[test]
fn cve_2023_38709_a_backend_cannot_split_its_response() {
    for line in [
        "X: a\rSet-Cookie: evil=1",
        "X: a\r\rSet-Cookie: evil=1",
        "X\r: a",
        "X: a\0Set-Cookie: evil=1",
        "Set-Cookie evil=1",
        "X\u{1}: a",
        "X(: a",
    ] {
        let pair = Pair::saying(format!(
            "HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 2\r\n\r\nok"
        ));
        let response = pair.get();
        assert_eq!(
            (response.status, response.field("set-cookie")),
            (502, None),
            "{line:?}"
        );
    }
}

#[test]
fn cve_2022_37436_a_malformed_field_does_not_end_the_head() {
    let pair = Pair::saying(
        "HTTP/1.1 200 OK\r\nbroken\r\nContent-Security-Policy: default-src 'none'\r\nContent-Length: 2\r\n\r\nok",
    );
    assert_eq!(
        pair.get().status,
        502,
        "better none than one without its policy"
    );
}

#[test]
fn cve_2023_27522_a_truncated_head_is_no_response() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nX: a",
        "HTTP/1.1 200 OK\r\nX: a\r\nContent-Le",
    ] {
        let talk = Pair::saying_last(bytes)
            .talk("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(talk.statuses(), [502], "{bytes:?}");
    }
}

#[test]
fn cve_2024_24795_a_lengths_place_is_taken_by_no_other() {
    let pair = Pair::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 20\r\n\r\nok");
    assert_eq!(pair.get().status, 502);
}

#[test]
fn cve_2022_31813_connection_cannot_take_forwarding_fields_away() {
    let origin = Origin::named("here");
    let tine = Tine::start(&format!("ProxyPass / {}/\n", origin.url()));
    tine.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Server\r\n\r\n").expect(200);
    let seen = origin.last();
    for name in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-server"] {
        assert!(seen.field(name).is_some(), "{name}: {}", seen.head);
    }
}

/// Content that is not read to its end must not be read as the next request.
#[test]
fn cve_2022_22720_a_request_that_was_not_read_ends_the_connection() {
    let pair = Pair::conf("LimitRequestBody 10\n<Location /no>\nRequire all denied\n</Location>");
    let hidden = String::from_utf8_lossy(MARKER).into_owned();
    let size = hidden.len();
    for bytes in [
        format!("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n{hidden}"),
        format!(
            "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n{hidden}\r\n0\r\n\r\n"
        ),
        format!("POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n{hidden}"),
        format!("POST /no HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n{hidden}"),
    ] {
        let talk = pair.talk(&bytes);
        assert!(
            talk.statuses().iter().all(|status| *status >= 400),
            "{talk:?}"
        );
        assert!(!pair.wire.bytes().contains("GET /marker"), "{bytes:?}");
    }
}

#[test]
fn cve_2016_8743_odd_white_space_is_refused() {
    Pair::new().refuses_all(&[
        (b"GET\x0b/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /\x0cHTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost:\x0bh\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX\x0b: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: y\x00\r\n\r\n", 400),
    ]);
}

#[test]
fn cve_2015_3183_a_chunk_header_is_read_to_the_letter() {
    let pair = Pair::new();
    for size in ["", "\n", ";", "0x5", "5\0", "-5", "5;\u{1}"] {
        let bytes = format!(
            "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nhello\r\n0\r\n\r\n"
        );
        pair.talk([bytes.as_bytes(), MARKER].concat());
        assert!(pair.wire.requests().is_empty(), "{size:?}");
    }
}

/// The tunnel that opened though the backend had not agreed.
#[test]
fn cve_2019_17567_an_upgrade_that_was_not_granted_opens_no_tunnel() {
    let pair = Pair::conf("<Location />\nProxyAddHeaders Off\n</Location>");
    let upgrade = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let talk = pair.talk([upgrade.as_bytes(), MARKER].concat());
    assert_eq!(
        talk.texts(),
        ["GET /a:", "GET /marker:"],
        "two requests, each with its answer"
    );
    let bad = pair.talk(
        [
            upgrade.as_bytes(),
            b"GET /b HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n",
        ]
        .concat(),
    );
    assert_eq!(bad.statuses(), [200, 400], "and the second is still read");
}

#[test]
fn cve_2009_1890_content_beyond_its_length_is_not_read_for_ever() {
    let pair = Pair::new();
    let mut client = pair.tine.client();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
    client.try_send(vec![b'x'; 500_000]).ok();
    assert_eq!(client.response().expect(200).text(), "POST /a:xxxxx");
    match client.try_response(false) {
        Ok(response) => assert!(response.status >= 400, "{response:?}"),
        Err(broken) => assert!(!matches!(broken, Broken::Late(_)), "{broken}"),
    }
    assert_eq!(pair.wire.requests().len(), 1);
}

/// A response that comes when its client has been told something else.
#[test]
fn cve_2010_2068_a_late_response_is_nobodys() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("late", move |call| {
        let text = call.target();
        if text == "/late" {
            call.wait(&held);
        }
        call.reply(200, &[], text.as_bytes());
    });
    let tine = Tine::start(&format!("ProxyPass / {}/ timeout=1\n", origin.url()));
    let mut client = tine.client();
    client.get("/first").expect(200);
    assert!(matches!(client.get("/late").status, 502 | 504));
    gate.open();
    for n in 0..20 {
        let target = format!("/{n}");
        assert_eq!(tine.get(&target).expect(200).text(), target);
    }
}

#[test]
fn cve_2012_3502_a_client_that_left_leaves_no_response_behind() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("slow", move |call| {
        let text = call.target();
        if text == "/left" {
            call.wait(&held);
        }
        call.reply(200, &[], text.as_bytes());
    });
    let tine = Tine::start(&format!("ProxyPass / {}/\n", origin.url()));
    tine.get("/first").expect(200);
    let mut client = tine.client();
    client.send("GET /left HTTP/1.1\r\nHost: h\r\n\r\n");
    until("the backend has it", || gate.waiting() == 1);
    client.reset();
    gate.open();
    for n in 0..20 {
        let target = format!("/{n}");
        assert_eq!(tine.get(&target).expect(200).text(), target);
    }
}

#[test]
fn cve_2009_1191_half_a_request_leaves_no_half_behind() {
    let pair = Pair::new();
    pair.get();
    let mut client = pair.tine.client();
    client.send("POST /half HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc");
    client.reset();
    for n in 0..20 {
        let text = pair
            .talk(format!("GET /{n} HTTP/1.1\r\nHost: h\r\n\r\n"))
            .only()
            .text();
        assert_eq!(text, format!("GET /{n}:"));
    }
}

#[test]
fn cve_2014_0117_no_connection_field_is_too_odd() {
    let pair = Pair::new();
    let many = "a,".repeat(4000);
    for value in [
        "", ",", " , ,, ", ";", ",;,", "\"", "\"a,b\"", "close;", "a b c", "\t", &many,
    ] {
        let bytes = format!("GET /a HTTP/1.1\r\nHost: h\r\nConnection: {value}\r\n\r\n");
        assert_eq!(pair.talk(bytes).statuses(), [200], "{value:?}");
        let twice = format!(
            "GET /a HTTP/1.1\r\nHost: h\r\nConnection: {value}\r\nConnection: {value}\r\n\r\n"
        );
        assert_eq!(pair.talk(twice).statuses(), [200], "{value:?} twice");
    }
    let answer = pair.get();
    assert_eq!(answer.status, 200);
}

#[test]
fn cve_2012_4558_pages_show_what_came_as_text() {
    let script = "<script>alert(1)</script>";
    let pair = Pair::conf(
        "ExtendedStatus On\n<Location /server-status>\nSetHandler server-status\n</Location>\n\
         <Location /balancer-manager>\nSetHandler balancer-manager\n</Location>\nProxyPass /server-status !\nProxyPass /balancer-manager !",
    );
    let encoded = "%3Cscript%3Ealert(1)%3C/script%3E";
    for target in [
        format!("/server-status?{script}"),
        format!("/balancer-manager?b={script}&w={encoded}"),
        format!("/balancer-manager/{encoded}"),
        "/server-status".to_owned(),
    ] {
        let bytes = format!(
            "GET {target} HTTP/1.1\r\nHost: h\r\nReferer: {script}\r\nUser-Agent: {script}\r\n\r\n"
        );
        let text = pair.talk(bytes).only().text();
        assert!(!text.contains(script), "{target}: {text}");
    }
}

#[test]
fn cve_2019_10092_error_pages_do_not_show_what_was_asked() {
    let script = "<script>alert(1)</script>";
    let dead = crate::harness::DeadPort::new();
    let tine = Tine::start(&format!("ProxyPass /dead {}/\n", dead.url()));
    for (target, status) in [
        (format!("/dead/{script}"), 503),
        (format!("/{script}"), 404),
        (format!("/%{script}"), 400),
    ] {
        let response = tine.send(&format!(
            "GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        ));
        assert_eq!(response.status, status, "{target}");
        assert!(!response.text().contains("script"), "{}", response.text());
    }
}

#[test]
fn cve_2020_13950_both_framings_crash_nothing() {
    let origin = Origin::named("here");
    let tine = Tine::start(&format!("ProxyPass / {}/\n", origin.url()));
    until("children", || !tine.children().is_empty());
    let children = tine.children();
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
    ] {
        let bytes = format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n0\r\n\r\n");
        assert_eq!(tine.send(&bytes).status, 200, "{fields}");
    }
    assert!(
        children.iter().all(|pid| tine.children().contains(pid)),
        "a child has died"
    );
}

#[test]
fn an_open_proxy_needs_proxyrequests() {
    let bystander = Origin::named("bystander");
    let pair = Pair::with("", |request: &Request| ok(request));
    let bytes = format!("GET {}/x HTTP/1.1\r\nHost: h\r\n\r\n", bystander.url());
    assert_eq!(pair.talk(bytes).texts(), ["GET /x:"], "the mapping decides");
    let connect = format!(
        "CONNECT 127.0.0.1:{} HTTP/1.1\r\nHost: h\r\n\r\n",
        bystander.port()
    );
    assert_eq!(pair.talk(connect).statuses(), [405]);
    assert_eq!(bystander.connections(), 0);
}
