//! One exchange in flight: what server-status shows as one letter and one line.
//!
//! The texts and counters are written once or more per request on the hot path. Everything is relaxed: only the owner
//! writes, and a reader that mixes two moments shows something that was true a microsecond ago.

use crate::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::shared::{coded, shared};
use crate::text::Text;

shared! {
    /// One slot's record. Only the child it belongs to writes it, and the parent after reaping that child.
    pub struct SlotScore, align 128 {
        /// What the slot is doing: a `Status`
        pub status: AtomicU32,
        /// Generation of the child that last used the slot
        pub generation: AtomicU32,
        /// Number of the loop (OS thread) in the child
        pub thread: AtomicU32,
        /// Member the exchange has leased: its index + 1, or 0
        pub lease_member: AtomicU32,
        /// What is leased there: a `LeaseKind`, or 0
        pub lease_kind: AtomicU32,
        /// Member that served the last request, index + 1, or 0; stays after the lease is released
        pub member: AtomicU32,
        /// Requests finished on the present client connection
        pub conn_accesses: AtomicU32,
        /// Process id of the child that last used the slot
        pub pid: AtomicU32,
        /// Requests finished in this slot, over all children
        pub accesses: AtomicU64,
        /// Requests finished in this slot by the present child
        pub child_accesses: AtomicU64,
        /// Content bytes sent from this slot, over all children
        pub bytes: AtomicU64,
        /// Content bytes sent from this slot by the present child
        pub child_bytes: AtomicU64,
        /// Content bytes sent on the present client connection
        pub conn_bytes: AtomicU64,
        /// When the present or last request began, unix µs
        pub start_us: AtomicU64,
        /// When the last request ended, unix µs
        pub stop_us: AtomicU64,
        /// When the slot last changed its status, unix µs
        pub last_used_us: AtomicU64,
        /// Time spent on finished requests, µs, over all children
        pub duration_us: AtomicU64,
        /// The client's address
        pub client: Text<8>,
        /// The request line, passwords removed by the writer
        pub request: Text<8>,
        /// The virtual host, as `name:port`
        pub vhost: Text<4>,
        /// The protocol of the client connection
        pub protocol: Text<2>,
        /// For later use
        pub spare: [AtomicU64; 4],
    }
}

coded! {
    /// What a slot is doing, in httpd's order of values.
    pub enum Status {
        /// No process has the slot.
        Dead = 0,
        /// The child is starting.
        Starting = 1,
        /// Waiting for a request.
        Ready = 2,
        /// Reading a request.
        Read = 3,
        /// Working on a request or sending its response.
        Write = 4,
        /// Waiting for the next request on a connection.
        KeepAlive = 5,
        /// Writing the access log.
        Log = 6,
        /// Looking up a name.
        Dns = 7,
        /// Closing the connection.
        Closing = 8,
        /// Finishing before the child ends.
        Graceful = 9,
        /// Being ended because there are enough idle ones.
        IdleKill = 10,
    }
}

impl Status {
    /// httpd's letter on the scoreboard.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Dead => '.',
            Self::Starting => 'S',
            Self::Ready => '_',
            Self::Read => 'R',
            Self::Write => 'W',
            Self::KeepAlive => 'K',
            Self::Log => 'L',
            Self::Dns => 'D',
            Self::Closing => 'C',
            Self::Graceful => 'G',
            Self::IdleKill => 'I',
        }
    }
}

coded! {
    /// What an exchange has claimed at a member.
    pub enum LeaseKind {
        /// A request being worked on: counts as busy.
        Busy = 1,
        /// A place in the queue for a member that is full.
        Queue = 2,
        /// One of the connections that all children together may open.
        Connection = 3,
    }
}

impl SlotScore {
    /// Say what the slot is doing since `now_us`.
    pub fn set_status(&self, status: Status, now_us: u64) {
        self.status.store(status.word(), Ordering::Relaxed);
        self.last_used_us.store(now_us, Ordering::Relaxed);
    }

    /// What the slot is doing, if the word is one we know.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        Status::from_word(self.status.load(Ordering::Relaxed))
    }

    /// A new client connection uses the slot.
    pub fn begin_connection(&self) {
        self.conn_accesses.store(0, Ordering::Relaxed);
        self.conn_bytes.store(0, Ordering::Relaxed);
    }

    /// Count a finished request: `bytes` of content sent in `duration_us`.
    pub fn count(&self, bytes: u64, duration_us: u64, now_us: u64) {
        add_own_32(&self.conn_accesses, 1);
        add_own(&self.accesses, 1);
        add_own(&self.child_accesses, 1);
        add_own(&self.conn_bytes, bytes);
        add_own(&self.child_bytes, bytes);
        add_own(&self.bytes, bytes);
        add_own(&self.duration_us, duration_us);
        self.stop_us.store(now_us, Ordering::Relaxed);
    }

    /// The member the exchange has leased and what it leased there.
    #[must_use]
    pub fn lease(&self) -> Option<(u32, LeaseKind)> {
        let member = self.lease_member.load(Ordering::Relaxed).checked_sub(1)?;
        let kind = LeaseKind::from_word(self.lease_kind.load(Ordering::Relaxed))?;
        Some((member, kind))
    }

    /// The slot as a child finds it: nothing leased, nothing counted for it yet. What earlier children did stays.
    pub(crate) fn settle(&self) {
        for word in [
            &self.status,
            &self.lease_member,
            &self.lease_kind,
            &self.conn_accesses,
        ] {
            word.store(0, Ordering::Relaxed);
        }
        for count in [&self.child_accesses, &self.child_bytes, &self.conn_bytes] {
            count.store(0, Ordering::Relaxed);
        }
    }
}

/// Add to a word that only this thread writes: a load and a store are enough, and cheaper than a locked add.
fn add_own(word: &AtomicU64, more: u64) {
    word.store(
        word.load(Ordering::Relaxed).wrapping_add(more),
        Ordering::Relaxed,
    );
}

fn add_own_32(word: &AtomicU32, more: u32) {
    word.store(
        word.load(Ordering::Relaxed).wrapping_add(more),
        Ordering::Relaxed,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_come_in_the_order_httpd_numbers_them() {
        let letters: String = (0..=255)
            .filter_map(Status::from_raw)
            .map(Status::letter)
            .collect();
        assert_eq!(letters, ".S_RWKLDCGI");
        assert_eq!(Status::from_raw(11), None);
        assert_eq!(Status::from_word(256), None);
        assert!(
            Status::ALL
                .iter()
                .all(|s| Status::from_raw(s.raw()) == Some(*s))
        );
    }
}
