//! The scoreboard as JSON, for programs.
//!
//! Know first: the keys are an interface. `tinectl scoreboard --help` documents them; new ones may come, and whoever changes what one means
//! raises [`FORMAT`]. Secrets stay inside: passwords in URLs are masked, nonces are not written.

use scoreboard::{
    Capacity, LeaseKind, Liveness, MemberView, ProcessState, ProcessView, ServerState, SlotView,
    Status,
};
use serde::Serialize;
use tine::admin::counts::{self, Counts};
use tine::admin::fleet::{self, Group};

use super::sight::{Rates, Sight};

/// The version of the meaning of the keys.
const FORMAT: u32 = 1;

/// One look as a JSON document; in one line or laid out for reading.
pub(crate) fn render(sight: &Sight, is_one_line: bool) -> String {
    let document = Document::of(sight);
    let text = if is_one_line {
        serde_json::to_string(&document)
    } else {
        serde_json::to_string_pretty(&document)
    };
    let mut text = text.expect("plain structs with text keys are JSON");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Document {
    format: u32,
    file: String,
    taken_ms: u64,
    server: Server,
    capacity: Room,
    totals: Work,
    rates: Option<Speed>,
    slots: Slots,
    children: Vec<Child>,
    requests: Vec<Request>,
    balancers: Vec<Balancer>,
    plain: Vec<Member>,
}

#[derive(Serialize)]
struct Server {
    health: &'static str,
    silent_ms: u64,
    state: Option<&'static str>,
    pid: u32,
    version: String,
    built: String,
    mpm: Option<&'static str>,
    generation: u32,
    config_generation: u32,
    start_ms: u64,
    restart_ms: u64,
    heartbeat_ms: u64,
    uptime_s: u64,
    extended: bool,
    deaths: u64,
    editor_pid: Option<u32>,
    cpu: Cpu,
}

#[derive(Serialize)]
struct Cpu {
    user_us: u64,
    system_us: u64,
    children_user_us: u64,
    children_system_us: u64,
}

#[derive(Serialize)]
struct Room {
    processes: u32,
    slots_per_process: u32,
    balancers: u32,
    members: u32,
    processes_limit: u32,
}

#[derive(Serialize)]
struct Work {
    accesses: u64,
    bytes: u64,
    duration_us: u64,
    accepted: u64,
}

#[derive(Serialize)]
struct Speed {
    interval_s: f64,
    accesses_per_s: f64,
    bytes_per_s: f64,
}

#[derive(Serialize)]
struct Slots {
    busy: u32,
    graceful: u32,
    idle: u32,
    open: u32,
    letters: String,
}

#[derive(Serialize)]
struct Child {
    index: u32,
    pid: u32,
    generation: u32,
    state: Option<&'static str>,
    threads: u32,
    start_ms: u64,
    last_activity_ms: u64,
    accepting: bool,
    connections: u32,
    keepalive: u32,
    writing: u32,
    closing: u32,
    waiting: u32,
    exchanges: u32,
    slots_taken: u32,
    accesses: u64,
    bytes: u64,
    duration_us: u64,
    accepted: u64,
    cpu_user_us: u64,
    cpu_system_us: u64,
}

#[derive(Serialize)]
struct Request {
    child: u32,
    slot: u32,
    letter: char,
    pid: u32,
    generation: u32,
    thread: u32,
    since_us: u64,
    start_us: u64,
    client: String,
    request: String,
    vhost: String,
    protocol: String,
    member: Option<u32>,
    lease: Option<&'static str>,
    conn_accesses: u32,
    child_accesses: u64,
    accesses: u64,
    conn_bytes: u64,
    child_bytes: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Balancer {
    index: u32,
    name: String,
    vhost: String,
    lbmethod: String,
    sticky: Option<String>,
    timeout_ms: u64,
    max_attempts: u32,
    active: bool,
    failover: bool,
    growth: u32,
    members: Vec<Member>,
}

#[derive(Serialize)]
struct Member {
    index: u32,
    url: String,
    route: String,
    redirect: String,
    lbset: u32,
    lbfactor: f64,
    status: String,
    status_bits: u32,
    usable: bool,
    elected: u64,
    busy: u64,
    queued: u64,
    connections: u64,
    lbstatus: i64,
    transferred: u64,
    read: u64,
    retries: u32,
    error_time_ms: Option<u64>,
    retry_ms: u64,
    reason: String,
    reason_since_ms: Option<u64>,
}

impl Document {
    fn of(sight: &Sight) -> Self {
        let snapshot = &sight.snapshot;
        let totals = snapshot.totals;
        let in_use = |slot: &&SlotView| !matches!(slot.status, Some(Status::Ready | Status::Dead));
        Self {
            format: FORMAT,
            file: sight.path.display().to_string(),
            taken_ms: sight.now_ms,
            server: Server::of(sight),
            capacity: Room::of(snapshot.global.capacity, snapshot.global.processes_limit),
            totals: Work {
                accesses: totals.accesses,
                bytes: totals.bytes,
                duration_us: totals.duration_us,
                accepted: totals.accepted,
            },
            rates: sight.rates.map(Speed::of),
            slots: Slots::of(sight),
            children: snapshot.processes.iter().map(Child::of).collect(),
            requests: counts::shown_slots(snapshot)
                .filter(in_use)
                .map(Request::of)
                .collect(),
            balancers: fleet::all(snapshot).iter().map(Balancer::of).collect(),
            plain: fleet::plain(snapshot).into_iter().map(Member::of).collect(),
        }
    }
}

impl Server {
    fn of(sight: &Sight) -> Self {
        let global = &sight.snapshot.global;
        Self {
            health: match sight.liveness {
                Liveness::Live => "live",
                Liveness::Hung { .. } => "hung",
                Liveness::Dead => "dead",
            },
            silent_ms: sight.now_ms.saturating_sub(global.heartbeat_ms),
            state: global.state.map(ServerState::name),
            pid: global.parent_pid,
            version: global.server.clone(),
            built: global.built.clone(),
            mpm: global.shape.map(scoreboard::ShapeKind::name),
            generation: global.generation,
            config_generation: global.config_generation,
            start_ms: global.start_ms,
            restart_ms: global.restart_ms,
            heartbeat_ms: global.heartbeat_ms,
            uptime_s: sight.uptime_s(),
            extended: global.is_extended,
            deaths: global.deaths,
            editor_pid: global.editor,
            cpu: Cpu {
                user_us: global.cpu_user_us,
                system_us: global.cpu_system_us,
                children_user_us: global.children_user_us,
                children_system_us: global.children_system_us,
            },
        }
    }
}

impl Room {
    const fn of(capacity: Capacity, processes_limit: u32) -> Self {
        Self {
            processes: capacity.processes,
            slots_per_process: capacity.slots_per_process,
            balancers: capacity.balancers,
            members: capacity.members,
            processes_limit,
        }
    }
}

impl Speed {
    const fn of(rates: Rates) -> Self {
        Self {
            interval_s: rates.interval_s,
            accesses_per_s: rates.accesses_per_s,
            bytes_per_s: rates.bytes_per_s,
        }
    }
}

impl Slots {
    fn of(sight: &Sight) -> Self {
        let counts = Counts::of(&sight.snapshot);
        Self {
            busy: counts.busy,
            graceful: counts.graceful,
            idle: counts.idle,
            open: counts.open,
            letters: counts::letters(&sight.snapshot),
        }
    }
}

impl Child {
    fn of(child: &ProcessView) -> Self {
        Self {
            index: child.index,
            pid: child.pid,
            generation: child.generation,
            state: child.state.map(ProcessState::name),
            threads: child.threads,
            start_ms: child.start_ms,
            last_activity_ms: child.last_activity_ms,
            accepting: child.is_accepting,
            connections: child.connections,
            keepalive: child.keepalive,
            writing: child.writing,
            closing: child.closing,
            waiting: child.waiting,
            exchanges: child.exchanges,
            slots_taken: child.slots_taken,
            accesses: child.accesses,
            bytes: child.bytes,
            duration_us: child.duration_us,
            accepted: child.accepted,
            cpu_user_us: child.cpu_user_us,
            cpu_system_us: child.cpu_system_us,
        }
    }
}

impl Request {
    fn of(slot: &SlotView) -> Self {
        Self {
            child: slot.process,
            slot: slot.slot,
            letter: slot.letter,
            pid: slot.pid,
            generation: slot.generation,
            thread: slot.thread,
            since_us: slot.last_used_us,
            start_us: slot.start_us,
            client: slot.client.clone(),
            request: slot.request.clone(),
            vhost: slot.vhost.clone(),
            protocol: slot.protocol.clone(),
            member: slot.lease.map(|(member, _)| member).or(slot.member),
            lease: slot.lease.map(|(_, kind)| match kind {
                LeaseKind::Busy => "busy",
                LeaseKind::Queue => "queue",
                LeaseKind::Connection => "connection",
            }),
            conn_accesses: slot.conn_accesses,
            child_accesses: slot.child_accesses,
            accesses: slot.accesses,
            conn_bytes: slot.conn_bytes,
            child_bytes: slot.child_bytes,
            bytes: slot.bytes,
        }
    }
}

impl Balancer {
    fn of(group: &Group<'_>) -> Self {
        let balancer = group.balancer;
        Self {
            index: balancer.index,
            name: balancer.name.clone(),
            vhost: balancer.vhost.clone(),
            lbmethod: balancer.lbmethod.clone(),
            sticky: (!balancer.sticky.is_empty()).then(|| balancer.sticky.clone()),
            timeout_ms: balancer.timeout_ms,
            max_attempts: balancer.max_attempts,
            active: group.is_active(),
            failover: !group.is_failover_off(),
            growth: balancer.growth,
            members: group.members.iter().copied().map(Member::of).collect(),
        }
    }
}

impl Member {
    fn of(member: &MemberView) -> Self {
        let moment = |ms: u64| (ms > 0).then_some(ms);
        Self {
            index: member.index,
            url: fleet::shown_url(member),
            route: member.route.clone(),
            redirect: member.redirect.clone(),
            lbset: member.lbset,
            lbfactor: f64::from(member.lbfactor) / 100.0,
            status: member.status.names().trim_end().to_owned(),
            status_bits: member.status.word(),
            usable: member.status.usable(),
            elected: member.elected,
            busy: member.busy,
            queued: member.queued,
            connections: member.connections,
            lbstatus: member.lbstatus,
            transferred: member.transferred,
            read: member.read,
            retries: member.retries,
            error_time_ms: moment(member.error_time_ms),
            retry_ms: member.retry_ms,
            reason: member.reason.clone(),
            reason_since_ms: moment(member.reason_since_ms),
        }
    }
}
