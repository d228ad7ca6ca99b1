//! ErrorDocument with a local path: what the client gets instead of an error, from a backend, a page of ours or a file.

use crate::harness::{DeadPort, Origin, Tine, httpd, until};

/// A backend of documents: `/STATUS…` answers with that status, everything else with 200, and says what was asked.
fn documents() -> Origin {
    Origin::start("documents", |call| {
        let content = call.content();
        let target = call.target();
        let word = target.trim_start_matches("/doc").trim_start_matches('/');
        let status = word.get(..3).and_then(|code| code.parse().ok());
        let text = format!("document {target} for {} bytes", content.len());
        match status {
            Some(204) => drop(call.send("HTTP/1.1 204 No Content\r\n\r\n")),
            Some(302) => call.reply(302, &["Location: http://else.test/"], text.as_bytes()),
            Some(401) => call.reply(401, &["WWW-Authenticate: Basic realm=\"r\""], b"who?"),
            Some(status) => call.reply(status, &["X-From: backend"], text.as_bytes()),
            None => call.reply(200, &["Content-Type: text/plain"], text.as_bytes()),
        }
    })
}

/// A server with an error at each `/STATUS` of `documents`, overridden.
fn server(documents: &Origin, more: &str) -> Tine {
    Tine::start(&format!(
        "ProxyPass /doc {0}/doc\nProxyPass /over {0}\nProxyPass /dead {1}\n\
         <Location /over>\nProxyErrorOverride On\n</Location>\n\
         <Location /denied>\nRequire all denied\n</Location>\n\
         LogFormat \"%s %>s %U %>U %r%>q %{{REDIRECT_STATUS}}e %{{REDIRECT_REQUEST_METHOD}}e\" x\nCustomLog logs/test x\n{more}",
        documents.url(),
        DeadPort::new().url(),
    ))
}

/// Waits for a line in the log that begins with this. Children write theirs in any order.
#[track_caller]
fn wait_logged(tine: &Tine, beginning: &str) {
    until(&format!("a line `{beginning}` in the log"), || {
        let text = tine.file("logs/test");
        text.lines().any(|line| line.starts_with(beginning))
    });
}

#[test]
fn a_backends_document_has_its_own_status_unless_its_place_overrides_errors() {
    let documents = documents();
    let tine = server(
        &documents,
        "<Location /a>\nErrorDocument 404 /doc/sorry?why=404\n</Location>\n\
         <Location /b>\nErrorDocument 404 /over/sorry\n</Location>\n\
         <Location /c>\nErrorDocument 404 /over/302\n</Location>\n\
         <Location /d>\nErrorDocument 404 /doc/404\n</Location>\n",
    );
    let own = tine.get("/a/missing").expect(200);
    assert_eq!(own.text(), "document /doc/sorry?why=404 for 0 bytes");
    wait_logged(
        &tine,
        "404 200 /a/missing /doc/sorry GET /a/missing HTTP/1.1?why=404 404 GET",
    );
    let errors = tine.get("/b/missing").expect(404);
    assert_eq!(errors.text(), "document /sorry for 0 bytes");
    assert_eq!(errors.reason, "Not Found");
    assert_eq!(errors.field("content-type"), Some("text/plain"));
    let moved = tine.get("/c/missing").expect(404);
    assert_eq!(moved.field("location"), Some("http://else.test/"));
    let another = tine.get("/d/missing").expect(404);
    assert_eq!(another.field("x-from"), Some("backend"));
    assert_eq!(
        documents.count(),
        4,
        "one request for each document and no more"
    );
}

#[test]
fn overridden_errors_of_backends_have_documents_and_keep_their_challenge() {
    let documents = documents();
    let tine = server(
        &documents,
        "<Location /over>\nErrorDocument 401 /over/sorry\nErrorDocument 500 /over/sorry\n</Location>\n",
    );
    let who = tine.get("/over/401").expect(401);
    assert_eq!(who.field("www-authenticate"), Some("Basic realm=\"r\""));
    assert_eq!(who.text(), "document /sorry for 0 bytes");
    let broken = tine.get("/over/500").expect(500);
    assert_eq!(broken.text(), "document /sorry for 0 bytes");
    assert!(broken.field("x-from").is_none(), "{broken:?}");
    wait_logged(
        &tine,
        "500 500 /over/500 /over/sorry GET /over/500 HTTP/1.1 500 GET",
    );
}

#[test]
fn an_outage_of_a_balancer_is_told_by_another_one() {
    let documents = documents();
    let dead = DeadPort::new();
    let tine = Tine::start(&format!(
        "<Proxy balancer://shop>\nBalancerMember {}\n</Proxy>\n<Proxy balancer://sorry>\nBalancerMember {}\n</Proxy>\n\
         ProxyPass /shop balancer://shop\nProxyPass /sorry balancer://sorry/doc\n\
         <Location /sorry>\nProxyErrorOverride On\n</Location>\n\
         <Location /server-status>\nSetHandler server-status\n</Location>\n\
         ErrorDocument 503 /sorry/outage\n",
        dead.url(),
        documents.url()
    ));
    for _ in 0..3 {
        let outage = tine.get("/shop/cart").expect(503);
        assert_eq!(outage.text(), "document /doc/outage for 0 bytes");
    }
    assert_eq!(documents.count(), 3);
    if !httpd::is_peer() {
        let busy = tine.get("/server-status?auto").expect(200).text();
        let busy = busy
            .lines()
            .filter(|line| line.starts_with("ProxyBalancer") && line.contains("Busy"));
        for line in busy {
            assert!(line.ends_with(" 0"), "a lease was not settled: {line}");
        }
    }
}

#[test]
fn a_document_that_fails_too_leaves_the_built_in_page_of_the_first_error() {
    let documents = documents();
    let tine = server(
        &documents,
        "<Location /a>\nErrorDocument 404 /denied/x\n</Location>\n\
         <Location /b>\nErrorDocument 404 /dead/x\n</Location>\n\
         <Location /c>\nErrorDocument 404 /nothing/there\n</Location>\n\
         <Location /d>\nErrorDocument 404 /%\n</Location>\n\
         <Location /e>\nErrorDocument 404 /a/again\n</Location>\n",
    );
    for (at, path) in ["/a/x", "/b/x", "/c/x", "/d/x", "/e/x"].iter().enumerate() {
        let page = tine.get(path).expect(404);
        let text = page.text();
        let sentence = "<p>Additionally, a 404 Not Found\nerror was encountered while trying to use an ErrorDocument to handle the \
                        request.</p>\n</body></html>\n";
        assert!(
            text.contains("<title>404 Not Found</title>") && text.ends_with(sentence),
            "{path}: {text}"
        );
        assert_eq!(text.matches("Additionally").count(), 1, "{path}");
        let last = ["403", "503", "404", "400", "404"][at];
        wait_logged(&tine, &format!("404 {last} {path} "));
    }
    assert_eq!(documents.count(), 0);
}

#[test]
fn errors_that_override_one_another_in_a_circle_end_at_the_limit() {
    let documents = documents();
    let tine = server(
        &documents,
        "LimitInternalRecursion 4 7\n<Location /over>\nErrorDocument 500 /over/500\n</Location>\n",
    );
    let page = tine.get("/over/500").expect(500);
    assert!(
        page.text()
            .contains("Additionally, a 500 Internal Server Error"),
        "{}",
        page.text()
    );
    assert_eq!(
        documents.count(),
        5,
        "the request and as many redirects as are allowed"
    );
    until("the line about the limit", || {
        tine.error_log().contains(
            "AH00124: Request exceeded the limit of 4 internal redirects due to probable configuration error.",
        )
    });
}

#[test]
fn a_document_is_asked_for_without_the_content_and_conditions_of_the_request() {
    let documents = documents();
    let tine = server(&documents, "ErrorDocument 403 /over/sorry\n");
    let mut client = tine.client();
    client.send(
        "POST /denied/form HTTP/1.1\r\nHost: a\r\nContent-Type: text/x-form\r\nContent-Length: 5\r\nIf-None-Match: *\r\n\
         Range: bytes=0-1\r\nCookie: kept=1\r\n\r\nhello",
    );
    let response = client.response().expect(403);
    if !httpd::is_peer() {
        assert_eq!(response.text(), "document /sorry for 0 bytes");
        let seen = documents.last();
        assert_eq!(seen.line(), "GET /sorry HTTP/1.1");
        for name in [
            "content-length",
            "content-type",
            "transfer-encoding",
            "if-none-match",
            "range",
        ] {
            assert_eq!(seen.field(name), None, "{}", seen.head);
        }
        assert_eq!(seen.field("cookie"), Some("kept=1"));
    }
    client.send("HEAD /denied/form HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.head_response();
    assert_eq!(head.field("content-length"), Some("27"));
    if !httpd::is_peer() {
        assert_eq!(head.status, 403);
        wait_logged(
            &tine,
            "403 403 /denied/form /over/sorry HEAD /denied/form HTTP/1.1 403 HEAD",
        );
    }
    let next = client.get("/doc/next").expect(200);
    assert_eq!(
        next.text(),
        "document /doc/next for 0 bytes",
        "the connection stays"
    );
}

#[test]
fn content_that_has_not_come_is_not_waited_for_and_ends_the_connection() {
    let documents = documents();
    let tine = server(&documents, "ErrorDocument 403 /over/sorry\n");
    if httpd::is_peer() {
        return;
    }
    let mut client = tine.client();
    client.send("POST /denied/form HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\nhello");
    let response = client.response().expect(403);
    assert_eq!(response.text(), "document /sorry for 0 bytes");
    assert_eq!(response.field("connection"), Some("close"));
    client.send("GET /doc/smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.is_closed());
    assert_eq!(documents.count(), 1);
    client = tine.client();
    client.send(
        "POST /denied/form HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    );
    let refused = client.response().expect(403);
    assert_eq!(refused.field("connection"), Some("close"));
}

#[test]
fn a_request_that_cannot_be_read_has_a_document_too() {
    // httpd lets a proxied document of a broken request fail.
    if httpd::is_peer() {
        return;
    }
    let documents = documents();
    let tine = server(
        &documents,
        "ErrorDocument 400 /over/bad\nErrorDocument 414 /over/long\n",
    );
    let mut client = tine.client();
    client.send("NONSENSE\r\n\r\n");
    let bad = client.response().expect(400);
    assert_eq!(bad.text(), "document /bad for 0 bytes");
    assert_eq!(bad.field("connection"), Some("close"));
    assert!(client.is_closed());
    wait_logged(&tine, "400 400 - /over/bad NONSENSE");
    client = tine.client();
    client.send(format!(
        "GET /{} HTTP/1.1\r\nHost: a\r\n\r\n",
        "x".repeat(9000)
    ));
    assert_eq!(
        client.response().expect(414).text(),
        "document /long for 0 bytes"
    );
    client = tine.client();
    client.send("GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    assert_eq!(
        client.response().expect(400).text(),
        "document /bad for 0 bytes"
    );
}

#[test]
fn content_beyond_the_limit_has_a_document() {
    if httpd::is_peer() {
        return;
    }
    let documents = documents();
    let tine = server(
        &documents,
        "<Location /doc/form>\nLimitRequestBody 10\nErrorDocument 413 /over/big\n</Location>\n",
    );
    let mut client = tine.client();
    client.send(
        "POST /doc/form HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n01234567890123456789\r\n0\r\n\r\n",
    );
    let big = client.response().expect(413);
    assert_eq!(big.text(), "document /big for 0 bytes");
    assert!(client.is_closed());
}

#[test]
fn a_page_of_the_server_is_a_document_with_the_errors_status() {
    let documents = documents();
    let tine = server(
        &documents,
        "ErrorDocument 404 /server-status?auto\n<Location /server-status>\nSetHandler server-status\n</Location>\n",
    );
    let page = tine.get("/missing").expect(404);
    assert!(page.text().contains("ServerUptime"), "{}", page.text());
}

#[test]
fn texts_and_urls_are_said_as_before() {
    let documents = documents();
    let tine = server(
        &documents,
        "ErrorDocument 404 \"nothing here\"\nErrorDocument 403 http://else.test/why\n",
    );
    let text = tine.get("/missing").expect(404);
    assert_eq!(text.text(), "nothing here");
    let moved = tine.get("/denied").expect(302);
    assert_eq!(moved.field("location"), Some("http://else.test/why"));
    assert_eq!(documents.count(), 0);
}

#[test]
fn the_document_belongs_to_the_virtual_host_of_the_error() {
    let documents = documents();
    let tine = server(
        &documents,
        "<VirtualHost *>\nServerName one.test\n</VirtualHost>\n\
         <VirtualHost *>\nServerName two.test\nErrorDocument 404 /over/two\n</VirtualHost>\n",
    );
    let mut client = tine.client();
    client.send("GET /x HTTP/1.1\r\nHost: two.test\r\n\r\n");
    assert_eq!(
        client.response().expect(404).text(),
        "document /two for 0 bytes"
    );
    client.send("GET http://two.test/x HTTP/1.1\r\nHost: one.test\r\n\r\n");
    assert_eq!(
        client.response().expect(404).text(),
        "document /two for 0 bytes"
    );
    client.send("GET /x HTTP/1.1\r\nHost: one.test\r\n\r\n");
    let built_in = client.response().expect(404).text();
    assert!(
        built_in.contains("<title>404 Not Found</title>"),
        "{built_in}"
    );
}

#[test]
fn a_document_never_turns_a_refused_connect_into_a_tunnel() {
    if httpd::is_peer() {
        return;
    }
    let documents = documents();
    let tine = server(
        &documents,
        "ProxyRequests On\n<Proxy \"*\">\nRequire all denied\n</Proxy>\n\
         <Proxy \"http://127.0.0.1\">\nRequire all granted\n</Proxy>\nErrorDocument 403 /doc/sorry\n",
    );
    for target in ["other.test:443", "127.0.0.1:1"] {
        let mut client = tine.client();
        client.send(format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"
        ));
        let refused = client.response().expect(403);
        assert_eq!(refused.text(), "document /doc/sorry for 0 bytes");
    }
    let mut client = tine.client();
    client.send("GET http://other.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n");
    let refused = client.response().expect(200);
    assert_eq!(refused.text(), "document /doc/sorry for 0 bytes");
}
