//! What every step of a turn needs: time, memory, configuration, logs.

use std::path::PathBuf;

use crate::buf::Blocks;
use crate::codec::StreamId;
use crate::http::head::Shelf;
use crate::http::{RequestHead, ResponseHead};
use crate::request::{DirCache, Env, Me};

/// The tools of one loop.
pub struct Gear {
    /// The generation's configuration.
    pub env: &'static Env,
    /// This process.
    pub me: Me,
    /// Unused buffers.
    pub blocks: Blocks,
    /// Unused request heads.
    pub requests: Shelf<RequestHead>,
    /// Unused response heads.
    pub responses: Shelf<ResponseHead>,
    /// Stands for the head of a request that never had one.
    pub blank: Box<RequestHead>,
    /// Merged sections.
    pub cache: DirCache,
    /// Streams that a codec just announced.
    pub news: Vec<StreamId>,
    /// This turn's time on the loop's own clock, in milliseconds.
    pub now_ms: u64,
    /// This turn's unix time in microseconds.
    pub now_us: u64,
    /// No new connections, and none is kept alive.
    pub is_draining: bool,
    /// Where content is kept that is too large for memory.
    pub spool: PathBuf,
}

impl Gear {
    /// The tools of a loop that has just begun.
    pub fn new(env: &'static Env, me: Me) -> Self {
        Self {
            env,
            me,
            blocks: Blocks::new(),
            requests: Shelf::new(),
            responses: Shelf::new(),
            blank: Box::default(),
            cache: DirCache::new(),
            news: Vec::new(),
            now_ms: 0,
            now_us: 0,
            is_draining: false,
            spool: std::env::temp_dir(),
        }
    }
}

impl std::fmt::Debug for Gear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gear")
            .field("me", &self.me)
            .field("now_ms", &self.now_ms)
            .field("is_draining", &self.is_draining)
            .finish_non_exhaustive()
    }
}
