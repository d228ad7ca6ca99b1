//! Tables for a terminal: aligned columns that fit its width.
//!
//! Know first: only columns that say so are narrowed, the widest first, with an ellipsis where text is left out; everything else an
//! operator compares or copies stays whole. Widths are counted in characters: texts from peers have no control characters (the
//! scoreboard's snapshot escapes them), but a wide script may shift what stands to its right.

use std::fmt::Write as _;

use super::paint::{Paint, Style};

/// A table under construction.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// How a column is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Flush left, always whole.
    Words,
    /// Flush left, narrowed when the terminal is: the end is left out.
    Long,
    /// The same for URLs: first the scheme is left out, then the middle, since members often differ only in their port.
    Url,
    /// Flush right, always whole.
    Number,
}

impl Kind {
    const fn is_elastic(self) -> bool {
        matches!(self, Self::Long | Self::Url)
    }
}

/// How wide each column is (0 for one that is left out), and how far apart they stand.
#[derive(Debug)]
struct Fit {
    widths: Vec<usize>,
    gap: usize,
}

impl Fit {
    fn total(&self) -> usize {
        let shown = self.widths.iter().filter(|&&width| width > 0).count();
        self.widths.iter().sum::<usize>() + self.gap * shown.saturating_sub(1)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(crate) fn styled(text: impl ToString, style: Style) -> Self {
        Self {
            text: text.to_string(),
            style,
        }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::Plain)
    }
}

impl Table {
    pub(crate) fn new(columns: &[(&'static str, Kind)]) -> Self {
        let columns = columns
            .iter()
            .map(|&(name, kind)| Column { name, kind })
            .collect();
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        debug_assert_eq!(N, self.columns.len(), "a cell for each column");
        self.rows.push(cells.into());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Appends the table to `out`. Columns that are empty in every row are left out.
    pub(crate) fn render(&self, out: &mut String, width: Option<usize>, paint: Paint) {
        let fit = self.fit(width);
        let header: Vec<Cell> = self
            .columns
            .iter()
            .map(|column| Cell::styled(column.name, Style::Dim))
            .collect();
        for row in std::iter::once(&header).chain(&self.rows) {
            self.line(out, row, &fit, paint);
        }
    }

    /// How the table fits into `room`: first columns move together, then those that may are narrowed.
    fn fit(&self, room: Option<usize>) -> Fit {
        let natural = self.columns.iter().enumerate().map(|(at, column)| {
            let cells = self.rows.iter().filter_map(|row| row.get(at));
            match cells.map(|cell| length(&cell.text)).max() {
                None | Some(0) => 0,
                Some(longest) => longest.max(length(column.name)),
            }
        });
        let mut fit = Fit {
            widths: natural.collect(),
            gap: WIDE_GAP,
        };
        let Some(room) = room else { return fit };
        if fit.total() > room {
            fit.gap = NARROW_GAP;
        }
        for _ in room..fit.total() {
            let elastic = fit.widths.iter_mut().zip(&self.columns);
            let elastic =
                elastic.filter(|(width, column)| column.kind.is_elastic() && **width > NARROWEST);
            let Some((widest, _)) = elastic.max_by_key(|(width, _)| **width) else {
                break;
            };
            *widest -= 1;
        }
        fit
    }

    fn line(&self, out: &mut String, row: &[Cell], fit: &Fit, paint: Paint) {
        let mut owed = 0;
        let shown = self
            .columns
            .iter()
            .zip(row)
            .zip(&fit.widths)
            .filter(|(_, width)| **width > 0);
        for (at, ((column, cell), &width)) in shown.enumerate() {
            let text = match column.kind {
                Kind::Url => cut_url(&cell.text, width),
                Kind::Words | Kind::Long | Kind::Number => cut(&cell.text, width),
            };
            let padding = width - length(&text);
            let gap = if at == 0 { 0 } else { fit.gap };
            let (before, after) = match column.kind {
                Kind::Number => (padding, 0),
                Kind::Words | Kind::Long | Kind::Url => (0, padding),
            };
            // Blanks are owed until something follows them, so that no line ends with any.
            let blanks = if text.is_empty() {
                0
            } else {
                owed + gap + before
            };
            owed = if text.is_empty() {
                owed + gap + width
            } else {
                after
            };
            write!(out, "{:blanks$}{}", "", paint.show(cell.style, text))
                .expect("writing to a string cannot fail");
        }
        out.push('\n');
    }
}

/// `text` in at most `width` characters, with an ellipsis where some are left out.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

/// A URL in at most `width` characters.
fn cut_url(url: &str, width: usize) -> String {
    if length(url) <= width {
        return url.to_owned();
    }
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    if length(rest) <= width {
        return rest.to_owned();
    }
    let tail = width.saturating_sub(1) / 2;
    let head = width.saturating_sub(tail + 1);
    let mut kept: String = rest.chars().take(head).collect();
    kept.push('…');
    kept.extend(rest.chars().skip(length(rest) - tail));
    kept
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Blanks between columns, and the same where room is scarce.
const WIDE_GAP: usize = 2;
const NARROW_GAP: usize = 1;
/// What a narrowed column keeps.
const NARROWEST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[
            ("SLOT", Kind::Words),
            ("SECS", Kind::Number),
            ("NONE", Kind::Words),
            ("REQUEST", Kind::Long),
            ("VHOST", Kind::Long),
        ]);
        let none = || Cell::from("");
        table.row([
            "0.0".into(),
            3.into(),
            none(),
            "GET /a/long/path HTTP/1.1".into(),
            "www:443".into(),
        ]);
        table.row([
            "12.0".into(),
            4711.into(),
            none(),
            "GET / HTTP/1.1".into(),
            none(),
        ]);
        table
    }

    fn render(width: Option<usize>) -> String {
        let mut out = String::new();
        table().render(&mut out, width, Paint { is_on: false });
        out
    }

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        let expected = "\
SLOT  SECS  REQUEST                    VHOST
0.0      3  GET /a/long/path HTTP/1.1  www:443
12.0  4711  GET / HTTP/1.1
";
        assert_eq!(render(None), expected);
        assert_eq!(render(Some(46)), expected, "it just fits");
    }

    #[test]
    fn a_narrow_terminal_narrows_the_longest_text() {
        let expected = "\
SLOT SECS REQUEST           VHOST
0.0     3 GET /a/long/path… www:443
12.0 4711 GET / HTTP/1.1
";
        assert_eq!(render(Some(35)), expected);
    }

    #[test]
    fn there_is_an_end_to_narrowing() {
        let lines = render(Some(1));
        assert!(lines.contains("4711"), "numbers stay whole");
        assert!(lines.contains("GET /a/…"));
    }

    #[test]
    fn colours_take_no_room() {
        let mut table = Table::new(&[("A", Kind::Words), ("B", Kind::Words)]);
        table.row([Cell::styled("x", Style::Bad), "y".into()]);
        let mut out = String::new();
        table.render(&mut out, None, Paint { is_on: true });
        assert!(out.ends_with("\x1b[1;31mx\x1b[0m  y\n"), "{out:?}");
    }

    #[test]
    fn cutting_counts_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(cut("abc", 0), "…");
    }

    #[test]
    fn urls_keep_what_tells_them_apart() {
        for (width, text) in [
            (28, "http://app1.example.com:8080"),
            (27, "app1.example.com:8080"),
            (12, "app1.e…:8080"),
            (0, "…"),
        ] {
            let cut = cut_url("http://app1.example.com:8080", width);
            assert_eq!(cut, text);
        }
    }
}
