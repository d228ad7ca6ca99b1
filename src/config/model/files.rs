//! Where files are and what they are.

use crate::config::source::Place;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// `Alias` or `AliasMatch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAlias {
    /// The path of requests, or the expression for it.
    pub path: String,
    /// Whether it is an expression.
    pub is_regex: bool,
    /// The file or directory, absolute; `$1` and the like are filled in for an expression.
    pub real: String,
    /// Where it stands.
    pub place: Place,
}

/// What a `TypesConfig` file says: media types by the endings of file names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MediaTypes(Arc<BTreeMap<String, String>>);

impl MediaTypes {
    /// Reads lines of a media type and the endings that mean it.
    pub fn parse(text: &str) -> Self {
        let mut types = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_ascii_whitespace();
            let Some(media_type) = words.next() else {
                continue;
            };
            types.extend(words.map(|ending| (ending.to_ascii_lowercase(), media_type.to_owned())));
        }
        Self(Arc::new(types))
    }

    /// The media type of an ending in lower case.
    pub fn of(&self, ending: &str) -> Option<&str> {
        self.0.get(ending).map(String::as_str)
    }
}

impl fmt::Debug for MediaTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MediaTypes({} endings)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_by_ending_and_the_last_line_wins() {
        let types = MediaTypes::parse("# a list\ntext/html html HTM\n\nx/y\ntext/x htm\n");
        assert_eq!(types.of("html"), Some("text/html"));
        assert_eq!(types.of("htm"), Some("text/x"));
        assert_eq!(types.of("xhtml"), None);
    }
}
