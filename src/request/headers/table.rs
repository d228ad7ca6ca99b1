//! What edits work on: the fields of a request, or one of a response's two tables.

use std::sync::Arc;

use super::edit::{Action, Edit, Spoilt};
use super::value::{Facts, Value};
use crate::http::fields::{FieldId, FieldName, FieldSet, Fields, is_value};
use crate::log::Environment;
use crate::request::Pattern;

/// Fields and what belongs to them.
pub(super) struct Table<'a> {
    fields: &'a mut Fields,
    /// Nothing of it for a request.
    response: Option<Response<'a>>,
}

/// What a response has beside its fields.
struct Response<'a> {
    media_type: &'a mut Option<Vec<u8>>,
    notes: &'a mut Environment,
}

/// Fields that speak of one connection or of its messages: `echo` does not send a client's own back.
const OF_THE_HOP: FieldSet = FieldSet::of(&[
    FieldId::Connection,
    FieldId::KeepAlive,
    FieldId::ProxyConnection,
    FieldId::ContentLength,
    FieldId::TransferEncoding,
    FieldId::Upgrade,
    FieldId::Te,
    FieldId::Trailer,
]);

impl<'a> Table<'a> {
    pub(super) fn request(fields: &'a mut Fields) -> Self {
        Self {
            fields,
            response: None,
        }
    }

    pub(super) fn response(
        fields: &'a mut Fields,
        media_type: &'a mut Option<Vec<u8>>,
        notes: &'a mut Environment,
    ) -> Self {
        Self {
            fields,
            response: Some(Response { media_type, notes }),
        }
    }

    /// Makes edits in order. A value that cannot be used is left out and named; the others are made.
    pub(super) fn edit(&mut self, edits: &[Arc<Edit>], facts: &Facts<'_>) -> Result<(), Spoilt> {
        let mut result = Ok(());
        for edit in edits {
            if edit.is_wanted(facts) && !self.make(edit, facts) {
                result = Err(Spoilt {
                    name: String::from_utf8_lossy(edit.name.as_bytes()).into_owned(),
                });
            }
        }
        result
    }

    /// Makes one edit; false when its value cannot be used.
    fn make(&mut self, edit: &Edit, facts: &Facts<'_>) -> bool {
        let name = &edit.name;
        match &edit.action {
            Action::Set(value) => self.valued(value, facts, |table, value| table.set(name, value)),
            Action::SetIfEmpty(value) => {
                self.fields.first(name).is_some()
                    || self.valued(value, facts, |table, value| table.set(name, value))
            }
            Action::Add(value) => {
                self.valued(value, facts, |table, value| table.fields.add(name, value))
            }
            Action::Append(value) => self.valued(value, facts, |table, value| {
                table.unite(name);
                table.fields.extend(name, value);
            }),
            Action::Merge(value) => self.valued(value, facts, |table, value| {
                table.unite(name);
                let list = table.fields.first(name);
                if list.is_none_or(|list| !has_member(list, value)) {
                    table.fields.extend(name, value);
                }
            }),
            Action::Unset => {
                self.fields.take_away(name);
                if let Some(response) = self.response_of(name) {
                    *response.media_type = None;
                }
                true
            }
            Action::Replace(replacement) => {
                self.unite(name);
                let mut is_fine = true;
                let mut replaced = |value: &[u8]| {
                    let new = replacement.replace(value, facts);
                    is_fine &= new.is_ok();
                    new.ok().flatten()
                };
                self.fields.edit(name, &mut replaced);
                if let Some(response) = self.response_of(name)
                    && let Some(new) = response.media_type.as_deref().and_then(replaced)
                {
                    *response.media_type = Some(new);
                }
                is_fine
            }
            Action::Echo(pattern) => {
                self.echo(pattern, facts.request);
                true
            }
            Action::Note(value) => {
                self.note(name, &value.fill(facts));
                true
            }
        }
    }

    /// Does something with a value, if it is one.
    fn valued(
        &mut self,
        value: &Value,
        facts: &Facts<'_>,
        make: impl FnOnce(&mut Self, &[u8]),
    ) -> bool {
        let value = value.fill(facts);
        let is_fine = is_value(&value);
        if is_fine {
            make(self, &value);
        }
        is_fine
    }

    fn set(&mut self, name: &FieldName, value: &[u8]) {
        self.fields.put(name, value);
        if let Some(response) = self.response_of(name) {
            *response.media_type = Some(value.to_vec());
        }
    }

    /// A request's lines of one name are one list; a response's are what they are.
    fn unite(&mut self, name: &FieldName) {
        if self.response.is_none() {
            self.fields.unite(name);
        }
    }

    /// The response, when the name is that of its media type.
    fn response_of(&mut self, name: &FieldName) -> Option<&mut Response<'a>> {
        self.response
            .as_mut()
            .filter(|_| name.id() == FieldId::ContentType)
    }

    fn echo(&mut self, pattern: &Pattern, request: Option<&Fields>) {
        for (id, name, value) in request.into_iter().flat_map(Fields::iter) {
            if !OF_THE_HOP.has(id) && pattern.is_match(name) {
                self.fields.push(name, value);
            }
        }
    }

    fn note(&mut self, name: &FieldName, note: &[u8]) {
        let note = String::from_utf8_lossy(note);
        if let Some(response) = &mut self.response {
            match self.fields.first(name) {
                Some(value) => response.notes.set(&note, value),
                None => {
                    response.notes.unset(&note);
                }
            }
        }
    }
}

/// Whether a list has a member, which may have commas in quotes. As in httpd, blanks in front of a member do not count and those behind it
/// do.
pub(super) fn has_member(list: &[u8], member: &[u8]) -> bool {
    let mut rest = list;
    while !rest.is_empty() {
        rest = rest.trim_ascii_start();
        let mut is_quoted = false;
        let end = rest.iter().position(|&byte| {
            is_quoted ^= byte == b'"';
            byte == b',' && !is_quoted
        });
        let (found, after) = rest.split_at(end.unwrap_or(rest.len()));
        if found == member {
            return true;
        }
        rest = after.get(1..).unwrap_or_default();
    }
    false
}
