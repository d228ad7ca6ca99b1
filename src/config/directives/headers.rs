//! mod_headers: `Header` and `RequestHeader`.
//!
//! Know first: httpd reads the words by their place: an action, a name, a value, for `edit` a substitution, then when. It finds out about
//! names and values that could split a message when it sends one; here they are refused while the file is read.

use crate::config::args::Word;
use crate::config::directive::{Arity, Contexts, Directive};
use crate::config::model::{
    EditCondition, HeaderAction, HeaderEdit, HeaderPiece, HeaderTable, HeaderValue,
};
use crate::config::scope::{Args, Complaint, Scope, Subject};
use crate::config::walk::check_regex;
use crate::http::fields::{FieldId, is_token, is_value};
use std::ops::Range;

const MODULE: &str = "headers_module";

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::new(
        "Header",
        MODULE,
        Arity::Raw,
        Contexts::ANYWHERE,
        "an optional condition, an action, header and value followed by optional env clause",
        "Header always set Strict-Transport-Security \"max-age=31536000\"",
        |scope, args| {
            let (table, first) = match args.text(0) {
                word if word.eq_ignore_ascii_case("always") => (HeaderTable::Always, 1),
                word if word.eq_ignore_ascii_case("onsuccess") => (HeaderTable::OnSuccess, 1),
                _ => (HeaderTable::OnSuccess, 0),
            };
            edit(scope, args, table, first)
        },
    )
    .long(
        "Actions: set, setifempty, add, append, merge, unset, edit, edit*, echo, note. Without `always` it holds for what backends and \
         pages answer, with `always` for error pages too; the two do not see each other's fields, so a name in both is sent twice. \
         Formats: %{NAME}e, %t, %D, %l, %i, %b, %%. Conditions: `env=NAME`, `env=!NAME`, `early`. The length and the transfer coding of a \
         message cannot be edited.",
    ),
    Directive::new(
        "RequestHeader",
        MODULE,
        Arity::Raw,
        Contexts::ANYWHERE,
        "an action, header and value followed by optional env clause",
        "RequestHeader set X-Forwarded-Proto https",
        |scope, args| edit(scope, args, HeaderTable::Request, 0),
    )
    .long(
        "Actions: set, setifempty, add, append, merge, unset, edit, edit*. It is done after access rules and before a backend is chosen; \
         with `early`, which is for servers only, before the request is mapped. What it sets cannot be taken away by a client's \
         Connection field.",
    ),
];

/// The action word, before its arguments are known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Set,
    SetIfEmpty,
    Add,
    Append,
    Merge,
    Unset,
    Echo,
    Edit,
    EditEvery,
    Note,
}

const VERBS: [(&str, Verb); 10] = [
    ("set", Verb::Set),
    ("setifempty", Verb::SetIfEmpty),
    ("add", Verb::Add),
    ("append", Verb::Append),
    ("merge", Verb::Merge),
    ("unset", Verb::Unset),
    ("echo", Verb::Echo),
    ("edit", Verb::Edit),
    ("edit*", Verb::EditEvery),
    ("note", Verb::Note),
];

/// What follows the name, by the role that its place gives it.
struct Rest<'a> {
    value: Option<&'a Word>,
    substitution: Option<&'a Word>,
    clause: Option<&'a Word>,
}

fn edit(
    scope: &mut Scope<'_>,
    args: &Args<'_>,
    table: HeaderTable,
    first: usize,
) -> Result<(), Complaint> {
    let verb = crate::config::args::choice(args.text(first), &VERBS).ok_or_else(|| {
        args.complaint(
            first,
            "first argument must be 'add', 'set', 'setifempty', 'append', 'merge', 'unset', 'echo', 'note', 'edit', or 'edit*'.",
        )
    })?;
    if let Some(extra) = args.words.get(first + 5) {
        let message = format!("{} has too many arguments", args.directive.name);
        return Err(Complaint::new(message).on(extra).hint(QUOTES));
    }
    let rest = roles(verb, args, first)?;
    let Some(name) = args.words.get(first + 1) else {
        return Err(Complaint::new("Header requires three arguments"));
    };
    if table == HeaderTable::Request {
        check_request_verb(verb, args, first)?;
    }
    let action = action(verb, name, &rest)?;
    let condition = rest.clause.map_or(Ok(EditCondition::Always), condition)?;
    if condition == EditCondition::Early && !matches!(scope.inside.subject, Subject::Server) {
        let word = rest.clause.expect("it is what makes the edit an early one");
        let message = "`early` has no effect in a section: sections are found later";
        scope.warn(
            Complaint::new(message)
                .on(word)
                .hint("move the line out of the section, or remove `early`"),
        );
    }
    let name = if action == HeaderAction::Echo {
        name.text.clone()
    } else {
        let Some(known) = field_name(scope, name)? else {
            return Ok(());
        };
        known
    };
    scope.dir.headers.push(HeaderEdit {
        table,
        name,
        action,
        condition,
        place: scope.place().clone(),
    });
    Ok(())
}

/// Gives the words behind the name their roles, with httpd's complaints about their number.
fn roles<'a>(verb: Verb, args: &'a Args<'_>, first: usize) -> Result<Rest<'a>, Complaint> {
    let [value, third, fourth] = [2, 3, 4].map(|at| args.words.get(first + at));
    if matches!(verb, Verb::Edit | Verb::EditEvery) {
        if third.is_none() {
            let message = "Header edit requires a match and a substitution";
            return Err(Complaint::new(message));
        }
        return Ok(Rest {
            value,
            substitution: third,
            clause: fourth,
        });
    }
    if let Some(extra) = fourth {
        let message = "Too many arguments to directive";
        return Err(Complaint::new(message).on(extra).hint(QUOTES));
    }
    if matches!(verb, Verb::Unset | Verb::Echo) {
        if let (Some(_), Some(extra)) = (value, third) {
            let message = if verb == Verb::Echo {
                "Header echo takes two arguments"
            } else {
                "header unset takes two arguments"
            };
            return Err(Complaint::new(message).on(extra));
        }
        return Ok(Rest {
            value: None,
            substitution: None,
            clause: value,
        });
    }
    if value.is_none() {
        return Err(Complaint::new("Header requires three arguments"));
    }
    Ok(Rest {
        value,
        substitution: None,
        clause: third,
    })
}

/// What only responses have.
fn check_request_verb(verb: Verb, args: &Args<'_>, first: usize) -> Result<(), Complaint> {
    let message = match verb {
        Verb::Echo => "Header echo only valid on Header directives",
        Verb::Note => "RequestHeader does not support the 'note' action",
        Verb::Set
        | Verb::SetIfEmpty
        | Verb::Add
        | Verb::Append
        | Verb::Merge
        | Verb::Unset
        | Verb::Edit
        | Verb::EditEvery => return Ok(()),
    };
    Err(args.complaint(first, message))
}

fn action(verb: Verb, name: &Word, rest: &Rest<'_>) -> Result<HeaderAction, Complaint> {
    let value = || {
        rest.value
            .map_or_else(|| Ok(HeaderValue::default()), pieces)
    };
    Ok(match verb {
        Verb::Set => HeaderAction::Set(value()?),
        Verb::SetIfEmpty => HeaderAction::SetIfEmpty(value()?),
        Verb::Add => HeaderAction::Add(value()?),
        Verb::Append => HeaderAction::Append(value()?),
        Verb::Merge => HeaderAction::Merge(value()?),
        Verb::Note => HeaderAction::Note(value()?),
        Verb::Unset => HeaderAction::Unset,
        Verb::Echo => {
            check_regex(name, "Header echo regex could not be compiled")?;
            HeaderAction::Echo
        }
        Verb::Edit | Verb::EditEvery => {
            if let Some(pattern) = rest.value {
                check_regex(pattern, "Header edit regex could not be compiled")?;
            }
            HeaderAction::Edit {
                pattern: rest.value.map(|word| word.text.clone()).unwrap_or_default(),
                with: rest
                    .substitution
                    .map_or_else(|| Ok(HeaderValue::default()), pieces)?,
                every: verb == Verb::EditEvery,
            }
        }
    })
}

fn condition(word: &Word) -> Result<EditCondition, Complaint> {
    let text = word.text.as_str();
    if text.eq_ignore_ascii_case("early") {
        return Ok(EditCondition::Early);
    }
    let prefixed = |prefix: &str| {
        let (before, rest) = text.split_at_checked(prefix.len())?;
        before.eq_ignore_ascii_case(prefix).then_some(rest)
    };
    if prefixed("expr=").is_some() {
        return Err(Complaint::new(
            "expressions in Header and RequestHeader are not available here",
        )
        .on(word)
        .hint("use `env=NAME` or `env=!NAME`, with a SetEnvIf that sets NAME"));
    }
    match prefixed("env=") {
        Some("" | "!") => Err(Complaint::new(
            "error: missing environment variable name. envclause should be in the form env=envar ",
        )
        .on(word)),
        Some(name) => Ok(match name.strip_prefix('!') {
            Some(name) => EditCondition::Unset(name.to_owned()),
            None => EditCondition::Set(name.to_owned()),
        }),
        None => Err(Complaint::new(format!("Unknown parameter: {text}"))
            .on(word)
            .hint(QUOTES)),
    }
}

/// The name to edit: what stands before a colon. `None` when nothing is to be done about it.
fn field_name(scope: &mut Scope<'_>, word: &Word) -> Result<Option<String>, Complaint> {
    let name = word.text.split(':').next().unwrap_or_default();
    if !is_token(name.as_bytes()) {
        let message = format!("`{name}` is not the name of a field");
        return Err(Complaint::new(message)
            .on(word)
            .hint("a name has letters, digits and hyphens, and no spaces"));
    }
    if matches!(
        FieldId::of(name.as_bytes()),
        FieldId::ContentLength | FieldId::TransferEncoding
    ) {
        let message = format!(
            "{name} cannot be edited: it says how the content is sent, which is up to the server"
        );
        scope.warn(Complaint::new(message).on(word).hint("remove the line"));
        return Ok(None);
    }
    Ok(Some(name.to_owned()))
}

/// Reads a value with its formats.
fn pieces(word: &Word) -> Result<HeaderValue, Complaint> {
    let text = word.text.as_str();
    if text.starts_with("expr=") {
        return Err(Complaint::new(
            "expressions in Header and RequestHeader are not available here",
        )
        .on(word)
        .hint("use %{NAME}e, with a SetEnvIf that sets NAME"));
    }
    let mut found = HeaderValue::default();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (piece, length) = match rest.strip_prefix('%') {
            Some(tag) => {
                let (piece, length) = tag_piece(tag).map_err(|(message, end)| {
                    Complaint::new(message).on_part(word, at..at + 1 + end)
                })?;
                (piece, length + 1)
            }
            None => {
                let length = rest.find('%').unwrap_or(rest.len());
                let literal = rest.get(..length).unwrap_or_default();
                (HeaderPiece::Text(literal_text(word, at, literal)?), length)
            }
        };
        push(&mut found, piece);
        at += length;
    }
    Ok(found)
}

/// Texts that meet become one.
fn push(value: &mut HeaderValue, piece: HeaderPiece) {
    match (value.0.last_mut(), piece) {
        (Some(HeaderPiece::Text(before)), HeaderPiece::Text(text)) => before.push_str(&text),
        (_, piece) => value.0.push(piece),
    }
}

/// Reads what follows a percent sign, and how long it is; or says what is wrong with so many bytes.
fn tag_piece(tag: &str) -> Result<(HeaderPiece, usize), (String, usize)> {
    let (argument, rest) = match tag.strip_prefix('{') {
        Some(inner) => inner.split_once('}').unwrap_or((inner, "")),
        None => ("", tag),
    };
    let used = tag.len() - rest.len();
    let Some(code) = rest.chars().next() else {
        // A percent sign at the end stands for itself.
        if tag.is_empty() {
            return Ok((HeaderPiece::Text("%".to_owned()), 0));
        }
        return Err(("Unrecognized header format %".to_owned(), used));
    };
    let piece = match code {
        '%' if used == 0 => HeaderPiece::Text("%".to_owned()),
        'D' => HeaderPiece::Duration,
        't' => HeaderPiece::Began,
        'l' => HeaderPiece::Load,
        'i' => HeaderPiece::Idle,
        'b' => HeaderPiece::Busy,
        'e' => HeaderPiece::Var(argument.to_owned()),
        's' => HeaderPiece::Tls(argument.to_owned()),
        _ => {
            let message = format!("Unrecognized header format %{code}");
            return Err((message, used + code.len_utf8()));
        }
    };
    Ok((piece, used + code.len_utf8()))
}

/// Resolves the escapes of a text between formats: `\t` is a tab, `\\` a backslash, others stand for themselves. What would end the line
/// is refused; httpd answers 500 to every request then, or sends a request with another one inside.
fn literal_text(word: &Word, at: usize, literal: &str) -> Result<String, Complaint> {
    let refuse = |part: Range<usize>| {
        Complaint::new("a field's value cannot have line ends or control characters")
            .on_part(word, at + part.start..at + part.end)
            .hint("`\\\\\\\\` is one backslash here")
    };
    let mut text = String::with_capacity(literal.len());
    let mut chars = literal.char_indices().peekable();
    while let Some((place, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match (c, next) {
            ('\\', Some('r' | 'n')) => return Err(refuse(place..place + 2)),
            ('\\', Some(escaped @ ('\\' | 't'))) => {
                chars.next();
                text.push(if escaped == 't' { '\t' } else { '\\' });
            }
            _ if c.is_ascii() && !is_value(&[u8::try_from(c).unwrap_or(0)]) => {
                return Err(refuse(place..place + 1));
            }
            _ => text.push(c),
        }
    }
    Ok(text)
}

const QUOTES: &str = "a value with spaces is put in quotes";
