//! Text of the configuration that a request fills in: groups of a match, as httpd's `ap_pregsub` does, and variables of the request, as
//! mod_proxy's `interpolate` does: `/x/$1`, `/${zone}/x`.
//!
//! Responsible for: finding the places and what stands there. Not responsible for what the result may be: whoever fills a template in
//! judges it, and can tell what the request gave from what the configuration says ([`Part`]).
//!
//! Know first: one pass. What a variable holds is never read as a template again, so a value `$1` stays that.

use super::Groups;
use crate::log::Environment;

/// Text with places for groups and variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
    is_literal: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Group(usize),
    Variable(String),
}

/// A part of a text that was filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// What it says.
    pub bytes: &'a [u8],
    /// The request gave it.
    pub is_given: bool,
}

impl Template {
    /// A text without places.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        let mut template = Self {
            pieces: Vec::new(),
            is_literal: true,
        };
        template.push_text(text.as_bytes().to_vec());
        template
    }

    /// Reads `$0` to `$9`; a backslash makes the next byte ordinary.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut template = Self::literal("");
        template.push_groups(text);
        template
    }

    /// Reads `${NAME}`, and around it what [`Self::parse`] reads if the text `has_groups`.
    #[must_use]
    pub fn with_variables(text: &str, has_groups: bool) -> Self {
        let mut template = Self::literal("");
        let mut rest = text;
        while let Some((before, name, after)) = split_variable(rest) {
            template.push_some(before, has_groups);
            template.pieces.push(Piece::Variable(name.to_owned()));
            rest = after;
        }
        template.push_some(rest, has_groups);
        template
    }

    fn push_some(&mut self, text: &str, has_groups: bool) {
        if has_groups {
            self.push_groups(text);
        } else {
            self.push_text(text.as_bytes().to_vec());
        }
    }

    fn push_groups(&mut self, text: &str) {
        let mut run = Vec::new();
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match (byte, bytes.peek().copied()) {
                (b'$', Some(digit)) if digit.is_ascii_digit() => {
                    bytes.next();
                    self.push_text(std::mem::take(&mut run));
                    self.pieces.push(Piece::Group(usize::from(digit - b'0')));
                    self.is_literal = false;
                }
                (b'\\', Some(next)) => {
                    bytes.next();
                    run.push(next);
                    self.is_literal = false;
                }
                _ => run.push(byte),
            }
        }
        self.push_text(run);
    }

    fn push_text(&mut self, text: Vec<u8>) {
        if !text.is_empty() {
            self.pieces.push(Piece::Text(text));
        }
    }

    /// Whether a match changes nothing in it. httpd then appends the whole path.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.is_literal
    }

    /// Whether a request changes nothing in it.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.pieces
            .iter()
            .all(|piece| matches!(piece, Piece::Text(_)))
    }

    /// The parts of the text filled in. A group that took no part and a variable that is not set are empty.
    pub fn parts<'a>(
        &'a self,
        groups: Option<&'a Groups<'a>>,
        vars: &'a Environment,
    ) -> impl Iterator<Item = Part<'a>> {
        self.pieces.iter().map(move |piece| match piece {
            Piece::Text(text) => Part {
                bytes: text,
                is_given: false,
            },
            Piece::Group(n) => Part {
                bytes: groups.map_or(&[], |groups| groups.get(*n)),
                is_given: true,
            },
            Piece::Variable(name) => Part {
                bytes: vars.value(name).unwrap_or_default(),
                is_given: true,
            },
        })
    }

    /// Appends the text with variables filled in, as `variable` knows them; groups are empty.
    pub fn fill_with<'v>(&self, variable: impl Fn(&str) -> Option<&'v [u8]>, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Variable(name) => out.extend_from_slice(variable(name).unwrap_or_default()),
                Piece::Group(_) => {}
            }
        }
    }

    /// Appends the text with groups filled in; variables are empty.
    pub fn fill(&self, groups: &Groups<'_>, out: &mut Vec<u8>) {
        static NO_VARS: Environment = Environment::new();
        self.fill_in(Some(groups), &NO_VARS, out);
    }

    /// Appends the text with groups and variables filled in.
    pub fn fill_in(&self, groups: Option<&Groups<'_>>, vars: &Environment, out: &mut Vec<u8>) {
        for part in self.parts(groups, vars) {
            out.extend_from_slice(part.bytes);
        }
    }
}

/// Splits a text at its first `${NAME}`.
fn split_variable(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("${")?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::super::{Case, Pattern};
    use super::*;

    fn filled(template: &Template, pattern: &str, path: &str) -> String {
        let pattern = Pattern::compile(pattern, Case::Sensitive).unwrap();
        let groups = pattern.captures(path.as_bytes()).unwrap();
        let mut vars = Environment::new();
        vars.set("zone", b"eu");
        vars.set("odd", b"$1${zone}\\");
        let mut out = Vec::new();
        template.fill_in(Some(&groups), &vars, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn groups_are_filled_in_and_escapes_are_ordinary() {
        // (pattern, template, path, result, is literal)
        let table = [
            ("^/m/(.*)$", "/x/$1?z=$1", "/m/a", "/x/a?z=a", false),
            ("^/(a)(b)?", "/$2/$1", "/a", "//a", false),
            ("^/.*", "/p$0", "/q", "/p/q", false),
            ("^/.*", r"/\$1$", "/q", "/$1$", false),
            ("^/.*", "/plain$x", "/q", "/plain$x", true),
            ("^/.*", "/${zone}", "/q", "/${zone}", true),
        ];
        for (pattern, template, path, result, is_literal) in table {
            let parsed = Template::parse(template);
            assert_eq!(
                (filled(&parsed, pattern, path).as_str(), parsed.is_literal()),
                (result, is_literal)
            );
        }
    }

    #[test]
    fn variables_are_filled_in_once_and_missing_ones_are_empty() {
        // (template, with groups, result, is literal, is fixed)
        let table = [
            ("/${zone}/x", false, "/eu/x", true, false),
            ("/${ZONE}${none}/x", false, "/eu/x", true, false),
            ("/$1/${zone}", false, "/$1/eu", true, false),
            ("/$1/${zone}/$1", true, "/p/eu/p", false, false),
            ("/${odd}", true, "/$1${zone}\\", true, false),
            ("/${zone", false, "/${zone", true, true),
            ("/x", true, "/x", true, true),
        ];
        for (template, has_groups, result, is_literal, is_fixed) in table {
            let parsed = Template::with_variables(template, has_groups);
            assert_eq!(filled(&parsed, "^/(.)", "/p"), result, "{template}");
            assert_eq!(
                (parsed.is_literal(), parsed.is_fixed()),
                (is_literal, is_fixed),
                "{template}"
            );
        }
    }

    #[test]
    fn what_the_request_gave_is_told_from_what_the_configuration_says() {
        let template = Template::with_variables("a${zone}b", false);
        let mut vars = Environment::new();
        vars.set("zone", b"eu");
        let parts: Vec<_> = template
            .parts(None, &vars)
            .map(|part| (part.bytes, part.is_given))
            .collect();
        assert_eq!(
            parts,
            [(&b"a"[..], false), (&b"eu"[..], true), (&b"b"[..], false)]
        );
    }
}
