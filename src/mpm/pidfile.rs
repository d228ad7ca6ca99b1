//! The pid file.
//!
//! Responsible for: writing it so that no reader sees half of it, telling a running server from the leavings of a dead one, and removing it
//! only while it is still ours. Not responsible for: what is done to the process it names, see `control`.
//!
//! Know first: the parent keeps the file open and locked (flock) for as long as it lives; its children close their copies at birth. So a
//! file that nobody has locked belongs to nobody, even if some unrelated process has that pid by now.
//!
//! httpd: `ap_log_pid`, `ap_read_pid` in `server/log.c`.

use crate::sys::process::Pid;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Our own pid file.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    /// Open and locked: the lock is what says that we live.
    file: File,
}

/// What a pid file says about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is no file.
    Absent,
    /// There is one, and the server that wrote it is gone.
    Stale(Pid),
    /// The server runs.
    Running(Pid),
}

/// A pid file that cannot be read or makes no sense.
#[derive(Debug)]
pub struct PidFileError {
    path: PathBuf,
    cause: Option<io::Error>,
}

impl fmt::Display for PidFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error retrieving pid file {}", self.path.display())?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => f.write_str("\nRemove it before continuing if it is corrupted."),
        }
    }
}

impl std::error::Error for PidFileError {}

impl Standing {
    /// Look.
    ///
    /// # Errors
    /// When there is a file, and it holds no pid or cannot be read.
    pub fn of(path: &Path) -> Result<Self, PidFileError> {
        let failed = |cause| PidFileError {
            path: path.to_owned(),
            cause,
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Absent),
            Err(error) => return Err(failed(Some(error))),
        };
        let mut text = String::new();
        let read = (&file).take(32).read_to_string(&mut text);
        let pid = read.ok().and_then(|_| parse(&text));
        let pid = pid.ok_or_else(|| failed(None))?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Self::Stale(pid)),
            Err(TryLockError::WouldBlock) => Ok(Self::Running(pid)),
            // Locks do not work on this file system: the pid is all there is to go by.
            Err(TryLockError::Error(_)) if pid.is_alive() => Ok(Self::Running(pid)),
            Err(TryLockError::Error(_)) => Ok(Self::Stale(pid)),
        }
    }
}

impl PidFile {
    /// Write `pid` to `path`, in place of whatever is there.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn write(path: &Path, pid: Pid) -> io::Result<Self> {
        let fresh = beside(path, pid);
        let written = write_locked(&fresh, pid).and_then(|file| {
            fs::rename(&fresh, path)?;
            Ok(file)
        });
        if written.is_err() {
            // The error that matters is in `written`.
            drop(fs::remove_file(&fresh));
        }
        Ok(Self {
            path: path.to_owned(),
            file: written?,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Remove it, unless somebody has put another in its place.
    ///
    /// # Errors
    /// When it is ours and cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        let ours = self.file.metadata()?;
        match fs::metadata(&self.path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => {
                fs::remove_file(&self.path)
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn write_locked(path: &Path, pid: Pid) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(path)?;
    match file.try_lock() {
        // A file system without locks: readers go by the pid then.
        Ok(()) | Err(TryLockError::Error(_)) => {}
        Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::ResourceBusy.into()),
    }
    writeln!(file, "{pid}")?;
    Ok(file)
}

fn parse(text: &str) -> Option<Pid> {
    Pid::from_number(text.trim_end().parse().ok()?)
}

fn beside(path: &Path, pid: Pid) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{pid}.new"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tine.pid");
        (directory, path)
    }

    #[test]
    fn a_server_that_lives_is_running_and_one_that_ended_is_stale() {
        let (_directory, path) = place();
        assert_eq!(Standing::of(&path).expect("absent"), Standing::Absent);
        let file = PidFile::write(&path, Pid::ours()).expect("written");
        let text = fs::read_to_string(&path).expect("there");
        assert_eq!(text, format!("{}\n", std::process::id()));
        assert_eq!(
            Standing::of(&path).expect("good"),
            Standing::Running(Pid::ours())
        );
        drop(file);
        // The pid is that of a living process, this test, and yet no server runs.
        assert_eq!(
            Standing::of(&path).expect("good"),
            Standing::Stale(Pid::ours())
        );
    }

    #[test]
    fn nonsense_is_an_error_in_httpds_words() {
        let (_directory, path) = place();
        for text in ["", "abc\n", "-1\n", "0\n", "99999999999999\n", "12 34\n"] {
            fs::write(&path, text).expect("written");
            let error = Standing::of(&path).expect_err(text).to_string();
            assert!(error.starts_with("Error retrieving pid file "), "{error}");
            assert!(error.ends_with("Remove it before continuing if it is corrupted."));
        }
    }

    #[test]
    fn only_our_own_file_is_removed() {
        let (_directory, path) = place();
        let first = PidFile::write(&path, Pid::ours()).expect("written");
        let second = PidFile::write(&path, Pid::ours()).expect("written over");
        first.remove().expect("not ours any more, so nothing to do");
        assert!(path.exists());
        second.remove().expect("ours");
        assert!(!path.exists());
        let gone = PidFile::write(&path, Pid::ours()).expect("written");
        fs::remove_file(&path).expect("by somebody");
        gone.remove().expect("gone is gone");
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error_and_leaves_nothing() {
        let (directory, _) = place();
        let path = directory.path().join("no/such/tine.pid");
        assert!(PidFile::write(&path, Pid::ours()).is_err());
    }
}
