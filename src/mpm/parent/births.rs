//! Children: made, mourned, and kept at the right number.
//!
//! Responsible for: the fork itself with everything that must surround it, what a child's end means, and the once-a-second maintenance that
//! `spare` decides. Not responsible for: restarts and stops.
//!
//! Know first: whatever happens to a newborn, its record on the scoreboard is freed exactly once, when it is reaped (or when the fork
//! failed), and only then; until then its leases count.

use super::super::child::{self, Birth, FATAL, Role};
use super::super::family::{Kid, Stage};
use super::super::spare::{self, Actions, Note, View};
use super::super::{Level, Service};
use super::{Parent, Phase};
use crate::sys::control;
use crate::sys::process::{self, Exit, Fork, Pid};
use crate::sys::signals::{self, Signal};
use nix::errno::Errno;
use std::io;
use std::sync::atomic::Ordering;

/// Why there is no child.
enum Stillbirth {
    /// Draining children hold all records: one of them has to end first.
    NoRecord,
    /// The system refused.
    System(io::Error),
}

impl<S: Service> Parent<S> {
    /// Whether children are missing that are not a matter of maintenance.
    pub(super) fn wants_children(&self) -> bool {
        self.phase == Phase::Serving && (self.owed > 0 || self.wants_probe())
    }

    fn wants_probe(&self) -> bool {
        self.settings.has_probe && !self.family.has_probe()
    }

    /// Fork what is owed, as far as patience and limits allow.
    pub(super) fn replace_dead(&mut self) {
        if self.phase != Phase::Serving {
            return;
        }
        let room = self.settings.settled.shape.children_max;
        let room = room.saturating_sub(self.count_serving());
        self.owed = self.owed.min(room);
        if self.owed > 0 {
            let allowed = self.backoff.allow(self.owed, self.now.instant);
            self.owed -= self.bear(allowed, Role::Serve);
        }
        if self.wants_probe() && self.backoff.allow(1, self.now.instant) > 0 {
            self.bear(1, Role::Probe);
        }
    }

    /// Fork `count` children; says how many there are.
    pub(super) fn bear(&mut self, count: u32, role: Role) -> u32 {
        for born in 0..count {
            match self.bear_one(role) {
                Ok(()) => {}
                Err(Stillbirth::NoRecord) => return born,
                Err(Stillbirth::System(error)) => {
                    self.fork_failed(&error);
                    return born;
                }
            }
        }
        count
    }

    fn bear_one(&mut self, role: Role) -> Result<(), Stillbirth> {
        let system = Stillbirth::System;
        let (tether, control) = control::pair().map_err(system)?;
        let ms = self.now.unix_ms();
        let index = self.board.claim_process(0, self.generation, ms);
        let index = index.ok_or(Stillbirth::NoRecord)?;
        // Blocked, so that no signal for the parent is handled by the child before it has a pipe of its own.
        let forked = signals::block().and_then(|blocked| Ok((process::fork()?, blocked)));
        match forked {
            Ok((Fork::Child, blocked)) => {
                drop(tether);
                self.live(role, index, control, blocked)
            }
            Ok((Fork::Parent(pid), blocked)) => {
                blocked.let_in();
                let record = self.board.process(index);
                record.pid.store(pid.number(), Ordering::Relaxed);
                self.family.add(Kid {
                    pid,
                    role,
                    generation: self.generation,
                    born: self.now.instant,
                    index,
                    board: self.board,
                    tether,
                    stage: Stage::Serving,
                });
                Ok(())
            }
            Err(error) => {
                self.board.free_process(index);
                Err(Stillbirth::System(error))
            }
        }
    }

    /// The child's side of the fork: let go of what is the parent's, then live.
    fn live(
        &mut self,
        role: Role,
        index: u32,
        control: control::Control,
        blocked: signals::Blocked,
    ) -> ! {
        // With a sibling's tether in hand, that sibling would never see its parent die; with the pid file's lock, a dead server would
        // look alive; with the launcher's pipe, a failed start would look like one that takes long.
        self.family.forget();
        self.pid_file = None;
        self.launch = None;
        let listeners = std::mem::take(&mut self.listeners);
        let listeners = match role {
            Role::Serve => listeners.into_sockets(),
            Role::Probe => Vec::new(),
        };
        let birth = Birth {
            role,
            index,
            generation: self.generation,
            pid: Pid::ours(),
            shape: self.settings.settled.shape,
            max_connections: self.settings.settled.max_connections_per_child,
            listeners,
            control,
        };
        child::live(
            &self.service,
            &self.current,
            &self.settings,
            self.board,
            birth,
            blocked,
        )
    }

    fn fork_failed(&mut self, error: &io::Error) {
        let reason = error.raw_os_error().map_or_else(
            || error.to_string(),
            |number| format!("({number}){}", Errno::from_raw(number).desc()),
        );
        let message = format!("{reason}: AH00159: fork: Unable to fork new process");
        self.log(Level::Error, &message);
        self.backoff.fail(self.now.instant);
        self.rate.slow_down();
    }

    /// Collect all that have ended.
    pub(super) fn reap(&mut self) {
        while let Some((pid, exit)) = process::reap() {
            match self.family.remove(pid) {
                Some(kid) => self.mourn(&kid, exit),
                None => self.service.other_child_ended(pid, exit),
            }
        }
    }

    fn mourn(&mut self, kid: &Kid, exit: Exit) {
        self.tell_of_end(kid, exit);
        let has_served = has_served(kid);
        let settled = kid.board.free_process(kid.index);
        if !settled.leases.is_empty() {
            self.log(
                Level::Info,
                &format!(
                    "child pid {} left {} leases, which are settled",
                    kid.pid,
                    settled.leases.len()
                ),
            );
        }
        if kid.stage != Stage::Serving {
            return;
        }
        if kid.role == Role::Serve {
            self.owed = self.owed.saturating_add(1);
        }
        if exit == Exit::Code(FATAL) && !self.is_proven && self.phase == Phase::Serving {
            self.log(
                Level::Error,
                &format!(
                    "AH00050: Child {} returned a Fatal error... tine is exiting!",
                    kid.pid
                ),
            );
            self.stop(1);
            return;
        }
        if exit != Exit::Code(0)
            && !has_served
            && let Some(wait) = self.backoff.died(kid.born, self.now.instant)
        {
            self.log(
                Level::Error,
                &format!(
                    "TN0909: child pid {} died at birth; trying another one in {} s",
                    kid.pid,
                    wait.as_secs()
                ),
            );
        }
    }

    /// What the log says of an end that was not in order.
    fn tell_of_end(&self, kid: &Kid, exit: Exit) {
        let ordered = [Signal::Terminate, Signal::Hangup, Signal::Graceful].map(Signal::number);
        let is_killed_by_us =
            |number| number == Signal::Kill.number() && matches!(kid.stage, Stage::Quitting(_));
        let message = match exit {
            Exit::Code(0 | FATAL) => return,
            Exit::Code(code) => format!("TN0910: child pid {} exit code {code}", kid.pid),
            Exit::Signal { number, .. } if ordered.contains(&number) => return,
            Exit::Signal { number, .. } if is_killed_by_us(number) => return,
            Exit::Signal { number, core } => {
                let name = signals::describe(number);
                if core {
                    format!(
                        "AH00051: child pid {} exit signal {name} ({number}), possible coredump",
                        kid.pid
                    )
                } else {
                    format!(
                        "AH00052: child pid {} exit signal {name} ({number})",
                        kid.pid
                    )
                }
            }
        };
        kid.board.global().deaths.fetch_add(1, Ordering::Relaxed);
        self.log(Level::Notice, &message);
    }

    /// Once a second while serving: as many children as the load wants.
    pub(super) fn maintain(&mut self) {
        let drained = self.family.note_drained();
        self.owed = self.owed.saturating_add(drained);
        for kid in self.family.serving() {
            self.backoff.lives(kid.born, self.now.instant);
            self.is_proven |= kid.is_proven(self.now.instant);
        }
        let actions = spare::plan(&self.view(), &self.settings.settled, &mut self.rate);
        self.act(actions);
    }

    fn act(&mut self, actions: Actions) {
        if let Some(note) = actions.note {
            self.tell(note);
        }
        if actions.fork > 0 {
            let allowed = self.backoff.allow(actions.fork, self.now.instant);
            self.bear(allowed, Role::Serve);
        }
        for _ in 0..actions.retire {
            if let Some(pid) = self.family.retire_one(&self.settings.settled) {
                self.log(
                    Level::Debug,
                    &format!("child pid {pid} is retired: enough others are idle"),
                );
            }
        }
    }

    fn view(&self) -> View {
        let settled = &self.settings.settled;
        let serving = self.count_serving();
        let all = u32::try_from(self.family.iter().count()).unwrap_or(u32::MAX);
        // What is owed will be there in a moment, so it counts as idle children.
        let owed_idle = self.owed.saturating_mul(settled.shape.slots);
        View {
            children: serving.saturating_add(self.owed),
            idle: self.family.idle(settled).saturating_add(owed_idle),
            draining: all.saturating_sub(serving),
            room: self
                .board
                .capacity()
                .processes
                .saturating_sub(all.saturating_add(self.owed)),
        }
    }

    pub(super) fn count_serving(&self) -> u32 {
        u32::try_from(self.family.serving().count()).unwrap_or(u32::MAX)
    }

    fn tell(&self, note: Note) {
        let (level, message) = match note {
            Note::Reached => (
                Level::Error,
                "AH00161: server reached MaxRequestWorkers setting, consider raising the MaxRequestWorkers setting"
                    .to_owned(),
            ),
            Note::Near => (
                Level::Error,
                "AH10159: server is within MinSpareThreads of MaxRequestWorkers, consider raising the MaxRequestWorkers setting"
                    .to_owned(),
            ),
            Note::Full => (
                Level::Warn,
                "TN0911: children that finish after a restart hold all the scoreboard's process records, no other can be forked; \
                 a higher ServerLimit makes room"
                    .to_owned(),
            ),
            Note::Busy { fork, view } => (
                Level::Info,
                format!(
                    "AH00162: server seems busy, (you may need to increase StartServers, or Min/MaxSpareServers), spawning {fork} \
                     children, there are {} idle, and {} total children",
                    view.idle, view.children
                ),
            ),
        };
        self.log(level, &message);
    }
}

/// Whether a child took a connection in its life: whatever it died of then, it was not its birth.
fn has_served(kid: &Kid) -> bool {
    let record = kid.board.process(kid.index);
    let before = record.accepted_before.load(Ordering::Relaxed);
    record.accepted.load(Ordering::Relaxed) != before
}
