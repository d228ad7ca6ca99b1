//! Who may try again after a failure: the one table.
//!
//! Know first: a request is repeated only when that cannot do anything twice. Nothing of its content may be gone: what was read ahead is
//! kept, what was streamed is not. And unless nothing was sent at all, the method must be idempotent (RFC 9110 §9.2.2), or the backend was
//! asked whether it wants the content and has not said so. httpd never repeats on the same member and breaks the client's connection
//! instead, hoping that the client repeats; here the connection is replaced.
//!
//! reference §4.9, §4.10, §5.4; design §11.

use crate::balancer::Trouble;
use crate::request::{Failure, FailureKind, Sent, Side};

/// Who tries next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// The same member on a fresh connection: the failure was an old connection's.
    SameMember,
    /// Another member.
    OtherMember,
    /// Nobody: the client is told.
    Nobody,
}

/// What the decision depends on beside the failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// Repeating the request has the effect of sending it once.
    pub(crate) is_idempotent: bool,
    /// The balancer's judgement: such a failure may be another's chance.
    pub(crate) may_fail_over: bool,
    /// `maxattempts` leaves another attempt.
    pub(crate) has_attempts: bool,
    /// The failed member is out of service now. One that ignores errors is not, and httpd then does not look for another.
    pub(crate) is_member_out: bool,
}

/// Decides who tries next.
pub(crate) fn again(failure: &Failure, circumstances: Circumstances) -> Again {
    let Circumstances {
        is_idempotent,
        may_fail_over,
        has_attempts,
        is_member_out,
    } = circumstances;
    let is_repeatable = match failure.sent {
        Sent::Nothing => true,
        // The content was held back, and nobody acts on a head alone.
        Sent::Head if failure.kind == FailureKind::ContinueTimeout => true,
        Sent::Head => is_idempotent,
        Sent::Content => false,
    };
    if failure.side != Side::Backend || failure.has_response || !is_repeatable {
        return Again::Nobody;
    }
    // A backend may close an idle connection at the very moment at which it is used again (RFC 9112 §9.3.1).
    if failure.reused && failure.kind == FailureKind::Closed {
        return Again::SameMember;
    }
    if may_fail_over && has_attempts && is_member_out {
        Again::OtherMember
    } else {
        Again::Nobody
    }
}

/// Why a request that a backend let drop without an answer is not sent again, for the log.
pub(crate) fn why_not(failure: &Failure, is_idempotent: bool) -> Option<&'static str> {
    let is_dropped = failure.side == Side::Backend
        && failure.kind == FailureKind::Closed
        && !failure.has_response;
    match failure.sent {
        _ if !is_dropped => None,
        Sent::Content => Some("its content is not kept any more"),
        Sent::Head if !is_idempotent => Some("its method is not idempotent"),
        Sent::Nothing | Sent::Head => Some("the connection was a new one"),
    }
}

/// The balancer's word for what went wrong, if it was the backend's doing.
pub(crate) fn trouble(failure: &Failure) -> Option<Trouble> {
    if failure.side != Side::Backend {
        return None;
    }
    Some(match failure.kind {
        FailureKind::Resolve => Trouble::Unresolvable,
        FailureKind::Connect | FailureKind::ConnectTimeout => Trouble::NotConnected,
        FailureKind::Acquire => Trouble::NoFreeConnection,
        FailureKind::Closed | FailureKind::ReadTimeout if failure.has_response => Trouble::CutShort,
        FailureKind::Closed => Trouble::ClosedEarly,
        FailureKind::ReadTimeout => Trouble::ReadTimeout,
        FailureKind::WriteTimeout => Trouble::WriteTimeout,
        FailureKind::ContinueTimeout => Trouble::PingFailed,
        FailureKind::Malformed | FailureKind::TooLarge | FailureKind::Switched => {
            Trouble::BadResponse
        }
        // A tunnel ends so, whoever ends it.
        FailureKind::Unsendable
        | FailureKind::Spool
        | FailureKind::TunnelIdle
        | FailureKind::TunnelBroken
        | FailureKind::Stopping => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::judge_trouble;
    use crate::config::model::BalancerParams;

    fn failure(kind: FailureKind, reused: bool, sent: Sent, has_response: bool) -> Failure {
        let mut failure = Failure::new(Side::Backend, kind, "test");
        (failure.reused, failure.sent, failure.has_response) = (reused, sent, has_response);
        failure
    }

    #[test]
    fn who_tries_again_depends_on_what_was_sent_and_what_broke() {
        use Again::*;
        use FailureKind::*;
        use Sent::{Content, Head, Nothing};
        // (what broke, reused connection, sent, a response byte came, idempotent, who)
        let table = [
            (
                "connect_failure_goes_to_another",
                Connect,
                false,
                Nothing,
                false,
                false,
                OtherMember,
            ),
            (
                "connect_timeout_goes_to_another",
                ConnectTimeout,
                false,
                Nothing,
                false,
                false,
                OtherMember,
            ),
            (
                "acquire_timeout_goes_to_another",
                Acquire,
                false,
                Nothing,
                false,
                false,
                OtherMember,
            ),
            (
                "unresolvable_name_is_answered",
                Resolve,
                false,
                Nothing,
                false,
                true,
                Nobody,
            ),
            (
                "stale_connection_repeats_a_get",
                Closed,
                true,
                Head,
                false,
                true,
                SameMember,
            ),
            (
                "stale_connection_does_not_repeat_a_post",
                Closed,
                true,
                Head,
                false,
                false,
                Nobody,
            ),
            (
                "stale_connection_repeats_a_post_that_was_not_sent",
                Closed,
                true,
                Nothing,
                false,
                false,
                SameMember,
            ),
            (
                "content_that_is_gone_is_never_repeated",
                Closed,
                true,
                Content,
                false,
                true,
                Nobody,
            ),
            (
                "fresh_connection_closed_early_is_answered",
                Closed,
                false,
                Head,
                false,
                true,
                Nobody,
            ),
            (
                "response_that_began_is_never_repeated",
                Closed,
                true,
                Head,
                true,
                true,
                Nobody,
            ),
            (
                "timeout_on_a_stale_connection_is_answered",
                ReadTimeout,
                true,
                Head,
                false,
                true,
                Nobody,
            ),
            (
                "silence_after_an_expectation_goes_to_another_whatever_the_method",
                ContinueTimeout,
                false,
                Head,
                false,
                false,
                OtherMember,
            ),
            (
                "write_timeout_is_answered",
                WriteTimeout,
                true,
                Content,
                false,
                true,
                Nobody,
            ),
            (
                "bad_response_is_answered",
                Malformed,
                true,
                Head,
                false,
                true,
                Nobody,
            ),
        ];
        for (name, kind, reused, sent, has_response, is_idempotent, expected) in table {
            let failure = failure(kind, reused, sent, has_response);
            let judgement = judge_trouble(trouble(&failure).unwrap(), &BalancerParams::default());
            let circumstances = Circumstances {
                is_idempotent,
                may_fail_over: judgement.may_fail_over,
                has_attempts: true,
                is_member_out: true,
            };
            assert_eq!(again(&failure, circumstances), expected, "{name}");
        }
    }

    #[test]
    fn the_log_says_why_a_dropped_request_is_not_repeated() {
        use Sent::{Content, Head, Nothing};
        let table = [
            (FailureKind::Closed, Content, true, "content is not kept"),
            (FailureKind::Closed, Head, false, "not idempotent"),
            (FailureKind::Closed, Head, true, "a new one"),
            (FailureKind::Closed, Nothing, false, "a new one"),
            (FailureKind::ReadTimeout, Head, false, ""),
            (FailureKind::Connect, Nothing, true, ""),
        ];
        for (kind, sent, is_idempotent, words) in table {
            let failure = failure(kind, false, sent, false);
            let reason = why_not(&failure, is_idempotent).unwrap_or_default();
            assert!(reason.contains(words), "{kind:?}: {reason}");
            assert_eq!(reason.is_empty(), words.is_empty(), "{kind:?}: {reason}");
        }
        let begun = failure(FailureKind::Closed, false, Head, true);
        assert_eq!(why_not(&begun, false), None);
    }

    #[test]
    fn maxattempts_and_members_that_ignore_errors_end_the_search() {
        let refused = failure(FailureKind::Connect, false, Sent::Nothing, false);
        let row = |has_attempts, is_member_out| {
            let circumstances = Circumstances {
                is_idempotent: true,
                may_fail_over: true,
                has_attempts,
                is_member_out,
            };
            again(&refused, circumstances)
        };
        assert_eq!(row(true, true), Again::OtherMember);
        assert_eq!(row(false, true), Again::Nobody);
        assert_eq!(row(true, false), Again::Nobody);
    }

    #[test]
    fn only_the_backends_troubles_are_held_against_it() {
        for side in [Side::Client, Side::Ours] {
            let mut failure = failure(FailureKind::Closed, true, Sent::Nothing, false);
            failure.side = side;
            assert_eq!(trouble(&failure), None);
            let circumstances = Circumstances {
                is_idempotent: true,
                may_fail_over: true,
                has_attempts: true,
                is_member_out: true,
            };
            assert_eq!(again(&failure, circumstances), Again::Nobody);
        }
        assert_eq!(
            trouble(&failure(FailureKind::Closed, false, Sent::Head, true)),
            Some(Trouble::CutShort)
        );
    }
}
