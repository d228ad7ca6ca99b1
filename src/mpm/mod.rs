//! Processes: one parent that supervises, children that serve.
//!
//! Responsible for: how many children there are and of which generation; opening and keeping the listeners; the pid file; what signals to
//! the parent mean; `-k`; noticing deaths and settling what the dead held. Not responsible for: what a child does. That is a [`Service`],
//! which `server.rs` implements with the engine; nothing here knows of connections, requests or HTTP.
//!
//! Know first: configuration is frozen at fork. A restart, graceful or not, makes a new generation of children from a configuration that
//! was read and checked first; if that fails, the old generation goes on serving and whoever asked is told why.
//!
//! ```text
//!                        restart                a new child serves          gone
//!   fork ──► serving ─────────────────► holding ─────────────────► draining ───────► (reaped, record freed)
//!               │   still accepting        │                          │                 ▲
//!               └── too many are idle ─────┼─► draining               │                 │
//!               └───────────── told to end ┴──────────────────────────┴─► quitting ─────┘
//!                                                         TERM now and at 3, 5, 7 s, KILL at 9 s
//! ```
//!
//! Where to read: `limits` (what the directives come to) → `spare` (how many children) → `parent` (the loop) → `family` (the children it
//! has) → `child` (a child's first moments). `ladder`, `backoff`, `listen`, `pidfile` and `outcome` are small and serve those; `control` is
//! the other end of `pidfile` and `outcome`: the command line.
//!
//! httpd: `server/mpm_unix.c`, `server/mpm/prefork`, `server/mpm/event`, `server/listen.c`, the pid file part of `server/log.c`.

mod backoff;
mod child;
pub mod control;
mod family;
mod ladder;
mod limits;
mod listen;
mod outcome;
mod parent;
mod pidfile;
pub mod spare;

pub use child::{Birth, FATAL, Role};
pub use limits::{Limits, Settled};
pub use listen::ListenOptions;
pub use outcome::Outcome;
pub use parent::{run, run_single};
pub use pidfile::{PidFile, PidFileError, Standing};

use crate::sys::clock::Now;
use crate::sys::privileges::Identity;
use crate::sys::process::{Exit, Pid};
use scoreboard::Board;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Which of httpd's process models to imitate: three sizes of one loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mpm {
    /// One connection per child.
    Prefork,
    /// Several loops per child, one connection each.
    Worker,
    /// Few loops per child, many connections each.
    Event,
}

impl Mpm {
    /// httpd's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prefork => "prefork",
            Self::Worker => "worker",
            Self::Event => "event",
        }
    }
}

/// How the server is cut: children × threads × connections, and exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Children that serve, at most.
    pub children_max: u32,
    /// Loops (OS threads) in each child.
    pub threads: u32,
    /// Client connections of each loop, at most.
    pub connections: u32,
    /// Exchanges in flight in each loop, at most.
    pub exchanges: u32,
    /// Slots of each child in the scoreboard: exchanges in flight over all its loops.
    pub slots: u32,
}

/// How serious a message is; httpd's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Someone must act.
    Error,
    /// Someone should look.
    Warn,
    /// The life of the server; httpd prints it whatever the level.
    Notice,
    /// The life of children.
    Info,
    /// Decisions.
    Debug,
}

/// What the parent needs to know of a generation.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen, in the order of the configuration.
    pub listens: Vec<SocketAddr>,
    /// With which socket options.
    pub listen_options: ListenOptions,
    /// The sizes.
    pub settled: Settled,
    /// Who the children become; `None` keeps the identity of the parent.
    pub identity: Option<Identity>,
    /// Where the parent's pid is written.
    pub pid_file: PathBuf,
    /// Whether one extra child runs the health checks.
    pub has_probe: bool,
    /// What `… configured -- resuming normal operations` says before it, such as `tine/1.0 (Unix)`.
    pub description: String,
    /// When the program was built, for the log.
    pub built: String,
    /// The command line, for the log.
    pub command_line: String,
}

/// What the children do, and what the parent cannot know: implemented by `server.rs`.
pub trait Service {
    /// Everything that a child is born with. The parent drops an old one when a new one is in force; its children keep their copies.
    type Generation;

    /// Read the configuration and make a generation of it. Number 0 is the start. On error the generation in force goes on serving.
    ///
    /// # Errors
    /// What is wrong with the configuration, as text for the operator.
    fn prepare(&mut self, generation: u32) -> Result<Self::Generation, String>;

    /// What the parent needs to know of it.
    fn settings(&self, generation: &Self::Generation) -> Settings;

    /// Its scoreboard: usually the same for all generations.
    fn board(&self, generation: &Self::Generation) -> &'static Board;

    /// Serve. Runs in the child, with signals let in and privileges dropped; the result is the exit code.
    fn run_child(&self, generation: &Self::Generation, birth: Birth) -> i32;

    /// Write to the error log.
    fn log(&self, level: Level, message: &str);

    /// Once a second, in the parent. What it returns becomes systemd's status line.
    fn tick(&mut self, _generation: &Self::Generation, _now: Now) -> Option<String> {
        None
    }

    /// A process ended that is a child of ours but not one that serves: a piped logger.
    fn other_child_ended(&mut self, _pid: Pid, _exit: Exit) {}
}
