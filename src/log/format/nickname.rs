//! Names for formats.

use super::{Format, FormatError};

/// `common`, and the default of a log that names no format.
pub(super) const COMMON: &str = "%h %l %u %t \"%r\" %>s %b";

/// The names that every httpd configuration in the world defines. A file that defines them itself overrides these.
const BUILT_IN: [(&str, &str); 5] = [
    ("CLF", COMMON),
    ("common", COMMON),
    (
        "combined",
        "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"",
    ),
    (
        "combinedio",
        "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %I %O",
    ),
    (
        "vhost_combined",
        "%v:%p %h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"",
    ),
];

/// The formats that a server knows by name (`LogFormat "…" name`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nicknames(Vec<(Box<str>, Box<str>)>);

impl Nicknames {
    /// Only the built-in names.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Gives a format a name; a later one of the same name wins.
    pub fn define(&mut self, name: &str, format: &str) {
        self.0.push((name.into(), format.into()));
    }

    /// The format string behind a name, or the word itself, which then is a format string.
    #[must_use]
    pub fn resolve<'a>(&'a self, word: &'a str) -> &'a str {
        let own = self.0.iter().rev().find(|(name, _)| **name == *word);
        if let Some((_, format)) = own {
            return format;
        }
        let built_in = BUILT_IN.iter().find(|(name, _)| *name == word);
        built_in.map_or(word, |(_, format)| format)
    }

    /// Compiles what a log directive names: a nickname, a format string, or nothing for the common log format.
    ///
    /// # Errors
    /// As [`Format::compile`].
    pub fn compile(&self, word: Option<&str>) -> Result<Format, FormatError> {
        Format::compile(word.map_or(COMMON, |word| self.resolve(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_the_file_wins_over_a_built_in_one_and_the_last_over_the_first() {
        let mut names = Nicknames::new();
        assert_eq!(names.resolve("common"), COMMON);
        names.define("common", "%a");
        names.define("common", "%h");
        assert_eq!(names.resolve("common"), "%h");
        assert_eq!(names.resolve("%s only"), "%s only");
    }

    #[test]
    fn all_built_in_formats_compile() {
        for (name, _) in BUILT_IN {
            assert!(Nicknames::new().compile(Some(name)).is_ok(), "{name}");
        }
        assert_eq!(Nicknames::new().compile(None), Ok(Format::common()));
    }
}
