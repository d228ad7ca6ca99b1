//! Reading a board's file from outside: live, hung or dead server, another version, or not a board at all.
//!
//! Responsible for: deciding whether a file is a board of this format before anything in it is used, and copying it.
//! A reader never maps the file: it reads, so that a file cut short meanwhile is an error and not a SIGBUS. It asks
//! nothing of the server.

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
            self.file
                .metadata()
                .map_or(OpenError::Io(cause), |now| too_short(now.len(), layout.len))
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
        .map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => OpenError::NotFound,
            io::ErrorKind::PermissionDenied => OpenError::Permission,
            _ => OpenError::Io(cause),
        })?;
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

/// Whether the process that wrote this pid and start time is still there. A pid alone could be somebody else's by now.
fn is_running(pid: u32, ticks: u64) -> bool {
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
    let now = start_ticks(pid);
    exists && (ticks == 0 || now == 0 || now == ticks)
}

/// When a process was started, in ticks since boot; 0 if that cannot be found out.
pub(crate) fn start_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is the program's name in brackets and may hold anything, brackets and spaces included.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let field = after_name.split_ascii_whitespace().nth(FIELD_22);
    field.and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

/// `starttime` is field 22 of the line; counted from the third, the first after the name.
const FIELD_22: usize = 22 - 3;
