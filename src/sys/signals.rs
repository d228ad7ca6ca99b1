//! Signals, turned into bytes of a pipe that a loop can watch.
//!
//! Responsible for: handlers, the pipe, masking around fork, sending. Not responsible for: what a signal means; `mpm::parent` and
//! [`super::control`] know that.
//!
//! Know first: handlers are inherited over fork, and so is a pipe that they would write to. One handler therefore serves every role, and
//! reads from statics which pipe is this process's own:
//!
//! ```text
//!   parent   CHLD TERM INT HUP USR1 WINCH    → its pipe
//!   child    TERM HUP USR1                   → a pipe of its own, made before signals are let in again
//!            INT WINCH CHLD                  → nothing: Ctrl-C reaches the whole foreground group, and the parent decides what it means
//!            a second TERM                   → ends the process on the spot, should its loop be stuck
//!   single   TERM INT HUP USR1 WINCH         → its pipe (-X: parent and child in one)
//! ```
//!
//! PIPE, XCPU and XFSZ are ignored, as in httpd: a write to a closed connection or a full log is an error value, not an end.

#![expect(unsafe_code, reason = "calls that neither std nor nix wraps safely")]

use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, sigaction, sigprocmask,
};
use nix::unistd::pipe2;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};

/// The signals that mean something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// CHLD: a child ended.
    Child,
    /// TERM: stop.
    Terminate,
    /// INT: stop, from the keyboard.
    Interrupt,
    /// HUP: restart.
    Hangup,
    /// USR1: graceful restart; to a child: drain.
    Graceful,
    /// WINCH: graceful stop.
    GracefulStop,
    /// KILL: only ever sent.
    Kill,
}

impl Signal {
    const CAUGHT: [Self; 6] = [
        Self::Child,
        Self::Terminate,
        Self::Interrupt,
        Self::Hangup,
        Self::Graceful,
        Self::GracefulStop,
    ];

    /// The system's number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.system() as i32
    }

    pub(super) fn system(self) -> nix::sys::signal::Signal {
        use nix::sys::signal::Signal as System;
        match self {
            Self::Child => System::SIGCHLD,
            Self::Terminate => System::SIGTERM,
            Self::Interrupt => System::SIGINT,
            Self::Hangup => System::SIGHUP,
            Self::Graceful => System::SIGUSR1,
            Self::GracefulStop => System::SIGWINCH,
            Self::Kill => System::SIGKILL,
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Child => 1,
            Self::Terminate => 2,
            Self::Interrupt => 4,
            Self::Hangup => 8,
            Self::Graceful => 16,
            Self::GracefulStop => 32,
            Self::Kill => 0,
        }
    }
}

/// Which signals arrived since the last look. How often each came is not kept: signals coalesce anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrived(u8);

impl Arrived {
    /// Whether `signal` is among them.
    #[must_use]
    pub fn has(self, signal: Signal) -> bool {
        self.0 & signal.bit() != 0
    }
}

const ROLE_NONE: u8 = 0;
const ROLE_PARENT: u8 = 1;
const ROLE_CHILD: u8 = 2;
const ROLE_SINGLE: u8 = 3;

/// What this process is, for the handler.
static ROLE: AtomicU8 = AtomicU8::new(ROLE_NONE);
/// The write end of this process's own pipe, or -1.
static PIPE: AtomicI32 = AtomicI32::new(-1);
/// A child was told TERM before.
static TERMINATED: AtomicBool = AtomicBool::new(false);
/// The handlers stand; they are never taken down, only pointed elsewhere.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// The receiving side of this process's signals.
#[derive(Debug)]
pub struct Signals {
    reader: File,
    writer: OwnedFd,
}

impl Signals {
    /// Begin to receive as the parent.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub fn parent() -> io::Result<Self> {
        Self::receive(ROLE_PARENT)
    }

    /// Begin to receive as a child. To be called with signals blocked, see [`block`]; whatever was on its way to the parent's pipe stays
    /// there.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub fn child() -> io::Result<Self> {
        TERMINATED.store(false, Ordering::Relaxed);
        Self::receive(ROLE_CHILD)
    }

    /// Begin to receive as parent and child in one.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub fn single() -> io::Result<Self> {
        Self::receive(ROLE_SINGLE)
    }

    /// What has arrived; never waits.
    pub fn take(&mut self) -> Arrived {
        let mut arrived = 0;
        let mut bytes = [0; 64];
        loop {
            match self.reader.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => arrived |= bytes.iter().take(count).fold(0, |sum, bit| sum | bit),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break, // WouldBlock: the pipe is empty
            }
        }
        Arrived(arrived)
    }

    fn receive(role: u8) -> io::Result<Self> {
        use nix::fcntl::OFlag;
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        PIPE.store(writer.as_raw_fd(), Ordering::Release);
        ROLE.store(role, Ordering::Release);
        if !INSTALLED.swap(true, Ordering::AcqRel) {
            install()?;
        }
        Ok(Self {
            reader: reader.into(),
            writer,
        })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // Only if no successor has taken over: the writer closes after this, and the handler must not write to a stranger's descriptor.
        // A failed exchange is that successor, and fine.
        let _taken_over = PIPE.compare_exchange(
            self.writer.as_raw_fd(),
            -1,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
    }
}

/// All signals blocked, until dropped or [let in](Blocked::let_in).
#[derive(Debug)]
#[must_use = "signals are let in again when this is dropped"]
pub struct Blocked {
    before: SigSet,
}

/// Block all signals of this thread, as around a fork.
///
/// # Errors
/// Never in practice: the mask is a constant.
pub fn block() -> io::Result<Blocked> {
    let mut before = SigSet::empty();
    sigprocmask(
        SigmaskHow::SIG_SETMASK,
        Some(&SigSet::all()),
        Some(&mut before),
    )?;
    Ok(Blocked { before })
}

impl Blocked {
    /// Let signals in again.
    pub fn let_in(self) {}
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // The mask was read from the system, so setting it cannot be refused.
        let restored = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
        debug_assert!(restored.is_ok(), "{restored:?}");
    }
}

/// What httpd calls a signal in `child pid N exit signal …`.
#[must_use]
pub fn describe(number: i32) -> &'static str {
    match number {
        libc::SIGHUP => "Hangup",
        libc::SIGINT => "Interrupt",
        libc::SIGQUIT => "Quit",
        libc::SIGILL => "Illegal instruction",
        libc::SIGTRAP => "Trace/BPT trap",
        libc::SIGABRT => "Abort",
        libc::SIGBUS => "Bus error",
        libc::SIGFPE => "Arithmetic exception",
        libc::SIGKILL => "Killed",
        libc::SIGUSR1 => "User defined signal 1",
        libc::SIGSEGV => "Segmentation fault",
        libc::SIGUSR2 => "User defined signal 2",
        libc::SIGPIPE => "Broken pipe",
        libc::SIGALRM => "Alarm clock",
        libc::SIGTERM => "Terminated",
        libc::SIGXCPU => "CPU time limit exceeded",
        libc::SIGXFSZ => "File size limit exceeded",
        libc::SIGSYS => "Bad system call",
        _ => "unknown signal",
    }
}

fn install() -> io::Result<()> {
    use nix::sys::signal::Signal as System;
    for signal in Signal::CAUGHT {
        // SAFETY: `deliver` does only what signal-safety(7) lists: atomic loads, write(2) and _exit(2); signal-hook saves errno around it.
        unsafe { signal_hook::low_level::register(signal.number(), move || deliver(signal)) }?;
    }
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    for signal in [System::SIGPIPE, System::SIGXCPU, System::SIGXFSZ] {
        // SAFETY: the new action is "ignore", so no code of ours ever runs for it.
        unsafe { sigaction(signal, &ignore) }?;
    }
    Ok(())
}

/// Runs inside the signal handler: nothing but atomics, write(2) and _exit(2).
fn deliver(signal: Signal) {
    match ROLE.load(Ordering::Acquire) {
        ROLE_CHILD => match signal {
            Signal::Interrupt | Signal::GracefulStop | Signal::Child | Signal::Kill => return,
            Signal::Terminate => {
                if TERMINATED.swap(true, Ordering::Relaxed) {
                    super::process::exit_now(0);
                }
            }
            Signal::Hangup | Signal::Graceful => {}
        },
        ROLE_PARENT | ROLE_SINGLE => {}
        _ => return,
    }
    let pipe = PIPE.load(Ordering::Acquire);
    if pipe < 0 {
        return;
    }
    let byte = signal.bit();
    // SAFETY: one byte is read from a local that outlives the call. A full pipe loses the byte, and then 64 KiB of others wait to be read.
    let _written = unsafe { libc::write(pipe, (&raw const byte).cast(), 1) };
}

#[cfg(test)]
mod tests {
    use super::*;

    // Handlers, roles and the mask belong to the process, so what needs them runs in the integration suite; here is what does not.
    #[test]
    fn every_caught_signal_has_its_own_bit() {
        let sum = Signal::CAUGHT
            .into_iter()
            .fold(0u32, |sum, signal| sum + u32::from(signal.bit()));
        let union = Signal::CAUGHT
            .into_iter()
            .fold(0u8, |union, signal| union | signal.bit());
        assert_eq!(sum, u32::from(union));
        assert_eq!(Signal::Kill.bit(), 0);
    }

    #[test]
    fn crash_signals_read_as_in_httpd() {
        assert_eq!(describe(11), "Segmentation fault");
        assert_eq!(describe(9), "Killed");
        assert_eq!(describe(6), "Abort");
    }

    #[test]
    fn arrived_knows_what_is_in_it() {
        let arrived = Arrived(Signal::Hangup.bit() | Signal::Child.bit());
        assert!(arrived.has(Signal::Hangup));
        assert!(arrived.has(Signal::Child));
        assert!(!arrived.has(Signal::Terminate));
        assert!(!arrived.has(Signal::Kill));
    }
}
