//! Physical lines to logical lines.
//!
//! Responsible for: joining continued lines, remembering where each byte of the result came from, and replacing `${NAME}`. Not for words;
//! that is `args.rs`.
//!
//! Know first: a line that ends in a backslash continues, and that is decided before comments are: a comment that ends in a backslash
//! swallows the next line. A line's number is that of the last physical line it is made of. `${NAME}` is replaced before words are
//! split, so a value with spaces becomes several words; the replacement is not looked at again.

use super::source::{SourceId, Sources};
use std::ops::Range;

/// The longest logical line, in bytes.
pub(crate) const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A text that remembers where it came from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mapped {
    text: String,
    pieces: Vec<Piece>,
}

/// From byte `at` of the text on, bytes come from here.
#[derive(Debug, Clone, Copy)]
struct Piece {
    at: usize,
    line: u32,
    column: usize,
    /// The width in the source when the piece is the value of a variable: then every byte of it comes from the same spot.
    replaced: Option<usize>,
}

/// A stretch of one physical line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The line, from 1.
    pub(crate) line: u32,
    /// Bytes before it, from 0.
    pub(crate) column: usize,
    /// Bytes of it, at least 1.
    pub(crate) width: usize,
}

impl Mapped {
    /// The text itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// A part of the text; empty when the range lies outside.
    pub(crate) fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }

    /// Where a part of the text came from. A part that spans several physical lines is cut at the end of the first.
    pub(crate) fn spot(&self, range: Range<usize>) -> Option<Spot> {
        let index = self
            .pieces
            .partition_point(|piece| piece.at <= range.start)
            .checked_sub(1)?;
        let piece = self.pieces.get(index)?;
        if let Some(width) = piece.replaced {
            return Some(Spot {
                line: piece.line,
                column: piece.column,
                width,
            });
        }
        let end = self
            .pieces
            .get(index + 1)
            .map_or(range.end, |next| range.end.min(next.at));
        Some(Spot {
            line: piece.line,
            column: piece.column + (range.start - piece.at),
            width: end.saturating_sub(range.start).max(1),
        })
    }

    fn push(&mut self, text: &str, line: u32, column: usize, replaced: Option<usize>) {
        self.pieces.push(Piece {
            at: self.text.len(),
            line,
            column,
            replaced,
        });
        self.text.push_str(text);
    }

    /// The text without white space at its ends.
    fn trimmed(self) -> Self {
        let start = self.text.len() - self.text.trim_start().len();
        let end = start + self.text.trim().len();
        let mut trimmed = Self::default();
        trimmed.copy(&self, start..end);
        trimmed
    }

    /// Appends a part of another text with its origins.
    fn copy(&mut self, from: &Self, range: Range<usize>) {
        let mut at = range.start;
        while at < range.end {
            let index = from
                .pieces
                .partition_point(|piece| piece.at <= at)
                .saturating_sub(1);
            let Some(piece) = from.pieces.get(index) else {
                return;
            };
            let end = from
                .pieces
                .get(index + 1)
                .map_or(range.end, |next| range.end.min(next.at));
            let column = if piece.replaced.is_some() {
                piece.column
            } else {
                piece.column + (at - piece.at)
            };
            self.push(from.slice(at..end), piece.line, column, piece.replaced);
            at = end;
        }
    }

    /// The text with every `${NAME}` replaced that `lookup` knows; the ranges (of the result) of those that it does not know. Values take
    /// their bytes from `room`; `None` when it is used up.
    pub(crate) fn expanded(
        &self,
        lookup: &dyn Fn(&str) -> Option<String>,
        room: &mut usize,
    ) -> Option<(Self, Vec<Range<usize>>)> {
        let mut result = Self::default();
        let mut unknown = Vec::new();
        let mut at = 0;
        while let Some(reference) = next_reference(&self.text, at) {
            self.copy_into(&mut result, at..reference.start);
            let name = self.slice(reference.start + 2..reference.end - 1);
            match lookup(name) {
                Some(value) => {
                    *room = room.checked_sub(value.len())?;
                    let spot = self.spot(reference.clone());
                    let (line, column, width) =
                        spot.map_or((0, 0, 1), |spot| (spot.line, spot.column, spot.width));
                    result.push(&value, line, column, Some(width));
                }
                None => {
                    let start = result.text.len();
                    self.copy_into(&mut result, reference.clone());
                    // RewriteMap writes `${map:key}`; that is not ours to complain about.
                    if !name.contains(':') {
                        unknown.push(start..result.text.len());
                    }
                }
            }
            at = reference.end;
        }
        self.copy_into(&mut result, at..self.text.len());
        Some((result, unknown))
    }

    fn copy_into(&self, result: &mut Self, range: Range<usize>) {
        result.copy(self, range);
    }
}

/// The next `${NAME}` at or after a byte.
fn next_reference(text: &str, from: usize) -> Option<Range<usize>> {
    let start = from + text.get(from..)?.find("${")?;
    let close = start + text.get(start..)?.find('}')?;
    // `${}` names nothing; go on behind it.
    if close == start + 2 {
        return next_reference(text, close + 1);
    }
    Some(start..close + 1)
}

/// A logical line.
#[derive(Debug, Clone)]
pub(crate) struct Logical {
    /// What it says, joined and trimmed; empty and comment lines are not produced.
    pub(crate) text: Mapped,
    /// The number of its last physical line.
    pub(crate) line: u32,
}

/// Walks the logical lines of one text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor {
    source: SourceId,
    next_line: u32,
}

/// A logical line longer than [`LINE_BYTES_MAX`]; the number is that of the line where it grew too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineTooLong(pub(crate) u32);

impl Cursor {
    /// A cursor at the start of a text.
    pub(crate) fn new(source: SourceId) -> Self {
        Self {
            source,
            next_line: 1,
        }
    }

    /// A cursor at a line.
    pub(crate) fn at(source: SourceId, line: u32) -> Self {
        Self {
            source,
            next_line: line,
        }
    }

    /// The next line, even if it is empty or a comment.
    pub(crate) fn any(&mut self, sources: &Sources) -> Option<Result<Logical, LineTooLong>> {
        self.joined(sources)
    }

    /// The next line that is neither empty nor a comment.
    pub(crate) fn next(&mut self, sources: &Sources) -> Option<Result<Logical, LineTooLong>> {
        loop {
            let logical = match self.joined(sources)? {
                Ok(logical) => logical,
                Err(error) => return Some(Err(error)),
            };
            let text = logical.text.as_str();
            if !text.is_empty() && !text.starts_with('#') {
                return Some(Ok(logical));
            }
        }
    }

    /// The next line, whatever it says.
    fn joined(&mut self, sources: &Sources) -> Option<Result<Logical, LineTooLong>> {
        let mut text = Mapped::default();
        let mut line = self.next_line;
        let mut physical = sources.line(self.source, line)?;
        loop {
            self.next_line = line + 1;
            let continued = physical.strip_suffix('\\');
            text.push(continued.unwrap_or(physical), line, 0, None);
            if text.text.len() > LINE_BYTES_MAX {
                return Some(Err(LineTooLong(line)));
            }
            let following = continued.and_then(|_| sources.line(self.source, line + 1));
            let Some(following) = following else { break };
            physical = following;
            line += 1;
        }
        Some(Ok(Logical {
            text: text.trimmed(),
            line,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(String, u32)> {
        let mut sources = Sources::default();
        let mut cursor = Cursor::new(sources.add("t", text));
        let mut found = Vec::new();
        while let Some(line) = cursor.next(&sources) {
            let line = line.unwrap();
            found.push((line.text.as_str().to_owned(), line.line));
        }
        found
    }

    #[test]
    fn lines_join_before_comments_are_seen() {
        let rows: [(&str, &[(&str, u32)]); 7] = [
            ("Listen 80", &[("Listen 80", 1)]),
            (
                "  Listen 80  \r\n\r\nUser a\n",
                &[("Listen 80", 1), ("User a", 3)],
            ),
            (
                "ProxyPass /a \\\n  http://a/\n",
                &[("ProxyPass /a   http://a/", 2)],
            ),
            ("Lis\\\nten 80", &[("Listen 80", 2)]),
            ("# comment \\\nListen 80\nUser a", &[("User a", 3)]),
            (
                "Listen 80 # not a comment",
                &[("Listen 80 # not a comment", 1)],
            ),
            ("Listen 80\\", &[("Listen 80", 1)]),
        ];
        for (text, expected) in rows {
            let found = lines(text);
            let found: Vec<_> = found
                .iter()
                .map(|(text, line)| (text.as_str(), *line))
                .collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_beyond_the_cap_is_refused() {
        let mut sources = Sources::default();
        let mut cursor =
            Cursor::new(sources.add("t", &format!("a\n{}", "x".repeat(LINE_BYTES_MAX + 1))));
        assert!(cursor.next(&sources).unwrap().is_ok());
        assert_eq!(cursor.next(&sources).unwrap().unwrap_err(), LineTooLong(2));
    }

    #[test]
    fn words_remember_their_physical_line() {
        let mut sources = Sources::default();
        let mut cursor = Cursor::new(sources.add("t", "  ProxyPass /a \\\n    http://a/"));
        let line = cursor.next(&sources).unwrap().unwrap();
        let start = line.text.as_str().find("http").unwrap();
        let spot = line.text.spot(start..start + 9).unwrap();
        assert_eq!((spot.line, spot.column, spot.width), (2, 4, 9));
        let spot = line.text.spot(0..9).unwrap();
        assert_eq!((spot.line, spot.column, spot.width), (1, 2, 9));
    }

    #[test]
    fn variables_are_replaced_once_and_point_at_their_reference() {
        let mut sources = Sources::default();
        let mut cursor =
            Cursor::new(sources.add("t", "Listen ${IP}:${PORT} ${map:k} ${NO} ${} $x"));
        let line = cursor.next(&sources).unwrap().unwrap();
        let lookup = |name: &str| match name {
            "IP" => Some("10.0.0.1".to_owned()),
            "PORT" => Some("${IP}".to_owned()),
            _ => None,
        };
        assert!(line.text.expanded(&lookup, &mut 8).is_none());
        let (text, unknown) = line.text.expanded(&lookup, &mut 100).unwrap();
        assert_eq!(text.as_str(), "Listen 10.0.0.1:${IP} ${map:k} ${NO} ${} $x");
        let unknown: Vec<_> = unknown.into_iter().map(|range| text.slice(range)).collect();
        assert_eq!(unknown, ["${NO}"]);
        let spot = text.spot(7..15).unwrap();
        assert_eq!((spot.column, spot.width), (7, 5));
        let spot = text.spot(15..16).unwrap();
        assert_eq!((spot.column, spot.width), (12, 1));
    }
}
