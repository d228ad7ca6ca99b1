//! `-k`: the command line's end of a running server.
//!
//! Responsible for: finding the server by its pid file, signalling it, and waiting until what was asked for has happened, or until the server
//! has written why it refused. Not responsible for: starting one; where that is what to do, the answer says so.
//!
//! Know first: httpd exits with 0 as soon as the signal is sent, and with 0 when there was nothing to signal. Here 0 means that it has
//! happened. This code waits and is never run in a server.
//!
//! httpd: `ap_signal_server`.

use super::outcome::Outcome;
use super::pidfile::{PidFileError, Standing};
use crate::sys::clock;
use crate::sys::process::{Pid, Watched};
use crate::sys::signals::Signal;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

/// The word after `-k`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `start`
    Start,
    /// `restart`: children end at once.
    Restart,
    /// `graceful`: children finish first.
    Graceful,
    /// `graceful-stop`
    GracefulStop,
    /// `stop`
    Stop,
}

impl Action {
    /// The action of this name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "start" => Some(Self::Start),
            "restart" => Some(Self::Restart),
            "graceful" => Some(Self::Graceful),
            "graceful-stop" => Some(Self::GracefulStop),
            "stop" => Some(Self::Stop),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Graceful => "graceful",
            Self::GracefulStop => "graceful-stop",
            Self::Stop => "stop",
        }
    }
}

/// Which server, and how patient to be.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Where its pid is.
    pub pid_file: &'a Path,
    /// `GracefulShutdownTimeout`: how long a graceful stop may take before it becomes a stop. `None` waits for ever.
    pub graceful_shutdown_timeout: Option<Duration>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// No server runs: start one now, after saying this, if anything.
    Start(Option<String>),
    /// It has happened: exit code 0.
    Done(String),
}

/// Why it has not happened: exit code 1.
#[derive(Debug)]
pub enum Failure {
    /// The pid file cannot be used.
    PidFile(PidFileError),
    /// `start`, and a server runs.
    AlreadyRunning(Pid),
    /// `stop`, and none does; with the pid of one that did.
    NotRunning(Option<Pid>),
    /// The signal could not be sent.
    Signal(Pid, io::Error),
    /// The server keeps its configuration, and this is why.
    Refused(Action, String),
    /// The server ended instead of restarting.
    Died(Action, Pid),
    /// It has not happened in time.
    Timeout(Action, Pid, Duration),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PidFile(error) => error.fmt(f),
            Self::AlreadyRunning(pid) => write!(f, "tine (pid {pid}) already running"),
            Self::NotRunning(None) => f.write_str("tine (no pid file) not running"),
            Self::NotRunning(Some(pid)) => write!(f, "tine (pid {pid}?) not running"),
            Self::Signal(pid, cause) => write!(f, "sending signal to server (pid {pid}): {cause}"),
            Self::Refused(action, why) => write!(
                f,
                "{} refused, the running configuration stays in force: {why}",
                action.word()
            ),
            Self::Died(action, pid) => write!(
                f,
                "the server (pid {pid}) ended during {}; see its error log",
                action.word()
            ),
            Self::Timeout(action, pid, waited) => write!(
                f,
                "the server (pid {pid}) has not finished {} within {} s; see its error log",
                action.word(),
                waited.as_secs()
            ),
        }
    }
}

impl std::error::Error for Failure {}

/// Carry out `action`.
///
/// # Errors
/// When it has not happened; the message says why.
pub fn control(action: Action, target: &Target<'_>) -> Result<Answer, Failure> {
    let standing = Standing::of(target.pid_file).map_err(Failure::PidFile)?;
    match (action, standing) {
        (Action::Start, Standing::Running(pid)) => Err(Failure::AlreadyRunning(pid)),
        (Action::Start, Standing::Absent | Standing::Stale(_)) => Ok(Answer::Start(None)),
        (Action::Restart | Action::Graceful, Standing::Running(pid)) => {
            restart(action, pid, target)
        }
        (Action::Restart | Action::Graceful, Standing::Absent | Standing::Stale(_)) => Ok(
            Answer::Start(Some("tine not running, trying to start".to_owned())),
        ),
        (Action::Stop | Action::GracefulStop, Standing::Running(pid)) => stop(action, pid, target),
        (Action::Stop | Action::GracefulStop, Standing::Absent) => Err(Failure::NotRunning(None)),
        (Action::Stop | Action::GracefulStop, Standing::Stale(pid)) => {
            Err(Failure::NotRunning(Some(pid)))
        }
    }
}

fn stop(action: Action, pid: Pid, target: &Target<'_>) -> Result<Answer, Failure> {
    let (signal, patience) = if action == Action::Stop {
        (Signal::Terminate, Some(STOP_WAIT))
    } else {
        let timeout = target.graceful_shutdown_timeout;
        (Signal::GracefulStop, timeout.map(|t| t + STOP_WAIT))
    };
    let server = send(pid, signal)?;
    let begun = clock::now().instant;
    loop {
        if has_ended(&server)? {
            return Ok(Answer::Done(format!("tine (pid {pid}) stopped")));
        }
        let waited = clock::now().instant - begun;
        if patience.is_some_and(|patience| waited >= patience) {
            return Err(Failure::Timeout(action, pid, waited));
        }
    }
}

fn restart(action: Action, pid: Pid, target: &Target<'_>) -> Result<Answer, Failure> {
    let before = Outcome::read(target.pid_file).map(|outcome| outcome.attempt);
    let signal = if action == Action::Restart {
        Signal::Hangup
    } else {
        Signal::Graceful
    };
    let server = send(pid, signal)?;
    let begun = clock::now().instant;
    loop {
        if has_ended(&server)? {
            return Err(Failure::Died(action, pid));
        }
        // Under another pid file the new configuration is in force and the old file is gone: that too is a success.
        let after = Outcome::read(target.pid_file);
        let has_moved = after.is_none() && !target.pid_file.exists();
        if has_moved {
            return Ok(restarted(action, pid, None));
        }
        if let Some(outcome) = after.filter(|outcome| Some(outcome.attempt) != before) {
            return match outcome.refusal {
                Some(why) => Err(Failure::Refused(action, why)),
                None => Ok(restarted(action, pid, Some(outcome.generation))),
            };
        }
        let waited = clock::now().instant - begun;
        if waited >= RESTART_WAIT {
            return Err(Failure::Timeout(action, pid, waited));
        }
    }
}

fn restarted(action: Action, pid: Pid, generation: Option<u32>) -> Answer {
    let word = action.word();
    Answer::Done(match generation {
        Some(generation) => format!("tine (pid {pid}) {word} done, generation {generation}"),
        None => format!("tine (pid {pid}) {word} done"),
    })
}

fn send(pid: Pid, signal: Signal) -> Result<Watched, Failure> {
    let failed = |cause| Failure::Signal(pid, cause);
    let server = Watched::open(pid).map_err(failed)?;
    server.signal(signal).map_err(failed)?;
    Ok(server)
}

/// Wait a moment for the end.
fn has_ended(server: &Watched) -> Result<bool, Failure> {
    let failed = |cause| Failure::Signal(server.pid(), cause);
    server.wait(MOMENT).map_err(failed)
}

/// Between two looks at the outcome.
const MOMENT: Duration = Duration::from_millis(25);
/// The server gives up on its children after 10 s.
const STOP_WAIT: Duration = Duration::from_secs(15);
/// Reading a configuration may include looking up many names.
const RESTART_WAIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::super::pidfile::PidFile;
    use super::*;
    use std::process::{Child, Command};

    struct Place {
        _directory: tempfile::TempDir,
        pid_file: std::path::PathBuf,
    }

    impl Place {
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            Self {
                pid_file: directory.path().join("tine.pid"),
                _directory: directory,
            }
        }

        fn ask(&self, action: Action) -> Result<Answer, String> {
            let target = Target {
                pid_file: &self.pid_file,
                graceful_shutdown_timeout: None,
            };
            control(action, &target).map_err(|failure| failure.to_string())
        }

        /// A process that stands in for a server, with the pid file locked by this test.
        fn server(&self) -> (Child, Pid, PidFile) {
            let child = Command::new("sleep").arg("600").spawn().expect("sleep");
            let pid = Pid::from_number(child.id()).expect("a pid");
            let file = PidFile::write(&self.pid_file, pid).expect("written");
            (child, pid, file)
        }
    }

    #[test]
    fn with_no_server_starting_is_fine_and_stopping_is_not() {
        let place = Place::new();
        assert_eq!(place.ask(Action::Start), Ok(Answer::Start(None)));
        for action in [Action::Restart, Action::Graceful] {
            let said = Some("tine not running, trying to start".to_owned());
            assert_eq!(place.ask(action), Ok(Answer::Start(said)));
        }
        for action in [Action::Stop, Action::GracefulStop] {
            let refused = place.ask(action).expect_err("nothing to stop");
            assert_eq!(refused, "tine (no pid file) not running");
        }
        drop(PidFile::write(&place.pid_file, Pid::ours()).expect("written"));
        assert_eq!(
            place.ask(Action::Stop).expect_err("stale"),
            format!("tine (pid {}?) not running", Pid::ours())
        );
        assert_eq!(place.ask(Action::Start), Ok(Answer::Start(None)));
    }

    #[test]
    fn a_running_server_is_not_started_twice() {
        let place = Place::new();
        let _file = PidFile::write(&place.pid_file, Pid::ours()).expect("written");
        assert_eq!(
            place.ask(Action::Start).expect_err("it runs"),
            format!("tine (pid {}) already running", Pid::ours())
        );
    }

    #[test]
    fn stop_returns_when_the_process_is_gone() {
        let place = Place::new();
        let (mut child, pid, _file) = place.server();
        let stopped = format!("tine (pid {pid}) stopped");
        assert_eq!(place.ask(Action::Stop), Ok(Answer::Done(stopped)));
        child.wait().expect("collected");
    }

    #[test]
    fn a_server_that_dies_of_a_restart_is_a_failure() {
        let place = Place::new();
        let (mut child, pid, _file) = place.server();
        // The stand-in has no handler, so USR1 ends it.
        let failure = place.ask(Action::Graceful).expect_err("it died");
        assert_eq!(
            failure,
            format!("the server (pid {pid}) ended during graceful; see its error log")
        );
        child.wait().expect("collected");
    }

    #[test]
    fn words_and_actions_agree() {
        for word in ["start", "restart", "graceful", "graceful-stop", "stop"] {
            assert_eq!(Action::from_word(word).map(Action::word), Some(word));
        }
        assert_eq!(Action::from_word("halt"), None);
    }
}
