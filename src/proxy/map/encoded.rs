//! Paths as the client sent them, for `mapping=encoded` and `mapping=servlet`.
//!
//! Know first: an encoded path is normalised only where that cannot change its meaning – unreserved characters are decoded, dot
//! segments and, with MergeSlashes, repeated slashes go. `%2F` stays `%2F`.

/// Normalises an encoded path; `None` when it climbs above the root. Slashes at its beginning are always one.
pub(super) fn normalize(raw: &[u8], merges_slashes: bool) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        match unreserved_escape(raw.get(at..).unwrap_or_default()) {
            Some(plain) => {
                out.push(plain);
                at += 3;
            }
            None if byte == b'/'
                && (out == b"/" || merges_slashes && out.last() == Some(&b'/')) =>
            {
                at += 1;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
        let next = raw.get(at);
        // The slash behind a segment goes with it.
        if matches!(next, None | Some(b'/')) && drop_dots(&mut out)? && next.is_some() {
            at += 1;
        }
    }
    Some(out)
}

/// The unreserved character that `%XX` at the start of `bytes` stands for.
fn unreserved_escape(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else {
        return None;
    };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let plain = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    (plain.is_ascii_alphanumeric() || b"-._~".contains(&plain)).then_some(plain)
}

/// Takes a complete `.` or `..` segment off the end, if there is one; the slash before it stays. `None` when `..` leads above the root.
fn drop_dots(out: &mut Vec<u8>) -> Option<bool> {
    let before = out.len();
    if out.ends_with(b"/.") {
        out.pop();
    } else if out.ends_with(b"/..") {
        out.truncate(out.len() - 3);
        let parent = out.iter().rposition(|&byte| byte == b'/')?;
        out.truncate(parent + 1);
    }
    Some(out.len() < before)
}

/// A path in the eyes of a servlet container: without parameters, every byte with the place it came from.
#[derive(Debug)]
pub(super) struct Servlet {
    /// The path without parameters, slashes and dots resolved.
    pub(super) path: Vec<u8>,
    origins: Vec<usize>,
    len: usize,
}

impl Servlet {
    /// Reads an encoded path; `None` when it climbs above the root.
    pub(super) fn read(raw: &[u8]) -> Option<Self> {
        let mut servlet = Self {
            path: Vec::new(),
            origins: Vec::new(),
            len: raw.len(),
        };
        let mut at = 0;
        for segment in raw.split_inclusive(|&byte| byte == b'/') {
            let (name, slash) = match segment.split_last() {
                Some((b'/', name)) => (name, true),
                _ => (segment, false),
            };
            let plain = name.split(|&byte| byte == b';').next().unwrap_or_default();
            match plain {
                b"." => {}
                b".." => servlet.climb()?,
                _ => servlet.push(plain, at),
            }
            if slash && servlet.path.last() != Some(&b'/') {
                servlet.push(b"/", at + name.len());
            }
            at += segment.len();
        }
        Some(servlet)
    }

    /// What of the raw path follows the first `length` bytes of this one. Parameters of the last matched segment are in it, unless
    /// nothing else is: httpd drops those of a path that matches as a whole.
    pub(super) fn rest<'r>(&self, raw: &'r [u8], length: usize) -> &'r [u8] {
        match self.path.get(length..).unwrap_or_default() {
            [] => &[],
            [b'/'] => b"/",
            _ => raw.get(self.origin(length)..).unwrap_or_default(),
        }
    }

    /// Where the byte after the first `length` bytes came from.
    fn origin(&self, length: usize) -> usize {
        match length
            .checked_sub(1)
            .and_then(|last| self.origins.get(last))
        {
            Some(last) => last + 1,
            None => self.len,
        }
    }

    fn push(&mut self, bytes: &[u8], from: usize) {
        self.path.extend_from_slice(bytes);
        self.origins.extend(from..from + bytes.len());
    }

    /// Takes the last segment away: `/a/` becomes `/`.
    fn climb(&mut self) -> Option<()> {
        let above = self.path.strip_suffix(b"/")?;
        let parent = above.iter().rposition(|&byte| byte == b'/')?;
        self.path.truncate(parent + 1);
        self.origins.truncate(parent + 1);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_paths_lose_dots_and_needless_escapes_only() {
        let rows: [(&str, Option<&str>); 10] = [
            ("/", Some("/")),
            ("/a%41/%2e%2E/b", Some("/b")),
            ("/a%2Fb%20c", Some("/a%2Fb%20c")),
            ("//a///b", Some("/a/b")),
            ("/a/./b/.", Some("/a/b/")),
            ("/a/b/..", Some("/a/")),
            ("/..", None),
            ("/a/../../b", None),
            ("/a..b/.c", Some("/a..b/.c")),
            ("/%zz%", Some("/%zz%")),
        ];
        for (raw, expected) in rows {
            let found =
                normalize(raw.as_bytes(), true).map(|path| String::from_utf8(path).unwrap());
            assert_eq!(found.as_deref(), expected, "{raw}");
        }
    }

    #[test]
    fn slashes_stay_without_merging_except_in_front() {
        for (raw, expected) in [
            ("//a//b", "/a//b"),
            ("///", "/"),
            ("/a//../b", "/a/b"),
            ("/a/.//./b", "/a//b"),
            ("/a/../", "/"),
        ] {
            let found = normalize(raw.as_bytes(), false);
            assert_eq!(found.as_deref(), Some(expected.as_bytes()), "{raw}");
        }
    }

    #[test]
    fn servlets_do_not_see_parameters() {
        let rows: [(&str, Option<&str>); 7] = [
            ("/s;a=b/x;c=d/y", Some("/s/x/y")),
            ("/s/..;/s/q", Some("/s/q")),
            ("/s/.;p/q", Some("/s/q")),
            ("/;x/s", Some("/s")),
            ("/s/..;/..;/z", None),
            ("/s//q/", Some("/s/q/")),
            ("/", Some("/")),
        ];
        for (raw, expected) in rows {
            let found = Servlet::read(raw.as_bytes()).map(|s| String::from_utf8(s.path).unwrap());
            assert_eq!(found.as_deref(), expected, "{raw}");
        }
    }

    #[test]
    fn the_parameters_of_the_last_matched_segment_are_in_the_rest() {
        let raw = b"/x/..;/s;a=b/y;z";
        let servlet = Servlet::read(raw).unwrap();
        assert_eq!(servlet.path, b"/s/y");
        assert_eq!(servlet.rest(raw, 2), b";a=b/y;z");
        for (raw, rest) in [
            ("/s;a=b", ""),
            ("/s;a=b/", "/"),
            ("/s;a=b//;c", "/"),
            ("/s;a=b/c", ";a=b/c"),
        ] {
            let servlet = Servlet::read(raw.as_bytes()).unwrap();
            assert_eq!(servlet.rest(raw.as_bytes(), 2), rest.as_bytes(), "{raw}");
        }
    }
}
