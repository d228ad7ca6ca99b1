//! What tine tells people: the error log, the access log, and where an exchange's time went.
//!
//! Responsible for: the layout of every line, levels, escaping, and getting whole lines to files, programs and
//! syslog. Not responsible for: deciding what is worth saying (the engine does, which knows client, exchange and
//! time), counters (the scoreboard's), or starting a piped program again (the parent's).
//!
//! Know first:
//! - Targets are opened in the parent and inherited ([`Sinks`]); a child never opens one and never waits for one.
//! - No clock is read here: the caller's turn has the time ([`Stamp`], [`Record`]).
//! - Whatever a peer sent is escaped on its way into a line, in one place per log ([`escape`]).
//!
//! httpd's parts: `server/log.c`, mod_log_config, mod_logio, mod_syslog; the debug texts of mod_proxy 2.2 are in
//! [`traces22`]. Reading order: [`level`], [`error_log`], [`record`], [`mod@format`], [`access_log`], [`sink`].

pub mod access_log;
pub mod error_format;
pub mod error_log;
pub mod escape;
pub mod format;
pub mod level;
pub mod module;
pub mod program;
pub mod record;
#[cfg(test)]
mod sample;
pub mod sink;
mod strftime;
pub mod tag;
pub mod trace;
pub mod traces22;
pub mod zone;

pub use access_log::{AccessLog, Condition, LogBuffer};
pub use error_format::{ErrorFormat, ErrorFormatError};
pub use error_log::{About, Cause, ErrorLog, Line, Peer, Stamp, startup};
pub use escape::Raw;
pub use format::{Format, FormatError, Nicknames};
pub use level::{Level, LevelError, LevelMap, Levels};
pub use module::Module;
pub use program::Program;
pub use record::{Ending, Environment, Record, Variables};
pub use sink::{Sink, Sinks, Target, TargetError};
pub use tag::Tag;
pub use trace::{Milestone, Trace};
pub use traces22::Trace22;
pub use zone::Zone;
