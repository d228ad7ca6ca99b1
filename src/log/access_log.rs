//! The access log: one line per exchange, many lines per write.
//!
//! An [`AccessLog`] is what a CustomLog directive asks for. A loop owns one [`LogBuffer`], into which the logs put
//! the lines of a turn, and flushes it at the turn's end: one write per target, whole lines only, so that the
//! children's lines do not mix in the file that they share.

use std::sync::Arc;

use super::format::Format;
use super::record::{Record, Variables};
use super::sink::Sink;
use super::zone::{ClfCache, Zone};

/// One access log.
#[derive(Debug)]
pub struct AccessLog {
    format: Format,
    sink: Arc<Sink>,
    condition: Condition,
}

impl AccessLog {
    /// A log of every exchange for which the condition holds.
    #[must_use]
    pub const fn new(format: Format, sink: Arc<Sink>, condition: Condition) -> Self {
        Self {
            format,
            sink,
            condition,
        }
    }

    /// Puts the line of an exchange into the buffer, if the condition holds.
    pub fn append(&self, record: &Record<'_>, buffer: &mut LogBuffer) {
        if self.condition.holds(record.env) {
            buffer.append(&self.format, &self.sink, record);
        }
    }

    /// The sink, for counting what it lost.
    #[must_use]
    pub const fn sink(&self) -> &Arc<Sink> {
        &self.sink
    }
}

/// The `env=` clause of CustomLog.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Condition {
    /// No clause.
    #[default]
    Always,
    /// `env=name`: the variable is set, even to nothing.
    Set(Box<str>),
    /// `env=!name`: it is not set.
    Unset(Box<str>),
}

impl Condition {
    /// Reads the clause, `env=` included.
    ///
    /// # Errors
    /// What httpd says about it.
    pub fn parse(clause: &str) -> Result<Self, &'static str> {
        let value = clause
            .split_at_checked(4)
            .filter(|(key, _)| key.eq_ignore_ascii_case("env="))
            .map(|(_, value)| value)
            .ok_or("error in condition clause")?;
        match value.strip_prefix('!') {
            Some("") => Err("missing environment variable name"),
            None if value.is_empty() => Err("missing environment variable name"),
            Some(name) => Ok(Self::Unset(name.into())),
            None => Ok(Self::Set(value.into())),
        }
    }

    /// Whether an exchange with these variables is to be logged.
    #[must_use]
    pub fn holds(&self, env: Variables<'_>) -> bool {
        match self {
            Self::Always => true,
            Self::Set(name) => env.has(name),
            Self::Unset(name) => !env.has(name),
        }
    }
}

/// The lines of one turn of one loop.
#[derive(Debug)]
pub struct LogBuffer {
    lanes: Vec<Lane>,
    times: ClfCache,
    zone: Zone,
}

/// What waits for one target.
#[derive(Debug)]
struct Lane {
    sink: Arc<Sink>,
    lines: Vec<u8>,
}

impl LogBuffer {
    /// An empty buffer; `%t` will be shown in this zone.
    #[must_use]
    pub fn new(zone: Zone) -> Self {
        Self {
            lanes: Vec::new(),
            times: ClfCache::default(),
            zone,
        }
    }

    /// Writes out what waits. To be called at the end of each turn.
    pub fn flush(&mut self) {
        for lane in &mut self.lanes {
            lane.flush();
        }
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.lines.is_empty())
    }

    fn append(&mut self, format: &Format, sink: &Arc<Sink>, record: &Record<'_>) {
        // A loop has a handful of targets, so looking through them costs less than keeping an index.
        let known = self.lanes.iter().position(|l| Arc::ptr_eq(&l.sink, sink));
        let index = known.unwrap_or(self.lanes.len());
        if known.is_none() {
            self.lanes.push(Lane {
                sink: Arc::clone(sink),
                lines: Vec::new(),
            });
        }
        let lane = self.lanes.get_mut(index).expect("it was found or pushed");
        let before = lane.lines.len();
        format.render(record, &self.zone, &mut self.times, &mut lane.lines);
        lane.lines.push(b'\n');
        if lane.lines.len() > BUFFER_MAX {
            lane.flush_up_to(before);
        }
        if lane.lines.len() > BUFFER_MAX {
            lane.flush();
        }
    }
}

impl Drop for LogBuffer {
    /// A child that leaves has logged every exchange that it ended.
    fn drop(&mut self) {
        self.flush();
    }
}

impl Lane {
    fn flush(&mut self) {
        if !self.lines.is_empty() {
            self.sink.write(&self.lines);
            self.lines.clear();
        }
    }

    /// Writes out the first `length` bytes and keeps the rest.
    fn flush_up_to(&mut self, length: usize) {
        if length > 0 {
            self.sink
                .write(self.lines.get(..length).unwrap_or_default());
            self.lines.drain(..length);
        }
    }
}

/// No write is longer, except one of a single line that is.
const BUFFER_MAX: usize = 64 * 1024;

#[cfg(test)]
#[path = "access_log/tests.rs"]
mod tests;
