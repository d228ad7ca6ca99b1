//! One edit, compiled.

use std::borrow::Cow;

use super::value::{Facts, Value};
use crate::config::model::{EditCondition, HeaderAction, HeaderEdit};
use crate::http::Status;
use crate::http::fields::{FieldId, FieldName, is_value};
use crate::log::{Level, Module, Tag};
use crate::request::{Answer, Ask, Case, Pattern, Template};

/// One `Header` or `RequestHeader` line.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) name: FieldName,
    pub(super) action: Action,
    condition: Condition,
}

/// What it does.
#[derive(Debug)]
pub(super) enum Action {
    Set(Value),
    SetIfEmpty(Value),
    Add(Value),
    Append(Value),
    Merge(Value),
    Unset,
    Replace(Replacement),
    Echo(Pattern),
    Note(Value),
}

/// `edit` and `edit*`.
#[derive(Debug)]
pub(super) struct Replacement {
    pattern: Pattern,
    with: With,
    every: bool,
}

#[derive(Debug)]
enum With {
    Template(Template),
    /// A text with formats is filled in first; what comes of it is the template.
    Value(Value),
}

#[derive(Debug)]
enum Condition {
    Always,
    Set(String),
    Unset(String),
}

/// A value could not be used: it has control characters, or is too long to be edited. The field is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoilt {
    /// The field.
    pub name: String,
}

impl Spoilt {
    /// What a client is told when the field matters: without the edit, what it sent or a backend said would pass for what the configuration
    /// wants.
    #[must_use]
    pub fn answer(&self, ask: &Ask<'_>) -> Box<Answer> {
        let name = &self.name;
        ask.log_tagged(
            Module::Headers,
            Level::Error,
            Tag::Tn(360),
            format_args!("a value for {name} has control characters or is too long to be edited; answering 500"),
        );
        Answer::error(ask, Status::INTERNAL_SERVER_ERROR)
    }

    /// Says that a page of ours goes without the field.
    pub fn log(&self, ask: &Ask<'_>) {
        let name = &self.name;
        ask.log_tagged(
            Module::Headers,
            Level::Error,
            Tag::Tn(361),
            format_args!("a value for {name} has control characters or is too long to be edited; leaving it out"),
        );
    }
}

impl Edit {
    /// Compiles a line.
    ///
    /// # Errors
    /// The expression that cannot be used, and why.
    pub(super) fn compile(line: &HeaderEdit) -> Result<Self, (String, String)> {
        let pattern = |text: &str| {
            Pattern::compile(text, Case::Sensitive).map_err(|why| (text.to_owned(), why))
        };
        Ok(Self {
            name: FieldName::new(line.name.as_bytes()),
            action: match &line.action {
                HeaderAction::Set(value) => Action::Set(Value::compile(value)),
                HeaderAction::SetIfEmpty(value) => Action::SetIfEmpty(Value::compile(value)),
                HeaderAction::Add(value) => Action::Add(Value::compile(value)),
                HeaderAction::Append(value) => Action::Append(Value::compile(value)),
                HeaderAction::Merge(value) => Action::Merge(Value::compile(value)),
                HeaderAction::Unset => Action::Unset,
                HeaderAction::Edit {
                    pattern: text,
                    with,
                    every,
                } => Action::Replace(Replacement {
                    pattern: pattern(text)?,
                    with: With::compile(Value::compile(with)),
                    every: *every,
                }),
                HeaderAction::Echo => Action::Echo(pattern(&line.name)?),
                HeaderAction::Note(value) => Action::Note(Value::compile(value)),
            },
            condition: match &line.condition {
                EditCondition::Always | EditCondition::Early => Condition::Always,
                EditCondition::Set(name) => Condition::Set(name.clone()),
                EditCondition::Unset(name) => Condition::Unset(name.clone()),
            },
        })
    }

    pub(super) fn is_wanted(&self, facts: &Facts<'_>) -> bool {
        match &self.condition {
            Condition::Always => true,
            Condition::Set(name) => facts.var(name).is_some(),
            Condition::Unset(name) => facts.var(name).is_none(),
        }
    }

    /// Whether it is about a name that tine knows.
    pub(super) fn is_about(&self, id: FieldId) -> bool {
        self.name.id() == id
    }

    /// Whether there may be a line of this name because of it.
    pub(super) fn writes(&self, name: &[u8]) -> bool {
        match self.action {
            Action::Set(_)
            | Action::SetIfEmpty(_)
            | Action::Add(_)
            | Action::Append(_)
            | Action::Merge(_)
            | Action::Replace(_) => self.name.is(name),
            Action::Unset | Action::Echo(_) | Action::Note(_) => false,
        }
    }
}

impl With {
    fn compile(value: Value) -> Self {
        match &value {
            Value::Fixed(text) => match std::str::from_utf8(text) {
                Ok(text) => Self::Template(Template::parse(text)),
                Err(_) => Self::Value(value),
            },
            Value::Pieces(_) => Self::Value(value),
        }
    }

    fn template(&self, facts: &Facts<'_>) -> Cow<'_, Template> {
        match self {
            Self::Template(template) => Cow::Borrowed(template),
            Self::Value(value) => {
                let text = value.fill(facts);
                Cow::Owned(Template::parse(&String::from_utf8_lossy(&text)))
            }
        }
    }
}

impl Replacement {
    /// The value with what matches replaced; `None` when nothing does.
    ///
    /// # Errors
    /// The value is or becomes longer than [`VALUE_MAX`], or could split a message.
    pub(super) fn replace(
        &self,
        value: &[u8],
        facts: &Facts<'_>,
    ) -> Result<Option<Vec<u8>>, Unusable> {
        let mut groups = match self.pattern.captures(value) {
            Some(_) if value.len() > VALUE_MAX => return Err(Unusable),
            Some(groups) => groups,
            None => return Ok(None),
        };
        let template = self.with.template(facts);
        let mut out = Vec::with_capacity(value.len() + 16);
        let mut rest = value;
        while let Some((start, end)) = groups.span(0) {
            out.extend_from_slice(rest.get(..start).unwrap_or_default());
            template.fill(&groups, &mut out);
            rest = rest.get(end..).unwrap_or_default();
            if out.len() + rest.len() > VALUE_MAX {
                return Err(Unusable);
            }
            if !self.every {
                break;
            }
            if end == 0 {
                // Nothing was matched: what stands there stays, and the search goes on behind it. httpd never ends here.
                let Some((first, behind)) = rest.split_first() else {
                    break;
                };
                out.push(*first);
                rest = behind;
            }
            let next = (!rest.is_empty()).then(|| self.pattern.captures(rest));
            match next.flatten() {
                Some(next) => groups = next,
                None => break,
            }
        }
        out.extend_from_slice(rest);
        if is_value(&out) {
            Ok(Some(out))
        } else {
            Err(Unusable)
        }
    }
}

/// A value is too long to be edited, or what comes of it is no value.
#[derive(Debug)]
pub(super) struct Unusable;

/// The longest value that is edited with an expression, and the longest that may come of it, which is httpd's limit for a substitution: every
/// match costs time, and a client chooses how many there are.
const VALUE_MAX: usize = 64 * 1024;
