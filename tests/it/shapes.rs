//! The same things in prefork, worker and event.

use crate::harness::{Client, Gate, Origin, PatternCheck, Setup, Shape, Tine, httpd, until};
use std::thread;

fn in_each_shape(conf: &str, check: impl Fn(Shape, &Tine)) {
    for shape in Shape::ALL {
        let tine = Setup::new().shape(shape).start(conf);
        check(shape, &tine);
    }
}

#[test]
fn each_shape_serves_gets_posts_and_pipelines() {
    let origin = Origin::start("origin", |call| {
        let target = call.target();
        let content = call.content();
        call.reply(200, &[], &[target.as_bytes(), b":", &content].concat());
    });
    in_each_shape(
        &format!("ProxyPass / {}/\n", origin.url()),
        |shape, tine| {
            let mut client = tine.client();
            assert_eq!(client.get("/a").expect(200).text(), "/a:", "{shape:?}");
            client.send("POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /c HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.response().expect(200).text(), "/b:abc", "{shape:?}");
            assert_eq!(client.response().expect(200).text(), "/c:", "{shape:?}");
            client.send("POST /d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
            assert_eq!(client.response().expect(200).text(), "/d:abc", "{shape:?}");
        },
    );
}

#[test]
fn each_shape_streams_large_contents_both_ways() {
    const SIZE: u64 = 4 * 1024 * 1024;
    let origin = Origin::start("origin", |call| {
        let check = call.check_content();
        assert!(!check.is_wrong, "what arrived is not what was sent");
        call.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"));
        call.send_pattern(SIZE);
    });
    in_each_shape(
        &format!("ProxyPass / {}/\n", origin.url()),
        |shape, tine| {
            let mut client = tine.client();
            client.send(format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n"
            ));
            for at in 0..4 {
                client.send(crate::harness::pattern(at * 1024 * 1024, 1024 * 1024));
            }
            let mut check = PatternCheck::default();
            client
                .streamed(false, &mut |piece| check.add(piece))
                .expect("a whole response")
                .expect(200);
            assert_eq!((check.length, check.is_wrong), (SIZE, false), "{shape:?}");
        },
    );
}

#[test]
fn each_shape_serves_many_clients_at_once() {
    let origin = Origin::start("origin", |call| {
        let target = call.target();
        call.reply(200, &[], target.as_bytes());
    });
    in_each_shape(
        &format!("ProxyPass / {}/\n", origin.url()),
        |shape, tine| {
            if httpd::is_peer() && shape == Shape::Event {
                // httpd's event closes kept connections when it runs out of threads.
                return;
            }
            thread::scope(|scope| {
                for name in 0..12 {
                    scope.spawn(move || {
                        let mut client = tine.client();
                        for turn in 0..20 {
                            let target = format!("/{name}/{turn}");
                            assert_eq!(client.get(&target).expect(200).text(), target, "{shape:?}");
                        }
                    });
                }
            });
        },
    );
}

#[test]
fn each_shape_balances_and_fails_over() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let dead = crate::harness::DeadPort::new();
    let conf = format!(
        "<Proxy balancer://pool>\nBalancerMember {}\nBalancerMember {}\nBalancerMember {}\n</Proxy>\nProxyPass / balancer://pool/\n",
        dead.url(),
        a.url(),
        b.url()
    );
    in_each_shape(&conf, |shape, tine| {
        let names: Vec<String> = (0..6).map(|_| tine.get("/").expect(200).text()).collect();
        assert_eq!(
            names.iter().filter(|name| *name == "a").count(),
            3,
            "{shape:?}: {names:?}"
        );
    });
}

#[test]
fn threads_of_a_child_share_its_pool() {
    for shape in [Shape::Worker, Shape::Event] {
        let origin = Origin::named("here");
        let sizes = "StartServers 1\nServerLimit 1\nThreadsPerChild 4\nMaxRequestWorkers 4\n";
        let tine = Setup::new()
            .shape(shape)
            .sizes(sizes)
            .start(&format!("ProxyPass / {}/\n", origin.url()));
        for _ in 0..40 {
            tine.get("/").expect(200);
        }
        assert!(
            origin.connections() <= 4,
            "{shape:?}: {} connections for 40 requests in turn",
            origin.connections()
        );
    }
}

#[test]
fn max_limits_the_connections_of_a_child() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("slow", move |call| {
        call.wait(&held).reply(200, &[], b"done")
    });
    for shape in [Shape::Worker, Shape::Event] {
        let sizes = "StartServers 1\nServerLimit 1\nThreadsPerChild 8\nMaxRequestWorkers 8\n";
        let conf = format!("ProxyPass / {}/ max=2 acquire=300\n", origin.url());
        let tine = Setup::new().shape(shape).sizes(sizes).start(&conf);
        let before = origin.count();
        let mut clients: Vec<Client> = (0..2).map(|_| tine.client()).collect();
        for client in &mut clients {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        origin.wait_for(before + 2);
        tine.get("/").expect(503);
        assert_eq!(origin.count(), before + 2, "{shape:?}");
    }
    gate.open();
}

#[test]
fn event_keeps_more_idle_connections_than_it_has_workers() {
    let origin = Origin::named("here");
    let sizes = "StartServers 1\nServerLimit 1\nThreadsPerChild 4\nMaxRequestWorkers 4\nAsyncRequestWorkerFactor 16\n";
    let conf = format!("KeepAliveTimeout 30\nProxyPass / {}/\n", origin.url());
    let tine = Setup::new().shape(Shape::Event).sizes(sizes).start(&conf);
    let mut clients: Vec<Client> = (0..30).map(|_| tine.client()).collect();
    for _ in 0..2 {
        for client in &mut clients {
            client.get("/").expect(200);
        }
    }
}

#[test]
fn prefork_gives_each_connection_its_own_child() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("slow", move |call| {
        call.wait(&held).reply(200, &[], b"done")
    });
    let tine = Setup::new().start(&format!(
        "CustomLog logs/test \"%P\"\nProxyPass / {}/\n",
        origin.url()
    ));
    let mut clients: Vec<Client> = (0..4).map(|_| tine.client()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    origin.wait_for(4);
    gate.open();
    for client in &mut clients {
        client.response().expect(200);
    }
    until("four lines", || tine.file("logs/test").lines().count() == 4);
    let log = tine.file("logs/test");
    let mut pids: Vec<&str> = log.lines().collect();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 4);
}

#[test]
fn dash_x_serves_in_one_process() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::named("here");
    let tine = Setup::new()
        .single_process()
        .start(&format!("ProxyPass / {}/\n", origin.url()));
    for _ in 0..5 {
        tine.get("/").expect(200);
    }
    assert!(tine.children().is_empty());
}

#[test]
fn children_do_not_run_as_root() {
    let origin = Origin::named("here");
    let tine = Tine::start(&format!("ProxyPass / {}/\n", origin.url()));
    tine.get("/").expect(200);
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    // A child that was forked a moment ago has not come to it yet.
    until("all children have given up root", || {
        tine.children().into_iter().all(is_nobody)
    });
}

/// Whether none of the user ids of a process is root's; one that has ended has none.
fn is_nobody(pid: nix::unistd::Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status
        .lines()
        .filter_map(|line| line.strip_prefix("Uid:"))
        .all(|ids| ids.split_whitespace().all(|id| id != "0"))
}
