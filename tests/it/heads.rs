//! What clients and backends see of heads, where one answer alone does not show it: logs, kept connections, several answers in a row.

use crate::harness::{Origin, Tine, httpd};

/// A backend that says these bytes to everything.
fn saying(bytes: &'static [u8]) -> Origin {
    Origin::start("origin", move |call| {
        call.content();
        call.send(bytes);
    })
}

fn proxy(origin: &Origin, conf: &str) -> Tine {
    Tine::start(&format!("{conf}\nProxyPass / {}/\n", origin.url()))
}

#[test]
fn a_broken_line_is_an_error_or_ignored_or_ends_the_head() {
    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: 1\r\nnonsense\r\nX-B: 2\r\n\r\nbody";
    let origin = saying(ANSWER);
    let tine = proxy(&origin, "ProxyBadHeader IsError");
    tine.get("/").expect(502);
    let tine = proxy(&origin, "ProxyBadHeader Ignore");
    let response = tine.get("/some/path").expect(200);
    assert_eq!(response.field("x-a"), Some("1"));
    assert_eq!(response.field("x-b"), Some("2"));
    assert_eq!(response.text(), "body");
    tine.wait_log("AH01100: Ignoring bogus HTTP header returned by /some/path (GET)");
    let tine = proxy(&origin, "ProxyBadHeader StartBody");
    let response = tine.get("/").expect(200);
    assert_eq!(response.field("x-b"), None);
    assert_eq!(response.text(), "X-B:");
}

#[test]
fn a_connection_with_a_broken_line_serves_nobody_else() {
    if httpd::is_peer() {
        return;
    }
    let origin = saying(b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 2\r\n\r\nok");
    let tine = proxy(&origin, "ProxyBadHeader Ignore");
    for _ in 0..3 {
        assert_eq!(tine.get("/").expect(200).text(), "ok");
    }
    assert_eq!(origin.connections(), 3);
}

#[test]
fn a_response_with_endless_fields_is_refused() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::start("origin", |call| {
        let fields = "X-Many: 1\r\n".repeat(1001);
        call.send(format!("HTTP/1.1 200 OK\r\n{fields}\r\n"))
            .close();
    });
    proxy(&origin, "").get("/").expect(502);
}

#[test]
fn who_asks_to_be_kept_is_told_for_how_long() {
    let origin = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let tine = proxy(&origin, "KeepAliveTimeout 9\nMaxKeepAliveRequests 3");
    let mut client = tine.client();
    for left in ["3", "2", "1"] {
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
        let response = client.response().expect(200);
        let said = format!("timeout=9, max={left}");
        assert_eq!(response.field("keep-alive"), Some(said.as_str()));
        assert_eq!(response.field("connection"), Some("Keep-Alive"));
    }
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    let last = client.response().expect(200);
    assert_eq!(last.field("connection"), Some("close"));
    assert_eq!(last.field("keep-alive"), None);
    assert!(client.is_closed());
}

#[test]
fn an_overridden_error_costs_no_connection_when_its_content_is_short() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::start("origin", |call| match call.target().as_str() {
        "/long" => {
            call.send("HTTP/1.1 404 No\r\nContent-Length: 1000000\r\n\r\n");
            call.send_pattern(1_000_000);
        }
        _ => {
            call.send("HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno!\r\n0\r\n\r\n");
        }
    });
    let tine = proxy(&origin, "ProxyErrorOverride On");
    let mut client = tine.client();
    for _ in 0..3 {
        let page = client.get("/short").expect(404);
        assert_eq!(page.reason, "No");
        assert!(page.text().contains("<h1>No</h1>"), "{page:?}");
    }
    assert_eq!(origin.connections(), 1);
    client.get("/long").expect(404);
    client.get("/short").expect(404);
    assert_eq!(origin.connections(), 2);
}

#[test]
fn a_reason_phrase_is_no_markup() {
    let origin = saying(b"HTTP/1.1 404 <script>x</script>\r\nContent-Length: 0\r\n\r\n");
    let page = proxy(&origin, "ProxyErrorOverride On").get("/").expect(404);
    assert_eq!(page.reason, "<script>x</script>");
    assert!(page.text().contains("<h1>Not Found</h1>"), "{page:?}");
    assert!(!page.text().contains("script"), "{page:?}");
}

#[test]
fn a_missing_host_is_told_when_it_was_to_be_preserved() {
    let origin = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let tine = proxy(&origin, "ProxyPreserveHost On");
    tine.send("GET /x HTTP/1.0\r\n\r\n").expect(200);
    assert_eq!(origin.last().field("host"), Some("tine.test"));
    tine.wait_log("AH01092: no HTTP 0.9 request (with no host line) on incoming request");
}

#[test]
fn interim_responses_are_passed_on_as_the_variable_says() {
    const ANSWER: &[u8] =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let origin = saying(ANSWER);
    let rows: [(&str, &[u16]); 4] = [
        ("", &[103, 200]),
        ("SetEnv proxy-interim-response rfc", &[100, 103, 200]),
        ("SetEnv proxy-interim-response Suppress", &[200]),
        ("SetEnv proxy-interim-response Maybe", &[200]),
    ];
    for (conf, statuses) in rows {
        let tine = proxy(&origin, conf);
        let mut client = tine.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        for status in statuses {
            client.response().expect(*status);
        }
        if conf.ends_with("Maybe") {
            tine.wait_log("AH01108: undefined proxy interim response policy");
        }
        let old = tine.send("GET / HTTP/1.0\r\n\r\n");
        assert_eq!(old.status, 200, "{conf}: an old client gets one response");
    }
}

#[test]
fn no_client_takes_away_what_requestheader_sets() {
    if httpd::is_peer() {
        return;
    }
    let origin = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let tine = proxy(
        &origin,
        "RequestHeader set X-Client-Verified no\nRequestHeader unset X-Admin",
    );
    let asked = "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Client-Verified, X-Admin, X-Mine\r\n\
        X-Client-Verified: yes\r\nX-Admin: 1\r\nX-Mine: 1\r\n\r\n";
    tine.send(asked).expect(200);
    let seen = origin.last();
    assert_eq!(seen.all("x-client-verified"), ["no"]);
    assert_eq!(seen.field("x-admin"), None);
    assert_eq!(seen.field("x-mine"), None);
}

#[test]
fn a_route_cookie_by_header_makes_sessions_stick() {
    let origins = ["one", "two"].map(Origin::named);
    let tine = Tine::start(&format!(
        "Header add Set-Cookie \"ROUTEID=.%{{BALANCER_WORKER_ROUTE}}e; path=/\" env=BALANCER_ROUTE_CHANGED\n\
         <Proxy balancer://pool>\nBalancerMember {} route=one\nBalancerMember {} route=two\n\
         ProxySet stickysession=ROUTEID\n</Proxy>\nProxyPass / balancer://pool/\n",
        origins[0].url(),
        origins[1].url()
    ));
    let first = tine
        .send("GET / HTTP/1.1\r\nHost: a\r\nCookie: ROUTEID=.gone\r\nConnection: close\r\n\r\n")
        .expect(200);
    let cookie = first.field("set-cookie").expect("the route").to_owned();
    assert_eq!(cookie, format!("ROUTEID=.{}; path=/", first.text()));
    let pair = cookie.split(';').next().expect("a pair");
    for _ in 0..4 {
        let again = tine
            .send(&format!(
                "GET / HTTP/1.1\r\nHost: a\r\nCookie: {pair}\r\nConnection: close\r\n\r\n"
            ))
            .expect(200);
        assert_eq!(again.text(), first.text());
        assert_eq!(again.field("set-cookie"), None);
    }
}

#[test]
fn nokeepalive_ends_the_connection_unless_a_proxy_is_in_between() {
    let origin = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let tine = proxy(&origin, "BrowserMatch old nokeepalive");
    let mut client = tine.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: old\r\nVia: 1.1 proxy\r\n\r\n");
    assert_eq!(client.response().expect(200).field("connection"), None);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: new\r\n\r\n");
    assert_eq!(client.response().expect(200).field("connection"), None);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: old\r\nConnection: keep-alive\r\n\r\n");
    let last = client.response().expect(200);
    assert_eq!(last.field("connection"), Some("close"));
    assert!(client.is_closed());
}
