//! Everything on the board copied into plain structs, once: what pages, metrics and the operator's tool render.
//!
//! Nothing read here is trusted: a word that means nothing is shown as `?`, bits that nobody knows are dropped, text is
//! escaped. A snapshot is not one instant; each number was true within the microseconds that the copy took.

use crate::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::board::Board;
use crate::layout::Capacity;
use crate::score::{
    BalancerFlags, BalancerScore, GlobalScore, LeaseKind, MemberScore, ProcessScore, ProcessState,
    ServerState, ShapeKind, SlotScore, Status, StatusBits,
};

/// The board at a moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The server.
    pub global: GlobalView,
    /// Process records in use, by index.
    pub processes: Vec<ProcessView>,
    /// All slots of all process records, used or not: process by process.
    pub slots: Vec<SlotView>,
    /// Balancers of the present configuration.
    pub balancers: Vec<BalancerView>,
    /// Members of the present configuration.
    pub members: Vec<MemberView>,
    /// Work done since the server started, departed children included.
    pub totals: Totals,
}

/// Work done since the server started. Never goes backwards from one snapshot to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests finished.
    pub accesses: u64,
    /// Content bytes sent to clients.
    pub bytes: u64,
    /// Time spent on finished requests, µs.
    pub duration_us: u64,
    /// Client connections accepted.
    pub accepted: u64,
}

/// The server's record.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is explained at its namesake in GlobalScore"
)]
pub struct GlobalView {
    pub capacity: Capacity,
    pub parent_pid: u32,
    pub generation: u32,
    pub config_generation: u32,
    pub start_ms: u64,
    pub restart_ms: u64,
    pub generation_start_ms: u64,
    pub heartbeat_ms: u64,
    pub shape: Option<ShapeKind>,
    pub is_extended: bool,
    pub state: Option<ServerState>,
    pub processes_high: u32,
    pub processes_limit: u32,
    pub editor: Option<u32>,
    pub deaths: u64,
    pub cpu_user_us: u64,
    pub cpu_system_us: u64,
    pub children_user_us: u64,
    pub children_system_us: u64,
    pub server: String,
    pub built: String,
}

/// One child.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is explained at its namesake in ProcessScore"
)]
pub struct ProcessView {
    /// Its record's index.
    pub index: u32,
    pub pid: u32,
    pub generation: u32,
    pub state: Option<ProcessState>,
    pub threads: u32,
    pub start_ms: u64,
    pub last_activity_ms: u64,
    pub is_accepting: bool,
    pub connections: u32,
    pub keepalive: u32,
    pub writing: u32,
    pub closing: u32,
    pub waiting: u32,
    pub exchanges: u32,
    pub slots_taken: u32,
    /// Requests that this child finished.
    pub accesses: u64,
    /// Content bytes that this child sent to clients.
    pub bytes: u64,
    /// Time this child spent on finished requests, µs.
    pub duration_us: u64,
    /// Client connections this child accepted.
    pub accepted: u64,
    pub cpu_user_us: u64,
    pub cpu_system_us: u64,
}

/// One slot.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is explained at its namesake in SlotScore"
)]
pub struct SlotView {
    /// Its process record's index.
    pub process: u32,
    /// Its number in the process.
    pub slot: u32,
    pub status: Option<Status>,
    /// httpd's letter, `?` for a word that means nothing.
    pub letter: char,
    pub generation: u32,
    pub thread: u32,
    pub pid: u32,
    /// What the exchange has leased: member index and kind.
    pub lease: Option<(u32, LeaseKind)>,
    /// Member that served the last request.
    pub member: Option<u32>,
    pub conn_accesses: u32,
    pub accesses: u64,
    pub child_accesses: u64,
    pub bytes: u64,
    pub child_bytes: u64,
    pub conn_bytes: u64,
    pub start_us: u64,
    pub stop_us: u64,
    pub last_used_us: u64,
    pub duration_us: u64,
    pub client: String,
    pub request: String,
    pub vhost: String,
    pub protocol: String,
}

/// One balancer.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is explained at its namesake in BalancerScore"
)]
pub struct BalancerView {
    /// Its record's index.
    pub index: u32,
    pub changed: u32,
    pub flags: BalancerFlags,
    pub max_attempts: u32,
    pub timeout_ms: u64,
    pub needs_reset: bool,
    pub sticky_separator: Option<char>,
    pub growth: u32,
    pub name: String,
    pub vhost: String,
    pub lbmethod: String,
    pub sticky: String,
    pub nonce: String,
}

/// One member.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is explained at its namesake in MemberScore"
)]
pub struct MemberView {
    /// Its record's index.
    pub index: u32,
    /// Its balancer's index; `None` for a plain member.
    pub balancer: Option<u32>,
    pub status: StatusBits,
    pub lbset: u32,
    pub lbfactor: u32,
    pub retries: u32,
    pub lbstatus: i64,
    pub elected: u64,
    /// Exchanges there now.
    pub busy: u64,
    /// Exchanges queued for it.
    pub queued: u64,
    /// Counted connections to it.
    pub connections: u64,
    pub transferred: u64,
    pub read: u64,
    pub error_time_ms: u64,
    pub retry_ms: u64,
    pub order: u32,
    pub balancer_name: String,
    pub url: String,
    pub route: String,
    pub redirect: String,
    pub reason: String,
    pub reason_since_ms: u64,
}

impl Board {
    /// Copy everything.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let processes = (0..).zip(self.processes());
        let slots = (0..self.capacity().processes).flat_map(|process| {
            (0..)
                .zip(self.slots(process))
                .map(move |(n, slot)| (process, n, slot))
        });
        Snapshot {
            global: view_global(self.global(), self.capacity()),
            processes: processes
                .filter(|(_, process)| process.state() != Some(ProcessState::Free))
                .map(|(index, process)| view_process(index, process))
                .collect(),
            slots: slots
                .map(|(process, number, slot)| self.view_slot(process, number, slot))
                .collect(),
            balancers: (0..)
                .zip(self.balancers())
                .filter(|(_, balancer)| balancer.is_used())
                .map(|(index, balancer)| view_balancer(index, balancer))
                .collect(),
            members: (0..)
                .zip(self.members())
                .filter(|(_, member)| member.is_used())
                .map(|(index, member)| self.view_member(index, member))
                .collect(),
            totals: self.totals(),
        }
    }

    /// Work done since the server started, over all children there ever were.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for process in self.processes() {
            for (sum, word) in [
                (&mut totals.accesses, &process.accesses),
                (&mut totals.bytes, &process.bytes),
                (&mut totals.duration_us, &process.duration_us),
                (&mut totals.accepted, &process.accepted),
            ] {
                *sum = sum.wrapping_add(long(word));
            }
        }
        totals
    }

    fn view_slot(&self, process: u32, number: u32, slot: &SlotScore) -> SlotView {
        let members = self.capacity().members;
        let status = slot.status();
        SlotView {
            process,
            slot: number,
            status,
            letter: status.map_or('?', Status::letter),
            generation: word(&slot.generation),
            thread: word(&slot.thread),
            pid: word(&slot.pid),
            lease: slot.lease().filter(|(member, _)| *member < members),
            member: word(&slot.member).checked_sub(1).filter(|at| *at < members),
            conn_accesses: word(&slot.conn_accesses),
            accesses: long(&slot.accesses),
            child_accesses: long(&slot.child_accesses),
            bytes: long(&slot.bytes),
            child_bytes: long(&slot.child_bytes),
            conn_bytes: long(&slot.conn_bytes),
            start_us: long(&slot.start_us),
            stop_us: long(&slot.stop_us),
            last_used_us: long(&slot.last_used_us),
            duration_us: long(&slot.duration_us),
            client: slot.client.get(),
            request: slot.request.get(),
            vhost: slot.vhost.get(),
            protocol: slot.protocol.get(),
        }
    }

    fn view_member(&self, index: u32, member: &MemberScore) -> MemberView {
        let balancers = self.capacity().balancers;
        MemberView {
            index,
            balancer: member.balancer().filter(|at| *at < balancers),
            status: member.status(),
            lbset: word(&member.lbset),
            lbfactor: word(&member.lbfactor),
            retries: word(&member.retries),
            lbstatus: member.lbstatus.load(Ordering::Relaxed),
            elected: long(&member.elected),
            busy: self.held(index, LeaseKind::Busy),
            queued: self.held(index, LeaseKind::Queue),
            connections: self.held(index, LeaseKind::Connection),
            transferred: long(&member.transferred),
            read: long(&member.read),
            error_time_ms: long(&member.error_time_ms),
            retry_ms: long(&member.retry_ms),
            order: word(&member.order),
            balancer_name: member.balancer_name.get(),
            url: member.url.get(),
            route: member.route.get(),
            redirect: member.redirect.get(),
            reason: member.reason.get(),
            reason_since_ms: long(&member.reason_since_ms),
        }
    }
}

fn view_global(global: &GlobalScore, capacity: Capacity) -> GlobalView {
    GlobalView {
        capacity,
        parent_pid: word(&global.parent_pid),
        generation: word(&global.generation),
        config_generation: word(&global.config_generation),
        start_ms: long(&global.start_ms),
        restart_ms: long(&global.restart_ms),
        generation_start_ms: long(&global.generation_start_ms),
        heartbeat_ms: long(&global.heartbeat_ms),
        shape: ShapeKind::from_word(word(&global.shape)),
        is_extended: global.is_extended(),
        state: global.state(),
        processes_high: word(&global.processes_high).min(capacity.processes),
        processes_limit: word(&global.processes_limit).min(capacity.processes),
        editor: global.editor.owner(),
        deaths: long(&global.deaths),
        cpu_user_us: long(&global.cpu_user_us),
        cpu_system_us: long(&global.cpu_system_us),
        children_user_us: long(&global.children_user_us),
        children_system_us: long(&global.children_system_us),
        server: global.server.get(),
        built: global.built.get(),
    }
}

fn view_process(index: u32, process: &ProcessScore) -> ProcessView {
    let own = |now: &AtomicU64, before: &AtomicU64| long(now).saturating_sub(long(before));
    ProcessView {
        index,
        pid: word(&process.pid),
        generation: word(&process.generation),
        state: process.state(),
        threads: word(&process.threads),
        start_ms: long(&process.start_ms),
        last_activity_ms: long(&process.last_activity_ms),
        is_accepting: word(&process.not_accepting) == 0,
        connections: word(&process.connections),
        keepalive: word(&process.keepalive),
        writing: word(&process.writing),
        closing: word(&process.closing),
        waiting: word(&process.waiting),
        exchanges: word(&process.exchanges),
        slots_taken: word(&process.slots_taken),
        accesses: own(&process.accesses, &process.accesses_before),
        bytes: own(&process.bytes, &process.bytes_before),
        duration_us: own(&process.duration_us, &process.duration_us_before),
        accepted: own(&process.accepted, &process.accepted_before),
        cpu_user_us: long(&process.cpu_user_us),
        cpu_system_us: long(&process.cpu_system_us),
    }
}

fn view_balancer(index: u32, balancer: &BalancerScore) -> BalancerView {
    let separator = word(&balancer.sticky_separator);
    BalancerView {
        index,
        changed: balancer.changed(),
        flags: balancer.flags(),
        max_attempts: word(&balancer.max_attempts),
        timeout_ms: long(&balancer.timeout_ms),
        needs_reset: word(&balancer.need_reset) != 0,
        sticky_separator: char::from_u32(separator).filter(|c| !c.is_control()),
        growth: word(&balancer.growth),
        name: balancer.name.get(),
        vhost: balancer.vhost.get(),
        lbmethod: balancer.lbmethod.get(),
        sticky: balancer.sticky.get(),
        nonce: balancer.nonce.get(),
    }
}

fn word(word: &AtomicU32) -> u32 {
    word.load(Ordering::Relaxed)
}

fn long(word: &AtomicU64) -> u64 {
    word.load(Ordering::Relaxed)
}
