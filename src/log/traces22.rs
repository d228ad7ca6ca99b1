//! The traces of mod_proxy 2.2: the lines by which operators have followed workers and requests for years.
//!
//! Each variant of [`Trace22`] is one line, with typed arguments; its `Display` is the exact text. A variant also
//! knows its level, under which of today's modules it is printed, and where 2.2.22's source had it, because 2.2
//! showed that place at debug level. So tools that look for either find it. The order in which the lines come is
//! the business of those who print them.

use std::fmt;
use std::net::SocketAddr;

use super::error_log::{Bare, Line};
use super::escape::Raw;
use super::level::Level;
use super::module::Module;
use super::tag::Tag;

/// One line of 2.2.
///
/// `worker` is a worker's name, its URL; `host` its host name alone; `balancer` a balancer's name with its scheme;
/// `id` a worker's number; `function` the upper-case name of the scheme's handler, such as `HTTP`.
#[derive(Clone, Copy, Debug)]
#[expect(
    missing_docs,
    reason = "the enum's documentation says what each argument is"
)]
pub enum Trace22<'a> {
    // A child takes up its workers.
    /// The worker's slot was set up before, seen before or after attaching it.
    AlreadyInitialized { worker: &'a str, after_grab: bool },
    /// The worker's slot was attached.
    GrabbedSlot { id: u32, pid: u32, worker: &'a str },
    /// There was no slot; the worker's state is the child's own.
    PlainMemory { pid: u32, worker: &'a str },
    /// The worker keeps one connection, as in prefork.
    SingleConnection { id: u32, pid: u32, host: &'a str },
    /// The worker keeps a pool.
    InitializedWorker {
        id: u32,
        pid: u32,
        host: &'a str,
        min: u32,
        max: u32,
        smax: u32,
    },
    /// No slot could be had.
    NoSlot { id: u32, pid: u32, worker: &'a str },

    // A balancer chooses.
    /// A request for a balancer came in; `url` begins with `//`.
    BalancerCanonicalising { url: &'a [u8] },
    /// A member in error is looked at again.
    Retrying { function: &'a str, host: &'a str },
    /// Its time in error is over.
    MarkedForRetry { function: &'a str, host: &'a str },
    /// All members were in error, so one is taken out of it early.
    ForcingRecovery { balancer: &'a str, host: &'a str },
    /// A sticky session was looked for.
    FoundValue {
        value: Option<&'a [u8]>,
        sticky: &'a str,
    },
    /// The session names a route.
    FoundRoute { route: &'a [u8] },
    /// The routed member was not to be had.
    RouteChanged { from: &'a [u8], to: &'a [u8] },
    /// An election begins; `method` such as `byrequests`.
    Entering { method: &'a str, balancer: &'a str },
    /// An election ended; bytraffic shows no `lbstatus`.
    Selected {
        method: &'a str,
        worker: &'a str,
        busy: u64,
        lbstatus: Option<i64>,
    },
    /// The request's URL now names the member.
    Rewritten {
        balancer: &'a str,
        worker: &'a str,
        url: &'a [u8],
    },
    /// The exchange gave its member back.
    PostRequest { balancer: &'a str },
    /// No member is usable.
    AllInError { balancer: &'a str },
    /// No member is usable for a route that had to be kept.
    AllInErrorForRoute { balancer: &'a str, route: &'a [u8] },
    /// A response's status is one of `failonstatus`.
    FailOnStatus {
        balancer: &'a str,
        worker: &'a str,
        status: u16,
    },

    // A scheme's handler works.
    /// A scheme's handler is asked.
    RunningHandler { scheme: &'a str, attempt: u32 },
    /// A handler does not know the URL; FTP's adds why.
    Declining { function: &'a str, url: &'a [u8] },
    /// A URL of a plain worker is brought into its scheme's form.
    Canonicalising { function: &'a str, url: &'a [u8] },
    /// A plain worker was found; `scheme` in lower case.
    FoundWorker {
        scheme: &'a str,
        worker: &'a str,
        url: &'a [u8],
    },
    /// No worker was found, so the one for all reverse-proxied URLs is used.
    FoundReverseWorker { url: &'a [u8] },
    /// No worker was found, so the one for all forward-proxied URLs is used.
    FoundForwardWorker { url: &'a [u8] },
    /// The handler takes the request.
    Serving { function: &'a str, url: &'a [u8] },
    /// It has a connection, open or not.
    Acquired { function: &'a str, host: &'a str },
    /// It gave the connection back.
    Released { function: &'a str, host: &'a str },
    /// The address is being determined.
    Connecting {
        url: &'a [u8],
        host: &'a str,
        port: u16,
    },
    /// The address is determined. Nothing is connected yet, whatever the words say.
    Connected {
        path: &'a [u8],
        host: &'a str,
        port: u16,
    },
    /// A kept connection turned out to be closed.
    Disconnected { function: &'a str },
    /// A socket was made; `family` is 2 for IPv4 and 10 for IPv6.
    SocketCreated {
        function: &'a str,
        family: u32,
        host: &'a str,
    },
    /// Connecting failed; the line carries the cause.
    ConnectFailed {
        function: &'a str,
        address: SocketAddr,
        host: &'a str,
    },
    /// The worker is put in error after that.
    DisablingWorker { host: &'a str },
    /// The connection is there.
    ConnectionComplete {
        function: &'a str,
        address: SocketAddr,
        host: &'a str,
    },
    /// The worker is in error, so no connection is given out.
    DisabledConnection { function: &'a str, host: &'a str },
    /// The response's content is being relayed.
    StartBodySend,
    /// It was relayed.
    EndBodySend,
    /// The response had no content.
    HeaderOnly,
    /// The backend closed or stalled before its status line.
    StatusLineFailed { host: &'a str, port: u16 },
    /// An error page is made.
    ReturnedBy { words: &'a str, uri: &'a [u8] },

    // AJP.
    /// The request had no more content.
    AjpEos,
    /// How much content is asked for, and where in the message it goes.
    AjpDataToRead { room: usize, at: usize },
    /// How much there was.
    AjpGotBytes { count: usize },
    /// The backend answered.
    AjpGotResponse { address: SocketAddr, host: &'a str },
}

impl fmt::Display for Trace22<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::AlreadyInitialized { worker, .. } => {
                write!(f, "proxy: worker {worker} already initialized")
            }
            Self::GrabbedSlot { id, pid, worker } => write!(
                f,
                "proxy: grabbed scoreboard slot {id} in child {pid} for worker {worker}"
            ),
            Self::PlainMemory { pid, worker } => write!(
                f,
                "proxy: initialized plain memory in child {pid} for worker {worker}"
            ),
            Self::SingleConnection { id, pid, host } => write!(
                f,
                "proxy: initialized single connection worker {id} in child {pid} for ({host})"
            ),
            Self::InitializedWorker {
                id,
                pid,
                host,
                min,
                max,
                smax,
            } => write!(
                f,
                "proxy: initialized worker {id} in child {pid} for ({host}) min={min} max={max} smax={smax}"
            ),
            Self::NoSlot { id, pid, worker } => write!(
                f,
                "proxy: ap_get_scoreboard_lb({id}) failed in child {pid} for worker {worker}"
            ),
            Self::BalancerCanonicalising { url } => {
                write!(f, "proxy: BALANCER: canonicalising URL {}", Raw(url))
            }
            Self::Retrying { function, host } => {
                write!(f, "proxy: {function}: retrying the worker for ({host})")
            }
            Self::MarkedForRetry { function, host } => write!(
                f,
                "proxy: {function}: worker for ({host}) has been marked for retry"
            ),
            Self::ForcingRecovery { balancer, host } => write!(
                f,
                "proxy: BALANCER: ({balancer}). Forcing recovery for worker ({host})"
            ),
            Self::FoundValue { value, sticky } => write!(
                f,
                "proxy: BALANCER: Found value {} for stickysession {sticky}",
                Raw(value.unwrap_or(b"(null)"))
            ),
            Self::FoundRoute { route } => {
                write!(f, "proxy: BALANCER: Found route {}", Raw(route))
            }
            Self::RouteChanged { from, to } => write!(
                f,
                "proxy: BALANCER: Route changed from {} to {}",
                Raw(from),
                Raw(to)
            ),
            Self::Entering { method, balancer } => {
                write!(f, "proxy: Entering {method} for BALANCER ({balancer})")
            }
            Self::Selected {
                method,
                worker,
                busy,
                lbstatus,
            } => {
                write!(
                    f,
                    "proxy: {method} selected worker \"{worker}\" : busy {busy}"
                )?;
                match lbstatus {
                    Some(lbstatus) => write!(f, " : lbstatus {lbstatus}"),
                    None => Ok(()),
                }
            }
            Self::Rewritten {
                balancer,
                worker,
                url,
            } => write!(
                f,
                "proxy: BALANCER ({balancer}) worker ({worker}) rewritten to {}",
                Raw(url)
            ),
            Self::PostRequest { balancer } => {
                write!(f, "proxy_balancer_post_request for ({balancer})")
            }
            Self::AllInError { balancer } => write!(
                f,
                "proxy: BALANCER: ({balancer}). All workers are in error state"
            ),
            Self::AllInErrorForRoute { balancer, route } => write!(
                f,
                "proxy: BALANCER: ({balancer}). All workers are in error state for route ({})",
                Raw(route)
            ),
            Self::FailOnStatus {
                balancer,
                worker,
                status,
            } => write!(
                f,
                "proxy: BALANCER: ({balancer}).  Forcing worker ({worker}) into error state due to status code {status} matching 'failonstatus' balancer parameter"
            ),
            Self::RunningHandler { scheme, attempt } => {
                write!(f, "Running scheme {scheme} handler (attempt {attempt})")
            }
            Self::Declining { function, url } => {
                write!(f, "proxy: {function}: declining URL {}", Raw(url))?;
                match function {
                    "FTP" => f.write_str(" - not ftp:"),
                    _ => Ok(()),
                }
            }
            Self::Canonicalising { function, url } => {
                write!(f, "proxy: {function}: canonicalising URL {}", Raw(url))
            }
            Self::FoundWorker {
                scheme,
                worker,
                url,
            } => {
                write!(f, "proxy: {scheme}: found worker {worker} for {}", Raw(url))
            }
            Self::FoundReverseWorker { url } => {
                write!(f, "proxy: *: found reverse proxy worker for {}", Raw(url))
            }
            Self::FoundForwardWorker { url } => {
                write!(f, "proxy: *: found forward proxy worker for {}", Raw(url))
            }
            Self::Serving { function, url } => {
                write!(f, "proxy: {function}: serving URL {}", Raw(url))
            }
            Self::Acquired { function, host } => {
                write!(f, "proxy: {function}: has acquired connection for ({host})")
            }
            Self::Released { function, host } => {
                write!(f, "proxy: {function}: has released connection for ({host})")
            }
            Self::Connecting { url, host, port } => {
                write!(f, "proxy: connecting {} to {host}:{port}", Raw(url))
            }
            Self::Connected { path, host, port } => {
                write!(f, "proxy: connected {} to {host}:{port}", Raw(path))
            }
            Self::Disconnected { function } => {
                write!(f, "proxy: {function}: backend socket is disconnected.")
            }
            Self::SocketCreated {
                function,
                family,
                host,
            } => write!(
                f,
                "proxy: {function}: fam {family} socket created to connect to {host}"
            ),
            Self::ConnectFailed {
                function,
                address,
                host,
            } => write!(
                f,
                "proxy: {function}: attempt to connect to {} ({host}) failed",
                Bare(address)
            ),
            Self::DisablingWorker { host } => {
                write!(f, "ap_proxy_connect_backend disabling worker for ({host})")
            }
            Self::ConnectionComplete {
                function,
                address,
                host,
            } => write!(
                f,
                "proxy: {function}: connection complete to {} ({host})",
                Bare(address)
            ),
            Self::DisabledConnection { function, host } => {
                write!(f, "proxy: {function}: disabled connection for ({host})")
            }
            Self::StartBodySend => f.write_str("proxy: start body send"),
            Self::EndBodySend => f.write_str("proxy: end body send"),
            Self::HeaderOnly => f.write_str("proxy: header only"),
            Self::StatusLineFailed { host, port } => write!(
                f,
                "proxy: error reading status line from remote server {host}:{port}"
            ),
            Self::ReturnedBy { words, uri } => {
                write!(f, "proxy: {words} returned by {}", Raw(uri))
            }
            Self::AjpEos => f.write_str("proxy: APR_BUCKET_IS_EOS"),
            Self::AjpDataToRead { room, at } => {
                write!(f, "proxy: data to read (max {room} at {at})")
            }
            Self::AjpGotBytes { count } => write!(f, "proxy: got {count} bytes of data"),
            Self::AjpGotResponse { address, host } => {
                write!(f, "proxy: got response from {} ({host})", Bare(address))
            }
        }
    }
}

impl<'a> Trace22<'a> {
    /// The level that 2.2 printed it at.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a line is a debug line unless it is listed"
    )]
    #[must_use]
    pub const fn level(&self) -> Level {
        match self {
            Self::NoSlot { .. }
            | Self::AllInError { .. }
            | Self::AllInErrorForRoute { .. }
            | Self::FailOnStatus { .. }
            | Self::ConnectFailed { .. }
            | Self::DisablingWorker { .. }
            | Self::DisabledConnection { .. }
            | Self::StatusLineFailed { .. }
            | Self::ReturnedBy { .. } => Level::Error,
            _ => Level::Debug,
        }
    }

    /// The module under whose name it is printed today.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a line is of mod_proxy itself unless it is listed"
    )]
    #[must_use]
    pub fn module(&self) -> Module {
        match self {
            Self::BalancerCanonicalising { .. }
            | Self::ForcingRecovery { .. }
            | Self::FoundValue { .. }
            | Self::FoundRoute { .. }
            | Self::RouteChanged { .. }
            | Self::Rewritten { .. }
            | Self::PostRequest { .. }
            | Self::AllInError { .. }
            | Self::AllInErrorForRoute { .. }
            | Self::FailOnStatus { .. } => Module::ProxyBalancer,
            Self::Entering { method, .. } | Self::Selected { method, .. } => match *method {
                "bytraffic" => Module::LbmethodBytraffic,
                "bybusyness" => Module::LbmethodBybusyness,
                "heartbeat" => Module::LbmethodHeartbeat,
                _ => Module::LbmethodByrequests,
            },
            Self::Declining { function, .. }
            | Self::Canonicalising { function, .. }
            | Self::Serving { function, .. } => scheme_module(function),
            Self::StartBodySend
            | Self::EndBodySend
            | Self::HeaderOnly
            | Self::StatusLineFailed { .. } => Module::ProxyHttp,
            Self::AjpEos
            | Self::AjpDataToRead { .. }
            | Self::AjpGotBytes { .. }
            | Self::AjpGotResponse { .. } => Module::ProxyAjp,
            _ => Module::Proxy,
        }
    }

    /// Where 2.2.22's source printed it, as far as that is known; nothing above debug showed its place.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the place of the other lines is not known"
    )]
    #[must_use]
    pub fn source(&self) -> Option<(&'static str, u32)> {
        const UTIL: &str = "proxy_util.c";
        const BALANCER: &str = "mod_proxy_balancer.c";
        const HTTP: &str = "mod_proxy_http.c";
        Some(match self {
            Self::AlreadyInitialized {
                after_grab: false, ..
            } => (UTIL, 1803),
            Self::GrabbedSlot { .. } => (UTIL, 1818),
            Self::PlainMemory { .. } => (UTIL, 1826),
            Self::AlreadyInitialized {
                after_grab: true, ..
            } => (UTIL, 1837),
            Self::InitializedWorker { .. } => (UTIL, 1914),
            Self::SingleConnection { .. } => (UTIL, 1934),
            Self::Retrying { .. } => (UTIL, 1949),
            Self::MarkedForRetry { .. } => (UTIL, 1955),
            Self::Acquired { .. } => (UTIL, 2011),
            Self::Released { .. } => (UTIL, 2029),
            Self::Connecting { .. } => (UTIL, 2067),
            Self::Connected { .. } => (UTIL, 2193),
            Self::Disconnected { .. } => (UTIL, 2380),
            Self::SocketCreated { .. } => (UTIL, 2444),
            Self::ConnectionComplete { .. } => (UTIL, 2576),
            Self::BalancerCanonicalising { .. } => (BALANCER, 46),
            Self::FoundValue { .. } => (BALANCER, 280),
            Self::FoundRoute { .. } => (BALANCER, 290),
            Self::RouteChanged { .. } => (BALANCER, 302),
            Self::ForcingRecovery { .. } => (BALANCER, 427),
            Self::Rewritten { .. } => (BALANCER, 581),
            Self::PostRequest { .. } => (BALANCER, 622),
            Self::Entering { method, .. } if *method == "byrequests" => (BALANCER, 1012),
            Self::Selected { method, .. } if *method == "byrequests" => (BALANCER, 1055),
            Self::RunningHandler { .. } => ("mod_proxy.c", 1020),
            Self::Serving { function, .. } if function.starts_with("HTTP") => (HTTP, 1973),
            Self::StartBodySend => (HTTP, 1743),
            Self::EndBodySend => (HTTP, 1847),
            Self::HeaderOnly => (HTTP, 1851),
            _ => return None,
        })
    }

    /// The line to write, without client and cause.
    #[must_use]
    pub fn line(&'a self) -> Line<'a> {
        let line = Line::new(self.module(), self.level(), Tag::None, self);
        match self.source() {
            Some((file, number)) => line.source(file, number),
            None => line,
        }
    }
}

fn scheme_module(function: &str) -> Module {
    match function {
        "AJP" => Module::ProxyAjp,
        "FTP" => Module::ProxyFtp,
        "FCGI" => Module::ProxyFcgi,
        "SCGI" => Module::ProxyScgi,
        "CONNECT" => Module::ProxyConnect,
        "BALANCER" => Module::ProxyBalancer,
        _ => Module::ProxyHttp,
    }
}

#[cfg(test)]
#[path = "traces22/tests.rs"]
mod tests;
