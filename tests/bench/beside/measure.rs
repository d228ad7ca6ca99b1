//! One measurement: load for some seconds, and what the proxy's process tree used meanwhile.

use crate::peers::{LOAD_CORE, Peer, pinned};
use regex::Regex;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How much load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) seconds: u32,
    pub(crate) connections: u32,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) requests: u64,
    pub(crate) requests_per_s: f64,
    /// CPU time per request.
    pub(crate) user_us: f64,
    pub(crate) system_us: f64,
    /// Answers that were not 2xx, and socket errors.
    pub(crate) errors: u64,
}

impl Sample {
    pub(crate) fn total_us(&self) -> f64 {
        self.user_us + self.system_us
    }
}

impl Load {
    /// Runs it through a proxy.
    pub(crate) fn run(self, peer: &Peer) -> Result<Sample, String> {
        let before = used(peer.pid());
        let output = self
            .wrk(peer)
            .output()
            .map_err(|error| format!("wrk: {error}"))?;
        let after = used(peer.pid());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let requests =
            first(&text, r"(\d+) requests in").ok_or_else(|| format!("wrk says: {text}"))?;
        if requests == 0.0 {
            return Err(format!("{} answers nothing: {text}", peer.name));
        }
        let total_us = after.run_us.saturating_sub(before.run_us) as f64 / requests;
        let user = after.user_share(before);
        Ok(Sample {
            requests: whole(requests),
            requests_per_s: first(&text, r"Requests/sec:\s+([\d.]+)").unwrap_or_default(),
            user_us: total_us * user,
            system_us: total_us * (1.0 - user),
            errors: errors(&text),
        })
    }

    fn wrk(self, peer: &Peer) -> Command {
        let mut command = pinned(LOAD_CORE, "wrk");
        command.args([
            "-t1",
            &format!("-c{}", self.connections),
            &format!("-d{}s", self.seconds),
        ]);
        command.arg(format!("http://127.0.0.1:{}/", peer.port));
        command
    }
}

/// System calls per request, all and by name, most frequent first.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    pub(crate) per_request: f64,
    pub(crate) by_name: Vec<(String, f64)>,
}

/// Counts the system calls of a proxy under a light load; strace slows it down, which does not change the count much.
pub(crate) fn calls(peer: &Peer) -> Result<Calls, String> {
    let place = tempfile::tempdir().map_err(|error| error.to_string())?;
    let list = place.path().join("calls");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-o"]).arg(&list);
    for pid in tree(peer.pid()) {
        strace.args(["-p", &pid.to_string()]);
    }
    let mut strace = strace
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("strace: {error}"))?;
    // strace says nothing when it has attached; with a quarter of a second it has, and idle time costs few calls.
    std::thread::sleep(Duration::from_millis(250));
    let load = Load {
        seconds: 2,
        connections: 8,
    };
    let sample = load.run(peer)?;
    let pid = i32::try_from(strace.id()).map_err(|error| error.to_string())?;
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid),
        nix::sys::signal::Signal::SIGINT,
    )
    .map_err(|error| error.to_string())?;
    strace.wait().map_err(|error| error.to_string())?;
    let text = fs::read_to_string(&list).map_err(|error| format!("strace: {error}"))?;
    Ok(parse_calls(&text, sample.requests))
}

fn parse_calls(text: &str, requests: u64) -> Calls {
    let mut by_name = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_row = words.len() >= 5 && words[0].parse::<f64>().is_ok();
        if let (true, Some(Ok(count))) = (is_row, words.get(3).map(|word| word.parse::<f64>()))
            && words.last() != Some(&"total")
        {
            by_name.push((words[words.len() - 1].to_owned(), count / requests as f64));
        }
    }
    by_name.sort_by(|a, b| b.1.total_cmp(&a.1));
    Calls {
        per_request: by_name.iter().map(|(_, count)| count).sum(),
        by_name,
    }
}

/// CPU time of a process tree.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    /// All of it, from the scheduler.
    run_us: u64,
    /// In clock ticks, each process rounded down: good for a ratio, too coarse for the cost of a request over 64 processes.
    user_ticks: u64,
    system_ticks: u64,
}

impl Used {
    /// Which part of the time since `before` was spent outside of the kernel.
    fn user_share(self, before: Self) -> f64 {
        let user = self.user_ticks.saturating_sub(before.user_ticks);
        let system = self.system_ticks.saturating_sub(before.system_ticks);
        if user + system < 10 {
            return self.user_ticks as f64 / (self.user_ticks + self.system_ticks).max(1) as f64;
        }
        user as f64 / (user + system) as f64
    }
}

/// What a process, its children and theirs have used.
fn used(pid: u32) -> Used {
    let mut sum = Used::default();
    for pid in tree(pid) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let (_, rest) = stat.rsplit_once(") ").unwrap_or_default();
        let field = |at: usize| number(rest.split(' ').nth(at));
        // Fields 14 and 15 of proc(5); the state, field 3, is at 0 here.
        sum.user_ticks += field(11);
        sum.system_ticks += field(12);
        for task in fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let times = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            sum.run_us += number(times.split(' ').next()) / 1000;
        }
    }
    sum
}

fn number(word: Option<&str>) -> u64 {
    word.and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// A process and all that descend from it. /proc has a list of children too, but it is only exact when nothing runs.
fn tree(pid: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found = vec![pid];
    let mut at = 0;
    while at < found.len() {
        let of = found[at];
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == of)
                .map(|(pid, _)| *pid),
        );
        at += 1;
    }
    found
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

fn errors(text: &str) -> u64 {
    let other = first(text, r"Non-2xx or 3xx responses: (\d+)").unwrap_or_default();
    let socket =
        Regex::new(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
            .expect("a pattern of ours");
    let sum: f64 = socket.captures(text).map_or(0.0, |found| {
        (1..=4).filter_map(|at| found[at].parse::<f64>().ok()).sum()
    });
    whole(other + sum)
}

fn first(text: &str, pattern: &str) -> Option<f64> {
    let pattern = Regex::new(pattern).expect("a pattern of ours");
    pattern.captures(text)?[1].parse().ok()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts that wrk printed as whole numbers"
)]
fn whole(number: f64) -> u64 {
    number as u64
}
