//! Cookies as requests carry them (RFC 6265 §5.4), for sticky sessions and logs.
//!
//! Know first: a name is compared whole. Searching for `ROUTE=` in the text, as old proxies did, also finds
//! `XROUTE=`. httpd ends a value at a comma too, since some clients fold cookies into one list.

use super::{FieldId, Fields};

/// The value of the first cookie of this name.
#[must_use]
pub fn find<'f>(fields: &'f Fields, name: &[u8]) -> Option<&'f [u8]> {
    all(fields)
        .find(|(other, _)| *other == name)
        .map(|(_, value)| value)
}

/// All cookies of a request, in order: `(name, value)`.
pub fn all(fields: &Fields) -> impl Iterator<Item = (&[u8], &[u8])> {
    fields.all(FieldId::Cookie).flat_map(pairs)
}

/// The cookies of one `Cookie` value. Pieces without `=` name nothing and are skipped.
pub fn pairs(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    value
        .split(|&b| b == b';' || b == b',')
        .filter_map(|piece| {
            let equals = memchr::memchr(b'=', piece)?;
            let (name, value) = piece.split_at_checked(equals)?;
            Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_whole_and_in_their_case() {
        let mut fields = Fields::new();
        fields.push(b"Cookie", b"XROUTE=no; route=no;ROUTE=a.1 ; ROUTE=later");
        fields.push(b"cookie", b"JSESSIONID=x.node2,b=; =c; junk; e=f=g");
        let table: [(&str, Option<&str>); 7] = [
            ("ROUTE", Some("a.1")),
            ("OUTE", None),
            ("JSESSIONID", Some("x.node2")),
            ("b", Some("")),
            ("", Some("c")),
            ("junk", None),
            ("e", Some("f=g")),
        ];
        for (name, value) in table {
            let found = find(&fields, name.as_bytes());
            assert_eq!(found, value.map(str::as_bytes), "{name}");
        }
    }
}
