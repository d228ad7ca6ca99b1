//! The wire between parent and child: one socketpair per child, one byte per order.
//!
//! Responsible for: both ends of that wire, and for merging what a child is told over it with what it is told by signal. Not responsible
//! for: obeying. The engine of a child watches [`Control::fds`] and asks [`Control::order`] when one of them is readable.
//!
//! ```text
//!   parent: Tether ──'d' drain, 'q' quit──►  Control: child
//!                   closed (parent is gone) ► drain
//!   kill -USR1 child ────────────────────── ► drain      (signals.rs turns these into bytes of a pipe of the child's own)
//!   kill -TERM child, kill -HUP child ───── ► quit
//! ```

use super::signals::{Signal, Signals};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// What a child is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Accept no more, finish what is in flight, end.
    Drain,
    /// End now.
    Quit,
}

impl Order {
    fn byte(self) -> u8 {
        match self {
            Self::Drain => b'd',
            Self::Quit => b'q',
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'd' => Some(Self::Drain),
            b'q' => Some(Self::Quit),
            _ => None,
        }
    }
}

/// Both ends, for one child to be.
///
/// # Errors
/// When the process is out of descriptors.
pub fn pair() -> io::Result<(Tether, Control)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    Ok((
        Tether { wire: ours },
        Control {
            wire: theirs,
            signals: None,
        },
    ))
}

/// The parent's end. Dropping it tells the child that its parent is gone.
#[derive(Debug)]
pub struct Tether {
    wire: UnixStream,
}

impl Tether {
    /// Tell the child.
    ///
    /// # Errors
    /// When the child has closed its end, which is to say: has ended.
    pub fn tell(&self, order: Order) -> io::Result<()> {
        (&self.wire).write_all(&[order.byte()])
    }
}

/// The child's end.
#[derive(Debug)]
pub struct Control {
    wire: UnixStream,
    signals: Option<Signals>,
}

impl Control {
    /// Also listen to this process's own signals.
    pub fn attach(&mut self, signals: Signals) {
        self.signals = Some(signals);
    }

    /// What to watch for readability, edge-triggered: after the parent's end the first stays readable for ever.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [
            Some(self.wire.as_fd()),
            self.signals.as_ref().map(AsFd::as_fd),
        ]
        .into_iter()
        .flatten()
    }

    /// The strongest order that has arrived since the last call, if any. A parent that has died says *drain* on every call.
    pub fn order(&mut self) -> Option<Order> {
        self.told().max(self.signalled())
    }

    fn told(&mut self) -> Option<Order> {
        let mut strongest = None;
        let mut bytes = [0; 16];
        loop {
            match self.wire.read(&mut bytes) {
                Ok(0) => return strongest.max(Some(Order::Drain)),
                Ok(count) => {
                    let orders = bytes.iter().take(count).copied();
                    strongest = strongest.max(orders.filter_map(Order::from_byte).max());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return strongest,
                // A broken wire is a parent that cannot be heard any more.
                Err(_) => return strongest.max(Some(Order::Drain)),
            }
        }
    }

    fn signalled(&mut self) -> Option<Order> {
        let arrived = self.signals.as_mut()?.take();
        let quits = [Signal::Terminate, Signal::Interrupt, Signal::Hangup];
        if quits.into_iter().any(|signal| arrived.has(signal)) {
            return Some(Order::Quit);
        }
        let drains = [Signal::Graceful, Signal::GracefulStop];
        drains
            .into_iter()
            .any(|signal| arrived.has(signal))
            .then_some(Order::Drain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire() -> (Tether, Control) {
        pair().expect("a socketpair")
    }

    #[test]
    fn a_child_that_was_told_nothing_hears_nothing() {
        let (_tether, mut control) = wire();
        assert_eq!(control.order(), None);
    }

    #[test]
    fn the_strongest_order_wins_whatever_the_sequence() {
        let (tether, mut control) = wire();
        tether.tell(Order::Quit).expect("open");
        tether.tell(Order::Drain).expect("open");
        assert_eq!(control.order(), Some(Order::Quit));
        assert_eq!(control.order(), None);
    }

    #[test]
    fn a_dead_parent_means_drain_again_and_again() {
        let (tether, mut control) = wire();
        drop(tether);
        assert_eq!(control.order(), Some(Order::Drain));
        assert_eq!(control.order(), Some(Order::Drain));
    }

    #[test]
    fn a_last_word_before_dying_is_still_heard() {
        let (tether, mut control) = wire();
        tether.tell(Order::Quit).expect("open");
        drop(tether);
        assert_eq!(control.order(), Some(Order::Quit));
    }

    #[test]
    fn telling_an_ended_child_is_an_error_not_a_signal() {
        let (tether, control) = wire();
        drop(control);
        assert!(tether.tell(Order::Drain).is_err());
    }
}
