//! Levels of importance, and who is heard at which (httpd's `LogLevel`).
//!
//! [`LevelMap`] is what the directive says, mergeable and unresolved; [`Levels`] is what a running log asks.

use std::fmt;

use super::module::{MODULES, Module};

/// How important a message is; a smaller value is more important.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "each variant is the directive's keyword")]
pub enum Level {
    Emerg,
    Alert,
    Crit,
    Error,
    Warn,
    Notice,
    Info,
    Debug,
    Trace1,
    Trace2,
    Trace3,
    Trace4,
    Trace5,
    Trace6,
    Trace7,
    Trace8,
}

/// Every level, most important first.
pub const LEVELS: [Level; 16] = [
    Level::Emerg,
    Level::Alert,
    Level::Crit,
    Level::Error,
    Level::Warn,
    Level::Notice,
    Level::Info,
    Level::Debug,
    Level::Trace1,
    Level::Trace2,
    Level::Trace3,
    Level::Trace4,
    Level::Trace5,
    Level::Trace6,
    Level::Trace7,
    Level::Trace8,
];

impl Level {
    /// Reads a keyword, whatever its case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        LEVELS
            .into_iter()
            .find(|level| level.name().eq_ignore_ascii_case(word))
    }

    /// The keyword.
    #[must_use]
    pub const fn name(self) -> &'static str {
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

    /// Syslog's severity; it knows nothing finer than debug.
    #[must_use]
    pub const fn severity(self) -> u8 {
        let own = self as u8;
        if own > 7 { 7 } else { own }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the `LogLevel` directives of one section say. Anything unsaid comes from the section around it, and in the
/// end is `warn`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LevelMap {
    default: Option<Level>,
    modules: Vec<(Module, Level)>,
}

impl LevelMap {
    /// A map that says nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            default: None,
            modules: Vec::new(),
        }
    }

    /// Takes one word of the directive: `level` or `module:level`.
    ///
    /// # Errors
    /// The word is neither, or names a module that nobody knows.
    pub fn apply(&mut self, word: &str) -> Result<(), LevelError> {
        let Some((name, keyword)) = word.split_once(':') else {
            self.set_default(Level::parse(word).ok_or(LevelError::Keyword(None))?);
            return Ok(());
        };
        if keyword.is_empty() {
            return Err(LevelError::Nothing(name.into()));
        }
        let level = Level::parse(keyword).ok_or_else(|| LevelError::Keyword(Some(word.into())))?;
        let module = Module::parse(name).ok_or_else(|| LevelError::Module(name.into()))?;
        self.set(module, level);
        Ok(())
    }

    /// Sets the level of everybody. As in httpd, this forgets what was said about single modules before.
    pub fn set_default(&mut self, level: Level) {
        self.default = Some(level);
        self.modules.clear();
    }

    /// Sets the level of one module.
    pub fn set(&mut self, module: Module, level: Level) {
        self.modules.retain(|&(known, _)| known != module);
        self.modules.push((module, level));
    }

    /// This map laid over that of the enclosing section. A level for everybody hides what the outside says about
    /// single modules.
    #[must_use]
    pub fn over(&self, outer: &Self) -> Self {
        if self.default.is_some() {
            return self.clone();
        }
        let mut merged = outer.clone();
        for &(module, level) in &self.modules {
            merged.set(module, level);
        }
        merged
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.default.is_none() && self.modules.is_empty()
    }

    /// The table that a running log asks.
    #[must_use]
    pub fn compile(&self) -> Levels {
        let mut levels = Levels([self.default.unwrap_or(Level::Warn); MODULES]);
        for &(module, level) in &self.modules {
            levels.set(module, level);
        }
        levels
    }
}

/// One level per module: asking costs a load and a compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels([Level; MODULES]);

impl Levels {
    /// Whether a message of this module at this level is wanted.
    #[inline]
    #[must_use]
    pub fn enabled(&self, module: Module, level: Level) -> bool {
        level <= self.of(module)
    }

    /// The least important level that is wanted of a module.
    #[inline]
    #[must_use]
    pub fn of(&self, module: Module) -> Level {
        let Self(levels) = self;
        *levels
            .get(module as usize)
            .expect("the table has a cell for every module")
    }

    /// Makes every module heard at least at `floor`.
    #[must_use]
    pub fn at_least(mut self, floor: Level) -> Self {
        for level in &mut self.0 {
            *level = (*level).max(floor);
        }
        self
    }

    fn set(&mut self, module: Module, level: Level) {
        if let Some(cell) = self.0.get_mut(module as usize) {
            *cell = level;
        }
    }
}

impl Default for Levels {
    fn default() -> Self {
        LevelMap::new().compile()
    }
}

/// What is wrong with a word of `LogLevel`, in httpd's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LevelError {
    /// The level is none of the keywords; with the whole word when it named a module.
    Keyword(Option<Box<str>>),
    /// `module:` and nothing after it.
    Nothing(Box<str>),
    /// No such module.
    Module(Box<str>),
}

impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyword(word) => {
                if let Some(word) = word {
                    write!(f, "{word}: ")?;
                }
                f.write_str(
                    "Log level keyword must be one of emerg/alert/crit/error/warn/notice/info/debug/trace1/.../trace8",
                )
            }
            Self::Nothing(name) => write!(
                f,
                "Module specifier '{name}' must be followed by a log level keyword"
            ),
            Self::Module(name) => write!(f, "Cannot find module {name}"),
        }
    }
}

impl std::error::Error for LevelError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(words: &[&str]) -> LevelMap {
        let mut map = LevelMap::new();
        for word in words {
            map.apply(word).unwrap();
        }
        map
    }

    #[test]
    fn keywords_are_read_in_any_case_and_printed_back() {
        for level in LEVELS {
            assert_eq!(Level::parse(level.name()), Some(level));
            assert_eq!(Level::parse(&level.name().to_uppercase()), Some(level));
        }
        assert_eq!(Level::parse("trace9"), None);
        assert_eq!(Level::Trace8.severity(), 7);
        assert_eq!(Level::Error.severity(), 3);
    }

    #[test]
    fn a_module_is_heard_at_its_own_level_and_the_rest_at_the_default() {
        let levels = map(&["info", "proxy:trace3", "mod_proxy_http.c:error"]).compile();
        assert!(levels.enabled(Module::Proxy, Level::Trace3));
        assert!(!levels.enabled(Module::Proxy, Level::Trace4));
        assert!(levels.enabled(Module::ProxyHttp, Level::Error));
        assert!(!levels.enabled(Module::ProxyHttp, Level::Warn));
        assert!(levels.enabled(Module::Core, Level::Info));
        assert!(!levels.enabled(Module::Core, Level::Debug));
    }

    #[test]
    fn silence_means_warn() {
        let levels = LevelMap::new().compile();
        assert!(levels.enabled(Module::Core, Level::Warn));
        assert!(!levels.enabled(Module::Core, Level::Notice));
    }

    #[test]
    fn a_later_default_forgets_earlier_modules() {
        let levels = map(&["proxy:trace8", "error"]).compile();
        assert_eq!(levels.of(Module::Proxy), Level::Error);
    }

    #[test]
    fn a_virtual_host_adds_to_the_main_server_unless_it_names_a_default() {
        let main = map(&["info", "proxy:debug"]);
        let adds = map(&["status:trace1"]).over(&main).compile();
        assert_eq!(adds.of(Module::Proxy), Level::Debug);
        assert_eq!(adds.of(Module::Status), Level::Trace1);
        assert_eq!(adds.of(Module::Core), Level::Info);
        let replaces = map(&["crit"]).over(&main).compile();
        assert_eq!(replaces.of(Module::Proxy), Level::Crit);
    }

    #[test]
    fn complaints_are_worded_as_httpd_words_them() {
        let complaint = |word: &str| LevelMap::new().apply(word).unwrap_err().to_string();
        let keywords = "Log level keyword must be one of emerg/alert/crit/error/warn/notice/info/debug/trace1/.../trace8";
        assert_eq!(complaint("loud"), keywords);
        assert_eq!(complaint("proxy:loud"), format!("proxy:loud: {keywords}"));
        assert_eq!(complaint("zz:debug"), "Cannot find module zz");
        assert_eq!(
            complaint("proxy:"),
            "Module specifier 'proxy' must be followed by a log level keyword"
        );
    }
}
