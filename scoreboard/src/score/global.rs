//! The header of the map: what the file is, who made it, and how the server is doing.
//!
//! The fields up to `parent_ticks` are read by programs of other versions to say what they found; their places are fixed.

use crate::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::layout::{Capacity, LAYOUT_HASH, VERSION};
use crate::lock::EditLock;
use crate::shared::{coded, shared};
use crate::text::Text;

shared! {
    /// The server's record, at the start of the map.
    pub struct GlobalScore, align 128 {
        /// What every board begins with
        pub magic: AtomicU64,
        /// Version of the format
        pub version: AtomicU32,
        /// Children at most
        pub processes: AtomicU32,
        /// Hash over the fields of all records
        pub layout_hash: AtomicU64,
        /// Length of the map in bytes
        pub len: AtomicU64,
        /// Slots of each child
        pub slots_per_process: AtomicU32,
        /// Balancers at most
        pub balancers: AtomicU32,
        /// Members at most
        pub members: AtomicU32,
        /// Process id of the parent
        pub parent_pid: AtomicU32,
        /// When the parent was started, in the kernel's ticks since boot; tells it from a later process with its pid
        pub parent_ticks: AtomicU64,

        /// Generation of children now being started; a restart makes the next
        pub generation: AtomicU32,
        /// How often the configuration has been read
        pub config_generation: AtomicU32,
        /// When the server was started, unix ms
        pub start_ms: AtomicU64,
        /// When the server was last restarted, gracefully or not, unix ms
        pub restart_ms: AtomicU64,
        /// When the running generation began, unix ms
        pub generation_start_ms: AtomicU64,
        /// When the parent last said that it is alive, unix ms
        pub heartbeat_ms: AtomicU64,
        /// Which shape the server has: a `ShapeKind`
        pub shape: AtomicU32,
        /// 1 when slots carry texts and counters (ExtendedStatus)
        pub extended: AtomicU32,
        /// What the parent is doing: a `ServerState`
        pub state: AtomicU32,
        /// One more than the highest process record in use
        pub processes_high: AtomicU32,
        /// Children that the configuration allows; slots beyond are not shown
        pub processes_limit: AtomicU32,
        /// Who is editing balancers or members
        pub editor: EditLock,
        /// Times a child had to be killed or died by itself
        pub deaths: AtomicU64,
        /// CPU time of the parent in user mode, µs
        pub cpu_user_us: AtomicU64,
        /// CPU time of the parent in system mode, µs
        pub cpu_system_us: AtomicU64,
        /// CPU time of reaped children in user mode, µs
        pub children_user_us: AtomicU64,
        /// CPU time of reaped children in system mode, µs
        pub children_system_us: AtomicU64,
        /// The server's version, as it announces it
        pub server: Text<8>,
        /// When the server was built, as text
        pub built: Text<8>,
        /// For later use
        pub spare: [AtomicU64; 16],
    }
}

coded! {
    /// How the server is shaped: httpd's MPMs.
    pub enum ShapeKind {
        /// One exchange per child.
        Prefork = 1,
        /// Several loops per child, one connection each.
        Worker = 2,
        /// Several loops per child, many connections each.
        Event = 3,
    }
}

impl ShapeKind {
    /// httpd's name of the MPM.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prefork => "prefork",
            Self::Worker => "worker",
            Self::Event => "event",
        }
    }
}

coded! {
    /// What the parent is doing.
    pub enum ServerState {
        /// The board exists; no child serves yet.
        Starting = 1,
        /// Children serve.
        Running = 2,
        /// Children finish what they have.
        Stopping = 3,
        /// All children are gone and the parent is about to be.
        Stopped = 4,
    }
}

impl ServerState {
    /// The state in one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

/// What the parent says of itself when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Birth<'a> {
    /// The parent's process id, after it has become a daemon.
    pub pid: u32,
    /// Now, unix ms.
    pub now_ms: u64,
    /// The server's shape.
    pub shape: ShapeKind,
    /// Whether slots carry texts and counters.
    pub extended: bool,
    /// The version the server announces.
    pub server: &'a str,
    /// When it was built.
    pub built: &'a str,
}

impl GlobalScore {
    /// Write what makes the file a board of this capacity. Before anybody else can see it.
    pub(crate) fn seal(&self, capacity: &Capacity, len: usize) {
        self.version.store(VERSION, Ordering::Relaxed);
        self.layout_hash.store(LAYOUT_HASH, Ordering::Relaxed);
        self.len.store(len as u64, Ordering::Relaxed);
        self.processes.store(capacity.processes, Ordering::Relaxed);
        self.slots_per_process
            .store(capacity.slots_per_process, Ordering::Relaxed);
        self.balancers.store(capacity.balancers, Ordering::Relaxed);
        self.members.store(capacity.members, Ordering::Relaxed);
        self.processes_limit
            .store(capacity.processes, Ordering::Relaxed);
        self.set_state(ServerState::Starting);
        self.magic.store(MAGIC, Ordering::Release);
    }

    /// Record the parent: once at start, and again after it has become a daemon.
    pub fn begin(&self, birth: &Birth<'_>) {
        self.parent_ticks
            .store(crate::reader::start_ticks(birth.pid), Ordering::Relaxed);
        self.parent_pid.store(birth.pid, Ordering::Relaxed);
        self.start_ms.store(birth.now_ms, Ordering::Relaxed);
        self.restart_ms.store(birth.now_ms, Ordering::Relaxed);
        self.generation_start_ms
            .store(birth.now_ms, Ordering::Relaxed);
        self.shape.store(birth.shape.word(), Ordering::Relaxed);
        self.extended
            .store(u32::from(birth.extended), Ordering::Relaxed);
        self.server.set(birth.server.as_bytes());
        self.built.set(birth.built.as_bytes());
        self.heartbeat(birth.now_ms);
    }

    /// Begin the next generation of children, with the configuration read anew; returns its number.
    pub fn begin_generation(&self, now_ms: u64) -> u32 {
        self.restart_ms.store(now_ms, Ordering::Relaxed);
        self.generation_start_ms.store(now_ms, Ordering::Relaxed);
        self.config_generation.fetch_add(1, Ordering::Relaxed);
        self.generation
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(1)
    }

    /// The parent is alive. Once a second.
    pub fn heartbeat(&self, now_ms: u64) {
        self.heartbeat_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Say what the parent is doing.
    pub fn set_state(&self, state: ServerState) {
        self.state.store(state.word(), Ordering::Relaxed);
    }

    /// What the parent is doing, if the word is one we know.
    #[must_use]
    pub fn state(&self) -> Option<ServerState> {
        ServerState::from_word(self.state.load(Ordering::Relaxed))
    }

    /// Whether slots carry texts and counters.
    #[must_use]
    pub fn is_extended(&self) -> bool {
        self.extended.load(Ordering::Relaxed) != 0
    }
}

/// The first eight bytes of every board, whatever its version.
pub(crate) const MAGIC: u64 = u64::from_ne_bytes(*b"tine\x00sb\n");
