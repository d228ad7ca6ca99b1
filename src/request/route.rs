//! Where a request belongs: server, path, sections, handler.
//!
//! Responsible for: [`locate`], which takes a request from its head to the handler that decides about it, or to the
//! answer that needs no handler. Not responsible for: what handlers do, or parsing the target (`codec`).
//!
//! Know first, in the order of the steps:
//!
//! ```text
//! local address, Host ─► server ─► RequestHeader early, its SetEnvIf ─► path decoded and normalised ─► <Location> sections
//!     ─► a handler claims (ProxyPass) ─► <Proxy> sections by target URL, under the <Location>s
//!     ─► or else a file (Alias, DocumentRoot) ─► <Directory> and <Files> sections by its name, likewise
//!     ─► their SetEnvIf ─► access rules ─► SetEnv, RequestHeader ─► the claimant, else what SetHandler names, else the file
//! ```
//!
//! As in httpd, a local TRACE and `OPTIONS *` are answered before access rules are looked at, and a forward-proxy
//! request keeps its target undecoded, so that path sections do not match it (httpd's `ap_location_walk`,
//! `proxy_detect`, `proxy_map_location`).

mod forward;

use std::fmt;

use super::access::{self, Refusal};
use super::admit;
pub use super::dir::DirCache;
use super::dir::{Dir, Merged};
use super::files::{self, FilePlace};
use super::forwardable;
use super::vars;
use super::{Again, Answer, Ask, Claim, Env, Facts, Handler, Me, Moment, Peers, Site};
use crate::config::model::EncodedSlashes;
use crate::http::fields::FieldId;
use crate::http::host::Authority;
use crate::http::target::Form;
use crate::http::uri::{self, PathError};
use crate::http::{Method, RequestHead, Status, Version};
use crate::log::{Environment, Level, Module, Raw, Tag};

/// Where one request belongs. Recycled with its exchange.
#[derive(Default)]
pub struct Route {
    /// The server.
    pub site: Option<&'static Site>,
    /// The host that the request names: lower case, without port and final dot; empty when it names none.
    pub host: Vec<u8>,
    /// The port beside it.
    pub host_port: Option<u16>,
    /// The decoded, normalised path; the raw target of a forward-proxy request; `*`.
    pub path: Vec<u8>,
    /// Why the path cannot be decoded; only a rule for encoded paths may claim the request then.
    pub refusal: Option<PathError>,
    /// The request is for somebody else, and `ProxyRequests` is on.
    pub is_forward: bool,
    /// Who decides.
    pub handler: Option<&'static dyn Handler>,
    /// The handler claimed the request, so `claim` is filled and the request will be proxied.
    pub is_claimed: bool,
    /// What the handler claimed.
    pub claim: Claim,
    /// The request's own variables (SetEnvIf and its kin); what an attempt sets is in its plan.
    pub vars: Environment,
    /// How many of them were there before SetEnv and PassEnv.
    pub early_vars: usize,
    /// The server is known and its early edits are made.
    pub has_arrived: bool,
    /// Where the path leads in the file system, unless the request is claimed.
    pub place: FilePlace,
    /// What was settled before, when the request is located again.
    pub again: Option<Box<Again>>,
    kept: Option<&'static Dir>,
    single: Option<Box<Dir>>,
    /// The path with runs of slashes collapsed, when that makes a difference.
    collapsed: Vec<u8>,
}

/// A request of which nothing is known yet.
pub static NOWHERE: Route = Route {
    site: None,
    host: Vec::new(),
    host_port: None,
    path: Vec::new(),
    refusal: None,
    is_forward: false,
    handler: None,
    is_claimed: false,
    claim: Claim {
        rule: 0,
        url: Vec::new(),
        front: 0,
        refusal: None,
        path: Vec::new(),
    },
    vars: Environment::new(),
    early_vars: 0,
    has_arrived: false,
    place: FilePlace {
        file: Vec::new(),
        root: 0,
    },
    again: None,
    kept: None,
    single: None,
    collapsed: Vec::new(),
};

impl Route {
    /// What the sections that match say together.
    #[must_use]
    pub fn dir(&self) -> Option<&Dir> {
        self.single.as_deref().or(self.kept)
    }

    /// The path as sections are compared with it.
    fn sections_path(&self) -> &[u8] {
        if self.collapsed.is_empty() {
            &self.path
        } else {
            &self.collapsed
        }
    }

    /// Empties the route, keeping allocations.
    pub fn clear(&mut self) {
        self.site = None;
        self.host.clear();
        self.host_port = None;
        self.path.clear();
        self.refusal = None;
        self.is_forward = false;
        self.handler = None;
        self.is_claimed = false;
        self.claim.clear();
        self.vars.clear();
        self.early_vars = 0;
        self.has_arrived = false;
        self.place.clear();
        self.again = None;
        self.kept = None;
        self.single = None;
        self.collapsed.clear();
    }

    fn keep(&mut self, merged: Merged) {
        match merged {
            Merged::Kept(dir) => {
                self.kept = Some(dir);
                self.single = None;
            }
            Merged::Single(dir) => self.single = Some(dir),
        }
    }
}

/// Finds where a request belongs and who decides about it: afterwards `route.handler` is there, or a file's name in
/// `route.place`.
///
/// `route` is clear, or says from where the request for an error document goes on. Allocates nothing once the loop has
/// met the combination of sections and the route's buffers have grown.
///
/// # Errors
/// The answer, when no handler is needed for one. What is known of the route until then is kept in `route`, so
/// that the answer is logged, and an ErrorDocument chosen, where it belongs.
pub fn locate(
    env: &'static Env,
    me: &Me,
    cache: &mut DirCache,
    peers: &Peers,
    head: &mut RequestHead,
    moment: Moment,
    route: &mut Route,
) -> Result<(), Box<Answer>> {
    let again = route.again.take();
    if again.is_some() {
        route.clear();
    }
    let place = Place {
        env,
        me,
        peers,
        moment,
    };
    match again {
        Some(again) => again.resume(route),
        None => {
            choose_site(&place.ask(head), route)?;
            arrive(&place, head, route)?;
        }
    }
    route.has_arrived = true;
    enter(&place.ask(head), cache, route)?;
    edit_fields(&place, head, route)?;
    hand_over(&place.ask(head), route)
}

/// Where and when a request is looked at, while its head may still change.
struct Place<'a> {
    env: &'static Env,
    me: &'a Me,
    peers: &'a Peers,
    moment: Moment,
}

impl<'a> Place<'a> {
    /// The request, of which nothing is known yet.
    fn ask(&self, head: &'a RequestHead) -> Ask<'a> {
        Ask {
            env: self.env,
            me: self.me,
            head,
            route: &NOWHERE,
            peers: self.peers,
            content: None,
            slot: 0,
            keepalives: 0,
            now_us: self.moment.now_us,
        }
    }

    fn facts<'b>(&self, route: &'b Route) -> Facts<'b> {
        Facts {
            vars: &route.vars,
            attempt: &NOWHERE.vars,
            request: None,
            moment: self.moment,
            board: self.env.board,
        }
    }
}

/// What is done to a head as soon as its server is known.
fn arrive(place: &Place<'_>, head: &mut RequestHead, route: &Route) -> Result<(), Box<Answer>> {
    if head.target.form() == Form::Absolute && !head.target.authority().is_empty() {
        // RFC 9112 §3.2.2: "a proxy MUST ignore the received Host header field (if any) and instead replace it".
        let RequestHead { target, fields, .. } = head;
        fields.set(FieldId::Host, target.authority());
    }
    let site = ask_at(&place.ask(head), route).site();
    if !site.headers.has_early() {
        return Ok(());
    }
    let edited = site
        .headers
        .edit_early(&mut head.fields, &place.facts(route));
    edited.map_err(|spoilt| spoilt.answer(&ask_at(&place.ask(head), route)))
}

/// From the server to the sections, and through their access rules.
fn enter(ask: &Ask<'_>, cache: &mut DirCache, route: &mut Route) -> Result<(), Box<Answer>> {
    if !find_path(ask, route)? {
        return Err(Answer::empty(Status::OK).as_it_is());
    }
    merge_sections(ask, cache, route);
    if ask_at(ask, route).site().vars.has_sections() {
        vars::set(ask, route, |at, vars| {
            at.site().vars.apply_sections(at.dir(), at, vars)
        })?;
    }
    if let (Some(error), false) = (route.refusal, route.is_claimed) {
        return Err(refused(&ask_at(ask, route), error));
    }
    if !route.is_claimed && ask.head.method == Method::Trace {
        return Err(trace(&ask_at(ask, route)));
    }
    check_access(&ask_at(ask, route))?;
    admit::size(&ask_at(ask, route))?;
    vars::set_late(ask, route);
    Ok(())
}

/// `RequestHeader`: from here on everybody sees the edited head.
fn edit_fields(
    place: &Place<'_>,
    head: &mut RequestHead,
    route: &Route,
) -> Result<(), Box<Answer>> {
    let dir = route.dir().or_else(|| route.site.map(|site| &site.base));
    let Some(headers) = dir.and_then(|dir| dir.headers.as_deref()) else {
        return Ok(());
    };
    let edited = headers.edit_request(&mut head.fields, &place.facts(route));
    edited.map_err(|spoilt| spoilt.answer(&ask_at(&place.ask(head), route)))
}

/// To the claimant, or to whom SetHandler names, or to the file.
fn hand_over(ask: &Ask<'_>, route: &mut Route) -> Result<(), Box<Answer>> {
    if route.is_claimed {
        return forwardable::check(&ask_at(ask, route));
    }
    route.handler = route.dir().and_then(|dir| dir.handler);
    let is_read = matches!(ask.head.method, Method::Get | Method::Head | Method::Post);
    if route.handler.is_some() {
        Ok(())
    } else if is_read && !route.place.file.is_empty() {
        files::check(&ask_at(ask, route))
    } else {
        Err(Answer::nobody(&ask_at(ask, route)))
    }
}

/// Merges the sections that match, asking the handlers for their claim on the way.
fn merge_sections(ask: &Ask<'_>, cache: &mut DirCache, route: &mut Route) {
    let site = ask_at(ask, route).site();
    let handlers = &ask.env.handlers;
    let merged = cache.locate(site, route.sections_path(), &route.path, handlers);
    route.keep(merged);
    claim(ask, route);
    if !route.claim.path.is_empty() {
        // The rule saw another path than the client wrote, and so must the sections that guard it.
        std::mem::swap(&mut route.path, &mut route.claim.path);
        collapse(&route.path, &mut route.collapsed);
        let merged = cache.locate(site, route.sections_path(), &route.path, handlers);
        route.keep(merged);
    }
    if route.is_claimed && !route.claim.url.is_empty() {
        let base = route.dir().unwrap_or(&site.base);
        if let Some(merged) = cache.locate_proxied(site, base, &route.claim.url, handlers) {
            route.keep(merged);
        }
    }
    if !route.is_claimed && !route.is_forward && !site.roots.is_empty() {
        let mut place = std::mem::take(&mut route.place);
        site.roots.find(&route.path, &mut place);
        let base = route.dir().unwrap_or(&site.base);
        if !place.file.is_empty()
            && let Some(merged) = cache.locate_file(site, base, &place.file, handlers)
        {
            route.keep(merged);
        }
        route.place = place;
    }
}

/// The same request, seen at the place found so far.
fn ask_at<'a>(ask: &Ask<'a>, route: &'a Route) -> Ask<'a> {
    Ask { route, ..*ask }
}

/// Chooses the server by our address and the host that the request names.
fn choose_site(ask: &Ask<'_>, route: &mut Route) -> Result<(), Box<Answer>> {
    let names = ask.env.vhosts.at(ask.peers.local);
    let site = ask
        .env
        .site(names.map_or(0, super::vhost::Names::default_site));
    route.site = Some(site);
    admit::method(&ask_at(ask, route))?;
    // RFC 9112 §3.2.2: the authority of absolute-form replaces Host.
    let target = &ask.head.target;
    let named = match target.form() {
        Form::Absolute | Form::Authority => Some(target.authority()),
        Form::Origin | Form::Asterisk => ask.head.fields.get(FieldId::Host),
    };
    // Only HTTP/1.0 knows requests without a host.
    let Some(named) = named.filter(|host| !host.is_empty() || ask.head.version == Version::Http11)
    else {
        return Ok(());
    };
    let authority = Authority::parse(named).filter(|authority| !authority.host.is_empty());
    let Some(authority) = authority else {
        return Err(Answer::error(&ask_at(ask, route), Status::BAD_REQUEST));
    };
    let host = authority.host.strip_suffix(b".").unwrap_or(authority.host);
    route.host.extend_from_slice(host);
    route.host.make_ascii_lowercase();
    route.host_port = authority.port;
    let Some(names) = names else {
        return Ok(());
    };
    let choice = names.choose(&route.host);
    if site.strict_host_check && !choice.is_known && !route.host.is_empty() {
        let at = ask_at(ask, route);
        at.log_tagged(
            Module::Core,
            Level::Error,
            Tag::Ah(10157),
            format_args!(
                "Hostname {} provided via Host field, but no matching server",
                Raw(&at.route.host)
            ),
        );
        return Err(Answer::error(&at, Status::BAD_REQUEST));
    }
    route.site = Some(ask.env.site(choice.site));
    Ok(())
}

/// Works out the path, or says that none is needed: false means that the request is for the server as a whole.
fn find_path(ask: &Ask<'_>, route: &mut Route) -> Result<bool, Box<Answer>> {
    let site = ask_at(ask, route).site();
    let head = ask.head;
    route.is_forward = site.is_forward_proxy && forward::is_for_somebody_else(ask, site, route);
    if site.vars.has_server() {
        vars::set(ask, route, |at, vars| site.vars.apply(at, vars))?;
    }
    if route.is_forward {
        route.path.extend_from_slice(head.target.raw());
        forward::check_path(ask, route)?;
        return Ok(true);
    }
    match head.target.form() {
        // RFC 9110 §9.3.6: a server that is no proxy has no use for CONNECT; a tunnel to a mapped backend least of all.
        Form::Authority => {
            return Err(Answer::error(
                &ask_at(ask, route),
                Status::METHOD_NOT_ALLOWED,
            ));
        }
        Form::Asterisk if head.method == Method::Options => {
            route.path.push(b'*');
            return Ok(false);
        }
        Form::Asterisk => return Err(Answer::error(&ask_at(ask, route), Status::BAD_REQUEST)),
        // RFC 9112 §3.2.4: `OPTIONS http://host` is what a client sends a proxy for `OPTIONS *`.
        Form::Absolute if head.method == Method::Options && has_no_path(head) => {
            route.path.push(b'*');
            return Ok(false);
        }
        // What names another protocol is for a proxy, and we are none.
        Form::Absolute if !is_http(head.target.scheme()) => {
            return Err(Answer::error(&ask_at(ask, route), Status::BAD_REQUEST));
        }
        Form::Absolute | Form::Origin => {}
    }
    let slashes = match site.encoded_slashes {
        EncodedSlashes::Off => uri::EncodedSlashes::Refuse,
        EncodedSlashes::On => uri::EncodedSlashes::Decode,
        EncodedSlashes::NoDecode => uri::EncodedSlashes::Keep,
    };
    let raw = without_leading_slashes(head.target.path());
    let found = uri::normalize(raw, slashes, site.merge_slashes, &mut route.path);
    if let Err(error) = found {
        // A rule for encoded paths may still want it; for the sections it stays encoded.
        route.refusal = Some(error);
        let kept = uri::EncodedSlashes::Keep;
        if uri::normalize(raw, kept, site.merge_slashes, &mut route.path).is_err() {
            return Err(refused(&ask_at(ask, route), error));
        }
    }
    collapse(&route.path, &mut route.collapsed);
    Ok(true)
}

/// A path with one slash in front: httpd takes further ones off before it looks at the path, whatever MergeSlashes says.
pub(super) fn without_leading_slashes(path: &[u8]) -> &[u8] {
    let slashes = path.iter().take_while(|&&byte| byte == b'/').count();
    path.get(slashes.saturating_sub(1)..).unwrap_or_default()
}

/// The answer to a path that cannot be used.
fn refused(at: &Ask<'_>, error: PathError) -> Box<Answer> {
    let (raw, reason) = (Raw(at.head.target.path()), error.reason);
    if error.status == Status::NOT_FOUND {
        let message = format_args!("{reason}: {raw}, returning 404");
        at.log_tagged(Module::Core, Level::Info, Tag::Ah(26), message);
    } else {
        let message = format_args!("invalid URI path ({raw}): {reason}");
        at.log_tagged(Module::Core, Level::Error, Tag::Ah(10244), message);
    }
    Answer::error(at, error.status)
}

fn is_http(scheme: &[u8]) -> bool {
    scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https")
}

fn has_no_path(head: &RequestHead) -> bool {
    let target = &head.target;
    target.raw().len() == target.scheme().len() + "://".len() + target.authority().len()
}

/// Fills `out` with the path with runs of slashes made one, if it has any; leaves it empty otherwise.
fn collapse(path: &[u8], out: &mut Vec<u8>) {
    out.clear();
    if memchr::memmem::find(path, b"//").is_none() {
        return;
    }
    for &byte in path {
        if byte != b'/' || out.last() != Some(&b'/') {
            out.push(byte);
        }
    }
}

/// Asks the handlers in turn whether the request is theirs by its path.
fn claim(ask: &Ask<'_>, route: &mut Route) {
    let mut claim = std::mem::take(&mut route.claim);
    let at = ask_at(ask, route);
    let claimant = ask.env.handlers.iter().copied().find(|handler| {
        claim.clear();
        handler.claims(&at, &mut claim)
    });
    if claimant.is_none() {
        claim.clear();
    }
    route.handler = claimant;
    route.is_claimed = claimant.is_some();
    route.claim = claim;
}

fn check_access(at: &Ask<'_>) -> Result<(), Box<Answer>> {
    let dir = at.dir();
    if !dir.is_guarded {
        return Ok(());
    }
    let Err(refusal) = access::check(
        &dir.config.access,
        at.peers,
        &at.head.method,
        &at.route.vars,
    ) else {
        return Ok(());
    };
    let (module, tag) = match refusal {
        Refusal::Require => (Module::AuthzCore, Tag::Ah(1630)),
        Refusal::Compat => (Module::AccessCompat, Tag::Ah(1797)),
    };
    let route = at.route;
    let (scheme, target) = if !route.claim.url.is_empty() {
        ("proxy:", &route.claim.url)
    } else if !route.place.file.is_empty() {
        ("", &route.place.file)
    } else {
        ("", &route.path)
    };
    let target = Raw(target);
    at.log_tagged(
        module,
        Level::Error,
        tag,
        format_args!("client denied by server configuration: {scheme}{target}"),
    );
    Err(Answer::error(at, Status::FORBIDDEN))
}

fn trace(at: &Ask<'_>) -> Box<Answer> {
    match forwardable::check_trace(at) {
        Ok(()) => Answer::trace(at).as_it_is(),
        Err(answer) => answer,
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("site", &self.site.map(|site| site.index))
            .field("path", &String::from_utf8_lossy(&self.path))
            .field("handler", &self.handler.map(Handler::name))
            .field("claim", &self.claim)
            .finish_non_exhaustive()
    }
}
