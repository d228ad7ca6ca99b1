//! What becomes of an attempt: of its member, of its lease, and who tries next.
//!
//! Responsible for: judging failures and statuses, and the one line that the error log gets of each: which member, what happened, why,
//! and what is done about it. Not responsible for the tables behind the judgement (`retry`, `balancer::judge`).
//!
//! Know first: a failure that the handler is not asked about – the client's, or one after the response began – is the engine's to log.
//! mod_proxy_balancer's `post_request` and the loop of mod_proxy's `proxy_handler`, reference §4.8 to §4.10.

use super::super::retry::{Again, Circumstances, again, trouble, why_not};
use super::super::{Cluster, Proxy};
use super::now_ms;
use crate::balancer::{self, Judgement, Mark, Member, judge_status, judge_trouble};
use crate::config::model::BalancerParams;
use crate::log::{Level, Module, Tag, Trace22};
use crate::request::verdict::Milestone;
use crate::request::{Ask, Failure, FailureKind, Outcome, Plan};
use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;

impl Proxy {
    /// What a failure does to the member, and who tries next. The error log is told.
    pub(super) fn judge(&self, ask: &Ask<'_>, plan: &Plan, failure: &Failure) -> Again {
        let cluster = plan.ticket.balancer.and_then(|index| self.cluster(index));
        let defaults = BalancerParams::default();
        let params = cluster.map_or(&defaults, |cluster| &cluster.balancer.params);
        let judgement = trouble(failure).map(|trouble| judge_trouble(trouble, params));
        let member = self.member(plan);
        let mut circumstances = Circumstances {
            is_idempotent: ask.head.method.is_idempotent(),
            may_fail_over: judgement.is_some_and(|judgement| judgement.may_fail_over),
            has_attempts: cluster
                .is_some_and(|cluster| plan.attempt < cluster.balancer.attempts_allowed()),
            is_member_out: false,
        };
        trace_unanswered(ask, member, failure);
        if again(failure, circumstances) == Again::SameMember {
            self.trace_release(ask, plan, failure);
            log_failure(ask, plan, failure, "trying again on a new connection");
            return Again::SameMember;
        }
        let is_marked = member.is_some_and(|member| mark(ask, member, judgement, failure));
        self.trace_release(ask, plan, failure);
        circumstances.is_member_out = member.is_some_and(|member| !member.usable());
        let again = again(failure, circumstances);
        if let (Again::Nobody, Some(cluster)) = (again, cluster) {
            let balancer = &cluster.balancer.name;
            ask.trace22(&Trace22::PostRequest { balancer });
        }
        let marked = member.filter(|_| is_marked);
        let mut next = next(plan, cluster, marked, again, failure);
        if again == Again::Nobody
            && let Some(reason) = why_not(failure, circumstances.is_idempotent)
        {
            next.insert_str(0, &format!("not repeated because {reason}, "));
        }
        log_failure(ask, plan, failure, &next);
        again
    }

    /// 2.2 gave the connection of a failed attempt back when it had judged it.
    fn trace_release(&self, ask: &Ask<'_>, plan: &Plan, failure: &Failure) {
        if failure.kind != FailureKind::Acquire {
            self.tell_milestone(ask, plan, Milestone::Released);
        }
    }

    /// What the status of a response, or its end before time, does to the member.
    pub(super) fn review(&self, ask: &Ask<'_>, cluster: &Cluster, member: &Member, end: &Outcome) {
        let params = &cluster.balancer.params;
        let failed = end.failure.as_ref().and_then(trouble);
        if let Some(status) = end.status
            && let Mark::InError(reason) = judge_status(status.as_u16(), params)
            && member.put_in_error(now_ms(ask), &reason.to_string())
        {
            tell_fail_on_status(ask, cluster, member, status.as_u16());
        } else if let Some(trouble) = failed
            && let Mark::InError(reason) = judge_trouble(trouble, params).mark
        {
            member.put_in_error(now_ms(ask), &reason.to_string());
        }
    }
}

/// Gives the member back, if the plan has one.
pub(super) fn settle(
    plan: &mut Plan,
    bytes_sent: u64,
    bytes_received: u64,
    result: Option<Result<u16, balancer::Trouble>>,
) {
    if let Some(lease) = plan.ticket.lease.take() {
        lease.settle(balancer::Outcome {
            bytes_sent,
            bytes_received,
            result,
        });
    }
}

/// Puts the member in error if that is the judgement; tells whether it is.
fn mark(ask: &Ask<'_>, member: &Member, judgement: Option<Judgement>, failure: &Failure) -> bool {
    let Some(Mark::InError(reason)) = judgement.map(|judgement| judgement.mark) else {
        return false;
    };
    let is_marked = member.put_in_error(now_ms(ask), &reason.to_string());
    let is_unconnected = matches!(
        failure.kind,
        FailureKind::Connect | FailureKind::ConnectTimeout
    );
    if is_marked && is_unconnected {
        let host = &member.url.host;
        ask.trace22(&Trace22::DisablingWorker { host });
    }
    is_marked
}

/// What is done about a failure, for the log.
fn next(
    plan: &Plan,
    cluster: Option<&Cluster>,
    marked: Option<&Member>,
    again: Again,
    failure: &Failure,
) -> String {
    let mut next = String::new();
    let rest_s = marked.map(|member| member.score.retry_ms.load(Relaxed) / 1000);
    if let Some(rest_s @ 1..) = rest_s {
        write!(next, "in error for {rest_s} s, ").expect("a string takes all text");
    }
    let words = match (again, cluster) {
        (Again::OtherMember, Some(cluster)) => {
            let most = cluster.balancer.attempts_allowed();
            write!(next, "trying the next one ({} of {most})", plan.attempt + 1)
        }
        _ => write!(next, "answering {}", failure.status()),
    };
    words.expect("a string takes all text");
    next
}

fn log_failure(ask: &Ask<'_>, plan: &Plan, failure: &Failure, next: &str) {
    failure.log_next(ask, plan, next);
}

/// 2.2 named the host and the port of a backend that did not answer; what it said of connecting is a milestone.
fn trace_unanswered(ask: &Ask<'_>, member: Option<&Member>, failure: &Failure) {
    let is_unanswered = matches!(failure.kind, FailureKind::Closed | FailureKind::ReadTimeout);
    if let (Some(member), true) = (member, is_unanswered && !failure.has_response) {
        ask.trace22(&Trace22::StatusLineFailed {
            host: &member.url.host,
            port: member.url.port_or_default().unwrap_or(80),
        });
    }
}

fn tell_fail_on_status(ask: &Ask<'_>, cluster: &Cluster, member: &Member, status: u16) {
    let (balancer, worker) = (cluster.balancer.name.as_str(), member.name());
    ask.trace22(&Trace22::FailOnStatus {
        balancer,
        worker,
        status,
    });
    ask.log_tagged(
        Module::ProxyBalancer,
        Level::Error,
        Tag::Ah(1174),
        format_args!(
            "{balancer}: Forcing worker ({worker}) into error state due to status code {status} matching 'failonstatus' balancer \
             parameter"
        ),
    );
}
