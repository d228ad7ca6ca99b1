//! The handler `proxy-server`: from a claim to a plan, and from the plan's end to the books.
//!
//! Responsible for: the order of the steps. Each is a file: `attempt` makes a plan, `fate` judges how it ended, `answers` says why there
//! is none, `steps` prints 2.2's traces of it.
//!
//! Know first: an attempt is made the same way the first time and again. Everything that can be refused is looked at before a member is
//! claimed, so a lease exists exactly while a plan is being carried out. mod_proxy's `proxy_handler` and mod_proxy_balancer's
//! `pre_request` and `post_request`, reference §4.1, §4.8 to §4.10.

mod answers;
mod attempt;
mod fate;
mod forward;
mod steps;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;

use super::forward::Wanted;
use super::map::{Question, Trouble, Unfit, Written};
use super::outgoing::via_member;
use super::retry::{Again, trouble};
use super::reverse::Mirror;
use super::{Cluster, Place, Proxy};
use crate::balancer::Member;
use crate::config::model::{DirConfig, Via};
use crate::http::uri::{self, EncodedSlashes};
use crate::http::{ContentSize, FieldId, ResponseHead, Status};
use crate::log::{Level, Module, Raw, Tag, Trace22};
use crate::request::files;
use crate::request::verdict::Milestone;
use crate::request::{
    Answer, Ask, Claim, Failure, FailureKind, Handler, Interim, Outcome, Plan, Verdict,
};
use std::net::SocketAddr;

use answers::{interim_policy, override_error, tell_skipped, via_name};
use fate::settle;
use forward::{announce_tunnel, unresolved};

impl Handler for Proxy {
    fn name(&self) -> &'static str {
        "proxy-server"
    }

    fn claims(&self, ask: &Ask<'_>, claim: &mut Claim) -> bool {
        if ask.route.is_forward {
            let target = &ask.head.target;
            if let Some(wanted) = Wanted::of(target) {
                wanted.write_url(target, &mut claim.url);
            }
            return true;
        }
        if ask.var("no-proxy").is_some() {
            return false;
        }
        let question = Question {
            site: ask.site().index,
            locations: &ask.dir().locations,
            path: &ask.route.path,
            target: &ask.head.target,
            takes_websocket: ask.head.fields.has(FieldId::Upgrade)
                || !self.wstunnel.serves(&ask.dir().config),
            is_decodable: ask.route.refusal.is_none(),
            merges_slashes: ask.site().merge_slashes,
            interpolates: ask.dir().config.interpolate_env.or(false),
            vars: &ask.route.vars,
        };
        let mut seen = Vec::new();
        let mut written = Written {
            url: &mut claim.url,
            path: &mut seen,
        };
        let Some(found) = self.map.find(&question, &mut written) else {
            return false;
        };
        // An escape that cannot be decoded is no path that a section could guard.
        if !seen.is_empty()
            && uri::normalize(&seen, EncodedSlashes::Keep, true, &mut claim.path).is_err()
        {
            claim.path = seen;
        }
        claim.rule = found.rule;
        claim.front = found.front;
        if let Some(trouble) = found.trouble {
            claim.refusal = tell_trouble(ask, trouble, &claim.url);
            if claim.refusal.is_some() {
                claim.url.clear();
            }
        }
        true
    }

    fn start(&self, ask: &Ask<'_>, plan: &mut Plan) -> Verdict {
        match ask.route.claim.refusal {
            Some(status) => Verdict::Answer(Answer::error(ask, status)),
            None => self.attempt(ask, plan),
        }
    }

    fn failed(&self, ask: &Ask<'_>, plan: &mut Plan, failure: &Failure) -> Verdict {
        if let Some(verdict) = self.detour(ask, plan, failure) {
            return verdict;
        }
        let again = self.judge(ask, plan, failure);
        if again == Again::SameMember {
            // The lease goes on: it is the same attempt on another connection.
            plan.is_fresh_only = true;
            return Verdict::Forward;
        }
        settle(plan, 0, 0, trouble(failure).map(Err));
        match (again, plan.ticket.member) {
            (Again::OtherMember, Some(member)) => {
                plan.ticket.tried.push(member);
                plan.attempt += 1;
                plan.is_fresh_only = false;
                self.attempt(ask, plan)
            }
            _ if ask.route.is_forward && failure.kind == FailureKind::Resolve => {
                Verdict::Answer(unresolved(ask, plan, failure))
            }
            _ => Verdict::Answer(failure.answer(ask)),
        }
    }

    fn found(&self, ask: &Ask<'_>, plan: &mut Plan, addresses: &[SocketAddr]) -> Option<Verdict> {
        self.addresses_found(ask, plan, addresses)
    }

    fn rewrite(&self, ask: &Ask<'_>, plan: &Plan, head: &mut ResponseHead) -> Option<Box<Answer>> {
        if announce_tunnel(ask, plan, head) {
            return None;
        }
        if let Some(answer) = override_error(ask, head) {
            return Some(answer);
        }
        if head.skipped_lines > 0 {
            tell_skipped(ask, head.skipped_lines);
        }
        let upgrade = self
            .place(plan)
            .and_then(|place| place.upgrades.offered(&head.fields));
        self.forward_head(ask, head);
        if let Some(protocols) = upgrade {
            head.fields.push_id(FieldId::Upgrade, &protocols);
        }
        if head.status == Status::NOT_MODIFIED {
            // httpd leaves out the length that a 304 only speaks of: there are clients that wait for it.
            head.content = ContentSize::None;
        }
        None
    }

    fn rewrite_interim(&self, ask: &Ask<'_>, _plan: &Plan, head: &mut ResponseHead) -> Interim {
        self.forward_head(ask, head);
        interim_policy(ask)
    }

    fn finish(&self, ask: &Ask<'_>, plan: &mut Plan, outcome: &Outcome) {
        let failed = outcome.failure.as_ref().and_then(trouble);
        let result = match (failed, outcome.status) {
            (Some(trouble), _) => Some(Err(trouble)),
            (None, Some(status)) => Some(Ok(status.as_u16())),
            (None, None) => None,
        };
        settle(plan, outcome.bytes_sent, outcome.bytes_received, result);
        let Some(member) = self.member(plan) else {
            return;
        };
        if outcome.status.is_some() {
            member.succeeded();
        }
        if let Some(cluster) = plan.ticket.balancer.and_then(|index| self.cluster(index)) {
            self.review(ask, cluster, member, outcome);
            let balancer = &cluster.balancer.name;
            ask.trace22(&Trace22::PostRequest { balancer });
        }
    }

    fn milestone(&self, ask: &Ask<'_>, plan: &Plan, milestone: Milestone) {
        self.tell_milestone(ask, plan, milestone);
    }
}

impl Proxy {
    /// Makes a head of the backend one of ours.
    fn forward_head(&self, ask: &Ask<'_>, head: &mut ResponseHead) {
        let site = self.site(ask.site().index);
        let members = |name: &str| {
            let cluster = site.and_then(|site| self.cluster(site.balancer(name)?));
            let members = cluster.map_or(&[][..], |cluster| &cluster.balancer.members);
            members.iter().map(Member::name).collect()
        };
        // ProxyPassReverse and its kin are for requests that were mapped.
        let nothing;
        let dir = if ask.route.is_forward {
            nothing = DirConfig::default();
            &nothing
        } else {
            &ask.dir().config
        };
        Mirror {
            dir,
            members: &members,
            origin: &|| ask.origin(),
            variable: &|name| ask.early_var(name),
        }
        .rewrite(&mut head.fields);
        files::add_charset(ask, &mut head.fields);
        let via = ask.site().server.proxy.via.or(Via::Off);
        if matches!(via, Via::On | Via::Full) {
            let value = via_member(via, ask.head.version, via_name(ask), &ask.env.product);
            head.fields.push_id(FieldId::Via, value.as_bytes());
        }
    }

    fn cluster(&self, index: u32) -> Option<&Cluster> {
        self.clusters.get(index as usize)
    }

    fn function(&self, worker: u32) -> &'static str {
        let worker = self.workers.get(worker as usize);
        worker
            .and_then(|worker| worker.place.scheme)
            .map_or("HTTP", |scheme| scheme.function())
    }

    /// The member or worker that a plan goes to.
    fn member(&self, plan: &Plan) -> Option<&Member> {
        let index = plan.ticket.member?;
        match plan.ticket.balancer {
            Some(cluster) => self.cluster(cluster)?.balancer.member(index),
            None => Some(&self.workers.get(index as usize)?.member),
        }
    }

    fn place(&self, plan: &Plan) -> Option<&Place> {
        let index = plan.ticket.member? as usize;
        match plan.ticket.balancer {
            Some(cluster) => self.cluster(cluster)?.places.get(index),
            None => Some(&self.workers.get(index)?.place),
        }
    }
}

/// Says what is wrong with a match; the status that the request is refused with, if it is.
fn tell_trouble(ask: &Ask<'_>, trouble: Trouble, url: &[u8]) -> Option<Status> {
    match trouble {
        Trouble::UnsafeNocanon => {
            let message =
                format_args!("Unescaped URL path matched ProxyPass; ignoring unsafe nocanon");
            ask.log_tagged(Module::Proxy, Level::Warn, Tag::Ah(1136), message);
            None
        }
        Trouble::Unfit(Unfit::Authority) => {
            let (path, url) = (Raw(&ask.route.path), Raw(url));
            ask.log_tagged(
                Module::Proxy,
                Level::Error,
                Tag::Tn(341),
                format_args!("what {path} fills in is no host and port: {url}...; answering 403"),
            );
            Some(Status::FORBIDDEN)
        }
        Trouble::Unfit(Unfit::TooLong) => {
            let message =
                format_args!("Substitution in regular expression failed. Replacement too long?");
            ask.log_tagged(Module::Proxy, Level::Error, Tag::Ah(1135), message);
            Some(Status::INTERNAL_SERVER_ERROR)
        }
    }
}

/// The URL of a plan as traces show it: its target behind the front of a worker or of the mapping.
fn url(front: &[u8], plan: &Plan) -> Vec<u8> {
    [front, plan.head.target.raw()].concat()
}

/// Whether any line of a request's trace may be wanted.
fn is_traced(ask: &Ask<'_>) -> bool {
    [
        Module::Proxy,
        Module::ProxyBalancer,
        Module::ProxyHttp,
        Module::LbmethodByrequests,
        Module::LbmethodBytraffic,
        Module::LbmethodBybusyness,
    ]
    .into_iter()
    .any(|module| ask.log_enabled(module, Level::Debug))
}

fn now_ms(ask: &Ask<'_>) -> u64 {
    ask.now_us / 1000
}
