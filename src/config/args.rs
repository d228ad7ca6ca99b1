//! Words, numbers, times and switches.
//!
//! Responsible for: splitting an argument string as httpd's `ap_getword_conf` does, and reading the small grammars that many directives
//! share. Not for what a directive makes of them.
//!
//! Know first: a word that starts with a quote runs to the matching quote, in which a backslash escapes that quote or itself; a missing
//! closing quote is tolerated; text glued behind a closing quote starts a new word. Outside quotes only `\\` means something: one backslash.

use std::ops::Range;

/// One word of an argument string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// What it says, quotes and escapes resolved.
    pub(crate) text: String,
    /// Where it stands in the logical line, quotes included.
    pub(crate) range: Range<usize>,
    /// Bytes of the line before the text: the opening quote.
    lead: usize,
    /// Where in the text a backslash of the line was left out.
    escapes: Vec<usize>,
}

impl Word {
    /// A text that stands for a range as a whole.
    pub(crate) fn whole(text: &str, range: Range<usize>) -> Self {
        Self {
            text: text.to_owned(),
            range,
            lead: 0,
            escapes: Vec::new(),
        }
    }

    /// Where a part of the text stands in the logical line.
    pub(crate) fn part(&self, part: Range<usize>) -> Range<usize> {
        let place = |byte: usize| {
            let escapes = self.escapes.iter().filter(|at| **at < byte).count();
            (self.range.start + self.lead + byte + escapes).min(self.range.end)
        };
        place(part.start)..place(part.end)
    }

    /// Adds a character, or the one that it escapes.
    fn push(&mut self, c: char, escaped: impl FnOnce(char) -> Option<char>) {
        let next = escaped(c);
        if next.is_some() {
            self.escapes.push(self.text.len());
        }
        self.text.push(next.unwrap_or(c));
    }

    /// Where what follows the first `byte` bytes of the text stands.
    pub(crate) fn after(&self, byte: usize) -> Range<usize> {
        self.part(byte..self.text.len())
    }
}

/// Splits `text[range]` into words whose ranges count from the start of `text`.
pub(crate) fn words(text: &str, range: Range<usize>) -> Vec<Word> {
    let mut found = Vec::new();
    let mut at = range.start;
    while let Some(word) = next_word(text, at..range.end) {
        at = word.range.end;
        found.push(word);
    }
    found
}

/// The first word of `text[range]`.
pub(crate) fn next_word(text: &str, range: Range<usize>) -> Option<Word> {
    let rest = text.get(range.clone())?;
    let start = range.start + (rest.len() - rest.trim_start_matches(is_space).len());
    let rest = text.get(start..range.end)?;
    let mut word = match rest.chars().next()? {
        quote @ ('"' | '\'') => quoted(rest, quote),
        _ => unquoted(rest),
    };
    word.range = start..start + word.range.end;
    Some(word)
}

/// Reads a word that starts with a quote.
fn quoted(rest: &str, quote: char) -> Word {
    let mut word = Word::whole("", 0..rest.len());
    word.lead = quote.len_utf8();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            word.range.end = at + 1;
            break;
        }
        word.push(c, |next| {
            chars
                .next_if(|(_, c)| next == '\\' && (*c == quote || *c == '\\'))
                .map(|(_, c)| c)
        });
    }
    word
}

/// Reads a word that ends at white space.
fn unquoted(rest: &str) -> Word {
    let length = rest.find(is_space).unwrap_or(rest.len());
    let mut word = Word::whole("", 0..length);
    let mut chars = rest.get(..length).unwrap_or_default().chars().peekable();
    while let Some(c) = chars.next() {
        word.push(c, |c| chars.next_if(|next| c == '\\' && *next == '\\'));
    }
    word
}

fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}

/// The unit of a time without a unit, and what a time is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
}

/// Reads a time: digits and `ms`, `s`, `mi(n)` or `h`; only the first two letters count. The result is in milliseconds.
pub(crate) fn time_ms(text: &str, default: Unit) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let unit = unit.to_ascii_lowercase();
    let factor = match unit.as_str() {
        "" if default == Unit::Ms => 1,
        "" => 1000,
        _ if unit.starts_with("ms") => 1,
        _ if unit.starts_with("mi") => 60 * 1000,
        _ if unit.starts_with('s') => 1000,
        _ if unit.starts_with('h') => 3600 * 1000,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// Reads a whole number, with an optional minus sign and nothing behind it.
///
/// httpd takes leading digits and ignores what follows, so that `timeout=5ms` means 5 seconds. Here that is an error.
pub(crate) fn whole(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Reads `on` or `off` in any case.
pub(crate) fn on_off(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("on") {
        Some(true)
    } else if text.eq_ignore_ascii_case("off") {
        Some(false)
    } else {
        None
    }
}

/// Looks a word up in a list of choices, in any case.
pub(crate) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Option<T> {
    choices
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text))
        .map(|(_, value)| *value)
}

/// True when httpd would match the text as a pattern instead of comparing it: it holds `*`, `?` or a closed `[…]`.
pub(crate) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?'])
        || text
            .find('[')
            .is_some_and(|open| text.get(open..).is_some_and(|rest| rest.contains(']')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_split_as_httpd_splits_them() {
        let rows: [(&str, &[&str]); 10] = [
            ("a b  c", &["a", "b", "c"]),
            (r#""a b" c"#, &["a b", "c"]),
            (r#"'a "b"' c"#, &[r#"a "b""#, "c"]),
            (r#""a \"b\" \x \\""#, &[r#"a "b" \x \"#]),
            (r#""a b"#, &["a b"]),
            (r#""a"b"#, &["a", "b"]),
            (r#"a"b c""#, &[r#"a"b"#, r#"c""#]),
            (r"a\\b\c", &[r"a\b\c"]),
            ("\"\" x", &["", "x"]),
            ("", &[]),
        ];
        for (text, expected) in rows {
            let found: Vec<_> = words(text, 0..text.len())
                .into_iter()
                .map(|word| word.text)
                .collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn ranges_cover_the_quotes() {
        let text = r#"x "a b" c"#;
        let found = words(text, 1..text.len());
        assert_eq!(found.first().map(|word| word.range.clone()), Some(2..7));
        assert_eq!(found.get(1).map(|word| word.range.clone()), Some(8..9));
    }

    #[test]
    fn parts_are_found_behind_quotes_and_escapes() {
        let rows = [
            ("key=value", "value", "value"),
            ("\"key=value\"", "value", "value"),
            (r#""a \"b\" %Z c""#, "%Z", "%Z"),
            (r#""a \"b\" c""#, "\"b\"", r#"\"b\""#),
            (r"a\\b%Z", "%Z", "%Z"),
            ("'é=%Z'", "%Z", "%Z"),
        ];
        for (line, part, expected) in rows {
            let word = next_word(line, 0..line.len()).unwrap();
            let start = word.text.find(part).unwrap();
            let range = word.part(start..start + part.len());
            assert_eq!(line.get(range), Some(expected), "{line}");
        }
        let empty = next_word("key=", 0..4).unwrap();
        assert_eq!(empty.after(4), 4..4);
    }

    #[test]
    fn times_take_httpds_units() {
        let rows = [
            ("5", Unit::S, Some(5000)),
            ("5", Unit::Ms, Some(5)),
            ("5s", Unit::Ms, Some(5000)),
            ("5ms", Unit::S, Some(5)),
            ("2min", Unit::S, Some(120_000)),
            ("2mi", Unit::S, Some(120_000)),
            ("1h", Unit::S, Some(3_600_000)),
            ("1HR", Unit::S, Some(3_600_000)),
            ("5m", Unit::S, None),
            ("1.5s", Unit::S, None),
            ("-1", Unit::S, None),
            ("", Unit::S, None),
            ("99999999999999999999", Unit::S, None),
        ];
        for (text, unit, expected) in rows {
            assert_eq!(time_ms(text, unit), expected, "{text}");
        }
    }

    #[test]
    fn numbers_take_no_garbage() {
        let rows = [
            ("5", Some(5)),
            ("-1", Some(-1)),
            ("5ms", None),
            ("", None),
            ("-", None),
            (" 5", None),
        ];
        for (text, expected) in rows {
            assert_eq!(whole(text), expected, "{text:?}");
        }
    }

    #[test]
    fn globs_are_recognised() {
        for (text, expected) in [
            ("/a*", true),
            ("/a?b", true),
            ("/a[bc]", true),
            ("/a[b", false),
            ("http://a/", false),
        ] {
            assert_eq!(is_glob(text), expected, "{text}");
        }
    }
}
