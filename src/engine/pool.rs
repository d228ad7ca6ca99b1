//! Connections to backends that wait for their next exchange.
//!
//! A pool belongs to the child (mod_proxy's `min`, `smax`, `max`, `ttl`, `acquire` count over all its threads), but
//! a connection is registered with one loop. So each loop keeps the idle connections that it registered in a list
//! of its own, the most recently used first, and only what concerns the whole child is shared: how many
//! connections are open, and, where several loops serve one child, a queue through which a surplus connection
//! changes hands. With one loop per child the queue is never touched.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam::queue::SegQueue;

use crate::codec::ClientCodec;
use crate::request::Backend;
use crate::transport::Stream;

use super::slab::Key;

/// What the loops of a child share about their pools.
#[derive(Debug)]
pub struct Shared {
    backends: Vec<SharedBackend>,
    /// How many loops share.
    loops: u32,
    /// Most connections to a backend that does not say (`max` unset): one per exchange of the child.
    max_default: u32,
}

#[derive(Debug, Default)]
struct SharedBackend {
    /// Connections open or being opened, over all loops.
    open: AtomicU32,
    /// Exchanges of all loops that wait for one.
    waiting: AtomicU32,
    /// Surplus idle connections, registered nowhere.
    parked: SegQueue<Parked>,
}

/// An idle connection between two loops.
pub struct Parked {
    /// The socket, registered nowhere.
    pub stream: Stream,
    /// Its protocol state.
    pub codec: Box<dyn ClientCodec>,
    /// Exchanges that it has served.
    pub served: u32,
}

impl std::fmt::Debug for Parked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parked")
            .field("served", &self.served)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// For `backends` backends and `loops` loops.
    #[must_use]
    pub fn new(backends: usize, loops: u32, max_default: u32) -> Self {
        Self {
            backends: std::iter::repeat_with(SharedBackend::default)
                .take(backends)
                .collect(),
            loops,
            max_default: max_default.max(1),
        }
    }

    fn of(&self, backend: &Backend) -> &SharedBackend {
        self.backends
            .get(backend.index as usize)
            .expect("backends are numbered densely")
    }
}

/// One loop's idle connections.
#[derive(Debug)]
pub struct Pool {
    shared: &'static Shared,
    /// Per backend, the idle connections of this loop; the last one was used last.
    idle: Vec<Vec<Key>>,
    /// Per backend, the clients of this loop whose exchanges wait for a connection.
    waiting: Vec<VecDeque<Key>>,
}

/// What a pool says to an exchange that wants a connection.
#[derive(Debug)]
pub enum Offer {
    /// An idle connection of this loop. The caller checks that it still lives.
    Idle(Key),
    /// An idle connection that another loop left; it must be registered.
    Parked(Parked),
    /// Open one: it is counted already.
    Open,
    /// Every connection is busy.
    Full,
}

impl Pool {
    /// A loop's pools, all empty.
    #[must_use]
    pub fn new(shared: &'static Shared) -> Self {
        Self {
            shared,
            idle: shared.backends.iter().map(|_| Vec::new()).collect(),
            waiting: shared.backends.iter().map(|_| VecDeque::new()).collect(),
        }
    }

    /// A connection to `backend`, or leave to open one. `fresh` takes no idle one.
    pub fn get(&mut self, backend: &Backend, fresh: bool) -> Offer {
        let shared = self.shared.of(backend);
        if !fresh {
            if let Some(key) = self.idle_of(backend).pop() {
                return Offer::Idle(key);
            }
            if self.shared.loops > 1
                && let Some(parked) = shared.parked.pop()
            {
                return Offer::Parked(parked);
            }
        }
        let max = if backend.pool.max == 0 {
            self.shared.max_default
        } else {
            backend.pool.max
        };
        let opened = shared
            .open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                (n < max).then_some(n + 1)
            });
        if opened.is_ok() {
            Offer::Open
        } else {
            Offer::Full
        }
    }

    /// The oldest idle connection of a full pool, to be closed so that a fresh one may be opened.
    pub fn sacrifice(&mut self, backend: &Backend) -> Option<Key> {
        let idle = self.idle_of(backend);
        (!idle.is_empty()).then(|| idle.remove(0))
    }

    /// Whether a connection that becomes idle should go to the other loops instead of this one's list: somebody
    /// waits there, or this loop has one already.
    #[must_use]
    pub fn prefers_parking(&self, backend: &Backend) -> bool {
        self.shared.loops > 1
            && (self.shared.of(backend).waiting.load(Ordering::Relaxed) > 0
                || self
                    .idle
                    .get(backend.index as usize)
                    .is_some_and(|list| !list.is_empty()))
    }

    /// Leaves a connection to the other loops.
    pub fn park(&self, backend: &Backend, parked: Parked) {
        self.shared.of(backend).parked.push(parked);
    }

    /// Keeps an idle connection. Returns those that `smax` no longer allows, oldest first, when no `ttl` spares them.
    pub fn put(&mut self, backend: &Backend, key: Key) -> Vec<Key> {
        let smax = backend.pool.smax as usize;
        let spares = backend.pool.ttl.is_some();
        let idle = self.idle_of(backend);
        idle.push(key);
        if smax == 0 || spares || idle.len() <= smax {
            return Vec::new();
        }
        let surplus = idle.len() - smax;
        idle.drain(..surplus).collect()
    }

    /// An idle connection is gone (closed by its backend or by age).
    pub fn forget(&mut self, backend: &Backend, key: Key) {
        self.idle_of(backend).retain(|&idle| idle != key);
    }

    /// A connection was closed, whatever it was doing.
    pub fn closed(&self, backend: &Backend) {
        self.shared.of(backend).open.fetch_sub(1, Ordering::Relaxed);
    }

    /// A client's exchange waits for a connection to `backend`.
    pub fn wait(&mut self, backend: &Backend, client: Key) {
        self.shared
            .of(backend)
            .waiting
            .fetch_add(1, Ordering::Relaxed);
        self.waiting_of(backend).push_back(client);
    }

    /// It waits no longer.
    pub fn leave(&mut self, backend: &Backend, client: Key) {
        let list = self.waiting_of(backend);
        let before = list.len();
        list.retain(|&waiting| waiting != client);
        let gone = u32::try_from(before - list.len()).unwrap_or(0);
        self.shared
            .of(backend)
            .waiting
            .fetch_sub(gone, Ordering::Relaxed);
    }

    /// The client that has waited longest in this loop, now that a connection may be free.
    pub fn next_waiting(&mut self, backend: &Backend) -> Option<Key> {
        let client = self.waiting_of(backend).pop_front()?;
        self.shared
            .of(backend)
            .waiting
            .fetch_sub(1, Ordering::Relaxed);
        Some(client)
    }

    /// Whether somebody waits in some loop of the child.
    #[must_use]
    pub fn is_awaited(&self, backend: &Backend) -> bool {
        self.shared.of(backend).waiting.load(Ordering::Relaxed) > 0
    }

    /// Everyone in this loop who waits for any backend; another loop said that something changed.
    pub fn all_waiting(&mut self) -> Vec<Key> {
        let shared = self.shared;
        let lists = self.waiting.iter_mut().zip(&shared.backends);
        lists
            .flat_map(|(list, of)| {
                of.waiting
                    .fetch_sub(u32::try_from(list.len()).unwrap_or(0), Ordering::Relaxed);
                list.drain(..)
            })
            .collect()
    }

    fn idle_of(&mut self, backend: &Backend) -> &mut Vec<Key> {
        self.idle
            .get_mut(backend.index as usize)
            .expect("backends are numbered densely")
    }

    fn waiting_of(&mut self, backend: &Backend) -> &mut VecDeque<Key> {
        self.waiting
            .get_mut(backend.index as usize)
            .expect("backends are numbered densely")
    }
}
