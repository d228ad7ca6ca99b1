//! `<Macro>`, `Use` and `UndefMacro`.
//!
//! Responsible for: keeping a macro's lines and reading them again with its parameters replaced. The lines of one use become a text of
//! their own, named as mod_macro names it, so that every message says which macro and which use it is about.

use super::{Fault, Node, Reader};
use crate::config::args::{Word, words};
use crate::config::lex::Cursor;

/// What the use of a macro costs besides its text.
const USE_BYTES: usize = 256;

/// A macro.
#[derive(Debug, Clone)]
pub(super) struct Macro {
    name: String,
    parameters: Vec<String>,
    lines: Vec<String>,
    /// `defined on line N of "FILE"`.
    defined: String,
}

impl Reader<'_> {
    /// Reads a macro's definition up to `</Macro>`.
    pub(super) fn define_macro(&mut self, node: &Node, cursor: &mut Cursor) -> Result<(), Fault> {
        let lines = self.body(cursor);
        let Some(lines) = lines else {
            return Err(
                Fault::new(format!("{}: <Macro> was not closed.", node.place))
                    .hint("add `</Macro>`"),
            );
        };
        let Some(args) = node.section_args() else {
            return Err(Fault::new("<Macro> directive missing closing '>'"));
        };
        let words = words(node.text.as_str(), args);
        let Some((name, parameters)) = words.split_first() else {
            return Err(Fault::new("<Macro macro definition: name not found"));
        };
        let defined = format!(
            "defined on line {} of \"{}\"",
            node.place.line, node.place.file
        );
        check_parameters(&name.text, &defined, parameters)?;
        self.macros
            .retain(|known| !known.name.eq_ignore_ascii_case(&name.text));
        self.macros.push(Macro {
            name: name.text.to_ascii_lowercase(),
            parameters: parameters.iter().map(|word| word.text.clone()).collect(),
            lines,
            defined,
        });
        Ok(())
    }

    /// The lines up to the matching `</Macro>`; `None` when there is none.
    fn body(&self, cursor: &mut Cursor) -> Option<Vec<String>> {
        let mut lines = Vec::new();
        let mut depth = 0_usize;
        loop {
            let line = cursor.any(&self.sources)?.ok()?;
            let text = line.text.as_str();
            if starts_with(text, "<macro") {
                depth += 1;
            } else if starts_with(text, "</macro") {
                match depth.checked_sub(1) {
                    Some(outer) => depth = outer,
                    None => return Some(lines),
                }
            }
            lines.push(text.to_owned());
        }
    }

    /// Reads a macro's lines with its parameters replaced.
    pub(super) fn use_macro(&mut self, node: &Node) -> Result<Vec<Node>, Fault> {
        if self.macros.is_empty() {
            return Err(Fault::new("no macro defined before Use"));
        }
        let words = node.words();
        let Some((name, values)) = words.split_first() else {
            return Err(Fault::new("no macro name specified with Use"));
        };
        let Some(found) = self
            .macros
            .iter()
            .find(|known| known.name.eq_ignore_ascii_case(&name.text))
            .cloned()
        else {
            return Err(
                Fault::new(format!("macro '{}' undefined", name.text)).on(name.range.clone())
            );
        };
        if self.macros_in_use.contains(&found.name) {
            return Err(Fault::new(format!(
                "recursive use of macro '{}' is invalid",
                found.name
            ))
            .on(name.range.clone()));
        }
        if found.parameters.len() != values.len() {
            let message = format!(
                "macro '{}' ({}) used with {} arguments instead of {}",
                found.name,
                found.defined,
                values.len(),
                found.parameters.len()
            );
            return Err(Fault::new(message));
        }
        let text: String = found
            .lines
            .iter()
            .map(|line| substitute(line, &found.parameters, values) + "\n")
            .collect();
        self.take_room(text.len() + USE_BYTES)?;
        let title = format!(
            "macro '{}' ({}) used on line {} of \"{}\"",
            found.name, found.defined, node.place.line, node.place.file
        );
        self.macros_in_use.push(found.name);
        let nodes = self.text(&title, &text);
        self.macros_in_use.pop();
        Ok(nodes)
    }

    /// Forgets a macro.
    pub(super) fn undefine_macro(&mut self, node: &Node) -> Result<(), Fault> {
        let words = node.words();
        let [name] = words.as_slice() else {
            return Err(Fault::new("no macro name specified with UndefMacro"));
        };
        let before = self.macros.len();
        self.macros
            .retain(|known| !known.name.eq_ignore_ascii_case(&name.text));
        if self.macros.len() == before {
            return Err(
                Fault::new(format!("cannot remove undefined macro '{}'", name.text))
                    .on(name.range.clone()),
            );
        }
        Ok(())
    }
}

fn check_parameters(name: &str, defined: &str, parameters: &[Word]) -> Result<(), Fault> {
    for (later, parameter) in parameters.iter().enumerate() {
        if parameter.text.is_empty() {
            let message = format!(
                "macro '{name}' ({defined}): empty argument #{} name",
                later + 1
            );
            return Err(Fault::new(message).on(parameter.range.clone()));
        }
        let earlier = parameters
            .iter()
            .take(later)
            .position(|other| other.text == parameter.text);
        if let Some(earlier) = earlier {
            let message = format!(
                "argument name conflict in macro '{name}' ({defined}): argument '{}': #{} and #{}, change argument names!",
                parameter.text,
                earlier + 1,
                later + 1
            );
            return Err(Fault::new(message).on(parameter.range.clone()));
        }
    }
    Ok(())
}

/// Replaces every parameter in a line; where two begin at the same byte the longer one wins.
fn substitute(line: &str, parameters: &[String], values: &[Word]) -> String {
    let mut result = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let matching = parameters
            .iter()
            .zip(values)
            .filter(|(parameter, _)| rest.starts_with(parameter.as_str()));
        let (length, text) = match matching.max_by_key(|(parameter, _)| parameter.len()) {
            Some((parameter, value)) => (parameter.len(), value.text.as_str()),
            None => (
                first.len_utf8(),
                rest.get(..first.len_utf8()).unwrap_or_default(),
            ),
        };
        result.push_str(text);
        rest = rest.get(length..).unwrap_or_default();
    }
    result
}

/// True when a line opens or closes a section of this name.
fn starts_with(text: &str, prefix: &str) -> bool {
    let Some(head) = text.get(..prefix.len()) else {
        return false;
    };
    let after = text
        .get(prefix.len()..)
        .and_then(|rest| rest.chars().next());
    head.eq_ignore_ascii_case(prefix) && after.is_none_or(|c| c == '>' || c.is_whitespace())
}
