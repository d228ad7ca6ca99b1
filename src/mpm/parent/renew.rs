//! Restarts.
//!
//! Responsible for: putting a new generation in force, or leaving everything as it was and saying why. Not responsible for: what the
//! configuration means; the service prepares it.
//!
//! ```text
//!   prepare ─► open added listeners ─► new pid file, if it moves      each may refuse; nothing has changed then
//!      └───────────────┬────────────────────┘
//!                      ▼
//!   in force: settings, listeners (unchanged ones kept), generation + 1
//!   fork as many children as served before, at least StartServers; the old ones hold on and accept
//!                      │
//!        a new child serves                                      all new children die at birth
//!   graceful: the old ones drain, else they end            reported; the old ones go on, new ones are tried
//!                                                          with patience until a restart repairs it
//! ```
//!
//! The listeners that stay are never closed, and the old children accept until a new one does: at no moment does nobody accept, not even
//! with a configuration that can be read but not served.

use super::super::backoff::Backoff;
use super::super::child::Role;
use super::super::{Level, Service};
use super::{Parent, write_pid_file};
use crate::sys::clock;
use std::sync::atomic::Ordering;

impl<S: Service> Parent<S> {
    pub(super) fn restart(&mut self, is_graceful: bool) {
        let asked = if is_graceful {
            "AH00171: Graceful restart requested, doing restart"
        } else {
            "AH00173: SIGHUP received.  Attempting to restart"
        };
        self.log(Level::Notice, asked);
        self.attempt = self.attempt.saturating_add(1);
        self.notifier.say(&format!(
            "RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=Reading configuration...",
            clock::monotonic_us()
        ));
        match self.renew() {
            Ok(()) => self.begin_changeover(is_graceful),
            Err(why) => {
                self.log(
                    Level::Error,
                    &format!(
                        "TN0912: restart refused, the running configuration stays in force: {why}"
                    ),
                );
                self.report(Some(why));
            }
        }
    }

    /// Put the configuration in force as it is now.
    fn renew(&mut self) -> Result<(), String> {
        let next = self.service.prepare(self.generation.wrapping_add(1))?;
        let settings = self.service.settings(&next);
        let options = settings.listen_options;
        let plan = self
            .listeners
            .plan(&settings.listens, &options)
            .map_err(|error| error.to_string())?;
        if settings.listens.is_empty() {
            return Err("no listening sockets available".to_owned());
        }
        if settings.pid_file != self.settings.pid_file {
            let moved = write_pid_file(&settings.pid_file)?;
            self.remove_pid_file();
            self.pid_file = Some(moved);
        }
        // Nothing below can fail.
        self.listeners.adopt(plan, &options);
        self.board = self.service.board(&next);
        self.current = next;
        self.settings = settings;
        self.generation = self.generation.wrapping_add(1);
        // The preparation may have taken a while.
        self.now = clock::now();
        let global = self.board.global();
        global.begin_generation(self.now.unix_ms());
        // A board that the service made anew has not counted the generations before it.
        global.generation.store(self.generation, Ordering::Relaxed);
        Ok(())
    }

    /// Fork the new generation beside the old one.
    fn begin_changeover(&mut self, is_graceful: bool) {
        let settled = &self.settings.settled;
        let wanted = self
            .count_serving()
            .saturating_add(self.owed)
            .max(settled.start)
            .min(settled.shape.children_max);
        self.family.hold_others(self.generation);
        // A new configuration deserves a new try, whatever became of children before.
        self.backoff = Backoff::default();
        let born = self.bear(wanted, Role::Serve);
        if self.settings.has_probe {
            self.bear(1, Role::Probe);
        }
        // Those for which there is no record yet follow as soon as old children are gone.
        self.owed = wanted - born;
        self.changeover = Some(Changeover {
            is_graceful,
            attempt: self.attempt,
            is_reported: false,
        });
        if born == 0 && !self.backoff.is_failing() {
            // Old children hold all records: the new ones can only come when these go.
            self.relieve();
        }
    }

    /// Whether the new generation still has to show that it can serve, and may do so at any moment.
    pub(super) fn is_expecting(&self) -> bool {
        self.changeover.is_some() && self.count_serving() > 0
    }

    /// Relieve the old generation as soon as a child of the new one serves; report it if they all die instead.
    pub(super) fn watch_changeover(&mut self) {
        let Some(changeover) = &mut self.changeover else {
            return;
        };
        let now = self.now.instant;
        if self.family.serving().any(|kid| kid.is_proven(now)) {
            self.relieve();
            return;
        }
        let is_lost = self.backoff.is_failing() && self.family.serving().next().is_none();
        if is_lost && !changeover.is_reported {
            changeover.is_reported = true;
            let why = "the children of the new generation die at birth; those of the old one go on serving, see the error log";
            self.log(Level::Error, &format!("TN0913: restart failed: {why}"));
            self.report(Some(why.to_owned()));
        }
    }

    fn relieve(&mut self) {
        let Some(changeover) = self.changeover.take() else {
            return;
        };
        if changeover.is_graceful {
            self.family.relieve();
            self.rate.hold_off();
        } else {
            self.family.quit_others(self.generation, self.now.instant);
        }
        self.announce();
        // An attempt that was refused meanwhile has its own report.
        if changeover.attempt == self.attempt {
            self.report(None);
        }
    }

    /// For whoever asked for the restart.
    fn report(&self, refusal: Option<String>) {
        self.write_outcome(refusal);
        self.say_ready();
    }
}

/// A restart whose new generation has not shown yet that it can serve.
#[derive(Debug, Clone, Copy)]
pub(super) struct Changeover {
    /// The old children finish what they have; else they end.
    is_graceful: bool,
    /// The attempt to report on.
    attempt: u32,
    /// It was reported as failed.
    is_reported: bool,
}
