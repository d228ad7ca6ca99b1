//! Plans for requests that are for somebody else, and for requests that go through another proxy.
//!
//! Responsible for: ProxyDomain, ProxyBlock and AllowCONNECT where a request meets them, the choice between a direct connection and a
//! ProxyRemote, and what a ProxyRemote that failed leaves to try. Not responsible for what targets mean (`proxy::forward`) or for which
//! proxy takes a URL (`proxy::remote`).
//!
//! Know first: a plan goes through the ProxyRemote in its ticket, or through none. `remotes_from` says which may still be asked; when one
//! fails it moves on, and the plan is made again. mod_proxy's `proxy_handler`, reference §4.9 and §6.9.

use super::super::block::blocked;
use super::super::forward::Wanted;
use super::super::outgoing::{Refusal, Sender};
use super::super::remote::{ByName, Remote};
use super::super::retry::trouble;
use super::super::upgrade::{Upgrades, WEBSOCKET};
use super::super::wishes::Wishes;
use super::super::{Proxy, SiteProxy};
use super::answers::{Refused, no_handler, refuse, via_name};
use super::attempt::{bad_lines, front};
use crate::balancer::Lease;
use crate::http::{ContentSize, FieldId, Form, Method, RequestHead, ResponseHead, Status, hop};
use crate::log::{Level, Module, Raw, Tag, Trace22};
use crate::request::verdict::Milestone;
use crate::request::{Answer, Ask, Exemption, Failure, FailureKind, Plan, Sent, Side, Verdict};
use std::net::SocketAddr;
use std::time::Duration;

/// No ProxyRemote is left to be asked.
const NONE_LEFT: u32 = u32::MAX;

impl Proxy {
    /// Fills the plan of a request for somebody else.
    pub(super) fn forward(&self, ask: &Ask<'_>, plan: &mut Plan) -> Result<(), Refused> {
        let url = &ask.route.claim.url;
        let site = self.site(ask.site().index);
        let (Some(site), Some(wanted)) = (site, Wanted::of(&ask.head.target)) else {
            return Err(no_handler(ask, url));
        };
        let Some(forward) = &site.forward else {
            return Err(no_handler(ask, url));
        };
        needs_domain(ask, &wanted)?;
        check_content(ask, &wanted)?;
        let directly = match wanted.scheme.as_str() {
            _ if wanted.is_connect => forward.connect,
            "http" | "ws" => forward.http,
            _ => None,
        };
        if directly.is_none() {
            // Whatever its addresses are, such a host is reached through another proxy or not at all.
            plan.ticket.exemption = Exemption::Refuted;
        }
        let through = site.remote_for(plan, url, wanted.name());
        let backend = match through {
            None => directly,
            Some(_) if wanted.is_connect => directly.and(forward.http),
            // mod_proxy_http leaves FTP to the other proxy. For https TLS would have to begin behind it.
            Some(_) if wanted.scheme == "ftp" => forward.http,
            Some(_) => directly,
        };
        let backend = backend.ok_or_else(|| no_handler(ask, url))?;
        site.blocks.check_name(ask, wanted.name())?;
        if wanted.is_connect && !forward.allows(wanted.port) {
            return Err(blocked(ask));
        }
        plan.source = ask.site().server.proxy.source_address.get().copied();
        plan.backend = Some(backend);
        plan.bad_lines = bad_lines(ask);
        plan.io_timeout = patience(ask);
        if let Some(remote) = through {
            plan.address.assign(&remote.host, remote.port);
            self.head_through(ask, plan, &wanted, remote)
        } else {
            plan.address.assign(&wanted.host, wanted.port);
            self.head_direct(ask, plan, site, &wanted)
        }
    }

    /// The head for the host itself.
    fn head_direct(
        &self,
        ask: &Ask<'_>,
        plan: &mut Plan,
        site: &SiteProxy,
        wanted: &Wanted,
    ) -> Result<(), Refused> {
        let url = &ask.route.claim.url;
        if wanted.is_connect {
            prepare(ask, plan, wanted, false)?;
            return assign(ask, &mut plan.head, ask.head.target.raw(), true);
        }
        let target = &ask.head.target;
        let path = match (&ask.head.method, target.path_as_sent(), target.query()) {
            // RFC 9112 §3.2.4: the last proxy asks for the server as a whole.
            (Method::Options, b"", None) => b"*".to_vec(),
            (_, _, None) => target.path().to_vec(),
            (_, _, Some(query)) => [target.path(), b"?", query].concat(),
        };
        // A worker that a mapping or a <Proxy> section made for the place lends its connections and timeouts.
        let worker = site.worker_at(&wanted.front(), target.path());
        let worker = worker.and_then(|index| Some((index, self.workers.get(index as usize)?)));
        match worker {
            Some((index, worker)) if worker.place.backend.is_some() => {
                plan.backend = worker.place.backend;
                plan.io_timeout = worker.place.timeout.unwrap_or(plan.io_timeout);
                let may_reuse = plan.backend.is_some_and(|backend| backend.may_reuse());
                prepare(ask, plan, wanted, may_reuse)?;
                plan.ticket.member = Some(index);
                if plan.ticket.lease.is_none() {
                    let (board, process) = (self.board, ask.me.process);
                    let lease = Lease::claim(board, &worker.member, None, process, ask.slot);
                    plan.ticket.lease = Some(lease);
                }
            }
            _ => {
                ask.trace22(&Trace22::FoundForwardWorker { url });
                prepare(ask, plan, wanted, false)?;
            }
        }
        // RFC 9110 §11.7.2: they are for proxies, and there is none behind us.
        if !ask.route.vars.has("proxy-chain-auth") {
            plan.head.fields.remove(FieldId::ProxyAuthorization);
        }
        assign(ask, &mut plan.head, &path, false)
    }

    /// The head for another proxy.
    fn head_through(
        &self,
        ask: &Ask<'_>,
        plan: &mut Plan,
        wanted: &Wanted,
        remote: &Remote,
    ) -> Result<(), Refused> {
        prepare(ask, plan, wanted, false)?;
        let target = &ask.head.target;
        if wanted.is_connect {
            // What the client says of itself is for its own use of the tunnel.
            let credentials = plan.head.fields.get(FieldId::ProxyAuthorization);
            let credentials = credentials.map(<[u8]>::to_vec);
            plan.head.fields.clear();
            plan.head
                .fields
                .push_id(FieldId::Host, wanted.authority.as_bytes());
            plan.head
                .fields
                .push(b"Proxy-agent", ask.site().server_field.as_bytes());
            if let Some(credentials) = credentials {
                plan.head
                    .fields
                    .push_id(FieldId::ProxyAuthorization, &credentials);
            }
            plan.head.content = ContentSize::None;
            plan.head.expects_continue = false;
            authorize(&mut plan.head, remote);
            return assign(ask, &mut plan.head, wanted.authority.as_bytes(), true);
        }
        authorize(&mut plan.head, remote);
        if target.authority().contains(&b'@') {
            return assign(ask, &mut plan.head, target.raw(), false);
        }
        // RFC 9112 §3.2.4: `OPTIONS http://host` keeps its empty path until the last proxy.
        let path = if ask.head.method == Method::Options {
            target.path_as_sent()
        } else {
            target.path()
        };
        let mut url = [wanted.front().as_bytes(), path].concat();
        if let Some(query) = target.query() {
            url.push(b'?');
            url.extend_from_slice(query);
        }
        assign(ask, &mut plan.head, &url, false)
    }

    /// Sends a request to a backend of a mapping through another proxy, if one takes its URL. `front` and `host` are the backend's.
    pub(super) fn send_through(
        &self,
        ask: &Ask<'_>,
        plan: &mut Plan,
        front: &[u8],
        host: &str,
    ) -> Result<(), Refused> {
        let Some(site) = self.site(ask.site().index) else {
            return Ok(());
        };
        site.blocks.check_name(ask, host)?;
        if site.remotes.is_empty() {
            return Ok(());
        }
        let url = [front, plan.head.target.raw()].concat();
        // A backend's host is configuration, so its addresses are not asked for.
        plan.ticket.exemption = Exemption::Refuted;
        let Some(remote) = site.remote_for(plan, &url, host) else {
            return Ok(());
        };
        plan.backend = Some(remote.backend);
        plan.head.keep_alive &= remote.backend.may_reuse();
        authorize(&mut plan.head, remote);
        assign(ask, &mut plan.head, &url, false)
    }

    /// What a host's addresses change about a plan.
    pub(super) fn addresses_found(
        &self,
        ask: &Ask<'_>,
        plan: &mut Plan,
        addresses: &[SocketAddr],
    ) -> Option<Verdict> {
        let site = self.site(ask.site().index)?;
        let is_filled = || self.place(plan).is_some_and(|place| place.is_filled);
        if plan.ticket.remote.is_some() || !(ask.route.is_forward || is_filled()) {
            // They are the other proxy's.
            return None;
        }
        let is_awaited = plan.ticket.exemption == Exemption::Awaited;
        if is_awaited && !site.remotes.exempts_one_of(addresses) {
            plan.ticket.exemption = Exemption::Refuted;
            return Some(self.replan(ask, plan, 0));
        }
        let host = plan.address.host.as_str();
        let checked = site.blocks.check_addresses(ask, host, addresses);
        checked.err().map(Verdict::Answer)
    }

    /// Another way to the same place after a failure, if there is one: through the next ProxyRemote, or directly.
    pub(super) fn detour(
        &self,
        ask: &Ask<'_>,
        plan: &mut Plan,
        failure: &Failure,
    ) -> Option<Verdict> {
        let site = self.site(ask.site().index)?;
        let is_awaited = plan.ticket.exemption == Exemption::Awaited;
        if is_awaited && failure.kind == FailureKind::Resolve {
            // A host that cannot be found from here is no host of ours.
            plan.ticket.exemption = Exemption::Refuted;
            return Some(self.replan(ask, plan, 0));
        }
        let failed = plan.ticket.remote?;
        trouble(failure)?;
        // Its connection had only gone stale: it is asked again.
        if failure.reused && failure.kind == FailureKind::Closed {
            return None;
        }
        let front;
        let url = if ask.route.is_forward {
            ask.route.claim.url.as_slice()
        } else {
            front = plan.head.target.raw().to_vec();
            &front
        };
        let next = site.remotes.find(url, failed + 1);
        if !may_detour(ask, failure, next.is_none()) {
            return None;
        }
        let words = match next.and_then(|next| site.remotes.get(next)) {
            Some(remote) => format!("trying {}:{} instead", remote.host, remote.port),
            None => "connecting directly instead".to_owned(),
        };
        failure.log_next(ask, plan, &words);
        self.tell_milestone(ask, plan, Milestone::Released);
        Some(self.replan(ask, plan, next.unwrap_or(NONE_LEFT)))
    }

    /// Makes the plan again with the ProxyRemotes from here on.
    fn replan(&self, ask: &Ask<'_>, plan: &mut Plan, from: u32) -> Verdict {
        let through = plan.ticket.remote.take();
        plan.ticket.remotes_from = from;
        plan.is_fresh_only = false;
        let planned = if ask.route.is_forward {
            self.forward(ask, plan)
        } else {
            self.prepare_again(ask, plan, through.is_some())
        };
        match planned {
            Ok(()) => Verdict::Forward,
            Err(answer) => {
                super::settle(plan, 0, 0, None);
                Verdict::Answer(answer)
            }
        }
    }

    /// A head for the member that the plan has, once more.
    fn prepare_again(
        &self,
        ask: &Ask<'_>,
        plan: &mut Plan,
        is_absolute: bool,
    ) -> Result<(), Refused> {
        let Some(place) = self.place(plan) else {
            return Err(no_handler(ask, &ask.route.claim.url));
        };
        let path = plan.head.target.raw();
        let path = if is_absolute {
            path.strip_prefix(front(ask, place)).unwrap_or(path)
        } else {
            path
        };
        let path = path.to_vec();
        assign(ask, &mut plan.head, &path, false)?;
        self.prepare(ask, plan, place)
    }
}

impl SiteProxy {
    /// The ProxyRemote that a plan goes through, by the URL and the host that are asked for; the ticket remembers it.
    fn remote_for(&self, plan: &mut Plan, url: &[u8], host: &str) -> Option<&Remote> {
        let ticket = &mut plan.ticket;
        ticket.remote = None;
        if self.remotes.is_empty() {
            return None;
        }
        let index = self.remotes.find(url, ticket.remotes_from)?;
        // Whoever has been sent on from one was not exempt.
        if ticket.remotes_from == 0 {
            match self.remotes.exempts(host) {
                ByName::No => {}
                ByName::Yes => return None,
                ByName::Unknown if ticket.exemption == Exemption::Refuted => {}
                ByName::Unknown => {
                    ticket.exemption = Exemption::Awaited;
                    return None;
                }
            }
        }
        ticket.remote = Some(index);
        self.remotes.get(index)
    }
}

/// Whether a failure of a ProxyRemote is another's chance. Connections that were not made are, since nothing was sent. What httpd calls a
/// 502 is, when repeating the request does nothing twice.
///
/// DIVERGE: httpd looks for nobody else when the connection for an `http` request is not made. Going to the next proxy is what the second
/// line is for; going directly is left out as in httpd.
fn may_detour(ask: &Ask<'_>, failure: &Failure, to_nobody: bool) -> bool {
    let is_connect = ask.head.method == Method::Connect;
    let has_content = !matches!(ask.head.content, ContentSize::None | ContentSize::Length(0));
    if failure.side != Side::Backend || failure.has_response || failure.sent == Sent::Content {
        return false;
    }
    let is_unmade = matches!(
        failure.kind,
        FailureKind::Resolve | FailureKind::Connect | FailureKind::ConnectTimeout
    );
    let is_unanswered = matches!(
        failure.kind,
        FailureKind::Closed | FailureKind::ReadTimeout | FailureKind::Malformed
    );
    let is_repeatable = !is_connect && !has_content && ask.head.method.is_idempotent();
    is_unmade && (is_connect || !to_nobody) || is_unanswered && is_repeatable
}

/// All but the target of the head.
fn prepare(
    ask: &Ask<'_>,
    plan: &mut Plan,
    wanted: &Wanted,
    may_reuse: bool,
) -> Result<(), Refused> {
    let wishes = Wishes::of(&ask.route.vars, ask.keepalives);
    let upgrades = Upgrades::new(None, (wanted.scheme == "ws").then_some(WEBSOCKET));
    let sender = Sender {
        client: ask.head,
        from: ask.peers.client,
        ours: via_name(ask),
        proxy: &ask.site().server.proxy,
        dir: &ask.dir().config,
        headers: ask.dir().headers.as_deref(),
        product: &ask.env.product,
        host: wanted.authority.as_bytes(),
        may_reuse,
        is_forward: true,
        wishes,
        probes: false,
        upgrade: upgrades.wanted(ask.head),
    };
    sender
        .prepare(&mut plan.head)
        .map_err(|refusal| refuse(ask, refusal))?;
    plan.is_fresh_only |= wishes.is_alone || wishes.is_fresh;
    plan.content = wishes.content_rules(plan.head.expects_continue, None);
    Ok(())
}

/// The credentials of a ProxyRemote take the place of the client's.
fn authorize(head: &mut RequestHead, remote: &Remote) {
    if let Some(value) = &remote.authorization {
        head.fields
            .set(FieldId::ProxyAuthorization, value.as_bytes());
    }
}

fn assign(
    ask: &Ask<'_>,
    head: &mut RequestHead,
    target: &[u8],
    is_connect: bool,
) -> Result<(), Refused> {
    head.target
        .assign(target, is_connect)
        .map_err(|_| refuse(ask, Refusal::BadTarget))
}

fn patience(ask: &Ask<'_>) -> Duration {
    let site = ask.site();
    let of_server = site.server.proxy.timeout_s.get();
    of_server.map_or_else(
        || Duration::from_millis(site.timeout_ms),
        |&s| Duration::from_secs(u64::from(s)),
    )
}

/// RFC 9110 §9.3.6: a CONNECT has no content. What announces some would mean one thing to us and another to whoever takes the bytes behind
/// it for the tunnel's.
fn check_content(ask: &Ask<'_>, wanted: &Wanted) -> Result<(), Refused> {
    let has_content = !matches!(ask.head.content, ContentSize::None | ContentSize::Length(0));
    if !(wanted.is_connect && has_content) {
        return Ok(());
    }
    let mut answer = Answer::error(ask, Status::BAD_REQUEST);
    answer.close = true;
    Err(answer)
}

/// ProxyDomain: sends a client that names a host without domain to the host with one.
fn needs_domain(ask: &Ask<'_>, wanted: &Wanted) -> Result<(), Refused> {
    let Some(domain) = ask.site().server.proxy.domain.get() else {
        return Ok(());
    };
    let is_short = !wanted.host.contains(['.', ':']) && wanted.host != "localhost";
    let is_get = matches!(ask.head.method, Method::Get | Method::Head);
    if !(is_short && is_get) || ask.head.target.form() != Form::Absolute {
        return Ok(());
    }
    let target = &ask.head.target;
    let raw = target.raw();
    // The host's own spelling stands in front of a port, or is the whole authority.
    let end = target.scheme().len() + "://".len() + wanted.host.len();
    let (front, rest) = raw.split_at_checked(end).unwrap_or((raw, b""));
    let location = [front, domain.as_bytes(), rest].concat();
    ask.log_tagged(
        Module::Proxy,
        Level::Info,
        Tag::Ah(1138),
        format_args!("Domain missing: {} sent to {}", Raw(raw), Raw(&location)),
    );
    Err(Answer::redirect(ask, Status::MOVED_PERMANENTLY, &location))
}

/// The answer to a host name that has no address, with httpd's words.
pub(super) fn unresolved(ask: &Ask<'_>, plan: &Plan, failure: &Failure) -> Box<Answer> {
    let reason = format!("DNS lookup failure for: {}", plan.address.host);
    Answer::proxy_error(ask, failure.status(), &reason)
}

/// The head that opens a tunnel says who opened it, unless another proxy did.
pub(super) fn announce_tunnel(ask: &Ask<'_>, plan: &Plan, head: &mut ResponseHead) -> bool {
    let opens = ask.head.method == Method::Connect && (200..300).contains(&head.status.as_u16());
    if opens {
        hop::strip_response(&mut head.fields);
    }
    if opens && plan.ticket.remote.is_none() {
        head.fields
            .push(b"Proxy-agent", ask.site().server_field.as_bytes());
    }
    opens
}
