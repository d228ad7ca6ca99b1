//! tine beside its peers: the same load through each, in turn, again and again, and what a request costs in CPU time.
//!
//! Responsible for: starting everything, rounds in which each gets its turn (A B C A B C, so that a machine that slows down slows down
//! everybody), numbers and ratios. Not responsible for installing or building: `scripts/bench` does that and passes its arguments on.
//!
//! Know first:
//! - CPU time is that of the proxy's whole process tree, user and system apart, from /proc. With one core for the proxy it says more than
//!   requests per second, which the load generator limits too.
//! - With two cores or more and taskset, proxies run on core 0, load and backend on core 1.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a tool for developers: it waits, reads the clock and prints"
)]

mod measure;
mod peers;
mod report;

use measure::{Load, Sample};
use peers::{Peer, Scene};
use std::process::ExitCode;

fn main() -> ExitCode {
    match Plan::from_arguments().and_then(|plan| run(&plan)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// What was asked for.
#[derive(Debug)]
struct Plan {
    rounds: usize,
    seconds: u32,
    connections: u32,
    scenarios: Vec<Scenario>,
    only: Vec<String>,
    is_json: bool,
    counts_calls: bool,
}

/// Small answers over kept connections, with one member or with several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scenario {
    name: &'static str,
    members: usize,
}

const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "S1",
        members: 1,
    },
    Scenario {
        name: "S2",
        members: 3,
    },
];

impl Plan {
    fn from_arguments() -> Result<Self, String> {
        let mut plan = Self {
            rounds: 5,
            seconds: 3,
            connections: 64,
            scenarios: SCENARIOS.to_vec(),
            only: Vec::new(),
            is_json: false,
            counts_calls: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("{argument} needs a value"))
            };
            match argument.as_str() {
                "--rounds" => plan.rounds = number(&value()?)?,
                "--seconds" => plan.seconds = number(&value()?)?,
                "--connections" => plan.connections = number(&value()?)?,
                "--scenario" => {
                    let name = value()?;
                    plan.scenarios
                        .retain(|scenario| scenario.name.eq_ignore_ascii_case(&name));
                }
                "--only" => plan.only = value()?.split(',').map(str::to_owned).collect(),
                "--json" => plan.is_json = true,
                "--strace" => plan.counts_calls = true,
                _ => return Err(format!("unknown argument {argument}\n{USAGE}")),
            }
        }
        Ok(plan)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.starts_with(only.as_str()))
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("no number: {text}"))
}

const USAGE: &str = "\
usage: bench [--rounds 5] [--seconds 3] [--connections 64] [--scenario S1|S2] [--only NAME,…] [--json] [--strace]
  names: tine-event tine-worker tine-prefork nginx haproxy apache2-event apache2-worker apache2-prefork (or beginnings of them)";

fn run(plan: &Plan) -> Result<(), String> {
    let mut results = Vec::new();
    for scenario in &plan.scenarios {
        let scene = Scene::start(scenario.members)?;
        let mut running: Vec<Peer> = Vec::new();
        for name in peers::NAMES.iter().filter(|name| plan.wants(name)) {
            match scene.start_peer(name, plan.connections) {
                Ok(peer) => running.push(peer),
                Err(problem) => eprintln!("bench: SKIPPED {name}: {problem}"),
            }
        }
        let load = Load {
            seconds: plan.seconds,
            connections: plan.connections,
        };
        for peer in &running {
            Load { seconds: 1, ..load }.run(peer)?;
        }
        let mut samples: Vec<Vec<Sample>> = running.iter().map(|_| Vec::new()).collect();
        for round in 1..=plan.rounds {
            for (peer, samples) in running.iter().zip(&mut samples) {
                samples.push(load.run(peer)?);
            }
            eprintln!("bench: {} round {round} of {}", scenario.name, plan.rounds);
        }
        let calls = running
            .iter()
            .map(|peer| plan.counts_calls.then(|| measure::calls(peer)).transpose());
        let calls: Vec<_> = calls.collect::<Result<_, _>>()?;
        for ((peer, samples), calls) in running.iter().zip(samples).zip(calls) {
            results.push(report::Row {
                scenario: scenario.name,
                name: peer.name,
                samples,
                calls,
            });
        }
    }
    if plan.is_json {
        report::json(&results)
    } else {
        report::table(&results)
    }
    Ok(())
}
