//! The parent's loop.
//!
//! Responsible for: starting, obeying signals, stopping, and one turn at least every second. Not responsible for: how children are made and
//! mourned (`births`), or what a restart does (`renew`).
//!
//! ```text
//!   every turn:  reap → obey signals → urge those that were told to end → over? → replace the dead → once a second: tick
//!   then wait for a signal, or for the next moment at which something is due
//!
//!              USR1, HUP: restart
//!                  ┌───┐
//!   start ──────► Serving ── WINCH ──► graceful stop ──► all gone ──► end
//!                    │                      │ TERM, INT, or GracefulShutdownTimeout
//!                    └── TERM, INT ─────────┴──────────► stop ──► all gone, or 10 s ──► end
//!                                                          │ TERM, INT again: KILL at once
//! ```
//!
//! Know first: the parent has one thread and never will have more, because it forks. It accepts nothing, reads nothing from clients, and
//! acts on no pid or path that it read from the scoreboard, where children can write.
//!
//! httpd: `prefork_run`, `ap_reclaim_child_processes`.

mod births;
mod renew;

use super::backoff::Backoff;
use super::child::{self, Birth, Role};
use super::family::Family;
use super::ladder::Rung;
use super::listen::Listeners;
use super::outcome::Outcome;
use super::pidfile::{PidFile, Standing};
use super::spare::SpawnRate;
use super::{Level, Service, Settings};
use crate::sys::clock::{self, Now};
use crate::sys::notify::Notifier;
use crate::sys::process::{self, Launch, Pid};
use crate::sys::signals::{Arrived, Signal, Signals};
use crate::sys::{control, cpu};
use renew::Changeover;
use scoreboard::{Board, ServerState};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// Start the server, supervise it to its end, and return the exit code. `launch` is from [`process::daemonise`], if that was done.
///
/// # Errors
/// When it cannot start, with the message for standard error; nothing was forked then.
pub fn run<S: Service>(service: S, launch: Option<Launch>) -> Result<i32, String> {
    let mut parent = Parent::start(service)?;
    parent.launch = launch;
    parent.open();
    Ok(parent.supervise())
}

/// `-X`: one process, parent and child in one, for debugging.
///
/// # Errors
/// When it cannot start, with the message for standard error.
pub fn run_single<S: Service>(service: S) -> Result<i32, String> {
    let mut parent = Parent::start(service)?;
    let board = parent.board;
    let pid = Pid::ours();
    let index = board
        .claim_process(pid.number(), 0, parent.now.unix_ms())
        .ok_or("the scoreboard has no room for a process")?;
    let signals = Signals::single().map_err(|error| error.to_string())?;
    let (tether, mut control) = control::pair().map_err(|error| error.to_string())?;
    control.attach(signals);
    child::assume_identity(&parent.settings)?;
    parent.announce();
    board.global().set_state(ServerState::Running);
    let birth = Birth {
        role: Role::Serve,
        index,
        generation: 0,
        pid,
        shape: parent.settings.settled.shape,
        max_connections: None,
        listeners: std::mem::take(&mut parent.listeners).into_sockets(),
        control,
    };
    keep_beating(board).map_err(|error| error.to_string())?;
    let code = parent.service.run_child(&parent.current, birth);
    // As long as this end is open, the child's end does not take its parent for dead.
    drop(tether);
    board.free_process(index);
    Ok(parent.end(code))
}

/// Says once a second that this process lives, on a thread of its own: under `-X` the only loop is the child's, which
/// sleeps when nobody asks anything. Nothing is forked here, so a thread does no harm.
fn keep_beating(board: &'static Board) -> io::Result<()> {
    let beat = move || {
        loop {
            board.global().heartbeat(clock::now().unix_ms());
            thread::park_timeout(Duration::from_secs(1));
        }
    };
    thread::Builder::new()
        .name("heartbeat".to_owned())
        .spawn(beat)
        .map(drop)
}

struct Parent<S: Service> {
    service: S,
    /// The generation in force, and what follows from it.
    current: S::Generation,
    settings: Settings,
    board: &'static Board,
    generation: u32,
    /// Restarts asked for so far.
    attempt: u32,
    listeners: Listeners,
    /// `None` once it was removed.
    pid_file: Option<PidFile>,
    signals: Signals,
    notifier: Notifier,
    launch: Option<Launch>,
    family: Family,
    rate: SpawnRate,
    backoff: Backoff,
    /// Children that ended though they were needed and are not replaced yet.
    owed: u32,
    /// A child of the first generation has served, or has lived for a while.
    is_proven: bool,
    phase: Phase,
    /// A restart that is not over yet.
    changeover: Option<Changeover>,
    /// The clock, once per turn.
    now: Now,
    next_tick: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Children drain; at the deadline they are ended.
    GracefulStop(Option<Instant>),
    /// Children were told to end; with the exit code of the server.
    Stop(i32),
}

impl<S: Service> Parent<S> {
    /// Everything up to the first fork.
    fn start(mut service: S) -> Result<Self, String> {
        process::set_umask();
        // Each connection is a descriptor or two; where the limit cannot be raised, accept will say so when it is reached.
        let _limit = process::raise_fd_limit();
        let current = service.prepare(0)?;
        let settings = service.settings(&current);
        let board = service.board(&current);
        check_pid_file(&service, &settings.pid_file)?;
        let mut listeners = Listeners::default();
        match listeners.plan(&settings.listens, &settings.listen_options) {
            Ok(plan) => listeners.adopt(plan, &settings.listen_options),
            Err(error) => {
                service.log(Level::Error, &error.to_string());
                return Err(format!(
                    "{error}\nno listening sockets available, shutting down"
                ));
            }
        }
        if listeners.is_empty() {
            return Err("no listening sockets available, shutting down".to_owned());
        }
        let pid_file = write_pid_file(&settings.pid_file)?;
        let signals = Signals::parent().map_err(|error| format!("signals: {error}"))?;
        let now = clock::now();
        Ok(Self {
            service,
            current,
            settings,
            board,
            generation: 0,
            attempt: 0,
            listeners,
            pid_file: Some(pid_file),
            signals,
            notifier: Notifier::from_environment(),
            launch: None,
            family: Family::default(),
            rate: SpawnRate::default(),
            backoff: Backoff::default(),
            owed: 0,
            is_proven: false,
            phase: Phase::Serving,
            changeover: None,
            now,
            next_tick: now.instant + SECOND,
        })
    }

    /// The first children, and the news of them.
    fn open(&mut self) {
        self.board.global().heartbeat(self.now.unix_ms());
        if let Some(launch) = &self.launch
            && let Err(error) = launch.detach()
        {
            self.log(
                Level::Warn,
                &format!("TN0903: cannot let go of the terminal: {error}"),
            );
        }
        self.owed = self.settings.settled.start;
        self.replace_dead();
        self.board.global().set_state(ServerState::Running);
        self.announce();
        self.write_outcome(None);
        self.say_ready();
        if let Some(launch) = self.launch.take() {
            // A launcher that was interrupted does not want to know any more.
            launch.ready().unwrap_or_default();
        }
    }

    fn supervise(mut self) -> i32 {
        loop {
            self.now = clock::now();
            self.reap();
            let arrived = self.signals.take();
            self.obey(arrived);
            self.urge();
            if let Some(code) = self.over() {
                return self.end(code);
            }
            self.watch_changeover();
            self.replace_dead();
            if self.now.instant >= self.next_tick {
                self.next_tick = self.now.instant + SECOND;
                self.tick();
            }
            let pause = self.pause();
            if let Err(error) = process::wait_readable(&self.signals, pause) {
                self.log(
                    Level::Error,
                    &format!("TN0904: the parent cannot wait: {error}; stopping"),
                );
                self.stop(1);
            }
        }
    }

    fn obey(&mut self, arrived: Arrived) {
        let is_stop = arrived.has(Signal::Terminate) || arrived.has(Signal::Interrupt);
        match self.phase {
            Phase::Serving if is_stop => {
                self.log_stop(arrived);
                self.stop(0);
            }
            Phase::Serving if arrived.has(Signal::GracefulStop) => self.stop_gracefully(),
            Phase::Serving if arrived.has(Signal::Hangup) => self.restart(false),
            Phase::Serving if arrived.has(Signal::Graceful) => self.restart(true),
            Phase::GracefulStop(_) if is_stop => {
                self.log_stop(arrived);
                self.stop(0);
            }
            Phase::Stop(_) if is_stop => {
                self.family.hurry(self.now.instant);
            }
            Phase::Serving | Phase::GracefulStop(_) | Phase::Stop(_) => {}
        }
    }

    fn log_stop(&self, arrived: Arrived) {
        let name = if arrived.has(Signal::Terminate) {
            "SIGTERM"
        } else {
            "SIGINT"
        };
        self.log(
            Level::Notice,
            &format!("AH00169: caught {name}, shutting down"),
        );
    }

    fn stop(&mut self, code: i32) {
        self.phase = Phase::Stop(code);
        self.changeover = None;
        self.board.global().set_state(ServerState::Stopping);
        self.notifier.say("STOPPING=1");
        self.listeners.close();
        self.family.quit_all(self.now.instant);
    }

    fn stop_gracefully(&mut self) {
        self.log(
            Level::Notice,
            "AH00170: caught SIGWINCH, shutting down gracefully",
        );
        let timeout = self.settings.settled.graceful_shutdown_timeout;
        self.phase = Phase::GracefulStop(timeout.map(|timeout| self.now.instant + timeout));
        self.changeover = None;
        self.board.global().set_state(ServerState::Stopping);
        self.notifier.say("STOPPING=1");
        self.family.drain_all();
        self.listeners.close();
        // At the beginning, as in httpd: another server may take over while this one finishes.
        self.remove_pid_file();
    }

    /// Take the next steps with children that were told to end.
    fn urge(&mut self) {
        for (pid, rung) in self.family.climb(self.now.instant) {
            match rung {
                Rung::Term => self.log(
                    Level::Warn,
                    &format!("AH00045: child process {pid} still did not exit, sending a SIGTERM"),
                ),
                Rung::Kill => self.log(
                    Level::Error,
                    &format!("AH00046: child process {pid} still did not exit, sending a SIGKILL"),
                ),
                Rung::GiveUp => self.log(
                    Level::Error,
                    &format!(
                        "AH00047: could not make child process {pid} exit, attempting to continue anyway"
                    ),
                ),
            }
        }
    }

    /// The exit code, once there is nothing left to wait for.
    fn over(&mut self) -> Option<i32> {
        match self.phase {
            Phase::Serving => None,
            Phase::GracefulStop(_) if self.family.is_empty() => Some(0),
            Phase::GracefulStop(Some(deadline)) if self.now.instant >= deadline => {
                self.log(
                    Level::Notice,
                    "TN0905: GracefulShutdownTimeout has passed, ending the children that are left",
                );
                self.stop(0);
                None
            }
            Phase::GracefulStop(_) => None,
            Phase::Stop(code) => self.family.is_hopeless().then_some(code),
        }
    }

    fn end(mut self, code: i32) -> i32 {
        self.remove_pid_file();
        self.board.global().set_state(ServerState::Stopped);
        code
    }

    /// Once a second, in every phase.
    fn tick(&mut self) {
        let global = self.board.global();
        global.heartbeat(self.now.unix_ms());
        let (ours, theirs) = (cpu::this_process(), cpu::ended_children());
        global.cpu_user_us.store(ours.user_us, Ordering::Relaxed);
        global
            .cpu_system_us
            .store(ours.system_us, Ordering::Relaxed);
        global
            .children_user_us
            .store(theirs.user_us, Ordering::Relaxed);
        global
            .children_system_us
            .store(theirs.system_us, Ordering::Relaxed);
        if self.phase == Phase::Serving {
            self.maintain();
        }
        if let Some(status) = self.service.tick(&self.current, self.now) {
            self.notifier.status(&status);
        }
        self.notifier.say("WATCHDOG=1");
    }

    /// How long nothing is due.
    fn pause(&self) -> Duration {
        let retry = self.wants_children().then(|| self.backoff.next()).flatten();
        let deadline = match self.phase {
            Phase::GracefulStop(deadline) => deadline,
            Phase::Serving | Phase::Stop(_) => None,
        };
        let glance = self.is_expecting().then(|| self.now.instant + GLANCE);
        let moments = [retry, deadline, glance, self.family.next_rung()];
        let next = moments
            .into_iter()
            .flatten()
            .fold(self.next_tick, Instant::min);
        next.saturating_duration_since(clock::now().instant)
    }

    /// The lines that mark a beginning in httpd's error log.
    fn announce(&self) {
        let Settings {
            description,
            built,
            command_line,
            ..
        } = &self.settings;
        self.log(
            Level::Notice,
            &format!("AH00163: {description} configured -- resuming normal operations"),
        );
        self.log(Level::Info, &format!("AH00164: Server built: {built}"));
        self.log(
            Level::Notice,
            &format!("AH00094: Command line: '{command_line}'"),
        );
    }

    fn say_ready(&self) {
        self.notifier
            .say(&format!("READY=1\nMAINPID={}", Pid::ours()));
    }

    fn write_outcome(&self, refusal: Option<String>) {
        let outcome = Outcome {
            attempt: self.attempt,
            generation: self.generation,
            refusal,
        };
        if let Err(error) = outcome.write(&self.settings.pid_file) {
            let path = Outcome::path(&self.settings.pid_file);
            self.log(
                Level::Warn,
                &format!("TN0906: cannot write `{}`: {error}", path.display()),
            );
        }
    }

    fn remove_pid_file(&mut self) {
        let Some(file) = self.pid_file.take() else {
            return;
        };
        let path = file.path().to_owned();
        // The outcome first: who sees no pid file may take its place.
        let removed = Outcome::remove(&path).and_then(|()| file.remove());
        match removed {
            Ok(()) => self.log(
                Level::Info,
                &format!(
                    "AH00155: removed PID file {} (pid={})",
                    path.display(),
                    Pid::ours()
                ),
            ),
            Err(error) => self.log(
                Level::Warn,
                &format!("TN0907: cannot remove `{}`: {error}", path.display()),
            ),
        }
    }

    fn log(&self, level: Level, message: &str) {
        self.service.log(level, message);
    }
}

/// Refuse to start beside a server that runs; tell of one that has died.
fn check_pid_file<S: Service>(service: &S, path: &Path) -> Result<(), String> {
    match Standing::of(path) {
        Ok(Standing::Absent) => {}
        Ok(Standing::Running(pid)) => return Err(format!("tine (pid {pid}) already running")),
        Ok(Standing::Stale(_)) => service.log(
            Level::Warn,
            &format!(
                "AH00098: pid file {} overwritten -- Unclean shutdown of previous tine run?",
                path.display()
            ),
        ),
        Err(error) => service.log(Level::Warn, &format!("TN0908: {error}")),
    }
    Ok(())
}

fn write_pid_file(path: &Path) -> Result<PidFile, String> {
    PidFile::write(path, Pid::ours())
        .map_err(|error| format!("AH00099: could not create {}: {error}", path.display()))
}

const SECOND: Duration = Duration::from_secs(1);
/// Between two looks at a generation that is about to serve. Nobody wakes the parent when it does, and it takes milliseconds.
const GLANCE: Duration = Duration::from_millis(5);
