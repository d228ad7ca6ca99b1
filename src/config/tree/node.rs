//! A directive or section of the tree, with its line and where that came from.

use crate::config::args::{Word, words};
use crate::config::diagnostic::{Diagnostic, Phase, Severity, Snippet};
use crate::config::lex::Mapped;
use crate::config::source::{Place, SourceId, Sources};
use std::ops::Range;
use std::sync::Arc;

/// One directive or section.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The directive's name as written, without `<`.
    pub(crate) name: String,
    /// Where the name stands in `text`, with `<`.
    pub(crate) name_range: Range<usize>,
    /// Where the arguments stand in `text`; of a section up to and including `>`.
    pub(crate) args: Range<usize>,
    /// The logical line.
    pub(crate) text: Mapped,
    /// Which text it is from.
    pub(crate) source: SourceId,
    /// Its file and line.
    pub(crate) place: Place,
    /// The Includes that led there, outermost first.
    pub(crate) chain: Arc<[Place]>,
    /// What a section encloses; `None` for a directive.
    pub(crate) children: Option<Vec<Self>>,
}

impl Node {
    /// The words of the arguments.
    pub(crate) fn words(&self) -> Vec<Word> {
        words(self.text.as_str(), self.args.clone())
    }

    /// The arguments of a section without the closing bracket; `None` when it is missing.
    pub(crate) fn section_args(&self) -> Option<Range<usize>> {
        let close = self.text.slice(self.args.clone()).rfind('>')?;
        Some(self.args.start..self.args.start + close)
    }

    /// A diagnostic about a part of this line.
    pub(crate) fn diagnostic(
        &self,
        sources: &Sources,
        severity: Severity,
        phase: Phase,
        range: Option<Range<usize>>,
    ) -> Diagnostic {
        let spot = range.and_then(|range| self.text.spot(range));
        Diagnostic {
            severity,
            phase,
            message: String::new(),
            place: Some(self.place.clone()),
            chain: self.chain.to_vec(),
            snippet: spot.map(|spot| Snippet {
                line: spot.line,
                text: sources
                    .line(self.source, spot.line)
                    .unwrap_or_default()
                    .to_owned(),
                column: spot.column,
                width: spot.width,
                label: None,
            }),
            hints: Vec::new(),
            mark: None,
        }
    }
}
