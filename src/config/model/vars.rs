//! Variables of requests as the configuration describes them: mod_setenvif and mod_env.
//!
//! Know first: mod_setenvif keeps lists that merge by appending, one for the server and one for each section. mod_env keeps one table that
//! merges name by name; what it says is put under the variables that a request has by then, so it never changes one of mod_setenvif's.

use crate::config::setting::Merge;
use crate::config::source::Place;

/// One `SetEnvIf`, `SetEnvIfNoCase`, `BrowserMatch` or `BrowserMatchNoCase`.
#[derive(Debug, Clone, PartialEq)]
pub struct SetEnvIf {
    /// What is compared.
    pub attribute: Attribute,
    /// The line before it, in the same section, compares the same. httpd then looks once for both, so that this one does not see
    /// what the other has set.
    pub repeats: bool,
    /// The regular expression that it is compared with.
    pub pattern: String,
    /// Letters of both cases are the same.
    pub ignores_case: bool,
    /// What becomes of variables when it matches.
    pub changes: Vec<Change>,
    /// Where it stands.
    pub place: Place,
}

/// What a [`SetEnvIf`] compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// `Remote_Addr`.
    RemoteAddr,
    /// `Remote_Host`: the client's name, which is its address, since clients are never resolved.
    RemoteHost,
    /// `Server_Addr`.
    ServerAddr,
    /// `Request_URI`: the path.
    RequestUri,
    /// `Request_Method`.
    RequestMethod,
    /// `Request_Protocol`.
    RequestProtocol,
    /// A request field, else a variable that is set by then.
    Named(String),
    /// The last request field whose name this expression matches.
    Fields(String),
}

/// What becomes of one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Its new value, maybe with `$1`; `None` takes it away.
    pub value: Option<String>,
}

/// `SetEnv`, `PassEnv` and `UnsetEnv` of one section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LateVars {
    /// What is set, in order.
    pub set: Vec<(String, String)>,
    /// What an outer section may have set and this one takes back.
    pub unset: Vec<String>,
}

impl LateVars {
    /// `SetEnv`.
    pub fn put(&mut self, name: &str, value: String) {
        let known = self
            .set
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        match known {
            Some((_, old)) => *old = value,
            None => self.set.push((name.to_owned(), value)),
        }
    }

    /// `UnsetEnv`.
    pub fn take(&mut self, name: &str) {
        self.set
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.unset.push(name.to_owned());
    }
}

impl Merge for LateVars {
    fn merge(base: &Self, section: &Self) -> Self {
        let mut merged = Self {
            set: base.set.clone(),
            unset: Vec::new(),
        };
        for name in &section.unset {
            merged
                .set
                .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        }
        for (name, value) in &section.set {
            merged.put(name, value.clone());
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_back_what_was_set_outside_and_not_what_it_sets_itself_later() {
        let mut outer = LateVars::default();
        outer.put("A", "1".to_owned());
        outer.put("B", "1".to_owned());
        let mut inner = LateVars::default();
        inner.put("C", "1".to_owned());
        inner.take("c");
        inner.take("A");
        inner.take("B");
        inner.put("b", "2".to_owned());
        let merged = LateVars::merge(&outer, &inner);
        assert_eq!(merged.set, [("b".to_owned(), "2".to_owned())]);
    }
}
