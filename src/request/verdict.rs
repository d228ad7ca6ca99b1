//! What a handler decided, as a value: an answer, or a plan for the engine.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Address, Answer, Ask, Backend, Failure, Outcome, PlannedAddress};
use crate::codec::BadLine;
use crate::http::{RequestHead, ResponseHead, Status};
use crate::log::Environment;

/// One way to deal with requests: a page, or forwarding. A handler looks and decides; it never touches a socket,
/// never waits, and keeps nothing of a request beyond the [`Plan`].
pub trait Handler: Sync {
    /// The word that `SetHandler` uses for it.
    fn name(&self) -> &'static str;

    /// httpd's translate step: whether this request belongs to the handler whatever `SetHandler` says
    /// (`ProxyPass` does). `true` means yes, and `claim` is filled.
    fn claims(&self, _ask: &Ask<'_>, _claim: &mut Claim) -> bool {
        false
    }

    /// Decides about the request. With [`Verdict::Forward`] the plan is filled.
    fn start(&self, ask: &Ask<'_>, plan: &mut Plan) -> Verdict;

    /// The plan could not be carried out. The handler decides again: another plan, or an answer. What the failed
    /// attempt claimed is settled here.
    fn failed(&self, ask: &Ask<'_>, plan: &mut Plan, failure: &Failure) -> Verdict;

    /// The host that the plan names has these addresses. `Some` puts another decision in the place of connecting to
    /// the first of them that takes the connection; the plan is not carried out then, as if `failed` had been called.
    fn found(
        &self,
        _ask: &Ask<'_>,
        _plan: &mut Plan,
        _addresses: &[SocketAddr],
    ) -> Option<Verdict> {
        None
    }

    /// Edits the head of the backend's response before the client sees it. `Some` replaces the response by an
    /// answer of ours (`ProxyErrorOverride`).
    fn rewrite(
        &self,
        _ask: &Ask<'_>,
        _plan: &Plan,
        _head: &mut ResponseHead,
    ) -> Option<Box<Answer>> {
        None
    }

    /// Edits the head of an interim response of the backend, and decides whether the client gets it.
    fn rewrite_interim(&self, _ask: &Ask<'_>, _plan: &Plan, _head: &mut ResponseHead) -> Interim {
        Interim::Pass
    }

    /// The exchange is over, well or not: settles what the plan claimed. Called exactly once for every plan that
    /// was carried out and for which `failed` was not called.
    fn finish(&self, _ask: &Ask<'_>, _plan: &mut Plan, _outcome: &Outcome) {}

    /// How far the engine is with the plan. Only for traces: it must cost nothing when nobody reads them.
    fn milestone(&self, _ask: &Ask<'_>, _plan: &Plan, _milestone: Milestone) {}
}

/// What the engine has done for a plan, in this order as far as it comes. mod_proxy prints a line for each at debug
/// level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// The pool gave a connection, or leave to open one.
    Acquired,
    /// The connection that the pool gave had been closed by the backend; another one is wanted.
    Disconnected,
    /// A socket was made to connect to this address.
    SocketCreated(SocketAddr),
    /// The attempt to connect to this address failed, with this error number.
    Refused(SocketAddr, Option<i32>),
    /// The connection to this address is made.
    Connected(SocketAddr),
    /// The response's head went to the client, and content follows (`true`) or not.
    HeadSent(bool),
    /// The response's content is complete.
    BodySent,
    /// The connection was given back or closed.
    Released,
}

/// What becomes of an interim response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interim {
    /// The client gets it, but a 100 only when it waits for one.
    Pass,
    /// The client gets it.
    PassUnasked,
    /// It is dropped.
    Drop,
}

/// A decision.
#[derive(Debug)]
pub enum Verdict {
    /// Say this to the client.
    Answer(Box<Answer>),
    /// Carry out the plan.
    Forward,
    /// Call `start` again with the whole content in [`Ask::content`], at most `limit` bytes (413 beyond).
    Gather {
        /// The most bytes of content to hold.
        limit: usize,
    },
    /// Say what the file at the route's place has, or why not.
    File,
    /// Not mine: there is nothing here (404).
    Decline,
}

/// What `claims` found, kept for `start` and recycled with the exchange.
#[derive(Debug, Default)]
pub struct Claim {
    /// Which of the handler's rules matched; its own numbering.
    pub rule: u32,
    /// The target URL that the rule maps the request to, as `<Proxy>` sections are compared with it.
    pub url: Vec<u8>,
    /// How long the URL's scheme and authority are together.
    pub front: usize,
    /// The request is the handler's only to be refused, with this status; there is no URL then.
    pub refusal: Option<Status>,
    /// The path that sections are compared with, decoded, when the rule saw another one than the client sent (`mapping=servlet`).
    pub path: Vec<u8>,
}

impl Claim {
    /// Empties the claim, keeping its allocation.
    pub fn clear(&mut self) {
        self.rule = 0;
        self.url.clear();
        self.front = 0;
        self.refusal = None;
        self.path.clear();
    }
}

/// Where and how to forward a request. Recycled with its exchange: `clear` keeps allocations.
#[derive(Debug, Default)]
pub struct Plan {
    /// Where to dial.
    pub backend: Option<&'static Backend>,
    /// Which host and port, when the backend leaves that to the plan ([`super::Address::Planned`]).
    pub address: PlannedAddress,
    /// Our own address for new connections, where the system shall not choose (`ProxySourceAddress`).
    pub source: Option<IpAddr>,
    /// The request head to send.
    pub head: Box<RequestHead>,
    /// What the handler remembers of this attempt: claim on a member, balancer, route.
    pub ticket: Ticket,
    /// Longest silence of the backend while we wait for it (timeout=, ProxyTimeout, Timeout).
    pub io_timeout: Duration,
    /// How many attempts were made before this one.
    pub attempt: u32,
    /// The variables that the attempt sets for logs: BALANCER_NAME and its kin.
    pub vars: Environment,
    /// Take no idle connection: open one.
    pub is_fresh_only: bool,
    /// What becomes of a response with a line that is no field line.
    pub bad_lines: BadLine,
    /// How the request's content is read and sent.
    pub content: ContentRules,
    /// If it becomes a tunnel, that is over when either side ends (`proxy-nohalfclose`).
    pub ends_at_first_eof: bool,
}

/// How the content of a forwarded request is read before a connection is wanted, and how it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentRules {
    /// The backend must be told a length: content without one is read to its end before anybody is dialed.
    pub needs_length: bool,
    /// Content that has not arrived is not waited for before dialing.
    pub dials_at_once: bool,
    /// An empty line goes behind the request, as some old servers want.
    pub has_extra_crlf: bool,
    /// How long the backend may take to say 100 when it was asked to; `None` is as long as for a response.
    pub continue_timeout: Option<Duration>,
}

/// A handler's own memory of one attempt; the engine only carries it.
#[derive(Debug, Default)]
pub struct Ticket {
    /// The claim on a member, to be settled.
    pub lease: Option<crate::balancer::lease::Lease>,
    /// Index of the balancer, if one chose.
    pub balancer: Option<u32>,
    /// Index of the member within its balancer.
    pub member: Option<u32>,
    /// Members (by index) that were tried already in this exchange.
    pub tried: Vec<u32>,
    /// The ProxyRemote that the request goes through, by its place among those of its server.
    pub remote: Option<u32>,
    /// The first ProxyRemote that may be asked; those before it failed. `u32::MAX` is none of them.
    pub remotes_from: u32,
    /// Whether the host's addresses exempt it from them (`NoProxy 10.0.0.0/8`).
    pub exemption: Exemption,
}

/// What is known of an exemption that depends on a host's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Exemption {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// The addresses are awaited.
    Awaited,
    /// It does not hold.
    Refuted,
}

impl Plan {
    /// What logs call the place that the plan leads to: the worker, or the host that the plan names.
    #[must_use]
    pub fn label(&self) -> Option<Cow<'static, str>> {
        let backend = self.backend?;
        Some(match backend.address {
            Address::Planned => self.address.to_string().into(),
            Address::Tcp { .. } | Address::Unix(_) => backend.label.as_str().into(),
        })
    }

    /// Empties the plan, keeping allocations.
    pub fn clear(&mut self) {
        use crate::http::head::Recycle as _;
        self.backend = None;
        self.address.clear();
        self.source = None;
        self.head.recycle();
        self.ticket.lease = None;
        self.ticket.balancer = None;
        self.ticket.member = None;
        self.ticket.tried.clear();
        self.ticket.remote = None;
        self.ticket.remotes_from = 0;
        self.ticket.exemption = Exemption::NotAsked;
        self.io_timeout = Duration::ZERO;
        self.attempt = 0;
        self.vars.clear();
        self.is_fresh_only = false;
        self.bad_lines = BadLine::Refuse;
        self.content = ContentRules::default();
        self.ends_at_first_eof = false;
    }
}
