//! What a handler is shown of a request, and how anything about a request is logged.
//!
//! Responsible for: [`Ask`], the borrowed view of one exchange; the name and port that self-references carry; log
//! lines with the client in them. Not responsible for: changing anything.

use std::fmt;
use std::net::SocketAddr;

use super::{Dir, Env, Me, NOWHERE, Route, Site, pages};
use crate::config::model::Signature;
use crate::http::RequestHead;
use crate::log::{About, Cause, Environment, Level, Line, Module, Stamp, Tag, Trace22, Variables};

/// A request in the eyes of a handler. Everything is borrowed from the exchange.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// The generation's configuration, compiled.
    pub env: &'static Env,
    /// The process that serves it.
    pub me: &'a Me,
    /// The request head as received.
    pub head: &'a RequestHead,
    /// Where it belongs; [`super::NOWHERE`] before that is known.
    pub route: &'a Route,
    /// Who talks to whom.
    pub peers: &'a Peers,
    /// The whole content, after a handler asked to gather it.
    pub content: Option<&'a [u8]>,
    /// The scoreboard slot of the exchange within the process.
    pub slot: u32,
    /// Requests on this client connection before this one.
    pub keepalives: u32,
    /// Unix time of this turn in microseconds.
    pub now_us: u64,
}

/// The two ends of a client connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peers {
    /// The client's address.
    pub client: SocketAddr,
    /// Our address that it connected to.
    pub local: SocketAddr,
}

impl<'a> Ask<'a> {
    /// The server that the request is for; before that is known, the default server of our address.
    #[must_use]
    pub fn site(&self) -> &'static Site {
        self.route
            .site
            .unwrap_or_else(|| self.env.site_at(self.peers.local))
    }

    /// What the sections that match the request say together.
    #[must_use]
    pub fn dir(&self) -> &'a Dir {
        self.route.dir().unwrap_or_else(|| &self.site().base)
    }

    /// A variable of the request, by its name in any case: what SetEnvIf and its kin have set.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&'a [u8]> {
        self.route.vars.value(name)
    }

    /// The same without what SetEnv and PassEnv have set, which is how mod_proxy's `interpolate` sees it.
    #[must_use]
    pub fn early_var(&self, name: &str) -> Option<&'a [u8]> {
        let route = self.route;
        route.vars.value_among(route.early_vars, name)
    }

    /// The host name of self-references, by `UseCanonicalName`: what the client sent, else ServerName.
    #[must_use]
    pub fn server_name(&self) -> &'a [u8] {
        let site = self.site();
        if site.is_name_canonical || self.route.host.is_empty() {
            site.name.as_bytes()
        } else {
            &self.route.host
        }
    }

    /// The port of self-references, by `UseCanonicalName` and `UseCanonicalPhysicalPort`.
    #[must_use]
    pub fn server_port(&self) -> u16 {
        let site = self.site();
        let sent = if site.is_name_canonical {
            None
        } else {
            self.route.host_port
        };
        let physical = site.is_port_physical.then(|| self.peers.local.port());
        let (first, second) = if site.is_name_canonical {
            (site.port, physical)
        } else {
            (physical, site.port)
        };
        sent.or(first).or(second).unwrap_or_else(|| {
            let name = site.server.name.get();
            match name.and_then(|name| name.scheme.as_deref()) {
                Some("https") => DEFAULT_TLS_PORT,
                Some(_) | None => DEFAULT_PORT,
            }
        })
    }

    /// `http://name[:port]` of this server, as it tells the client.
    #[must_use]
    pub fn origin(&self) -> String {
        let named = self.site().server.name.get();
        let named = named.and_then(|name| name.scheme.as_deref());
        let (scheme, usual) = if named == Some("https") {
            ("https", 443)
        } else {
            ("http", DEFAULT_PORT)
        };
        let name = String::from_utf8_lossy(self.server_name());
        let name = if name.contains(':') {
            format!("[{name}]")
        } else {
            name.into_owned()
        };
        match self.server_port() {
            port if port == usual => format!("{scheme}://{name}"),
            port => format!("{scheme}://{name}:{port}"),
        }
    }

    /// The footer that `ServerSignature` puts under pages of ours, behind `prefix`; empty when it is off.
    #[must_use]
    pub fn signature(&self, prefix: &str) -> Vec<u8> {
        let site = self.site();
        let mut out = Vec::new();
        if site.signature == Signature::Off {
            return out;
        }
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(b"<address>");
        pages::escape(&mut out, site.server_field.as_bytes());
        out.extend_from_slice(b" Server at ");
        if site.signature == Signature::Email {
            out.extend_from_slice(b"<a href=\"mailto:");
            pages::escape(&mut out, site.admin().as_bytes());
            out.extend_from_slice(b"\">");
        }
        pages::escape(&mut out, self.server_name());
        if site.signature == Signature::Email {
            out.extend_from_slice(b"</a>");
        }
        out.extend_from_slice(format!(" Port {}</address>\n", self.server_port()).as_bytes());
        out
    }

    /// Whether a message about this request would be written. Ask before working out what it says.
    #[inline]
    #[must_use]
    pub fn log_enabled(&self, module: Module, level: Level) -> bool {
        let levels = &self.dir().levels;
        self.site()
            .error_log
            .is_some_and(|log| log.enabled_under(levels, module, level))
    }

    /// Writes a line about this request to its server's error log, if the level is wanted.
    #[inline]
    pub fn log(&self, module: Module, level: Level, message: fmt::Arguments<'_>) {
        self.log_tagged(module, level, Tag::None, message);
    }

    /// The same with the tag that the message is found by.
    #[inline]
    pub fn log_tagged(&self, module: Module, level: Level, tag: Tag, message: fmt::Arguments<'_>) {
        if self.log_enabled(module, level) {
            self.write(&Line::new(module, level, tag, &message));
        }
    }

    /// The same with what the operating system said.
    pub fn log_caused(
        &self,
        module: Module,
        level: Level,
        tag: Tag,
        cause: Option<Cause>,
        message: fmt::Arguments<'_>,
    ) {
        if self.log_enabled(module, level) {
            let line = Line::new(module, level, tag, &message);
            self.write(&cause.map_or(line, |cause| line.cause(cause)));
        }
    }

    /// Writes a line of mod_proxy 2.2, if debug lines are wanted. Those that 2.2 printed at a higher level belong to the trace too: for
    /// what operators must see there are lines of ours.
    #[inline]
    pub fn trace22(&self, trace: &Trace22<'_>) {
        self.trace22_caused(trace, None);
    }

    /// The same with what the operating system said.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a line names no client unless it is listed"
    )]
    pub fn trace22_caused(&self, trace: &Trace22<'_>, cause: Option<Cause>) {
        if !self.log_enabled(trace.module(), Level::Debug) {
            return;
        }
        let line = trace.line();
        let line = cause.map_or(line, |cause| line.cause(cause));
        // 2.2 named the client in few of these lines.
        match trace {
            Trace22::FoundWorker { .. }
            | Trace22::FoundReverseWorker { .. }
            | Trace22::FoundForwardWorker { .. }
            | Trace22::StatusLineFailed { .. }
            | Trace22::ReturnedBy { .. } => self.write(&line),
            _ => self.write_bare(&line),
        }
    }

    /// Writes a line about an attempt, with the variables that it has set. Whether the line is wanted was asked before.
    pub fn log_attempt(&self, line: &Line<'_>, attempt: &Environment) {
        self.write_about(&line.client(self.peers.client), attempt);
    }

    #[cold]
    fn write(&self, line: &Line<'_>) {
        self.write_bare(&line.client(self.peers.client));
    }

    fn write_bare(&self, line: &Line<'_>) {
        self.write_about(line, &NOWHERE.vars);
    }

    fn write_about(&self, line: &Line<'_>, attempt: &Environment) {
        let Some(log) = self.site().error_log else {
            return;
        };
        let about = About {
            fields: Some(&self.head.fields),
            local: Some(self.peers.local),
            peer: Some(self.peers.client),
            keepalives: Some(self.keepalives),
            canonical_name: Some(self.server_name()),
            env: Some(Variables {
                attempt,
                request: &self.route.vars,
            }),
            ..About::default()
        };
        let stamp = Stamp {
            now_us: self.now_us,
            pid: self.me.pid,
            tid: self.me.tid,
        };
        log.write_anyway(&stamp, &line.about(&about));
    }
}

impl fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask")
            .field("head", self.head)
            .field("route", self.route)
            .finish_non_exhaustive()
    }
}

/// The port of `http` URLs.
const DEFAULT_PORT: u16 = 80;
/// The port of `https` URLs, which a ServerName with that scheme stands for.
const DEFAULT_TLS_PORT: u16 = 443;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing::{ME, config, env, head, peers, set};
    use super::super::{DirCache, Moment, locate};
    use super::*;
    use crate::config::model::{self, Access, DirConfig, LevelMap, Require, Server};
    use crate::log::{ErrorLog, Sink, Zone};

    /// The lines that a request leaves in an error log, without their times.
    fn logged(main: Server, text: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("error_log");
        let env = env(config(main, Vec::new()), Vec::new());
        let levels = super::super::dir::levels(&env.main().server.log_level);
        let log = ErrorLog::new(
            Arc::new(Sink::file(&path).unwrap()),
            levels,
            "main",
            Zone::fixed(0),
        );
        let mut sites = vec![Site::compile(0, &env.main().server, "main", &[]).unwrap()];
        sites[0].error_log = Some(Box::leak(Box::new(log)));
        let env: &'static Env = Box::leak(Box::new(Env {
            config: env.config,
            board: env.board,
            sites,
            vhosts: super::super::Vhosts::default(),
            handlers: Vec::new(),
            backends: Vec::new(),
            generation: 0,
            product: String::new(),
        }));
        let mut route = Route::default();
        let found = locate(
            env,
            &ME,
            &mut DirCache::new(),
            &peers("192.0.2.1:80"),
            &mut head(text),
            Moment::at(0),
            &mut route,
        );
        assert!(found.is_err(), "nobody is there");
        let text = std::fs::read_to_string(&path).unwrap();
        text.lines()
            .map(|line| line.split_once("] ").unwrap().1.to_owned())
            .collect()
    }

    fn denied() -> DirConfig {
        DirConfig {
            access: Access {
                require: Some(Require::All(false)),
                ..Access::default()
            },
            ..DirConfig::default()
        }
    }

    #[test]
    fn a_refusal_is_logged_with_its_client_as_httpd_logs_it() {
        let main = Server {
            location_defaults: denied(),
            ..Server::default()
        };
        assert_eq!(
            logged(main, "GET /a%0ab  Referer: http://r/"),
            [
                "[authz_core:error] [pid 7] [client 10.0.0.9:5123] AH01630: client denied by server configuration: /a\\nb, referer: http://r/"
            ]
        );
    }

    #[test]
    fn levels_of_a_section_decide_for_its_requests() {
        let level = |level| LevelMap {
            default: set(level),
            modules: Vec::new(),
        };
        let main = |of_server, of_section| Server {
            log_level: level(of_server),
            location_defaults: DirConfig {
                log_level: level(of_section),
                ..denied()
            },
            ..Server::default()
        };
        assert_eq!(
            logged(main(model::Level::Debug, model::Level::Crit), "GET /").len(),
            0
        );
        assert_eq!(
            logged(main(model::Level::Crit, model::Level::Error), "GET /").len(),
            1
        );
    }

    #[test]
    fn bad_paths_are_logged_with_the_reason() {
        let lines = logged(Server::default(), "GET /../x");
        assert!(
            lines[0].contains("AH10244: invalid URI path (/../x): "),
            "{lines:?}"
        );
    }
}
