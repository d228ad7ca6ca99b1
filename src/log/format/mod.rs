//! LogFormat: compiled once into a list of items, then rendered for each exchange without allocating.
//!
//! Every code of mod_log_config and mod_logio that means something for a proxy is here; `%{trace}n` is ours. The
//! compiler is in `compile`, the writing of single items in `item`, the names of formats in `nickname`.
//!
//! A code without a value prints `-`. Everything that a peer can choose is escaped.

mod compile;
mod item;
mod nickname;

use super::record::Record;
use super::zone::{ClfCache, Zone};
use item::Item;

pub use compile::FormatError;
pub use nickname::Nicknames;

/// A compiled LogFormat.
#[derive(Clone, Debug, PartialEq)]
pub struct Format(Vec<Element>);

/// One item and when it is wanted.
#[derive(Clone, Debug, PartialEq)]
struct Element {
    item: Item,
    /// Show the request as it came, not what an error document made of it.
    wants_original: bool,
    condition: Option<Statuses>,
}

/// `%200,304{…}i` and `%!200,304{…}i`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Statuses {
    codes: Vec<u16>,
    is_negated: bool,
}

impl Format {
    /// Compiles a format string.
    ///
    /// # Errors
    /// It has a code that nobody knows, or ends inside one.
    pub fn compile(format: &str) -> Result<Self, FormatError> {
        compile::elements(format).map(Self)
    }

    /// The common log format, which is what a log without a format gets.
    #[must_use]
    pub fn common() -> Self {
        Self::compile(nickname::COMMON).expect("the common log format is well-formed")
    }

    /// Appends the line of an exchange, without a line end.
    pub fn render(
        &self,
        record: &Record<'_>,
        zone: &Zone,
        times: &mut ClfCache,
        out: &mut Vec<u8>,
    ) {
        for element in &self.0 {
            let is_wanted = element
                .condition
                .as_ref()
                .is_none_or(|statuses| statuses.hold(record.status));
            if !is_wanted {
                out.push(b'-');
                continue;
            }
            element.item.render(
                record,
                element.wants_original,
                &mut item::Times { zone, cache: times },
                out,
            );
        }
    }
}

impl Statuses {
    fn hold(&self, status: u16) -> bool {
        self.codes.contains(&status) != self.is_negated
    }
}

#[cfg(test)]
mod tests;
