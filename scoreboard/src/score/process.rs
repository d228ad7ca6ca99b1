//! One child: who it is, what it holds at the moment, and what it has done.
//!
//! Counters of work run on from one child to the next that takes the record, and `*_before` says where the present child
//! began. So the server's totals are one sum over all records: they never go backwards, and no reader can see a total in
//! the middle of being moved.

use crate::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::shared::{coded, shared};

shared! {
    /// One child's record. Only that child writes it, and the parent when the child is not there.
    pub struct ProcessScore, align 128 {
        /// Process id; 0 between the claim and the fork, and when free
        pub pid: AtomicU32,
        /// Generation the child belongs to
        pub generation: AtomicU32,
        /// How the child is doing: a `ProcessState`
        pub state: AtomicU32,
        /// Loops (OS threads) in the child
        pub threads: AtomicU32,
        /// When the record was claimed for the child, unix ms
        pub start_ms: AtomicU64,
        /// When the child last did anything for a client, unix ms
        pub last_activity_ms: AtomicU64,
        /// 1 while the child takes no new connections
        pub not_accepting: AtomicU32,
        /// Open client connections
        pub connections: AtomicU32,
        /// Client connections waiting for their next request
        pub keepalive: AtomicU32,
        /// Client connections that are being written to
        pub writing: AtomicU32,
        /// Client connections in lingering close
        pub closing: AtomicU32,
        /// Client connections that wait for bytes of either side and hold no slot: open tunnels
        pub waiting: AtomicU32,
        /// Exchanges in flight
        pub exchanges: AtomicU32,
        /// Slots of the child that are taken
        pub slots_taken: AtomicU32,

        /// Requests finished, over all children that had this record
        pub accesses: AtomicU64,
        /// Content bytes sent to clients, over all children that had this record
        pub bytes: AtomicU64,
        /// Time spent on finished requests, µs, over all children that had this record
        pub duration_us: AtomicU64,
        /// Client connections accepted, over all children that had this record
        pub accepted: AtomicU64,
        /// `accesses` when the present child began
        pub accesses_before: AtomicU64,
        /// `bytes` when the present child began
        pub bytes_before: AtomicU64,
        /// `duration_us` when the present child began
        pub duration_us_before: AtomicU64,
        /// `accepted` when the present child began
        pub accepted_before: AtomicU64,
        /// CPU time of the present child in user mode, µs
        pub cpu_user_us: AtomicU64,
        /// CPU time of the present child in system mode, µs
        pub cpu_system_us: AtomicU64,
        /// For later use
        pub spare: [AtomicU64; 6],
    }
}

coded! {
    /// How a child is doing.
    pub enum ProcessState {
        /// No child has the record.
        Free = 0,
        /// Claimed; the child is being forked or sets itself up.
        Starting = 1,
        /// Serving.
        Ready = 2,
        /// Finishing what it has, taking nothing new.
        Quiescing = 3,
        /// Reaped or about to be; the record is not yet free.
        Dead = 4,
    }
}

impl ProcessState {
    /// The state in one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Quiescing => "quiescing",
            Self::Dead => "dead",
        }
    }
}

impl ProcessScore {
    /// Say how the child is doing.
    pub fn set_state(&self, state: ProcessState) {
        self.state.store(state.word(), Ordering::Release);
    }

    /// How the child is doing, if the word is one we know.
    #[must_use]
    pub fn state(&self) -> Option<ProcessState> {
        ProcessState::from_word(self.state.load(Ordering::Acquire))
    }

    /// Count a finished request.
    pub fn count(&self, bytes: u64, duration_us: u64, now_ms: u64) {
        self.accesses.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.duration_us.fetch_add(duration_us, Ordering::Relaxed);
        self.last_activity_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Give the record to a new child.
    pub(crate) fn claim(&self, pid: u32, generation: u32, now_ms: u64) {
        self.settle();
        for (before, now) in [
            (&self.accesses_before, &self.accesses),
            (&self.bytes_before, &self.bytes),
            (&self.duration_us_before, &self.duration_us),
            (&self.accepted_before, &self.accepted),
        ] {
            before.store(now.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.pid.store(pid, Ordering::Relaxed);
        self.generation.store(generation, Ordering::Relaxed);
        self.start_ms.store(now_ms, Ordering::Relaxed);
        self.last_activity_ms.store(now_ms, Ordering::Relaxed);
        self.set_state(ProcessState::Starting);
    }

    /// Zero what only a living child has.
    pub(crate) fn settle(&self) {
        for gauge in [
            &self.threads,
            &self.not_accepting,
            &self.connections,
            &self.keepalive,
            &self.writing,
            &self.closing,
            &self.waiting,
            &self.exchanges,
            &self.slots_taken,
        ] {
            gauge.store(0, Ordering::Relaxed);
        }
        self.cpu_user_us.store(0, Ordering::Relaxed);
        self.cpu_system_us.store(0, Ordering::Relaxed);
    }
}
