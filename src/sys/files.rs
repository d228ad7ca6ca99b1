//! Putting another file behind a descriptor that is in use.

#![expect(unsafe_code, reason = "dup3 on a descriptor that somebody else owns")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// Makes `descriptor` refer to the file of `new` from now on; the file it referred to before is closed in this process, and stays
/// open in others that inherited it. Log files are exchanged this way: whoever holds the descriptor writes to the new file.
///
/// # Errors
/// Never in practice.
pub fn replace(descriptor: BorrowedFd<'_>, new: &OwnedFd) -> io::Result<()> {
    // SAFETY: both numbers are open descriptors, because they are borrowed and owned here. dup3 leaves the number with its owner and only
    // changes which open file it names; the owner never relies on which one that is.
    let result = unsafe { libc::dup3(new.as_raw_fd(), descriptor.as_raw_fd(), libc::O_CLOEXEC) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
