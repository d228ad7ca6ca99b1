//! Text of the configuration that a match fills in, as httpd's `ap_pregsub` does: `/x/$1`.
//!
//! Responsible for: `$0` to `$9` and backslashes. Not responsible for what the result may be: whoever fills a template in judges it.

use super::Groups;

/// Text with places for groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
    is_literal: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Group(usize),
}

impl Template {
    /// A text without places.
    pub fn literal(text: &str) -> Self {
        Self {
            pieces: vec![Piece::Text(text.as_bytes().to_vec())],
            is_literal: true,
        }
    }

    /// Reads `$0` to `$9`; a backslash makes the next byte ordinary.
    pub fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut run = Vec::new();
        let mut is_literal = true;
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match (byte, bytes.peek().copied()) {
                (b'$', Some(digit)) if digit.is_ascii_digit() => {
                    bytes.next();
                    pieces.push(Piece::Text(std::mem::take(&mut run)));
                    pieces.push(Piece::Group(usize::from(digit - b'0')));
                    is_literal = false;
                }
                (b'\\', Some(next)) => {
                    bytes.next();
                    run.push(next);
                    is_literal = false;
                }
                _ => run.push(byte),
            }
        }
        pieces.push(Piece::Text(run));
        pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        Self { pieces, is_literal }
    }

    /// Whether filling it in changes nothing. httpd then appends the whole path.
    pub fn is_literal(&self) -> bool {
        self.is_literal
    }

    /// Appends the text with groups filled in; one that took no part is empty.
    pub fn fill(&self, groups: &Groups<'_>, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            out.extend_from_slice(match piece {
                Piece::Text(text) => text,
                Piece::Group(n) => groups.get(*n),
            });
        }
    }

    /// Appends a text without places.
    pub fn append(&self, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            if let Piece::Text(text) = piece {
                out.extend_from_slice(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Case, Pattern};
    use super::*;

    #[test]
    fn groups_are_filled_in_and_escapes_are_ordinary() {
        // (pattern, template, path, result, is literal)
        let table = [
            ("^/m/(.*)$", "/x/$1?z=$1", "/m/a", "/x/a?z=a", false),
            ("^/(a)(b)?", "/$2/$1", "/a", "//a", false),
            ("^/.*", "/p$0", "/q", "/p/q", false),
            ("^/.*", r"/\$1$", "/q", "/$1$", false),
            ("^/.*", "/plain$x", "/q", "/plain$x", true),
        ];
        for (pattern, template, path, result, is_literal) in table {
            let parsed = Template::parse(template);
            let pattern = Pattern::compile(pattern, Case::Sensitive).unwrap();
            let groups = pattern.captures(path.as_bytes()).unwrap();
            let mut out = Vec::new();
            parsed.fill(&groups, &mut out);
            assert_eq!(
                (
                    String::from_utf8(out).unwrap().as_str(),
                    parsed.is_literal()
                ),
                (result, is_literal)
            );
        }
    }
}
