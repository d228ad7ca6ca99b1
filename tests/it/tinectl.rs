//! `tinectl` on a server that runs, and on one that has died: it asks nobody, it reads.

use crate::harness::{Origin, Tine, httpd, until};
use nix::sys::signal::{Signal, killpg};
use std::process::{Command, Output};

fn scoreboard(tine: &Tine, more: &[&str]) -> Output {
    let file = tine.root().join("run/scoreboard");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tinectl"));
    command.args(["scoreboard", "--file"]).arg(file).args(more);
    command.output().expect("the program is there")
}

fn balanced(origin: &Origin) -> Tine {
    Tine::start(&format!(
        "<Proxy balancer://pool>\nBalancerMember {} route=one\n</Proxy>\nProxyPass / balancer://pool/\n",
        origin.url()
    ))
}

#[test]
fn the_scoreboard_of_a_running_server_is_read_from_outside() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::named("here");
    let tine = balanced(&origin);
    for _ in 0..3 {
        tine.get("/").expect(200);
    }
    let output = scoreboard(&tine, &[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    for words in [
        "balancer://pool",
        &origin.url(),
        "one",
        "Init Ok",
        &tine.pid().to_string(),
    ] {
        assert!(text.contains(words), "no `{words}` in\n{text}");
    }
}

#[test]
fn json_of_the_scoreboard_has_the_counts() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::named("here");
    let tine = balanced(&origin);
    for _ in 0..3 {
        tine.get("/").expect(200);
    }
    let output = scoreboard(&tine, &["--json"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = value.to_string();
    assert!(text.contains("\"elected\":3"), "{value:#}");
    assert!(text.contains(&origin.url()), "{value:#}");
}

#[test]
fn the_scoreboard_of_a_dead_server_still_says_what_happened() {
    if httpd::is_peer() {
        return;
    }
    let origin = Origin::named("here");
    let mut tine = balanced(&origin);
    for _ in 0..3 {
        tine.get("/").expect(200);
    }
    killpg(tine.pid(), Signal::SIGKILL).expect("it runs");
    until("its end", || tine.has_ended());
    let output = scoreboard(&tine, &[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains(&origin.url()), "{output:?}");
    assert!(!text.contains(" is live"), "{text}");
}
