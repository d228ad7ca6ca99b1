//! One edit, compiled.

use std::borrow::Cow;

use super::value::{Facts, Value};
use crate::config::model::{EditCondition, HeaderAction, HeaderEdit};
use crate::http::fields::{FieldId, FieldName};
use crate::log::{Level, Module, Tag};
use crate::request::{Ask, Case, Pattern, Template};

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

/// A value could not be used: it has control characters. The field is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoilt {
    /// The field.
    pub name: String,
}

impl Spoilt {
    /// Says it in the error log.
    pub fn log(&self, ask: &Ask<'_>) {
        let name = &self.name;
        ask.log_tagged(
            Module::Headers,
            Level::Error,
            Tag::Tn(360),
            format_args!("a value for {name} has control characters; leaving the field as it was"),
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
    pub(super) fn replace(&self, value: &[u8], facts: &Facts<'_>) -> Option<Vec<u8>> {
        let mut groups = self.pattern.captures(value)?;
        let template = self.with.template(facts);
        let mut out = Vec::with_capacity(value.len() + 16);
        let mut rest = value;
        loop {
            let (start, end) = groups.span(0)?;
            out.extend_from_slice(rest.get(..start).unwrap_or_default());
            template.fill(&groups, &mut out);
            rest = rest.get(end..).unwrap_or_default();
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
            if rest.is_empty() {
                break;
            }
            let Some(next) = self.pattern.captures(rest) else {
                break;
            };
            groups = next;
        }
        out.extend_from_slice(rest);
        Some(out)
    }
}
