//! The response head that the client gets: what leads to a backend is made to lead here.
//!
//! Responsible for: ProxyPassReverse on `Location`, `Content-Location`, `URI` and `Destination`; cookie domains and paths; the fields
//! that end at this hop; `Via`; dates in old forms. Not responsible for content, nor for who answers instead of the backend.
//!
//! Know first: most responses have none of these fields, so everything starts by asking whether it is there. mod_proxy's
//! `ap_proxy_location_reverse_map` and `ap_proxy_cookie_reverse_map`, reference §3.7, §3.8, §6.5.

#[cfg(test)]
mod tests;

use crate::config::model::{CookieMap, DirConfig, ProxyPassReverse};
use crate::http::{FieldId, FieldSet, Fields, date, hop, warning};
use crate::request::Template;
use std::borrow::Cow;

/// Fields whose value is a URL that may lead to a backend.
const URLS: FieldSet = FieldSet::of(&[
    FieldId::Location,
    FieldId::ContentLocation,
    FieldId::Uri,
    FieldId::Destination,
]);
/// Fields whose value is a date.
const DATES: FieldSet = FieldSet::of(&[FieldId::Date, FieldId::Expires, FieldId::LastModified]);

/// What maps a backend's URLs to ours.
pub struct Mirror<'a> {
    /// What the sections say.
    pub dir: &'a DirConfig,
    /// The URLs of a balancer's members, by its name.
    pub members: &'a dyn Fn(&str) -> Vec<&'a str>,
    /// Our own origin, `http://name:port`.
    pub origin: &'a dyn Fn() -> String,
    /// The request's variables.
    pub variable: &'a dyn Fn(&str) -> Option<&'a [u8]>,
}

impl std::fmt::Debug for Mirror<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mirror")
            .field("dir", self.dir)
            .finish_non_exhaustive()
    }
}

impl<'a> Mirror<'a> {
    /// Edits the fields of a response.
    pub fn rewrite(&self, fields: &mut Fields) {
        hop::strip_response(fields);
        // A type that browsers choose from several is nobody's choice: the first one counts, as in httpd.
        fields.keep_first_of(FieldId::ContentType);
        if fields.has(FieldId::Warning) {
            clean_warnings(fields);
        }
        fields.rewrite(|id, _, value| {
            if URLS.has(id) {
                return self.map_url(value);
            }
            if id == FieldId::SetCookie {
                return self.map_cookie(value);
            }
            if DATES.has(id) {
                date::modern(value).map(|text| text.to_vec())
            } else {
                None
            }
        });
    }

    /// The URL for the client, if an entry matches. The first one that does wins.
    fn map_url(&self, value: &[u8]) -> Option<Vec<u8>> {
        let mapped = self
            .dir
            .reverses
            .iter()
            .find_map(|entry| self.map_by(entry, value))?;
        if is_absolute(&mapped) {
            return Some(mapped);
        }
        let mut url = (self.origin)().into_bytes();
        if mapped.first() != Some(&b'/') {
            url.push(b'/');
        }
        url.extend_from_slice(&mapped);
        Some(url)
    }

    fn map_by(&self, entry: &'a ProxyPassReverse, value: &[u8]) -> Option<Vec<u8>> {
        let path = self.filled(&entry.path, entry.interpolate);
        let url = self.filled(&entry.url, entry.interpolate);
        if let Some(name) = strip_prefix(&url, b"balancer://") {
            let name = std::str::from_utf8(name).ok()?;
            let (name, part) = match name.find('/') {
                Some(slash) => name.split_at_checked(slash)?,
                None => (name, ""),
            };
            // A lone slash says no more than none.
            let part = if part == "/" { "" } else { part };
            let mut members = (self.members)(name).into_iter();
            return members.find_map(|member| map_by_member(&path, member, part, value));
        }
        // A path is compared with the path of the URL, whoever it leads to.
        let compared = if url.starts_with(b"/") {
            path_of(value)
        } else {
            value
        };
        let rest = strip_prefix(compared, &url)?;
        (!url.is_empty()).then(|| [&path, rest].concat())
    }

    /// A text with its variables filled in, if that is asked for twice: by `interpolate` and by ProxyPassInterpolateEnv. What could end
    /// a field, or an attribute of a cookie, is not filled in: a client may have chosen it.
    fn filled(&self, text: &'a str, interpolate: bool) -> Cow<'a, [u8]> {
        let is_wanted = interpolate && self.dir.interpolate_env.or(false);
        if !is_wanted || !text.contains("${") {
            return Cow::Borrowed(text.as_bytes());
        }
        let mut filled = Vec::new();
        Template::with_variables(text, false).fill_with(
            |name| {
                (self.variable)(name).filter(|value| {
                    !value
                        .iter()
                        .any(|&byte| byte == b';' || byte < b' ' || byte == 0x7f)
                })
            },
            &mut filled,
        );
        Cow::Owned(filled)
    }

    /// A Set-Cookie value with our domain and path, if an entry matches one of its attributes.
    fn map_cookie(&self, value: &[u8]) -> Option<Vec<u8>> {
        if self.dir.cookie_domains.is_empty() && self.dir.cookie_paths.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(value.len() + 32);
        let mut is_changed = false;
        for (n, part) in value.split(|&byte| byte == b';').enumerate() {
            if n > 0 {
                out.push(b';');
            }
            match self.map_attribute(part) {
                Some((front, public)) => {
                    out.extend_from_slice(front);
                    out.extend_from_slice(&public);
                    is_changed = true;
                }
                None => out.extend_from_slice(part),
            }
        }
        is_changed.then_some(out)
    }

    /// What an attribute of a cookie becomes: what stays in front, and the public value that replaces the whole other.
    fn map_attribute<'p>(&self, part: &'p [u8]) -> Option<(&'p [u8], Cow<'a, [u8]>)> {
        let trimmed = part.trim_ascii_start();
        let find = |name: &[u8], maps: &'a [CookieMap], is_same: fn(&[u8], &[u8]) -> bool| {
            let value = strip_prefix(trimmed, name)?;
            let entry = maps.iter().find(|map| {
                let internal = self.filled(&map.internal, map.interpolate);
                value
                    .get(..internal.len())
                    .is_some_and(|front| is_same(front, &internal))
            })?;
            let public = self.filled(&entry.public, entry.interpolate);
            Some((part.get(..part.len() - value.len())?, public))
        };
        find(b"path=", &self.dir.cookie_paths, |one, two| one == two).or_else(|| {
            find(
                b"domain=",
                &self.dir.cookie_domains,
                <[u8]>::eq_ignore_ascii_case,
            )
        })
    }
}

/// `balancer://name/part`: a URL below any member's own, not only below that of the one that answered. `path` is ours.
fn map_by_member(path: &[u8], member: &str, part: &str, value: &[u8]) -> Option<Vec<u8>> {
    if part.is_empty() {
        let rest = strip_prefix(value, member.as_bytes())?;
        if path == b"/" && rest.first() == Some(&b'/') {
            return Some(rest.to_vec());
        }
        return Some([path, rest].concat());
    }
    let member = member.strip_suffix('/').unwrap_or(member);
    let rest = strip_prefix(value, member.as_bytes())?.strip_prefix(part.as_bytes())?;
    Some([path, rest].concat())
}

/// Takes away the warnings that do not belong to this response.
fn clean_warnings(fields: &mut Fields) {
    let date = fields.get(FieldId::Date).and_then(date::parse);
    fields.rewrite(|id, _, value| (id == FieldId::Warning).then(|| warning::fitting(value, date)));
    fields.retain(|id, _, value| id != FieldId::Warning || !value.is_empty());
}

/// `strip_prefix` for bytes in any case.
fn strip_prefix<'v>(value: &'v [u8], prefix: &[u8]) -> Option<&'v [u8]> {
    let (front, rest) = value.split_at_checked(prefix.len())?;
    front.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The path of a URL; all of it when it has no authority.
fn path_of(value: &[u8]) -> &[u8] {
    let after_scheme = memchr::memmem::find(value, b"://").and_then(|at| value.get(at + 3..));
    after_scheme
        .and_then(|rest| rest.get(memchr::memchr(b'/', rest)?..))
        .unwrap_or(value)
}

/// Whether a value begins with a scheme.
fn is_absolute(value: &[u8]) -> bool {
    let scheme = memchr::memmem::find(value, b"://").and_then(|at| value.get(..at));
    scheme.is_some_and(|scheme| {
        scheme.first().is_some_and(u8::is_ascii_alphabetic)
            && scheme
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
    })
}
