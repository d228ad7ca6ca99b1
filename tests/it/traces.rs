//! The debug lines of mod_proxy 2.2, by which operators follow workers and requests: which, in which order, with which numbers.

use crate::harness::{Origin, Setup, Shape, Tine, httpd, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The configuration of the worked example: two members, one plain worker, no virtual hosts.
struct Example {
    a: Origin,
    b: Origin,
    img: Origin,
}

impl Example {
    fn new() -> Self {
        Self {
            a: Origin::named("a"),
            b: Origin::named("b"),
            img: Origin::named("img"),
        }
    }

    fn conf(&self) -> String {
        format!(
            "<Proxy balancer://c>\nBalancerMember {}\nBalancerMember {}\n</Proxy>\nProxyPass /i {}/\nProxyPass / balancer://c/\n",
            self.a.url(),
            self.b.url(),
            self.img.url()
        )
    }

    fn one_child(&self) -> Tine {
        let sizes = "StartServers 1\nMinSpareServers 1\nMaxSpareServers 2\nServerLimit 4\nMaxRequestWorkers 1\n";
        Setup::new().level("debug").sizes(sizes).start(&self.conf())
    }

    /// Number, name and host of each worker in the order in which a child takes them up.
    fn workers(&self) -> [(u32, String, &'static str); 6] {
        let host = "127.0.0.1";
        [
            (0, self.a.url(), host),
            (2, self.b.url(), host),
            (4, format!("{}/", self.img.url()), host),
            (5, "proxy:reverse".to_owned(), "*"),
            (1, self.a.url(), host),
            (3, self.b.url(), host),
        ]
    }
}

/// The lines of 2.2 about this child taking up its workers, without what stands before the message.
fn initialisation(tine: &Tine, pid: Pid) -> Vec<String> {
    let log = tine.error_log();
    let lines = log.lines().filter(|line| {
        line.contains(&format!("pid {pid}]")) || line.contains(&format!("pid {pid}:"))
    });
    let words = [
        "grabbed scoreboard slot",
        "already initialized",
        "initialized single connection worker",
        "initialized worker",
    ];
    let wanted = lines.filter(|line| words.iter().any(|word| line.contains(word)));
    wanted.map(message).collect()
}

/// A line from its `proxy: ` on.
fn message(line: &str) -> String {
    let words = ["proxy: ", "Running scheme ", "proxy_balancer_post_request "];
    let start = words
        .iter()
        .filter_map(|word| line.find(&format!(" {word}")))
        .min();
    start.map_or_else(String::new, |start| line[start + 1..].to_owned())
}

/// The child, once it has taken up everything.
fn the_child(tine: &Tine, lines: usize) -> Pid {
    let mut pid = Pid::from_raw(0);
    until("a child that has taken up its workers", || {
        let Some(child) = tine.children().pop() else {
            return false;
        };
        pid = child;
        initialisation(tine, child).len() >= lines
    });
    pid
}

#[test]
fn the_first_child_grabs_slots_and_keeps_single_connections() {
    if httpd::is_peer() {
        return;
    }
    let example = Example::new();
    let tine = example.one_child();
    let pid = the_child(&tine, 12);
    let mut expected = Vec::new();
    for (id, name, host) in example.workers() {
        expected.push(format!(
            "proxy: grabbed scoreboard slot {id} in child {pid} for worker {name}"
        ));
        expected.push(format!(
            "proxy: initialized single connection worker {id} in child {pid} for ({host})"
        ));
    }
    assert_eq!(initialisation(&tine, pid), expected);
    let line = tine.wait_log("grabbed scoreboard slot 0");
    assert!(line.contains(":debug] "), "{line}");
    assert!(
        line.contains(" proxy_util.c(1818): proxy: grabbed"),
        "{line}"
    );
}

#[test]
fn a_later_child_finds_the_slots_initialized() {
    if httpd::is_peer() {
        return;
    }
    let example = Example::new();
    let tine = example.one_child();
    let first = the_child(&tine, 12);
    kill(first, Signal::SIGKILL).expect("the child runs");
    until("another child", || {
        tine.children().first().is_some_and(|pid| *pid != first)
    });
    let pid = the_child(&tine, 18);
    let mut expected = Vec::new();
    for (id, name, host) in example.workers() {
        expected.push(format!(
            "proxy: grabbed scoreboard slot {id} in child {pid} for worker {name}"
        ));
        expected.push(format!("proxy: worker {name} already initialized"));
        expected.push(format!(
            "proxy: initialized single connection worker {id} in child {pid} for ({host})"
        ));
    }
    assert_eq!(initialisation(&tine, pid), expected);
}

#[test]
fn threaded_shapes_print_their_pools() {
    if httpd::is_peer() {
        return;
    }
    for shape in [Shape::Worker, Shape::Event] {
        let example = Example::new();
        let sizes = "StartServers 1\nServerLimit 1\nThreadsPerChild 8\nMaxRequestWorkers 8\n";
        let tine = Setup::new()
            .shape(shape)
            .level("debug")
            .sizes(sizes)
            .start(&example.conf());
        let pid = the_child(&tine, 12);
        let pools: Vec<String> = initialisation(&tine, pid)
            .into_iter()
            .filter(|line| line.contains("min="))
            .collect();
        let expected = example.workers().map(|(id, _, host)| {
            format!("proxy: initialized worker {id} in child {pid} for ({host}) min=0 max=8 smax=8")
        });
        assert_eq!(pools, expected, "{shape:?}");
    }
}

/// Asserts that messages starting like these are in the log in this order, other messages between them allowed.
#[track_caller]
fn assert_in_order(tine: &Tine, expected: &[String]) {
    until("the last trace line", || {
        let log = tine.error_log();
        let mut messages = log.lines().map(message);
        expected
            .iter()
            .all(|start| messages.any(|message| message.starts_with(start)))
            || missing(tine, expected).is_none()
    });
    assert_eq!(missing(tine, expected), None, "in\n{}", tine.error_log());
}

fn missing(tine: &Tine, expected: &[String]) -> Option<String> {
    let log = tine.error_log();
    let mut messages = log.lines().map(message);
    expected
        .iter()
        .find(|start| !messages.any(|message| message.starts_with(start.as_str())))
        .cloned()
}

#[test]
fn a_balanced_request_is_told_step_by_step() {
    if httpd::is_peer() {
        return;
    }
    let example = Example::new();
    let tine = example.one_child();
    tine.get("/some/path").expect(200);
    let url = example.a.url();
    let port = example.a.port();
    assert_in_order(
        &tine,
        &[
            "proxy: BALANCER: canonicalising URL //c/some/path".to_owned(),
            "proxy: Entering byrequests for BALANCER (balancer://c)".to_owned(),
            format!("proxy: byrequests selected worker \"{url}\" : busy 0 : lbstatus "),
            format!("proxy: BALANCER (balancer://c) worker ({url}) rewritten to {url}/some/path"),
            "Running scheme balancer handler (attempt 0)".to_owned(),
            format!("proxy: HTTP: serving URL {url}/some/path"),
            "proxy: HTTP: has acquired connection for (127.0.0.1)".to_owned(),
            format!("proxy: connecting {url}/some/path to 127.0.0.1:{port}"),
            format!("proxy: connected /some/path to 127.0.0.1:{port}"),
            "proxy: HTTP: fam 2 socket created to connect to 127.0.0.1".to_owned(),
            format!("proxy: HTTP: connection complete to 127.0.0.1:{port} (127.0.0.1)"),
            "proxy: start body send".to_owned(),
            "proxy: end body send".to_owned(),
            "proxy: HTTP: has released connection for (127.0.0.1)".to_owned(),
            "proxy_balancer_post_request for (balancer://c)".to_owned(),
        ],
    );
}

#[test]
fn a_plain_worker_and_a_reused_connection_are_told() {
    if httpd::is_peer() {
        return;
    }
    let example = Example::new();
    let tine = example.one_child();
    let mut client = tine.client();
    client.get("/i/one").expect(200);
    client.get("/i/two").expect(200);
    let url = example.img.url();
    let port = example.img.port();
    assert_in_order(
        &tine,
        &[
            format!("proxy: HTTP: canonicalising URL //127.0.0.1:{port}//one"),
            format!("proxy: http: found worker {url}/ for {url}//one"),
            "Running scheme http handler (attempt 0)".to_owned(),
            "proxy: HTTP: fam 2 socket created to connect to 127.0.0.1".to_owned(),
            "proxy: HTTP: has released connection for (127.0.0.1)".to_owned(),
            format!("proxy: http: found worker {url}/ for {url}//two"),
            "proxy: HTTP: has acquired connection for (127.0.0.1)".to_owned(),
            "proxy: HTTP: has released connection for (127.0.0.1)".to_owned(),
        ],
    );
    assert_eq!(
        tine.log_count("fam 2 socket created"),
        1,
        "the second request reused the connection"
    );
}

#[test]
fn a_head_is_told_as_header_only() {
    if httpd::is_peer() {
        return;
    }
    let example = Example::new();
    let tine = example.one_child();
    let mut client = tine.client();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head_response().expect(200);
    assert_in_order(&tine, &["proxy: header only".to_owned()]);
}

#[test]
fn a_failed_member_its_rest_and_the_forced_recovery_are_told() {
    if httpd::is_peer() {
        return;
    }
    let dead = crate::harness::DeadPort::new();
    let conf = format!(
        "<Proxy balancer://c>\nBalancerMember {}\n</Proxy>\nProxyPass / balancer://c/\n",
        dead.url()
    );
    let tine = Setup::new().level("debug").start(&conf);
    tine.get("/").expect(503);
    tine.wait_log("ap_proxy_connect_backend disabling worker for (127.0.0.1)");
    let refused = tine.wait_log("proxy: HTTP: attempt to connect to");
    assert!(refused.contains("(111)Connection refused"), "{refused}");
    tine.get("/").expect(503);
    tine.wait_log("proxy: BALANCER: retrying the worker for (127.0.0.1)");
    tine.wait_log("proxy: BALANCER: (balancer://c). Forcing recovery for worker (127.0.0.1)");
}

#[test]
fn a_sticky_request_tells_value_and_route() {
    if httpd::is_peer() {
        return;
    }
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let conf = format!(
        "<Proxy balancer://c>\nBalancerMember {} route=one\nBalancerMember {} route=two\nProxySet stickysession=SID\n</Proxy>\n\
         ProxyPass / balancer://c/\n",
        a.url(),
        b.url()
    );
    let tine = Setup::new().level("debug").start(&conf);
    tine.send("GET / HTTP/1.1\r\nHost: a\r\nCookie: SID=abc.two\r\nConnection: close\r\n\r\n")
        .expect(200);
    assert_in_order(
        &tine,
        &[
            "proxy: BALANCER: canonicalising URL //c/".to_owned(),
            "proxy: BALANCER: Found value abc.two for stickysession SID".to_owned(),
            "proxy: BALANCER: Found route two".to_owned(),
            format!(
                "proxy: BALANCER (balancer://c) worker ({}) rewritten to",
                b.url()
            ),
        ],
    );
}

#[test]
fn at_a_quieter_level_there_are_no_traces() {
    let example = Example::new();
    let tine = Tine::start(&example.conf());
    tine.get("/").expect(200);
    assert_eq!(tine.log_count("canonicalising"), 0, "{}", tine.error_log());
}
