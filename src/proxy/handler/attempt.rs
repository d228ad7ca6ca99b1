//! From a claim to a plan: who gets the request, and what is said there.
//!
//! Responsible for: filling the plan of one attempt and claiming its member. Not responsible for what becomes of the attempt
//! (`fate`), nor for the election (`balancer`) and the outgoing fields (`outgoing`).
//!
//! Know first: everything that can be refused is looked at before a member is claimed. mod_proxy_balancer's `pre_request`,
//! reference §3.6, §3.9 and §4.1.

use super::super::map::{PathForm, Way};
use super::super::outgoing::{Sender, client_authority, write_target};
use super::super::wishes::Wishes;
use super::super::{Place, Proxy, traces};
use super::answers::{
    Refused, no_handler, no_host, no_member, no_upgrade, refuse, tell_hostless, via_name,
};
use super::{is_traced, now_ms, url};
use crate::balancer::{self, Balancer, Choice, Event, Lease, Member, Request, Session, Silent};
use crate::codec::BadLine;
use crate::config::model::{self, BadHeader, EncodedSlashes};
use crate::http::host::Authority;
use crate::log::{Environment, Trace22};
use crate::request::{Ask, Plan, Verdict};
use std::time::Duration;

/// Where a request is to go.
struct Goal<'a> {
    way: &'a Way,
    /// What stands before it.
    front: &'a [u8],
    /// The decoded or raw path behind the target's front.
    path: &'a [u8],
    form: PathForm,
}

impl Proxy {
    /// Fills the plan for a first or further attempt.
    pub(super) fn attempt(&self, ask: &Ask<'_>, plan: &mut Plan) -> Verdict {
        plan.ends_at_first_eof = ask.var("proxy-nohalfclose").is_some();
        if ask.route.is_forward {
            return match self.forward(ask, plan) {
                Ok(()) => Verdict::Forward,
                Err(answer) => Verdict::Answer(answer),
            };
        }
        let planned = match self.goal(ask) {
            Some(goal) => match goal.way {
                Way::Balancer(index) => self.through_balancer(ask, plan, &goal, *index),
                Way::NamedBalancer => match self.named_balancer(ask, goal.front) {
                    Some(index) => self.through_balancer(ask, plan, &goal, index),
                    None => Err(no_handler(ask, &ask.route.claim.url)),
                },
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
        // The front's length is known: nothing of the URL is parsed again.
        let (front, path) = claim.url.split_at_checked(claim.front)?;
        Some(Goal {
            way: &to.way,
            front,
            path,
            form,
        })
    }

    /// The balancer that a front names.
    fn named_balancer(&self, ask: &Ask<'_>, front: &[u8]) -> Option<u32> {
        let name = front.strip_prefix(b"balancer://")?;
        let name = std::str::from_utf8(name).ok()?;
        self.site(ask.site().index)?.balancer(name)
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
            let url = url(place.front.as_bytes(), plan);
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
            front: &[],
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
            let url = url(front(ask, &worker.place), plan);
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
    pub(super) fn prepare(
        &self,
        ask: &Ask<'_>,
        plan: &mut Plan,
        place: &Place,
    ) -> Result<(), Refused> {
        let (Some(backend), Some(scheme)) = (place.backend, place.scheme) else {
            return Err(no_handler(
                ask,
                &[place.front.as_bytes(), plan.head.target.raw()].concat(),
            ));
        };
        let site = ask.site();
        let front = front(ask, place);
        let host = if place.is_filled {
            plan_address(plan, place, front).ok_or_else(|| no_host(ask, front))?
        } else {
            place.host.as_slice()
        };
        let wishes = Wishes::of(&ask.route.vars, ask.keepalives);
        let upgrade = match wishes.is_http10 {
            true => None,
            false => place.upgrades.wanted(ask.head),
        };
        if upgrade.is_none() && place.scheme_name == "ws" && self.wstunnel.serves(&ask.dir().config)
        {
            return Err(no_upgrade(ask, place));
        }
        let sender = Sender {
            client: ask.head,
            from: ask.peers.client,
            ours: via_name(ask),
            proxy: &site.server.proxy,
            dir: &ask.dir().config,
            headers: ask.dir().headers.as_deref(),
            product: &ask.env.product,
            host,
            may_reuse: backend.may_reuse(),
            is_forward: false,
            wishes,
            probes: place.ping.is_some(),
            upgrade,
        };
        sender
            .prepare(&mut plan.head)
            .map_err(|refusal| refuse(ask, refusal))?;
        if ask.dir().config.preserve_host.or(false) && client_authority(ask.head).is_none() {
            tell_hostless(ask);
        }
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
        plan.source = site.server.proxy.source_address.get().copied();
        plan.is_fresh_only |= wishes.is_alone || wishes.is_fresh;
        plan.content = wishes.content_rules(plan.head.expects_continue, place.ping);
        plan.backend = Some(backend);
        plan.bad_lines = bad_lines(ask);
        if place.is_filled {
            let host = plan.address.host.clone();
            self.send_through(ask, plan, front, &host)
        } else {
            self.send_through(ask, plan, front, &place.name)
        }
    }
}

/// What stands before the path: a worker's own front, or what the mapping's became with the request.
pub(super) fn front<'a>(ask: &Ask<'a>, place: &'a Place) -> &'a [u8] {
    let claim = &ask.route.claim;
    if place.is_filled {
        claim.url.get(..claim.front).unwrap_or_default()
    } else {
        place.front.as_bytes()
    }
}

/// `ProxyBadHeader`.
pub(super) fn bad_lines(ask: &Ask<'_>) -> BadLine {
    match ask.site().server.proxy.bad_header.or(BadHeader::IsError) {
        BadHeader::IsError => BadLine::Refuse,
        BadHeader::Ignore => BadLine::Skip,
        BadHeader::StartBody => BadLine::EndHead,
    }
}

/// Names the host of a front in the plan; what `Host` says of it. `None` when it has none that could be dialled.
fn plan_address<'f>(plan: &mut Plan, place: &Place, front: &'f [u8]) -> Option<&'f [u8]> {
    let scheme = memchr::memmem::find(front, b"://")?;
    let authority = front.get(scheme + "://".len()..)?;
    let parsed = Authority::parse(authority).filter(|parsed| !parsed.host.is_empty())?;
    let usual = model::default_port(&place.scheme_name);
    let port = parsed.port.or(usual)?;
    plan.address
        .assign(std::str::from_utf8(parsed.host).ok()?, port);
    // The usual port is left out, and port 80 whatever the scheme.
    let is_usual = parsed.port.is_some() && (port == 80 || parsed.port == usual);
    let end = authority.iter().rposition(|&byte| byte == b':');
    match end {
        Some(end) if is_usual => authority.get(..end),
        _ => Some(authority),
    }
}

/// The variables that a balanced request gets: [`Choice::variables`] without their allocations.
fn set_variables(vars: &mut Environment, balancer: &Balancer, choice: &Choice<'_>) {
    vars.clear();
    vars.set("BALANCER_NAME", balancer.name.as_bytes());
    if let Some(member) = balancer.member(choice.index) {
        vars.set("BALANCER_WORKER_NAME", member.name().as_bytes());
        let mut route = [0; ROUTE_MAX];
        let length = member.score.route.read_into(&mut route).len;
        let route = route.get(..length).unwrap_or_default();
        vars.set("BALANCER_WORKER_ROUTE", route);
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

/// The longest route that a member's record holds.
const ROUTE_MAX: usize = 64;

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
