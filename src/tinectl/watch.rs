//! Waiting between two looks, until the operator has seen enough.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// Ctrl-C, as something that can be waited for.
#[derive(Debug)]
pub(crate) struct Interrupts {
    signals: UnixStream,
}

impl Interrupts {
    /// From now on SIGINT and SIGTERM no longer end the process but [`Interrupts::wait`].
    pub(crate) fn new() -> io::Result<Self> {
        let (signals, write) = UnixStream::pair()?;
        pipe::register(SIGINT, write.try_clone()?)?;
        pipe::register(SIGTERM, write)?;
        Ok(Self { signals })
    }

    /// Waits so long. Returns whether a signal came instead.
    pub(crate) fn wait(&mut self, interval: Duration) -> io::Result<bool> {
        self.signals.set_read_timeout(Some(interval))?;
        match self.signals.read(&mut [0]) {
            Ok(_) => Ok(true),
            Err(cause)
                if matches!(
                    cause.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                Ok(false)
            }
            // Another signal, such as the terminal changing its size: a reason to look again.
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(cause) => Err(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_ends_the_wait() {
        let mut interrupts = Interrupts::new().unwrap();
        assert!(
            !interrupts.wait(Duration::from_millis(1)).unwrap(),
            "nobody interrupts"
        );
        signal_hook::low_level::raise(SIGINT).unwrap();
        assert!(interrupts.wait(Duration::from_secs(60)).unwrap());
    }
}
