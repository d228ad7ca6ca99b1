//! Logs as the configuration describes them.
//!
//! Responsible for: levels, targets and formats as data. Compiling a format and opening a target is the log room's.

use crate::config::setting::{Merge, Setting};
use crate::config::source::Place;
use std::fmt;
use std::str::FromStr;

/// How much a message matters; a smaller level matters more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// The server cannot go on.
    Emerg,
    /// Act at once.
    Alert,
    /// Critical.
    Crit,
    /// Someone must act.
    Error,
    /// Someone should look.
    Warn,
    /// Normal but significant.
    Notice,
    /// Lifecycle.
    Info,
    /// Decisions.
    Debug,
    /// Mechanics, coarsest.
    Trace1,
    /// Mechanics.
    Trace2,
    /// Mechanics.
    Trace3,
    /// Mechanics.
    Trace4,
    /// Mechanics.
    Trace5,
    /// Mechanics.
    Trace6,
    /// Mechanics.
    Trace7,
    /// Mechanics, finest.
    Trace8,
}

impl Level {
    /// Every level, most severe first.
    pub const ALL: [Self; 16] = [
        Self::Emerg,
        Self::Alert,
        Self::Crit,
        Self::Error,
        Self::Warn,
        Self::Notice,
        Self::Info,
        Self::Debug,
        Self::Trace1,
        Self::Trace2,
        Self::Trace3,
        Self::Trace4,
        Self::Trace5,
        Self::Trace6,
        Self::Trace7,
        Self::Trace8,
    ];

    /// The word in `LogLevel` and in log lines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Emerg => "emerg",
            Self::Alert => "alert",
            Self::Crit => "crit",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace1 => "trace1",
            Self::Trace2 => "trace2",
            Self::Trace3 => "trace3",
            Self::Trace4 => "trace4",
            Self::Trace5 => "trace5",
            Self::Trace6 => "trace6",
            Self::Trace7 => "trace7",
            Self::Trace8 => "trace8",
        }
    }
}

/// A word that names no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownLevel;

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not one of emerg, alert, crit, error, warn, notice, info, debug, trace1 to trace8",
        )
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Self::ALL
            .into_iter()
            .find(|level| level.word().eq_ignore_ascii_case(text))
            .ok_or(UnknownLevel)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// `LogLevel`: a level for everything, and levels of single modules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LevelMap {
    /// The level of modules not named.
    pub default: Setting<Level>,
    /// Levels of modules by short name (`proxy`, `proxy_balancer`); the last entry of a name counts.
    pub modules: Vec<(String, Level)>,
}

impl LevelMap {
    /// The level of a module, `Warn` when nobody said anything.
    pub fn level(&self, module: &str) -> Level {
        self.modules
            .iter()
            .rev()
            .find(|(name, _)| name == module)
            .map_or_else(|| self.default.or(Level::Warn), |(_, level)| *level)
    }
}

impl Merge for LevelMap {
    /// A section that names a level for everything forgets the base's single modules, as `LogLevel info` on a later line does.
    fn merge(base: &Self, section: &Self) -> Self {
        if section.default.is_set() {
            return section.clone();
        }
        Self {
            default: base.default.clone(),
            modules: base
                .modules
                .iter()
                .chain(&section.modules)
                .cloned()
                .collect(),
        }
    }
}

/// Where a log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// A file; absolute, or relative to the server root when that is unknown.
    File(String),
    /// The standard input of a program; `|` or `||` runs it directly, `|$` through a shell.
    Pipe {
        /// The command.
        command: String,
        /// True for `|$`.
        shell: bool,
    },
    /// `syslog[:facility[:tag]]`.
    Syslog {
        /// The facility, `local7` unless given.
        facility: Option<String>,
        /// The tag, the program's name unless given.
        tag: Option<String>,
    },
}

/// One access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomLog {
    /// Where it goes.
    pub target: LogTarget,
    /// What a line says.
    pub format: LogFormatRef,
    /// When a line is written.
    pub condition: Option<LogCondition>,
    /// Where the directive stands.
    pub place: Place,
}

/// Which format an access log uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFormatRef {
    /// The format itself, or what a nickname stands for; nicknames are looked up once everything is read.
    Format(String),
    /// What `LogFormat` without a nickname set, else the common format. Only `TransferLog`.
    Transfer,
}

/// `env=[!]NAME` after a `CustomLog`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogCondition {
    /// The variable.
    pub variable: String,
    /// True when the line is written unless the variable is set.
    pub negated: bool,
}

/// `LogFormat "…" nickname`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFormat {
    /// The nickname.
    pub nickname: String,
    /// The format.
    pub format: String,
    /// Where the directive stands.
    pub place: Place,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_for_everything_forgets_earlier_modules() {
        let place = Place::new("t", 1);
        let base = LevelMap {
            default: Setting::new(Level::Warn, &place),
            modules: vec![("proxy".into(), Level::Trace3)],
        };
        let module_only = LevelMap {
            default: Setting::UNSET,
            modules: vec![("status".into(), Level::Debug)],
        };
        let all = LevelMap {
            default: Setting::new(Level::Info, &place),
            modules: vec![],
        };
        assert_eq!(
            LevelMap::merge(&base, &module_only).level("proxy"),
            Level::Trace3
        );
        assert_eq!(
            LevelMap::merge(&base, &module_only).level("status"),
            Level::Debug
        );
        assert_eq!(LevelMap::merge(&base, &all).level("proxy"), Level::Info);
    }
}
