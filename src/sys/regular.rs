//! Opening files that are to be read to strangers.
//!
//! Responsible for: opening a regular file, and nothing else, in a way that cannot be raced: what is judged is the open
//! descriptor. Not responsible for: who may have it.
//!
//! Know first: a name is looked at first without opening what it names, since merely opening a device can do something, and
//! a pipe can make wait. Where links are not to be followed the kernel resolves the name below a directory (openat2), so
//! that no link can be put in between.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open as open_any, openat2};
use nix::sys::stat::Mode;

/// What a name stands for.
#[derive(Debug)]
pub enum Found {
    /// A regular file, open for reading.
    File {
        /// The file.
        file: File,
        /// Its size in bytes.
        size: u64,
        /// When it was changed, in microseconds since 1970.
        modified_us: u64,
    },
    /// A directory.
    Directory,
    /// A pipe, a device or a socket.
    Other,
}

/// Why nothing could be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is nothing of that name.
    Missing,
    /// A symbolic link is in the way.
    Link,
    /// This process may not read it.
    Denied(i32),
    /// The name is too long.
    TooLong,
    /// Something else.
    Other(i32),
}

/// Opens `directory` and `rest`, one name in two parts. With `follows` symbolic links may lead anywhere; else none may be
/// in `rest`.
///
/// # Errors
/// It cannot be opened.
pub fn open(directory: &[u8], rest: &[u8], follows: bool) -> Result<Found, Trouble> {
    find(directory, rest, follows).map_err(Trouble::of)
}

fn find(directory: &[u8], rest: &[u8], follows: bool) -> nix::Result<Found> {
    let whole = [directory, rest].concat();
    let below = if follows {
        None
    } else {
        let root = if directory.is_empty() {
            b"/"
        } else {
            directory
        };
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Some(open_any(path(root), flags, Mode::empty())?)
    };
    let opened = |flags: OFlag| match &below {
        None => open_any(path(&whole), flags | OFlag::O_CLOEXEC, Mode::empty()),
        Some(root) => open_below(root, rest, flags | OFlag::O_CLOEXEC),
    };
    let looked_at = File::from(opened(OFlag::O_PATH)?);
    let kind = looked_at.metadata().map_err(errno)?.file_type();
    if kind.is_dir() {
        return Ok(Found::Directory);
    }
    if !kind.is_file() {
        return Ok(Found::Other);
    }
    let file = File::from(opened(
        OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY,
    )?);
    let facts = file.metadata().map_err(errno)?;
    if !facts.is_file() {
        return Ok(Found::Other);
    }
    let seconds = u64::try_from(facts.mtime()).unwrap_or(0);
    let nanos = u64::try_from(facts.mtime_nsec()).unwrap_or(0);
    Ok(Found::File {
        file,
        size: facts.len(),
        modified_us: seconds * 1_000_000 + nanos / 1000,
    })
}

fn open_below(root: &OwnedFd, rest: &[u8], flags: OFlag) -> nix::Result<OwnedFd> {
    let at = rest.iter().position(|&byte| byte != b'/');
    let rest = at.and_then(|at| rest.get(at..)).unwrap_or(b".");
    let how = OpenHow::new()
        .flags(flags)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    openat2(root, path(rest), how)
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn errno(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

impl Trouble {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the system has more errors than are told apart"
    )]
    fn of(error: Errno) -> Self {
        match error {
            // A name with a NUL byte is EINVAL.
            Errno::ENOENT | Errno::ENOTDIR | Errno::EINVAL | Errno::ENXIO => Self::Missing,
            Errno::ELOOP | Errno::EXDEV => Self::Link,
            Errno::EACCES | Errno::EPERM => Self::Denied(error as i32),
            Errno::ENAMETOOLONG => Self::TooLong,
            other => Self::Other(other as i32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    fn shown(found: Result<Found, Trouble>) -> String {
        match found {
            Ok(Found::File { mut file, size, .. }) => {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                assert_eq!(text.len() as u64, size);
                text
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn only_regular_files_are_opened_and_links_only_when_they_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join("page"), "inside").unwrap();
        fs::write(dir.path().join("secret"), "outside").unwrap();
        symlink("page", root.join("near")).unwrap();
        symlink("../secret", root.join("far")).unwrap();
        symlink("round", root.join("round")).unwrap();
        symlink("../root/sub/..", root.join("door")).unwrap();
        nix::unistd::mkfifo(&root.join("pipe"), Mode::from_bits_truncate(0o600)).unwrap();
        let rows: &[(&str, &str, &str)] = &[
            ("/page", "inside", "inside"),
            ("/near", "inside", "Err(Link)"),
            ("/far", "outside", "Err(Link)"),
            ("/round", "Err(Link)", "Err(Link)"),
            ("/door/page", "inside", "Err(Link)"),
            ("/../secret", "outside", "Err(Link)"),
            ("/sub", "Ok(Directory)", "Ok(Directory)"),
            ("/sub/", "Ok(Directory)", "Ok(Directory)"),
            ("", "Ok(Directory)", "Ok(Directory)"),
            ("/pipe", "Ok(Other)", "Ok(Other)"),
            ("/nothing", "Err(Missing)", "Err(Missing)"),
            ("/page/below", "Err(Missing)", "Err(Missing)"),
            ("/page/", "Err(Missing)", "Err(Missing)"),
            ("/pa\0ge", "Err(Missing)", "Err(Missing)"),
        ];
        let root = root.as_os_str().as_bytes();
        for (rest, followed, not_followed) in rows {
            assert_eq!(
                shown(open(root, rest.as_bytes(), true)),
                *followed,
                "{rest}"
            );
            assert_eq!(
                shown(open(root, rest.as_bytes(), false)),
                *not_followed,
                "{rest}"
            );
        }
        let long = format!("/{}", "x".repeat(5000)).into_bytes();
        assert_eq!(shown(open(root, &long, true)), "Err(TooLong)");
        assert_eq!(shown(open(b"/dev", b"/null", true)), "Ok(Other)");
        assert_eq!(shown(open(b"", b"/dev/null", false)), "Ok(Other)");
    }
}
