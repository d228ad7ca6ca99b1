//! tine's shared memory: the one thing that outlives an exchange and crosses a process.
//!
//! Responsible for: one mapping of atomics made by the parent before it forks; the records in it (server, processes,
//! slots, balancers, members); leases that are exact after any SIGKILL; and snapshots, the only way anything is shown.
//! Not responsible for: what the numbers mean to HTTP or to a balancing method, clocks (every time is passed in), logs.
//!
//! ```text
//! GlobalScore │ ProcessScore × processes │ SlotScore × processes × slots │ claim rows × processes │ BalancerScore │ MemberScore
//!    header   │ one per child            │ one exchange in flight each   │ what a child holds     │ × balancers   │ × members
//! ```
//!
//! # Rules, before any code
//!
//! 1. Nobody ever makes a `&mut` into the map. Everything in it is an atomic, so a shared reference is enough and any
//!    bytes another process leaves there are a valid value.
//! 2. All-zero is valid and means "nothing here". Records are `repr(C)`, have no gap between fields, no pointers, no
//!    `bool`, no enums, no `Drop`. The `shared!` macro checks this while compiling.
//! 3. No length, index or discriminant read from the map is trusted. Capacities live in private memory once the board
//!    is open; words become enums through `from_raw(..) -> Option<_>`; text ends at its first NUL or at its array's end.
//! 4. The parent never acts on a pid, path or fd that it read from the map: children can write there.
//! 5. Counters are relaxed. Acquire and release appear only where one word publishes others (a text, a record's
//!    `in_use`, the edit lock).
//! 6. Each record has one writing process at a time: a child writes its process record, its slots and its claim row; the
//!    parent writes them only when that child is reaped. Member and balancer words are for everybody: `fetch_*` for
//!    numbers, the edit lock for what an operator edits.
//! 7. Nothing waits. A reader of text retries a bounded number of times and then shows what it has.
//!
//! # Where to read
//!
//! `shared` (the fence) → `region` (the only cast) → `layout` → `text` → `score` (the records) → `board` → `claims`
//! (processes and leases) → `registry` (members by identity) → `snapshot` → `reader`.

#![cfg_attr(
    not(loom),
    expect(unsafe_code, reason = "this crate is the fence around shared memory")
)]

pub mod atomic;
mod lock;
mod text;
pub mod votes;

pub use lock::{EditGuard, EditLock};
pub use text::{Reading, Text, escape};

#[cfg(not(loom))]
mod mapped {
    pub use crate::board::{Board, BoardError};
    pub use crate::claims::Settled;
    pub use crate::layout::{Capacity, LAYOUT_HASH, VERSION, layout_text};
    pub use crate::reader::{HUNG_AFTER_MS, Liveness, OpenError, Reader};
    pub use crate::registry::{BalancerInit, Found, MemberInit, PLAIN};
    pub use crate::score::{
        BalancerFlags, BalancerScore, Birth, GlobalScore, LeaseKind, MemberScore, ProcessScore,
        ProcessState, ServerState, ShapeKind, SlotScore, Status, StatusBits,
    };
    pub use crate::shared::{Field, Record, Shared};
    pub use crate::slots::SlotRange;
    pub use crate::snapshot::{
        BalancerView, GlobalView, MemberView, ProcessView, SlotView, Snapshot, Totals,
    };
}
#[cfg(not(loom))]
pub use mapped::*;

#[cfg(not(loom))]
mod board;
#[cfg(not(loom))]
mod claims;
#[cfg(not(loom))]
mod layout;
#[cfg(not(loom))]
mod reader;
#[cfg(not(loom))]
mod region;
#[cfg(not(loom))]
mod registry;
#[cfg(not(loom))]
mod score;
#[cfg(not(loom))]
mod shared;
#[cfg(not(loom))]
mod slots;
#[cfg(not(loom))]
mod snapshot;
