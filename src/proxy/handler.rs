//! The handler `proxy-server`: from a claim to a plan, and from the plan's end to the books.
//!
//! Know first: an attempt is made the same way the first time and again. Everything that can be refused is looked at before a member is
//! claimed, so a lease exists exactly while a plan is being carried out. mod_proxy's `proxy_handler` and mod_proxy_balancer's
//! `pre_request` and `post_request`, reference §4.1, §4.8 to §4.10.

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;

use super::map::{PathForm, Question, Way};
use super::outgoing::{Refusal, Sender, via_member, write_target};
use super::retry::{Again, Circumstances, again, trouble};
use super::reverse::Mirror;
use super::{Cluster, Place, Proxy, traces};
use crate::balancer::{
    self, Balancer, Choice, Event, Lease, Mark, Member, NoMember, Request, Session, Silent,
    judge_status, judge_trouble,
};
use crate::config::model::{self, BalancerParams, EncodedSlashes, Via};
use crate::http::{FieldId, ResponseHead, Status};
use crate::log::{Cause, Environment, Level, Module, Raw, Tag, Trace22};
use crate::request::verdict::Milestone;
use crate::request::{Answer, Ask, Claim, Failure, FailureKind, Handler, Outcome, Plan, Verdict};
use std::time::Duration;

/// Where a request is to go.
struct Goal<'a> {
    way: &'a Way,
    /// The decoded or raw path behind the target's front.
    path: &'a [u8],
    form: PathForm,
}

/// A refusal on the way to a plan, as an answer.
type Refused = Box<Answer>;

impl Handler for Proxy {
    fn name(&self) -> &'static str {
        "proxy-server"
    }

    fn claims(&self, ask: &Ask<'_>, claim: &mut Claim) -> bool {
        if ask.route.is_forward {
            return false;
        }
        let question = Question {
            site: ask.site().index,
            locations: &ask.dir().locations,
            path: &ask.route.path,
            target: &ask.head.target,
        };
        let Some(found) = self.map.find(&question, &mut claim.url) else {
            return false;
        };
        claim.rule = found.rule;
        if found.is_nocanon_unsafe {
            let path = Raw(&ask.route.path);
            ask.log_tagged(
                Module::Proxy,
                Level::Warn,
                Tag::Tn(341),
                format_args!(
                    "the path as sent does not match like {path} does; ignoring unsafe nocanon"
                ),
            );
        }
        true
    }

    fn start(&self, ask: &Ask<'_>, plan: &mut Plan) -> Verdict {
        self.attempt(ask, plan)
    }

    fn failed(&self, ask: &Ask<'_>, plan: &mut Plan, failure: &Failure) -> Verdict {
        let trouble = trouble(failure);
        let again = self.judge(ask, plan, failure);
        if again == Again::SameMember {
            // The lease goes on: it is the same attempt on another connection.
            plan.is_fresh_only = true;
            return Verdict::Forward;
        }
        settle(plan, 0, 0, trouble.map(Err));
        match (again, plan.ticket.member) {
            (Again::OtherMember, Some(member)) => {
                plan.ticket.tried.push(member);
                plan.attempt += 1;
                plan.is_fresh_only = false;
                self.attempt(ask, plan)
            }
            _ => Verdict::Answer(failure.answer(ask)),
        }
    }

    fn rewrite(&self, ask: &Ask<'_>, _plan: &Plan, head: &mut ResponseHead) -> Option<Refused> {
        if let Some(answer) = override_error(ask, head) {
            return Some(answer);
        }
        let dir = &ask.dir().config;
        let site = self.site(ask.site().index);
        let members = |name: &str| {
            let cluster = site.and_then(|site| self.cluster(site.balancer(name)?));
            let members = cluster.map_or(&[][..], |cluster| &cluster.balancer.members);
            members.iter().map(Member::name).collect()
        };
        Mirror {
            dir,
            members: &members,
            origin: &|| origin(ask),
        }
        .rewrite(&mut head.fields);
        let via = ask.site().server.proxy.via.or(Via::Off);
        if matches!(via, Via::On | Via::Full) {
            let value = via_member(via, ask.head.version, via_name(ask), &ask.env.product);
            head.fields.push_id(FieldId::Via, value.as_bytes());
        }
        None
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
        let Some(cluster) = plan.ticket.balancer.and_then(|index| self.cluster(index)) else {
            return;
        };
        let name = &cluster.balancer.name;
        let params = &cluster.balancer.params;
        if let Some(status) = outcome.status
            && let Mark::InError(reason) = judge_status(status.as_u16(), params)
            && member.put_in_error(now_ms(ask), &reason.to_string())
        {
            let (worker, status) = (member.name(), status.as_u16());
            ask.trace22(&Trace22::FailOnStatus {
                balancer: name,
                worker,
                status,
            });
        } else if let Some(trouble) = failed
            && let Mark::InError(reason) = judge_trouble(trouble, params).mark
        {
            member.put_in_error(now_ms(ask), &reason.to_string());
        }
        ask.trace22(&Trace22::PostRequest { balancer: name });
    }

    fn milestone(&self, ask: &Ask<'_>, plan: &Plan, milestone: Milestone) {
        let (Some(place), Some(member)) = (self.place(plan), self.member(plan)) else {
            return;
        };
        let function = place.scheme.map_or("HTTP", |scheme| scheme.function());
        let host = member.url.host.as_str();
        match milestone {
            Milestone::Acquired if ask.log_enabled(Module::Proxy, Level::Debug) => {
                ask.trace22(&Trace22::Acquired { function, host });
                let port = member.url.port_or_default().unwrap_or(80);
                let path = plan.head.target.raw();
                let url = [place.front.as_bytes(), path].concat();
                ask.trace22(&Trace22::Connecting {
                    url: &url,
                    host,
                    port,
                });
                ask.trace22(&Trace22::Connected { path, host, port });
            }
            Milestone::Acquired => {}
            Milestone::Disconnected => ask.trace22(&Trace22::Disconnected { function }),
            Milestone::SocketCreated(address) => {
                let family = if address.is_ipv4() { 2 } else { 10 };
                ask.trace22(&Trace22::SocketCreated {
                    function,
                    family,
                    host,
                });
            }
            Milestone::Refused(address, error) => {
                let cause = error.map(Cause::Errno);
                ask.trace22_caused(
                    &Trace22::ConnectFailed {
                        function,
                        address,
                        host,
                    },
                    cause,
                );
            }
            Milestone::Connected(address) => {
                ask.trace22(&Trace22::ConnectionComplete {
                    function,
                    address,
                    host,
                });
            }
            Milestone::HeadSent(true) => ask.trace22(&Trace22::StartBodySend),
            Milestone::HeadSent(false) => ask.trace22(&Trace22::HeaderOnly),
            Milestone::BodySent => ask.trace22(&Trace22::EndBodySend),
            Milestone::Released => ask.trace22(&Trace22::Released { function, host }),
        }
    }
}

impl Proxy {
    /// Fills the plan for a first or further attempt.
    fn attempt(&self, ask: &Ask<'_>, plan: &mut Plan) -> Verdict {
        let planned = match self.goal(ask) {
            Some(goal) => match goal.way {
                Way::Balancer(index) => self.through_balancer(ask, plan, &goal, *index),
                Way::Workers(workers) => self.to_worker(ask, plan, &goal, workers),
                Way::Nobody => Err(no_handler(ask, &ask.route.claim.url)),
            },
            None => self.directly(ask, plan),
        };
        match planned {
            Ok(()) => Verdict::Forward,
            Err(answer) => Verdict::Answer(answer),
        }
    }

    /// What `claims` found.
    fn goal<'a>(&'a self, ask: &Ask<'a>) -> Option<Goal<'a>> {
        if !ask.route.is_claimed {
            return None;
        }
        let claim = &ask.route.claim;
        let (to, form) = self.map.rule(claim.rule)?;
        // The front's length is the configuration's: nothing of the URL is parsed again.
        let path = claim.url.get(to.front.len()..)?;
        Some(Goal {
            way: &to.way,
            path,
            form,
        })
    }

    fn through_balancer(
        &self,
        ask: &Ask<'_>,
        plan: &mut Plan,
        goal: &Goal<'_>,
        index: u32,
    ) -> Result<(), Refused> {
        let cluster = self
            .cluster(index)
            .expect("rules name balancers that were compiled with them");
        let balancer = &cluster.balancer;
        let name = balancer.name.as_str();
        let is_traced = is_traced(ask);
        if is_traced && plan.attempt == 0 {
            let url = ask
                .route
                .claim
                .url
                .strip_prefix(b"balancer:")
                .unwrap_or_default();
            ask.trace22(&Trace22::BalancerCanonicalising { url });
        }
        // Sessions are looked for in what goes to a member, so the target is written before one is chosen.
        target(ask, plan, &[], goal)?;
        let mut story = traces::Election::new(ask, balancer);
        let mut tell = |event: Event<'_>| story.tell(&event);
        let mut silent = Silent;
        let observer: &mut dyn balancer::Observer = if is_traced { &mut tell } else { &mut silent };
        let request = Request {
            path_and_query: plan.head.target.raw(),
            fields: &ask.head.fields,
            tried: &plan.ticket.tried,
            now_ms: now_ms(ask),
        };
        let choice = balancer
            .choose(&request, observer)
            .map_err(|nobody| no_member(ask, name, &nobody))?;
        let member = choice.index;
        set_variables(&mut plan.vars, balancer, &choice);
        let place = cluster
            .places
            .get(member as usize)
            .expect("every member has its place");
        if !place.base.is_empty() {
            target(ask, plan, &place.base, goal)?;
        }
        self.prepare(ask, plan, place)?;
        plan.ticket.balancer = Some(index);
        plan.ticket.member = Some(member);
        plan.ticket.lease = Some(balancer.lease(member, ask.me.process, ask.slot));
        if is_traced {
            let worker = balancer.member(member).map_or("", Member::name);
            let url = url(place, plan);
            ask.trace22(&Trace22::Rewritten {
                balancer: name,
                worker,
                url: &url,
            });
            self.trace_handlers(ask, plan, "balancer", place, &url);
        }
        Ok(())
    }

    fn to_worker(
        &self,
        ask: &Ask<'_>,
        plan: &mut Plan,
        goal: &Goal<'_>,
        workers: &[(Vec<u8>, u32)],
    ) -> Result<(), Refused> {
        let longest = workers.iter().find(|(path, _)| goal.path.starts_with(path));
        let (_, index) = longest
            .or_else(|| workers.last())
            .expect("a mapping to workers has at least its own");
        if is_traced(ask) {
            let url = &ask.route.claim.url;
            let scheme = url.iter().position(|&byte| byte == b':').unwrap_or(0);
            let url = url.get(scheme + 1..).unwrap_or_default();
            ask.trace22(&Trace22::Canonicalising {
                function: self.function(*index),
                url,
            });
        }
        self.plan_worker(ask, plan, goal, *index, &[])
    }

    /// `SetHandler proxy:URL`: the URL, then the path as a file below DocumentRoot, as httpd joins them.
    fn directly(&self, ask: &Ask<'_>, plan: &mut Plan) -> Result<(), Refused> {
        let Some(model::Handler::Proxy(url)) = ask.dir().config.set_handler.get() else {
            return Err(no_handler(ask, &ask.route.path));
        };
        let direct = self
            .site(ask.site().index)
            .map_or(&[][..], |site| &site.direct);
        let Some((_, index)) = direct.iter().find(|(known, _)| known == url) else {
            return Err(no_handler(ask, url.name.as_bytes()));
        };
        let root = ask
            .site()
            .server
            .document_root
            .get()
            .map_or("", String::as_str);
        let path = [root.as_bytes(), &ask.route.path].concat();
        let goal = Goal {
            way: &Way::Nobody,
            path: &path,
            form: PathForm::Decoded,
        };
        self.plan_worker(ask, plan, &goal, *index, url.path.as_bytes())
    }

    fn plan_worker(
        &self,
        ask: &Ask<'_>,
        plan: &mut Plan,
        goal: &Goal<'_>,
        index: u32,
        base: &[u8],
    ) -> Result<(), Refused> {
        let worker = self
            .workers
            .get(index as usize)
            .expect("rules name workers that were compiled with them");
        target(ask, plan, base, goal)?;
        self.prepare(ask, plan, &worker.place)?;
        plan.ticket.balancer = None;
        plan.ticket.member = Some(index);
        plan.ticket.lease = Some(Lease::claim(
            self.board,
            &worker.member,
            None,
            ask.me.process,
            ask.slot,
        ));
        if is_traced(ask) {
            let scheme = &worker.place.scheme_name;
            let url = url(&worker.place, plan);
            ask.trace22(&Trace22::FoundWorker {
                scheme,
                worker: worker.member.name(),
                url: &url,
            });
            self.trace_handlers(ask, plan, scheme, &worker.place, &url);
        }
        Ok(())
    }

    /// The head for a backend, all but its target, and how to get there.
    fn prepare(&self, ask: &Ask<'_>, plan: &mut Plan, place: &Place) -> Result<(), Refused> {
        let (Some(backend), Some(scheme)) = (place.backend, place.scheme) else {
            return Err(no_handler(
                ask,
                &[place.front.as_bytes(), plan.head.target.raw()].concat(),
            ));
        };
        let site = ask.site();
        let sender = Sender {
            client: ask.head,
            from: ask.peers.client,
            ours: via_name(ask),
            proxy: &site.server.proxy,
            dir: &ask.dir().config,
            product: &ask.env.product,
            host: &place.host,
            may_reuse: backend.pool.reuse,
        };
        sender
            .prepare(&mut plan.head)
            .map_err(|refusal| refuse(ask, refusal))?;
        scheme.prepare(ask, &mut plan.head);
        let of_server = site
            .server
            .proxy
            .timeout_s
            .get()
            .map(|&s| Duration::from_secs(u64::from(s)));
        plan.io_timeout = place
            .timeout
            .or(of_server)
            .unwrap_or_else(|| Duration::from_millis(site.timeout_ms));
        plan.backend = Some(backend);
        Ok(())
    }

    fn trace_handlers(&self, ask: &Ask<'_>, plan: &Plan, scheme: &str, place: &Place, url: &[u8]) {
        ask.trace22(&Trace22::RunningHandler {
            scheme,
            attempt: plan.attempt,
        });
        for function in &self.decliners {
            ask.trace22(&Trace22::Declining { function, url });
        }
        let function = place.scheme.map_or("HTTP", |scheme| scheme.function());
        ask.trace22(&Trace22::Serving { function, url });
    }

    /// What a failure does to the member, and who tries next.
    fn judge(&self, ask: &Ask<'_>, plan: &Plan, failure: &Failure) -> Again {
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
        if again(failure, circumstances) == Again::SameMember {
            return Again::SameMember;
        }
        if let (Some(member), Some(Mark::InError(reason))) =
            (member, judgement.map(|judgement| judgement.mark))
        {
            let is_marked = member.put_in_error(now_ms(ask), &reason.to_string());
            if is_marked
                && matches!(
                    failure.kind,
                    FailureKind::Connect | FailureKind::ConnectTimeout
                )
            {
                ask.trace22(&Trace22::DisablingWorker {
                    host: &member.url.host,
                });
            }
        }
        circumstances.is_member_out = member.is_some_and(|member| !member.usable());
        let again = again(failure, circumstances);
        if let (Again::OtherMember, Some(cluster), Some(member)) = (again, cluster, member) {
            let (next, most) = (plan.attempt + 1, cluster.balancer.attempts_allowed());
            ask.log_tagged(
                Module::ProxyBalancer,
                Level::Info,
                Tag::Tn(342),
                format_args!(
                    "member {} failed; trying another one ({next} of {most})",
                    member.name()
                ),
            );
        }
        again
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

/// The variables that a balanced request gets: [`Choice::variables`] without their allocations.
fn set_variables(vars: &mut Environment, balancer: &Balancer, choice: &Choice<'_>) {
    vars.clear();
    vars.set("BALANCER_NAME", balancer.name.as_bytes());
    if let Some(member) = balancer.member(choice.index) {
        vars.set("BALANCER_WORKER_NAME", member.name().as_bytes());
        let route = &member.score.route;
        if route.is(b"") {
            vars.set("BALANCER_WORKER_ROUTE", b"");
        } else {
            vars.set("BALANCER_WORKER_ROUTE", &route.bytes());
        }
    }
    if let Some(Session {
        name,
        route: Some(route),
        ..
    }) = choice.session
    {
        vars.set("BALANCER_SESSION_STICKY", name.as_bytes());
        vars.set("BALANCER_SESSION_ROUTE", route);
    }
    if choice.route_changed {
        vars.set("BALANCER_ROUTE_CHANGED", b"1");
    }
}

/// Writes the target of the outgoing head.
fn target(ask: &Ask<'_>, plan: &mut Plan, base: &[u8], goal: &Goal<'_>) -> Result<(), Refused> {
    let keeps_slashes = ask.site().encoded_slashes == EncodedSlashes::NoDecode;
    let query = ask.head.target.query();
    write_target(
        &mut plan.head,
        base,
        goal.path,
        goal.form,
        query,
        keeps_slashes,
    )
    .map_err(|refusal| refuse(ask, refusal))
}

/// Gives the member back, if the plan has one.
fn settle(
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

/// ProxyErrorOverride: a page of ours with the backend's status. A 401 keeps its challenge.
fn override_error(ask: &Ask<'_>, head: &ResponseHead) -> Option<Refused> {
    let rule = &ask.dir().config.error_override;
    let code = head.status.as_u16();
    let is_listed = if rule.codes.is_empty() {
        code >= 400
    } else {
        rule.codes.contains(&code)
    };
    if !rule.enabled.or(false) || !is_listed {
        return None;
    }
    let mut answer = Answer::error(ask, head.status);
    // The client's connection is fine: only the page is replaced.
    answer.close = false;
    if head.status == Status::UNAUTHORIZED {
        for challenge in head.fields.all(FieldId::WwwAuthenticate) {
            answer.fields.push_id(FieldId::WwwAuthenticate, challenge);
        }
    }
    Some(answer)
}

fn refuse(ask: &Ask<'_>, refusal: Refusal) -> Refused {
    match refusal {
        Refusal::BadMaxForwards => Answer::proxy_error(
            ask,
            Status::BAD_REQUEST,
            "Max-Forwards request header could not be parsed",
        ),
        Refusal::MaxForwardsReached => Answer::proxy_error(
            ask,
            Status::BAD_REQUEST,
            "Max-Forwards has reached zero - proxy loop?",
        ),
        Refusal::BadTarget => {
            let path = Raw(&ask.route.path);
            ask.log_tagged(
                Module::ProxyHttp,
                Level::Error,
                Tag::Ah(10415),
                format_args!("To be forwarded path contains control characters or spaces: {path}"),
            );
            Answer::error(ask, Status::FORBIDDEN)
        }
    }
}

fn no_member(ask: &Ask<'_>, balancer: &str, nobody: &NoMember) -> Refused {
    match nobody {
        NoMember::AllInError => ask.trace22(&Trace22::AllInError { balancer }),
        NoMember::ForRoute(route) => ask.trace22(&Trace22::AllInErrorForRoute { balancer, route }),
        NoMember::Empty => {
            ask.log_tagged(
                Module::ProxyBalancer,
                Level::Error,
                Tag::Ah(1170),
                format_args!("{balancer}: No workers in balancer"),
            );
        }
    }
    Answer::error(ask, Status::SERVICE_UNAVAILABLE)
}

fn no_handler(ask: &Ask<'_>, url: &[u8]) -> Refused {
    let scheme = url.split(|&byte| byte == b':').next().unwrap_or_default();
    ask.log_tagged(
        Module::Proxy,
        Level::Warn,
        Tag::Ah(1144),
        format_args!(
            "No protocol handler was valid for the URL {} (scheme '{}'). If you are using a DSO version of mod_proxy, make sure the \
             proxy submodules are included in the configuration using LoadModule. Hint: this build speaks to http backends only",
            Raw(&ask.route.path),
            Raw(scheme),
        ),
    );
    Answer::error(ask, Status::INTERNAL_SERVER_ERROR)
}

/// `http://name[:port]` of this server, as it tells the client.
fn origin(ask: &Ask<'_>) -> String {
    let named = ask
        .site()
        .server
        .name
        .get()
        .and_then(|name| name.scheme.as_deref());
    let (scheme, usual) = if named == Some("https") {
        ("https", 443)
    } else {
        ("http", 80)
    };
    let name = String::from_utf8_lossy(ask.server_name());
    let name = if name.contains(':') {
        format!("[{name}]")
    } else {
        name.into_owned()
    };
    match ask.server_port() {
        port if port == usual => format!("{scheme}://{name}"),
        port => format!("{scheme}://{name}:{port}"),
    }
}

/// The name and port of `Via`: never the client's name for us.
fn via_name<'a>(ask: &Ask<'a>) -> (&'a str, u16) {
    (&ask.site().name, ask.server_port())
}

/// The URL of a plan as traces show it.
fn url(place: &Place, plan: &Plan) -> Vec<u8> {
    [place.front.as_bytes(), plan.head.target.raw()].concat()
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
