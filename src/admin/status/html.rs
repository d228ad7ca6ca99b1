//! The page for people.

use scoreboard::{ProcessView, SlotView, Snapshot, Status};

use super::super::counts::{self, Counts, KEY};
use super::super::fleet::{self, Group};
use super::super::page::{Cell, Column, Page, Table, Tone};
use super::super::units::{approximate, brief, moment, number, ratio, size, size4, span};
use super::View;

pub(super) fn render(view: &View<'_>, is_tableless: bool) -> String {
    let heading = format!("Server Status for {} (via {})", view.host, view.via);
    let mut page = Page::new("Server Status", heading);
    facts(&mut page, view);
    if view.is_async() {
        connections(&mut page, view.snapshot);
    }
    board(&mut page, view.snapshot);
    if !view.snapshot.global.is_extended {
        children(&mut page, view.snapshot);
    } else if is_tableless {
        lines(&mut page, view);
    } else {
        slots(&mut page, view);
    }
    for group in &view.groups {
        balancer(&mut page, group);
    }
    if !view.groups.is_empty() {
        page.key("What the columns of balancers mean", &MEMBER_COLUMNS);
    }
    page.finish()
}

fn facts(page: &mut Page, view: &View<'_>) {
    let global = &view.snapshot.global;
    let mut facts = vec![
        ("Server Version", global.server.clone()),
        ("Server MPM", view.mpm().to_owned()),
        ("Server Built", global.built.clone()),
        ("Current Time", moment(view.now_ms())),
        ("Restart Time", moment(global.restart_ms)),
        (
            "Parent Server Config. Generation",
            global.config_generation.to_string(),
        ),
        (
            "Parent Server MPM Generation",
            global.generation.to_string(),
        ),
        ("Server uptime", span(view.uptime_s())),
    ];
    if let Some([one, five, fifteen]) = view.load {
        facts.push(("Server load", format!("{one:.2} {five:.2} {fifteen:.2}")));
    }
    if global.is_extended {
        facts.extend(work(view));
    }
    page.facts(&facts);
    let counts = Counts::of(view.snapshot);
    page.paragraph(format_args!(
        "{} requests currently being processed, {} workers gracefully restarting, {} idle workers",
        counts.busy, counts.graceful, counts.idle
    ));
}

/// What was done since the server started, and what it took.
fn work(view: &View<'_>) -> Vec<(&'static str, String)> {
    let totals = &view.snapshot.totals;
    let uptime_s = view.uptime_s();
    let [user, system, children_user, children_system] = view.cpu_s();
    let mut cpu = format!(
        "u{} s{} cu{} cs{}",
        number(user),
        number(system),
        number(children_user),
        number(children_system)
    );
    let all = user + system + children_user + children_system;
    if all > 0.0 && uptime_s > 0 {
        let load = all / approximate(uptime_s) * 100.0;
        cpu.push_str(&format!(" - {}% CPU load", brief(load)));
    }
    let mut rates = Vec::new();
    if uptime_s > 0 {
        rates.push(format!(
            "{} requests/sec",
            brief(ratio(totals.accesses, uptime_s))
        ));
        rates.push(format!("{}/second", size(totals.bytes / uptime_s)));
    }
    if let Some(bytes_each) = totals.bytes.checked_div(totals.accesses) {
        rates.push(format!("{}/request", size(bytes_each)));
        let each = ratio(totals.duration_us, totals.accesses) / 1000.0;
        rates.push(format!("{} ms/request", brief(each)));
    }
    vec![
        ("Total accesses", totals.accesses.to_string()),
        ("Total Traffic", size(totals.bytes)),
        (
            "Total Duration",
            format!("{} ms", totals.duration_us / 1000),
        ),
        ("CPU Usage", cpu),
        ("Rates", rates.join(" - ")),
    ]
}

fn connections(page: &mut Page, snapshot: &Snapshot) {
    let mut sums = [0_u64; 8];
    let mut stopping = 0_u32;
    let mut rows = Vec::new();
    for child in &snapshot.processes {
        let threads = Counts::of_process(snapshot, child);
        let is_leaving = counts::is_leaving(child);
        stopping += u32::from(is_leaving);
        let numbers = [
            child.connections,
            threads.busy,
            threads.graceful,
            threads.idle,
            child.waiting,
            child.writing,
            child.keepalive,
            child.closing,
        ];
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum += u64::from(number);
        }
        let flags = [yes_no(is_leaving), yes_no(child.is_accepting)];
        rows.push(connection_row(
            Cell::new(child.index),
            Cell::new(child.pid),
            flags,
            numbers.map(u64::from),
        ));
    }
    let flags = [stopping.to_string(), String::new()];
    let sums = connection_row(Cell::new("Sum"), Cell::new(rows.len()), flags, sums);
    page.table(&Table {
        caption: "Connections",
        columns: &CONNECTION_COLUMNS,
        rows,
        sums,
    });
}

fn connection_row(slot: Cell, pid: Cell, flags: [String; 2], numbers: [u64; 8]) -> Vec<Cell> {
    let [stopping, accepting] = flags.map(Cell::new);
    let [total, rest @ ..] = numbers.map(Cell::new);
    let mut row = vec![slot, pid, stopping, total, accepting];
    row.extend(rest);
    row
}

fn yes_no(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

fn board(page: &mut Page, snapshot: &Snapshot) {
    let letters = counts::letters(snapshot);
    page.heading("Scoreboard").markup("<pre>");
    for row in counts::rows(&letters) {
        page.text(row).markup("\n");
    }
    page.markup("</pre>\n<p class=\"key\">");
    for (at, (letter, meaning)) in KEY.iter().enumerate() {
        if at > 0 {
            page.markup(", ");
        }
        page.markup("<span><code>")
            .text(letter)
            .markup("</code> ")
            .text(meaning)
            .markup("</span>");
    }
    page.markup("</p>\n");
}

/// Without ExtendedStatus: which child has which process id.
fn children(page: &mut Page, snapshot: &Snapshot) {
    let rows = snapshot
        .processes
        .iter()
        .map(|child| {
            let letters: String = counts::slots_of(snapshot, child.index)
                .map(|slot| slot.letter)
                .collect();
            vec![
                Cell::new(child.index),
                Cell::new(child.pid),
                Cell::new(letters),
            ]
        })
        .collect();
    page.heading("Children");
    page.table(&Table {
        caption: "PID Key",
        columns: &CHILD_COLUMNS,
        rows,
        sums: Vec::new(),
    });
    page.paragraph("To obtain a full report with current status information you need to use the ExtendedStatus On directive.");
}

/// The slots worth a line: in use, or used before.
fn worked<'a>(view: &'a View<'_>) -> impl Iterator<Item = &'a SlotView> {
    counts::shown_slots(view.snapshot).filter(|slot| {
        slot.accesses > 0 || !matches!(slot.status, Some(Status::Ready | Status::Dead) | None)
    })
}

fn slots(page: &mut Page, view: &View<'_>) {
    let rows = worked(view).map(|slot| slot_row(view, slot)).collect();
    page.heading("Requests");
    page.table(&Table {
        caption: "Present or most recent request of each slot",
        columns: &SLOT_COLUMNS,
        rows,
        sums: Vec::new(),
    });
    page.key("What the columns of requests mean", &SLOT_COLUMNS);
}

fn slot_row(view: &View<'_>, slot: &SlotView) -> Vec<Cell> {
    let is_dead = slot.status == Some(Status::Dead);
    let is_idle = is_dead || slot.status == Some(Status::Ready);
    let tone = if is_idle { Tone::Plain } else { Tone::Strong };
    vec![
        Cell::toned(format_args!("{}-{}", slot.process, slot.generation), tone),
        if is_dead {
            Cell::new("-")
        } else {
            Cell::new(slot.pid)
        },
        Cell::new(format_args!(
            "{}/{}/{}",
            slot.conn_accesses, slot.child_accesses, slot.accesses
        )),
        Cell::toned(slot.letter, tone),
        Cell::new(format_args!("{:.2}", cpu_s(view.snapshot, slot))),
        Cell::new(view.now_us.saturating_sub(slot.last_used_us) / 1_000_000),
        Cell::new(slot.stop_us.saturating_sub(slot.start_us) / 1000),
        Cell::new(slot.duration_us / 1000),
        Cell::new(format_args!("{:.1}", approximate(slot.conn_bytes) / 1024.0)),
        Cell::new(format_args!("{:.2}", approximate(slot.child_bytes) / MEGA)),
        Cell::new(format_args!("{:.2}", approximate(slot.bytes) / MEGA)),
        Cell::new(&slot.client),
        Cell::new(&slot.protocol),
        Cell::new(&slot.vhost),
        Cell::new(&slot.request),
    ]
}

/// The same as lines of text, for `?notable`.
fn lines(page: &mut Page, view: &View<'_>) {
    page.heading("Server Details").markup("<ul>\n");
    for slot in worked(view) {
        let pid = if slot.status == Some(Status::Dead) {
            0
        } else {
            slot.pid
        };
        page.markup("<li><b>")
            .text(format_args!("Server {}-{}", slot.process, slot.generation))
            .markup("</b> ")
            .text(format_args!(
                "({pid}): {}|{}|{} [{}] u{:.2} {} {} ({}|{}|{}) ",
                slot.conn_accesses,
                slot.child_accesses,
                slot.accesses,
                slot.letter,
                cpu_s(view.snapshot, slot),
                view.now_us.saturating_sub(slot.last_used_us) / 1_000_000,
                slot.stop_us.saturating_sub(slot.start_us) / 1000,
                size(slot.conn_bytes),
                size(slot.child_bytes),
                size(slot.bytes),
            ))
            .markup("<i>")
            .text(format_args!("{} {{{}}}", slot.client, slot.request))
            .markup("</i> ")
            .text(format_args!("({}) [{}]", slot.protocol, slot.vhost))
            .markup("</li>\n");
    }
    page.markup("</ul>\n");
}

/// The processor time of the child that has the slot. Slots share their child's processor, so no slot has one of its own.
fn cpu_s(snapshot: &Snapshot, slot: &SlotView) -> f64 {
    let is_its = |child: &&ProcessView| child.index == slot.process && child.pid == slot.pid;
    let child = snapshot.processes.iter().find(is_its);
    child.map_or(0.0, |child| {
        approximate(child.cpu_user_us.saturating_add(child.cpu_system_us)) / 1e6
    })
}

fn balancer(page: &mut Page, group: &Group<'_>) {
    let sticky = group.sticky().map_or_else(
        || "-".to_owned(),
        |(cookie, parameter)| format!("{cookie} | {parameter}"),
    );
    let about = vec![vec![
        Cell::new(sticky),
        Cell::new(group.balancer.timeout_ms / 1000),
        Cell::new(&group.balancer.lbmethod),
    ]];
    let rows = group
        .members
        .iter()
        .map(|member| {
            let url = fleet::shown_url(member);
            let (scheme, host) = super::scheme_and_host(&url);
            vec![
                Cell::new(scheme),
                Cell::new(host),
                Cell::toned(member.status.names().trim_end(), fleet::tone(member.status)),
                Cell::new(&member.route),
                Cell::new(&member.redirect),
                Cell::new(fleet::factor(member)),
                Cell::new(member.lbset),
                Cell::new(member.elected),
                Cell::new(member.busy),
                Cell::new(size4(member.transferred)),
                Cell::new(size4(member.read)),
            ]
        })
        .collect();
    page.heading(format_args!(
        "Proxy LoadBalancer Status for {}",
        group.balancer.name
    ));
    let columns = &BALANCER_COLUMNS;
    page.table(&Table {
        caption: "Balancer",
        columns,
        rows: about,
        sums: Vec::new(),
    });
    let columns = &MEMBER_COLUMNS;
    page.table(&Table {
        caption: "Members",
        columns,
        rows,
        sums: Vec::new(),
    });
}

const MEGA: f64 = 1024.0 * 1024.0;

const CONNECTION_COLUMNS: [Column; 12] = [
    Column::words("Slot", ""),
    Column::numbers("PID", ""),
    Column::words("Stopping", ""),
    Column::numbers("Connections", ""),
    Column::words("accepting", ""),
    Column::numbers("Threads busy", ""),
    Column::numbers("graceful", ""),
    Column::numbers("idle", ""),
    Column::numbers("Async wait-io", ""),
    Column::numbers("writing", ""),
    Column::numbers("keep-alive", ""),
    Column::numbers("closing", ""),
];

const CHILD_COLUMNS: [Column; 3] = [
    Column::words("Srv", ""),
    Column::numbers("PID", ""),
    Column::words("M", ""),
];

const SLOT_COLUMNS: [Column; 15] = [
    Column::words("Srv", "Child Server number - generation"),
    Column::numbers("PID", "OS process ID"),
    Column::numbers(
        "Acc",
        "Number of accesses this connection / this child / this slot",
    ),
    Column::words("M", "Mode of operation"),
    Column::numbers("CPU", "CPU usage of the child, number of seconds"),
    Column::numbers("SS", "Seconds since beginning of most recent request"),
    Column::numbers(
        "Req",
        "Milliseconds required to process most recent request",
    ),
    Column::numbers(
        "Dur",
        "Sum of milliseconds required to process all requests",
    ),
    Column::numbers("Conn", "Kilobytes transferred this connection"),
    Column::numbers("Child", "Megabytes transferred this child"),
    Column::numbers("Slot", "Total megabytes transferred this slot"),
    Column::words("Client", "Address of the client"),
    Column::words("Protocol", "Protocol of the client connection"),
    Column::words("VHost", "Virtual host and port"),
    Column::texts("Request", "First line of the request"),
];

const BALANCER_COLUMNS: [Column; 3] = [
    Column::words("SSes", "Sticky session name"),
    Column::numbers("Timeout", "Balancer Timeout"),
    Column::words("Method", "Balancing method"),
];

const MEMBER_COLUMNS: [Column; 11] = [
    Column::words("Sch", "Connection scheme"),
    Column::words("Host", "Backend Hostname"),
    Column::words("Stat", "Worker status"),
    Column::words("Route", "Session Route"),
    Column::words("Redir", "Session Route Redirection"),
    Column::numbers("F", "Load Balancer Factor"),
    Column::numbers("Set", "Load Balancer Set"),
    Column::numbers("Acc", "Number of uses"),
    Column::numbers("Busy", "Requests there now"),
    Column::numbers("Wr", "Number of bytes transferred"),
    Column::numbers("Rd", "Number of bytes read"),
];
