//! From a format string to elements.

use std::fmt;
use std::ops::Range;

use super::super::strftime::Strftime;
use super::item::{Address, Clock, Item, LogId, Moment, Port, ProcessId, TimeForm, Unit};
use super::{Element, Statuses};

/// What is wrong with a format string, in httpd's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// Which bytes of the string: from the percent sign to the code.
    pub range: Range<usize>,
    flaw: Flaw,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Flaw {
    /// A code that nobody knows.
    Unrecognized(Box<str>),
    /// The string ended inside a code.
    RanOff,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.flaw {
            Flaw::Unrecognized(code) => write!(f, "Unrecognized LogFormat directive %{code}"),
            Flaw::RanOff => f.write_str("Ran off end of LogFormat parsing args to some directive"),
        }
    }
}

impl std::error::Error for FormatError {}

/// Compiles a whole format string.
pub(super) fn elements(format: &str) -> Result<Vec<Element>, FormatError> {
    let mut elements = Vec::new();
    let mut rest = format;
    while !rest.is_empty() {
        let (text, after) = rest.split_at(rest.find('%').unwrap_or(rest.len()));
        if !text.is_empty() {
            push_literal(&mut elements, &unescaped(text));
        }
        rest = after;
        let Some(directive) = rest.strip_prefix('%') else {
            continue;
        };
        if let Some(after) = directive.strip_prefix('%') {
            push_literal(&mut elements, b"%");
            rest = after;
            continue;
        }
        let start = format.len() - rest.len();
        let (element, after) = element(directive).map_err(|(flaw, left)| FormatError {
            range: start..format.len() - left,
            flaw,
        })?;
        elements.push(element);
        rest = after;
    }
    Ok(elements)
}

/// Text between codes joins the text before it.
fn push_literal(elements: &mut Vec<Element>, text: &[u8]) {
    if let Some(Element {
        item: Item::Literal(before),
        ..
    }) = elements.last_mut()
    {
        before.extend_from_slice(text);
        return;
    }
    elements.push(Element {
        item: Item::Literal(text.to_vec()),
        wants_original: false,
        condition: None,
    });
}

/// The C escapes that httpd knows in the text between codes; any other backslash stands for itself.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes().peekable();
    while let Some(byte) = rest.next() {
        let escaped = match (byte, rest.peek()) {
            (b'\\', Some(b'n')) => b'\n',
            (b'\\', Some(b'r')) => b'\r',
            (b'\\', Some(b't')) => b'\t',
            (b'\\', Some(b'\\')) => b'\\',
            (b'\\', Some(b'"')) => b'"',
            _ => {
                bytes.push(byte);
                continue;
            }
        };
        rest.next();
        bytes.push(escaped);
    }
    bytes
}

/// What may stand between the `%` and the code.
#[derive(Default)]
struct Modifiers {
    argument: String,
    codes: Vec<u16>,
    is_negated: bool,
    wants_original: Option<bool>,
}

/// Compiles one code, `%` taken off; gives what follows it. On failure says how many bytes were not looked at.
fn element(directive: &str) -> Result<(Element, &str), (Flaw, usize)> {
    let mut modifiers = Modifiers::default();
    let mut rest = directive;
    loop {
        let first = rest.chars().next().ok_or((Flaw::RanOff, 0))?;
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        match first {
            '!' => modifiers.is_negated = !modifiers.is_negated,
            '<' => modifiers.wants_original = Some(true),
            '>' => modifiers.wants_original = Some(false),
            ',' => {}
            '{' => {
                let (argument, after) = after.split_once('}').unwrap_or((after, ""));
                modifiers.argument = argument.into();
                rest = after;
                continue;
            }
            '0'..='9' => {
                let digits =
                    rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                let (number, after) = rest.split_at(digits);
                // A number that is no status never matches one.
                modifiers.codes.push(number.parse().unwrap_or(0));
                rest = after;
                continue;
            }
            '^' => {
                let code = after.get(..2);
                let item = code.and_then(|code| long_item(code, &modifiers.argument));
                let left = after.get(2..).unwrap_or_default();
                let unknown = || {
                    let code = format!("^{}", code.unwrap_or(""));
                    (Flaw::Unrecognized(code.into()), left.len())
                };
                return Ok((finish(item.ok_or_else(unknown)?, modifiers), left));
            }
            code => {
                let item = item(code, &modifiers.argument);
                let unknown = || (Flaw::Unrecognized(code.to_string().into()), after.len());
                return Ok((finish(item.ok_or_else(unknown)?, modifiers), after));
            }
        }
        rest = after;
    }
}

fn finish(item: Item, modifiers: Modifiers) -> Element {
    let statuses = Statuses {
        codes: modifiers.codes,
        is_negated: modifiers.is_negated,
    };
    Element {
        // %s, %U, %T, %D and %r show the request as it came unless told otherwise; the rest of them shows the
        // same either way.
        wants_original: modifiers.wants_original.unwrap_or(true) && item.defaults_to_original()
            || modifiers.wants_original == Some(true),
        condition: (!statuses.codes.is_empty()).then_some(statuses),
        item,
    }
}

fn item(code: char, argument: &str) -> Option<Item> {
    let argument_bytes = || argument.as_bytes().to_vec();
    Some(match code {
        'a' if argument == "c" => Item::Address(Address::Peer),
        'a' => Item::Address(Address::Client),
        'A' => Item::Address(Address::Local),
        'b' => Item::ContentOut { zero: b'-' },
        'B' => Item::ContentOut { zero: b'0' },
        'C' => Item::Cookie(argument_bytes()),
        'D' => Item::Duration(Unit::Microseconds),
        'e' => Item::Env(argument.into()),
        'f' => Item::Filename,
        'h' if argument == "c" => Item::Address(Address::Peer),
        'h' => Item::Host,
        'H' => Item::Protocol,
        'i' => Item::RequestField(argument_bytes()),
        'I' => Item::BytesIn,
        'k' => Item::Keepalives,
        'l' => Item::Literal(b"-".to_vec()),
        'L' if argument == "c" => Item::LogId(LogId::Connection),
        'L' => Item::LogId(LogId::Request),
        'm' => Item::Method,
        'n' if argument == "trace" => Item::Trace,
        'n' => Item::Note(argument.into()),
        'o' => Item::ResponseField(argument_bytes()),
        'O' => Item::BytesOut,
        'p' => port(argument),
        'P' => process(argument),
        'q' => Item::Query,
        'r' => Item::RequestLine,
        'R' => Item::Handler,
        's' => Item::Status,
        'S' => Item::BytesBoth,
        't' => Item::Time(clock(argument)),
        'T' => duration(argument),
        'u' => Item::User,
        'U' => Item::Path,
        'v' => Item::ServerName,
        'V' => Item::CanonicalName,
        'X' => Item::Ending,
        _ => return None,
    })
}

fn long_item(code: &str, argument: &str) -> Option<Item> {
    Some(match code {
        "FB" => Item::FirstByte,
        "ti" => Item::RequestTrailer(argument.as_bytes().to_vec()),
        "to" => Item::ResponseTrailer(argument.as_bytes().to_vec()),
        _ => return None,
    })
}

/// A word that is none of those a code knows is printed itself, as httpd does.
fn verbatim(argument: &str) -> Item {
    Item::Literal(argument.as_bytes().to_vec())
}

fn port(argument: &str) -> Item {
    match argument.to_ascii_lowercase().as_str() {
        "" | "canonical" => Item::Port(Port::Canonical),
        "local" => Item::Port(Port::Local),
        "remote" => Item::Port(Port::Remote),
        _ => verbatim(argument),
    }
}

fn process(argument: &str) -> Item {
    match argument.to_ascii_lowercase().as_str() {
        "" | "pid" => Item::Process(ProcessId::Pid),
        "tid" => Item::Process(ProcessId::Tid),
        "hextid" => Item::Process(ProcessId::HexTid),
        _ => verbatim(argument),
    }
}

fn duration(argument: &str) -> Item {
    match argument.to_ascii_lowercase().as_str() {
        "" | "s" => Item::Duration(Unit::Seconds),
        "ms" => Item::Duration(Unit::Milliseconds),
        "us" => Item::Duration(Unit::Microseconds),
        _ => verbatim(argument),
    }
}

/// `%{begin:…}t`, `%{end:…}t`, `%{…}t`.
fn clock(argument: &str) -> Clock {
    let prefixed = |prefix: &str| {
        let rest = argument.strip_prefix(prefix)?;
        if rest.is_empty() {
            Some("")
        } else {
            rest.strip_prefix(':')
        }
    };
    let (moment, form) = match (prefixed("begin"), prefixed("end")) {
        (Some(form), _) => (Moment::Begin, form),
        (None, Some(form)) => (Moment::End, form),
        (None, None) => (Moment::Begin, argument),
    };
    let form = match form {
        "" => TimeForm::Clf,
        "sec" => TimeForm::Seconds,
        "msec" => TimeForm::Milliseconds,
        "usec" => TimeForm::Microseconds,
        "msec_frac" => TimeForm::MillisecondsOfSecond,
        "usec_frac" => TimeForm::MicrosecondsOfSecond,
        format => TimeForm::Strftime(Strftime::compile(format)),
    };
    Clock { moment, form }
}
