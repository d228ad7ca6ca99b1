//! Making bytes of strangers harmless in a log: no line breaks, no terminal control, no forged quotes.
//!
//! Both logs escape what httpd escapes: everything that is not printable ASCII, and the backslash. The access log
//! also escapes the double quote, because its fields are quoted; in the error log a quote stays.

use std::fmt;

/// Appends `bytes`, escaped for the access log.
pub fn log_item(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    // Nearly every value needs no escape at all, and is then copied in one piece.
    while let Some(at) = rest.iter().position(|&b| !is_plain(b)) {
        let (clean, dirty) = rest.split_at(at);
        out.extend_from_slice(clean);
        let Some((&byte, after)) = dirty.split_first() else {
            break;
        };
        out.extend_from_slice(Escape::of(byte).as_bytes());
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// Whether a byte stands for itself in the access log.
const fn is_plain(b: u8) -> bool {
    b >= b' ' && b < 0x7f && b != b'"' && b != b'\\'
}

/// Whether a byte stands for itself in the error log.
#[must_use]
pub(super) const fn is_plain_in_error_log(b: u8) -> bool {
    b == b'"' || is_plain(b)
}

/// The escape of one byte: at most four ASCII characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Escape {
    text: [u8; 4],
    length: usize,
}

impl Escape {
    /// `\n` and its kind, or `\xhh` with lower-case digits.
    pub(super) const fn of(byte: u8) -> Self {
        let letter = match byte {
            0x08 => b'b',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x0b => b'v',
            b'\\' => b'\\',
            b'"' => b'"',
            other => {
                return Self {
                    text: [b'\\', b'x', digit(other >> 4), digit(other & 15)],
                    length: 4,
                };
            }
        };
        Self {
            text: [b'\\', letter, 0, 0],
            length: 2,
        }
    }

    /// The escape's characters.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text
            .get(..self.length)
            .expect("an escape is at most four characters")
    }
}

const fn digit(value: u8) -> u8 {
    if value < 10 {
        b'0' + value
    } else {
        b'a' + value - 10
    }
}

/// Bytes of a peer inside a message: `format_args!("backend sent {}", Raw(line))`.
///
/// A message is text, and these bytes may be none. So that the error log can still show exactly which bytes came,
/// a byte that is not ASCII travels as the private character U+10FE00 + byte, which the log turns back into
/// `\xhh`. Printed elsewhere than in our error log, such a byte shows as an unknown character.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a>(pub &'a [u8]);

/// Where the private characters that carry one byte begin; the last ones of plane 16.
const CARRIER: u32 = 0x0010_fe00;

impl fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for run in self.0.chunk_by(|a, b| a.is_ascii() == b.is_ascii()) {
            match std::str::from_utf8(run) {
                Ok(text) if text.is_ascii() => f.write_str(text)?,
                _ => {
                    for &byte in run {
                        let carrier = char::from_u32(CARRIER + u32::from(byte));
                        f.write_char(carrier.expect("plane 16 is private use up to 10FFFD"))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The byte that a private character carries for [`Raw`].
pub(super) fn carried(c: char) -> Option<u8> {
    u8::try_from((c as u32).checked_sub(CARRIER)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        log_item(&mut out, bytes);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_printable_but_quote_and_backslash_is_touched() {
        let plain: Vec<u8> = (b' '..0x7f).filter(|b| !b"\"\\".contains(b)).collect();
        assert_eq!(escaped(&plain).as_bytes(), plain);
        assert_eq!(escaped(b""), "");
    }

    #[test]
    fn a_line_cannot_be_forged() {
        let rows: [(&[u8], &str); 6] = [
            (b"a\r\nb", "a\\r\\nb"),
            (b"\"", "\\\""),
            (b"\\x0a", "\\\\x0a"),
            (b"\x1b[2J\x00\x7f", "\\x1b[2J\\x00\\x7f"),
            (b"\t\x08\x0b", "\\t\\b\\v"),
            ("é\u{202e}".as_bytes(), "\\xc3\\xa9\\xe2\\x80\\xae"),
        ];
        for (bytes, text) in rows {
            assert_eq!(escaped(bytes), text);
        }
    }

    #[test]
    fn bytes_that_are_no_text_survive_in_a_message() {
        let carried_back: Vec<u8> = Raw(b"ok\xff\xc3\xa9")
            .to_string()
            .chars()
            .map(|c| carried(c).unwrap_or(c as u8))
            .collect();
        assert_eq!(carried_back, b"ok\xff\xc3\xa9");
    }
}
