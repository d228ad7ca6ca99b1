//! `?auto`: the page for programs, key by key in httpd's order and spelling.

use std::fmt::Write as _;

use super::super::counts::{self, Counts};
use super::super::units::{approximate, moment, number, ratio, span};
use super::super::{fleet, units};
use super::View;

pub(super) fn render(view: &View<'_>) -> String {
    let mut text = String::with_capacity(4096);
    write(&mut text, view).expect("writing to a string cannot fail");
    text
}

fn write(out: &mut String, view: &View<'_>) -> std::fmt::Result {
    let global = &view.snapshot.global;
    writeln!(out, "{}", view.host)?;
    writeln!(out, "ServerVersion: {}", global.server)?;
    writeln!(out, "ServerMPM: {}", view.mpm())?;
    writeln!(out, "Server Built: {}", global.built)?;
    writeln!(out, "CurrentTime: {}", moment(view.now_ms()))?;
    writeln!(out, "RestartTime: {}", moment(global.restart_ms))?;
    writeln!(
        out,
        "ParentServerConfigGeneration: {}",
        global.config_generation
    )?;
    writeln!(out, "ParentServerMPMGeneration: {}", global.generation)?;
    writeln!(out, "ServerUptimeSeconds: {}", view.uptime_s())?;
    writeln!(out, "ServerUptime: {}", span(view.uptime_s()))?;
    if let Some([one, five, fifteen]) = view.load {
        writeln!(out, "Load1: {one:.2}")?;
        writeln!(out, "Load5: {five:.2}")?;
        writeln!(out, "Load15: {fifteen:.2}")?;
    }
    if global.is_extended {
        work(out, view)?;
    }
    let counts = Counts::of(view.snapshot);
    writeln!(out, "BusyWorkers: {}", counts.busy)?;
    writeln!(out, "GracefulWorkers: {}", counts.graceful)?;
    writeln!(out, "IdleWorkers: {}", counts.idle)?;
    if view.is_async() {
        connections(out, view)?;
    }
    writeln!(out, "Scoreboard: {}", counts::letters(view.snapshot))?;
    balancers(out, view)
}

fn work(out: &mut String, view: &View<'_>) -> std::fmt::Result {
    let totals = &view.snapshot.totals;
    let uptime_s = view.uptime_s();
    writeln!(out, "Total Accesses: {}", totals.accesses)?;
    writeln!(out, "Total kBytes: {}", totals.bytes / 1024)?;
    writeln!(out, "Total Duration: {}", totals.duration_us / 1000)?;
    let cpu = view.cpu_s();
    let names = [
        "CPUUser",
        "CPUSystem",
        "CPUChildrenUser",
        "CPUChildrenSystem",
    ];
    for (name, seconds) in names.iter().zip(cpu) {
        writeln!(out, "{name}: {}", number(seconds))?;
    }
    let all: f64 = cpu.iter().sum();
    if all > 0.0 && uptime_s > 0 {
        writeln!(
            out,
            "CPULoad: {}",
            number(all / approximate(uptime_s) * 100.0)
        )?;
    }
    writeln!(out, "Uptime: {uptime_s}")?;
    if uptime_s > 0 {
        writeln!(
            out,
            "ReqPerSec: {}",
            number(ratio(totals.accesses, uptime_s))
        )?;
        writeln!(
            out,
            "BytesPerSec: {}",
            number(ratio(totals.bytes, uptime_s))
        )?;
    }
    if totals.accesses > 0 {
        writeln!(
            out,
            "BytesPerReq: {}",
            number(ratio(totals.bytes, totals.accesses))
        )?;
        let per_request = ratio(totals.duration_us, totals.accesses) / 1000.0;
        writeln!(out, "DurationPerReq: {}", number(per_request))?;
    }
    Ok(())
}

fn connections(out: &mut String, view: &View<'_>) -> std::fmt::Result {
    let children = &view.snapshot.processes;
    let sum = |of: fn(&scoreboard::ProcessView) -> u32| -> u64 {
        children.iter().map(|child| u64::from(of(child))).sum()
    };
    writeln!(out, "Processes: {}", children.len())?;
    writeln!(
        out,
        "Stopping: {}",
        sum(|child| u32::from(counts::is_leaving(child)))
    )?;
    writeln!(out, "ConnsTotal: {}", sum(|child| child.connections))?;
    writeln!(out, "ConnsAsyncWaitIO: {}", sum(|child| child.waiting))?;
    writeln!(out, "ConnsAsyncWriting: {}", sum(|child| child.writing))?;
    writeln!(out, "ConnsAsyncKeepAlive: {}", sum(|child| child.keepalive))?;
    writeln!(out, "ConnsAsyncClosing: {}", sum(|child| child.closing))
}

fn balancers(out: &mut String, view: &View<'_>) -> std::fmt::Result {
    for (at, group) in view.groups.iter().enumerate() {
        writeln!(out, "ProxyBalancer[{at}]Name: {}", group.balancer.name)?;
        for (n, member) in group.members.iter().enumerate() {
            let prefix = format!("ProxyBalancer[{at}]Worker[{n}]");
            writeln!(out, "{prefix}Name: {}", fleet::shown_url(member))?;
            writeln!(out, "{prefix}Status: {}", member.status.names())?;
            writeln!(out, "{prefix}Elected: {}", member.elected)?;
            writeln!(out, "{prefix}Busy: {}", member.busy)?;
            writeln!(
                out,
                "{prefix}Sent: {}K",
                units::kilobytes(member.transferred)
            )?;
            writeln!(out, "{prefix}Rcvd: {}K", units::kilobytes(member.read))?;
        }
    }
    Ok(())
}
