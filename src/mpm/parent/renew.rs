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
//!   fork as many children as served before, at least StartServers
//!   graceful: the old ones drain        restart: the old ones end, on the ladder
//! ```
//!
//! The listeners that stay are never closed, the old children accept until they are told otherwise, and the new ones are forked before
//! that: at no moment does nobody accept.

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
        let refusal = self.renew().err();
        match &refusal {
            None => self.change_children(is_graceful),
            Some(why) => self.log(
                Level::Error,
                &format!(
                    "TN0912: restart refused, the running configuration stays in force: {why}"
                ),
            ),
        }
        self.write_outcome(refusal);
        self.say_ready();
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

    fn change_children(&mut self, is_graceful: bool) {
        let settled = &self.settings.settled;
        let wanted = self
            .count_serving()
            .saturating_add(self.owed)
            .max(settled.start)
            .min(settled.shape.children_max);
        // A new configuration deserves a new try, whatever became of children before.
        self.backoff = Backoff::default();
        let born = self.bear(wanted, Role::Serve);
        if self.settings.has_probe {
            self.bear(1, Role::Probe);
        }
        // Those for which there is no record yet follow as soon as old children are gone.
        self.owed = wanted - born;
        if is_graceful {
            self.family.drain_others(self.generation);
        } else {
            self.family.quit_others(self.generation, self.now.instant);
        }
        self.rate.hold_off();
        self.announce();
    }
}
