//! The board: the mapping with its tables.
//!
//! Responsible for: making the file, mapping it, and handing out records. The parent makes the board before the first
//! fork and leaks it; children inherit the mapping. A new board is written beside the old file and renamed over it, so a
//! reader of the old one keeps what it has open.

use core::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::atomic::{AtomicU32, AtomicU64};
use crate::layout::{Capacity, Layout};
use crate::lock::EditLock;
use crate::reader::{self, OpenError};
use crate::region::Region;
use crate::score::{BalancerScore, GlobalScore, LeaseKind, MemberScore, ProcessScore, SlotScore};
use crate::shared::Shared;

/// The scoreboard: shared memory with a fixed capacity.
#[derive(Debug)]
pub struct Board {
    region: Region,
    layout: Layout,
    path: Option<PathBuf>,
}

impl Board {
    /// Make a board in a new file at `path`, mode 0640, in place of whatever is there.
    ///
    /// # Errors
    ///
    /// The capacity is empty or absurd, or the file cannot be made.
    pub fn create(path: &Path, capacity: &Capacity) -> Result<Self, BoardError> {
        let fresh = beside(path);
        let made = Self::create_beside(path, &fresh, capacity);
        if made.is_err() {
            // The error that matters is the one in `made`; what it left may not even exist.
            drop(fs::remove_file(&fresh));
        }
        made
    }

    fn create_beside(path: &Path, fresh: &Path, capacity: &Capacity) -> Result<Self, BoardError> {
        let layout = Layout::of(capacity).ok_or(BoardError::Capacity(*capacity))?;
        // A parent that was killed while it made its board may have left a file, if the pid has come round again.
        drop(fs::remove_file(fresh));
        let board = zeroed_file(fresh, layout.len)
            .and_then(|file| Self::over(&file, layout, Some(path.to_path_buf())))
            .map_err(|cause| BoardError::file(fresh, cause))?;
        fs::rename(fresh, path).map_err(|cause| BoardError::file(path, cause))?;
        Ok(board)
    }

    /// A board that is shared with children but has no name in the file system.
    ///
    /// # Errors
    ///
    /// The capacity is empty or absurd, or no temporary file can be made.
    pub fn anonymous(capacity: &Capacity) -> Result<Self, BoardError> {
        let layout = Layout::of(capacity).ok_or(BoardError::Capacity(*capacity))?;
        let (path, file) = nameless_file(layout.len)?;
        Self::over(&file, layout, None).map_err(|cause| BoardError::file(&path, cause))
    }

    /// A board in private memory: for tests of one process.
    ///
    /// # Errors
    ///
    /// The capacity is empty or absurd.
    pub fn heap(capacity: &Capacity) -> Result<Self, BoardError> {
        let layout = Layout::of(capacity).ok_or(BoardError::Capacity(*capacity))?;
        let board = Self::from_parts(Region::heap(layout.len), layout, None);
        board.global().seal(capacity, layout.len);
        Ok(board)
    }

    /// Map the board of a running server to edit it: for the operator's tool. The caller may write what the edit lock
    /// guards, and nothing else.
    ///
    /// The file's length is checked first. Only its owner can shorten it afterwards, and the server never does.
    ///
    /// # Errors
    ///
    /// There is no board at `path` that this program can read and write.
    pub fn open_editable(path: &Path) -> Result<Self, OpenError> {
        let (file, layout) = reader::open_checked(path, true)?;
        let region = Region::map(&file, layout.len).map_err(OpenError::Io)?;
        Ok(Self::from_parts(region, layout, Some(path.to_path_buf())))
    }

    fn over(file: &File, layout: Layout, path: Option<PathBuf>) -> io::Result<Self> {
        let board = Self::from_parts(Region::map(file, layout.len)?, layout, path);
        board.global().seal(&layout.capacity, layout.len);
        Ok(board)
    }

    pub(crate) fn from_parts(region: Region, layout: Layout, path: Option<PathBuf>) -> Self {
        Self {
            region,
            layout,
            path,
        }
    }

    /// The server's record.
    #[must_use]
    pub fn global(&self) -> &GlobalScore {
        first(self.table(0, 1))
    }

    /// All process records.
    #[must_use]
    pub fn processes(&self) -> &[ProcessScore] {
        self.table(self.layout.processes, self.layout.capacity.processes)
    }

    /// One process record.
    ///
    /// # Panics
    ///
    /// There is no such record: indices come from [`Board::claim_process`].
    #[must_use]
    pub fn process(&self, process: u32) -> &ProcessScore {
        at(self.processes(), process)
    }

    /// The slots of one process.
    ///
    /// # Panics
    ///
    /// There is no such process.
    #[must_use]
    pub fn slots(&self, process: u32) -> &[SlotScore] {
        assert!(process < self.layout.capacity.processes, "{NO_RECORD}");
        let each = self.layout.capacity.slots_per_process;
        let skipped = process as usize * each as usize * size_of::<SlotScore>();
        self.table(self.layout.slots + skipped, each)
    }

    /// One slot of a process.
    ///
    /// # Panics
    ///
    /// There is no such slot.
    #[must_use]
    pub fn slot(&self, process: u32, slot: u32) -> &SlotScore {
        at(self.slots(process), slot)
    }

    /// All balancer records, used or not.
    #[must_use]
    pub fn balancers(&self) -> &[BalancerScore] {
        self.table(self.layout.balancers, self.layout.capacity.balancers)
    }

    /// One balancer record.
    ///
    /// # Panics
    ///
    /// There is no such record: indices come from [`Board::register_balancer`].
    #[must_use]
    pub fn balancer(&self, balancer: u32) -> &BalancerScore {
        at(self.balancers(), balancer)
    }

    /// All member records, used or not.
    #[must_use]
    pub fn members(&self) -> &[MemberScore] {
        self.table(self.layout.members, self.layout.capacity.members)
    }

    /// One member record.
    ///
    /// # Panics
    ///
    /// There is no such record: indices come from [`Board::register_member`].
    #[must_use]
    pub fn member(&self, member: u32) -> &MemberScore {
        at(self.members(), member)
    }

    /// The claim row of one process: for each member, how much of one kind the process holds there.
    pub(crate) fn claim_row(&self, process: u32, kind: LeaseKind) -> &[AtomicU32] {
        assert!(process < self.layout.capacity.processes, "{NO_RECORD}");
        // Kinds are numbered from 1, because 0 means that nothing is leased.
        let kind = usize::from(kind.raw()) - 1;
        self.table(
            self.layout.claim_row(process as usize, kind),
            self.layout.capacity.members,
        )
    }

    /// A balancer's record as plain words, to clear or copy it whole.
    pub(crate) fn balancer_words(&self, balancer: u32) -> &[AtomicU64] {
        self.words::<BalancerScore>(self.layout.balancers, balancer)
    }

    /// A member's record as plain words, to clear or copy it whole.
    pub(crate) fn member_words(&self, member: u32) -> &[AtomicU64] {
        self.words::<MemberScore>(self.layout.members, member)
    }

    /// The lock that edits of balancers and members take.
    #[must_use]
    pub fn edit_lock(&self) -> &EditLock {
        &self.global().editor
    }

    /// How much the board holds.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        self.layout.capacity
    }

    /// Where the board's file is, if it has a name.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    fn words<T: Shared>(&self, offset: usize, index: u32) -> &[AtomicU64] {
        self.region
            .table(
                offset + index as usize * size_of::<T>(),
                size_of::<T>() / size_of::<AtomicU64>(),
            )
            .expect(NO_RECORD)
    }

    fn table<T: Shared>(&self, offset: usize, count: u32) -> &[T] {
        self.region
            .table(offset, count as usize)
            .expect("the layout was computed for this region")
    }
}

// Every thread of a child uses the one board that its parent leaked.
const _: () = {
    const fn is_for_all_threads<T: Send + Sync>() {}
    is_for_all_threads::<Board>();
};

/// Why a board could not be made, or why a record could not be registered.
#[derive(Debug)]
pub enum BoardError {
    /// The capacity asks for nothing, or for more than any board may be.
    Capacity(Capacity),
    /// The file could not be made.
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// All records of a kind are taken.
    Full {
        /// `balancers` or `members`.
        what: &'static str,
        /// How many the board holds.
        capacity: u32,
    },
}

impl BoardError {
    fn file(path: &Path, cause: io::Error) -> Self {
        let path = path.to_path_buf();
        Self::File { path, cause }
    }
}

impl fmt::Display for BoardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity(capacity) => write!(
                f,
                "no scoreboard can hold {} processes of {} slots, {} balancers and {} members",
                capacity.processes,
                capacity.slots_per_process,
                capacity.balancers,
                capacity.members
            ),
            Self::File { path, cause } => {
                write!(
                    f,
                    "cannot make the scoreboard `{}`: {cause}",
                    path.display()
                )
            }
            Self::Full { what, capacity } => write!(
                f,
                "the scoreboard is full: all {capacity} {what} are taken; a full restart makes room"
            ),
        }
    }
}

impl std::error::Error for BoardError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { cause, .. } => Some(cause),
            Self::Capacity(_) | Self::Full { .. } => None,
        }
    }
}

/// A new file of `len` zeroes. They are written, not left as a hole: on a full file system a hole is a SIGBUS in some
/// child later, a write is an error now.
fn zeroed_file(path: &Path, len: usize) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)?;
    // The umask may have taken the group's bit.
    file.set_permissions(Permissions::from_mode(MODE))?;
    let zeroes = [0; 16 * 1024];
    let mut rest = len;
    while rest > 0 {
        let part = zeroes.get(..rest).unwrap_or(&zeroes);
        file.write_all(part)?;
        rest -= part.len();
    }
    Ok(file)
}

fn nameless_file(len: usize) -> Result<(PathBuf, File), BoardError> {
    let directory = std::env::temp_dir();
    for number in 0..NAMES_MAX {
        let path = directory.join(format!("tine-board.{}.{number}", std::process::id()));
        match zeroed_file(&path, len) {
            Ok(file) => {
                fs::remove_file(&path).map_err(|cause| BoardError::file(&path, cause))?;
                return Ok((path, file));
            }
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
            Err(cause) => {
                drop(fs::remove_file(&path));
                return Err(BoardError::file(&path, cause));
            }
        }
    }
    let cause = io::ErrorKind::AlreadyExists.into();
    Err(BoardError::file(&directory, cause))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    name.into()
}

fn first<T>(records: &[T]) -> &T {
    records.first().expect("the table has one record")
}

fn at<T>(records: &[T], index: u32) -> &T {
    records.get(index as usize).expect(NO_RECORD)
}

const NO_RECORD: &str = "indices are handed out by the board and stay within its capacity";
const MODE: u32 = 0o640;
/// Names tried for a nameless file before giving up: threads of one process may race for them.
const NAMES_MAX: u32 = 1000;
