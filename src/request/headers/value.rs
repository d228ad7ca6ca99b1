//! The values of edits: text, and what is known of a request.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;

use scoreboard::{Board, ProcessState, Status};

use crate::config::model::{HeaderPiece, HeaderValue};
use crate::http::Fields;
use crate::log::Environment;

/// When something happens to a request, and how busy the machine is.
#[derive(Clone, Copy)]
pub struct Moment {
    /// Unix time of this turn, in microseconds.
    pub now_us: u64,
    /// Unix time when the request began to arrive, in microseconds.
    pub began_us: u64,
    /// The machine's load averages over 1, 5 and 15 minutes.
    pub load: fn() -> Option<[f64; 3]>,
}

impl Moment {
    /// A moment on a machine of which nothing is known, with a request that has just begun.
    #[must_use]
    pub const fn at(now_us: u64) -> Self {
        Self {
            now_us,
            began_us: now_us,
            load: || None,
        }
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moment")
            .field("now_us", &self.now_us)
            .field("began_us", &self.began_us)
            .finish_non_exhaustive()
    }
}

/// What conditions and values are made of.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The request's variables.
    pub vars: &'a Environment,
    /// Those of the attempt to forward it, which come first.
    pub attempt: &'a Environment,
    /// The request's fields, for `echo`.
    pub request: Option<&'a Fields>,
    /// The time.
    pub moment: Moment,
    /// The shared scoreboard.
    pub board: &'a Board,
}

static NO_VARIABLES: Environment = Environment::new();

impl Facts<'_> {
    /// A variable.
    pub(super) fn var(&self, name: &str) -> Option<&[u8]> {
        self.attempt.value(name).or_else(|| self.vars.value(name))
    }

    /// The same before any variable was set.
    pub(super) fn before_variables(&self) -> Self {
        Self {
            vars: &NO_VARIABLES,
            attempt: &NO_VARIABLES,
            ..*self
        }
    }
}

/// A value, to be filled in.
#[derive(Debug)]
pub(super) enum Value {
    /// Always the same.
    Fixed(Vec<u8>),
    Pieces(Vec<HeaderPiece>),
}

impl Value {
    pub(super) fn compile(value: &HeaderValue) -> Self {
        match value.0.as_slice() {
            [] => Self::Fixed(Vec::new()),
            [HeaderPiece::Text(text)] => Self::Fixed(text.as_bytes().to_vec()),
            pieces => Self::Pieces(pieces.to_vec()),
        }
    }

    /// The value for a request.
    pub(super) fn fill(&self, facts: &Facts<'_>) -> Cow<'_, [u8]> {
        match self {
            Self::Fixed(text) => Cow::Borrowed(text),
            Self::Pieces(pieces) => {
                let mut out = Vec::new();
                for piece in pieces {
                    write(piece, facts, &mut out);
                }
                Cow::Owned(out)
            }
        }
    }
}

/// What mod_headers writes for something that is not there.
const NULL: &[u8] = b"(null)";

fn write(piece: &HeaderPiece, facts: &Facts<'_>, out: &mut Vec<u8>) {
    let moment = &facts.moment;
    let written = match piece {
        HeaderPiece::Text(text) => {
            out.extend_from_slice(text.as_bytes());
            Ok(())
        }
        HeaderPiece::Duration => {
            let us = moment.now_us.saturating_sub(moment.began_us);
            write!(out, "D={us}")
        }
        HeaderPiece::Began => write!(out, "t={}", moment.began_us),
        HeaderPiece::Load => {
            let [one, five, fifteen] = (moment.load)().unwrap_or_default();
            write!(out, "l={one:.2}/{five:.2}/{fifteen:.2}")
        }
        HeaderPiece::Idle => write!(out, "i={}", shares(facts.board).0),
        HeaderPiece::Busy => write!(out, "b={}", shares(facts.board).1),
        HeaderPiece::Var(name) => {
            // Line ends in a variable become spaces, as in httpd.
            let value = facts.var(name).unwrap_or(NULL).iter();
            out.extend(value.map(|&byte| {
                if matches!(byte, b'\r' | b'\n') {
                    b' '
                } else {
                    byte
                }
            }));
            Ok(())
        }
        HeaderPiece::Tls(_) => {
            out.extend_from_slice(NULL);
            Ok(())
        }
    };
    written.expect("a vector takes all bytes");
}

/// How many of a hundred slots are idle and how many are busy, as httpd counts them.
fn shares(board: &Board) -> (u64, u64) {
    let (mut idle, mut busy) = (0_u64, 0_u64);
    for (at, process) in (0..).zip(board.processes()) {
        if matches!(
            process.state(),
            None | Some(ProcessState::Free | ProcessState::Quiescing | ProcessState::Dead)
        ) {
            continue;
        }
        for slot in board.slots(at) {
            match slot.status() {
                Some(Status::Ready) => idle += 1,
                None | Some(Status::Dead | Status::Starting | Status::IdleKill) => {}
                Some(_) => busy += 1,
            }
        }
    }
    let all = (idle + busy).max(1);
    (idle * 100 / all, busy * 100 / all)
}
