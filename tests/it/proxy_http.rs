//! HTTP from one side to the other: framing, persistence, fields, bodies, and where a backend may be.

use crate::harness::client::{Broken, Framing};
use crate::harness::{Client, Gate, Origin, PatternCheck, Response, Tine, httpd, pattern, until};
use std::time::Duration;

fn proxy(origin: &Origin) -> Tine {
    Tine::start(&format!(
        "ProxyPass / {0}/\nProxyPassReverse / {0}/\n",
        origin.url()
    ))
}

#[test]
fn a_get_reaches_the_backend_and_its_answer_comes_back() {
    let origin = Origin::start("origin", |call| {
        call.reply(
            200,
            &["X-Backend: yes", "Content-Type: text/plain"],
            b"hello",
        )
    });
    let tine = proxy(&origin);
    let response = tine.get("/some/path?with=query").expect(200);
    assert_eq!(response.text(), "hello");
    assert_eq!(response.field("x-backend"), Some("yes"));
    assert_eq!(response.field("content-type"), Some("text/plain"));
    assert_eq!(response.framing, Framing::Length);
    assert!(response.field("date").is_some(), "{response:?}");
    let seen = origin.last();
    assert_eq!(seen.line(), "GET /some/path?with=query HTTP/1.1");
    assert_eq!(
        seen.field("host"),
        Some(format!("127.0.0.1:{}", origin.port()).as_str())
    );
}

#[test]
fn reason_phrase_and_unknown_status_pass_through() {
    let origin = Origin::start("origin", |call| {
        call.send("HTTP/1.1 299 Quite Fine\r\nContent-Length: 0\r\n\r\n");
    });
    let response = proxy(&origin).get("/").expect(299);
    assert_eq!(response.reason, "Quite Fine");
}

#[test]
fn a_head_has_the_length_but_no_content() {
    let origin = Origin::start("origin", |call| call.reply(200, &[], b"not to be seen"));
    let tine = proxy(&origin);
    let mut client = tine.client();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.head_response().expect(200);
    assert_eq!(response.field("content-length"), Some("14"));
    assert_eq!(client.get("/").expect(200).text(), "not to be seen");
    assert_eq!(origin.seen()[0].line(), "HEAD / HTTP/1.1");
}

#[test]
fn statuses_without_content_leave_the_connection_usable() {
    let origin = Origin::start("origin", |call| match call.target().as_str() {
        "/204" => drop(call.send("HTTP/1.1 204 No Content\r\n\r\n")),
        "/304" => drop(
            call.send("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 99\r\n\r\n"),
        ),
        _ => call.reply(200, &[], b"next"),
    });
    let tine = proxy(&origin);
    let mut client = tine.client();
    assert_eq!(client.get("/204").expect(204).framing, Framing::None);
    assert_eq!(client.get("/").expect(200).text(), "next");
    let not_modified = client.get("/304").expect(304);
    assert_eq!(not_modified.field("etag"), Some("\"x\""));
    assert_eq!(client.get("/").expect(200).text(), "next");
}

#[test]
fn content_with_a_length_reaches_the_backend_whole() {
    let origin = Origin::echo();
    let tine = proxy(&origin);
    let mut client = tine.client();
    client.send("POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world");
    assert_eq!(client.response().expect(200).text(), "hello world");
    assert_eq!(origin.last().field("content-length"), Some("11"));
    client.send("PUT /form HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    client.response().expect(200);
    assert_eq!(origin.last().content, b"");
}

#[test]
fn content_in_chunks_reaches_the_backend_whole() {
    let origin = Origin::echo();
    let tine = proxy(&origin);
    let mut client = tine.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in [
        "5\r\nhello\r\n",
        "1;ext=\"a\"\r\n \r\n",
        "5\r\nworld\r\n",
        "0\r\n",
        "\r\n",
    ] {
        client.send(chunk);
    }
    assert_eq!(client.response().expect(200).text(), "hello world");
    let seen = origin.last();
    let framings = (
        seen.field("content-length").is_some(),
        seen.field("transfer-encoding").is_some(),
    );
    assert!(
        framings.0 != framings.1,
        "exactly one framing: {}",
        seen.head
    );
}

#[test]
fn chunks_of_a_response_are_relayed_as_they_come() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("origin", move |call| {
        call.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        call.wait(&held).send("6\r\nsecond\r\n0\r\n\r\n");
    });
    let tine = proxy(&origin);
    let mut client = tine.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut pieces = Vec::new();
    let response = client.streamed(false, &mut |piece| {
        pieces.extend_from_slice(piece);
        if pieces == b"first" {
            // Only when the first chunk has come through does the backend send the second.
            gate.open();
        }
    });
    assert_eq!(
        response.expect("a whole response").framing,
        Framing::Chunked
    );
    assert_eq!(pieces, b"firstsecond");
}

#[test]
fn response_trailers_are_relayed() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::start("origin", |call| {
        call.reply_chunked(&["Trailer: X-Sum"], &[b"abc", b"def"], &["X-Sum: 42"]);
    });
    let tine = proxy(&origin);
    let response = tine.get("/").expect(200);
    assert_eq!(response.text(), "abcdef");
    assert_eq!(response.trailer("x-sum"), Some("42"));
}

#[test]
fn content_until_the_backend_closes_is_framed_for_the_client() {
    let origin = Origin::start("origin", |call| {
        call.send("HTTP/1.1 200 OK\r\n\r\nuntil the end").close();
    });
    let tine = proxy(&origin);
    let mut client = tine.client();
    let response = client.get("/").expect(200);
    assert_eq!(response.text(), "until the end");
    assert_eq!(
        response.framing,
        Framing::Chunked,
        "so that the client can tell an end from an abort"
    );
    client.get("/").expect(200);
}

#[test]
fn an_http_1_0_client_gets_no_chunks_and_a_closed_connection() {
    let origin = Origin::start("origin", |call| {
        call.reply_chunked(&[], &[b"abc", b"def"], &[])
    });
    let tine = proxy(&origin);
    let mut client = tine.client();
    client.send("GET / HTTP/1.0\r\n\r\n");
    let response = client.response().expect(200);
    assert_eq!(response.text(), "abcdef");
    assert_eq!(response.field("transfer-encoding"), None);
    assert!(client.is_closed());
    assert_eq!(
        origin.last().line(),
        "GET / HTTP/1.1",
        "to the backend we speak for ourselves"
    );
}

#[test]
fn an_http_1_0_client_may_ask_to_stay() {
    let origin = Origin::named("here");
    let tine = proxy(&origin);
    let mut client = tine.client();
    for _ in 0..3 {
        client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let response = client.response().expect(200);
        assert_eq!(
            response
                .field("connection")
                .map(str::to_ascii_lowercase)
                .as_deref(),
            Some("keep-alive")
        );
        assert_eq!(response.text(), "here");
    }
}

#[test]
fn connection_close_is_honoured() {
    let origin = Origin::named("here");
    let tine = proxy(&origin);
    let mut client = tine.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(
        client.response().expect(200).field("connection"),
        Some("close")
    );
    assert!(client.is_closed());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::start("origin", |call| {
        let target = call.target();
        let content = call.content();
        call.reply(200, &[], &[target.as_bytes(), b":", &content].concat());
    });
    let tine = proxy(&origin);
    let mut client = tine.client();
    client.send(
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
         POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    let answers: Vec<String> = (0..4)
        .map(|_| client.response().expect(200).text())
        .collect();
    assert_eq!(answers, ["/1:", "/2:abc", "/3:de", "/4:"]);
}

#[test]
fn connections_to_the_backend_are_reused() {
    let origin = Origin::named("here");
    let tine = proxy(&origin);
    let mut client = tine.client();
    for _ in 0..20 {
        client.get("/").expect(200);
    }
    assert_eq!(origin.count(), 20);
    assert_eq!(origin.connections(), 1, "one client in one child");
}

#[test]
fn a_backend_that_closed_while_idle_is_noticed_before_it_is_used() {
    let origin = Origin::start("origin", |call| {
        call.reply(200, &[], b"once");
        call.close();
    });
    let tine = proxy(&origin);
    let mut client = tine.client();
    for _ in 0..5 {
        client.get("/").expect(200);
        until("the backend's side is closed", || origin.open() == 0);
    }
    assert_eq!(origin.connections(), 5);
}

#[test]
fn expect_continue_is_asked_of_the_backend() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("origin", move |call| {
        call.wait(&held).send("HTTP/1.1 100 Continue\r\n\r\n");
        let content = call.content();
        call.reply(200, &[], &content);
    });
    let tine = proxy(&origin);
    let mut client = tine.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    origin.wait_for(1);
    assert!(
        origin.last().field("expect").is_some(),
        "{}",
        origin.last().head
    );
    gate.open();
    assert_eq!(client.response().status, 100);
    client.send("body");
    assert_eq!(client.response().expect(200).text(), "body");
}

#[test]
fn a_backend_may_refuse_before_the_content_is_sent() {
    let origin = Origin::start("origin", |call| {
        call.reply(403, &["Connection: close"], b"no");
        call.close();
    });
    let tine = proxy(&origin);
    let mut client = tine.client();
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4000000\r\n\r\n",
    );
    let response = client.response().expect(403);
    assert_eq!(response.text(), "no");
    assert_eq!(tine.get("/").status, 403, "and the server goes on");
}

#[test]
fn without_proxy100continue_the_server_answers_100_itself() {
    let origin = Origin::echo();
    let tine = Tine::start(&format!(
        "Proxy100Continue Off\nProxyPass / {}/\n",
        origin.url()
    ));
    let mut client = tine.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.response().status, 100);
    client.send("body");
    assert_eq!(client.response().expect(200).text(), "body");
    assert_eq!(origin.last().field("expect"), None);
}

#[test]
fn interim_responses_are_relayed_to_clients_that_know_them() {
    let origin = Origin::start("origin", |call| {
        call.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
        call.reply(200, &[], b"then");
    });
    let tine = proxy(&origin);
    let mut client = tine.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let hints = client.response();
    assert_eq!(hints.status, 103);
    assert_eq!(hints.field("link"), Some("</a.css>; rel=preload"));
    assert_eq!(client.response().expect(200).text(), "then");
    let old = tine.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(old.expect(200).text(), "then");
}

#[test]
fn an_early_response_reaches_the_client_while_it_is_still_sending() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::start("origin", |call| {
        call.reply(413, &["Connection: close"], b"too much");
        call.wait_for_close();
    });
    let tine = proxy(&origin);
    let mut client = tine.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    client.send(pattern(0, 100_000));
    assert_eq!(client.response().expect(413).text(), "too much");
}

#[test]
fn a_client_that_half_closes_still_gets_its_answer() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("origin", move |call| {
        call.wait(&held).reply(200, &[], b"late")
    });
    // The end is noticed, not waited for.
    let tine = Tine::start(&format!(
        "KeepAliveTimeout 60\nProxyPass / {}/\n",
        origin.url()
    ));
    let mut client = tine.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.half_close();
    origin.wait_for(1);
    gate.open();
    assert_eq!(client.response().expect(200).text(), "late");
    assert!(client.is_closed());
}

#[test]
fn a_client_that_half_closes_gets_a_large_answer_whole() {
    let origin = Origin::start("origin", |call| {
        call.send("HTTP/1.1 200 OK\r\nContent-Length: 16000000\r\n\r\n");
        call.send_pattern(16_000_000);
    });
    let tine = proxy(&origin);
    let mut client = tine.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.half_close();
    let mut check = PatternCheck::default();
    let response = client.streamed(false, &mut |piece| check.add(piece));
    response.expect("a whole response").expect(200);
    assert_eq!((check.length, check.is_wrong), (16_000_000, false));
    assert!(client.is_closed());
}

#[test]
fn a_client_that_goes_away_frees_the_backend() {
    let origin = Origin::start("origin", |call| {
        call.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        call.send_pattern(1_000_000_000);
    });
    let tine = proxy(&origin);
    let mut client = tine.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.bytes(1_000_000);
    client.reset();
    until("the backend's connection is closed", || origin.open() == 0);
}

#[test]
fn hop_by_hop_fields_stay_on_their_hop() {
    let origin = Origin::start("origin", |call| {
        call.reply(
            200,
            &[
                "Connection: X-Private, close",
                "X-Private: b",
                "Keep-Alive: timeout=9",
                "X-Public: p",
            ],
            b"",
        );
        call.close();
    });
    let tine = proxy(&origin);
    let response = tine.send(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Secret, keep-alive\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n\
         Proxy-Connection: keep-alive\r\nTrailer: X-T\r\nX-Kept: yes\r\n\r\n",
    );
    assert_eq!(response.field("x-private"), None);
    assert_ne!(response.field("keep-alive"), Some("timeout=9"));
    assert_eq!(response.field("x-public"), Some("p"));
    let seen = origin.last();
    for gone in [
        "x-secret",
        "keep-alive",
        "te",
        "proxy-connection",
        "trailer",
    ] {
        assert_eq!(seen.field(gone), None, "{gone} in {}", seen.head);
    }
    assert_eq!(seen.field("x-kept"), Some("yes"));
}

#[test]
fn a_client_cannot_name_forwarding_fields_as_hop_by_hop() {
    let origin = Origin::named("here");
    let tine = proxy(&origin);
    tine.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Forwarded-For, X-Forwarded-Host, Host, close\r\n\r\n").expect(200);
    let seen = origin.last();
    assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.field("x-forwarded-host"), Some("a"));
    assert!(seen.field("host").is_some());
}

#[test]
fn forwarding_fields_say_who_asked_for_what() {
    let origin = Origin::named("here");
    let tine = proxy(&origin);
    tine.send("GET / HTTP/1.1\r\nHost: shop.example:8080\r\nX-Forwarded-For: 203.0.113.7\r\nConnection: close\r\n\r\n").expect(200);
    let seen = origin.last();
    assert_eq!(
        seen.field("x-forwarded-for"),
        Some("203.0.113.7, 127.0.0.1")
    );
    assert_eq!(seen.field("x-forwarded-host"), Some("shop.example:8080"));
    assert_eq!(seen.field("x-forwarded-server"), Some("tine.test"));
    assert_eq!(seen.field("via"), None, "ProxyVia is off by default");
}

#[test]
fn proxyaddheaders_off_adds_nothing() {
    let origin = Origin::named("here");
    let tine = Tine::start(&format!(
        "ProxyAddHeaders Off\nProxyPass / {}/\n",
        origin.url()
    ));
    tine.get("/").expect(200);
    let seen = origin.last();
    for field in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-server"] {
        assert_eq!(seen.field(field), None, "{field}");
    }
}

#[test]
fn proxyvia_on_names_us_in_both_directions() {
    let origin = Origin::named("here");
    let tine = Tine::start(&format!("ProxyVia On\nProxyPass / {}/\n", origin.url()));
    let response =
        tine.send("GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 fred\r\nConnection: close\r\n\r\n");
    let ours = response.all("via").join(", ");
    assert!(
        ours.starts_with("1.1 ") && ours.contains("tine.test"),
        "{ours}"
    );
    let seen = origin.last();
    let via = seen.all("via").join(", ");
    assert!(via.starts_with("1.0 fred, 1.1 tine.test"), "{via}");
}

#[test]
fn proxypreservehost_sends_the_clients_host() {
    let origin = Origin::named("here");
    let tine = Tine::start(&format!(
        "ProxyPreserveHost On\nProxyPass / {}/\n",
        origin.url()
    ));
    tine.send("GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
        .expect(200);
    assert_eq!(origin.last().field("host"), Some("shop.example"));
}

#[test]
fn an_absolute_target_is_served_like_its_origin_form() {
    let origin = Origin::named("here");
    let tine = proxy(&origin);
    let response = tine
        .send("GET http://shop.example/x?y HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n");
    response.expect(200);
    let seen = origin.last();
    assert_eq!(seen.line(), "GET /x?y HTTP/1.1");
    assert_eq!(seen.field("x-forwarded-host"), Some("shop.example"));
}

#[test]
fn redirects_of_the_backend_point_back_at_us() {
    let origin = Origin::start("origin", |call| {
        let host = call.seen().field("host").expect("a host").to_owned();
        let location = format!("Location: http://{host}/moved?x=1");
        call.reply(302, &[location.as_str()], b"");
    });
    let tine = Tine::start(&format!(
        "ProxyPass /app/ {0}/\nProxyPassReverse /app/ {0}/\n",
        origin.url()
    ));
    let mut client = tine.client();
    client.send(format!(
        "GET /app/x HTTP/1.1\r\nHost: tine.test:{}\r\n\r\n",
        tine.port()
    ));
    let response = client.response().expect(302);
    assert_eq!(
        response.field("location"),
        Some(format!("http://tine.test:{}/app/moved?x=1", tine.port()).as_str())
    );
}

#[test]
fn sixty_four_megabytes_stream_to_the_client_in_little_memory() {
    let origin = Origin::start("origin", |call| {
        call.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"
        ));
        call.send_pattern(LARGE);
    });
    let tine = proxy(&origin);
    tine.client().get("/").expect(200);
    let mut client = tine.client().patience(Duration::from_secs(60));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut check = PatternCheck::default();
    let mut largest = 0;
    let response = client.streamed(false, &mut |piece| {
        check.add(piece);
        if check.length % (8 * 1024 * 1024) < piece.len() as u64 {
            largest = largest.max(tine.child_memory_kib());
        }
    });
    response.expect("a whole response").expect(200);
    assert_eq!((check.length, check.is_wrong), (LARGE, false));
    assert!(largest < MEMORY_KIB, "{largest} KiB");
}

#[test]
fn sixty_four_megabytes_stream_to_the_backend_in_little_memory() {
    let origin = Origin::start("origin", |call| {
        let check = call.check_content();
        call.reply(
            200,
            &[],
            format!("{} {}", check.length, check.is_wrong).as_bytes(),
        );
    });
    let tine = proxy(&origin);
    for framing in [
        format!("Content-Length: {LARGE}"),
        "Transfer-Encoding: chunked".into(),
    ] {
        let mut client = tine.client().patience(Duration::from_secs(60));
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"));
        let mut largest = 0;
        let mut at = 0;
        while at < LARGE {
            let piece = pattern(at, 1 << 20);
            if framing.contains("chunked") {
                client.send(format!("{:x}\r\n", piece.len()));
            }
            client.send(&piece);
            if framing.contains("chunked") {
                client.send("\r\n");
            }
            at += piece.len() as u64;
            largest = largest.max(tine.child_memory_kib());
        }
        if framing.contains("chunked") {
            client.send("0\r\n\r\n");
        }
        assert_eq!(
            client.response().expect(200).text(),
            format!("{LARGE} false"),
            "{framing}"
        );
        assert!(largest < MEMORY_KIB, "{largest} KiB with {framing}");
    }
}

#[test]
fn a_slow_reader_holds_the_backend_back_instead_of_filling_memory() {
    let origin = Origin::start("origin", |call| {
        call.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"
        ));
        call.send_pattern(LARGE);
    });
    let tine = proxy(&origin);
    let mut client = tine.client().patience(Duration::from_secs(60));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.bytes(100);
    // Nothing is read now. What the server buffers stops growing long before the whole content is in.
    let mut last = 0;
    until("memory no longer grows", || {
        std::thread::sleep(Duration::from_millis(100));
        std::mem::replace(&mut last, tine.child_memory_kib()) == last
    });
    assert!(last < MEMORY_KIB, "{last} KiB");
    assert_eq!(origin.open(), 1, "the backend is still sending");
}

#[test]
fn backends_are_found_by_name_by_ipv6_address_and_by_socket() {
    let named = Origin::named("named");
    let six = Origin::on("[::1]:0", "six", |call| call.reply(200, &[], b"six"));
    let place = tempfile::tempdir().expect("a directory");
    let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(place.path(), open).expect("our own directory");
    let socket = Origin::unix(&place.path().join("backend.sock"), "socket", |call| {
        call.reply(200, &[], b"socket")
    });
    let tine = Tine::start(&format!(
        "ProxyPass /named http://localhost:{}/\nProxyPass /six {}/\nProxyPass /socket \"{}/base\"\n",
        named.port(),
        six.url(),
        socket.url(),
    ));
    assert_eq!(tine.get("/named").expect(200).text(), "named");
    assert_eq!(
        named.last().field("host"),
        Some(format!("localhost:{}", named.port()).as_str())
    );
    assert_eq!(tine.get("/six").expect(200).text(), "six");
    assert_eq!(
        six.last().field("host"),
        Some(format!("[::1]:{}", six.port()).as_str())
    );
    assert_eq!(tine.get("/socket/x").expect(200).text(), "socket");
    assert_eq!(socket.last().line(), "GET /base/x HTTP/1.1");
    assert_eq!(socket.last().field("host"), Some("localhost"));
}

#[test]
fn longer_paths_and_exclusions_come_first_when_configured_first() {
    let images = Origin::named("images");
    let rest = Origin::named("rest");
    let tine = Tine::start(&format!(
        "ProxyPass /local !\nProxyPass /images {}/img\nProxyPass / {}/\n",
        images.url(),
        rest.url()
    ));
    assert_eq!(tine.get("/images/a.gif").expect(200).text(), "images");
    assert_eq!(images.last().line(), "GET /img/a.gif HTTP/1.1");
    assert_eq!(tine.get("/imagesque").expect(200).text(), "rest");
    assert_eq!(tine.get("/local/x").status, 404);
    assert_eq!((images.count(), rest.count()), (1, 1));
}

#[test]
fn keep_alive_limits_are_kept() {
    let origin = Origin::named("here");
    let tine = Tine::start(&format!(
        "MaxKeepAliveRequests 2\nKeepAliveTimeout 1\nProxyPass / {}/\n",
        origin.url()
    ));
    let mut client = tine.client();
    assert_ne!(
        client.get("/").expect(200).field("connection"),
        Some("close")
    );
    assert_ne!(
        client.get("/").expect(200).field("connection"),
        Some("close"),
        "the requests after the first are counted, as in httpd"
    );
    let last = client.get("/").expect(200);
    assert_eq!(last.field("connection"), Some("close"));
    assert!(client.is_closed());
    let mut idle = tine.client();
    idle.get("/").expect(200);
    assert!(idle.is_closed(), "KeepAliveTimeout ends an idle connection");
}

#[test]
fn proxyerroroverride_replaces_the_backends_error_page() {
    let origin = Origin::start("origin", |call| {
        call.reply(500, &["X-Backend: yes"], b"stack trace")
    });
    let tine = Tine::start(&format!(
        "ProxyErrorOverride On\nProxyPass / {}/\n",
        origin.url()
    ));
    let response = tine.get("/").expect(500);
    assert!(
        !response.text().contains("stack trace"),
        "{}",
        response.text()
    );
    assert!(
        response.text().contains("500") || response.text().contains("Internal"),
        "{}",
        response.text()
    );
}

#[test]
fn a_backend_that_cannot_be_reached_is_a_503() {
    let dead = crate::harness::DeadPort::new();
    let tine = Tine::start(&format!("ProxyPass / {}/\n", dead.url()));
    let mut client = tine.client();
    let response: Response = client.get("/").expect(503);
    assert!(
        response.text().contains("Service Unavailable"),
        "{}",
        response.text()
    );
    tine.get("/").expect(503);
}

#[test]
fn a_response_cut_short_by_the_backend_is_cut_short_for_the_client() {
    let origin = Origin::start("origin", |call| {
        match call.target().as_str() {
            "/length" => call.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"),
            _ => {
                call.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n")
            }
        };
        call.close();
    });
    let tine = proxy(&origin);
    for target in ["/length", "/chunked"] {
        let mut client: Client = tine.client();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let broken = client
            .try_response(false)
            .expect_err("the client must be able to tell");
        assert!(matches!(broken, Broken::Truncated(_)), "{target}: {broken}");
    }
}

/// The size of a content that must not be held in memory.
const LARGE: u64 = 64 * 1024 * 1024;
/// What a child may occupy while such a content passes through.
const MEMORY_KIB: u64 = 32 * 1024;

#[test]
fn a_unix_sockets_full_backlog_is_waited_for() {
    if httpd::is_peer() {
        return;
    }
    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket,
    };
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::{UnixListener, UnixStream};

    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = directory.path().join("backend.sock");
    let address = UnixAddr::new(&path).unwrap();
    let open = |flags| socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
    let listener = open(SockFlag::SOCK_CLOEXEC);
    bind(listener.as_raw_fd(), &address).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    let mut waiting = Vec::new();
    loop {
        let client = open(SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC);
        if connect(client.as_raw_fd(), &address).is_err() {
            break;
        }
        waiting.push(client);
    }
    let conf = format!(
        "LogLevel debug\nProxyPass / unix:{}|http://backend/\n",
        path.display()
    );
    let tine = Tine::start(&conf);
    let mut client = tine.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    until("the backend was tried twice", || {
        tine.log_count("has acquired connection") >= 2
    });
    drop(waiting);
    let listener = UnixListener::from(listener);
    let mut answered = false;
    while !answered {
        let (mut stream, _): (UnixStream, _) = listener.accept().unwrap();
        // Those that only filled the backlog say nothing.
        let mut head = [0; 1024];
        if stream.read(&mut head).unwrap() > 0 {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere")
                .unwrap();
            answered = true;
        }
    }
    assert_eq!(client.response().expect(200).text(), "here");
}
