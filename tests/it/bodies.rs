//! Contents of requests: what is read before a backend is asked, what it is told, what is kept and sent again, and what happens when
//! somebody stops in the middle.

use super::harness::origin::Seen;
use super::harness::tine::memory_kib;
use super::harness::{
    Call, Client, DeadPort, Gate, NOTHING_HAPPENS, Origin, Setup, Shape, Tine, httpd, pattern,
    until,
};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A server that forwards everything to this backend, with `conf` in front.
fn proxy(origin: &Origin, conf: &str) -> Tine {
    Tine::start(&format!("{conf}\nProxyPass / {}/\n", origin.url()))
}

/// A head that announces a content of this length.
fn announced(method: &str, length: usize) -> String {
    format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

/// A request with a content in chunks of this size.
fn chunked(method: &str, content: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .into_bytes();
    for chunk in content.chunks(size) {
        bytes.extend_from_slice(format!("{:x};a=b\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\nX-Trailer: 1\r\n\r\n");
    bytes
}

fn with_length(method: &str, content: &[u8]) -> Vec<u8> {
    [announced(method, content.len()).as_bytes(), content].concat()
}

/// How a request that a backend saw was framed.
fn framing(seen: &Seen) -> String {
    let coding = seen.field("transfer-encoding").unwrap_or_default();
    let length = seen.field("content-length").unwrap_or_default();
    format!("{coding}{length}")
}

#[test]
fn short_contents_get_a_length_whatever_their_framing() {
    let origin = Origin::echo();
    let tine = proxy(&origin, "");
    let mut client = tine.client();
    // httpd stops reading ahead 80 bytes before 16 KiB; chunks whose end it has not seen by then stay chunks.
    for size in [0, 1, 1000, 16_303, 16_304, 16_383, 16_384, 16_385, 100_000] {
        let content = pattern(0, size);
        let whole = if size < 16_304 {
            size.to_string()
        } else {
            "chunked".into()
        };
        let cases = [
            (
                "with a length",
                with_length("POST", &content),
                size.to_string(),
            ),
            (
                "in one chunk",
                chunked("POST", &content, 1 << 20),
                whole.clone(),
            ),
            (
                "in chunks of 700 bytes",
                chunked("PUT", &content, 700),
                whole,
            ),
        ];
        for (name, request, expected) in cases {
            client.send(request);
            let response = client.response().expect(200);
            assert!(
                response.content == content,
                "{size} bytes {name} came back otherwise"
            );
            assert_eq!(framing(&origin.last()), expected, "{size} bytes {name}");
            assert_eq!(origin.last().trailers, "", "trailers are not forwarded");
        }
    }
    client.get("/").expect(200);
    assert_eq!(framing(&origin.last()), "", "no content, no length");
}

#[test]
fn many_tiny_chunks_are_one_content() {
    let origin = Origin::echo();
    let tine = proxy(&origin, "");
    let content = pattern(7, 3000);
    for size in [1, 2, 13] {
        let mut client = tine.client();
        let request = chunked("POST", &content, size);
        // In pieces that end anywhere.
        for piece in request.chunks(501) {
            client.send(piece);
        }
        assert_eq!(client.response().expect(200).content, content);
        assert_eq!(framing(&origin.last()), "3000");
    }
}

#[test]
fn no_backend_is_asked_before_a_short_content_is_there() {
    let origin = Origin::echo();
    let tine = proxy(
        &origin,
        "SetEnvIf Request_URI ^/now proxy-prefetch-nonblocking",
    );
    let mut slow = tine.client();
    slow.send(announced("POST", 10) + "half ");
    tine.get("/other").expect(200);
    assert_eq!(
        (origin.count(), origin.connections()),
        (1, 1),
        "the other one"
    );
    slow.send("whole");
    assert_eq!(slow.response().expect(200).text(), "half whole");
    // Unless it is told not to wait.
    let mut slow = tine.client();
    slow.send("POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf ");
    origin.wait_for(3);
    slow.send("whole");
    assert_eq!(slow.response().expect(200).text(), "half whole");
}

#[test]
fn variables_say_how_content_is_sent() {
    let origin = Origin::echo();
    // (variables, line of the request to a content of 20000 bytes in chunks, its framing, its Connection)
    let table = [
        ("", "POST / HTTP/1.1", "chunked", Some("Keep-Alive")),
        (
            "proxy-sendcl",
            "POST / HTTP/1.1",
            "20000",
            Some("Keep-Alive"),
        ),
        (
            "proxy-sendcl proxy-sendchunked",
            "POST / HTTP/1.1",
            "chunked",
            Some("Keep-Alive"),
        ),
        (
            "proxy-sendcl proxy-sendchunks",
            "POST / HTTP/1.1",
            "chunked",
            Some("Keep-Alive"),
        ),
        (
            "proxy-sendchunked",
            "POST / HTTP/1.1",
            "chunked",
            Some("Keep-Alive"),
        ),
        (
            "proxy-nokeepalive",
            "POST / HTTP/1.1",
            "chunked",
            Some("close"),
        ),
        ("force-proxy-request-1.0", "POST / HTTP/1.0", "20000", None),
        (
            "force-proxy-request-1.0 proxy-sendchunked",
            "POST / HTTP/1.0",
            "20000",
            None,
        ),
    ];
    for (variables, line, expected, connection) in table {
        let set: String = variables
            .split_whitespace()
            .map(|name| format!("SetEnv {name} 1\n"))
            .collect();
        let tine = proxy(&origin, &set);
        let mut client = tine.client();
        for (content, request) in [
            (
                pattern(0, 20_000),
                chunked("POST", &pattern(0, 20_000), 4000),
            ),
            (pattern(0, 20_000), with_length("POST", &pattern(0, 20_000))),
            (pattern(0, 20), chunked("POST", &pattern(0, 20), 4)),
        ] {
            let of_chunks = request.len() > 20_100 && content.len() == 20_000;
            client.send(&request);
            assert!(
                client.response().expect(200).content == content,
                "{variables}"
            );
            let seen = origin.last();
            let expected = if of_chunks {
                expected.to_owned()
            } else {
                content.len().to_string()
            };
            assert_eq!(
                (seen.line(), framing(&seen)),
                (line, expected),
                "{variables}"
            );
            assert_eq!(seen.field("connection"), connection, "{variables}");
        }
        let seen = origin.seen();
        let last_two = [
            seen[seen.len() - 2].connection,
            seen[seen.len() - 1].connection,
        ];
        assert_eq!(
            last_two[0] == last_two[1],
            connection == Some("Keep-Alive"),
            "{variables}"
        );
    }
}

#[test]
fn an_extra_line_end_follows_every_request_when_asked_for() {
    let origin = Origin::start("origin", |call| {
        call.content();
        let more = call.some_bytes();
        call.reply(200, &[], &more);
    });
    let tine = proxy(&origin, "SetEnv proxy-sendextracrlf 1");
    for request in [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        with_length("POST", b"hello"),
        chunked("POST", &pattern(0, 20_000), 999),
    ] {
        let mut client = tine.client();
        client.send(request);
        assert_eq!(client.response().expect(200).text(), "\r\n");
    }
}

#[test]
fn a_first_request_may_be_kept_off_the_pool() {
    let origin = Origin::named("x");
    let setup = Setup::new().shape(Shape::Event);
    let tine = setup.start(&format!(
        "SetEnv proxy-initial-not-pooled 1\nProxyPass / {}/\n",
        origin.url()
    ));
    for expected in [[0, 0, 0], [1, 1, 1]] {
        let mut client = tine.client();
        let from = origin.count();
        for _ in expected {
            client.get("/").expect(200);
        }
        let used: Vec<usize> = origin.seen()[from..]
            .iter()
            .map(|seen| seen.connection)
            .collect();
        assert_eq!(
            used, expected,
            "the first takes a new one, the others stay with it"
        );
    }
}

/// The files that a server's children have open below a directory, as the system shows them.
fn open_below(tine: &Tine, directory: &Path) -> Vec<String> {
    let fds = tine.children().into_iter().flat_map(|pid| {
        let entries = std::fs::read_dir(format!("/proc/{pid}/fd"));
        entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
    });
    fds.filter(|target| target.starts_with(directory))
        .map(|target| target.display().to_string())
        .collect()
}

/// A directory that everybody may write to.
fn spool_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777))
        .expect("our own");
    directory
}

fn spooling(origin: &Origin, directory: &Path, conf: &str) -> Tine {
    let setup = Setup::new().environment("TMPDIR", directory.display().to_string());
    setup.start(&format!(
        "SetEnv proxy-sendcl 1\n{conf}\nProxyPass / {}/\n",
        origin.url()
    ))
}

#[test]
fn a_large_content_waits_in_a_file_that_nobody_sees() {
    if httpd::is_peer() {
        return;
    }
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("origin", move |call| {
        call.wait(&held);
        let content = call.content();
        call.reply(200, &[], content.len().to_string().as_bytes());
    });
    let directory = spool_directory();
    let tine = spooling(&origin, directory.path(), "");
    let content = pattern(0, 3_000_000);
    let mut client = tine.client();
    client.send(chunked("POST", &content, 65_536));
    origin.wait_for(1);
    let open = open_below(&tine, directory.path());
    assert_eq!(open.len(), 1, "{open:?}");
    assert!(open[0].ends_with(" (deleted)"), "{open:?}");
    let names = std::fs::read_dir(directory.path())
        .expect("our own")
        .count();
    assert_eq!(names, 0, "no name is left");
    gate.open();
    assert_eq!(client.response().expect(200).text(), "3000000");
    assert!(origin.last().content == content);
    assert_eq!(framing(&origin.last()), "3000000");
    until("the file is gone", || {
        open_below(&tine, directory.path()).is_empty()
    });
    // A content that fits memory needs none.
    client.send(chunked("POST", b"short", 5));
    assert_eq!(client.response().expect(200).text(), "5");
}

#[test]
fn a_spool_that_cannot_be_written_is_a_500_that_says_what_to_do() {
    if httpd::is_peer() {
        return;
    }
    let (readable, tiny) = (spool_directory(), spool_directory());
    std::fs::set_permissions(readable.path(), std::fs::Permissions::from_mode(0o555))
        .expect("our own");
    let is_full = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k,mode=1777", "tmpfs"])
        .arg(tiny.path())
        .output()
        .is_ok_and(|output| output.status.success());
    if !is_full {
        eprintln!("SKIPPED: no tmpfs can be mounted here, so no full disk is tried");
    }
    let nowhere = Path::new("/nonexistent/spool");
    let mut cases = vec![
        (nowhere, "No such file"),
        (readable.path(), "Permission denied"),
    ];
    if is_full {
        cases.push((tiny.path(), "No space left"));
    }
    let origin = Origin::echo();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for (directory, reason) in cases {
            let before = origin.count();
            let tine = spooling(&origin, directory, "");
            let mut client = tine.client();
            client
                .try_send(chunked("POST", &pattern(0, 500_000), 65_536))
                .ok();
            client.response().expect(500);
            assert!(client.is_closed(), "the content was not read");
            let line = tine.wait_log("cannot be kept");
            let place = format!("`{}`: {reason}", directory.display());
            assert!(line.contains(&place) && line.contains("TMPDIR"), "{line}");
            assert_eq!(origin.count(), before, "nobody was asked");
            tine.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok")
                .expect(200);
        }
    }));
    if is_full {
        Command::new("umount")
            .arg(tiny.path())
            .output()
            .expect("what was mounted");
    }
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn limitrequestbody_holds_before_and_while_content_is_read() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::echo();
    let directory = spool_directory();
    let tine = spooling(&origin, directory.path(), "LimitRequestBody 50000");
    // Announced: nothing is read, nobody is asked.
    let mut client = tine.client();
    client.send(announced("POST", 50_001));
    client.response().expect(413);
    assert!(client.is_closed());
    // Found out: while reading ahead, and while filling the file.
    for size in [50_001, 400_000] {
        let mut client = tine.client();
        client
            .try_send(chunked("POST", &pattern(0, size), 9000))
            .ok();
        client.response().expect(413);
    }
    assert_eq!((origin.count(), origin.connections()), (0, 0));
    let mut client = tine.client();
    client.send(chunked("POST", &pattern(0, 50_000), 9000));
    client.response().expect(200);
}

/// What a backend does at a request: it serves the first on each connection, or not even that, and drops the others.
fn dropping(serves_first: bool, reads: usize) -> Origin {
    let last = std::sync::Mutex::new(None);
    Origin::start("dropping", move |call| {
        let connection = call.seen().connection;
        let is_first = last.lock().expect("no panic").replace(connection) != Some(connection);
        let target = call.target();
        if is_first && (serves_first || connection > 0) || target == "/warm" {
            let content = call.content();
            return call.reply(200, &[], &content);
        }
        let mut left = reads;
        while left > 0 {
            let n = call.some_bytes().len();
            left = if n == 0 { 0 } else { left.saturating_sub(n) };
        }
        call.close();
    })
}

#[test]
fn what_is_dropped_without_an_answer_is_repeated_where_that_is_safe() {
    if httpd::is_peer() {
        return;
    }
    let small = pattern(3, 2000);
    let large = pattern(5, 200_000);
    // (name, request, read before the drop, on a kept connection, outcome)
    let not_idempotent = Err("not repeated because its method is not idempotent, answering 502");
    let not_kept = Err("not repeated because its content is not kept any more, answering 502");
    let is_new = Err("not repeated because the connection was a new one, answering 502");
    let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
    let table = [
        ("a_get", get.clone(), 0, true, Ok(0)),
        (
            "a_put_with_a_short_content",
            with_length("PUT", &small),
            1000,
            true,
            Ok(2000),
        ),
        (
            "a_put_in_chunks",
            chunked("PUT", &small, 100),
            1000,
            true,
            Ok(2000),
        ),
        (
            "a_post_with_a_short_content",
            with_length("POST", &small),
            1000,
            true,
            not_idempotent,
        ),
        (
            "a_post_without_content",
            with_length("POST", b""),
            0,
            true,
            not_idempotent,
        ),
        (
            "a_large_put_that_is_streamed",
            with_length("PUT", &large),
            100_000,
            true,
            not_kept,
        ),
        (
            "a_large_put_that_is_spooled",
            chunked("PUT", &large, 10_000),
            100_000,
            true,
            Ok(200_000),
        ),
        (
            "a_large_post_that_is_spooled",
            chunked("POST", &large, 10_000),
            100_000,
            true,
            not_idempotent,
        ),
        ("a_get_on_a_new_connection", get, 0, false, is_new),
        (
            "a_put_on_a_new_connection",
            with_length("PUT", &small),
            1000,
            false,
            is_new,
        ),
    ];
    for balanced in [false, true] {
        for (name, request, reads, is_kept, expected) in &table {
            let origin = dropping(*is_kept, *reads);
            let conf = if balanced {
                let member = origin.url();
                let other = DeadPort::new();
                format!(
                    "<Proxy balancer://b>\nBalancerMember {member}\nBalancerMember {} status=+H\n</Proxy>\nProxyPass / balancer://b/\n",
                    other.url()
                )
            } else {
                format!("ProxyPass / {}/\n", origin.url())
            };
            let tine = Setup::new()
                .single_process()
                .start(&format!("SetEnv proxy-sendcl 1\n{conf}"));
            if *is_kept {
                tine.get("/warm").expect(200);
            }
            let mut client = tine.client();
            client.try_send(request).ok();
            let response = client.response();
            let attempts = origin.count() - usize::from(*is_kept);
            match expected {
                Ok(length) => {
                    assert_eq!(response.expect(200).content.len(), *length, "{name}");
                    assert_eq!(attempts, 2, "{name}");
                    let words = "trying again on a new connection";
                    assert_eq!(tine.log_count(words), 1, "{name}");
                }
                Err(words) => {
                    response.expect(502);
                    assert_eq!(attempts, 1, "{name}");
                    assert_eq!(tine.log_count(words), 1, "{name}: {}", tine.error_log());
                }
            }
        }
    }
}

#[test]
fn content_that_nobody_got_goes_whole_to_the_next_member() {
    if httpd::is_peer() {
        return;
    }
    let dead = DeadPort::new();
    let alive = Origin::echo();
    let (small, large) = (pattern(1, 3000), pattern(2, 300_000));
    let spooled =
        String::from_utf8_lossy(&chunked("POST", b"", 1)).replacen("POST / ", "POST /spool ", 1);
    let head = spooled.split("0\r\n").next().unwrap_or_default().to_owned();
    let spooled = [
        head.as_bytes(),
        format!("{:x}\r\n", large.len()).as_bytes(),
        &large,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    for (content, request) in [
        (&small, with_length("POST", &small)),
        (&small, chunked("POST", &small, 100)),
        (&large, with_length("POST", &large)),
        (&large, chunked("POST", &large, 5000)),
        (&large, spooled),
    ] {
        let tine = Tine::start(&format!(
            "SetEnvIf Request_URI ^/spool proxy-sendcl\n<Proxy balancer://b>\nBalancerMember {}\nBalancerMember {} lbset=1\n</Proxy>\n\
             ProxyPass / balancer://b/\n",
            dead.url(),
            alive.url()
        ));
        let mut client = tine.client();
        client.send(&request);
        assert!(client.response().expect(200).content == *content);
        assert!(alive.last().content == *content);
        assert_eq!(tine.log_count("refused the connection"), 1);
    }
}

/// Answers a request with an expectation by what its path says.
fn expecting(call: &mut Call<'_>) {
    match call.target().as_str() {
        "/silent" => return call.wait_for_close(),
        "/refuse" => {
            call.reply(403, &["Connection: close"], b"no");
            return call.wait_for_close();
        }
        "/refuse-kept" => {
            call.reply(401, &[], b"no");
            return call.wait_for_close();
        }
        // No 100, and the answer comes before the content, which is read in any case.
        "/final" => call.reply(200, &[], b"already"),
        _ => {
            call.send("HTTP/1.1 100 Continue\r\n\r\n");
        }
    }
    let content = call.content();
    if call.target() != "/final" {
        call.reply(200, &[], &content);
    }
}

#[test]
fn a_member_that_is_pinged_gets_its_content_after_its_100() {
    let origin = Origin::start("origin", expecting);
    let tine = Tine::start(&format!(
        "ProxyPass /off {0}/off ping=5\nProxyPass / {0}/ ping=5\n",
        origin.url()
    ));
    let mut client = tine.client();
    for (length, expectation) in [
        (5, Some("100-Continue")),
        (20_000, Some("100-Continue")),
        (0, None),
    ] {
        client.send(announced("POST", length));
        client.send(pattern(0, length));
        // The client did not ask, so it is told nothing.
        assert_eq!(client.response().expect(200).content.len(), length);
        assert_eq!(origin.last().field("expect"), expectation, "{length} bytes");
    }
    client.get("/x").expect(200);
    assert_eq!(origin.last().field("expect"), None, "no content, no ping");
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.response().status, 100);
    client.send("body");
    assert_eq!(client.response().expect(200).text(), "body");
    assert_eq!(origin.last().all("expect"), ["100-continue"], "asked once");
}

#[test]
fn a_member_that_does_not_answer_its_ping_is_passed_over() {
    let (silent, alive) = (
        Origin::start("silent", |call| call.wait_for_close()),
        Origin::start("alive", expecting),
    );
    let conf = |second: &str| {
        format!(
            "<Proxy balancer://b>\nBalancerMember {} ping=200ms\n{second}</Proxy>\nProxyPass / balancer://b/\n",
            silent.url()
        )
    };
    let tine = Tine::start(&conf(&format!(
        "BalancerMember {} ping=5 status=+H\n",
        alive.url()
    )));
    let mut client = tine.client();
    client.send(with_length("POST", b"hello"));
    assert_eq!(client.response().expect(200).text(), "hello");
    assert_eq!(
        (silent.count(), silent.last().content.len()),
        (1, 0),
        "it got a head alone"
    );
    assert_eq!(alive.last().content, b"hello");
    if !httpd::is_peer() {
        tine.wait_log("did not say whether it wants the request's content");
    }
    // Nobody else is there.
    let tine = Tine::start(&conf(""));
    let mut client = tine.client();
    client.send(with_length("POST", b"hello"));
    client.response().expect(503);
    tine.wait_log("Timeout on 100-Continue");
}

#[test]
fn a_silent_backend_leaves_whoever_asks_it_a_503() {
    let origin = Origin::start("origin", expecting);
    let tine = proxy(&origin, "ProxyTimeout 1");
    let mut client = tine.client();
    client.send(
        "POST /silent HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
    );
    client.response().expect(503);
    tine.wait_log("Timeout on 100-Continue");
    assert!(client.is_closed(), "the content may still come");
}

#[test]
fn a_final_answer_instead_of_a_100_is_followed_by_what_the_backend_reads() {
    let origin = Origin::start("origin", expecting);
    let tine = proxy(&origin, "");
    let ask = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        )
    };
    let mut client = tine.client();
    client.send(ask("/final"));
    assert_eq!(client.response().status, 100);
    client.send("body");
    assert_eq!(client.response().expect(200).text(), "already");
    until("the content is there", || origin.last().content == b"body");
    // The connections are in order.
    client.send(ask("/plain"));
    assert_eq!(client.response().status, 100);
    client.send("more");
    assert_eq!(client.response().expect(200).text(), "more");
    // A refusal is passed on, no content follows, and the client's connection ends.
    for path in ["/refuse", "/refuse-kept"] {
        if path == "/refuse-kept" && httpd::is_peer() {
            continue;
        }
        let mut client = tine.client();
        client.send(ask(path));
        let response = client.response();
        assert!([401, 403].contains(&response.status), "{response:?}");
        assert_eq!(
            (response.text().as_str(), response.field("connection")),
            ("no", Some("close"))
        );
        assert_eq!(origin.last().content, b"");
        assert!(client.is_closed());
    }
    until("refused connections are dropped", || origin.open() <= 1);
}

#[test]
fn a_client_that_leaves_in_the_middle_takes_the_backends_connection_with_it() {
    let origin = Origin::start("origin", |call| {
        let content = call.content();
        call.reply(200, &[], &content);
    });
    let tine = Setup::new()
        .single_process()
        .start(&format!("ProxyPass / {}/\n", origin.url()));
    let mut client = tine.client();
    client.send(announced("POST", 100_000));
    client.send(pattern(0, 50_000));
    origin.wait_for(1);
    drop(client);
    until("the backend's connection ends", || origin.open() == 0);
    // One that leaves while its content is read ahead was nobody's yet.
    let mut client = tine.client();
    client.send(announced("POST", 100) + "some");
    client.half_close();
    client.response().expect(400);
    assert_eq!(origin.count(), 1);
    tine.get("/").expect(200);
    assert_eq!(
        origin.connections(),
        2,
        "no broken connection is used again"
    );
    until("both are logged", || tine.access_log().len() >= 3);
    let log = tine.access_log();
    let statuses = log
        .iter()
        .map(|line| line.contains("\" 400 "))
        .collect::<Vec<_>>();
    assert_eq!(statuses, [true, true, false], "{log:?}");
}

#[test]
fn a_client_that_sends_too_slowly_is_told_so_wherever_its_content_goes() {
    let origin = Origin::start("origin", |call| call.wait_for_close());
    let tine = proxy(&origin, "RequestReadTimeout body=1");
    // Read ahead, streamed, and behind a 100.
    let mut ahead = tine.client();
    ahead.send(announced("POST", 100) + "some");
    let mut streamed = tine.client();
    streamed.send(announced("POST", 100_000));
    streamed.send(pattern(0, 50_000));
    ahead.response().expect(408);
    streamed.response().expect(408);
    assert!(ahead.is_closed() && streamed.is_closed());
    until("the backend's connection ends", || origin.open() == 0);
    assert_eq!(origin.count(), 1, "only the streamed one was anybody's");
}

#[test]
fn time_that_the_backend_takes_is_not_held_against_the_client() {
    if httpd::is_peer() {
        return;
    }
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("origin", move |call| {
        call.wait(&held);
        let check = call.check_content();
        call.reply(
            200,
            &[],
            format!("{} {}", check.length, check.is_wrong).as_bytes(),
        );
    });
    let tine = proxy(&origin, "RequestReadTimeout body=3");
    let mut client = tine.client().patience(Duration::from_secs(60));
    const LENGTH: usize = 40_000_000;
    let content = pattern(0, LENGTH);
    client.send(announced("POST", LENGTH));
    let sender = std::thread::spawn(move || {
        client.send(&content);
        client.response()
    });
    origin.wait_for(1);
    // Longer than the client has for its content, which waits in front of a backend that takes none.
    std::thread::sleep(Duration::from_millis(3500));
    gate.open();
    let response = sender.join().expect("the client's thread").expect(200);
    assert_eq!(response.text(), format!("{LENGTH} false"));
}

#[test]
fn broken_chunks_are_a_400_and_never_a_whole_request_at_the_backend() {
    let origin = Origin::echo();
    let tine = proxy(&origin, "");
    for (already, rest) in [
        (0, "zz\r\n"),
        (0, "3\r\nabcd\r\n0\r\n\r\n"),
        (60_000, "x\r\n0\r\n\r\n"),
    ] {
        let mut client = tine.client();
        let mut request = chunked("POST", &pattern(0, already), 60_000);
        let end = request.len() - b"0\r\nX-Trailer: 1\r\n\r\n".len();
        request.truncate(end);
        client.send([&request, rest.as_bytes()].concat());
        client.response().expect(400);
        assert!(client.is_closed());
    }
    let whole = origin
        .seen()
        .iter()
        .filter(|seen| seen.content.len() >= 60_000)
        .count();
    assert!(whole <= 1, "the broken one never ended");
    // The origin may write down what was broken off after it.
    tine.get("/").expect(200);
    let mut seen = origin.seen().into_iter();
    assert!(seen.any(|seen| seen.line() == "GET / HTTP/1.1"));
}

/// How many uploads, and as many downloads, are slow at once.
const SLOW: usize = 100;

/// One loop in one child, so that all of them are in one process.
fn one_loop() -> Setup {
    let sizes = "StartServers 1\nServerLimit 1\nThreadLimit 512\nThreadsPerChild 512\nMaxRequestWorkers 512\nMinSpareThreads 1\nMaxSpareThreads 512\n";
    Setup::new().shape(Shape::Event).sizes(sizes)
}

/// Waits until the child's memory stays the same.
fn settled_memory_kib(tine: &Tine) -> u64 {
    let mut last = 0;
    until("memory no longer grows", || {
        std::thread::sleep(NOTHING_HAPPENS);
        let now = tine
            .children()
            .into_iter()
            .filter_map(memory_kib)
            .max()
            .unwrap_or_default();
        std::mem::replace(&mut last, now) == now
    });
    last
}

/// A connection whose system buffers little, so that what is not read waits in the server.
fn narrow(address: SocketAddr) -> TcpStream {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a socket option");
    socket.connect(&address.into()).expect("the server listens");
    socket.into()
}

#[test]
fn slow_uploads_and_downloads_cost_less_than_64_kib_each() {
    if httpd::is_peer() {
        return;
    }
    // A backend that takes nothing, and buffers little.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    socket2::SockRef::from(&listener)
        .set_recv_buffer_size(4096)
        .expect("a socket option");
    let sink = listener.local_addr().expect("it is bound");
    let taken = std::thread::spawn(move || {
        let streams = listener
            .incoming()
            .take(SLOW)
            .map(|stream| stream.expect("a connection"));
        streams.collect::<Vec<TcpStream>>()
    });
    let source = Origin::start("source", |call| {
        call.send("HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n");
        call.send_pattern(8_000_000);
    });
    let tine = one_loop().start(&format!(
        "ProxyPass /up http://{sink}/\nProxyPass /down {}/\n",
        source.url()
    ));
    tine.get("/none").expect(404);
    let before = settled_memory_kib(&tine);
    let mut uploads: Vec<TcpStream> = (0..SLOW).map(|_| narrow(tine.address())).collect();
    for upload in &mut uploads {
        upload
            .write_all(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n")
            .expect("room for a head");
        upload.set_nonblocking(true).expect("a socket option");
    }
    push_until_stuck(&mut uploads);
    let _open = taken.join().expect("the backend's thread");
    let uploading = settled_memory_kib(&tine).saturating_sub(before);
    let mut downloads: Vec<TcpStream> = (0..SLOW).map(|_| narrow(tine.address())).collect();
    for download in &mut downloads {
        download
            .write_all(b"GET /down HTTP/1.1\r\nHost: a\r\n\r\n")
            .expect("room for a head");
        let mut first = [0; 12];
        download.read_exact(&mut first).expect("a response");
        assert_eq!(&first, b"HTTP/1.1 200");
    }
    let downloading = settled_memory_kib(&tine).saturating_sub(before + uploading);
    let each = |kib: u64| kib / SLOW as u64;
    eprintln!(
        "each of {SLOW}: {} KiB up, {} KiB down",
        each(uploading),
        each(downloading)
    );
    assert!(
        each(uploading) < 64 && each(downloading) < 64,
        "{uploading} KiB up, {downloading} KiB down"
    );
    // And not because they had been dropped.
    let mut one = [0; 1];
    for upload in &mut uploads {
        let ended = upload.read(&mut one).map_err(|error| error.kind());
        assert_eq!(ended, Err(ErrorKind::WouldBlock));
    }
    assert_eq!(source.open(), SLOW);
}

/// Sends on all connections until none takes more for a while.
fn push_until_stuck(streams: &mut [TcpStream]) {
    let piece = [b'x'; 65_536];
    let mut quiet = 0;
    while quiet < 5 {
        let mut moved = 0;
        for stream in streams.iter_mut() {
            moved += stream.write(&piece).unwrap_or_default();
        }
        quiet = if moved == 0 { quiet + 1 } else { 0 };
        if moved == 0 {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_content_kept_ahead_does_not_mix_with_the_next_request() {
    let origin = Origin::echo();
    let tine = proxy(&origin, "");
    let mut client = Client::connect(tine.address());
    let requests: Vec<Vec<u8>> = (0..20_u64)
        .map(|n| {
            let content = pattern(n * 100, 900 * usize::try_from(n).expect("small"));
            if n % 2 == 0 {
                with_length("POST", &content)
            } else {
                chunked("POST", &content, 77)
            }
        })
        .collect();
    client.send(requests.concat());
    for n in 0..20_u64 {
        let content = pattern(n * 100, 900 * usize::try_from(n).expect("small"));
        assert!(
            client.response().expect(200).content == content,
            "answer {n}"
        );
    }
}
