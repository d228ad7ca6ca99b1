//! `tine --demo`: a running example without a configuration.

use crate::harness::{Client, httpd, until};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

struct Demo {
    process: Child,
    place: tempfile::TempDir,
}

impl Demo {
    fn start() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let said = fs::File::create(place.path().join("said")).expect("our own directory");
        let process = Command::new(httpd::Program::Tine.path())
            .arg("--demo")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(said.try_clone().expect("one more descriptor"))
            .stderr(said)
            .spawn()
            .expect("the program is there");
        Self { process, place }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.place.path().join("said")).unwrap_or_default()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).expect("pids are small"))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        killpg(self.pid(), Signal::SIGKILL).ok();
        self.process.wait().ok();
    }
}

/// The URLs on this machine in a text.
fn urls(text: &str) -> Vec<(SocketAddr, String)> {
    let url = regex::Regex::new(r"http://(127\.0\.0\.1|localhost):(\d+)(/[^\s<>`',)]*)?")
        .expect("a pattern");
    let found = url.captures_iter(text).map(|found| {
        let port: u16 = found[2].parse().expect("a port");
        let path = found.get(3).map_or("/", |path| path.as_str());
        (SocketAddr::from(([127, 0, 0, 1], port)), path.to_owned())
    });
    found.collect()
}

#[test]
fn the_demo_names_urls_that_answer_and_ends_on_ctrl_c() {
    if httpd::is_peer() {
        return;
    }
    let mut demo = Demo::start();
    until("the demo says where it is", || {
        urls(&demo.said())
            .iter()
            .any(|(_, path)| path.contains("status") || path.contains("manager"))
    });
    for (address, path) in urls(&demo.said()) {
        let mut client = Client::connect(address);
        client.send(format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        ));
        let response = client.response();
        assert!(
            response.status < 400,
            "{address}{path}: {response:?}\n{}",
            demo.said()
        );
    }
    kill(demo.pid(), Signal::SIGINT).expect("it runs");
    until("its end", || {
        demo.process.try_wait().expect("it is our child").is_some()
    });
    let status = demo.process.wait().expect("it has ended");
    assert_eq!(status.code(), Some(0), "{}", demo.said());
}

#[test]
fn two_demos_do_not_disturb_each_other() {
    if httpd::is_peer() {
        return;
    }
    let demos = [Demo::start(), Demo::start()];
    for demo in &demos {
        until("the demo answers", || {
            urls(&demo.said())
                .first()
                .is_some_and(|(address, _)| std::net::TcpStream::connect(address).is_ok())
        });
    }
    let places: Vec<_> = demos
        .iter()
        .filter_map(|demo| urls(&demo.said()).first().map(|(address, _)| *address))
        .collect();
    assert_ne!(places[0], places[1]);
}
