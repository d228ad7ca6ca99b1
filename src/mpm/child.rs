//! A child's first moments and its end.
//!
//! Responsible for: everything between fork and the service, in the order that is safe, and leaving by `_exit` whatever happens. Not
//! responsible for: letting go of what belongs to the parent (its other children's tethers, the pid file's lock), which `parent` does before
//! it calls here, nor for serving.
//!
//! Know first: until the fork the child *was* the parent, and its stack still is. A panic must not unwind into those frames, and no
//! destructor in them may run.
//!
//! Hash seeds and other state of generators made before the fork are the same in all children: what must differ comes from the system.

use super::{Level, Service, Settings, Shape};
use crate::sys::control::Control;
use crate::sys::process::{self, Pid};
use crate::sys::signals::{Blocked, Signal, Signals};
use scoreboard::Board;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

/// What a child is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It accepts and serves.
    Serve,
    /// It runs the health checks and has no listeners.
    Probe,
}

/// What a child is born with, besides its generation.
#[derive(Debug)]
pub struct Birth {
    /// What it is for.
    pub role: Role,
    /// Its process record in the scoreboard.
    pub index: u32,
    /// The generation that it belongs to.
    pub generation: u32,
    /// Its own id.
    pub pid: Pid,
    /// How many loops it runs, and how large.
    pub shape: Shape,
    /// After how many connections it drains and ends by itself.
    pub max_connections: Option<u32>,
    /// The server's listeners. The parent holds them too: take one out of an epoll before closing it.
    pub listeners: Vec<TcpListener>,
    /// What it is told, by its parent and by signals.
    pub control: Control,
}

/// The exit code of a child that cannot serve and whose successors could not either: before any child of the first generation has served,
/// the server ends over it. httpd's `APEXIT_CHILDFATAL`.
pub const FATAL: i32 = 15;

/// The exit code after a panic that nothing in the child has caught; Rust's own.
const PANICKED: i32 = 101;

/// Live as a child. Comes with signals blocked.
pub(super) fn live<S: Service>(
    service: &S,
    generation: &S::Generation,
    settings: &Settings,
    board: &Board,
    birth: Birth,
    blocked: Blocked,
) -> ! {
    let life = AssertUnwindSafe(|| match prepare(settings, board, birth, blocked) {
        Ok(birth) => service.run_child(generation, birth),
        Err(why) => {
            service.log(Level::Error, &why);
            FATAL
        }
    });
    process::exit_now(catch_unwind(life).unwrap_or(PANICKED))
}

/// Become a process of its own: name, signals, identity.
fn prepare(
    settings: &Settings,
    board: &Board,
    mut birth: Birth,
    blocked: Blocked,
) -> Result<Birth, String> {
    let record = board.process(birth.index);
    record.pid.store(birth.pid.number(), Ordering::Relaxed);
    record.threads.store(birth.shape.threads, Ordering::Relaxed);
    // A name is for ps alone.
    process::set_name(c"tine").unwrap_or_default();
    let signals = Signals::child()
        .map_err(|error| format!("TN0901: a child cannot receive signals: {error}"))?;
    birth.control.attach(signals);
    assume_identity(settings)?;
    // Belt and braces: the closing of the control wire says the same. Only now, because changing the user id resets it.
    process::set_parent_death_signal(Signal::Graceful).unwrap_or_default();
    blocked.let_in();
    Ok(birth)
}

/// Become the configured user, or say why that must end this process.
pub(super) fn assume_identity(settings: &Settings) -> Result<(), String> {
    let Some(identity) = &settings.identity else {
        return Ok(());
    };
    identity
        .assume()
        .map_err(|error| format!("TN0902: {error}"))
}
