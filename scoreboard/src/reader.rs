//! Reading a board's file from outside: live, hung or dead server, another version, or not a board at all.
//!
//! Responsible for: deciding whether a file is a board of this format before anything in it is used, and copying it.
//! A reader never maps the file: it reads, so that a file cut short meanwhile is an error and not a SIGBUS. It asks
//! nothing of the server.
//!
//! A copy cannot be retried word by word as live memory can: a text that was being written just then is shown as it was
//! caught, whole or half.

use core::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::atomic::Ordering;
use crate::board::Board;
use crate::layout::{Capacity, LAYOUT_HASH, Layout, VERSION};
use crate::region::Region;
use crate::score::{GlobalScore, MAGIC};
use crate::snapshot::Snapshot;

/// A board's file, opened to be looked at.
#[derive(Debug)]
pub struct Reader {
    file: File,
    layout: Layout,
}

/// Whether anybody keeps the board up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// The parent exists and said so lately.
    Live,
    /// The parent exists but has been silent for this long, in ms.
    Hung {
        /// Time since the last heartbeat, ms.
        silent_ms: u64,
    },
    /// The parent is gone; the board shows how things were at its end.
    Dead,
}

/// A parent that has been silent for longer hangs.
pub const HUNG_AFTER_MS: u64 = 5_000;

impl Board {
    /// Open the board's file at `path` to look at it.
    ///
    /// # Errors
    ///
    /// There is no file, it may not be read, or it is not a board of this version; the error says what was found.
    pub fn open_read_only(path: &Path) -> Result<Reader, OpenError> {
        let (file, layout) = open_checked(path, false)?;
        Ok(Reader { file, layout })
    }
}

impl Reader {
    /// Copy everything.
    ///
    /// # Errors
    ///
    /// The file has changed its nature since it was opened: it was cut short or overwritten.
    pub fn snapshot(&self) -> Result<Snapshot, OpenError> {
        Ok(self.copy()?.snapshot())
    }

    /// Whether the server that made the board is there, `now_ms` being the present unix time.
    ///
    /// # Errors
    ///
    /// As for [`Reader::snapshot`].
    pub fn state(&self, now_ms: u64) -> Result<Liveness, OpenError> {
        let (header, _) = header_of(&self.file)?;
        let global = header.table::<GlobalScore>(0, 1).and_then(<[_]>::first);
        let global = global.expect("the header was read whole");
        let pid = global.parent_pid.load(Ordering::Relaxed);
        let ticks = global.parent_ticks.load(Ordering::Relaxed);
        if !is_running(pid, ticks) {
            return Ok(Liveness::Dead);
        }
        let heartbeat_ms = global.heartbeat_ms.load(Ordering::Relaxed);
        let silent_ms = now_ms.saturating_sub(heartbeat_ms);
        Ok(if silent_ms > HUNG_AFTER_MS {
            Liveness::Hung { silent_ms }
        } else {
            Liveness::Live
        })
    }

    /// How much the board holds.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        self.layout.capacity
    }

    /// A private board with the file's present content.
    pub(crate) fn copy(&self) -> Result<Board, OpenError> {
        let (_, layout) = header_of(&self.file)?;
        if layout != self.layout {
            return Err(OpenError::Inconsistent(
                "its capacities changed while it was open",
            ));
        }
        let region = Region::copy_of(&self.file, layout.len).map_err(|cause| {
            // The file was cut between the look at its length and the copy.
            let now = self.file.metadata().map_or(0, |now| now.len());
            if cause.kind() == io::ErrorKind::UnexpectedEof {
                too_short(now, layout.len)
            } else {
                OpenError::Io(cause)
            }
        })?;
        Ok(Board::from_parts(region, layout, None))
    }
}

/// Why a file cannot be read as a board.
#[derive(Debug)]
pub enum OpenError {
    /// There is no such file.
    NotFound,
    /// The file may not be opened.
    Permission,
    /// The file ends before the board does.
    TooShort {
        /// Bytes in the file.
        len: u64,
        /// Bytes the board takes.
        need: u64,
    },
    /// The file is something else.
    BadMagic,
    /// A board of another version of the format.
    ForeignVersion {
        /// The file's version.
        found: u32,
        /// The version this program reads.
        ours: u32,
    },
    /// A board of this version from a build whose records differ.
    ForeignLayout {
        /// The file's layout hash.
        hash: u64,
    },
    /// The header contradicts itself.
    Inconsistent(&'static str),
    /// The system refused.
    Io(io::Error),
}

impl OpenError {
    fn at_open(cause: io::Error) -> Self {
        if cause.kind() == io::ErrorKind::NotFound {
            Self::NotFound
        } else if cause.kind() == io::ErrorKind::PermissionDenied {
            Self::Permission
        } else {
            Self::Io(cause)
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str(
                "there is no scoreboard file: the server has not been started, or `ScoreBoardFile` names another place",
            ),
            Self::Permission => f.write_str(
                "the scoreboard may not be opened: become the user that the server was started by, or join the group of the file",
            ),
            Self::TooShort { len, need } => write!(
                f,
                "the scoreboard ends after {len} of {need} bytes: it was cut short or is not one; a restart of the server makes a new one"
            ),
            Self::BadMagic => f.write_str(
                "the file is not a scoreboard: check `ScoreBoardFile`, or remove the file and restart the server",
            ),
            Self::ForeignVersion { found, ours } => write!(
                f,
                "the scoreboard has format {found} and this program reads format {ours}: use the program that came with the running server"
            ),
            Self::ForeignLayout { hash } => write!(
                f,
                "the scoreboard was made by another build (layout {hash:016x}, ours {LAYOUT_HASH:016x}): use the program that came with the running server"
            ),
            Self::Inconsistent(what) => write!(
                f,
                "the scoreboard contradicts itself: {what}; a restart of the server makes a new one"
            ),
            Self::Io(cause) => write!(f, "the scoreboard cannot be read: {cause}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let Self::Io(cause) = self {
            Some(cause)
        } else {
            None
        }
    }
}

/// Open a file and make sure that it is a board of our format and as long as it says.
pub(crate) fn open_checked(path: &Path, is_for_editing: bool) -> Result<(File, Layout), OpenError> {
    let file = OpenOptions::new()
        .read(true)
        .write(is_for_editing)
        // Opening a pipe that someone put there must not wait for its other end.
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(OpenError::at_open)?;
    let (_, layout) = header_of(&file)?;
    Ok((file, layout))
}

/// Read and judge the header. Only the file's own length is believed; the header must agree with it.
fn header_of(file: &File) -> Result<(Region, Layout), OpenError> {
    let metadata = file.metadata().map_err(OpenError::Io)?;
    if !metadata.is_file() {
        return Err(OpenError::Inconsistent("it is not a regular file"));
    }
    let len = metadata.len();
    let header_len = size_of::<GlobalScore>();
    if len < header_len as u64 {
        return Err(too_short(len, header_len));
    }
    let header = Region::copy_of(file, header_len).map_err(OpenError::Io)?;
    let global = header.table::<GlobalScore>(0, 1).and_then(<[_]>::first);
    let layout = judge(global.expect("the header was read whole"))?;
    if len < layout.len as u64 {
        return Err(too_short(len, layout.len));
    }
    Ok((header, layout))
}

fn judge(global: &GlobalScore) -> Result<Layout, OpenError> {
    if global.magic.load(Ordering::Acquire) != MAGIC {
        return Err(OpenError::BadMagic);
    }
    let found = global.version.load(Ordering::Relaxed);
    if found != VERSION {
        let ours = VERSION;
        return Err(OpenError::ForeignVersion { found, ours });
    }
    let hash = global.layout_hash.load(Ordering::Relaxed);
    if hash != LAYOUT_HASH {
        return Err(OpenError::ForeignLayout { hash });
    }
    let capacity = Capacity {
        processes: global.processes.load(Ordering::Relaxed),
        slots_per_process: global.slots_per_process.load(Ordering::Relaxed),
        balancers: global.balancers.load(Ordering::Relaxed),
        members: global.members.load(Ordering::Relaxed),
    };
    let layout =
        Layout::of(&capacity).ok_or(OpenError::Inconsistent("its capacities are impossible"))?;
    if global.len.load(Ordering::Relaxed) != layout.len as u64 {
        return Err(OpenError::Inconsistent(
            "its length does not follow from its capacities",
        ));
    }
    Ok(layout)
}

fn too_short(len: u64, need: usize) -> OpenError {
    let need = need as u64;
    OpenError::TooShort { len, need }
}

/// Whether the process that wrote this pid and start time is still there. A pid alone could be somebody else's by now;
/// `ticks` of 0 means that only the pid is known.
pub(crate) fn is_running(pid: u32, ticks: u64) -> bool {
    let Ok(signed) = libc::pid_t::try_from(pid) else {
        return false;
    };
    // 0 would ask about this program's own process group.
    if signed == 0 {
        return false;
    }
    // SAFETY: signal 0 only asks whether the process exists; no memory is involved.
    let answer = unsafe { libc::kill(signed, 0) };
    let exists = answer == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM);
    // Where `/proc` is hidden the pid alone has to do.
    exists && Stat::of(pid).is_none_or(|now| !now.is_zombie && (ticks == 0 || now.ticks == ticks))
}

/// When a process was started, in ticks since boot; 0 if that cannot be found out.
pub(crate) fn start_ticks(pid: u32) -> u64 {
    Stat::of(pid).map_or(0, |stat| stat.ticks)
}

/// What `/proc/<pid>/stat` says of a process.
struct Stat {
    /// It has ended, but its own parent has not looked.
    is_zombie: bool,
    /// When it was started, in ticks since boot.
    ticks: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(line: &str) -> Option<Self> {
        // The second field is the program's name in brackets and may hold anything, brackets and spaces included.
        let (_, after_name) = line.rsplit_once(')')?;
        let mut fields = after_name.split_ascii_whitespace();
        let is_zombie = matches!(fields.next()?, "Z" | "X");
        // Fields are numbered from 1 in proc(5); the state just taken is the third, the start time the 22nd.
        let ticks = fields.nth(22 - 4)?.parse().ok()?;
        Some(Self { is_zombie, ticks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_brackets_in_its_name() {
        let line = "7 (a) S (b) Z 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2\n";
        let stat = Stat::parse(line).unwrap();
        assert!(stat.is_zombie);
        assert_eq!(stat.ticks, 987_654);
        assert!(Stat::parse("7 (a").is_none());
        assert!(Stat::parse("7 (a) S 1").is_none());
    }

    #[test]
    fn this_program_runs_and_nobody_with_another_start_time_does() {
        let pid = std::process::id();
        assert!(is_running(pid, start_ticks(pid)));
        assert!(is_running(pid, 0));
        assert!(!is_running(pid, start_ticks(pid) + 1));
        assert!(!is_running(0, 0));
        assert!(!is_running(u32::MAX, 0), "-1 would mean every process");
    }
}
