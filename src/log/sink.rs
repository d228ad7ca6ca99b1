//! Where finished lines go: a file, a program's standard input, syslog, or an inherited stream.
//!
//! Responsible for: opening a target in the parent, before it forks, and writing whole lines to it with single
//! calls, so that the lines of many children do not mix. Not responsible for: what is in a line, or when a piped
//! program is started again ([`super::program`], the parent).
//!
//! Know first: a child must never wait for its log. Files are written as they are, since a disk that stands still
//! stops everything anyway. A pipe and a socket are not: when a program does not read or a syslog daemon is
//! gone, lines are dropped and counted. Inherited streams keep the mode that they came with, because it is shared
//! with whoever gave them to us.

use std::fs::{File, OpenOptions};
use std::io::{self, PipeWriter, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::program::{CommandLine, Program};

/// What a log directive names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file, appended to.
    File(PathBuf),
    /// A program that reads lines on its standard input.
    Program(CommandLine),
    /// The local syslog daemon.
    Syslog(Facility, Box<str>),
    /// The standard error stream that tine was started with.
    Stderr,
    /// The standard output stream that tine was started with.
    Stdout,
}

impl Target {
    /// Reads the target of CustomLog, TransferLog or GlobalLog: a file, or `|program`.
    ///
    /// # Errors
    /// The program is missing.
    pub fn access(word: &str) -> Result<Self, TargetError> {
        if let Some(command) = CommandLine::parse(word) {
            return command.map(Self::Program).ok_or(TargetError::NoProgram);
        }
        Ok(match word {
            "/dev/stderr" => Self::Stderr,
            "/dev/stdout" => Self::Stdout,
            path => Self::File(path.into()),
        })
    }

    /// Reads the target of ErrorLog: as for access logs, or `syslog[:[facility][:tag]]`.
    ///
    /// # Errors
    /// The program is missing, or the facility unknown.
    pub fn error(word: &str) -> Result<Self, TargetError> {
        let Some(rest) = word.strip_prefix("syslog") else {
            return Self::access(word);
        };
        let (facility, tag) = match rest.strip_prefix(':') {
            Some(options) => options.split_once(':').unwrap_or((options, "")),
            None if rest.is_empty() => ("", ""),
            None => return Self::access(word),
        };
        let facility = if facility.is_empty() {
            Facility::LOCAL7
        } else {
            Facility::parse(facility).ok_or_else(|| TargetError::Facility(facility.into()))?
        };
        let tag = if tag.is_empty() { "tine" } else { tag };
        Ok(Self::Syslog(facility, tag.into()))
    }

    /// The target with a relative file name taken from `root` (ServerRoot), where a program runs as well.
    #[must_use]
    pub fn relative_to(self, root: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(root.join(path)),
            Self::Program(command) => Self::Program(command.running_in(root)),
            other @ (Self::Syslog(..) | Self::Stderr | Self::Stdout) => other,
        }
    }
}

/// What is wrong with a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// A bar with nothing after it.
    NoProgram,
    /// No such syslog facility.
    Facility(Box<str>),
}

impl std::fmt::Display for TargetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoProgram => f.write_str("a piped log names no program after `|`"),
            Self::Facility(name) => write!(f, "unknown syslog facility `{name}`"),
        }
    }
}

impl std::error::Error for TargetError {}

/// A syslog facility: its number times eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(u8);

impl Facility {
    /// httpd's default.
    pub const LOCAL7: Self = Self(23 << 3);

    /// Reads a facility by name, whatever its case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let index = FACILITIES
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))?;
        let number = u8::try_from(index).expect("there are two dozen facilities");
        Some(Self(number << 3))
    }

    /// The facility as a priority of severity 0.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }
}

/// By number; 12 to 15 have no name that all systems know.
const FACILITIES: [&str; 24] = [
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    "ntp",
    "security",
    "console",
    "solaris-cron",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
];

/// An open target, shared by every log that names it and inherited by every child.
#[derive(Debug)]
pub struct Sink {
    kind: Kind,
    dropped: AtomicU64,
}

#[derive(Debug)]
enum Kind {
    File(File),
    Pipe {
        writer: PipeWriter,
        /// The last write was cut inside a line: the next one begins with a line end.
        is_torn: AtomicBool,
    },
    Syslog {
        socket: UnixDatagram,
        path: PathBuf,
        facility: Facility,
        tag: Box<str>,
    },
}

impl Sink {
    /// Opens a file for appending, making it with mode 0644 if it is not there.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o644)
            .open(path)?;
        Ok(Self::of(Kind::File(file)))
    }

    /// Opens the file again under its path, after it was renamed. Whoever holds this sink writes to the new file; children
    /// that were forked before keep the old one.
    ///
    /// # Errors
    /// The file cannot be opened; the old one stays.
    pub fn reopen(&self, path: &Path) -> io::Result<()> {
        let Kind::File(file) = &self.kind else {
            return Ok(());
        };
        let new = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o644)
            .open(path)?;
        crate::sys::files::replace(file.as_fd(), &new.into())
    }

    /// Opens a second way to the standard error stream.
    ///
    /// # Errors
    /// The stream is closed.
    pub fn stderr() -> io::Result<Self> {
        // Not by its path: /dev/stderr cannot be opened when it is a socket, as under systemd.
        let stream = io::stderr().as_fd().try_clone_to_owned()?;
        Ok(Self::of(Kind::File(stream.into())))
    }

    /// Opens a second way to the standard output stream.
    ///
    /// # Errors
    /// The stream is closed.
    pub fn stdout() -> io::Result<Self> {
        let stream = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self::of(Kind::File(stream.into())))
    }

    /// Takes the writing end of a pipe, which must be in non-blocking mode.
    #[must_use]
    pub(super) fn pipe(writer: PipeWriter) -> Self {
        Self::of(Kind::Pipe {
            writer,
            is_torn: AtomicBool::new(false),
        })
    }

    /// Prepares to send to the syslog daemon that listens at `path`. It need not be there yet.
    ///
    /// # Errors
    /// There are no sockets to be had.
    pub fn syslog(path: &Path, facility: Facility, tag: &str) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        // A daemon that is not there now is tried again at every line.
        socket.connect(path).ok();
        Ok(Self::of(Kind::Syslog {
            socket,
            path: path.into(),
            facility,
            tag: tag.into(),
        }))
    }

    const fn of(kind: Kind) -> Self {
        Self {
            kind,
            dropped: AtomicU64::new(0),
        }
    }

    /// Writes whole lines, each with its line end, in one call where the target can take them in one. Nothing is
    /// reported: a log that cannot be written has nowhere to say so. What is lost is counted.
    pub fn write(&self, lines: &[u8]) {
        match &self.kind {
            Kind::File(file) => {
                if write_all(file, lines).is_err() {
                    self.count(lines);
                }
            }
            Kind::Pipe { writer, is_torn } => self.write_pipe(writer, is_torn, lines),
            Kind::Syslog { socket, path, .. } => {
                let line = lines.strip_suffix(b"\n").unwrap_or(lines);
                let sent = socket.send(line).or_else(|_| {
                    socket.connect(path)?;
                    socket.send(line)
                });
                if sent.is_err() {
                    self.count(lines);
                }
            }
        }
    }

    /// Facility and tag, when this is syslog, which wants its own head on each line.
    #[must_use]
    pub fn as_syslog(&self) -> Option<(Facility, &str)> {
        match &self.kind {
            Kind::Syslog { facility, tag, .. } => Some((*facility, tag)),
            Kind::File(_) | Kind::Pipe { .. } => None,
        }
    }

    /// How many lines were lost in this process.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// A pipe takes up to [`ATOMIC_MAX`] bytes whole or not at all. So lines go out in groups of at most so many,
    /// and only a single line that is longer can be cut.
    fn write_pipe(&self, writer: &PipeWriter, is_torn: &AtomicBool, lines: &[u8]) {
        let mut rest = lines;
        while !rest.is_empty() {
            if is_torn.load(Ordering::Relaxed) {
                if (&*writer).write(b"\n").is_err() {
                    return self.count(rest);
                }
                is_torn.store(false, Ordering::Relaxed);
            }
            let (group, after) = rest.split_at(group_length(rest));
            match (&*writer).write(group) {
                Ok(length) if length < group.len() => {
                    is_torn.store(true, Ordering::Relaxed);
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return self.count(rest),
            }
            rest = after;
        }
    }

    fn count(&self, lines: &[u8]) {
        let lost = memchr::memchr_iter(b'\n', lines).count();
        let lost = u64::try_from(lost).expect("a length fits 64 bits");
        self.dropped.fetch_add(lost, Ordering::Relaxed);
    }
}

/// What Linux writes to a pipe in one piece (PIPE_BUF).
const ATOMIC_MAX: usize = 4096;

/// How many bytes of whole lines fit one atomic write; the first line alone if it does not fit.
fn group_length(lines: &[u8]) -> usize {
    if lines.len() <= ATOMIC_MAX {
        return lines.len();
    }
    let head = lines.get(..ATOMIC_MAX).unwrap_or(lines);
    let end = memchr::memrchr(b'\n', head).or_else(|| memchr::memchr(b'\n', lines));
    end.map_or(lines.len(), |at| at + 1)
}

/// Writes everything to a file: in one call unless the disk is full or a signal came.
fn write_all(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)
}

/// The targets that a configuration names, each opened once. Lives in the parent.
#[derive(Debug, Default)]
pub struct Sinks {
    opened: Vec<(Target, Arc<Sink>)>,
    programs: Vec<Program>,
}

impl Sinks {
    /// No targets yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            opened: Vec::new(),
            programs: Vec::new(),
        }
    }

    /// Opens a target, or gives the same sink again if it is open. Relative file names are taken as they are.
    ///
    /// # Errors
    /// The file cannot be opened, or the program not started.
    pub fn open(&mut self, target: &Target) -> io::Result<Arc<Sink>> {
        let known = self.opened.iter().find(|(known, _)| known == target);
        if let Some((_, sink)) = known {
            return Ok(Arc::clone(sink));
        }
        let sink = Arc::new(match target {
            Target::File(path) => Sink::file(path)?,
            Target::Stderr => Sink::stderr()?,
            Target::Stdout => Sink::stdout()?,
            Target::Syslog(facility, tag) => Sink::syslog(Path::new(SYSLOG), *facility, tag)?,
            Target::Program(command) => {
                let (program, sink) = Program::start(command.clone())?;
                self.programs.push(program);
                sink
            }
        });
        self.opened.push((target.clone(), Arc::clone(&sink)));
        Ok(sink)
    }

    /// Opens every file again, at a restart: the operator may have renamed them. Returns what could not be opened; the
    /// old file goes on being written then.
    pub fn reopen(&self) -> Vec<io::Error> {
        let files = self
            .opened
            .iter()
            .filter_map(|(target, sink)| match target {
                Target::File(path) => sink.reopen(path).err(),
                Target::Program(_) | Target::Syslog(..) | Target::Stderr | Target::Stdout => None,
            });
        files.collect()
    }

    /// Notes that a process has ended; true if it was one of the piped programs.
    pub fn ended(&mut self, pid: u32) -> bool {
        let program = self
            .programs
            .iter_mut()
            .find(|program| program.pid() == Some(pid));
        program.map(Program::mark_ended).is_some()
    }

    /// Starts programs again that have ended. To be called once a second, so that one that ends at once does not keep
    /// the parent busy.
    pub fn revive(&mut self) -> Vec<io::Error> {
        let ended = self
            .programs
            .iter_mut()
            .filter(|program| program.pid().is_none());
        ended
            .filter_map(|program| program.respawn().err())
            .collect()
    }

    /// How many lines this process lost, over all targets.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.opened.iter().map(|(_, sink)| sink.dropped()).sum()
    }
}

/// Where the syslog daemon of every Linux listens.
const SYSLOG: &str = "/dev/log";

#[cfg(test)]
#[path = "sink/tests.rs"]
mod tests;
