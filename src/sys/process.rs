//! Processes: making, naming, watching and ending them.
//!
//! Responsible for: fork, waiting without blocking, pid descriptors, becoming a daemon, limits. Not responsible for: when, or how many.
//!
//! Know first: a child made by [`fork`] is a copy of its parent in the middle of a function. It must never return into the parent's frames,
//! whose guards would remove the pid file: it ends by [`exit_now`].

#![expect(unsafe_code, reason = "calls that neither std nor nix wraps safely")]

use super::signals::Signal;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{ForkResult, chdir, dup2_stderr, dup2_stdin, dup2_stdout, pipe2, setsid};
use std::ffi::CStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// A process id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(nix::unistd::Pid);

impl Pid {
    /// This process.
    #[must_use]
    pub fn ours() -> Self {
        Self(nix::unistd::getpid())
    }

    /// The id with this number, if a process can have it.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        let raw = i32::try_from(number).ok().filter(|raw| *raw > 0)?;
        Some(Self(nix::unistd::Pid::from_raw(raw)))
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u32 {
        u32::try_from(self.0.as_raw()).expect("a pid of ours is positive")
    }

    /// Send a signal.
    ///
    /// # Errors
    /// When there is no such process or it is not ours to signal.
    pub fn signal(self, signal: Signal) -> io::Result<()> {
        Ok(nix::sys::signal::kill(self.0, signal.system())?)
    }

    /// Whether a process has this id now. One that has ended but was not waited for still counts.
    #[must_use]
    pub fn is_alive(self) -> bool {
        // EPERM: it exists, and belongs to somebody else.
        matches!(
            nix::sys::signal::kill(self.0, None),
            Ok(()) | Err(Errno::EPERM)
        )
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which side of the fork this is.
#[derive(Debug)]
pub enum Fork {
    /// The parent, with its new child's id.
    Parent(Pid),
    /// The child.
    Child,
}

/// Make a child process.
///
/// # Errors
/// When the system refuses, or when this process has more than one thread: the child would have only the calling one, and any lock that
/// another held would stay locked in it for ever.
pub fn fork() -> io::Result<Fork> {
    if threads() > 1 {
        return Err(io::Error::other(
            "a process with threads cannot fork safely",
        ));
    }
    // SAFETY: this process has a single thread, as was just checked, so no lock is held in the child by a thread that is not there.
    let result = unsafe { nix::unistd::fork() }?;
    Ok(match result {
        ForkResult::Parent { child } => Fork::Parent(Pid(child)),
        ForkResult::Child => Fork::Child,
    })
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By a signal.
    Signal {
        /// Its number.
        number: i32,
        /// A core was dumped.
        core: bool,
    },
}

/// Collect one ended child, if there is one; never waits.
#[must_use]
pub fn reap() -> Option<(Pid, Exit)> {
    loop {
        let mut status = 0;
        // SAFETY: the status is written to a local that outlives the call; the other arguments are numbers.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        if pid < 0 && Errno::last() == Errno::EINTR {
            continue;
        }
        // 0: children live, none has ended. -1: there are none.
        let pid = Pid::from_number(u32::try_from(pid).ok()?)?;
        if libc::WIFEXITED(status) {
            return Some((pid, Exit::Code(libc::WEXITSTATUS(status))));
        }
        if libc::WIFSIGNALED(status) {
            let number = libc::WTERMSIG(status);
            let core = libc::WCOREDUMP(status);
            return Some((pid, Exit::Signal { number, core }));
        }
    }
}

/// Collect this ended child, waiting for its end.
pub fn reap_one(pid: Pid) {
    while matches!(nix::sys::wait::waitpid(pid.0, None), Err(Errno::EINTR)) {}
}

/// End this process without running any destructor or exit handler.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes any number and does not return; nothing of this process is touched afterwards.
    unsafe { libc::_exit(code) }
}

/// Have the kernel send `signal` when the parent ends. To be called after privileges are dropped, which would undo it.
///
/// # Errors
/// Never in practice.
pub fn set_parent_death_signal(signal: Signal) -> io::Result<()> {
    Ok(nix::sys::prctl::set_pdeathsig(signal.system())?)
}

/// The name that ps and top show for this thread, at most 15 bytes.
///
/// # Errors
/// Never in practice.
pub fn set_name(name: &CStr) -> io::Result<()> {
    Ok(nix::sys::prctl::set_name(name)?)
}

/// Set the file mode creation mask to httpd's 022.
pub fn set_umask() {
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
}

/// Raise the limit on open descriptors as far as the hard limit allows, and return what holds now.
///
/// # Errors
/// When the limit cannot be read or set.
pub fn raise_fd_limit() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard.max(soft))
}

/// How many processors this process may use; one when that cannot be told.
#[must_use]
pub fn cores() -> u32 {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Somebody else's process, held by a descriptor: however long we hold it, it never comes to mean another process of the same number.
#[derive(Debug)]
pub struct Watched {
    process: OwnedFd,
    pid: Pid,
}

impl Watched {
    /// Take hold of a process.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn open(pid: Pid) -> io::Result<Self> {
        // SAFETY: pidfd_open takes two numbers and gives one back; no memory is shared with the kernel.
        let result = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.0.as_raw(), 0) };
        let raw = RawFd::try_from(result).unwrap_or(-1);
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
        let process = unsafe { OwnedFd::from_raw_fd(raw) };
        Ok(Self { process, pid })
    }

    /// Its id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Send a signal to exactly this process.
    ///
    /// # Errors
    /// When it has ended or is not ours to signal.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        let process = self.process.as_raw_fd();
        let info = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: a null siginfo is allowed and means "as kill(2) would"; the other arguments are numbers.
        let result = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                process,
                signal.number(),
                info,
                0,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Wait until it has ended, or until `at_most` has passed; says whether it has ended. This one blocks: it is for the command line.
    ///
    /// # Errors
    /// When waiting is refused.
    pub fn wait(&self, at_most: Duration) -> io::Result<bool> {
        let mut watched = [PollFd::new(self.process.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX);
        match poll(&mut watched, timeout) {
            Ok(count) => Ok(count > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Wait until `fd` is readable, a signal arrives, or `at_most` has passed. This one blocks: it is the parent's and the command line's.
///
/// # Errors
/// When waiting is refused.
pub fn wait_readable(fd: impl AsFd, at_most: Duration) -> io::Result<()> {
    let mut watched = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    // Round up: a wait that ends just before the deadline would spin until it.
    let rounded = at_most + Duration::from_micros(999);
    let timeout = PollTimeout::try_from(rounded).unwrap_or(PollTimeout::MAX);
    match poll(&mut watched, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A daemon whose launcher still waits to hear whether it came up.
#[derive(Debug)]
pub struct Launch {
    launcher: File,
    /// What standard error was: whoever points it elsewhere since, such as to the error log, means it.
    stderr: Option<(u64, u64)>,
}

/// Become a daemon: fork twice with a new session in between, go to `/`. The process that called stays until the daemon says
/// [ready](Launch::ready) or ends, and exits with 0 or 1 accordingly, so that a script learns how the start went. Standard error stays
/// where it is until then.
///
/// # Errors
/// When the system refuses.
pub fn daemonise() -> io::Result<Launch> {
    let (reader, writer) = pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    if let Fork::Parent(_) = fork()? {
        drop(writer);
        let mut word = [0];
        let heard = File::from(reader).read_exact(&mut word);
        exit_now(i32::from(heard.is_err()));
    }
    drop(reader);
    setsid()?;
    // The second fork gives up session leadership, so that no terminal opened later becomes ours.
    if let Fork::Parent(_) = fork()? {
        exit_now(0);
    }
    chdir("/")?;
    Ok(Launch {
        launcher: writer.into(),
        stderr: stderr_identity(),
    })
}

impl Launch {
    /// Let go of the terminal, before the first child inherits it. Standard error stays if it has been pointed to a log meanwhile.
    ///
    /// # Errors
    /// When `/dev/null` cannot be opened.
    pub fn detach(&self) -> io::Result<()> {
        let nowhere = File::options().read(true).write(true).open("/dev/null")?;
        dup2_stdin(&nowhere)?;
        dup2_stdout(&nowhere)?;
        if stderr_identity() == self.stderr {
            dup2_stderr(&nowhere)?;
        }
        Ok(())
    }

    /// Tell the launcher that the server is up.
    ///
    /// # Errors
    /// When the launcher has been killed.
    pub fn ready(mut self) -> io::Result<()> {
        self.launcher.write_all(&[0])
    }
}

/// Device and inode of standard error, if it is open.
fn stderr_identity() -> Option<(u64, u64)> {
    let stat = nix::sys::stat::fstat(io::stderr()).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

/// How many threads this process has; one when /proc does not tell.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_with_threads_is_not_forked() {
        let beside = std::thread::Builder::new();
        let refused = beside.spawn(|| fork().is_err()).expect("a thread");
        assert!(refused.join().expect("no panic"));
    }

    #[test]
    fn pids_are_positive_numbers() {
        assert_eq!(Pid::from_number(0), None);
        assert_eq!(Pid::from_number(u32::MAX), None);
        let ours = Pid::ours();
        assert_eq!(Pid::from_number(ours.number()), Some(ours));
        assert_eq!(ours.to_string(), std::process::id().to_string());
        assert!(ours.is_alive());
    }

    #[test]
    fn a_watched_process_is_seen_to_end_on_term() {
        let mut sleeper = Command::new("sleep").arg("600").spawn().expect("sleep");
        let pid = Pid::from_number(sleeper.id()).expect("a pid");
        let watched = Watched::open(pid).expect("it lives");
        assert!(!watched.wait(Duration::ZERO).expect("poll"));
        watched.signal(Signal::Terminate).expect("ours");
        assert!(watched.wait(Duration::from_secs(10)).expect("poll"));
        sleeper.wait().expect("collected");
        assert!(watched.signal(Signal::Terminate).is_err(), "it has ended");
    }
}
