//! Edited fields: what `RequestHeader` makes of a request at the backend, and what `Header` makes of a response at the client.

use crate::harness::httpd::is_peer;
use crate::harness::{Call, DeadPort, Origin, Response, Setup, Tine, until};

/// A backend that answers by the end of the path.
fn answer(call: &mut Call<'_>) {
    let target = call.target();
    let content = call.content();
    match target.rsplit('/').next().unwrap_or_default() {
        "missing" => call.reply(404, &["X-S: backend"], b"not here"),
        "unchanged" => {
            call.send("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nX-S: backend\r\n\r\n");
        }
        "cookies" => call.reply(
            200,
            &[
                "Set-Cookie: a=1; Path=/",
                "Set-Cookie: b=2",
                "X-S: one",
                "X-S: two",
            ],
            b"",
        ),
        "chunked" => call.reply_chunked(&["X-S: backend"], &[b"one ", b"two"], &[]),
        _ => call.reply(200, &["Content-Type: text/plain", "X-S: backend"], &content),
    }
}

fn origin() -> Origin {
    Origin::start("origin", answer)
}

fn fields(response: &Response, names: &[&str]) -> Vec<String> {
    names
        .iter()
        .map(|name| response.all(name).join(" | "))
        .collect()
}

#[test]
fn the_backend_the_session_and_the_log_see_the_edited_request() {
    let (one, two) = (Origin::named("one"), Origin::named("two"));
    let tine = Tine::start(&format!(
        "LogFormat \"%{{X-Forwarded-Proto}}i %{{X-L}}i\" seen\nCustomLog logs/seen seen\n\
         <Proxy balancer://pool>\nBalancerMember {} route=r1\nBalancerMember {} route=r2\n</Proxy>\n\
         ProxyPass / balancer://pool/ stickysession=SID\n\
         RequestHeader set X-Forwarded-Proto https\n\
         RequestHeader unset X-Secret\n\
         RequestHeader edit Cookie ^.*$ SID=x.r2\n\
         RequestHeader append X-L server\n\
         <Location /in>\nRequestHeader append X-L section\n</Location>\n",
        one.url(),
        two.url()
    ));
    for _ in 0..4 {
        let request = "GET /in HTTP/1.1\r\nHost: t\r\nX-Forwarded-Proto: http\r\nx-secret: 1\r\nX-L: client\r\n\
                       Cookie: SID=y.r1\r\nConnection: close\r\n\r\n";
        assert_eq!(tine.send(request).text(), "two");
    }
    let seen = two.last();
    assert_eq!(seen.all("X-Forwarded-Proto"), ["https"]);
    assert_eq!(seen.all("X-Secret"), [""; 0]);
    assert_eq!(seen.all("Cookie"), ["SID=x.r2"]);
    assert_eq!(seen.all("X-L"), ["client, server, section"]);
    until("four lines in the log", || {
        tine.file("logs/seen") == "https client, server, section\n".repeat(4)
    });
}

#[test]
fn a_cookie_with_the_members_route_makes_sessions_stick() {
    let (one, two) = (Origin::named("one"), Origin::named("two"));
    let tine = Tine::start(&format!(
        "Header add Set-Cookie \"ROUTEID=.%{{BALANCER_WORKER_ROUTE}}e; path=/\" env=BALANCER_ROUTE_CHANGED\n\
         <Proxy balancer://pool>\nBalancerMember {} route=1\nBalancerMember {} route=2\nProxySet stickysession=ROUTEID\n</Proxy>\n\
         ProxyPass / balancer://pool/\n",
        one.url(),
        two.url()
    ));
    let first = tine.get("/");
    let cookie = first
        .field("Set-Cookie")
        .expect("a session begins")
        .to_owned();
    let route = if first.text() == "one" { "1" } else { "2" };
    assert_eq!(cookie, format!("ROUTEID=.{route}; path=/"));
    let pair = cookie.split(';').next().unwrap();
    for _ in 0..4 {
        let again = tine.send(&format!(
            "GET / HTTP/1.1\r\nHost: t\r\nCookie: {pair}\r\nConnection: close\r\n\r\n"
        ));
        assert_eq!(again.text(), first.text());
        assert_eq!(again.field("Set-Cookie"), None, "the session goes on");
    }
    let other =
        tine.send("GET / HTTP/1.1\r\nHost: t\r\nCookie: ROUTEID=.9\r\nConnection: close\r\n\r\n");
    assert!(other.field("Set-Cookie").is_some(), "nobody has that route");
}

#[test]
fn responses_of_backends_get_both_tables_and_error_pages_the_one() {
    let (origin, dead) = (origin(), DeadPort::new());
    let tine = Tine::start(&format!(
        "ProxyPass /app {}\nProxyPass /dead {}\n\
         Header set X-S set\nHeader always set X-S always\nHeader always set X-A 1\nHeader set X-O 1\n\
         Header edit Set-Cookie ^(.*)$ \"$1; Secure\"\n\
         ErrorDocument 404 \"our words\"\n\
         <Location /denied>\nRequire all denied\n</Location>\n",
        origin.url(),
        dead.url()
    ));
    let names = ["X-S", "X-A", "X-O"];
    let both = ["always | set", "1", "1"];
    for (path, status) in [
        ("/app/x", 200),
        ("/app/missing", 404),
        ("/app/unchanged", 304),
        ("/app/chunked", 200),
    ] {
        assert_eq!(
            fields(&tine.get(path).expect(status), &names),
            both,
            "{path}"
        );
    }
    for (path, status) in [("/dead", 503), ("/denied", 403), ("/nobody", 404)] {
        let response = tine.get(path).expect(status);
        assert_eq!(fields(&response, &names), ["always", "1", ""], "{path}");
    }
    let bad = tine.send("NONSENSE\r\n\r\n").expect(400);
    assert_eq!(fields(&bad, &names), ["always", "1", ""]);
    let cookies = tine.get("/app/cookies").expect(200);
    assert_eq!(
        cookies.all("Set-Cookie"),
        ["a=1; Path=/; Secure", "b=2; Secure"]
    );
    let mut client = tine.client();
    client.send("HEAD /app/x HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_eq!(fields(&client.head_response().expect(200), &names), both);
    client.send("GET /app/chunked HTTP/1.1\r\nHost: t\r\n\r\n");
    let kept = client.response().expect(200);
    assert_eq!(kept.text(), "one two", "the connection went on");
}

#[test]
fn a_client_cannot_strip_what_the_configuration_has_set() {
    if is_peer() {
        return;
    }
    let origin = origin();
    let tine = Tine::start(&format!(
        "ProxyPass / {}/\nRequestHeader set X-Trusted yes\nRequestHeader add X-Early 1 early\n",
        origin.url()
    ));
    let request = "GET /x HTTP/1.1\r\nHost: t\r\nX-Own: 1\r\nX-Trusted: no\r\n\
                   Connection: close, x-trusted, X-Early, X-Own\r\n\r\n";
    tine.send(request).expect(200);
    let seen = origin.last();
    assert_eq!(seen.all("X-Trusted"), ["yes"]);
    assert_eq!(seen.all("X-Early"), ["1"]);
    assert_eq!(seen.all("X-Own"), [""; 0]);
}

#[test]
fn a_value_that_is_none_is_answered_with_500() {
    let origin = origin();
    let tine = Tine::start(&format!(
        "ProxyPass / {}/\nSetEnv BAD a\u{1}b\nHeader always set X-A 1\n\
         <Location /response>\nHeader set X-Bad %{{BAD}}e\n</Location>\n\
         <Location /request>\nRequestHeader set X-Bad %{{BAD}}e\n</Location>\n",
        origin.url()
    ));
    let response = tine.get("/response").expect(500);
    assert_eq!(fields(&response, &["X-Bad", "X-A"]), ["", "1"]);
    if is_peer() {
        return;
    }
    let response = tine
        .send("GET /request HTTP/1.1\r\nHost: t\r\nX-Bad: theirs\r\nConnection: close\r\n\r\n")
        .expect(500);
    assert_eq!(fields(&response, &["X-A"]), ["1"]);
    assert_eq!(origin.count(), 1, "the backend was not asked");
    tine.wait_log("TN0360: a value for X-Bad has control characters");
}

#[test]
fn no_edit_changes_how_messages_are_framed() {
    if is_peer() {
        return;
    }
    let origin = origin();
    let tine = Tine::start(&format!(
        "ProxyPass / {}/\n\
         RequestHeader unset Content-Length\nRequestHeader set Transfer-Encoding chunked\n\
         RequestHeader set Connection \"upgrade, X-Gone\"\nRequestHeader set Upgrade h2c\nRequestHeader set TE trailers\n\
         RequestHeader set Keep-Alive 5\nRequestHeader set X-Gone 1\nRequestHeader unset Expect\n\
         Header unset Content-Length\nHeader set Transfer-Encoding gzip\nHeader set Connection X-Foo\nHeader always set Content-Length 1\n",
        origin.url()
    ));
    let mut client = tine.client();
    for _ in 0..2 {
        client.send("POST /x HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello");
        let response = client.response().expect(200);
        assert_eq!(response.text(), "hello");
        assert_eq!(response.all("Content-Length"), ["5"]);
        assert_eq!(response.all("Transfer-Encoding"), [""; 0]);
        assert_eq!(response.all("Connection"), [""; 0]);
        let seen = origin.last();
        assert_eq!(seen.content, b"hello");
        assert_eq!(seen.all("Content-Length"), ["5"]);
        assert_eq!(seen.all("Transfer-Encoding"), [""; 0]);
        assert_eq!(seen.all("Upgrade"), [""; 0]);
        assert_eq!(seen.all("TE"), [""; 0]);
        assert_eq!(
            seen.all("X-Gone"),
            ["1"],
            "what the configuration sets stays"
        );
    }
    client.send("GET /chunked HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_eq!(client.response().text(), "one two");
}

#[test]
fn close_is_the_one_thing_that_may_be_said_about_a_connection() {
    let origin = origin();
    let tine = Tine::start(&format!(
        "ProxyPass /app {0}\nProxyPass /asked {0}\n\
         <Location /app>\nHeader set Connection close\n</Location>\n\
         <Location /asked>\nRequestHeader set Connection close\n</Location>\n\
         <Location /none>\nHeader always set Connection close\n</Location>\n",
        origin.url()
    ));
    for (path, status) in [("/app", 200), ("/asked", 200), ("/none", 404)] {
        let mut client = tine.client();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n"));
        let response = client.response().expect(status);
        assert_eq!(response.all("Connection"), ["close"], "{path}");
        assert!(client.is_closed(), "{path}");
    }
}

#[test]
fn the_host_is_the_edited_one_where_it_is_passed_on() {
    let origin = origin();
    let tine = Tine::start(&format!(
        "ServerName s.test\nProxyPass /kept {0}\nProxyPass /ours {0}\n\
         RequestHeader edit Host ^(.*)$ www.$1\n\
         <Location /kept>\nProxyPreserveHost On\n</Location>\n\
         <Location /kept/none>\nRequestHeader unset Host\n</Location>\n",
        origin.url()
    ));
    let own = format!("127.0.0.1:{}", origin.port());
    let rows = [
        ("/kept", "a.test", "www.a.test", "www.a.test"),
        ("http://b.test/kept", "a.test", "www.b.test", "www.b.test"),
        ("/kept/none", "a.test", "s.test", ""),
        ("/ours", "a.test", own.as_str(), "www.a.test"),
    ];
    for (target, host, expected, forwarded) in rows {
        tine.send(&format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        ))
        .expect(200);
        let seen = origin.last();
        assert_eq!(seen.all("Host"), [expected], "{target}");
        assert_eq!(seen.all("X-Forwarded-Host").join(""), forwarded, "{target}");
    }
}

#[test]
fn notes_and_formats_reach_logs_and_clients() {
    let origin = origin();
    let tine = Setup::new().start(&format!(
        "ProxyPass / {}/\nLogFormat \"%{{seen}}n %{{X-T}}o\" noted\nCustomLog logs/noted noted\n\
         Header note X-S seen\nHeader set X-T \"%t %D\"\nHeader set X-L \"%l %i %b\"\nHeader echo ^X-Echo\n",
        origin.url()
    ));
    let response = tine
        .send("GET /x HTTP/1.1\r\nHost: t\r\nX-Echo-A: 1\r\nY-Echo: 2\r\nConnection: close\r\n\r\n")
        .expect(200);
    let times = response.field("X-T").unwrap();
    let (began, took) = times.split_once(' ').unwrap();
    assert!(began.strip_prefix("t=").unwrap().parse::<u64>().is_ok());
    assert!(took.strip_prefix("D=").unwrap().parse::<u64>().is_ok());
    let load: Vec<&str> = response.field("X-L").unwrap().split(' ').collect();
    assert_eq!(load[0].strip_prefix("l=").unwrap().split('/').count(), 3);
    let share = |text: &str, name: &str| text.strip_prefix(name).unwrap().parse::<u32>().unwrap();
    assert!(share(load[1], "i=") + share(load[2], "b=") <= 100);
    assert_eq!(fields(&response, &["X-Echo-A", "Y-Echo"]), ["1", ""]);
    let line = format!("backend {times}\n");
    until("the note in the log", || tine.file("logs/noted") == line);
}

#[test]
fn pages_of_ours_get_both_tables_and_keep_their_own_date_and_server() {
    let tine = Tine::start(
        "<Location /status>\nSetHandler server-status\nHeader set X-O 1\nHeader always set X-A 1\n\
         Header set Server else\nHeader set Date never\nHeader unset Content-Type\n</Location>\n\
         Header set X-Base 1\n",
    );
    let page = tine.get("/status?auto").expect(200);
    assert_eq!(
        fields(&page, &["X-O", "X-A", "X-Base", "Content-Type"]),
        ["1", "1", "1", ""]
    );
    assert_ne!(page.field("Server"), Some("else"));
    assert_ne!(page.field("Date"), Some("never"));
    for request in ["OPTIONS * HTTP/1.1", "TRACE / HTTP/1.1"] {
        let response = tine.send(&format!(
            "{request}\r\nHost: t\r\nConnection: close\r\n\r\n"
        ));
        assert_eq!(response.expect(200).field("X-Base"), None, "{request}");
    }
}
