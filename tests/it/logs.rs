//! The access log, code by code, and the error log, from the outside.

use crate::harness::{DeadPort, Origin, Setup, Tine, httpd, until};

/// The line of `logs/test` for the only request, once it is there.
#[track_caller]
fn logged(tine: &Tine) -> String {
    until("a line in the log", || {
        tine.file("logs/test").ends_with('\n')
    });
    tine.file("logs/test").trim_end().to_owned()
}

#[test]
fn each_code_of_the_access_log_says_what_it_says_in_httpd() {
    let origin = Origin::start("origin", |call| {
        call.reply(
            200,
            &["Content-Type: text/plain", "X-Out: out"],
            b"hello world",
        )
    });
    let url = origin.url();
    let rows: &[(&str, &str)] = &[
        ("%a", "127.0.0.1"),
        ("%{c}a", "127.0.0.1"),
        ("%A", "127.0.0.1"),
        ("%h", "127.0.0.1"),
        ("%l", "-"),
        ("%u", "-"),
        ("%r", "GET /path/x?q=1 HTTP/1.1"),
        ("%m %U %q %H", "GET /path/x ?q=1 HTTP/1.1"),
        ("%s", "200"),
        ("%>s", "200"),
        ("%<s", "200"),
        ("%b", "11"),
        ("%B", "11"),
        ("%{User-Agent}i", "probe/1.0"),
        ("%{Nosuch}i", "-"),
        ("%{X-Out}o", "out"),
        ("%{Content-Type}o", "text/plain"),
        ("%{cake}C", "plum"),
        ("%{Nosuch}e", "-"),
        ("%{Nosuch}n", "-"),
        ("%v", "tine.test"),
        ("%V", "tine.test"),
        ("%R", "proxy-server"),
        ("%X", "-"),
        ("%k", "0"),
        ("%%", "%"),
        ("%!200r", "-"),
        ("%200,304r", "GET /path/x?q=1 HTTP/1.1"),
        ("%!404,500m", "GET"),
        ("a\\tb", "a\tb"),
        ("\\\"%m\\\"", "\"GET\""),
    ];
    for (format, expected) in rows {
        let tine = Tine::start(&format!(
            "CustomLog logs/test \"{format}\"\nProxyPass / {url}/\n"
        ));
        tine.send("GET /path/x?q=1 HTTP/1.1\r\nHost: tine.test\r\nUser-Agent: probe/1.0\r\nCookie: a=b; cake=plum\r\nConnection: close\r\n\r\n")
            .expect(200);
        assert_eq!(logged(&tine), *expected, "{format}");
    }
}

#[test]
fn numbers_and_times_are_plausible() {
    let origin = Origin::start("origin", |call| call.reply(200, &[], b"hello"));
    let format = "%P|%p|%{local}p|%{remote}p|%D|%T|%{ms}T|%I|%O|%S|%t|%{%Y}t|%{sec}t";
    let tine = Tine::start(&format!(
        "CustomLog logs/test \"{format}\"\nProxyPass / {}/\n",
        origin.url()
    ));
    let mut client = tine.client();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: tine.test:{}\r\nConnection: close\r\n\r\n",
        tine.port()
    );
    client.send(&request);
    client.response().expect(200);
    let line = logged(&tine);
    let words: Vec<&str> = line.split('|').collect();
    let number = |at: usize| {
        words[at]
            .parse::<u64>()
            .unwrap_or_else(|_| panic!("{at} in {line}"))
    };
    assert!(number(0) > 1);
    assert_eq!(number(1), 80, "the port of ServerName, or the scheme's");
    assert_eq!(number(2), u64::from(tine.port()));
    assert_eq!(number(3), u64::from(client.address().port()));
    assert!(number(4) < 10_000_000);
    assert_eq!(number(5), 0);
    assert!(number(6) < 10_000);
    assert_eq!(number(7), request.len() as u64);
    assert!(number(8) > 50, "head and content: {line}");
    assert_eq!(number(9), number(7) + number(8));
    assert!(
        words[10].starts_with('[') && words[10].ends_with(']') && words[10].len() == 28,
        "{line}"
    );
    assert!(number(11) >= 2024);
    assert!(number(12) > 1_700_000_000);
}

#[test]
fn a_balanced_request_logs_its_member_and_route() {
    let origin = Origin::named("here");
    let format = "%{BALANCER_NAME}e %{BALANCER_WORKER_NAME}e %{BALANCER_WORKER_ROUTE}e %{BALANCER_SESSION_STICKY}e %{BALANCER_SESSION_ROUTE}e";
    let tine = Tine::start(&format!(
        "CustomLog logs/test \"{format}\"\n<Proxy balancer://pool>\nBalancerMember {} route=one\nProxySet stickysession=SID\n</Proxy>\n\
         ProxyPass / balancer://pool/\n",
        origin.url()
    ));
    tine.send("GET / HTTP/1.1\r\nHost: a\r\nCookie: SID=x.one\r\nConnection: close\r\n\r\n")
        .expect(200);
    assert_eq!(
        logged(&tine),
        format!("balancer://pool {} one SID one", origin.url())
    );
}

#[test]
fn a_changed_route_is_logged() {
    let origin = Origin::named("here");
    let tine = Tine::start(&format!(
        "CustomLog logs/test \"%{{BALANCER_ROUTE_CHANGED}}e\"\n<Proxy balancer://pool>\nBalancerMember {} route=one\n\
         ProxySet stickysession=SID\n</Proxy>\nProxyPass / balancer://pool/\n",
        origin.url()
    ));
    tine.send("GET / HTTP/1.1\r\nHost: a\r\nCookie: SID=x.gone\r\nConnection: close\r\n\r\n")
        .expect(200);
    assert_eq!(logged(&tine), "1");
}

#[test]
fn a_nickname_a_condition_and_the_common_format_work() {
    let origin = Origin::named("here");
    let tine = Tine::start(&format!(
        "LogFormat \"%m %>s\" short\nCustomLog logs/test short\nCustomLog logs/never \"%r\" env=NOSUCH\n\
         CustomLog logs/always \"%r\" env=!NOSUCH\nTransferLog logs/transfer\nProxyPass / {}/\n",
        origin.url()
    ));
    tine.get("/x").expect(200);
    assert_eq!(logged(&tine), "GET 200");
    until("the other logs", || {
        !tine.file("logs/transfer").is_empty() && !tine.file("logs/always").is_empty()
    });
    assert_eq!(tine.file("logs/never"), "");
    assert_eq!(tine.file("logs/always"), "GET /x HTTP/1.1\n");
    let common = tine.file("logs/transfer");
    assert!(common.starts_with("127.0.0.1 - - ["), "{common}");
    assert!(
        common.trim_end().ends_with("] \"GET /x HTTP/1.1\" 200 4"),
        "{common}"
    );
}

#[test]
fn what_a_client_sends_cannot_forge_log_lines() {
    let origin = Origin::named("here");
    let tine = Tine::start(&format!(
        "CustomLog logs/test \"\\\"%r\\\" \\\"%{{User-Agent}}i\\\"\"\nProxyPass / {}/\n",
        origin.url()
    ));
    tine.send("GET /a%0a%22b\"c HTTP/1.1\r\nHost: a\r\nUser-Agent: x\"\\y\u{1b}[1m\t\r\nConnection: close\r\n\r\n");
    let line = logged(&tine);
    assert!(!line.contains('\u{1b}') && !line.contains('\n'), "{line:?}");
    if line.contains("x\\\"") {
        assert!(line.contains("x\\\"\\\\y"), "{line}");
    }
}

#[test]
fn each_request_has_one_line_whatever_becomes_of_it() {
    let origin = Origin::start("origin", |call| match call.target().as_str() {
        "/cut" => call
            .send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            .close(),
        "/nonsense" => call.send("what\r\n\r\n").close(),
        _ => call.reply(200, &[], b"fine"),
    });
    let dead = DeadPort::new();
    let tine = Tine::start(&format!(
        "ProxyPass /dead {}/\nProxyPass / {}/\n",
        dead.url(),
        origin.url()
    ));
    let mut client = tine.client();
    for _ in 0..3 {
        client.get("/kept").expect(200);
    }
    tine.get("/dead").expect(503);
    for target in ["/cut", "/nonsense"] {
        let mut client = tine.client();
        client.send(format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        ));
        client.try_response(false).ok();
    }
    tine.send("GET / HTTP/1.1\r\n\r\n").expect(400);
    until("seven lines", || tine.access_log().len() >= 7);
    let log = tine.access_log();
    let count = |words: &str| log.iter().filter(|line| line.contains(words)).count();
    assert_eq!(log.len(), 7, "{log:#?}");
    assert_eq!(count("\"GET /kept HTTP/1.1\" 200 4"), 3, "{log:#?}");
    assert_eq!(count("\"GET /dead HTTP/1.1\" 503"), 1, "{log:#?}");
    assert_eq!(count("\"GET /cut HTTP/1.1\" 200"), 1, "{log:#?}");
    assert_eq!(count(" 400 "), 1, "{log:#?}");
}

#[test]
fn a_piped_log_gets_its_lines() {
    let origin = Origin::named("here");
    let tine = Tine::start(&format!(
        "CustomLog \"|$/bin/cat > piped\" \"%m %U\"\nProxyPass / {}/\n",
        origin.url()
    ));
    let place = [tine.root().join("piped"), "/piped".into()];
    tine.get("/x").expect(200);
    let mut found = String::new();
    until("the piped line", || {
        found = place
            .iter()
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .collect();
        found.ends_with('\n')
    });
    std::fs::remove_file("/piped").ok();
    assert_eq!(found, "GET /x\n");
}

#[test]
fn a_virtual_host_with_its_own_logs_uses_only_them() {
    let origin = Origin::named("here");
    let tine = Tine::start(&format!(
        "CustomLog logs/main \"%U\"\nProxyPass / {0}/\n\
         <VirtualHost *:*>\nServerName main.test\n</VirtualHost>\n\
         <VirtualHost *:*>\nServerName own.test\nCustomLog logs/own \"%v %U\"\nErrorLog logs/own_errors\n</VirtualHost>\n",
        origin.url()
    ));
    for host in ["main.test", "own.test"] {
        tine.send(&format!(
            "GET /{host} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        ))
        .expect(200);
    }
    until("both logs", || {
        !tine.file("logs/own").is_empty() && !tine.file("logs/main").is_empty()
    });
    assert_eq!(tine.file("logs/own"), "own.test /own.test\n");
    assert_eq!(tine.file("logs/main"), "/main.test\n");
}

#[test]
fn an_error_line_has_time_module_level_process_client_and_tag() {
    let dead = DeadPort::new();
    let tine = Tine::start(&format!("ProxyPass / {}/\n", dead.url()));
    tine.get("/").expect(503);
    let line = tine.wait_log("Connection refused");
    let prefix = regex::Regex::new(
        r"^\[[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d\.\d{6} \d{4}\] \[proxy(_http)?:error\] \[pid \d+(:tid \d+)?\] \(111\)Connection refused: ",
    )
    .expect("a pattern");
    assert!(prefix.is_match(&line), "{line}");
    let client =
        regex::Regex::new(r"\[client 127\.0\.0\.1:\d+\] (AH\d{5}|TN\d{4}): ").expect("a pattern");
    assert!(
        client.is_match(&tine.error_log()),
        "the client is named and the message has a tag:\n{}",
        tine.error_log()
    );
}

#[test]
fn errorlogformat_is_followed() {
    let dead = DeadPort::new();
    let tine = Tine::start(&format!(
        "ErrorLogFormat \"<%l> {{%P}} %M\"\nProxyPass / {}/\n",
        dead.url()
    ));
    tine.get("/").expect(503);
    let line = tine.wait_log("<error> {");
    assert!(line.starts_with("<error> {"), "{line}");
}

#[test]
fn loglevel_of_a_module_overrides_the_general_one() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::named("here");
    let tine = Setup::new()
        .level("warn proxy:debug")
        .start(&format!("ProxyPass / {}/\n", origin.url()));
    tine.get("/").expect(200);
    tine.wait_log("proxy: http: found worker");
    assert_eq!(tine.log_count(":info]"), 0, "{}", tine.error_log());
}

#[test]
fn rotated_logs_are_opened_anew_by_a_graceful_restart() {
    let origin = Origin::named("here");
    let tine = Tine::start(&format!("ProxyPass / {}/\n", origin.url()));
    tine.get("/before").expect(200);
    until("the first line", || tine.access_log().len() == 1);
    for name in ["access_log", "error_log"] {
        let old = tine.root().join("logs").join(name);
        std::fs::rename(&old, old.with_extension("1")).expect("our own directory");
    }
    let output = tine.control(&["-k", "graceful"]);
    assert!(output.status.success(), "{output:?}");
    until("a line in the new log", || {
        tine.get("/after").expect(200);
        tine.access_log().iter().any(|line| line.contains("/after"))
    });
    assert!(
        !tine
            .access_log()
            .iter()
            .any(|line| line.contains("/before"))
    );
    until("the new error log", || !tine.error_log().is_empty());
}
