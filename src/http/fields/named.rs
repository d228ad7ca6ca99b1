//! Edits of lines by a name that the configuration chose, which need not be one that tine knows.
//!
//! Know first: these do what APR's tables do, as operators know it from mod_headers: *put* replaces all lines of a name by the first,
//! *extend* lengthens the first line only, *add* never looks what is there, *edit* ends with the edited lines at the end.

use super::{FieldId, FieldSet, Fields, Line, is_token, is_value};

/// The name of a field, recognised once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldName {
    id: FieldId,
    text: Box<[u8]>,
}

impl FieldName {
    /// A name, which has to be a token to do anything.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        Self {
            id: FieldId::of(text),
            text: text.into(),
        }
    }

    /// Which of the names that tine knows it is.
    #[must_use]
    pub const fn id(&self) -> FieldId {
        self.id
    }

    /// The name as it was written.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// Whether this is the same name, in any case.
    #[must_use]
    pub fn is(&self, name: &[u8]) -> bool {
        self.text.eq_ignore_ascii_case(name)
    }

    fn is_of(&self, line: &Line, bytes: &[u8]) -> bool {
        line.id == self.id && (self.id != FieldId::Other || self.is(line.name(bytes)))
    }
}

impl Fields {
    /// The first value of a name.
    #[must_use]
    pub fn first(&self, name: &FieldName) -> Option<&[u8]> {
        let line = self.lines.get(self.place(name)?)?;
        Some(line.value(&self.bytes))
    }

    /// Replaces every line of a name by one, which stands where the first was and is written like it, or else at the end.
    pub fn put(&mut self, name: &FieldName, value: &[u8]) {
        let Some(first) = self.place(name) else {
            self.add(name, value);
            return;
        };
        self.is_dirty |= !is_value(value);
        self.renew(first, |bytes, _| bytes.extend_from_slice(value));
        self.keep_only(name, first);
    }

    /// Adds a line at the end.
    pub fn add(&mut self, name: &FieldName, value: &[u8]) {
        self.is_dirty |= !is_token(&name.text) || !is_value(value);
        self.append(name.id, &name.text, value);
    }

    /// Makes the value a further member of the list in the first line of a name; adds a line when there is none.
    pub fn extend(&mut self, name: &FieldName, value: &[u8]) {
        let Some(first) = self.place(name) else {
            self.add(name, value);
            return;
        };
        self.is_dirty |= !is_value(value);
        self.renew(first, |bytes, lines| {
            if let Some(line) = lines.get(first) {
                bytes.extend_from_within(line.value_range());
            }
            bytes.extend_from_slice(b", ");
            bytes.extend_from_slice(value);
        });
    }

    /// Takes every line of a name away.
    pub fn take_away(&mut self, name: &FieldName) {
        if name.id != FieldId::Other {
            self.remove(name.id);
            return;
        }
        let bytes = &self.bytes;
        self.lines.retain(|line| !name.is_of(line, bytes));
    }

    /// Makes one line of all lines of a name, their values in a row (RFC 9110 §5.3).
    pub fn unite(&mut self, name: &FieldName) {
        let Some(first) = self.place(name) else {
            return;
        };
        let bytes = &self.bytes;
        let of_name = self.lines.iter().filter(|line| name.is_of(line, bytes));
        if of_name.count() < 2 {
            return;
        }
        self.renew(first, |bytes, lines| {
            for (at, line) in lines.iter().enumerate() {
                if !name.is_of(line, bytes) {
                    continue;
                }
                if at != first {
                    bytes.extend_from_slice(b", ");
                }
                bytes.extend_from_within(line.value_range());
            }
        });
        self.keep_only(name, first);
    }

    /// Lets `edit` rewrite the value of every line of a name, of which there are some, and puts these lines last; `None` leaves a value alone.
    pub fn edit(&mut self, name: &FieldName, mut edit: impl FnMut(&[u8]) -> Option<Vec<u8>>) {
        if self.place(name).is_none() {
            return;
        }
        self.rewrite(|id, line, value| {
            let is_same = id == name.id && (id != FieldId::Other || name.is(line));
            if is_same { edit(value) } else { None }
        });
        let bytes = &self.bytes;
        self.lines.sort_by_key(|line| name.is_of(line, bytes));
    }

    /// Puts other lines in front of these.
    pub fn precede(&mut self, others: &Self) {
        for (at, (id, name, value)) in others.iter().enumerate() {
            self.append(id, name, value);
            self.lines
                .get_mut(at..)
                .expect("a line was added for each before")
                .rotate_right(1);
        }
        self.is_dirty |= others.is_dirty;
    }

    fn place(&self, name: &FieldName) -> Option<usize> {
        if !self.seen.meets(FieldSet::of(&[name.id])) {
            return None;
        }
        self.lines
            .iter()
            .position(|line| name.is_of(line, &self.bytes))
    }

    fn keep_only(&mut self, name: &FieldName, first: usize) {
        let bytes = &self.bytes;
        let mut index = 0;
        self.lines.retain(|line| {
            index += 1;
            index - 1 == first || !name.is_of(line, bytes)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::new();
        for (name, value) in lines {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        fields
    }

    fn shown(fields: &Fields) -> String {
        let runs: Vec<u8> = fields.runs(FieldSet::NONE).flatten().copied().collect();
        String::from_utf8(runs).unwrap().replace("\r\n", "; ")
    }

    fn name(text: &str) -> FieldName {
        FieldName::new(text.as_bytes())
    }

    #[test]
    fn edits_by_name_do_what_aprs_tables_do() {
        type Edit = fn(&mut Fields);
        let rows: &[(&str, Edit, &str)] = &[
            (
                "put replaces all",
                |f| f.put(&name("X-A"), b"new"),
                "Host: h; x-a: new; Via: v; ",
            ),
            (
                "put adds what is missing",
                |f| f.put(&name("X-B"), b"b"),
                "Host: h; x-a: 1; Via: v; X-a: 2; X-B: b; ",
            ),
            (
                "put of a known name",
                |f| f.put(&name("HOST"), b"g"),
                "Host: g; x-a: 1; Via: v; X-a: 2; ",
            ),
            (
                "add never looks",
                |f| f.add(&name("X-A"), b"3"),
                "Host: h; x-a: 1; Via: v; X-a: 2; X-A: 3; ",
            ),
            (
                "extend lengthens the first line",
                |f| f.extend(&name("X-A"), b"3"),
                "Host: h; x-a: 1, 3; Via: v; X-a: 2; ",
            ),
            (
                "take away",
                |f| f.take_away(&name("X-A")),
                "Host: h; Via: v; ",
            ),
            (
                "take away a known name",
                |f| f.take_away(&name("via")),
                "Host: h; x-a: 1; X-a: 2; ",
            ),
            (
                "unite",
                |f| f.unite(&name("X-A")),
                "Host: h; x-a: 1, 2; Via: v; ",
            ),
            (
                "unite what is one",
                |f| f.unite(&name("via")),
                "Host: h; x-a: 1; Via: v; X-a: 2; ",
            ),
            (
                "edit every line",
                |f| f.edit(&name("X-A"), |v| Some([v, b"!"].concat())),
                "Host: h; Via: v; x-a: 1!; X-a: 2!; ",
            ),
            (
                "precede",
                |f| f.precede(&fields(&[("A", "1"), ("B", "2")])),
                "A: 1; B: 2; Host: h; x-a: 1; Via: v; X-a: 2; ",
            ),
        ];
        for (what, edit, expected) in rows {
            let mut edited = fields(&[("Host", "h"), ("x-a", "1"), ("Via", "v"), ("X-a", "2")]);
            edit(&mut edited);
            assert_eq!(shown(&edited), *expected, "{what}");
            assert!(edited.is_clean(), "{what}");
        }
    }

    #[test]
    fn what_could_split_a_message_is_noticed() {
        let edits: [fn(&mut Fields); 4] = [
            |f| f.put(&name("Host"), b"a\nb"),
            |f| f.put(&name("a b"), b"c"),
            |f| f.extend(&name("Host"), b"\r"),
            |f| f.add(&name(""), b"x"),
        ];
        for edit in edits {
            let mut edited = fields(&[("Host", "h")]);
            edit(&mut edited);
            assert!(!edited.is_clean());
        }
    }
}
