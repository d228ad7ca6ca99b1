//! Building HTML in which data cannot become markup.
//!
//! Responsible for: escaping, the frame and style that the pages share, facts and tables. Not responsible for: what they say.
//!
//! Know first: [`Page::markup`] takes `&'static str`, so only literals of ours get into a page as they are. Everything that varies goes
//! through [`Page::text`], which escapes. The page works without scripts, on a phone, in the dark, and read aloud: tables have captions
//! and header cells, and colour only repeats what a word says.

use std::fmt::{self, Display, Write as _};

/// A page under construction.
#[derive(Debug)]
pub struct Page {
    html: String,
}

impl Page {
    /// Begins a page with this title; `heading` stands above it.
    #[must_use]
    pub fn new(title: &'static str, heading: impl Display) -> Self {
        let mut page = Self {
            html: String::with_capacity(16 * 1024),
        };
        page.markup("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>")
            .markup(title)
            .markup("</title>\n<style>\n")
            .markup(STYLE)
            .markup("</style>\n</head>\n<body>\n<h1>")
            .text(heading)
            .markup("</h1>\n");
        page
    }

    /// Appends markup of ours.
    pub fn markup(&mut self, literal: &'static str) -> &mut Self {
        self.html.push_str(literal);
        self
    }

    /// Appends data, escaped.
    pub fn text(&mut self, data: impl Display) -> &mut Self {
        write!(Escaping(&mut self.html), "{data}").expect("writing to a string cannot fail");
        self
    }

    /// Appends a heading of a section.
    pub fn heading(&mut self, words: impl Display) -> &mut Self {
        self.markup("<h2>").text(words).markup("</h2>\n")
    }

    /// Appends a paragraph.
    pub fn paragraph(&mut self, words: impl Display) -> &mut Self {
        self.markup("<p>").text(words).markup("</p>\n")
    }

    /// Appends named values, one a line.
    pub fn facts(&mut self, facts: &[(&'static str, String)]) -> &mut Self {
        self.markup("<dl>\n");
        for (name, value) in facts {
            self.markup("<div><dt>")
                .markup(name)
                .markup(":</dt> <dd>")
                .text(value)
                .markup("</dd></div>\n");
        }
        self.markup("</dl>\n")
    }

    /// Appends a table. Each row has a cell for each column; the first one names the row.
    pub fn table(&mut self, table: &Table<'_>) -> &mut Self {
        // A wide table scrolls by itself, also by keyboard, instead of widening the page.
        self.markup("<div class=\"wide\" tabindex=\"0\">\n<table>\n<caption>")
            .text(table.caption)
            .markup("</caption>\n<thead><tr>");
        for column in table.columns {
            self.markup("<th scope=\"col\"")
                .markup(column.class())
                .markup(">")
                .markup(column.name)
                .markup("</th>");
        }
        self.markup("</tr></thead>\n<tbody>\n");
        for row in &table.rows {
            self.row(table.columns, row);
        }
        self.markup("</tbody>\n");
        if !table.sums.is_empty() {
            self.markup("<tfoot>\n");
            self.row(table.columns, &table.sums);
            self.markup("</tfoot>\n");
        }
        self.markup("</table>\n</div>\n")
    }

    fn row(&mut self, columns: &[Column], cells: &[Cell]) {
        self.markup("<tr>");
        for (at, (column, cell)) in columns.iter().zip(cells).enumerate() {
            let (open, close) = if at == 0 {
                ("<th scope=\"row\"", "</th>")
            } else {
                ("<td", "</td>")
            };
            self.markup(open).markup(column.class()).markup(">");
            match cell.tone {
                Tone::Plain => self.text(&cell.text),
                Tone::Strong => self.markup("<b>").text(&cell.text).markup("</b>"),
                Tone::Good => self.spanned("<span class=\"good\">", &cell.text),
                Tone::Warn => self.spanned("<span class=\"warn\">", &cell.text),
                Tone::Bad => self.spanned("<span class=\"bad\">", &cell.text),
            };
            self.markup(close);
        }
        self.markup("</tr>\n");
    }

    fn spanned(&mut self, open: &'static str, text: &str) -> &mut Self {
        self.markup(open).text(text).markup("</span>")
    }

    /// Appends what the columns of tables mean, folded away until somebody asks.
    pub fn key(&mut self, summary: &'static str, columns: &[Column]) -> &mut Self {
        self.markup("<details><summary>")
            .markup(summary)
            .markup("</summary>\n<dl>\n");
        for column in columns.iter().filter(|column| !column.meaning.is_empty()) {
            self.markup("<div><dt>")
                .markup(column.name)
                .markup("</dt> <dd>")
                .markup(column.meaning)
                .markup("</dd></div>\n");
        }
        self.markup("</dl>\n</details>\n")
    }

    /// Ends the page.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.markup("</body>\n</html>\n");
        self.html
    }
}

/// A table's content.
#[derive(Debug)]
pub struct Table<'a> {
    /// What the table shows.
    pub caption: &'a str,
    /// Its columns.
    pub columns: &'a [Column],
    /// Its rows.
    pub rows: Vec<Vec<Cell>>,
    /// A last row of sums, or nothing.
    pub sums: Vec<Cell>,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its header.
    pub name: &'static str,
    /// What it means, for the key; empty when the header says it.
    pub meaning: &'static str,
    /// How its cells are set.
    pub kind: Kind,
}

impl Column {
    /// A column of words.
    #[must_use]
    pub const fn words(name: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            meaning,
            kind: Kind::Words,
        }
    }

    /// A column of numbers.
    #[must_use]
    pub const fn numbers(name: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            meaning,
            kind: Kind::Numbers,
        }
    }

    /// A column of texts that may be long.
    #[must_use]
    pub const fn texts(name: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            meaning,
            kind: Kind::Texts,
        }
    }

    const fn class(&self) -> &'static str {
        match self.kind {
            Kind::Words => "",
            Kind::Numbers => " class=\"n\"",
            Kind::Texts => " class=\"l\"",
        }
    }
}

/// How the cells of a column are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Flush left, in one line.
    Words,
    /// Flush right, in one line.
    Numbers,
    /// Flush left, in several lines where one does not fit.
    Texts,
}

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell with this text.
    pub fn new(text: impl Display) -> Self {
        Self::toned(text, Tone::Plain)
    }

    /// A cell that stands out.
    pub fn toned(text: impl Display, tone: Tone) -> Self {
        Self {
            text: text.to_string(),
            tone,
        }
    }
}

/// How much a text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Not at all.
    Plain,
    /// It is what the reader is after.
    Strong,
    /// All is well.
    Good,
    /// Somebody should look.
    Warn,
    /// Somebody must act.
    Bad,
}

/// Text that becomes character data of HTML or XML: characters with a meaning in markup are written as references.
#[must_use]
pub fn escaped(data: impl Display) -> String {
    let mut text = String::new();
    write!(Escaping(&mut text), "{data}").expect("writing to a string cannot fail");
    text
}

struct Escaping<'a>(&'a mut String);

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, data: &str) -> fmt::Result {
        for c in data.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Neither HTML nor XML 1.0 knows them, not even as references.
                c if c.is_control() && !matches!(c, '\n' | '\t') => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

/// The one style sheet. Small, because it travels with every page.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b2733;--dim:#586673;--line:#d8dee4;--soft:#f3f5f7;--back:#fff;--good:#116329;--warn:#8a5300;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#dfe5ea;--dim:#98a5b1;--line:#343d46;--soft:#1d242b;--back:#13181d;--good:#6fce84;--warn:#e2ac4d;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.25rem;max-width:90rem;font:.9375rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back)}
h1{font-size:1.4rem;line-height:1.3;margin:0 0 1rem}
h2{font-size:1.1rem;line-height:1.3;margin:2rem 0 .5rem;padding-top:1rem;border-top:1px solid var(--line);overflow-wrap:anywhere}
dl{margin:.75rem 0}
dl div{display:flex;flex-wrap:wrap;gap:0 .5rem}
dt{color:var(--dim);min-width:16.5rem}
dd{margin:0;overflow-wrap:anywhere}
pre{display:inline-block;margin:.5rem 0;padding:.6rem .8rem;max-width:100%;max-height:36rem;overflow:auto;font:.9375rem/1.35 ui-monospace,monospace;letter-spacing:.06em;background:var(--soft);border:1px solid var(--line);border-radius:6px}
.wide{overflow-x:auto;margin:.75rem 0}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:0 0 .35rem}
th,td{padding:.25rem .5rem;text-align:left;vertical-align:top;white-space:nowrap;border-bottom:1px solid var(--line)}
.l{white-space:normal;overflow-wrap:anywhere;min-width:12rem}
thead th{background:var(--soft);color:var(--dim);font-weight:600;vertical-align:bottom}
tbody th,tfoot th{font-weight:500}
tfoot th,tfoot td{font-weight:600;border-top:2px solid var(--line)}
.n{text-align:right}
.good{color:var(--good)}.warn{color:var(--warn);font-weight:600}.bad{color:var(--bad);font-weight:600}
details{margin:.75rem 0}summary{cursor:pointer;color:var(--dim)}
.key{color:var(--dim);margin:.25rem 0}.key span{white-space:nowrap}.key code{color:var(--ink);font-weight:700}
@media(max-width:40rem){body{padding:.75rem}dt{min-width:100%}dl div{margin-bottom:.35rem}}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_never_becomes_markup() {
        let nasty = "</td><script>alert('x')</script> & \"q\" \u{7}\n";
        let columns = [Column::words("A", ""), Column::numbers("B", "")];
        let mut page = Page::new("Test", nasty);
        page.facts(&[("Name", nasty.to_owned())])
            .heading(nasty)
            .paragraph(nasty);
        page.table(&Table {
            caption: nasty,
            columns: &columns,
            rows: vec![vec![Cell::new(nasty), Cell::toned(nasty, Tone::Bad)]],
            sums: vec![Cell::new(nasty)],
        });
        let html = page.finish();
        assert!(!html.contains("<script"));
        assert!(!html.contains('\u{7}'));
        let escaped = "&lt;/td&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;q&quot; \u{fffd}\n";
        assert_eq!(html.matches(escaped).count(), 8);
    }

    #[test]
    fn tables_say_what_they_are_to_people_who_cannot_see_them() {
        let columns = [Column::words("A", ""), Column::numbers("B", "how many")];
        let mut page = Page::new("Test", "Test");
        let rows = vec![vec![Cell::new("a"), Cell::toned(1, Tone::Strong)]];
        page.table(&Table {
            caption: "Some",
            columns: &columns,
            rows,
            sums: Vec::new(),
        });
        page.key("Columns", &columns);
        let html = page.finish();
        for part in [
            "<html lang=\"en\">",
            "<caption>Some</caption>",
            "<th scope=\"col\" class=\"n\">B</th>",
            "<tr><th scope=\"row\">a</th><td class=\"n\"><b>1</b></td></tr>",
            "<dt>B</dt> <dd>how many</dd>",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(
            !html.contains("<dt>A</dt>"),
            "a header that needs no words gets none"
        );
    }
}
