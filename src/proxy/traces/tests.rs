//! What children say when they take up their workers: reference §12.6, line by line.

use super::*;
use crate::balancer::Methods;
use crate::proxy::handler::testing::{board, config};
use crate::proxy::{Proxy, SCHEMES};

/// Children of one server, with what each says.
struct Run {
    config: &'static Config,
    board: &'static Board,
}

impl Run {
    fn new(text: &str) -> Self {
        let (config, board) = (config(text), board());
        Proxy::compile(config, board, Methods::default(), SCHEMES).unwrap();
        Self { config, board }
    }

    fn child(&self, pid: u32, threads: u32) -> Vec<String> {
        let mut lines = Vec::new();
        tell_init(self.config, self.board, pid, threads, &mut |trace| {
            lines.push(trace.to_string())
        });
        lines
    }
}

const SLIDES: &str = "
    <Proxy balancer://mycluster>
        BalancerMember http://www1.example.com/
        BalancerMember http://www3.example.com/
        BalancerMember http://www2.example.com/ status=+h
        ProxySet lbmethod=bytraffic
    </Proxy>
    ProxyPass /app balancer://mycluster/
    ";

#[test]
fn the_first_child_of_prefork_grabs_every_slot() {
    let lines = Run::new(SLIDES).child(371, 1);
    let expected = "\
proxy: grabbed scoreboard slot 0 in child 371 for worker http://www1.example.com/
proxy: initialized single connection worker 0 in child 371 for (www1.example.com)
proxy: grabbed scoreboard slot 2 in child 371 for worker http://www3.example.com/
proxy: initialized single connection worker 2 in child 371 for (www3.example.com)
proxy: grabbed scoreboard slot 4 in child 371 for worker http://www2.example.com/
proxy: initialized single connection worker 4 in child 371 for (www2.example.com)
proxy: grabbed scoreboard slot 6 in child 371 for worker proxy:reverse
proxy: initialized single connection worker 6 in child 371 for (*)
proxy: grabbed scoreboard slot 1 in child 371 for worker http://www1.example.com/
proxy: initialized single connection worker 1 in child 371 for (www1.example.com)
proxy: grabbed scoreboard slot 3 in child 371 for worker http://www3.example.com/
proxy: initialized single connection worker 3 in child 371 for (www3.example.com)
proxy: grabbed scoreboard slot 5 in child 371 for worker http://www2.example.com/
proxy: initialized single connection worker 5 in child 371 for (www2.example.com)";
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn later_children_find_the_slots_set_up() {
    let run = Run::new(SLIDES);
    let first = run.child(371, 1);
    let second = run.child(372, 1);
    assert_eq!(
        second[..3],
        [
            "proxy: grabbed scoreboard slot 0 in child 372 for worker http://www1.example.com/",
            "proxy: worker http://www1.example.com/ already initialized",
            "proxy: initialized single connection worker 0 in child 372 for (www1.example.com)",
        ]
    );
    assert_eq!(second.len(), first.len() / 2 * 3);
    // A graceful restart keeps the slots; a new parent begins anew.
    Proxy::compile(run.config, run.board, Methods::default(), SCHEMES).unwrap();
    assert_eq!(run.child(373, 1).len(), second.len());
    run.board.global().start_ms.store(4711, Relaxed);
    assert_eq!(run.child(374, 1).len(), first.len());
}

#[test]
fn threaded_children_say_the_sizes_of_their_pools() {
    let text = SLIDES.replace("www3.example.com/", "www3.example.com/ min=2 max=10 smax=5");
    let lines = Run::new(&text).child(371, 25);
    assert_eq!(
        lines[..4],
        [
            "proxy: grabbed scoreboard slot 0 in child 371 for worker http://www1.example.com/",
            "proxy: initialized worker 0 in child 371 for (www1.example.com) min=0 max=25 smax=25",
            "proxy: grabbed scoreboard slot 2 in child 371 for worker http://www3.example.com/",
            "proxy: initialized worker 2 in child 371 for (www3.example.com) min=2 max=10 smax=5",
        ]
    );
    assert_eq!(lines.len(), 14);
}

#[test]
fn plain_workers_and_members_are_numbered_in_the_order_of_the_configuration() {
    let lines = Run::new(
        "<Proxy balancer://c>\nBalancerMember http://a:8080\nBalancerMember http://b:8080\n</Proxy>\n\
         ProxyPass /c balancer://c\nProxyPass /i http://img/",
    )
    .child(1, 1);
    let grabbed: Vec<_> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("proxy: grabbed scoreboard slot "))
        .collect();
    assert_eq!(
        grabbed,
        [
            "0 in child 1 for worker http://a:8080",
            "2 in child 1 for worker http://b:8080",
            "4 in child 1 for worker http://img/",
            "5 in child 1 for worker proxy:reverse",
            "1 in child 1 for worker http://a:8080",
            "3 in child 1 for worker http://b:8080",
        ]
    );
}

#[test]
fn virtual_hosts_find_the_main_servers_workers_or_have_copies() {
    let base =
        "ProxyPass /i http://img/\n<Proxy balancer://c>\nBalancerMember http://a\n</Proxy>\n";
    let plain = format!("{base}<VirtualHost *:80>\nServerName v\n</VirtualHost>");
    let own = format!(
        "{base}<VirtualHost *:80>\nServerName v\nProxyPass /own http://own/\n</VirtualHost>"
    );
    let shown = |text: &str| {
        Run::new(text)
            .child(1, 1)
            .iter()
            .map(|line| {
                line.trim_start_matches("proxy: ")
                    .replace(" in child 1", "")
                    .replace("initialized single connection worker", "single")
            })
            .map(|line| {
                line.replace("grabbed scoreboard slot", "grabbed")
                    .replace(" for worker", "")
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        shown(&plain),
        [
            "grabbed 0 http://img/",
            "single 0 for (img)",
            "grabbed 1 http://a",
            "single 1 for (a)",
            "grabbed 3 proxy:reverse",
            "single 3 for (*)",
            "worker http://img/ already initialized",
            "worker http://a already initialized",
            "grabbed 2 http://a",
            "single 2 for (a)",
            "worker http://a already initialized",
        ]
    );
    assert_eq!(
        shown(&own),
        [
            "grabbed 0 http://img/",
            "single 0 for (img)",
            "grabbed 1 http://a",
            "single 1 for (a)",
            "grabbed 4 proxy:reverse",
            "single 4 for (*)",
            "grabbed 0 http://img/",
            "worker http://img/ already initialized",
            "single 0 for (img)",
            "grabbed 1 http://a",
            "worker http://a already initialized",
            "single 1 for (a)",
            "grabbed 3 http://own/",
            "single 3 for (own)",
            "grabbed 2 http://a",
            "single 2 for (a)",
            "worker http://a already initialized",
        ]
    );
}
