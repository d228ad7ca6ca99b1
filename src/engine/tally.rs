//! The only writer of slot and process records.
//!
//! A slot is one exchange in flight, whatever the shape: it is taken when a request begins to arrive and given
//! back when its log line is written, so the scoreboard shows every request in flight and nothing else. A tunnel of the
//! event shape gives it back when it opens: it is shown as a connection that waits, and counted when it ends.

use std::sync::atomic::Ordering::Relaxed;

use scoreboard::{Board, ProcessScore, SlotRange, SlotScore, Status};

/// This loop's share of the scoreboard.
pub struct Tally {
    board: &'static Board,
    process: u32,
    slots: SlotRange,
    is_extended: bool,
    /// Connections, idle ones, tunnels without a slot, and slots taken, as last published.
    published: [usize; 4],
}

impl Tally {
    /// Marks the loop's slots as ready. `share` are the slots that belong to it.
    pub fn new(
        board: &'static Board,
        process: u32,
        slots: SlotRange,
        thread: u32,
        pid: u32,
        now_us: u64,
    ) -> Self {
        let tally = Self {
            board,
            process,
            slots,
            is_extended: board.global().is_extended(),
            published: [0; 4],
        };
        let mut probe = tally.slots.clone();
        let generation = tally.process().generation.load(Relaxed);
        while let Some(slot) = probe.take() {
            let score = tally.slot(slot);
            score.pid.store(pid, Relaxed);
            score.generation.store(generation, Relaxed);
            score.thread.store(thread, Relaxed);
            score.set_status(Status::Ready, now_us);
        }
        tally
    }

    /// Takes a slot for a request that begins to arrive; `None` when as many requests are in flight as may be.
    pub fn begin(&mut self, client: &[u8], is_new_connection: bool, now_us: u64) -> Option<u32> {
        let slot = self.slots.take()?;
        let score = self.slot(slot);
        score.set_status(Status::Read, now_us);
        score.start_us.store(now_us, Relaxed);
        if is_new_connection {
            score.begin_connection();
        }
        if self.is_extended {
            score.client.set(client);
        }
        Some(slot)
    }

    /// The head has arrived: the slot shows it.
    pub fn working(
        &self,
        slot: u32,
        request_line: &[u8],
        vhost: &[u8],
        protocol: &[u8],
        now_us: u64,
    ) {
        let score = self.slot(slot);
        score.set_status(Status::Write, now_us);
        if self.is_extended {
            score.request.set(request_line);
            score.vhost.set(vhost);
            score.protocol.set(protocol);
        }
    }

    /// Shows another letter.
    pub fn show(&self, slot: u32, status: Status, now_us: u64) {
        self.slot(slot).set_status(status, now_us);
    }

    /// The request is over and logged.
    pub fn end(&mut self, slot: u32, bytes: u64, duration_us: u64, now_us: u64) {
        if self.is_extended {
            self.slot(slot).count(bytes, duration_us, now_us);
        }
        self.count(bytes, duration_us, now_us);
        self.free(slot, now_us);
    }

    /// Counts a finished request for the child; one that has given its slot back is counted nowhere else.
    pub fn count(&self, bytes: u64, duration_us: u64, now_us: u64) {
        if self.is_extended {
            self.process().count(bytes, duration_us, now_us / 1000);
        }
    }

    /// Gives the slot back without counting: no request was made of it.
    pub fn free(&mut self, slot: u32, now_us: u64) {
        self.slot(slot).set_status(Status::Ready, now_us);
        self.slots.give(slot);
    }

    /// Counts an accepted connection.
    pub fn accepted(&self) {
        self.process().accepted.fetch_add(1, Relaxed);
    }

    /// The child takes no new connections any more: the parent may replace it.
    pub fn quiesce(&self) {
        self.process()
            .set_state(scoreboard::ProcessState::Quiescing);
    }

    /// Says how many client connections are open and how many of them are in an exchange, once a turn. Several loops
    /// may share the record, so each adds what changed in it.
    pub fn publish(&mut self, connections: usize, exchanges: usize) {
        let slots_taken = self.in_flight() as usize;
        let now = [
            connections,
            connections.saturating_sub(exchanges),
            exchanges.saturating_sub(slots_taken),
            slots_taken,
        ];
        if now == self.published {
            return;
        }
        let process = self.board.process(self.process);
        let words = [
            &process.connections,
            &process.keepalive,
            &process.waiting,
            &process.slots_taken,
        ];
        for ((word, now), before) in words.into_iter().zip(now).zip(self.published) {
            // Wrapping on purpose: adding the difference modulo 2^32 also subtracts.
            word.fetch_add(word32(now).wrapping_sub(word32(before)), Relaxed);
        }
        self.published = now;
    }

    /// Whether every slot is taken.
    pub const fn is_full(&self) -> bool {
        self.slots.is_full()
    }

    /// How many slots there are.
    pub const fn slots(&self) -> u32 {
        self.slots.len()
    }

    /// How many requests are in flight.
    pub const fn in_flight(&self) -> u32 {
        self.slots.taken()
    }

    fn slot(&self, slot: u32) -> &SlotScore {
        self.board.slot(self.process, slot)
    }

    fn process(&self) -> &ProcessScore {
        self.board.process(self.process)
    }
}

/// The low 32 bits of a count; a loop never has more connections.
fn word32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tally")
            .field("process", &self.process)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}
