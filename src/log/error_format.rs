//! ErrorLogFormat: the error log's layout when httpd's default one is not wanted.
//!
//! A format is a row of *fields* with blanks between them. A field in which some item has nothing to show is left
//! out whole, its literal text included; that is how `[client\ %a]` vanishes from messages without a client. `\ `
//! is a blank inside a field, `% ` ends a field without printing a blank. `%-` shows a hyphen instead of leaving
//! the field out, and `%7F` shows an item only in messages of severity 7 (debug) and finer.

use std::fmt;
use std::ops::Range;

use super::error_log::{About, Bare, ErrorLog, Line, Peer, Stamp, Text};

/// A compiled ErrorLogFormat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorFormat(Vec<Field>);

#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Field {
    /// How many blanks separate it from what was printed before.
    blanks: usize,
    elements: Vec<Element>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Element {
    item: Item,
    shows_hyphen: bool,
    /// Only messages of this severity or a finer one show the item.
    severity_min: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Literal(String),
    Client,
    Peer,
    Local,
    Env(Box<str>),
    Cause,
    Source,
    RequestField(Box<str>),
    Keepalives,
    Level,
    LogId,
    ConnectionLogId,
    Module,
    Message,
    Note(Box<str>),
    Pid,
    Tid,
    Time { is_compact: bool, with_us: bool },
    ServerName,
    CanonicalName,
}

/// What is wrong with a format, in httpd's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorFormatError {
    /// Which bytes of the format: a code with its percent sign, or all of it.
    pub range: Range<usize>,
    flaw: Flaw,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Flaw {
    /// A code that nobody knows.
    Unrecognized(char),
    /// The string ended inside a code.
    RanOff,
    /// The message itself is nowhere in it.
    NoMessage,
    /// `%+`, which only the formats printed once per request or connection may have.
    Plus,
}

impl fmt::Display for ErrorFormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.flaw {
            Flaw::Unrecognized(code) => {
                write!(f, "Unrecognized error log format directive %{code}")
            }
            Flaw::RanOff => {
                f.write_str("Ran off end of error log format parsing args to some directive")
            }
            Flaw::NoMessage => {
                f.write_str("main ErrorLogFormat must contain message format string '%M'")
            }
            Flaw::Plus => f.write_str("The '+' flag cannot be used in the main error log format"),
        }
    }
}

impl std::error::Error for ErrorFormatError {}

impl ErrorFormat {
    /// Compiles the format of the error log itself.
    ///
    /// # Errors
    /// It has a code that nobody knows, ends inside one, or does not show the message.
    pub fn compile(format: &str) -> Result<Self, ErrorFormatError> {
        let mut compiler = Compiler::default();
        let mut rest = format;
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            rest = match c {
                ' ' => compiler.next_field(1, after),
                '\\' => compiler.escape(after),
                '%' => compiler
                    .code(after)
                    .map_err(|(flaw, left)| ErrorFormatError {
                        range: format.len() - after.len() - 1..format.len() - left,
                        flaw,
                    })?,
                _ => {
                    compiler.literal(c);
                    after
                }
            };
        }
        compiler.next_field(0, "");
        let has_message = |field: &Field| field.elements.iter().any(|e| e.item == Item::Message);
        if !compiler.fields.iter().any(has_message) {
            return Err(ErrorFormatError {
                range: 0..format.len(),
                flaw: Flaw::NoMessage,
            });
        }
        Ok(Self(compiler.fields))
    }

    /// Adds a line in this format.
    pub(super) fn render(
        &self,
        log: &ErrorLog,
        stamp: &Stamp,
        line: &Line<'_>,
        is_syslog: bool,
        text: &mut Text,
    ) {
        let start = text.length();
        for field in &self.0 {
            let before = text.length();
            // httpd prints the blanks even when nothing was printed before them; nobody wants a line to begin so.
            for _ in 0..if before > start { field.blanks } else { 0 } {
                text.push(b' ');
            }
            if !field.render(log, stamp, line, is_syslog, text) {
                text.truncate(before);
            }
        }
    }
}

impl Field {
    /// Adds the field; false when an item had nothing to show.
    fn render(
        &self,
        log: &ErrorLog,
        stamp: &Stamp,
        line: &Line<'_>,
        is_syslog: bool,
        text: &mut Text,
    ) -> bool {
        for element in &self.elements {
            let before = text.length();
            let is_wanted = line.level as u8 >= element.severity_min;
            // Syslog has put its own time in front.
            let is_doubled = is_syslog && matches!(element.item, Item::Time { .. });
            if is_wanted && !is_doubled {
                element.item.render(log, stamp, line, text);
            }
            if text.length() > before || element.item == Item::Message {
                continue;
            }
            if !element.shows_hyphen {
                return false;
            }
            text.push(b'-');
        }
        true
    }
}

impl Item {
    fn render(&self, log: &ErrorLog, stamp: &Stamp, line: &Line<'_>, text: &mut Text) {
        let nothing = About::default();
        let about = line.about.unwrap_or(&nothing);
        match self {
            Self::Literal(words) => words.bytes().for_each(|byte| text.push(byte)),
            Self::Client => match line.peer {
                Peer::Client(address) | Peer::Backend(address) => text.bare(Bare(address)),
                Peer::None => {}
            },
            Self::Peer => shown(text, about.peer.map(Bare)),
            Self::Local => shown(text, about.local.map(Bare)),
            Self::Env(name) => bytes(text, about.env.and_then(|env| env.value(name))),
            Self::Cause => shown(text, line.cause),
            Self::Source => {
                if let Some((file, number)) = line.source {
                    text.bare(format_args!("{file}({number})"));
                }
            }
            Self::RequestField(name) => {
                bytes(
                    text,
                    about.fields.and_then(|fields| fields.find(name.as_bytes())),
                );
            }
            Self::Keepalives => shown(text, about.keepalives.filter(|&count| count > 0)),
            Self::Level => text.bare(line.level),
            Self::LogId => shown(text, about.log_id),
            Self::ConnectionLogId => shown(text, about.connection_log_id),
            Self::Module => text.bare(line.module),
            Self::Message => text.message(line),
            Self::Note(name) => bytes(text, about.notes.and_then(|notes| notes.value(name))),
            Self::Pid => text.bare(stamp.pid),
            Self::Tid => shown(text, stamp.tid),
            Self::Time {
                is_compact,
                with_us,
            } => text.time(|out| {
                let wall = log.zone().wall(stamp.now_us);
                match is_compact {
                    true => wall.compact(out, *with_us),
                    false => wall.error_log(out, *with_us),
                }
            }),
            Self::ServerName => text.bare(log.server_name()),
            Self::CanonicalName => match about.canonical_name {
                Some(name) => text.escaped(name),
                None => text.bare(log.server_name()),
            },
        }
    }
}

fn shown(text: &mut Text, value: Option<impl fmt::Display>) {
    if let Some(value) = value {
        text.bare(value);
    }
}

fn bytes(text: &mut Text, value: Option<&[u8]>) {
    text.escaped(value.unwrap_or_default());
}

/// The fields so far and the one in the making.
#[derive(Default)]
struct Compiler {
    fields: Vec<Field>,
    field: Field,
}

impl Compiler {
    /// Ends the field; several blanks in a row end nothing more but are all printed.
    fn next_field<'a>(&mut self, blanks: usize, after: &'a str) -> &'a str {
        let next = Field {
            blanks,
            elements: Vec::new(),
        };
        if self.field.elements.is_empty() {
            self.field.blanks += blanks;
        } else {
            self.fields.push(std::mem::replace(&mut self.field, next));
        }
        after
    }

    fn literal(&mut self, c: char) {
        if let Some(Element {
            item: Item::Literal(words),
            ..
        }) = self.field.elements.last_mut()
        {
            words.push(c);
            return;
        }
        self.push(Item::Literal(c.into()), &Modifiers::default());
    }

    fn push(&mut self, item: Item, modifiers: &Modifiers<'_>) {
        self.field.elements.push(Element {
            item,
            shows_hyphen: modifiers.shows_hyphen,
            severity_min: modifiers.severity_min,
        });
    }

    fn escape<'a>(&mut self, after: &'a str) -> &'a str {
        let Some(c) = after.chars().next() else {
            self.literal('\\');
            return after;
        };
        match c {
            't' => self.literal('\t'),
            'n' => self.literal('\n'),
            'r' => self.literal('\r'),
            other => self.literal(other),
        }
        after.get(c.len_utf8()..).unwrap_or_default()
    }

    /// Compiles one code, `%` taken off; gives what follows it. On failure says how many bytes were not looked at.
    fn code<'a>(&mut self, directive: &'a str) -> Result<&'a str, (Flaw, usize)> {
        let mut modifiers = Modifiers::default();
        let mut rest = directive;
        loop {
            let c = rest.chars().next().ok_or((Flaw::RanOff, 0))?;
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            rest = match c {
                ' ' => return Ok(self.next_field(0, after)),
                '%' => {
                    self.literal('%');
                    return Ok(after);
                }
                '-' => {
                    modifiers.shows_hyphen = true;
                    after
                }
                '+' => return Err((Flaw::Plus, after.len())),
                '{' => {
                    let (argument, after) = after.split_once('}').unwrap_or((after, ""));
                    modifiers.argument = argument;
                    after
                }
                '0'..='9' => {
                    let end = rest
                        .find(|c: char| !c.is_ascii_digit())
                        .unwrap_or(rest.len());
                    let (number, after) = rest.split_at(end);
                    modifiers.severity_min = number.parse().unwrap_or(u8::MAX);
                    after
                }
                code => {
                    let item = item(code, modifiers.argument);
                    let item = item.ok_or((Flaw::Unrecognized(code), after.len()))?;
                    self.push(item, &modifiers);
                    return Ok(after);
                }
            };
        }
    }
}

#[derive(Default)]
struct Modifiers<'a> {
    argument: &'a str,
    shows_hyphen: bool,
    severity_min: u8,
}

fn item(code: char, argument: &str) -> Option<Item> {
    Some(match code {
        'a' if argument == "c" => Item::Peer,
        'a' => Item::Client,
        'A' => Item::Local,
        'e' => Item::Env(argument.into()),
        'E' => Item::Cause,
        'F' => Item::Source,
        'i' => Item::RequestField(argument.into()),
        'k' => Item::Keepalives,
        'l' => Item::Level,
        'L' if argument.eq_ignore_ascii_case("c") => Item::ConnectionLogId,
        'L' => Item::LogId,
        'm' => Item::Module,
        'M' => Item::Message,
        'n' => Item::Note(argument.into()),
        'P' => Item::Pid,
        'T' => Item::Tid,
        't' => Item::Time {
            is_compact: argument.contains('c'),
            with_us: argument.contains('u'),
        },
        'v' => Item::ServerName,
        'V' => Item::CanonicalName,
        _ => return None,
    })
}
