//! A scripted byte stream for tests and simulation: two ends in one process, with limits, closes and resets.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam::atomic::AtomicCell;
use crossbeam::queue::SegQueue;

/// One end of a two-way pipe. Cloning names the same end.
#[derive(Clone, Debug)]
pub struct Pipe {
    sends: Arc<Lane>,
    receives: Arc<Lane>,
}

/// One direction.
#[derive(Debug)]
struct Lane {
    bytes: SegQueue<u8>,
    /// How many bytes more may be written before the writer is told to wait.
    limit: AtomicCell<usize>,
    closed: AtomicBool,
    reset: AtomicBool,
}

impl Lane {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            bytes: SegQueue::new(),
            limit: AtomicCell::new(usize::MAX),
            closed: AtomicBool::new(false),
            reset: AtomicBool::new(false),
        })
    }
}

impl Pipe {
    /// Two connected ends.
    #[must_use]
    pub fn pair() -> (Self, Self) {
        let (there, back) = (Lane::new(), Lane::new());
        (
            Self {
                sends: there.clone(),
                receives: back.clone(),
            },
            Self {
                sends: back,
                receives: there,
            },
        )
    }

    /// Puts bytes on the way to the other end, whatever the limit.
    pub fn send(&self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.sends.bytes.push(b));
    }

    /// Takes everything that the other end sent.
    #[must_use]
    pub fn received(&self) -> Vec<u8> {
        std::iter::from_fn(|| self.receives.bytes.pop()).collect()
    }

    /// How many bytes the other end may write to us from now on.
    pub fn limit(&self, bytes: usize) {
        self.receives.limit.store(bytes);
    }

    /// Sends an orderly close.
    pub fn close(&self) {
        self.sends.closed.store(true, Ordering::SeqCst);
    }

    /// Breaks the connection in both directions.
    pub fn reset(&self) {
        self.sends.reset.store(true, Ordering::SeqCst);
        self.receives.reset.store(true, Ordering::SeqCst);
    }

    /// Whether the other end said that it sends no more.
    #[must_use]
    pub fn is_closed_by_peer(&self) -> bool {
        self.receives.closed.load(Ordering::SeqCst)
    }

    /// Whether the connection was broken.
    #[must_use]
    pub fn is_reset(&self) -> bool {
        self.receives.reset.load(Ordering::SeqCst)
    }

    /// Bytes that wait to be read at this end.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.receives.bytes.len()
    }

    pub(super) fn shutdown_write(&self) -> io::Result<()> {
        self.close();
        Ok(())
    }

    pub(super) fn take_error(&self) -> Option<io::Error> {
        self.receives
            .reset
            .load(Ordering::SeqCst)
            .then(|| io::ErrorKind::ConnectionReset.into())
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.receives.reset.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let mut n = 0;
        for slot in buffer.iter_mut() {
            let Some(byte) = self.receives.bytes.pop() else {
                break;
            };
            *slot = byte;
            n += 1;
        }
        match n {
            0 if self.receives.closed.load(Ordering::SeqCst) => Ok(0),
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        if self.sends.reset.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let n = bytes.len().min(self.sends.limit.load());
        if n == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken: VecDeque<u8> = bytes.iter().copied().take(n).collect();
        taken.iter().for_each(|&b| self.sends.bytes.push(b));
        if self.sends.limit.load() != usize::MAX {
            self.sends.limit.store(self.sends.limit.load() - n);
        }
        Ok(n)
    }
}
