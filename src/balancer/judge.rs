//! What a failed or finished attempt does to its member.
//!
//! Responsible for: one table from what happened to an attempt to whether its member goes into error, and whether another member may
//! get the request. Not responsible for carrying it out: [`Member::put_in_error`](super::Member::put_in_error) marks (and never marks a
//! member that ignores errors), and whether content can be sent a second time is known to `proxy`.
//!
//! Know first: httpd decides by the handler's status code – 503 marks and tries another member, 500 marks and stops, everything else
//! does neither – and afterwards by the two parameters `failonstatus` and `failontimeout`. Here the failures have names, and the table
//! below says for each what httpd's handlers would have returned. mod_proxy's failover loop and mod_proxy_balancer's post_request.

use crate::config::model::BalancerParams;
use std::fmt;

/// What can go wrong between electing a member and having its whole response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// The member's name has no address.
    Unresolvable,
    /// No address of the member took the connection, or not in time.
    NotConnected,
    /// No connection of the pool became free in time, or the member is disabled.
    NoFreeConnection,
    /// The TLS handshake with the member failed.
    TlsFailed,
    /// The member did not answer a ping or an expectation in time, or a reused connection failed its ping twice.
    PingFailed,
    /// The connection broke while the request was written.
    WriteFailed,
    /// The member took no more of the request in time.
    WriteTimeout,
    /// No response head in time.
    ReadTimeout,
    /// The connection ended before a response head, and the request must not be repeated by itself.
    ClosedEarly,
    /// The connection ended before a response head, and the protocol's rules allow the request again elsewhere (AJP, FastCGI).
    ClosedEarlyRepeatable,
    /// The protocol's handler reports that the member is broken (AJP without an answer to content, a SCGI or uwsgi head of garbage).
    Broken,
    /// The response head cannot be understood or breaks the protocol.
    BadResponse,
    /// The response ended before its content was complete.
    CutShort,
}

/// What the member's mark becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Into error, unless the member ignores errors.
    InError(Reason),
    /// As it was.
    Leave,
}

/// Why a member is in error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An attempt failed.
    Trouble(Trouble),
    /// The response's status is in `failonstatus`.
    FailOnStatus(u16),
    /// No response in time, and `failontimeout` is on.
    FailOnTimeout,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What happens to the member.
    pub mark: Mark,
    /// Whether the request may go to another member, attempts and content permitting.
    pub may_fail_over: bool,
}

/// Judges an attempt that ended without a response to pass on.
#[must_use]
pub fn judge_trouble(trouble: Trouble, params: &BalancerParams) -> Judgement {
    use Trouble::*;
    match trouble {
        // Handlers answer 503: mark and try another.
        NotConnected | NoFreeConnection | PingFailed | ClosedEarlyRepeatable => Judgement {
            mark: Mark::InError(Reason::Trouble(trouble)),
            may_fail_over: true,
        },
        // Handlers answer 500: mark and stop.
        TlsFailed | Broken => Judgement {
            mark: Mark::InError(Reason::Trouble(trouble)),
            may_fail_over: false,
        },
        // Handlers answer 502 or 504 and leave a note for `failontimeout`.
        ReadTimeout => Judgement {
            mark: if params.fail_on_timeout.or(false) {
                Mark::InError(Reason::FailOnTimeout)
            } else {
                Mark::Leave
            },
            may_fail_over: false,
        },
        // Handlers answer 502 or 504, or cut the response. DIVERGE from httpd since 2.4.59 for a name without address: a resolver's
        // hiccup is not the member's fault, so it keeps the older 502 without a mark.
        Unresolvable | WriteFailed | WriteTimeout | ClosedEarly | BadResponse | CutShort => {
            Judgement {
                mark: Mark::Leave,
                may_fail_over: false,
            }
        }
    }
}

/// Judges a response that the member gave, by its status.
#[must_use]
pub fn judge_status(status: u16, params: &BalancerParams) -> Mark {
    if params.fail_on_status.contains(&status) {
        Mark::InError(Reason::FailOnStatus(status))
    } else {
        Mark::Leave
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unresolvable => "name not resolved",
            Self::NotConnected => "connect failed",
            Self::NoFreeConnection => "no free connection",
            Self::TlsFailed => "TLS handshake failed",
            Self::PingFailed => "ping failed",
            Self::WriteFailed => "write failed",
            Self::WriteTimeout => "write timed out",
            Self::ReadTimeout => "response timed out",
            Self::ClosedEarly | Self::ClosedEarlyRepeatable => "closed before a response",
            Self::Broken => "no usable response",
            Self::BadResponse => "bad response",
            Self::CutShort => "response cut short",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trouble(trouble) => trouble.fmt(f),
            Self::FailOnStatus(status) => write!(f, "failonstatus {status}"),
            Self::FailOnTimeout => f.write_str("failontimeout"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Trouble::*;
    use super::*;
    use crate::config::{Place, Setting};

    #[test]
    fn a_failure_marks_and_fails_over_as_httpds_status_for_it_does() {
        // (what happened, marks the member, another member may be tried)
        let table = [
            (NotConnected, true, true),
            (NoFreeConnection, true, true),
            (PingFailed, true, true),
            (ClosedEarlyRepeatable, true, true),
            (TlsFailed, true, false),
            (Broken, true, false),
            (Unresolvable, false, false),
            (WriteFailed, false, false),
            (WriteTimeout, false, false),
            (ReadTimeout, false, false),
            (ClosedEarly, false, false),
            (BadResponse, false, false),
            (CutShort, false, false),
        ];
        for (trouble, marks, fails_over) in table {
            let judgement = judge_trouble(trouble, &BalancerParams::default());
            assert_eq!(judgement.mark != Mark::Leave, marks, "{trouble:?}");
            assert_eq!(judgement.may_fail_over, fails_over, "{trouble:?}");
        }
    }

    #[test]
    fn failontimeout_marks_after_a_read_timeout_only() {
        let params = BalancerParams {
            fail_on_timeout: Setting::new(true, &Place::new("t", 1)),
            ..BalancerParams::default()
        };
        let timed_out = judge_trouble(ReadTimeout, &params);
        assert_eq!(timed_out.mark, Mark::InError(Reason::FailOnTimeout));
        assert!(!timed_out.may_fail_over);
        assert_eq!(judge_trouble(WriteTimeout, &params).mark, Mark::Leave);
        assert_eq!(judge_trouble(BadResponse, &params).mark, Mark::Leave);
    }

    #[test]
    fn failonstatus_marks_for_the_codes_listed_and_no_other() {
        let params = BalancerParams {
            fail_on_status: vec![500, 404],
            ..BalancerParams::default()
        };
        let reason = Reason::FailOnStatus(404);
        assert_eq!(judge_status(404, &params), Mark::InError(reason));
        assert_eq!(judge_status(502, &params), Mark::Leave);
        assert_eq!(judge_status(503, &BalancerParams::default()), Mark::Leave);
        assert_eq!(reason.to_string(), "failonstatus 404");
    }
}
