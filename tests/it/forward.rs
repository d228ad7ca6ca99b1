//! A forward proxy: what is fetched for whom, what is refused, tunnels, and proxies behind this one.

use crate::harness::httpd::Program;
use crate::harness::tine::Conf;
use crate::harness::{Client, DeadPort, Origin, Response, Setup, Shape, Tine, httpd, until};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Shutdown, TcpListener};
use std::path::Path;
use std::process::Command;
use std::thread;

/// A forward proxy for everybody, which the test's own lines may narrow.
fn open(lines: &str) -> Tine {
    Tine::start(&everybody(lines))
}

fn everybody(lines: &str) -> String {
    format!("ProxyRequests On\n<Proxy \"*\">\nRequire all granted\n</Proxy>\n{lines}")
}

/// A request line and fields as a client of a proxy sends them.
#[track_caller]
fn ask(proxy: &Tine, line: &str, fields: &[&str]) -> Response {
    let mut text = format!("{line} HTTP/1.1\r\nHost: not.asked.example\r\n");
    for field in fields {
        text.push_str(field);
        text.push_str("\r\n");
    }
    text.push_str("Connection: close\r\n\r\n");
    proxy.send(&text)
}

#[track_caller]
fn get(proxy: &Tine, url: &str) -> Response {
    ask(proxy, &format!("GET {url}"), &[])
}

/// A client that asked for a tunnel and got it, with what it sends right behind the request.
#[track_caller]
fn tunnelled(proxy: &Tine, target: &str, early: &str) -> Client {
    let mut client = proxy.client();
    client.send(format!(
        "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n{early}"
    ));
    let head = until_head_ends(&mut client);
    assert!(head.contains(" 200 Connection Established\r\n"), "{head}");
    client
}

fn until_head_ends(client: &mut Client) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(client.bytes(1));
    }
    String::from_utf8(head).expect("a head is text")
}

/// A server of no protocol: says hello, sends back what it gets, and says bye when its client has ended.
struct Parrot {
    port: u16,
    peers: std::sync::Arc<std::sync::Mutex<Vec<IpAddr>>>,
}

impl Parrot {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let peers = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = peers.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let peer = stream.peer_addr().expect("it has one").ip();
                seen.lock().expect("nobody panicked").push(peer);
                thread::spawn(move || {
                    stream.write_all(b"hello ").ok();
                    let mut bytes = [0; 4096];
                    while let Ok(n @ 1..) = stream.read(&mut bytes) {
                        stream.write_all(&bytes[..n]).ok();
                    }
                    stream.write_all(b" bye").ok();
                    stream.shutdown(Shutdown::Write).ok();
                });
            }
        });
        Self { port, peers }
    }

    fn target(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn allowed(&self) -> String {
        format!("AllowCONNECT {}\n", self.port)
    }
}

#[test]
fn an_absolute_target_is_fetched_from_its_host_and_says_nothing_of_the_client() {
    for shape in Shape::ALL {
        let origin = Origin::named("origin");
        let proxy = Setup::new().shape(shape).start(&everybody("ProxyVia On\n"));
        let url = format!("{}/a%2Fb?c=d", origin.url());
        let fields = ["Proxy-Connection: keep-alive", "Accept: x/y"];
        let response = ask(&proxy, &format!("GET {url}"), &fields).expect(200);
        assert_eq!(response.text(), "origin");
        assert!(response.field("via").is_some(), "{response:?}");
        let seen = origin.last();
        assert_eq!(seen.line(), "GET /a%2Fb?c=d HTTP/1.1");
        let host = format!("127.0.0.1:{}", origin.port());
        assert_eq!(seen.field("host"), Some(host.as_str()));
        assert_eq!(seen.field("accept"), Some("x/y"));
        assert_eq!(seen.field("connection"), Some("close"));
        for secret in [
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-server",
            "proxy-connection",
        ] {
            assert_eq!(seen.field(secret), None, "{secret}");
        }
    }
}

#[test]
fn names_are_resolved_and_those_that_cannot_be_are_a_502_that_keeps_the_connection() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::named("origin");
    let proxy = open("");
    let mut client = proxy.client();
    client.send("GET http://nosuch.invalid/ HTTP/1.1\r\nHost: x\r\n\r\n");
    let refused = client.response().expect(502);
    assert!(
        refused
            .text()
            .contains("DNS lookup failure for: nosuch.invalid"),
        "{refused:?}"
    );
    let url = format!("http://LocalHost:{}/", origin.port());
    client.send(format!("GET {url} HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_eq!(client.response().expect(200).text(), "origin");
    let host = format!("localhost:{}", origin.port());
    assert_eq!(origin.last().field("host"), Some(host.as_str()));
}

#[test]
fn a_host_that_takes_no_connection_is_a_503() {
    let dead = DeadPort::new();
    let proxy = open("");
    get(&proxy, &format!("{}/", dead.url())).expect(503);
    let line = format!("CONNECT 127.0.0.1:{}", dead.port());
    let connect = open(&format!("AllowCONNECT {}\n", dead.port()));
    ask(&connect, &line, &[]).expect(503);
}

#[test]
fn our_own_urls_are_served_here() {
    let (mapped, other) = (Origin::named("mapped"), Origin::named("other"));
    let proxy = open(&format!(
        "ProxyPass /map {}\n<VirtualHost *>\nServerName own.example:80\nServerAlias alias.example *.wild.example\n</VirtualHost>\n",
        mapped.url()
    ));
    for host in [
        "own.example",
        "OWN.Example:80",
        "alias.example",
        "a.wild.example",
    ] {
        let response = get(&proxy, &format!("http://{host}/map/x")).expect(200);
        assert_eq!(response.text(), "mapped", "{host}");
    }
    assert_eq!(mapped.last().line(), "GET /x HTTP/1.1");
    get(&proxy, "http://own.example/elsewhere").expect(404);
    assert_eq!(get(&proxy, &other.url()).expect(200).text(), "other");
}

#[test]
fn only_proxy_sections_say_who_may_use_it_and_refusals_are_logged() {
    let (free, guarded) = (Origin::named("free"), Origin::named("guarded"));
    let parrot = Parrot::start();
    let proxy = open(&format!(
        "{}<Location />\nRequire all denied\n</Location>\n<Proxy \"{}/private*\">\nRequire all denied\n</Proxy>\n\
         <ProxyMatch \"^localhost:\">\nOrder deny,allow\nDeny from all\n</ProxyMatch>\n",
        parrot.allowed(),
        guarded.url()
    ));
    get(&proxy, &free.url()).expect(200);
    get(&proxy, &format!("{}/public", guarded.url())).expect(200);
    get(&proxy, &format!("{}/private", guarded.url())).expect(403);
    proxy.wait_log(&format!(
        "client denied by server configuration: proxy:{}/private",
        guarded.url()
    ));
    ask(&proxy, &format!("CONNECT localhost:{}", parrot.port), &[]).expect(403);
    drop(tunnelled(&proxy, &parrot.target(), ""));
    assert_eq!(guarded.count(), 1);
}

#[test]
fn another_spelling_is_no_way_around_a_section() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::named("guarded");
    let port = origin.port();
    let proxy = open(&format!(
        "<Proxy \"http://localhost:{port}/private*\">\nRequire all denied\n</Proxy>\n\
         <Proxy \"http://usual.example/*\">\nRequire all denied\n</Proxy>\n\
         <Proxy \"usual.example:443\">\nRequire all denied\n</Proxy>\n"
    ));
    for url in [
        format!("http://localhost:{port}/private"),
        format!("HTTP://LOCALHOST:{port}/private"),
        format!("http://localhost.:{port}/private"),
        format!("http://localhost:0{port}/private"),
        format!("http://localhost:{port}/%70rivate"),
        format!("http://localhost:{port}/./public/../private?x"),
        "http://usual.example:80/".to_owned(),
        "http://USUAL.example./x".to_owned(),
        "http://usual.example?x".to_owned(),
    ] {
        let status = get(&proxy, &url).status;
        // A port with more digits than a port has is refused before.
        assert!(matches!(status, 400 | 403), "{url}: {status}");
    }
    for target in ["usual.example:443", "Usual.EXAMPLE.:443"] {
        ask(&proxy, &format!("CONNECT {target}"), &[]).expect(403);
    }
    assert_eq!(origin.count(), 0);
    get(&proxy, &format!("http://localhost:{port}/public")).expect(200);
}

#[test]
fn connect_opens_a_tunnel_and_loses_no_early_byte() {
    for shape in Shape::ALL {
        let parrot = Parrot::start();
        let proxy = Setup::new()
            .shape(shape)
            .start(&everybody(&parrot.allowed()));
        let mut client = tunnelled(&proxy, &parrot.target(), "early");
        assert_eq!(client.bytes(11), b"hello early");
        client.send("late");
        assert_eq!(client.bytes(4), b"late");
        client.half_close();
        assert_eq!(client.rest(), b" bye");
        until("the tunnel is logged", || !proxy.access_log().is_empty());
        let line = &proxy.access_log()[0];
        let request = format!("\"CONNECT {} HTTP/1.1\" 200", parrot.target());
        assert!(line.contains(&request), "{line}");
    }
}

#[test]
fn the_answer_to_connect_has_httpds_words() {
    let parrot = Parrot::start();
    let proxy = open(&parrot.allowed());
    let mut client = proxy.client();
    client.send(format!(
        "CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n",
        parrot.target()
    ));
    let head = until_head_ends(&mut client);
    let (line, fields) = head.split_once("\r\n").expect("a status line");
    assert!(line.ends_with(" 200 Connection Established"), "{line}");
    assert!(
        fields.starts_with("Proxy-agent: ") && fields.matches("\r\n").count() == 2,
        "nothing else: {fields}"
    );
}

#[test]
fn connect_reaches_allowed_ports_only() {
    let parrot = Parrot::start();
    let usual = open("");
    for port in [80, 22, parrot.port] {
        let refused = ask(&usual, &format!("CONNECT 127.0.0.1:{port}"), &[]).expect(403);
        assert!(
            refused.text().contains("Connect to remote machine blocked"),
            "{refused:?}"
        );
    }
    let ranged = open(&format!("AllowCONNECT 1-2 {0}-{0}\n", parrot.port));
    ask(&ranged, "CONNECT 127.0.0.1:443", &[]).expect(403);
    drop(tunnelled(&ranged, &parrot.target(), ""));
    let off = open("AllowCONNECT 0\n");
    ask(&off, "CONNECT 127.0.0.1:443", &[]).expect(403);
}

#[test]
fn virtual_hosts_add_ports_to_those_of_the_main_server() {
    let (one, two) = (Parrot::start(), Parrot::start());
    let proxy = open(&format!(
        "AllowCONNECT {}\n<VirtualHost *>\nServerName any.example\nAllowCONNECT {}\n</VirtualHost>\n",
        one.port, two.port
    ));
    drop(tunnelled(&proxy, &one.target(), ""));
    drop(tunnelled(&proxy, &two.target(), ""));
    ask(&proxy, "CONNECT 127.0.0.1:443", &[]).expect(403);
}

#[test]
fn connect_needs_a_host_and_a_port_and_no_content() {
    if httpd::is_peer() {
        return;
    }
    let parrot = Parrot::start();
    let proxy = open(&parrot.allowed());
    for target in [
        "127.0.0.1",
        "127.0.0.1:",
        ":443",
        "/",
        "*",
        "u@127.0.0.1:443",
        "127.0.0.1:443/",
    ] {
        ask(&proxy, &format!("CONNECT {target}"), &[]).expect(400);
    }
    let line = format!("CONNECT {}", parrot.target());
    ask(&proxy, &line, &["Content-Length: 5"]).expect(400);
    ask(&proxy, &line, &["Transfer-Encoding: chunked"]).expect(400);
    assert!(parrot.peers.lock().unwrap().is_empty());
}

#[test]
fn a_server_that_is_no_proxy_has_no_use_for_connect() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::named("origin");
    let server = Tine::start(&format!(
        "ProxyPass / {}/\nAllowCONNECT {}\n",
        origin.url(),
        origin.port()
    ));
    ask(
        &server,
        &format!("CONNECT 127.0.0.1:{}", origin.port()),
        &[],
    )
    .expect(405);
    assert_eq!(origin.count(), 0);
}

#[test]
fn without_mod_proxy_connect_there_are_no_tunnels() {
    if httpd::is_peer() {
        return;
    }
    let parrot = Parrot::start();
    let modules = ["authz_core", "authz_host", "proxy", "proxy_http"]
        .map(|name| format!("LoadModule {name}_module modules/mod_{name}.so\n"));
    let proxy = Tine::start(&format!("{}{}", modules.concat(), everybody("")));
    ask(&proxy, &format!("CONNECT {}", parrot.target()), &[]).expect(500);
    ask(&proxy, "CONNECT 127.0.0.1:443", &[]).expect(500);
}

#[test]
fn blocked_hosts_are_refused_by_name_and_by_address_for_mappings_too() {
    let origin = Origin::named("origin");
    let port = origin.port();
    let proxy = open(&format!(
        "ProxyBlock secret.example 127.0.0.9\nAllowCONNECT {port}\nProxyPass /map http://127.0.0.9:{port}/\n"
    ));
    for url in [
        "http://www.secret.example.org/".to_owned(),
        format!("http://127.0.0.9:{port}/"),
        // The same address by another name.
        format!("http://0x7f000009:{port}/"),
    ] {
        if url.contains("secret") && httpd::is_peer() {
            continue;
        }
        let refused = get(&proxy, &url).expect(403);
        assert!(
            refused.text().contains("Connect to remote machine blocked"),
            "{url}"
        );
    }
    ask(&proxy, &format!("CONNECT 127.0.0.9:{port}"), &[]).expect(403);
    proxy.get("/map").expect(403);
    proxy.wait_log("connect to remote machine 0x7f000009 blocked: IP 127.0.0.9 matched");
    get(&proxy, &origin.url()).expect(200);
    assert_eq!(origin.count(), 1);
}

#[test]
fn names_of_blocked_hosts_are_looked_up_at_the_start() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::named("origin");
    let proxy = open("ProxyBlock localhost.localdomain nosuch.invalid\n");
    let said = proxy.error_log();
    assert!(
        said.contains("ProxyBlock: no address of `nosuch.invalid` was found"),
        "{said}"
    );
    // Where the name is known, its address is blocked.
    let is_known = !said.contains("no address of `localhost.localdomain`");
    let expected = if is_known { 403 } else { 200 };
    get(&proxy, &origin.url()).expect(expected);
}

#[test]
fn hosts_without_a_domain_are_sent_to_the_one_with_it() {
    let origin = Origin::named("origin");
    let proxy = open("ProxyDomain .my.example\n");
    let moved = get(&proxy, "http://Intra:8080/a?b").expect(301);
    assert_eq!(
        moved.field("location").map(str::to_lowercase).as_deref(),
        Some("http://intra.my.example:8080/a?b")
    );
    let url = format!("http://localhost:{}/", origin.port());
    get(&proxy, &url).expect(200);
}

#[test]
fn connections_come_from_the_source_address() {
    let parrot = Parrot::start();
    let proxy = open(&format!(
        "ProxySourceAddress 127.0.0.3\n{}",
        parrot.allowed()
    ));
    let mut client = tunnelled(&proxy, &parrot.target(), "");
    assert_eq!(client.bytes(6), b"hello ");
    let peers = parrot.peers.lock().unwrap().clone();
    assert_eq!(peers, ["127.0.0.3".parse::<IpAddr>().unwrap()]);
}

#[test]
fn a_worker_of_the_same_place_lends_its_connections() {
    let origin = Origin::named("origin");
    let proxy = Setup::new().single_process().start(&everybody(&format!(
        "<Proxy {}/ timeout=7>\n</Proxy>\n",
        origin.url()
    )));
    for _ in 0..3 {
        get(&proxy, &format!("{}/x", origin.url())).expect(200);
    }
    assert_eq!((origin.count(), origin.connections()), (3, 1));
}

/// Two proxies in a row: the first one, and the one behind it.
fn chain(origin: &Origin, lines: &str) -> (Tine, Tine) {
    let behind = Tine::start(&everybody(&format!(
        "ProxyVia On\nAllowCONNECT {}\n",
        origin.port()
    )));
    let lines = lines.replace("@BEHIND@", &format!("http://127.0.0.1:{}", behind.port()));
    (open(&lines), behind)
}

#[test]
fn requests_and_tunnels_lead_through_another_proxy() {
    let origin = Origin::named("origin");
    let allowed = format!("AllowCONNECT {}\n", origin.port());
    let (proxy, behind) = chain(&origin, &format!("ProxyRemote * @BEHIND@\n{allowed}"));
    let url = format!("{}/a?b", origin.url());
    assert_eq!(get(&proxy, &url).expect(200).text(), "origin");
    assert!(
        origin.last().field("via").is_some(),
        "the one behind was there"
    );
    assert_eq!(origin.last().line(), "GET /a?b HTTP/1.1");
    let mut client = proxy.client();
    let target = format!("127.0.0.1:{}", origin.port());
    client.send(format!(
        "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\nGET /in HTTP/1.1\r\nHost: in\r\n\r\n"
    ));
    let head = until_head_ends(&mut client);
    assert!(head.contains(" 200 Connection Established\r\n"), "{head}");
    assert_eq!(client.response().expect(200).text(), "origin");
    drop(client);
    until("both ways are logged", || behind.access_log().len() == 2);
    assert!(behind.access_log()[0].contains(&url), "absolute-form");
}

#[test]
fn mappings_lead_through_another_proxy_too() {
    let origin = Origin::named("origin");
    let lines = format!(
        "ProxyRemote * @BEHIND@\nProxyPass /map {}/mapped\n",
        origin.url()
    );
    let (proxy, behind) = chain(&origin, &lines);
    proxy.get("/map/x").expect(200);
    proxy.get("/map/y").expect(200);
    assert_eq!(origin.last().line(), "GET /mapped/y HTTP/1.1");
    assert!(origin.last().field("x-forwarded-for").is_some());
    until("the way is logged", || behind.access_log().len() == 2);
}

/// A proxy that takes requests down and answers for the origin.
fn remote(answer: &'static str) -> Origin {
    Origin::start("remote", move |call| {
        call.content();
        call.reply(200, &[], answer.as_bytes());
    })
}

#[test]
fn the_remote_proxy_is_chosen_by_scheme_prefix_and_expression() {
    let (prefix, regex, scheme) = (remote("prefix"), remote("regex"), remote("scheme"));
    let proxy = open(&format!(
        "ProxyRemote http://one.example {}\nProxyRemoteMatch \"^http://two\\.\" {}\nProxyRemote HTTP {}\n",
        prefix.url(),
        regex.url(),
        scheme.url()
    ));
    for (url, who) in [
        ("http://one.example/", "prefix"),
        ("http://ONE.example/", "prefix"),
        ("http://two.example/", "regex"),
        ("http://three.example/", "scheme"),
    ] {
        assert_eq!(get(&proxy, url).expect(200).text(), who, "{url}");
    }
    assert_eq!(prefix.last().line(), "GET http://one.example/ HTTP/1.1");
    assert_eq!(prefix.last().field("host"), Some("one.example"));
}

#[test]
fn the_remote_proxy_gets_its_credentials_or_the_clients() {
    if httpd::is_peer() {
        return;
    }
    let guard = |name| {
        Origin::start(name, |call| {
            call.reply(407, &["Proxy-Authenticate: Basic realm=\"x\""], b"");
        })
    };
    let (login, plain) = (guard("login"), guard("plain"));
    let proxy = open(&format!(
        "AllowCONNECT 443\nProxyRemoteMatch ^http://login {0} user:pw\nProxyRemoteMatch ^login {0} user:pw\nProxyRemote * {1}\n",
        login.url(),
        plain.url()
    ));
    let own = ["Proxy-Authorization: Basic b3du"];
    for line in ["GET http://login.example/", "CONNECT login.example:443"] {
        ask(&proxy, line, &own).expect(407);
        assert_eq!(
            login.last().all("proxy-authorization"),
            ["Basic dXNlcjpwdw=="]
        );
    }
    for line in ["GET http://plain.example/", "CONNECT plain.example:443"] {
        ask(&proxy, line, &own).expect(407);
        assert_eq!(plain.last().all("proxy-authorization"), ["Basic b3du"]);
    }
    let origin = Origin::named("origin");
    let direct = open("");
    ask(&direct, &format!("GET {}", origin.url()), &own).expect(200);
    assert_eq!(
        origin.last().field("proxy-authorization"),
        None,
        "an origin is no proxy"
    );
}

#[test]
fn a_challenge_of_the_remote_proxy_reaches_the_client() {
    let guard = Origin::start("guard", |call| {
        call.reply(
            407,
            &["Proxy-Authenticate: Basic realm=\"behind\""],
            b"who are you",
        );
    });
    let proxy = open(&format!("ProxyRemote * {}\n", guard.url()));
    let refused = ask(&proxy, "CONNECT any.example:443", &[]).expect(407);
    assert_eq!(refused.text(), "who are you");
    assert_eq!(
        refused.field("proxy-authenticate"),
        Some("Basic realm=\"behind\"")
    );
}

#[test]
fn exempted_hosts_are_reached_directly() {
    let origin = Origin::named("origin");
    let behind = remote("remote");
    let url = |host: &str| format!("http://{host}:{}/", origin.port());
    for (words, host, who) in [
        ("127.0.0.0/8", "127.0.0.1", "origin"),
        ("127.", "127.0.0.1", "origin"),
        ("10.0.0.0/8", "127.0.0.1", "remote"),
        // The addresses of a name decide, and a name without any is not exempt.
        ("127.0.0.0/8", "localhost", "origin"),
        ("10.0.0.0/8", "localhost", "remote"),
        ("10.0.0.0/8", "nosuch.invalid", "remote"),
        ("calhos", "localhost", "origin"),
    ] {
        let lines = format!("ProxyRemote * {}\nNoProxy {words}\n", behind.url());
        let response = get(&open(&lines), &url(host)).expect(200);
        assert_eq!(response.text(), who, "NoProxy {words}, {host}");
    }
}

#[test]
fn the_next_remote_proxy_is_asked_when_one_is_gone() {
    if httpd::is_peer() {
        return;
    }
    let dead = DeadPort::new();
    let behind = remote("remote");
    let lines = format!(
        "ProxyRemote * {}\nProxyRemote * {}\n",
        dead.url(),
        behind.url()
    );
    let proxy = open(&format!("{lines}ProxyPass /map/ http://mapped.example/\n"));
    assert_eq!(
        get(&proxy, "http://any.example/").expect(200).text(),
        "remote"
    );
    proxy.wait_log(&format!("trying 127.0.0.1:{} instead", behind.port()));
    let post = "POST http://any.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
    proxy.send(post).expect(200);
    assert_eq!(behind.last().content, b"abc");
    assert_eq!(proxy.get("/map/x").expect(200).text(), "remote");
    assert_eq!(behind.last().line(), "GET http://mapped.example/x HTTP/1.1");
    // Nobody goes directly because a proxy was not there.
    let origin = Origin::named("origin");
    let alone = open(&format!("ProxyRemote * {}\n", dead.url()));
    get(&alone, &origin.url()).expect(503);
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_remote_proxy_that_gives_no_answer_is_passed_by_unless_that_could_do_something_twice() {
    let origin = Origin::named("origin");
    let mute = Origin::start("mute", |call| call.close());
    let proxy = open(&format!("ProxyRemote * {}\n", mute.url()));
    assert_eq!(get(&proxy, &origin.url()).expect(200).text(), "origin");
    let post = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
        origin.url()
    );
    proxy.send(&post).expect(502);
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_tunnel_goes_directly_when_the_remote_proxy_is_gone() {
    let parrot = Parrot::start();
    let dead = DeadPort::new();
    let proxy = open(&format!(
        "ProxyRemote * {}\n{}",
        dead.url(),
        parrot.allowed()
    ));
    let mut client = tunnelled(&proxy, &parrot.target(), "early");
    assert_eq!(client.bytes(11), b"hello early");
}

#[test]
fn passing_on_remote_proxies_to_virtual_hosts_can_be_turned_off() {
    let origin = Origin::named("origin");
    let behind = remote("remote");
    let conf = |inherit| {
        everybody(&format!(
            "ProxyRemote * {}\n<VirtualHost *>\nServerName any.example\nProxyPassInherit {inherit}\n</VirtualHost>\n",
            behind.url()
        ))
    };
    let on = Tine::start(&conf("On"));
    assert_eq!(get(&on, &origin.url()).expect(200).text(), "remote");
    let off = Tine::start(&conf("Off"));
    assert_eq!(get(&off, &origin.url()).expect(200).text(), "origin");
}

#[test]
fn httpd_is_a_good_remote_proxy() {
    let place = "/usr/sbin/apache2";
    if !Path::new(place).exists() {
        eprintln!("skipped: there is no {place} to be the remote proxy");
        return;
    }
    let origin = Origin::named("origin");
    let allowed = format!("AllowCONNECT {}\n", origin.port());
    let behind = Setup::new()
        .program(Program::Httpd(place.to_owned()))
        .start(&everybody(&format!("ProxyVia On\n{allowed}")));
    let proxy = open(&format!(
        "ProxyRemote * http://127.0.0.1:{}\n{allowed}",
        behind.port()
    ));
    assert_eq!(
        get(&proxy, &format!("{}/a", origin.url()))
            .expect(200)
            .text(),
        "origin"
    );
    assert!(origin.last().field("via").is_some());
    let target = format!("127.0.0.1:{}", origin.port());
    let inner = "GET /in HTTP/1.1\r\nHost: in\r\n\r\n";
    let mut client = tunnelled(&proxy, &target, inner);
    assert_eq!(client.response().expect(200).text(), "origin");
    assert_eq!(origin.last().line(), "GET /in HTTP/1.1");
}

#[test]
fn curl_uses_it_for_urls_and_for_tunnels() {
    let origin = Origin::named("origin");
    let proxy = open(&format!("AllowCONNECT {}\n", origin.port()));
    let at = format!("http://127.0.0.1:{}", proxy.port());
    for tunnel in [None, Some("--proxytunnel")] {
        let curl = Command::new("curl")
            .args(["--silent", "--show-error", "--noproxy", "", "--proxy", &at])
            .args(tunnel)
            .arg(origin.url())
            .output();
        let Ok(output) = curl else {
            eprintln!("skipped: there is no curl to use the proxy");
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "origin", "{said}");
    }
}

#[test]
fn an_open_proxy_is_warned_of_with_the_line_and_the_cure() {
    if httpd::is_peer() {
        return;
    }
    let check = |lines: &str| {
        let text = format!("Listen 127.0.0.1:80\nServerName tine.test\n{lines}");
        let output = Conf::new(&text).run(&["-t"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let section = |rule: &str| format!("ProxyRequests On\n<Proxy \"*\">\n{rule}\n</Proxy>\n");
    for open in [
        "ProxyRequests On\n".to_owned(),
        section("Require all granted"),
        section("Order deny,allow\nAllow from all"),
        "ProxyRequests On\n<Proxy \"http://one.example/*\">\nRequire all denied\n</Proxy>\n"
            .to_owned(),
        // CONNECT's targets do not look like this.
        "ProxyRequests On\n<Proxy \"http://*\">\nRequire all denied\n</Proxy>\n".to_owned(),
        "ProxyRequests On\n<Location />\nRequire all denied\n</Location>\n".to_owned(),
    ] {
        let said = check(&open);
        assert!(said.contains("warning on line 3 of"), "{open}{said}");
        assert!(said.contains("this is an open proxy"), "{said}");
        assert!(said.contains("    3 | ProxyRequests On\n"), "{said}");
        assert!(
            said.contains("hint: say who may use it in a section `<Proxy \"*\">`"),
            "{said}"
        );
    }
    for closed in [
        "ProxyRequests Off\n".to_owned(),
        section("Require ip 192.0.2.0/24"),
        section("Require all denied"),
        section("Order deny,allow\nDeny from all\nAllow from 192.0.2"),
        "ProxyRequests On\n<ProxyMatch \".*\">\nRequire local\n</ProxyMatch>\n".to_owned(),
    ] {
        let said = check(&closed);
        assert!(!said.contains("open proxy"), "{closed}{said}");
    }
}
