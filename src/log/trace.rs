//! Where the time of one exchange went.
//!
//! A fixed array of milestones, written when the exchange changes its phase and printed by `%{trace}n` as spans
//! that follow each other without gaps, so that they add up to the whole:
//!
//! ```text
//! accepted ──head──► head ──elect──► elected ──dial──► dialed ──wait──► first byte ──relay──► last byte
//! ```
//!
//! `elect` includes routing; `wait` includes sending the request.

use std::io::Write as _;

/// A point in the life of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Milestone {
    /// The connection was accepted, or on a kept connection: the request's first byte came.
    Accepted,
    /// The request's head was complete.
    Head,
    /// It was known what to do with the request.
    Routed,
    /// A member was chosen.
    Elected,
    /// A connection to it was there.
    Dialed,
    /// The request was sent.
    Sent,
    /// The first byte of the response came.
    FirstByte,
    /// The response's head went to the client.
    HeadOut,
    /// The response's last byte came.
    LastByte,
    /// The exchange was over.
    Done,
}

const MILESTONES: usize = 10;

/// No exchange reaches the end of time, so this value means "not reached".
const NEVER: u64 = u64::MAX;

/// The milestones of one exchange, in µs of any clock that does not go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace([u64; MILESTONES]);

impl Trace {
    /// A trace without milestones.
    #[must_use]
    pub const fn new() -> Self {
        Self([NEVER; MILESTONES])
    }

    /// Notes that a milestone was reached. A second attempt at another member overwrites the first one's times.
    pub fn mark(&mut self, milestone: Milestone, now_us: u64) {
        if let Some(cell) = self.0.get_mut(milestone as usize) {
            *cell = now_us;
        }
    }

    /// When a milestone was reached.
    #[must_use]
    pub fn at(&self, milestone: Milestone) -> Option<u64> {
        let at = self.0.get(milestone as usize).copied();
        at.filter(|&us| us != NEVER)
    }

    /// µs from one milestone to another, if both were reached.
    #[must_use]
    pub fn between(&self, from: Milestone, to: Milestone) -> Option<u64> {
        Some(self.at(to)?.saturating_sub(self.at(from)?))
    }

    /// Whether no milestone was reached.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::new()
    }

    /// Appends the spans in ms, as far as the exchange came: `head=0.2 elect=0.0 dial=1.3 wait=18.4 relay=2.1`,
    /// or `-` when it came nowhere.
    pub fn render(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let last = self
            .at(Milestone::LastByte)
            .map_or(Milestone::Done, |_| Milestone::LastByte);
        let ends = [
            ("head", Milestone::Head),
            ("elect", Milestone::Elected),
            ("dial", Milestone::Dialed),
            ("wait", Milestone::FirstByte),
            ("relay", last),
        ];
        let mut from = Milestone::Accepted;
        for (name, to) in ends {
            // A milestone that was skipped gives its time to the next span: a response made here has no backend.
            let Some(us) = self.between(from, to) else {
                continue;
            };
            let gap = if out.len() == start { "" } else { " " };
            let tenths = us.saturating_add(50) / 100;
            write!(out, "{gap}{name}={}.{}", tenths / 10, tenths % 10)
                .expect("a vector takes all bytes");
            from = to;
        }
        if out.len() == start {
            out.push(b'-');
        }
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(marks: &[(Milestone, u64)]) -> String {
        let mut trace = Trace::new();
        for &(milestone, us) in marks {
            trace.mark(milestone, us);
        }
        let mut out = Vec::new();
        trace.render(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_relayed_exchange_shows_five_spans() {
        use Milestone::{
            Accepted, Dialed, Done, Elected, FirstByte, Head, HeadOut, LastByte, Routed, Sent,
        };
        let text = rendered(&[
            (Accepted, 1_000_000),
            (Head, 1_000_200),
            (Routed, 1_000_210),
            (Elected, 1_000_220),
            (Dialed, 1_001_520),
            (Sent, 1_001_600),
            (FirstByte, 1_019_920),
            (HeadOut, 1_019_990),
            (LastByte, 1_022_020),
            (Done, 1_022_100),
        ]);
        assert_eq!(text, "head=0.2 elect=0.0 dial=1.3 wait=18.4 relay=2.1");
    }

    #[test]
    fn an_exchange_that_ended_early_shows_how_far_it_came() {
        use Milestone::{Accepted, Done, Elected, Head};
        assert_eq!(
            rendered(&[(Accepted, 0), (Head, 100), (Elected, 200), (Done, 5_200)]),
            "head=0.1 elect=0.1 relay=5.0"
        );
        assert_eq!(rendered(&[(Accepted, 0)]), "-");
        assert_eq!(rendered(&[]), "-");
    }

    #[test]
    fn a_clock_that_went_back_shows_zero_not_an_age() {
        use Milestone::{Accepted, Head};
        assert_eq!(rendered(&[(Accepted, 500), (Head, 100)]), "head=0.0");
    }
}
