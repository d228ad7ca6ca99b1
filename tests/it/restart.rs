//! Starting, stopping, restarting, and what survives: of requests in flight, of counters, of children that are killed.

use crate::harness::client::Broken;
use crate::harness::tine::is_alive;
use crate::harness::{
    Client, DeadPort, Gate, Origin, Response, Setup, Shape, Tine, free_port, httpd, until,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::{SocketAddr, TcpStream};
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[track_caller]
fn control(tine: &Tine, action: &str) {
    let output = tine.control(&["-k", action]);
    assert!(
        output.status.success(),
        "-k {action}: {:?}\n{}",
        output.status,
        said(&output)
    );
}

/// A balancer with a status page.
fn with_status(members: &[String], set: &str) -> String {
    let members: String = members
        .iter()
        .map(|member| format!("BalancerMember {member}\n"))
        .collect();
    format!(
        "ProxyStatus On\n<Location /status>\nSetHandler server-status\n</Location>\n<Proxy balancer://pool>\n{members}{set}\n</Proxy>\n\
         ProxyPass /status !\nProxyPass / balancer://pool/\n"
    )
}

/// The value of a key of `server-status?auto`.
#[track_caller]
fn status(tine: &Tine, key: &str) -> String {
    let page = tine.get("/status?auto").expect(200).text();
    let line = page.lines().find_map(|line| {
        line.strip_prefix(key)?
            .strip_prefix(": ")
            .map(str::to_owned)
    });
    line.unwrap_or_else(|| panic!("no `{key}` in\n{page}"))
}

/// One request, on a kept connection if there is one. A kept connection that the server has closed is no loss; anything else is.
fn request(tine: &Tine, kept: &mut Option<Client>) -> Result<Response, Broken> {
    const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    if let Some(mut client) = kept.take()
        && client.try_send(REQUEST).is_ok()
    {
        match client.try_response(false) {
            Ok(response) => {
                if response.field("connection") != Some("close") {
                    *kept = Some(client);
                }
                return Ok(response);
            }
            Err(Broken::Closed | Broken::Truncated(_)) => {}
            Err(broken) => return Err(broken),
        }
    }
    let mut client = tine.client();
    client.send(REQUEST);
    let response = client.try_response(false)?;
    if response.field("connection") != Some("close") {
        *kept = Some(client);
    }
    Ok(response)
}

#[test]
fn graceful_restarts_under_load_lose_no_request() {
    for shape in Shape::ALL {
        let origin = Origin::named("here");
        let conf = format!("ProxyPass / {}/\n", origin.url());
        let tine = Setup::new().shape(shape).start(&conf);
        let answered = AtomicUsize::new(0);
        thread::scope(|scope| {
            for worker in 0..4 {
                let (tine, answered) = (&tine, &answered);
                scope.spawn(move || {
                    let mut kept = None;
                    for _ in 0..REQUESTS {
                        if worker % 2 == 0 {
                            kept = None;
                        }
                        let response = request(tine, &mut kept)
                            .unwrap_or_else(|broken| panic!("{shape:?}: {broken}"));
                        assert_eq!(response.expect(200).text(), "here");
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            for turn in 1..=3 {
                until("some requests are answered", || {
                    answered.load(Ordering::SeqCst) >= turn * REQUESTS
                });
                control(&tine, "graceful");
            }
        });
        assert_eq!(answered.load(Ordering::SeqCst), 4 * REQUESTS);
    }
}

#[test]
fn a_request_in_flight_survives_a_graceful_restart() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("slow", move |call| {
        // A child of the old generation may still take a connection before it hears of the new one.
        if call.target() == "/slow" {
            call.wait(&held).reply(200, &[], b"slow")
        } else {
            call.reply(200, &[], b"old")
        }
    });
    let other = Origin::named("other");
    let tine = Tine::start(&format!("ProxyPass / {}/\n", origin.url()));
    let mut client = tine.client();
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.wait_for(1);
    tine.rewrite(&format!("ProxyPass / {}/\n", other.url()));
    control(&tine, "graceful");
    until("the new configuration is in force", || {
        tine.get("/").expect(200).text() == "other"
    });
    gate.open();
    assert_eq!(client.response().expect(200).text(), "slow");
    assert!(
        client.is_closed(),
        "a child of the old generation keeps no connection"
    );
}

#[test]
fn graceful_returns_when_the_new_generation_serves() {
    if httpd::is_peer() {
        return;
    }
    let (one, two) = (Origin::named("one"), Origin::named("two"));
    let tine = Tine::start(&format!("ProxyPass / {}/\n", one.url()));
    for (origin, name) in [(&two, "two"), (&one, "one"), (&two, "two")] {
        tine.rewrite(&format!("ProxyPass / {}/\n", origin.url()));
        control(&tine, "graceful");
        until("only the new generation answers", || {
            let texts: Vec<String> = (0..4).map(|_| tine.get("/").expect(200).text()).collect();
            texts.iter().all(|text| text == name)
        });
    }
}

#[test]
fn a_broken_configuration_keeps_the_old_generation_and_says_why() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::named("here");
    let conf = format!("ProxyPass / {}/\n", origin.url());
    let tine = Tine::start(&conf);
    let parent = tine.pid();
    for action in ["graceful", "restart"] {
        tine.rewrite(&format!("{conf}ProxyPas /x http://x/\n"));
        let output = tine.control(&["-k", action]);
        assert_eq!(output.status.code(), Some(1), "{action}: {}", said(&output));
        assert!(
            said(&output).contains("Invalid command 'ProxyPas'"),
            "{action}: {}",
            said(&output)
        );
        assert_eq!(tine.get("/").expect(200).text(), "here", "{action}");
    }
    // The server is told by signal, as a supervisor does: it goes on, too, and its log has the reason.
    tine.signal(Signal::SIGUSR1);
    tine.wait_log("Invalid command 'ProxyPas'");
    assert_eq!(tine.get("/").expect(200).text(), "here");
    tine.rewrite(&conf);
    control(&tine, "graceful");
    assert_eq!(tine.get("/").expect(200).text(), "here");
    assert!(is_alive(parent));
}

#[test]
fn stop_ends_everything_and_removes_the_pid_file() {
    let origin = Origin::named("here");
    let mut tine = Tine::start(&format!("ProxyPass / {}/\n", origin.url()));
    until("children", || !tine.children().is_empty());
    let children = tine.children();
    control(&tine, "stop");
    assert_eq!(tine.wait().code(), Some(0));
    assert!(!tine.root().join("run/tine.pid").exists());
    until("no child is left", || {
        !children.iter().any(|pid| is_alive(*pid))
    });
    if !httpd::is_peer() {
        let again = tine.control(&["-k", "stop"]);
        assert_eq!(again.status.code(), Some(1), "{}", said(&again));
        assert!(said(&again).contains("not running"), "{}", said(&again));
    }
}

#[test]
fn sigterm_is_a_stop() {
    let origin = Origin::named("here");
    let mut tine = Tine::start(&format!("ProxyPass / {}/\n", origin.url()));
    tine.signal(Signal::SIGTERM);
    assert_eq!(tine.wait().code(), Some(0));
    assert!(
        tine.error_log().contains("caught SIGTERM, shutting down"),
        "{}",
        tine.error_log()
    );
}

#[test]
fn graceful_stop_finishes_what_is_in_flight_and_takes_nothing_new() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("slow", move |call| {
        call.wait(&held).reply(200, &[], b"slow")
    });
    let mut tine = Tine::start(&format!("ProxyPass / {}/\n", origin.url()));
    let mut client = tine.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.wait_for(1);
    tine.signal(Signal::SIGWINCH);
    until("nobody listens", || {
        TcpStream::connect(tine.address()).is_err()
    });
    assert!(!tine.has_ended());
    gate.open();
    assert_eq!(client.response().expect(200).text(), "slow");
    assert_eq!(tine.wait().code(), Some(0));
}

#[test]
fn a_graceful_stop_that_takes_too_long_becomes_a_stop() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("slow", move |call| call.wait(&held).close());
    let mut tine = Tine::start(&format!(
        "GracefulShutdownTimeout 1\nProxyPass / {}/\n",
        origin.url()
    ));
    let mut client = tine.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.wait_for(1);
    tine.signal(Signal::SIGWINCH);
    assert_eq!(tine.wait().code(), Some(0));
    gate.open();
}

#[test]
fn restart_replaces_the_children_at_once() {
    let (one, two) = (Origin::named("one"), Origin::named("two"));
    let tine = Tine::start(&format!("ProxyPass / {}/\n", one.url()));
    until("children", || tine.children().len() >= 2);
    let before = tine.children();
    let parent = tine.pid();
    tine.rewrite(&format!("ProxyPass / {}/\n", two.url()));
    control(&tine, "restart");
    until("all children are new", || {
        let children = tine.children();
        !children.is_empty() && !children.iter().any(|pid| before.contains(pid))
    });
    assert_eq!(tine.get("/").expect(200).text(), "two");
    assert_eq!(tine.pid(), parent);
    assert!(is_alive(parent));
}

#[test]
fn start_detaches_and_refuses_to_run_twice() {
    let origin = Origin::named("here");
    let mut foreground = Tine::start(&format!("ProxyPass / {}/\n", origin.url()));
    control(&foreground, "stop");
    foreground.wait();
    let output = foreground.control(&["-k", "start"]);
    assert!(output.status.success(), "{}", said(&output));
    let pid_file = foreground.root().join("run/tine.pid");
    until("the pid file", || pid_file.exists());
    until("it serves", || {
        TcpStream::connect(foreground.address()).is_ok()
    });
    assert_eq!(foreground.get("/").expect(200).text(), "here");
    let again = foreground.control(&["-k", "start"]);
    assert!(said(&again).contains("already running"), "{}", said(&again));
    if !httpd::is_peer() {
        assert_eq!(again.status.code(), Some(1));
    }
    let pid = std::fs::read_to_string(&pid_file).expect("it is there");
    let pid = Pid::from_raw(pid.trim().parse().expect("a number"));
    control(&foreground, "stop");
    until("the detached server has ended", || !is_alive(pid));
}

#[test]
fn killed_children_are_replaced_and_leave_no_claim_behind() {
    if httpd::is_peer() {
        return;
    }
    for shape in Shape::ALL {
        let gate = Gate::new();
        let held = gate.clone();
        let origin = Origin::start("slow", move |call| {
            if call.target() == "/slow" {
                call.wait(&held);
            }
            call.reply(200, &[], b"done");
        });
        let tine = Setup::new().shape(shape).start(&with_status(
            &[origin.url()],
            "ProxySet lbmethod=bybusyness",
        ));
        let mut clients: Vec<Client> = (0..3).map(|_| tine.client()).collect();
        for client in &mut clients {
            client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        origin.wait_for(3);
        assert_eq!(status(&tine, BUSY), "3", "{shape:?}");
        let children = tine.children();
        for child in &children {
            kill(*child, Signal::SIGKILL).expect("the child runs");
        }
        for client in &mut clients {
            assert!(client.try_response(false).is_err(), "{shape:?}");
        }
        gate.open();
        until("the claims of the dead are settled", || {
            status(&tine, BUSY) == "0"
        });
        tine.get("/").expect(200);
        until("the dead are buried", || {
            !tine.children().iter().any(|pid| children.contains(pid))
        });
        assert!(
            tine.error_log().contains("exit signal Killed (9)"),
            "{shape:?}: {}",
            tine.error_log()
        );
    }
}

/// Ends the threads that watch this when the test ends, in whatever way.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn children_killed_under_load_cost_only_their_own_requests() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::named("here");
    let tine = Tine::start(&with_status(&[origin.url()], ""));
    let is_over = AtomicBool::new(false);
    let end = Over(&is_over);
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        let end = end;
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let mut client = tine.client();
                    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                    if let Ok(response) = client.try_response(false) {
                        assert_eq!(response.expect(200).text(), "here");
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        for round in 1..=5 {
            until("some requests are answered", || {
                answered.load(Ordering::SeqCst) >= round * 50
            });
            for child in tine.children() {
                kill(child, Signal::SIGKILL).ok();
            }
        }
        until("requests are answered after the last kill", || {
            answered.load(Ordering::SeqCst) >= 400
        });
        drop(end);
    });
    until("nothing is claimed", || status(&tine, BUSY) == "0");
}

#[test]
fn children_end_when_their_parent_is_killed() {
    if httpd::is_peer() {
        return;
    }
    for shape in Shape::ALL {
        let origin = Origin::named("here");
        let tine = Setup::new()
            .shape(shape)
            .start(&format!("ProxyPass / {}/\n", origin.url()));
        tine.get("/").expect(200);
        let children = tine.children();
        assert!(!children.is_empty());
        tine.signal(Signal::SIGKILL);
        until("no child is left", || {
            !children.iter().any(|pid| is_alive(*pid))
        });
    }
}

#[test]
fn counters_and_member_states_survive_a_graceful_restart() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::named("here");
    let dead = DeadPort::new();
    let members = [format!("{} retry=3600", dead.url()), origin.url()];
    let conf = with_status(&members, "");
    let tine = Tine::start(&conf);
    for _ in 0..5 {
        tine.get("/").expect(200);
    }
    let elected = status(&tine, "ProxyBalancer[0]Worker[1]Elected");
    assert_eq!(elected, "5");
    assert!(status(&tine, "ProxyBalancer[0]Worker[0]Status").contains("Err"));
    control(&tine, "graceful");
    assert_eq!(status(&tine, "ProxyBalancer[0]Worker[1]Elected"), elected);
    assert!(status(&tine, "ProxyBalancer[0]Worker[0]Status").contains("Err"));
    assert!(
        status(&tine, "Total Accesses")
            .parse::<u64>()
            .expect("a number")
            >= 5
    );
    // Another member in front moves nobody's numbers.
    let extra = Origin::named("extra");
    let members = [
        extra.url(),
        format!("{} retry=3600", dead.url()),
        origin.url(),
    ];
    tine.rewrite(&with_status(&members, ""));
    control(&tine, "graceful");
    until("the new member is shown", || {
        status(&tine, "ProxyBalancer[0]Worker[0]Name") == extra.url()
    });
    assert_eq!(status(&tine, "ProxyBalancer[0]Worker[2]Elected"), elected);
    assert!(status(&tine, "ProxyBalancer[0]Worker[1]Status").contains("Err"));
    assert_eq!(status(&tine, "ProxyBalancer[0]Worker[0]Elected"), "0");
}

#[test]
fn a_graceful_restart_may_add_and_remove_listeners() {
    let origin = Origin::named("here");
    let conf = format!("ProxyPass / {}/\n", origin.url());
    let tine = Tine::start(&conf);
    let port = free_port();
    let second = SocketAddr::from(([127, 0, 0, 1], port));
    tine.rewrite(&format!("Listen 127.0.0.1:{port}\n{conf}"));
    control(&tine, "graceful");
    until("the second port serves", || {
        TcpStream::connect(second).is_ok()
    });
    assert_eq!(Client::connect(second).get("/").expect(200).text(), "here");
    assert_eq!(tine.get("/").expect(200).text(), "here");
    tine.rewrite(&conf);
    control(&tine, "graceful");
    until("the second port is closed", || {
        TcpStream::connect(second).is_err()
    });
    assert_eq!(tine.get("/").expect(200).text(), "here");
}

#[test]
fn maxconnectionsperchild_replaces_children_without_losing_requests() {
    let origin = Origin::named("here");
    let conf = format!("MaxConnectionsPerChild 5\nProxyPass / {}/\n", origin.url());
    let sizes = "StartServers 1\nMinSpareServers 1\nMaxSpareServers 2\nServerLimit 4\nMaxRequestWorkers 4\n";
    let tine = Setup::new().sizes(sizes).start(&conf);
    until("a child", || !tine.children().is_empty());
    let before = tine.children();
    for _ in 0..30 {
        tine.get("/").expect(200);
    }
    until("the first children have been replaced", || {
        !tine.children().iter().any(|pid| before.contains(pid))
    });
}

#[test]
fn spare_children_follow_the_load() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("slow", move |call| {
        call.wait(&held).reply(200, &[], b"done")
    });
    let sizes = "StartServers 1\nMinSpareServers 1\nMaxSpareServers 2\nServerLimit 8\nMaxRequestWorkers 8\n";
    let tine = Setup::new()
        .sizes(sizes)
        .start(&format!("ProxyPass / {}/\n", origin.url()));
    let mut clients: Vec<Client> = (0..6).map(|_| tine.client()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    // One child serves one connection in prefork: six requests at the backend mean six children.
    origin.wait_for(6);
    assert!(tine.children().len() >= 6);
    gate.open();
    for client in &mut clients {
        client.response().expect(200);
    }
    until("spare children are let go", || tine.children().len() <= 3);
}

/// How many requests each of the clients makes during the restarts.
const REQUESTS: usize = 100;
/// The claims on the only member of the only balancer.
const BUSY: &str = "ProxyBalancer[0]Worker[0]Busy";
