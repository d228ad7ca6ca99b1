//! Request targets in their four forms (RFC 9112 §3.2), raw bytes only.
//!
//! What a path *means* after decoding is `request`'s business; the two are never mixed, because forwarding a
//! decoded path as if it were raw is how requests get split (see the hardening notes in the README).

use std::ops::Range;

/// Which of the four forms a target has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Form {
    /// `/path?query`
    #[default]
    Origin,
    /// `http://host/path?query`
    Absolute,
    /// `host:port`, for CONNECT only
    Authority,
    /// `*`, for OPTIONS only
    Asterisk,
}

/// A request target: its bytes as received and where its pieces are.
#[derive(Debug, Default)]
pub struct Target {
    raw: Vec<u8>,
    form: Form,
    scheme: Range<usize>,
    authority: Range<usize>,
    path: Range<usize>,
    query: Option<Range<usize>>,
}

impl Target {
    /// Replaces the target by `raw`, as a request with or without method CONNECT means it. The allocation is kept.
    ///
    /// # Errors
    /// The bytes are none of the four forms, or hold a control character, a space or a fragment.
    pub fn assign(&mut self, raw: &[u8], is_connect: bool) -> Result<(), BadTarget> {
        self.clear();
        self.parse(raw, is_connect)?;
        self.raw.extend_from_slice(raw);
        Ok(())
    }

    /// Replaces the target by what `write` appends to an empty buffer: an outgoing target is put together in place.
    ///
    /// # Errors
    /// As [`Target::assign`]; the target is empty then.
    pub fn compose(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), BadTarget> {
        self.clear();
        let mut raw = std::mem::take(&mut self.raw);
        write(&mut raw);
        let parsed = self.parse(&raw, false);
        self.raw = raw;
        if parsed.is_err() {
            self.clear();
        }
        parsed
    }

    /// Recognises the form of `raw` and records where its pieces are.
    fn parse(&mut self, raw: &[u8], is_connect: bool) -> Result<(), BadTarget> {
        // A byte outside visible US-ASCII and obs-text can only be an attack on the next parser.
        // Folded without an early exit, so that the loop is vectorised.
        let is_bad = |b: u8| (b <= b' ') | (b == 0x7f) | (b == b'#');
        if raw.is_empty() || raw.iter().fold(false, |bad, &b| bad | is_bad(b)) {
            return Err(BadTarget);
        }
        let end = raw.len();
        if is_connect {
            self.form = Form::Authority;
            self.authority = 0..end;
            return Ok(());
        }
        if raw == b"*" {
            self.form = Form::Asterisk;
            self.path = 0..end;
            return Ok(());
        }
        let start = match raw.first() {
            Some(b'/') => {
                self.form = Form::Origin;
                0
            }
            _ => self.absolute_prefix(raw)?,
        };
        let question =
            memchr::memchr(b'?', raw.get(start..).unwrap_or_default()).map(|at| start + at);
        self.path = start..question.unwrap_or(end);
        self.query = question.map(|at| at + 1..end);
        Ok(())
    }

    /// Records scheme and authority of an absolute-form target, and tells where its path starts.
    fn absolute_prefix(&mut self, raw: &[u8]) -> Result<usize, BadTarget> {
        let colon = memchr::memmem::find(raw, b"://").ok_or(BadTarget)?;
        let scheme = raw.get(..colon).ok_or(BadTarget)?;
        let mut letters = scheme.iter();
        let starts_well = letters.next().is_some_and(u8::is_ascii_alphabetic);
        if !starts_well || !letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)) {
            return Err(BadTarget);
        }
        let from = colon + 3;
        let rest = raw.get(from..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|&b| b == b'/' || b == b'?')
            .unwrap_or(rest.len());
        if length == 0 {
            return Err(BadTarget);
        }
        self.form = Form::Absolute;
        self.scheme = 0..colon;
        self.authority = from..from + length;
        Ok(from + length)
    }

    /// Empties the target, keeping its allocation.
    pub fn clear(&mut self) {
        self.raw.clear();
        self.form = Form::Origin;
        self.scheme = 0..0;
        self.authority = 0..0;
        self.path = 0..0;
        self.query = None;
    }

    /// The bytes as they came.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The form that was recognised.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// The scheme of absolute-form, else empty.
    #[must_use]
    pub fn scheme(&self) -> &[u8] {
        self.raw.get(self.scheme.clone()).unwrap_or_default()
    }

    /// The authority of absolute- and authority-form, else empty.
    #[must_use]
    pub fn authority(&self) -> &[u8] {
        self.raw.get(self.authority.clone()).unwrap_or_default()
    }

    /// The undecoded path; `/` for an absolute-form target without one (RFC 9112 §3.2.2), `*` for asterisk-form.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        match self.raw.get(self.path.clone()) {
            Some(path) if !path.is_empty() => path,
            _ if self.form == Form::Authority => b"",
            _ => b"/",
        }
    }

    /// The undecoded path exactly as it came, which may be nothing in absolute-form.
    #[must_use]
    pub fn path_as_sent(&self) -> &[u8] {
        self.raw.get(self.path.clone()).unwrap_or_default()
    }

    /// The undecoded query without its question mark, when there is a question mark.
    #[must_use]
    pub fn query(&self) -> Option<&[u8]> {
        self.raw.get(self.query.clone()?)
    }
}

impl Clone for Target {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    fn clone_from(&mut self, source: &Self) {
        self.raw.clone_from(&source.raw);
        self.form = source.form;
        self.scheme = source.scheme.clone();
        self.authority = source.authority.clone();
        self.path = source.path.clone();
        self.query.clone_from(&source.query);
    }
}

/// The bytes are not a request target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTarget;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(raw: &str) -> Result<Target, BadTarget> {
        let mut target = Target::default();
        target.assign(raw.as_bytes(), false).map(|()| target)
    }

    #[test]
    fn the_four_forms_are_told_apart() {
        let origin = parsed("/a/b?x=1").unwrap();
        assert_eq!(
            (origin.form(), origin.path(), origin.query()),
            (Form::Origin, &b"/a/b"[..], Some(&b"x=1"[..]))
        );
        let absolute = parsed("http://h:80?q").unwrap();
        assert_eq!(
            (absolute.scheme(), absolute.authority()),
            (&b"http"[..], &b"h:80"[..])
        );
        assert_eq!(
            (absolute.path(), absolute.query()),
            (&b"/"[..], Some(&b"q"[..]))
        );
        assert_eq!(parsed("*").unwrap().form(), Form::Asterisk);
        let mut connect = Target::default();
        connect.assign(b"h:443", true).unwrap();
        assert_eq!(
            (connect.form(), connect.authority()),
            (Form::Authority, &b"h:443"[..])
        );
    }

    #[test]
    fn a_target_is_composed_in_place_and_checked_like_any_other() {
        let mut target = parsed("/old?query").unwrap();
        let composed = target.compose(|raw| raw.extend_from_slice(b"/new?x"));
        assert_eq!(composed, Ok(()));
        assert_eq!(
            (target.raw(), target.query()),
            (&b"/new?x"[..], Some(&b"x"[..]))
        );
        assert_eq!(
            target.compose(|raw| raw.extend_from_slice(b"/a b")),
            Err(BadTarget)
        );
        assert_eq!((target.raw(), target.query()), (&b""[..], None));
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for bad in [
            "",
            "foo",
            "http:///x",
            "1http://h/",
            "/a b",
            "/a\u{7f}",
            "/a#frag",
            "@host/x",
        ] {
            assert_eq!(parsed(bad).map(|t| t.form()), Err(BadTarget), "{bad:?}");
        }
    }
}
