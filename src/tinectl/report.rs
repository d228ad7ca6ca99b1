//! The scoreboard in words and tables, for people.

use std::fmt::Write as _;

use scoreboard::{
    LeaseKind, Liveness, MemberView, ProcessState, ProcessView, ServerState, SlotView, Status,
};
use tine::admin::counts::{self, Counts};
use tine::admin::fleet::{self, Group};
use tine::admin::page::Tone;
use tine::admin::units::{age, approximate, brief, grouped, moment, ratio, size, size4};

use super::paint::{self, Paint, Style};
use super::sight::Sight;
use super::table::{Cell, Kind, Table};

/// How a report is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// Characters in a line; `None` where lines may be as long as they like.
    pub(crate) width: Option<usize>,
    pub(crate) paint: Paint,
}

/// Everything that is to be said about one look.
pub(crate) fn render(sight: &Sight, form: Form) -> String {
    let mut report = Report {
        out: String::with_capacity(8192),
        sight,
        form,
    };
    report.health();
    report.summary();
    report.letters();
    report.children();
    report.requests();
    for group in fleet::all(&sight.snapshot) {
        report.balancer(&group);
    }
    report.plain();
    report.out
}

struct Report<'a> {
    out: String,
    sight: &'a Sight,
    form: Form,
}

impl Report<'_> {
    /// The first line: who, whether it is alive, how fresh the rest is. The second: what was read, and when.
    fn health(&mut self) {
        let global = &self.sight.snapshot.global;
        let paint = self.form.paint;
        let server = if global.server.is_empty() {
            "the server"
        } else {
            &global.server
        };
        let pid = global.parent_pid;
        let up = age(self.sight.uptime_s());
        let about = format!("{}, generation {}", self.sight.mpm(), global.generation);
        let silent_ms = self.sight.now_ms.saturating_sub(global.heartbeat_ms);
        let silent = age(silent_ms / 1000);
        let line = match self.sight.liveness {
            Liveness::Live => {
                let state = paint.show(Style::Good, living(global.state));
                let beat = approximate(silent_ms / 100) / 10.0;
                format!(
                    "{server} is {state}: pid {pid}, up {up}, {about}; last heartbeat {beat:.1} s ago"
                )
            }
            Liveness::Hung { .. } => {
                let state = paint.show(Style::Warn, "hung");
                format!(
                    "{server} is {state}: pid {pid} is there but has been silent for {silent}; up {up}, {about}"
                )
            }
            Liveness::Dead if global.heartbeat_ms == 0 => {
                let state = paint.show(Style::Warn, "not there yet");
                format!(
                    "{server} is {state}: the file was made, but no server has said that it runs"
                )
            }
            Liveness::Dead if global.state == Some(ServerState::Stopped) => {
                let state = paint.show(Style::Warn, "stopped");
                format!(
                    "{server} is {state}: pid {pid} ended {silent} ago, after {up}; {about}; these are its last numbers"
                )
            }
            Liveness::Dead => {
                let state = paint.show(Style::Bad, "dead");
                format!(
                    "{server} is {state}: pid {pid} is gone, last heard of {silent} ago, after {up}; {about}; these are its last numbers"
                )
            }
        };
        self.line(format_args!("{line}"));
        let taken = moment(self.sight.now_ms);
        let path = self.sight.path.display().to_string();
        self.line(format_args!(
            "{}",
            paint.show(Style::Dim, format_args!("{path}, read {taken}"))
        ));
    }

    fn summary(&mut self) {
        self.out.push('\n');
        let facts = [
            ("requests", self.work()),
            ("slots", self.slots()),
            ("connections", self.connections()),
            ("children", self.processes()),
        ];
        for (name, value) in facts {
            let name = self
                .form
                .paint
                .show(Style::Dim, format_args!("{name:<12}"))
                .to_string();
            self.line(format_args!("{name}{value}"));
        }
        let global = &self.sight.snapshot.global;
        if let Some(editor) = global.editor {
            self.line(format_args!("process {editor} is editing balancers"));
        }
        if !global.is_extended {
            self.line(format_args!(
                "ExtendedStatus is off: requests, bytes and clients are not noted"
            ));
        }
    }

    /// What was done, and how fast it is done now.
    fn work(&self) -> String {
        let totals = &self.sight.snapshot.totals;
        let rate = match self.sight.rates {
            Some(rates) => {
                format!(
                    "{}/s, {}/s now",
                    brief(rates.accesses_per_s),
                    bytes(rates.bytes_per_s)
                )
            }
            None => {
                let per_s = ratio(totals.accesses, self.sight.uptime_s());
                format!("{}/s since the start", brief(per_s))
            }
        };
        let each_ms = brief(ratio(totals.duration_us, totals.accesses) / 1000.0);
        let (count, bytes) = (grouped(totals.accesses), size(totals.bytes));
        format!("{count} finished, {bytes}, {each_ms} ms each; {rate}")
    }

    fn slots(&self) -> String {
        let counts = Counts::of(&self.sight.snapshot);
        format!(
            "{} busy, {} finishing, {} idle, {} open",
            counts.busy, counts.graceful, counts.idle, counts.open
        )
    }

    fn connections(&self) -> String {
        let snapshot = &self.sight.snapshot;
        let sum = |of: fn(&ProcessView) -> u32| -> u64 {
            snapshot
                .processes
                .iter()
                .map(|child| u64::from(of(child)))
                .sum()
        };
        format!(
            "{} open, {} keep-alive, {} closing, {} tunnels; {} accepted",
            sum(|child| child.connections),
            sum(|child| child.keepalive),
            sum(|child| child.closing),
            sum(|child| child.waiting),
            grouped(snapshot.totals.accepted)
        )
    }

    /// The children, and the processor time of everybody there ever was.
    fn processes(&self) -> String {
        let snapshot = &self.sight.snapshot;
        let global = &snapshot.global;
        let seconds = |own: u64, gone: u64, of: fn(&ProcessView) -> u64| {
            let parts = [own, gone]
                .into_iter()
                .chain(snapshot.processes.iter().map(of));
            brief(approximate(parts.fold(0, u64::saturating_add) / 10_000) / 100.0)
        };
        let user = seconds(global.cpu_user_us, global.children_user_us, |child| {
            child.cpu_user_us
        });
        let system = seconds(global.cpu_system_us, global.children_system_us, |child| {
            child.cpu_system_us
        });
        format!(
            "{} of {}; deaths: {}; CPU time {user} s user, {system} s system",
            snapshot.processes.len(),
            global.processes_limit,
            global.deaths
        )
    }

    fn letters(&mut self) {
        let letters = counts::letters(&self.sight.snapshot);
        self.title("Scoreboard");
        for (row, times) in folded(counts::rows(&letters)) {
            for run in runs(row) {
                let style = run.chars().next().map_or(Style::Plain, paint::of_letter);
                write!(self.out, "{}", self.form.paint.show(style, run)).expect(INFALLIBLE);
            }
            self.out.push('\n');
            if times > 1 {
                let more = format!("… {} more such lines", times - 1);
                self.line(format_args!("{}", self.form.paint.show(Style::Dim, more)));
            }
        }
        let present = counts::KEY
            .iter()
            .filter(|(letter, _)| letters.contains(*letter));
        let key: Vec<String> = present
            .map(|(letter, meaning)| format!("{letter} {}", meaning.to_lowercase()))
            .collect();
        let key = key.join("   ");
        self.line(format_args!("{}", self.form.paint.show(Style::Dim, key)));
    }

    fn children(&mut self) {
        let mut table = Table::new(&[
            ("CHILD", Kind::Number),
            ("PID", Kind::Number),
            ("GEN", Kind::Number),
            ("STATE", Kind::Words),
            ("AGE", Kind::Number),
            ("CONNS", Kind::Number),
            ("KEEPALIVE", Kind::Number),
            ("BUSY", Kind::Number),
            ("ACCESSES", Kind::Number),
            ("BYTES", Kind::Number),
            ("CPU", Kind::Number),
        ]);
        for child in &self.sight.snapshot.processes {
            let counts = Counts::of_process(&self.sight.snapshot, child);
            let cpu_us = child.cpu_user_us.saturating_add(child.cpu_system_us);
            table.row([
                child.index.into(),
                child.pid.into(),
                child.generation.into(),
                child_state(child),
                age(self.sight.age_s(child.start_ms)).into(),
                child.connections.into(),
                child.keepalive.into(),
                (counts.busy + counts.graceful).into(),
                grouped(child.accesses).into(),
                size(child.bytes).into(),
                format!("{:.2}s", approximate(cpu_us) / 1e6).into(),
            ]);
        }
        self.section("Children", &table);
    }

    fn requests(&mut self) {
        let mut table = Table::new(&[
            ("SLOT", Kind::Words),
            ("M", Kind::Words),
            ("SECS", Kind::Number),
            ("CLIENT", Kind::Words),
            ("REQUEST", Kind::Long),
            ("VHOST", Kind::Long),
            ("MEMBER", Kind::Url),
        ]);
        let as_of_us = self.sight.as_of_ms().saturating_mul(1000);
        for slot in counts::shown_slots(&self.sight.snapshot).filter(|slot| is_in_use(slot)) {
            let ms = as_of_us.saturating_sub(slot.last_used_us) / 1000;
            table.row([
                format!("{}.{}", slot.process, slot.slot).into(),
                Cell::styled(slot.letter, paint::of_letter(slot.letter)),
                format!("{:.1}", approximate(ms / 100) / 10.0).into(),
                (&slot.client).into(),
                (&slot.request).into(),
                (&slot.vhost).into(),
                self.member_of(slot).into(),
            ]);
        }
        let counts = Counts::of(&self.sight.snapshot);
        let is_empty = table.is_empty();
        self.section("Requests in flight", &table);
        if is_empty {
            self.title("Requests in flight");
        }
        let rest = format!(
            "{} idle and {} open slots are not listed",
            counts.idle, counts.open
        );
        self.line(format_args!("{}", self.form.paint.show(Style::Dim, rest)));
    }

    /// Where the exchange in a slot is, or was.
    fn member_of(&self, slot: &SlotView) -> String {
        let url = |index: u32| {
            self.sight
                .member(index)
                .map(fleet::shown_url)
                .unwrap_or_default()
        };
        match (slot.lease, slot.member) {
            (Some((index, LeaseKind::Queue)), _) => format!("queued for {}", url(index)),
            (Some((index, LeaseKind::Busy | LeaseKind::Connection)), _) => url(index),
            (None, _) => String::new(),
        }
    }

    fn balancer(&mut self, group: &Group<'_>) {
        let balancer = group.balancer;
        let mut about = format!(
            "{}, maxattempts {}",
            balancer.lbmethod, balancer.max_attempts
        );
        if balancer.timeout_ms > 0 {
            write!(about, ", timeout {} s", balancer.timeout_ms / 1000).expect(INFALLIBLE);
        }
        if let Some((cookie, parameter)) = group.sticky() {
            write!(about, ", stickysession {cookie}").expect(INFALLIBLE);
            if cookie != parameter {
                write!(about, "|{parameter}").expect(INFALLIBLE);
            }
        }
        if group.is_failover_off() {
            about.push_str(", nofailover");
        }
        if !group.is_active() {
            about.push_str(", inactive");
        }
        let usable = group
            .members
            .iter()
            .filter(|member| member.status.usable())
            .count();
        let tally = format!("{usable} of {} members usable", group.members.len());
        let style = if usable == 0 {
            Style::Bad
        } else {
            Style::Plain
        };
        let tally = self.form.paint.show(style, tally).to_string();
        let where_ = if balancer.vhost.is_empty() {
            String::new()
        } else {
            format!(" [{}]", balancer.vhost)
        };
        self.title(&format!("{}{where_}", balancer.name));
        self.line(format_args!("{about}; {tally}"));
        self.members(&group.members);
    }

    fn plain(&mut self) {
        let members = fleet::plain(&self.sight.snapshot);
        if !members.is_empty() {
            self.title("Plain workers");
            self.members(&members);
        }
    }

    fn members(&mut self, members: &[&MemberView]) {
        let mut table = Table::new(&[
            ("MEMBER", Kind::Url),
            ("ROUTE", Kind::Words),
            ("REDIR", Kind::Words),
            ("SET", Kind::Number),
            ("FACTOR", Kind::Number),
            ("STATUS", Kind::Words),
            ("ELECTED", Kind::Number),
            ("BUSY", Kind::Number),
            ("QUEUED", Kind::Number),
            ("LOAD", Kind::Number),
            ("TO", Kind::Number),
            ("FROM", Kind::Number),
        ]);
        for member in members {
            let queued = if member.queued == 0 {
                String::new()
            } else {
                member.queued.to_string()
            };
            table.row([
                fleet::shown_url(member).into(),
                (&member.route).into(),
                (&member.redirect).into(),
                member.lbset.into(),
                fleet::factor(member).into(),
                Cell::styled(
                    member.status.names().trim_end(),
                    tone(fleet::tone(member.status)),
                ),
                grouped(member.elected).into(),
                member.busy.into(),
                queued.into(),
                member.lbstatus.into(),
                size4(member.transferred).trim().into(),
                size4(member.read).trim().into(),
            ]);
        }
        table.render(&mut self.out, self.form.width, self.form.paint);
        for member in members {
            self.trouble(member);
        }
    }

    /// A line on why a member is out of use, and since when.
    fn trouble(&mut self, member: &MemberView) {
        let since_ms = if member.reason_since_ms > 0 {
            member.reason_since_ms
        } else {
            member.error_time_ms
        };
        if member.status.usable() || (member.reason.is_empty() && since_ms == 0) {
            return;
        }
        let mut words = fleet::shown_url(member);
        if !member.reason.is_empty() {
            write!(words, ": {}", member.reason).expect(INFALLIBLE);
        }
        if since_ms > 0 {
            write!(words, ", {} ago", age(self.sight.age_s(since_ms))).expect(INFALLIBLE);
        }
        if member.retries > 0 {
            write!(words, ", failures in a row: {}", member.retries).expect(INFALLIBLE);
        }
        let style = tone(fleet::tone(member.status));
        self.line(format_args!("  {}", self.form.paint.show(style, words)));
    }

    fn section(&mut self, title: &str, table: &Table) {
        if !table.is_empty() {
            self.title(title);
            table.render(&mut self.out, self.form.width, self.form.paint);
        }
    }

    fn title(&mut self, title: &str) {
        self.out.push('\n');
        self.line(format_args!("{}", self.form.paint.show(Style::Bold, title)));
    }

    fn line(&mut self, words: std::fmt::Arguments<'_>) {
        writeln!(self.out, "{words}").expect(INFALLIBLE);
    }
}

/// The first line in as many characters as a terminal has lines for; the rest counted.
pub(crate) fn fit_height(report: &str, height: usize) -> String {
    let lines: Vec<&str> = report.lines().collect();
    if lines.len() <= height {
        return report.to_owned();
    }
    let kept = height.saturating_sub(1);
    let mut text = lines.get(..kept).unwrap_or_default().join("\n");
    write!(text, "\n… {} more lines\n", lines.len() - kept).expect(INFALLIBLE);
    text
}

/// Rows with how often they repeat, where that saves room: a server of many slots has hundreds of lines that say nothing.
fn folded<'a>(rows: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    const WORTH_FOLDING: usize = 3;
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for row in rows {
        match groups.last_mut() {
            Some((last, times)) if *last == row => *times += 1,
            Some(_) | None => groups.push((row, 1)),
        }
    }
    let unfold = |(row, times)| {
        let (copies, each) = if times < WORTH_FOLDING {
            (times, 1)
        } else {
            (1, times)
        };
        std::iter::repeat_n((row, each), copies)
    };
    groups.into_iter().flat_map(unfold).collect()
}

/// Runs of the same letter.
fn runs(row: &str) -> impl Iterator<Item = &str> {
    let mut rest = row;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest.find(|c| c != first).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        rest = after;
        Some(run)
    })
}

fn is_in_use(slot: &SlotView) -> bool {
    !matches!(slot.status, Some(Status::Ready | Status::Dead))
}

/// What a server with a living parent is doing.
fn living(state: Option<ServerState>) -> &'static str {
    match state {
        Some(ServerState::Starting) => "live and starting",
        Some(ServerState::Stopping) => "live and stopping",
        Some(ServerState::Running | ServerState::Stopped) | None => "live",
    }
}

fn child_state(child: &ProcessView) -> Cell {
    let name = child.state.map_or("?", ProcessState::name);
    match child.state {
        Some(ProcessState::Ready) if !child.is_accepting => Cell::styled("full", Style::Warn),
        Some(ProcessState::Ready) => Cell::styled(name, Style::Good),
        Some(ProcessState::Starting | ProcessState::Quiescing) => Cell::styled(name, Style::Warn),
        Some(ProcessState::Dead | ProcessState::Free) | None => Cell::styled(name, Style::Bad),
    }
}

const fn tone(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::Plain,
        Tone::Strong => Style::Bold,
        Tone::Good => Style::Good,
        Tone::Warn => Style::Warn,
        Tone::Bad => Style::Bad,
    }
}

/// Bytes as a rate.
fn bytes(per_second: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate of counts is neither negative nor near 2^64"
    )]
    size(per_second.max(0.0) as u64)
}

const INFALLIBLE: &str = "writing to a string cannot fail";
