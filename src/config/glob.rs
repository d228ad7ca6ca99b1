//! `*`, `?` and `[…]`, as the C library's `fnmatch` reads them.
//!
//! Responsible for: matching text against a pattern. Used for wildcard Includes here, and for sections and aliases by the rooms above.

/// What a pattern may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slash {
    /// `*`, `?` and `[…]` match a slash like any other byte.
    Ordinary,
    /// They do not.
    Special,
}

/// True when the whole text matches the pattern. Runs in time proportional to the product of the lengths.
pub fn matches(pattern: &str, text: &str, slash: Slash) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last `*` does not match: one byte further into the text.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            (Some(_), Some(byte)) => one(pattern, p, *byte, slash),
            (None, Some(_)) | (Some(_), None) => None,
        };
        match (step, retry) {
            (Some(next), _) => {
                p = next;
                t += 1;
            }
            (None, Some((after_star, from))) => {
                let swallowed = text.get(from);
                if swallowed.is_none() || (slash == Slash::Special && swallowed == Some(&b'/')) {
                    return false;
                }
                retry = Some((after_star, from + 1));
                p = after_star;
                t = from + 1;
            }
            (None, None) => return false,
        }
    }
}

/// The position behind the pattern element at `p` if it matches the byte.
fn one(pattern: &[u8], p: usize, byte: u8, slash: Slash) -> Option<usize> {
    let is_barred = slash == Slash::Special && byte == b'/';
    match *pattern.get(p)? {
        b'?' => (!is_barred).then_some(p + 1),
        b'[' => match set(pattern, p + 1, byte) {
            Some((inside, next)) => (inside && !is_barred).then_some(next),
            None => (byte == b'[').then_some(p + 1),
        },
        b'\\' => match pattern.get(p + 1) {
            Some(literal) => (*literal == byte).then_some(p + 2),
            None => (byte == b'\\').then_some(p + 1),
        },
        literal => (literal == byte).then_some(p + 1),
    }
}

/// Whether `[…]` from `start` on holds the byte, and where it ends; `None` when it is not closed.
fn set(pattern: &[u8], start: usize, byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(start), Some(b'!' | b'^'));
    let mut at = start + usize::from(negated);
    let first = at;
    let mut inside = false;
    loop {
        let low = *pattern.get(at)?;
        if low == b']' && at > first {
            return Some((inside != negated, at + 1));
        }
        let high = match (pattern.get(at + 1), pattern.get(at + 2)) {
            (Some(b'-'), Some(high)) if *high != b']' => Some(*high),
            _ => None,
        };
        inside |= (low..=high.unwrap_or(low)).contains(&byte);
        at += if high.is_some() { 3 } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_fnmatch_matches() {
        let rows = [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]x]", "]", true),
            ("[ab", "[ab", true),
            ("*a*b*", "xaxbx", true),
            ("*a*b*", "xbxax", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("", "", true),
            ("*", "", true),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(
                matches(pattern, text, Slash::Ordinary),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn a_star_stops_at_a_special_slash() {
        assert!(matches("/a/*", "/a/b/c", Slash::Ordinary));
        assert!(!matches("/a/*", "/a/b/c", Slash::Special));
        assert!(matches("/a/*/c", "/a/b/c", Slash::Special));
        assert!(!matches("/a?b", "/a/b", Slash::Special));
    }
}
