//! Writing the path of the request target that goes to a backend.
//!
//! Responsible for: encoding a decoded path again. Not responsible for the query, which is passed on as it came.
//!
//! Know first: the path was decoded once, so a `%` in it is a percent sign and becomes `%25`. Control characters and spaces never leave
//! unencoded, which is what response splitting through a proxied path needs (CVE-2023-25690). mod_proxy's `ap_proxy_canonenc`,
//! reference §3.6.

/// Appends the path, encoded as httpd encodes it for http, ajp and ws. With AllowEncodedSlashes NoDecode a `%2F` that survived
/// decoding is passed on.
pub(crate) fn encode_path(path: &[u8], keeps_encoded_slashes: bool, out: &mut Vec<u8>) {
    out.reserve(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        // Runs of plain bytes are copied at once: nearly every path is one run.
        let plain = rest
            .iter()
            .position(|&byte| !is_plain(byte))
            .unwrap_or(rest.len());
        if let (1.., Some((run, after))) = (plain, rest.split_at_checked(plain)) {
            out.extend_from_slice(run);
            rest = after;
            continue;
        }
        match rest {
            [b'%', b'2', last @ (b'f' | b'F'), after @ ..] if keeps_encoded_slashes => {
                out.extend_from_slice(&[b'%', b'2', *last]);
                rest = after;
            }
            _ => {
                out.extend_from_slice(&[b'%', hex_digit(byte >> 4), hex_digit(byte & 15)]);
                rest = after;
            }
        }
    }
}

/// What httpd leaves alone: letters, digits, `~$-_.+!*'(),;:@&=` and the slash.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
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

const fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'A' + (nibble - 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_encoded_as_httpd_encodes_them() {
        // (decoded path, encoded slashes kept, encoded)
        let table: [(&[u8], bool, &str); 11] = [
            (b"/plain/a.html", false, "/plain/a.html"),
            (b"/~$-_.+!*'(),;:@&=", false, "/~$-_.+!*'(),;:@&="),
            (b"/a b", false, "/a%20b"),
            (b"/a%b", false, "/a%25b"),
            (b"/a\r\nHost: x", false, "/a%0D%0AHost:%20x"),
            ("/\u{e9}".as_bytes(), false, "/%C3%A9"),
            (b"/\x7f\xff", false, "/%7F%FF"),
            (b"/q?x#y", false, "/q%3Fx%23y"),
            (
                b"/[1]^|\\\"<>{}`",
                false,
                "/%5B1%5D%5E%7C%5C%22%3C%3E%7B%7D%60",
            ),
            (b"/a%2Fb%2fc%2", true, "/a%2Fb%2fc%252"),
            (b"/a%2Fb", false, "/a%252Fb"),
        ];
        for (path, keeps, expected) in table {
            let mut out = Vec::new();
            encode_path(path, keeps, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
