//! Regular expressions in httpd's dialect, which is PCRE over bytes.
//!
//! Responsible for: compiling a pattern of the configuration once and matching it against request bytes, with a
//! bound on the work whatever the bytes are. Not responsible for: the differences in syntax (`dialect.rs`), or
//! what a match means.
//!
//! Know first: almost every pattern runs on a linear-time engine. One that needs look-around, back-references or
//! possessive matching runs on a backtracking engine with a step limit; when the limit is hit the pattern does not
//! match, as in httpd when PCRE gives up. [`Pattern::engine`] says which engine a pattern got and why. As httpd
//! compiles them, a dot matches a newline too and `$` matches only at the very end.

use std::fmt;

use super::dialect;

/// A compiled regular expression.
pub struct Pattern {
    text: String,
    kind: Kind,
}

enum Kind {
    Linear(regex::bytes::Regex),
    Backtracking(Box<fancy_regex::Regex>, &'static str),
}

/// Whether letters of both cases are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `A` is not `a`.
    Sensitive,
    /// `A` is `a`, for US-ASCII letters.
    Insensitive,
}

/// Which engine runs a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Time in proportion to the text, whatever the pattern.
    Linear,
    /// Backtracking with a step limit, because the pattern uses the feature named here.
    Backtracking(&'static str),
}

/// What the groups of a pattern matched: `$0` to `$9`, all that httpd substitutes.
#[derive(Clone, Copy, Debug)]
pub struct Groups<'t> {
    text: &'t [u8],
    spans: [Option<(usize, usize)>; GROUPS_MAX],
}

/// Group 0 and nine more.
pub const GROUPS_MAX: usize = 10;

/// Enough for any pattern that somebody meant, and a few milliseconds at most.
const STEPS_MAX: usize = 100_000;

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// The pattern is malformed, or uses something that neither engine has; in words for the operator.
    pub fn compile(text: &str, case: Case) -> Result<Self, String> {
        let translated = dialect::translate(text)?;
        let is_insensitive = case == Case::Insensitive;
        let kind = match translated.backtracks_for {
            None => Kind::Linear(
                regex::bytes::RegexBuilder::new(&translated.text)
                    .unicode(false)
                    .dot_matches_new_line(true)
                    .case_insensitive(is_insensitive)
                    .build()
                    .map_err(|error| last_line(&error.to_string()))?,
            ),
            Some(feature) => Kind::Backtracking(
                Box::new(
                    fancy_regex::RegexBuilder::new(&translated.text)
                        .bytes_mode(fancy_regex::BytesMode::Ascii)
                        .unicode_mode(false)
                        .dot_matches_new_line(true)
                        .case_insensitive(is_insensitive)
                        .backtrack_limit(STEPS_MAX)
                        .build()
                        .map_err(|error| last_line(&error.to_string()))?,
                ),
                feature,
            ),
        };
        Ok(Self {
            text: text.to_owned(),
            kind,
        })
    }

    /// The pattern as the configuration has it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which engine runs it.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match &self.kind {
            Kind::Linear(_) => Engine::Linear,
            Kind::Backtracking(_, feature) => Engine::Backtracking(feature),
        }
    }

    /// Whether it matches somewhere in the text.
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        match &self.kind {
            Kind::Linear(regex) => regex.is_match(text),
            Kind::Backtracking(regex, _) => regex.is_match(text).unwrap_or(false),
        }
    }

    /// What its groups match, if it matches. Costs several times what [`Self::is_match`] costs.
    #[must_use]
    pub fn captures<'t>(&self, text: &'t [u8]) -> Option<Groups<'t>> {
        let mut spans = [None; GROUPS_MAX];
        match &self.kind {
            Kind::Linear(regex) => {
                let mut places = regex.capture_locations();
                regex.captures_read(&mut places, text)?;
                for (index, span) in spans.iter_mut().enumerate() {
                    *span = places.get(index);
                }
            }
            Kind::Backtracking(regex, _) => {
                let found = regex.captures(text).ok().flatten()?;
                for (index, span) in spans.iter_mut().enumerate() {
                    *span = found.get(index).map(|group| (group.start(), group.end()));
                }
            }
        }
        Some(Groups { text, spans })
    }
}

impl<'t> Groups<'t> {
    /// The bytes that group `index` matched; empty when it took no part, as httpd substitutes.
    #[must_use]
    pub fn get(&self, index: usize) -> &'t [u8] {
        self.span(index)
            .and_then(|(start, end)| self.text.get(start..end))
            .unwrap_or_default()
    }

    /// Where group `index` matched.
    #[must_use]
    pub fn span(&self, index: usize) -> Option<(usize, usize)> {
        self.spans.get(index).copied().flatten()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern")
            .field(&self.text)
            .field(&self.engine())
            .finish()
    }
}

/// The engines draw the pattern with carets over several lines; the last one says what is wrong.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensitive(text: &str) -> Pattern {
        Pattern::compile(text, Case::Sensitive).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn patterns_match_as_pcre_would() {
        let rows: &[(&str, &[u8], bool)] = &[
            (r"\.gif$", b"/a/b.gif", true),
            (r"\.gif$", b"/a/b.gif\n", false),
            ("^/a.b$", b"/a\nb", true),
            ("^/caf\u{e9}$", "/caf\u{e9}".as_bytes(), true),
            ("^/[\u{e9}x]+$", "/\u{e9}x".as_bytes(), true),
            ("^/.$", b"/\xff", true),
            (r"^/\xff$", b"/\xff", true),
            (r"^/\x{41}$", b"/A", true),
            (r"^\w+$", "\u{e9}".as_bytes(), false),
            ("[a&&b]", b"&", true),
            ("[+--b]", b",", true),
            ("[--b]", b"A", true),
            ("[a~~b]", b"~", true),
            ("^[a[b]$", b"[", true),
            ("^[]a]$", b"]", true),
            ("^[^]a]$", b"b", true),
            ("^[[:digit:]]+$", b"123", true),
            ("^[[:^digit:]]+$", b"123", false),
            (r"^[\w.-]+$", b"a-b.c", true),
            (r"^[\d-x]+$", b"1-x", true),
            (r"^[\x2f\101]+$", b"/A", true),
            (r"^\Qa.b*\E$", b"a.b*", true),
            (r"^\Qa.b*\E$", b"axb", false),
            (r"^\101\0$", b"A\0", true),
            (r"^\cA$", b"\x01", true),
            (r"^a\hb$", b"a\tb", true),
            (r"^a\vb$", b"a\x0bb", true),
            (r"^a\Rb$", b"a\r\nb", true),
            (r"^a\Nb$", b"a\nb", false),
            (r"^\e$", b"\x1b", true),
            (r"^a{,3}$", b"a{,3}", true),
            (r"^a{2}$", b"aa", true),
            (r"^{x}$", b"{x}", true),
            (r"^\<b\>$", b"<b>", true),
            (r"^/a\/b\-c%$", b"/a/b-c%", true),
            (r"^a(?#why)b$", b"ab", true),
            ("(?i)^/ADMIN", b"/admin", true),
            ("(?<n>a)", b"a", true),
            ("(?'n'a)", b"a", true),
            // From here on the backtracking engine.
            (r"^(?!/admin)(/.*)$", b"/admin/x", false),
            (r"^(?!/admin)(/.*)$", b"/other", true),
            (r"(?<=/v)\d+", b"/v12", true),
            (r"^(a|b)\1$", b"aa", true),
            (r"^(a|b)\1$", b"ab", false),
            (r"^(a|b)\g{1}$", b"bb", true),
            (r"^(a|b)\g{-1}$", b"bb", true),
            (r"^(?<x>a|b)\k{x}$", b"bb", true),
            (r"^(?P<x>a|b)(?P=x)$", b"bb", true),
            ("^a++a", b"aaa", false),
            ("^a*+b", b"aab", true),
            ("^(?>a+)a", b"aaa", false),
            (r"a\Z", b"a\n", true),
            (r"(?!x)\xff", b"\xff", true),
            ("(?!x).[\u{e9}]", b"a\xa9", true),
        ];
        for (text, haystack, expected) in rows {
            let shown = String::from_utf8_lossy(haystack);
            assert_eq!(
                sensitive(text).is_match(haystack),
                *expected,
                "{text} on {shown:?}"
            );
        }
    }

    #[test]
    fn only_what_needs_backtracking_gets_it() {
        let rows = [
            ("^/a(.*)$", Engine::Linear),
            (r"^\Q(?=\E$", Engine::Linear),
            ("[(?=]", Engine::Linear),
            ("(?=a)", Engine::Backtracking("look-around")),
            ("(?<!a)b", Engine::Backtracking("look-around")),
            (r"(a)\1", Engine::Backtracking("a back-reference")),
            ("a++", Engine::Backtracking("a possessive quantifier")),
            ("a{1,2}+", Engine::Backtracking("a possessive quantifier")),
            ("(?>a)", Engine::Backtracking("an atomic group")),
            (r"a\Kb", Engine::Backtracking(r"\K")),
        ];
        for (text, engine) in rows {
            assert_eq!(sensitive(text).engine(), engine, "{text}");
        }
    }

    #[test]
    fn groups_are_numbered_as_in_httpd() {
        for text in ["^/(a+)/(x)?(.*)$", "^(?=/)/(a+)/(x)?(.*)$"] {
            let groups = sensitive(text).captures(b"/aa/rest").unwrap();
            assert_eq!(groups.get(0), b"/aa/rest");
            assert_eq!(groups.get(1), b"aa");
            assert_eq!((groups.span(2), groups.get(2)), (None, &b""[..]), "{text}");
            assert_eq!(groups.get(3), b"rest");
            assert_eq!(groups.get(9), b"");
        }
        assert!(sensitive("^/b").captures(b"/a").is_none());
    }

    #[test]
    fn case_is_ignored_when_asked() {
        let pattern = Pattern::compile("^/App", Case::Insensitive).unwrap();
        assert!(pattern.is_match(b"/aPP/x"));
        assert!(!sensitive("^/App").is_match(b"/app"));
    }

    #[test]
    fn bad_patterns_say_why() {
        for (text, word) in [
            ("(a", "unclosed"),
            ("[a", "class"),
            ("[a--b]", "range"),
            ("*a", "repetition"),
            (r"\p{L}", "bytes"),
            ("(?|a|b)", "(?|"),
            ("(*ANYCRLF)a", "(*"),
            (r"\i", r"\i"),
            (r"a\", "ends"),
            ("(?R)", "recursion"),
            (r"\Q(?<", "\u{0}never"),
        ] {
            match Pattern::compile(text, Case::Sensitive) {
                Ok(_) => assert_eq!(word, "\u{0}never", "{text} compiled"),
                Err(error) => assert!(error.contains(word), "{text}: {error}"),
            }
        }
    }

    #[test]
    fn a_pattern_that_explodes_gives_up_and_does_not_match() {
        let pattern = sensitive(r"^(?=a)(a|aa)+\1$");
        let text = [b"a".repeat(60), b"!".to_vec()].concat();
        assert!(!pattern.is_match(&text));
        assert!(pattern.captures(&text).is_none());
    }
}
