//! Paths: normalising what a client sent, and encoding what a backend gets.
//!
//! Responsible for: httpd's rules of percent-decoding, dot segments and slashes, and its canonical encoding. Not
//! responsible for: mapping a path to anything (`request`, `proxy`).
//!
//! Know first: there are three spellings of a path and they are never mixed. *Raw* is what came; *normal* is raw
//! without dot segments and with unreserved characters decoded, still encoded otherwise (`mapping=encoded` is
//! matched on it); *decoded* is what locations and aliases are matched on. Decoding happens once: `%252e` is the
//! text `%2e`, never a dot.
//!
//! RFC 3986 §5.2.4 and §6.2.2; httpd's `ap_normalize_path`, `unescape_url`, `ap_proxy_canonenc`.

use super::Status;

/// What AllowEncodedSlashes says of `%2F` in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EncodedSlashes {
    /// Such a path is not found (Off).
    #[default]
    Refuse,
    /// It is a slash like any other (On).
    Decode,
    /// It stays encoded (NoDecode).
    Keep,
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathError {
    /// What the client is answered.
    pub status: Status,
    /// The rule that was broken, for the log.
    pub reason: &'static str,
}

const RELATIVE: PathError = PathError {
    status: Status::BAD_REQUEST,
    reason: "path does not begin with a slash",
};
const ABOVE_ROOT: PathError = PathError {
    status: Status::BAD_REQUEST,
    reason: "path goes above the root",
};
const BAD_ESCAPE: PathError = PathError {
    status: Status::BAD_REQUEST,
    reason: "malformed percent-encoding in the path",
};
const NUL: PathError = PathError {
    status: Status::NOT_FOUND,
    reason: "encoded NUL in the path",
};
const SLASH: PathError = PathError {
    status: Status::NOT_FOUND,
    reason: "encoded slash in the path (AllowEncodedSlashes Off)",
};

/// Replaces `out` by the decoded form of a raw path.
///
/// # Errors
/// The path is relative, leaves the root, or holds an escape that is malformed or not allowed.
pub fn normalize(
    raw: &[u8],
    slashes: EncodedSlashes,
    merge_slashes: bool,
    out: &mut Vec<u8>,
) -> Result<(), PathError> {
    if is_plain(raw) {
        out.clear();
        out.extend_from_slice(raw);
        return Ok(());
    }
    normalize_encoded(raw, merge_slashes, out)?;
    decode(slashes, merge_slashes, out)
}

/// Replaces `out` by the normal, still encoded form of a raw path: dot segments resolved, unreserved characters
/// decoded, runs of slashes merged if so configured.
///
/// # Errors
/// The path is relative or leaves the root.
pub fn normalize_encoded(
    raw: &[u8],
    merge_slashes: bool,
    out: &mut Vec<u8>,
) -> Result<(), PathError> {
    if raw.first() != Some(&b'/') {
        return Err(RELATIVE);
    }
    out.clear();
    decode_unreserved(raw, out);
    resolve(merge_slashes, out)
}

/// Appends a path with the escapes of unreserved characters decoded: another spelling of the same path.
pub fn decode_unreserved(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some((&b, after)) = rest.split_first() {
        match escape(rest) {
            Some(decoded) if is_unreserved(decoded) => {
                out.push(decoded);
                rest = rest.get(3..).unwrap_or_default();
            }
            Some(_) | None => {
                out.push(b);
                rest = after;
            }
        }
    }
}

/// Decodes a normal path in place.
fn decode(
    slashes: EncodedSlashes,
    merge_slashes: bool,
    path: &mut Vec<u8>,
) -> Result<(), PathError> {
    let mut from = 0;
    let mut to = 0;
    let mut has_new_slash = false;
    while let Some(&b) = path.get(from) {
        let mut byte = b;
        let mut width = 1;
        if b == b'%' {
            byte = escape(path.get(from..).unwrap_or_default()).ok_or(BAD_ESCAPE)?;
            width = 3;
            match (byte, slashes) {
                (0, _) => return Err(NUL),
                (b'/', EncodedSlashes::Refuse) => return Err(SLASH),
                (b'/', EncodedSlashes::Decode) => has_new_slash = true,
                (b'/', EncodedSlashes::Keep) => {
                    byte = b'%';
                    width = 1;
                }
                _ => {}
            }
        }
        if let Some(place) = path.get_mut(to) {
            *place = byte;
        }
        from += width;
        to += 1;
    }
    path.truncate(to);
    if has_new_slash {
        // `/a%2F..%2Fb` has dot segments only now.
        resolve(merge_slashes, path)?;
    }
    Ok(())
}

/// Resolves dot segments, and merges slashes if asked to, in place (RFC 3986 §5.2.4).
fn resolve(merge_slashes: bool, path: &mut Vec<u8>) -> Result<(), PathError> {
    let mut from = 1;
    let mut to = 1_usize;
    loop {
        // Both stand behind a slash.
        let segment = path.get(from..).unwrap_or_default();
        let length = memchr::memchr(b'/', segment).unwrap_or(segment.len());
        let is_last = length == segment.len();
        match segment.get(..length).unwrap_or_default() {
            b"" if merge_slashes && !is_last => {}
            b"." => {}
            b".." => {
                let before = path.get(..to.saturating_sub(1)).unwrap_or_default();
                let slash = memchr::memrchr(b'/', before).ok_or(ABOVE_ROOT)?;
                to = slash + 1;
            }
            _ => {
                let end = from + length + usize::from(!is_last);
                path.copy_within(from..end, to);
                to += end - from;
            }
        }
        if is_last {
            path.truncate(to);
            return Ok(());
        }
        from += length + 1;
    }
}

/// Whether a path is its own decoded form: no escape, no slash followed by a slash or a dot.
fn is_plain(raw: &[u8]) -> bool {
    let follows = raw.get(1..).unwrap_or_default();
    // Folded without an early exit, so that the loop is vectorised.
    let is_odd = raw.iter().zip(follows).fold(false, |odd, (&a, &b)| {
        odd | (a == b'%') | ((a == b'/') & ((b == b'/') | (b == b'.')))
    });
    raw.first() == Some(&b'/') && !is_odd && raw.last() != Some(&b'%')
}

/// The byte that an escape at the start of `bytes` stands for.
fn escape(bytes: &[u8]) -> Option<u8> {
    match bytes {
        [b'%', high, low, ..] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

const fn digit(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

/// RFC 3986 §2.3.
const fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

/// Appends a decoded path in httpd's canonical encoding: whatever may stand in a path as it is, the rest as `%XX`
/// in upper case. With `Keep` an encoded slash is left alone, since it was never decoded.
pub fn encode_path(decoded: &[u8], slashes: EncodedSlashes, out: &mut Vec<u8>) {
    out.reserve(decoded.len());
    let mut rest = decoded;
    while let Some((&b, after)) = rest.split_first() {
        if is_path_byte(b) {
            out.push(b);
        } else if slashes == EncodedSlashes::Keep && escape(rest) == Some(b'/') {
            out.extend_from_slice(b"%2F");
            rest = rest.get(3..).unwrap_or_default();
            continue;
        } else {
            push_escape(b, out);
        }
        rest = after;
    }
}

/// Appends text that becomes one component of a query or path, encoding everything that is not unreserved.
pub fn encode_component(text: &[u8], out: &mut Vec<u8>) {
    for &b in text {
        if is_unreserved(b) {
            out.push(b);
        } else {
            push_escape(b, out);
        }
    }
}

/// Decodes `%XX` everywhere and, for form data, `+` to a space. Malformed escapes stay as they are.
pub fn decode_component(text: &[u8], plus_is_space: bool, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&b, after)) = rest.split_first() {
        match (b, escape(rest)) {
            (b'+', _) if plus_is_space => out.push(b' '),
            (_, Some(decoded)) => {
                out.push(decoded);
                rest = rest.get(3..).unwrap_or_default();
                continue;
            }
            (_, None) => out.push(b),
        }
        rest = after;
    }
}

fn push_escape(b: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let hex = |n: u8| HEX.get(usize::from(n & 15)).copied().unwrap_or_default();
    out.extend_from_slice(&[b'%', hex(b >> 4), hex(b)]);
}

/// What httpd leaves alone in a reverse-proxied path.
const fn is_path_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'~' | b'$'
                | b'-'
                | b'_'
                | b'.'
                | b'+'
                | b'!'
                | b'*'
                | b'\''
                | b'('
                | b')'
                | b','
                | b';'
                | b':'
                | b'@'
                | b'&'
                | b'='
                | b'/'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use EncodedSlashes::{Decode, Keep, Refuse};

    fn normal(raw: &str, slashes: EncodedSlashes, merge: bool) -> Result<String, u16> {
        let mut out = b"left over".to_vec();
        match normalize(raw.as_bytes(), slashes, merge, &mut out) {
            Ok(()) => Ok(String::from_utf8_lossy(&out).into_owned()),
            Err(e) => Err(e.status.as_u16()),
        }
    }

    #[test]
    fn paths_are_resolved_merged_and_decoded_once() {
        let table = [
            ("/", "/"),
            ("/a/b.c/d", "/a/b.c/d"),
            ("/a/./b", "/a/b"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/a/b/../c", "/a/c"),
            ("/a/b/../../c/", "/c/"),
            ("/...", "/..."),
            ("/.hidden", "/.hidden"),
            ("/a..", "/a.."),
            ("//a///b//", "/a/b/"),
            ("/a//../b", "/b"),
            ("/%61%2d%7E", "/a-~"),
            ("/%2e%2E/", "400"),
            ("/a/%2e%2e/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/%252e%252e/", "/%2e%2e/"),
            ("/a%20b%3Fc%0d%0a", "/a b?c\r\n"),
            ("/..", "400"),
            ("/../a", "400"),
            ("/a/../../b", "400"),
            ("a/b", "400"),
            ("", "400"),
            ("/a%", "400"),
            ("/a%4", "400"),
            ("/a%zz", "400"),
            ("/%00", "404"),
            ("/a%2fb", "404"),
            ("/a%2Fb", "404"),
        ];
        for (raw, expected) in table {
            let found = normal(raw, Refuse, true).unwrap_or_else(|status| status.to_string());
            assert_eq!(found, expected, "{raw}");
        }
    }

    #[test]
    fn slashes_stay_apart_when_they_are_not_merged() {
        assert_eq!(normal("//a///b//", Refuse, false).unwrap(), "//a///b//");
        assert_eq!(normal("/a//../b", Refuse, false).unwrap(), "/a/b");
        assert_eq!(normal("//..", Refuse, false).unwrap(), "/");
        assert_eq!(normal("//../..", Refuse, false), Err(400));
    }

    #[test]
    fn encoded_slashes_follow_their_directive() {
        assert_eq!(normal("/a%2fb%20", Decode, true).unwrap(), "/a/b ");
        assert_eq!(normal("/a%2f..%2fb", Decode, true).unwrap(), "/b");
        assert_eq!(normal("/a/%2f", Decode, true).unwrap(), "/a/");
        assert_eq!(normal("/..%2f", Decode, true), Err(400));
        assert_eq!(normal("/a%2f..%2f..%2fb", Decode, true), Err(400));
        assert_eq!(normal("/a%2fb%20", Keep, true).unwrap(), "/a%2fb ");
        assert_eq!(normal("/%2f..", Keep, true).unwrap(), "/%2f..");
    }

    #[test]
    fn the_normal_form_stays_encoded() {
        let mut out = Vec::new();
        normalize_encoded(b"/%7euser/./a%2fb/%C3%a4%zz", true, &mut out).unwrap();
        assert_eq!(out, b"/~user/a%2fb/%C3%a4%zz");
    }

    #[test]
    fn backends_get_canonical_encoding() {
        let encoded = |path: &[u8], slashes| {
            let mut out = b"http://h".to_vec();
            encode_path(path, slashes, &mut out);
            String::from_utf8(out).unwrap()
        };
        let table: [(&[u8], &str); 5] = [
            (b"/a b", "http://h/a%20b"),
            (b"/~$-_.+!*'(),;:@&=/", "http://h/~$-_.+!*'(),;:@&=/"),
            (b"/a?b#c\"<>", "http://h/a%3Fb%23c%22%3C%3E"),
            (b"/\r\n\0\xff", "http://h/%0D%0A%00%FF"),
            (b"/a%2fb", "http://h/a%252fb"),
        ];
        for (path, expected) in table {
            assert_eq!(encoded(path, Refuse), expected);
        }
        assert_eq!(encoded(b"/a%2fb%20", Keep), "http://h/a%2Fb%2520");
    }

    #[test]
    fn components_round_trip() {
        let all: Vec<u8> = (0..=255).collect();
        let mut encoded = Vec::new();
        encode_component(&all, &mut encoded);
        assert!(encoded.iter().all(|&b| is_unreserved(b) || b == b'%'));
        let mut decoded = Vec::new();
        decode_component(&encoded, true, &mut decoded);
        assert_eq!(decoded, all);
        decoded.clear();
        decode_component(b"a+b%2", true, &mut decoded);
        assert_eq!(decoded, b"a b%2");
    }
}

#[cfg(test)]
mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        // A found case becomes a row of a table above, not a file of seeds.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn normal_paths_never_leave_the_root_and_are_fixed_points(
            raw in "/[a./%25eEfF0 -]{0,40}",
            merge: bool,
        ) {
            let mut once = Vec::new();
            if normalize(raw.as_bytes(), EncodedSlashes::Decode, merge, &mut once).is_ok() {
                prop_assert_eq!(once.first(), Some(&b'/'));
                let is_dot = |s: &[u8]| s == b"." || s == b"..";
                prop_assert!(!once.split(|&b| b == b'/').any(is_dot), "{:?}", once);
                // Encoding what was decoded and decoding it again is the identity.
                let mut encoded = Vec::new();
                encode_path(&once, EncodedSlashes::Decode, &mut encoded);
                let mut twice = Vec::new();
                normalize(&encoded, EncodedSlashes::Decode, merge, &mut twice).unwrap();
                prop_assert_eq!(once, twice);
            }
        }

        #[test]
        fn any_bytes_are_answered(raw: Vec<u8>, merge: bool) {
            for slashes in [EncodedSlashes::Refuse, EncodedSlashes::Decode, EncodedSlashes::Keep] {
                let mut out = Vec::new();
                let _answer = normalize(&raw, slashes, merge, &mut out);
                encode_path(&raw, slashes, &mut out);
            }
        }
    }
}
