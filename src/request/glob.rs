//! Wildcards as httpd's sections and ServerAlias use them: `*`, `?`, `[…]` and a backslash before a byte.
//!
//! Responsible for: comparing. Not responsible for: which kind of comparison a section wants.
//!
//! Know first: in a path neither `*` nor `?` nor a bracket matches a slash (fnmatch with FNM_PATHNAME); in a target
//! URL of a `<Proxy>` section all of them do. Only the last `*` seen ever needs to give way, so the work is
//! bounded by the product of both lengths.

/// What `*`, `?` and `[…]` do with a slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slash {
    /// A slash is matched by a slash only.
    Stops,
    /// A slash is a byte like any other.
    Passes,
}

/// Whether the whole text matches the pattern.
#[must_use]
pub fn is_match(pattern: &[u8], text: &[u8], slash: Slash) -> bool {
    let mut pattern = pattern;
    let mut text = text;
    // Behind the last star, and the text from which it may take one byte more.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some((b'*', after)) = pattern.split_first() {
            pattern = after;
            star = Some((after, text));
            continue;
        }
        match text.split_first() {
            None => return pattern.is_empty(),
            Some((&byte, rest)) => {
                if let Some(after) = one(pattern, byte, slash) {
                    pattern = after;
                    text = rest;
                    continue;
                }
            }
        }
        let Some((after, from)) = star else {
            return false;
        };
        match from.split_first() {
            Some((&byte, rest)) if byte != b'/' || slash == Slash::Passes => {
                star = Some((after, rest));
                pattern = after;
                text = rest;
            }
            _ => return false,
        }
    }
}

/// What is left of the pattern when its first item matches `byte`.
fn one(pattern: &[u8], byte: u8, slash: Slash) -> Option<&[u8]> {
    let (&first, rest) = pattern.split_first()?;
    let is_wild_ok = byte != b'/' || slash == Slash::Passes;
    match first {
        b'?' => is_wild_ok.then_some(rest),
        b'[' => match bracket(rest, byte) {
            Some((is_in, rest)) => (is_in && is_wild_ok).then_some(rest),
            // A bracket that never closes means itself.
            None => (byte == b'[').then_some(rest),
        },
        b'\\' => match rest.split_first() {
            Some((&escaped, rest)) => (escaped == byte).then_some(rest),
            None => (byte == b'\\').then_some(rest),
        },
        _ => (first == byte).then_some(rest),
    }
}

/// Whether `byte` is in the bracket expression, and what follows it; `None` when it has no end.
fn bracket(body: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let is_negated = matches!(body.first(), Some(b'!' | b'^'));
    let mut rest = if is_negated { body.get(1..)? } else { body };
    let mut is_in = false;
    let mut is_first = true;
    loop {
        let (&low, after) = rest.split_first()?;
        if low == b']' && !is_first {
            return Some((is_in != is_negated, after));
        }
        is_first = false;
        let (low, after) = unescape(low, after)?;
        rest = after;
        let mut high = low;
        if let [b'-', next, tail @ ..] = rest
            && *next != b']'
        {
            (high, rest) = unescape(*next, tail)?;
        }
        is_in |= (low..=high).contains(&byte);
    }
}

fn unescape(byte: u8, rest: &[u8]) -> Option<(u8, &[u8])> {
    if byte == b'\\' {
        rest.split_first().map(|(&byte, rest)| (byte, rest))
    } else {
        Some((byte, rest))
    }
}

/// Whether the text holds a byte that makes httpd compare it as a pattern.
#[must_use]
pub fn has_wildcard(text: &[u8]) -> bool {
    text.iter().any(|byte| b"*?[".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stop_at_slashes_in_paths_only() {
        let rows = [
            ("/a/*", "/a/b", true, true),
            ("/a/*", "/a/b/c", false, true),
            ("/a/*/c", "/a/b/c", true, true),
            ("/a/*/c", "/a/b/b/c", false, true),
            ("/*", "/", true, true),
            ("*", "http://h/x/y", false, true),
            ("/?", "//", false, true),
            ("/[!a]", "/b", true, true),
            ("/[!a]", "//", false, true),
            ("/[a-c]x", "/bx", true, true),
            ("/[^a-c]x", "/bx", false, false),
            ("/[]]", "/]", true, true),
            ("/[a", "/[a", true, true),
            (r"/\*", "/*", true, true),
            (r"/\*", "/a", false, false),
            ("/a*b*c", "/aXbXbXc", true, true),
            ("/a*b*c", "/aXbXbX", false, false),
            ("**", "", true, true),
            ("", "", true, true),
            ("", "a", false, false),
            ("*.example.com", "www.example.com", true, true),
        ];
        for (pattern, text, stops, passes) in rows {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            let row = format!("{pattern:?} on {text:?}");
            assert_eq!(is_match(pattern, text, Slash::Stops), stops, "path: {row}");
            assert_eq!(is_match(pattern, text, Slash::Passes), passes, "url: {row}");
        }
    }
}
