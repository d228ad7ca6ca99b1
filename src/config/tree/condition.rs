//! `<IfModule>`, `<IfDefine>`, `<IfVersion>`, `<IfFile>`, `<IfDirective>` and `<IfSection>`: decided while reading.

use super::{Fault, Node, Reader};
use crate::config::args::{Word, words};
use crate::config::diagnostic::last_line;
use regex::Regex;
use std::cmp::Ordering;

/// The version that we claim to be: what `<IfVersion>` compares with.
const VERSION_CLAIMED: [u32; 3] = [2, 4, 63];

/// The sections that are conditions.
const NAMES: [&str; 6] = [
    "IfModule",
    "IfDefine",
    "IfVersion",
    "IfFile",
    "IfDirective",
    "IfSection",
];

impl Reader<'_> {
    /// Whether a condition holds; `None` when the section is none.
    pub(super) fn condition(&self, node: &Node) -> Option<Result<bool, Fault>> {
        let name = NAMES
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(&node.name))?;
        Some(self.decide(name, node))
    }

    fn decide(&self, name: &str, node: &Node) -> Result<bool, Fault> {
        let Some(args) = node.section_args() else {
            return Err(Fault::new(format!(
                "<{name}> directive missing closing '>'"
            )));
        };
        let words = words(node.text.as_str(), args);
        let Some(first) = words.first() else {
            return Err(Fault::new(format!(
                "<{name}> directive requires additional arguments"
            )));
        };
        if name == "IfVersion" {
            return version(&words);
        }
        let (negated, what) = match first.text.strip_prefix('!') {
            Some(what) => (true, what),
            None => (false, first.text.as_str()),
        };
        let holds = match name {
            "IfModule" => self.modules.answers_to(what),
            "IfDefine" => self.defines.iter().any(|(known, _)| known == what),
            "IfFile" => self.absolute(what).exists(),
            "IfDirective" => (self.outside.knows)(what, &self.modules),
            _ => (self.outside.knows)(&format!("<{}", what.trim_start_matches('<')), &self.modules),
        };
        Ok(holds != negated)
    }
}

/// Decides `[[!]op] version`.
fn version(words: &[Word]) -> Result<bool, Fault> {
    let (operator, operand) = match words {
        [operand] if operand.text.starts_with(['!', '=', '<', '>', '~']) => {
            return Err(
                Fault::new("<IfVersion> needs a version behind the operator")
                    .on(operand.range.clone()),
            );
        }
        [operand] => (None, operand),
        [operator, operand, ..] => (Some(operator), operand),
        [] => return Ok(false),
    };
    let (negated, symbol) = match operator.map(|word| word.text.as_str()) {
        None => (false, "="),
        Some(text) => match text.strip_prefix('!') {
            Some(symbol) => (true, symbol),
            None => (false, text),
        },
    };
    let is_regex = symbol == "~" || (matches!(symbol, "=" | "==") && operand.text.starts_with('/'));
    let holds = if is_regex {
        by_regex(operand, symbol)?
    } else {
        by_number(symbol, operator, operand)?
    };
    Ok(holds != negated)
}

fn by_regex(operand: &Word, symbol: &str) -> Result<bool, Fault> {
    let mut pattern = operand.text.as_str();
    if symbol != "~" {
        pattern = pattern
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix('/'))
            .ok_or_else(|| {
                Fault::new("Missing delimiting / of regular expression.").on(operand.range.clone())
            })?;
    }
    let pattern = Regex::new(pattern).map_err(|error| {
        Fault::new("Unable to compile regular expression")
            .on(operand.range.clone())
            .hint(last_line(&error.to_string()))
    })?;
    let [major, minor, patch] = VERSION_CLAIMED;
    Ok(pattern.is_match(&format!("{major}.{minor}.{patch}")))
}

fn by_number(symbol: &str, operator: Option<&Word>, operand: &Word) -> Result<bool, Fault> {
    let message = "Version appears to be invalid. It must have the format major[.minor[.patch]] where major, minor and patch are numbers.";
    let mut wanted = [0_u32; 3];
    let mut parts = operand.text.split('.');
    for (slot, part) in wanted.iter_mut().zip(parts.by_ref()) {
        *slot = part
            .parse()
            .map_err(|_| Fault::new(message).on(operand.range.clone()))?;
    }
    if parts.next().is_some() {
        return Err(Fault::new(message).on(operand.range.clone()));
    }
    let order = VERSION_CLAIMED.cmp(&wanted);
    match symbol {
        "=" | "==" | "" => Ok(order == Ordering::Equal),
        ">" => Ok(order == Ordering::Greater),
        ">=" => Ok(order != Ordering::Less),
        "<" => Ok(order == Ordering::Less),
        "<=" => Ok(order != Ordering::Greater),
        _ => {
            let written = operator.map_or("", |word| word.text.as_str());
            let range = operator.map_or_else(|| operand.range.clone(), |word| word.range.clone());
            Err(Fault::new(format!("unrecognized operator '{written}'")).on(range))
        }
    }
}
