//! Clients and backends that misbehave. Whatever they send costs at most their own exchange: the next request works, by the same children.

use crate::harness::client::Broken;
use crate::harness::{Call, Client, Gate, NOTHING_HAPPENS, Origin, Tine, httpd, until};
use nix::unistd::Pid;
use std::time::Duration;

/// A server in front of a backend that answers `here`.
struct Scene {
    origin: Origin,
    tine: Tine,
    children: Vec<Pid>,
}

impl Scene {
    fn new() -> Self {
        let origin = Origin::named("here");
        let tine = Tine::start(&format!("ProxyPass / {}/\n", origin.url()));
        until("children", || !tine.children().is_empty());
        let children = tine.children();
        Self {
            origin,
            tine,
            children,
        }
    }

    #[track_caller]
    fn still_works(&self, after: &str) {
        assert_eq!(
            self.tine.get("/next").expect(200).text(),
            "here",
            "after {after}"
        );
        for child in &self.children {
            assert!(
                self.tine.children().contains(child),
                "child {child} died of {after}"
            );
        }
    }
}

#[test]
fn malformed_requests_are_refused_and_reach_no_backend() {
    if httpd::is_peer() {
        return; // it is less strict
    }
    let scene = Scene::new();
    let long_line = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(9000));
    let long_field = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n",
        "x".repeat(9000)
    );
    let many_fields = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X-A: b\r\n".repeat(101)
    );
    let rows: &[(&str, &[u8], &[u16])] = &[
        (
            "a TLS greeting",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            &[400],
        ),
        ("no host", b"GET / HTTP/1.1\r\n\r\n", &[400]),
        (
            "two hosts",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            &[400],
        ),
        (
            "a bad host",
            b"GET / HTTP/1.1\r\nHost: a b/c\r\n\r\n",
            &[400],
        ),
        (
            "white space before the colon",
            b"GET / HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n",
            &[400],
        ),
        (
            "no colon",
            b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
            &[400],
        ),
        (
            "an empty name",
            b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
            &[400],
        ),
        (
            "a name that is no token",
            b"GET / HTTP/1.1\r\nHost: a\r\nX(A): b\r\n\r\n",
            &[400],
        ),
        (
            "NUL in a value",
            b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n",
            &[400],
        ),
        (
            "a bare CR in a value",
            b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\rX-B: c\r\n\r\n",
            &[400],
        ),
        (
            "two spaces in the request line",
            b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            &[400],
        ),
        (
            "a control byte in the target",
            b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
            &[400],
        ),
        (
            "a method that is no token",
            b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
            &[400, 501],
        ),
        (
            "a version nobody knows",
            b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
            &[400, 505],
        ),
        (
            "an HTTP/2 preface",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            &[400, 405, 505],
        ),
        (
            "above the root",
            b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
            &[400],
        ),
        (
            "an escape that is none",
            b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
            &[400],
        ),
        (
            "an escaped NUL",
            b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
            &[400, 404],
        ),
        (
            "an escaped slash",
            b"GET /a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n",
            &[404],
        ),
        ("a request line too long", long_line.as_bytes(), &[414]),
        ("a field too long", long_field.as_bytes(), &[400, 431]),
        ("too many fields", many_fields.as_bytes(), &[400, 431]),
        (
            "a length with a sign",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
            &[400],
        ),
        (
            "a negative length",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
            &[400],
        ),
        (
            "a length in hexadecimal",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc",
            &[400],
        ),
        (
            "an endless length",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
            &[400, 413],
        ),
        (
            "two lengths",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            &[400],
        ),
        (
            "an unknown coding",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            &[400, 501],
        ),
        (
            "chunked not last",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
            &[400, 501],
        ),
        (
            "chunked twice",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            &[400, 501],
        ),
    ];
    for (name, bytes, statuses) in rows {
        let before = scene.origin.count();
        let mut client = scene.tine.client();
        // The server may answer and close while we are still sending.
        client.try_send(bytes).ok();
        let response = client
            .try_response(false)
            .unwrap_or_else(|broken| panic!("{name}: {broken}"));
        assert!(statuses.contains(&response.status), "{name}: {response:?}");
        assert_eq!(scene.origin.count(), before, "{name} reached the backend");
        scene.still_works(name);
    }
}

#[test]
fn a_refused_framing_ends_the_connection() {
    let scene = Scene::new();
    let rows: &[(&str, &str)] = &[
        (
            "two lengths",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        ),
        (
            "an unknown coding",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n",
        ),
        (
            "white space before the colon",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nabcd",
        ),
    ];
    for (name, bytes) in rows {
        let mut client = scene.tine.client();
        client.send(format!("{bytes}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(client.response().status >= 400, "{name}");
        assert!(client.is_closed(), "{name}: what follows is not a request");
        assert!(
            !scene
                .origin
                .seen()
                .iter()
                .any(|seen| seen.line().contains("smuggled")),
            "{name}"
        );
    }
}

#[test]
fn chunked_wins_over_a_length_and_the_connection_ends() {
    let scene = Scene::new();
    let mut client = scene.tine.client();
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\
         GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    let response = client.response();
    assert!(matches!(response.status, 200 | 400), "{response:?}");
    assert!(client.is_closed());
    assert!(
        !scene
            .origin
            .seen()
            .iter()
            .any(|seen| seen.line().contains("smuggled"))
    );
    for seen in scene.origin.seen() {
        assert!(
            seen.field("content-length").is_none() || seen.field("transfer-encoding").is_none(),
            "{}",
            seen.head
        );
    }
    scene.still_works("both framings");
}

#[test]
fn broken_chunks_are_not_taken_for_an_end() {
    let scene = Scene::new();
    let rows = [
        ("a size of 2^64", "10000000000000000\r\nabc\r\n0\r\n\r\n"),
        ("a size of 2^64-1", "ffffffffffffffff\r\nabc"),
        ("a size with a sign", "-1\r\nabc\r\n0\r\n\r\n"),
        ("a size that is no number", "xyz\r\nabc\r\n0\r\n\r\n"),
        ("an empty size", "\r\nabc\r\n0\r\n\r\n"),
        ("no line end behind a chunk", "3\r\nabcX0\r\n\r\n"),
    ];
    for (name, chunks) in rows {
        let mut client = scene.tine.client();
        client.send(format!(
            "POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
        ));
        client.half_close();
        match client.try_response(false) {
            Ok(response) => assert!(response.status >= 400, "{name}: {response:?}"),
            Err(broken) => assert!(!matches!(broken, Broken::Late(_)), "{name}: {broken}"),
        }
        scene.still_works(name);
    }
    let whole = |seen: &crate::harness::origin::Seen| {
        seen.line().contains("/chunks") && seen.head.contains("Content-Length")
    };
    assert!(
        !scene.origin.seen().iter().any(whole),
        "nothing broken was passed on as a whole content"
    );
}

#[test]
fn half_a_request_and_then_nothing_is_no_request() {
    let scene = Scene::new();
    let halves = [
        "",
        "G",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-A",
        "\r\n\r\n",
    ];
    for half in halves {
        let mut client = scene.tine.client();
        client.send(half);
        client.half_close();
        match client.try_response(false) {
            Ok(response) => assert!(response.status >= 400, "{half:?}: {response:?}"),
            Err(broken) => assert!(!matches!(broken, Broken::Late(_)), "{half:?}: {broken}"),
        }
        scene.still_works("half a head");
    }
    assert_eq!(scene.origin.count(), halves.len());
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_content_frees_the_backend() {
    let origin = Origin::echo();
    let tine = Tine::start(&format!("ProxyPass / {}/\n", origin.url()));
    let mut client = tine.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    client.send(vec![b'x'; 200_000]);
    origin.wait_for(1);
    drop(client);
    until("the backend's connection is closed", || origin.open() == 0);
    assert_eq!(tine.get("/").expect(200).text(), "");
}

#[test]
fn ten_megabytes_of_head_are_refused_long_before_their_end() {
    let scene = Scene::new();
    let mut client = scene.tine.client();
    let field = format!("X-Filler: {}\r\n", "x".repeat(1000));
    let mut is_sent = client.try_send("GET / HTTP/1.1\r\nHost: a\r\n").is_ok();
    for _ in 0..10_000 {
        is_sent = is_sent && client.try_send(&field).is_ok();
    }
    match client.try_response(false) {
        Ok(response) => assert!(matches!(response.status, 400 | 431), "{response:?}"),
        Err(broken) => assert!(!matches!(broken, Broken::Late(_)), "{broken}"),
    }
    let memory = scene.tine.child_memory_kib();
    assert!(memory < 32 * 1024, "{memory} KiB");
    scene.still_works("an endless head");
}

#[test]
fn a_client_that_never_finishes_its_head_is_told_408() {
    let origin = Origin::named("here");
    let tine = Tine::start(&format!(
        "RequestReadTimeout header=1\nProxyPass / {}/\n",
        origin.url()
    ));
    let mut client = tine.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    client.response().expect(408);
    assert!(client.is_closed());
    assert_eq!(tine.get("/").expect(200).text(), "here");
}

#[test]
fn empty_lines_before_a_request_are_skipped() {
    let scene = Scene::new();
    let mut client = scene.tine.client();
    client.send("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.response().expect(200);
}

/// A backend that does `evil` for `/evil` and is fine otherwise.
fn evil(evil: impl Fn(&mut Call<'_>) + Send + Sync + 'static) -> (Origin, Tine) {
    let origin = Origin::start("evil", move |call| {
        if call.target() == "/evil" {
            evil(call);
        } else {
            let text = call.target();
            call.reply(200, &[], text.as_bytes());
        }
    });
    let tine = Tine::start(&format!("ProxyPass / {}/ timeout=1\n", origin.url()));
    (origin, tine)
}

/// That requests before and after got their own answers, on the client connections given and on new ones.
#[track_caller]
fn others_are_fine(tine: &Tine, name: &str) {
    for target in ["/x", "/y", "/z"] {
        assert_eq!(tine.get(target).expect(200).text(), target, "after {name}");
    }
}

#[test]
fn backends_that_answer_nonsense_are_a_502() {
    if httpd::is_peer() {
        return; // it is less strict
    }
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n", "x".repeat(100_000));
    let interims = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(50);
    let rows: Vec<(&str, String)> = vec![
        ("closing without a word", String::new()),
        ("not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n".into()),
        (
            "a status that is no number",
            "HTTP/1.1 abc OK\r\n\r\n".into(),
        ),
        (
            "another major version",
            "HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n".into(),
        ),
        (
            "a field without a colon",
            "HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 0\r\n\r\n".into(),
        ),
        ("half a head", "HTTP/1.1 200 OK\r\nContent-Le".into()),
        ("an endless field", long),
        (
            "a length that is no number",
            "HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n".into(),
        ),
        (
            "a negative length",
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n".into(),
        ),
        (
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".into(),
        ),
        ("endless interim responses", interims),
        (
            "an upgrade nobody asked for",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".into(),
        ),
    ];
    for (name, bytes) in rows {
        let (_origin, tine) = evil(move |call| call.send(&bytes).close());
        let children = tine.children();
        let mut client = tine.client();
        client.send("GET /evil HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = next_final(&mut client).unwrap_or_else(|broken| panic!("{name}: {broken}"));
        assert!(matches!(response, 500 | 502), "{name}: {response}");
        others_are_fine(&tine, name);
        assert!(
            children.iter().all(|pid| tine.children().contains(pid)),
            "{name} killed a child"
        );
    }
}

fn next_final(client: &mut Client) -> Result<u16, Broken> {
    loop {
        let status = client.try_response(false)?.status;
        if status >= 200 {
            return Ok(status);
        }
    }
}

#[test]
fn a_backend_that_stalls_runs_into_the_timeout() {
    let gate = Gate::new();
    let rows: [(&str, &str); 3] = [
        ("before its answer", ""),
        ("in its head", "HTTP/1.1 200 OK\r\nContent-"),
        (
            "in its content",
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        ),
    ];
    for (name, bytes) in rows {
        let held = gate.clone();
        let (_origin, tine) = evil(move |call| call.send(bytes).wait(&held).close());
        let mut client = tine.client();
        client.send("GET /evil HTTP/1.1\r\nHost: a\r\n\r\n");
        match client.try_response(false) {
            Ok(response) => assert!(matches!(response.status, 502 | 504), "{name}: {response:?}"),
            Err(broken) => assert!(matches!(broken, Broken::Truncated(_)), "{name}: {broken}"),
        }
        others_are_fine(&tine, name);
    }
    gate.open();
}

#[test]
fn a_backend_that_sends_less_than_it_said_ends_the_clients_connection() {
    let (_origin, tine) = evil(|call| {
        call.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            .close()
    });
    let mut client = tine.client();
    client.send("GET /evil HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(matches!(
        client.try_response(false),
        Err(Broken::Truncated(_))
    ));
    others_are_fine(&tine, "a short content");
}

#[test]
fn nothing_a_backend_sends_too_much_reaches_the_next_request() {
    let rows: [(&str, &str); 4] = [
        (
            "more than it said",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokSURPLUS",
        ),
        (
            "two answers",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
        ),
        (
            "content with a 204",
            "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
        ),
        (
            "more behind the last chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        ),
    ];
    for (name, bytes) in rows {
        let (_origin, tine) = evil(move |call| {
            call.send(bytes);
        });
        let mut client = tine.client();
        client.send("GET /evil HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client
            .try_response(false)
            .unwrap_or_else(|broken| panic!("{name}: {broken}"));
        assert!(
            matches!(response.status, 200 | 204 | 502),
            "{name}: {response:?}"
        );
        assert!(
            response.content == b"ok" || response.status != 200,
            "{name}: {}",
            response.text()
        );
        if response.field("connection") != Some("close") {
            assert_eq!(client.get("/next").expect(200).text(), "/next", "{name}");
        }
        others_are_fine(&tine, name);
    }
}

#[test]
fn a_broken_chunk_of_a_backend_is_not_taken_for_the_end() {
    for chunks in [
        "zz\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcX\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nabc",
    ] {
        let (_origin, tine) = evil(move |call| {
            call.send(format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
            ))
            .close();
        });
        let mut client = tine.client();
        client.send("GET /evil HTTP/1.1\r\nHost: a\r\n\r\n");
        match client.try_response(false) {
            Ok(response) => assert!(response.status >= 500, "{chunks:?}: {response:?}"),
            Err(broken) => assert!(
                matches!(broken, Broken::Truncated(_)),
                "{chunks:?}: {broken}"
            ),
        }
        others_are_fine(&tine, chunks);
    }
}

#[test]
fn a_response_field_cannot_split_the_response() {
    let (_origin, tine) = evil(|call| {
        call.send("HTTP/1.1 200 OK\r\nX-A: b\rX-Injected: c\r\nContent-Length: 0\r\n\r\n");
    });
    let mut client = tine.client();
    client.send("GET /evil HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response();
    assert_eq!(response.field("x-injected"), None, "{response:?}");
    others_are_fine(&tine, "a bare CR in a field");
}

#[test]
fn an_idle_client_costs_others_nothing() {
    let origin = Origin::named("here");
    let sizes = "StartServers 1\nServerLimit 1\nThreadsPerChild 4\nMaxRequestWorkers 4\nAsyncRequestWorkerFactor 16\n";
    let setup = crate::harness::Setup::new()
        .shape(crate::harness::Shape::Event)
        .sizes(sizes);
    let tine = setup.start(&format!(
        "KeepAliveTimeout 60\nProxyPass / {}/\n",
        origin.url()
    ));
    let mut idle: Vec<Client> = (0..20)
        .map(|_| tine.client().patience(Duration::from_secs(5)))
        .collect();
    for client in idle.iter_mut().take(7) {
        client.get("/").expect(200);
    }
    assert_eq!(tine.get("/").expect(200).text(), "here");
    std::thread::sleep(NOTHING_HAPPENS);
    assert_eq!(idle[0].get("/").expect(200).text(), "here");
}
