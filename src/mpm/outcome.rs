//! How the last start or restart went: a small file beside the pid file, for `-k` and for scripts.
//!
//! Responsible for: its form, and that a reader never sees half of it. Not responsible for: when it is written (by the parent, after each
//! attempt) or read (by `control`, which waits for the next attempt).
//!
//! ```text
//! attempt 3
//! generation 2
//! result failed
//! Syntax error on line 14 of conf/extra/proxy.conf: …
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One attempt and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Which attempt of this parent: 0 is the start, each restart asked for is one more, successful or not.
    pub attempt: u32,
    /// The generation in force after it.
    pub generation: u32,
    /// Why it was refused; `None` when it was not.
    pub refusal: Option<String>,
}

impl Outcome {
    /// Where it is kept for this pid file.
    #[must_use]
    pub fn path(pid_file: &Path) -> PathBuf {
        let mut name = pid_file.as_os_str().to_owned();
        name.push(".status");
        name.into()
    }

    /// Read it; `None` when there is none or it is not one of ours.
    #[must_use]
    pub fn read(pid_file: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(Self::path(pid_file)).ok()?)
    }

    /// Write it, in place of the last one.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn write(&self, pid_file: &Path) -> io::Result<()> {
        let path = Self::path(pid_file);
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        fs::write(&fresh, self.print())?;
        fs::rename(&fresh, &path)
    }

    /// Remove it.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove(pid_file: &Path) -> io::Result<()> {
        match fs::remove_file(Self::path(pid_file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn print(&self) -> String {
        let result = if self.refusal.is_none() {
            "ok"
        } else {
            "failed"
        };
        let message = self.refusal.as_deref().unwrap_or_default();
        format!(
            "attempt {}\ngeneration {}\nresult {result}\n{message}",
            self.attempt, self.generation
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.splitn(4, '\n');
        let attempt = lines.next()?.strip_prefix("attempt ")?.parse().ok()?;
        let generation = lines.next()?.strip_prefix("generation ")?.parse().ok()?;
        let refusal = match lines.next()?.strip_prefix("result ")? {
            "ok" => None,
            "failed" => Some(lines.next().unwrap_or_default().to_owned()),
            _ => return None,
        };
        Some(Self {
            attempt,
            generation,
            refusal,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let pid_file = directory.path().join("tine.pid");
        assert_eq!(Outcome::read(&pid_file), None);
        for refusal in [None, Some("line 1\n  line 2\n\nhint: no".to_owned())] {
            let outcome = Outcome {
                attempt: 3,
                generation: 2,
                refusal,
            };
            outcome.write(&pid_file).expect("written");
            assert_eq!(Outcome::read(&pid_file), Some(outcome));
        }
        Outcome::remove(&pid_file).expect("removed");
        Outcome::remove(&pid_file).expect("twice is fine");
        assert_eq!(Outcome::read(&pid_file), None);
    }

    #[test]
    fn nonsense_is_no_outcome() {
        for text in [
            "",
            "attempt x\n",
            "attempt 1\ngeneration 1\n",
            "attempt 1\ngeneration 1\nresult perhaps\n",
        ] {
            assert_eq!(Outcome::parse(text), None, "{text:?}");
        }
    }
}
