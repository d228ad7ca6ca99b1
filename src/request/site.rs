//! A server (main or virtual host), compiled: what the serving paths read is a plain field here.
//!
//! Responsible for: defaults, durations, compiled sections, the Server field and the signature. Not responsible
//! for: choosing the site of a request (`vhost`).

use std::fmt::{self, Display};

use super::dir::{self, Dir, FILE_HANDLER, Matching, Section};
use super::files::Roots;
use super::glob::{self, Slash};
use super::{Handler, SiteHeaders, access, open_proxy, vars, vhost};
use crate::codec::Limits;
use crate::config::model::{
    self, Alias, EncodedSlashes, Pattern, ReadTimeout, Server, ServerTokens, Signature, Trace,
    UseCanonicalName,
};
use crate::config::{Diagnostic, Place};
use crate::http::Method;
use crate::log::{AccessLog, ErrorLog, Levels};

/// A server, compiled.
pub struct Site {
    /// Position in [`super::Env::sites`].
    pub index: u32,
    /// The server as configured, merged.
    pub server: Server,
    /// The name it answers to, in lower case; never empty.
    pub name: String,
    /// The port in its ServerName, else in its `<VirtualHost>` line.
    pub port: Option<u16>,
    /// The name and port as the scoreboard shows them.
    pub vhost_text: String,
    /// `Timeout`, in milliseconds.
    pub timeout_ms: u64,
    /// `KeepAlive`.
    pub keep_alive: bool,
    /// `KeepAliveTimeout`.
    pub keep_alive_timeout_ms: u64,
    /// `MaxKeepAliveRequests`; 0 is no limit.
    pub max_keep_alive_requests: u32,
    /// `LimitRequestLine` and relatives.
    pub head_limits: Limits,
    /// `RequestReadTimeout` for the TLS handshake.
    pub read_handshake: ReadRule,
    /// `RequestReadTimeout` for the request line and fields.
    pub read_header: ReadRule,
    /// `RequestReadTimeout` for the content.
    pub read_body: ReadRule,
    /// `TraceEnable`.
    pub trace: Trace,
    /// `AllowEncodedSlashes`.
    pub encoded_slashes: EncodedSlashes,
    /// `MergeSlashes`.
    pub merge_slashes: bool,
    /// `StrictHostCheck`.
    pub strict_host_check: bool,
    /// `HttpProtocolOptions Strict`.
    pub strict: bool,
    /// `HttpProtocolOptions RegisteredMethods`.
    pub registered_methods: bool,
    /// The methods that `RegisterHttpMethod` adds to those that httpd knows.
    pub own_methods: Vec<String>,
    /// `UseCanonicalName`; DNS is treated as On, since the local address is never looked up.
    pub is_name_canonical: bool,
    /// `UseCanonicalPhysicalPort`.
    pub is_port_physical: bool,
    /// `LimitInternalRecursion`: how often a request may be redirected inside the server.
    pub redirects_max: u32,
    /// `ProxyRequests`.
    pub is_forward_proxy: bool,
    /// The value of the Server field, by `ServerTokens`.
    pub server_field: String,
    /// `ServerSignature`.
    pub signature: Signature,
    /// The compiled `<Location>` sections, in the order of `server.locations`.
    pub locations: Vec<Section>,
    /// The compiled `<Proxy>` sections, in the order of `server.proxy_sections`.
    pub proxies: Vec<Section>,
    /// The compiled `<Directory>` sections, in the order of `server.directories`, which is that of their depth.
    pub directories: Vec<Section>,
    /// Where files are.
    pub roots: Roots,
    /// The compiled `SetEnvIf` lines of the server and its sections.
    pub vars: vars::SiteRules,
    /// `Header` and `RequestHeader`, here and in sections.
    pub headers: SiteHeaders,
    /// What holds where no section matches.
    pub base: Dir,
    /// Which messages are wanted that belong to no request.
    pub levels: Levels,
    /// Where its messages go; `None` before the logs are open, and in tests.
    pub error_log: Option<&'static ErrorLog>,
    /// Its access logs, GlobalLog ones included.
    pub access_logs: Vec<AccessLog>,
    /// What the operator should be told at start.
    pub notes: Vec<Diagnostic>,
}

/// One stage of `RequestReadTimeout`, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRule {
    /// How long the stage may take at first; `None` is no limit.
    pub initial_ms: Option<u64>,
    /// How long it may take at most when bytes keep coming; `None` is no cap.
    pub max_ms: Option<u64>,
    /// How many bytes buy one more second; 0 buys none.
    pub bytes_per_s: u32,
}

/// `LimitInternalRecursion` unless a directive says otherwise.
const RECURSION_MAX: u32 = 10;

/// The version that goes with the product's name.
const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Site {
    /// Compiles a server. `main_name` is what a server without a name of its own answers to. The logs are put in
    /// by the caller, who opens them.
    ///
    /// # Errors
    /// An expression of a section cannot be compiled; in words for the operator.
    pub fn compile(
        index: u32,
        server: &Server,
        main_name: &str,
        handlers: &[&'static dyn Handler],
    ) -> Result<Self, Vec<Diagnostic>> {
        let name = own_name(server, main_name);
        let read = &server.request_read_timeout;
        let options = &server.http_protocol_options;
        let mut server = server.clone();
        server.directories.sort_by_key(model::Directory::rank);
        let server = &server;
        let sections = sections(server)?;
        let vars = vars::SiteRules::compile(server)?;
        let roots = Roots::compile(server)?;
        let headers = SiteHeaders::compile(server)?;
        Ok(Self {
            index,
            vhost_text: port(server).map_or_else(|| name.clone(), |port| format!("{name}:{port}")),
            name,
            port: port(server),
            timeout_ms: seconds_ms(server.timeout_s.or(60)),
            keep_alive: server.keep_alive.or(true),
            keep_alive_timeout_ms: u64::from(server.keep_alive_timeout_ms.or(5000)),
            max_keep_alive_requests: server.max_keep_alive_requests.or(100),
            // One byte more than the manual says is what httpd's buffers have room for.
            head_limits: Limits {
                line: size(server.limits.line_bytes.or(8190)).saturating_add(1),
                field_size: size(server.limits.field_bytes.or(8190)).saturating_add(1),
                fields: size(server.limits.fields.or(100)),
            },
            read_handshake: ReadRule::new(read.handshake.get(), 0, None, 0),
            read_header: ReadRule::new(read.header.get(), 20, Some(40), 500),
            read_body: ReadRule::new(read.body.get(), 20, None, 500),
            trace: server.trace_enable.or(Trace::On),
            encoded_slashes: server.allow_encoded_slashes.or(EncodedSlashes::Off),
            merge_slashes: server.merge_slashes.or(true),
            strict_host_check: server.strict_host_check.or(false),
            strict: options.strict.or(true),
            registered_methods: options.registered_methods.or(false),
            own_methods: server.own_methods.clone(),
            is_name_canonical: server.use_canonical_name.or(UseCanonicalName::Off)
                != UseCanonicalName::Off,
            is_port_physical: server.use_canonical_physical_port.or(false),
            redirects_max: server.limit_internal_recursion.or(RECURSION_MAX),
            is_forward_proxy: server.proxy.requests.or(false),
            server_field: product(server.server_tokens.or(ServerTokens::Full)),
            signature: server.server_signature.or(Signature::Off),
            vars,
            base: Dir::compile(server, &headers, &Matching::default(), handlers),
            headers,
            levels: dir::levels(&server.log_level),
            error_log: None,
            access_logs: Vec::new(),
            notes: notes(server, &sections.proxies, handlers),
            locations: sections.locations,
            proxies: sections.proxies,
            directories: sections.directories,
            roots,
            server: server.clone(),
        })
    }

    /// Whether a host name in lower case and a port are this server's: an address of its `<VirtualHost>` line with the
    /// port there, or ServerName or an alias with the port of ServerName.
    ///
    /// DIVERGE: a ServerName without port means the port that the client connected to. In httpd it means none, so that
    /// a forward proxy asks itself for its own URLs.
    #[must_use]
    pub fn is_at(&self, host: &[u8], port: u16, local_port: u16) -> bool {
        let is_address = self.server.addresses.iter().any(|address| {
            address.port.is_none_or(|its| its == port)
                && vhost::without_port(&address.text)
                    .as_bytes()
                    .eq_ignore_ascii_case(host)
        });
        let has_alias = || {
            self.server.aliases.iter().any(|alias| match alias {
                Alias::Exact(alias) => alias.as_bytes() == host,
                Alias::Wild(pattern) => glob::is_match(pattern.as_bytes(), host, Slash::Passes),
            })
        };
        let own_port = match self.server.name.get() {
            Some(name) => name.port,
            None => self.port,
        };
        let is_named = || self.name.as_bytes() == host || has_alias();
        is_address || own_port.unwrap_or(local_port) == port && is_named()
    }

    /// Whether a method may be used here: any token, unless `HttpProtocolOptions RegisteredMethods` says otherwise.
    #[must_use]
    pub fn takes_method(&self, method: &Method) -> bool {
        !self.registered_methods
            || method.is_registered()
            || self.own_methods.iter().any(|own| own == method.as_str())
    }

    /// `ServerAdmin`, or httpd's words for want of one.
    #[must_use]
    pub fn admin(&self) -> &str {
        self.server
            .admin
            .get()
            .map_or("[no address given]", String::as_str)
    }
}

impl ReadRule {
    fn new(
        rule: Option<&ReadTimeout>,
        initial_s: u32,
        max_s: Option<u32>,
        bytes_per_s: u32,
    ) -> Self {
        let rule = rule.copied().unwrap_or(ReadTimeout {
            initial_s,
            max_s,
            min_rate_bytes_per_s: bytes_per_s,
        });
        Self {
            initial_ms: (rule.initial_s > 0).then(|| seconds_ms(rule.initial_s)),
            max_ms: rule.max_s.map(seconds_ms),
            bytes_per_s: rule.min_rate_bytes_per_s,
        }
    }

    /// How long after its beginning the stage must be over when so many bytes have come; `None` when the rule sets
    /// no limit.
    #[must_use]
    pub fn allowed_ms(&self, bytes: u64) -> Option<u64> {
        let initial = self.initial_ms?;
        let bought = bytes
            .saturating_mul(1000)
            .checked_div(u64::from(self.bytes_per_s))
            .unwrap_or(0);
        let allowed = initial.saturating_add(bought);
        Some(
            self.max_ms
                .map_or(allowed, |max| allowed.min(max.max(initial))),
        )
    }
}

/// The Server field by ServerTokens.
fn product(tokens: ServerTokens) -> String {
    let mut numbers = VERSION.splitn(3, '.');
    let (major, minor) = (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    );
    match tokens {
        ServerTokens::Prod => "tine".to_owned(),
        ServerTokens::Major => format!("tine/{major}"),
        ServerTokens::Minor => format!("tine/{major}.{minor}"),
        ServerTokens::Min => format!("tine/{VERSION}"),
        ServerTokens::Os | ServerTokens::Full => format!("tine/{VERSION} (Unix)"),
    }
}

/// The sections of a server, ready to be compared.
struct Sections {
    locations: Vec<Section>,
    proxies: Vec<Section>,
    directories: Vec<Section>,
}

fn sections(server: &Server) -> Result<Sections, Vec<Diagnostic>> {
    let files = server.sections().map(|(dir, _)| dir.files.len()).sum();
    let counts = [
        server.locations.len(),
        server.proxy_sections.len(),
        server.directories.len(),
        files,
    ];
    // A position must fit 16 bits, with one value left to mark the end.
    if counts.iter().any(|&count| count >= usize::from(u16::MAX)) {
        return Err(vec![Diagnostic::error(format!(
            "{} has more sections than can be told apart",
            server.label()
        ))]);
    }
    let mut errors = Vec::new();
    let mut compiled =
        |of: fn(&Pattern) -> Result<Section, String>, pattern: &Pattern, place: &Place| {
            of(pattern)
                .map_err(|error| errors.push(unusable(&error, pattern, place)))
                .ok()
        };
    let locations = server
        .locations
        .iter()
        .filter_map(|section| compiled(Section::location, &section.pattern, &section.place))
        .collect();
    let proxies = server
        .proxy_sections
        .iter()
        .filter_map(|section| compiled(Section::proxy, &section.pattern, &section.place))
        .collect();
    let directories = server
        .directories
        .iter()
        .filter_map(|section| compiled(Section::directory, &section.pattern, &section.place))
        .collect();
    for section in server.sections().flat_map(|(dir, _)| &dir.files) {
        compiled(Section::file, &section.pattern, &section.place);
    }
    if errors.is_empty() {
        Ok(Sections {
            locations,
            proxies,
            directories,
        })
    } else {
        Err(errors)
    }
}

fn unusable(error: &impl Display, pattern: &Pattern, place: &Place) -> Diagnostic {
    let message = format!("`{}`: {error}", pattern.text());
    Diagnostic::error(message).at(place).under(pattern.text())
}

/// The port of ServerName, else of the `<VirtualHost>` line.
fn port(server: &Server) -> Option<u16> {
    let of_name = server.name.get().and_then(|name| name.port);
    of_name.or_else(|| server.addresses.first().and_then(|address| address.port))
}

/// What the operator should be told about the sections of a server.
fn notes(
    server: &Server,
    sections: &[Section],
    handlers: &[&'static dyn Handler],
) -> Vec<Diagnostic> {
    let open = open_proxy::warning(server, sections, handlers);
    let mut notes: Vec<Diagnostic> = open.into_iter().collect();
    for (dir, place) in server.sections() {
        if let Some(note) = access::note(&dir.access) {
            let note = Diagnostic::warning(note);
            notes.push(match place {
                Some(place) => note.at(place),
                None => note,
            });
        }
        if let Some(rule) = dir
            .files
            .iter()
            .find_map(|files| files.dir.set_env_if.first())
        {
            let message = "SetEnvIf has no effect in <Files>";
            let hint = "write it in the <Directory>, with Request_URI";
            notes.push(Diagnostic::warning(message).at(&rule.place).hint(hint));
        }
        if let Some(model::Handler::Named(name)) = dir.set_handler.get()
            && let Some(place) = dir.set_handler.place()
            && name != FILE_HANDLER
            && !handlers.iter().any(|handler| handler.name() == name)
        {
            let message = format!("there is no handler `{name}`; requests that need it get 404");
            notes.push(Diagnostic::warning(message).at(place).under(name));
        }
    }
    notes
}

fn seconds_ms(count: u32) -> u64 {
    u64::from(count) * 1000
}

/// The name of a server; never empty.
fn own_name(server: &Server, main_name: &str) -> String {
    let name = vhost::server_name(server, main_name);
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}

fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("index", &self.index)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{PAGE, handled_by, location, set, vhost};
    use super::*;
    use crate::config::model::{DirConfig, Pattern};

    fn compiled(server: &Server) -> Result<Site, Vec<Diagnostic>> {
        Site::compile(0, server, "main.example", &[&PAGE])
    }

    #[test]
    fn what_nobody_configured_is_as_in_httpd() {
        let site = compiled(&Server::default()).unwrap();
        assert_eq!(
            (site.timeout_ms, site.keep_alive, site.keep_alive_timeout_ms),
            (60_000, true, 5000)
        );
        assert_eq!(site.max_keep_alive_requests, 100);
        assert_eq!(site.base.limit_body_bytes, u64::MAX);
        assert_eq!(site.base.limit_stored_bytes, 1 << 30);
        assert_eq!(site.read_header.allowed_ms(0), Some(20_000));
        assert_eq!(site.read_header.allowed_ms(500), Some(21_000));
        assert_eq!(site.read_header.allowed_ms(500_000), Some(40_000));
        assert_eq!(site.read_body.allowed_ms(500_000), Some(1_020_000));
        assert_eq!(site.read_handshake.allowed_ms(0), None);
        assert_eq!(site.name, "main.example");
    }

    #[test]
    fn server_tokens_say_how_much_is_told() {
        for (tokens, parts) in [
            (ServerTokens::Prod, 0),
            (ServerTokens::Major, 1),
            (ServerTokens::Minor, 2),
            (ServerTokens::Min, 3),
        ] {
            let field = product(tokens);
            let version = field.strip_prefix("tine").unwrap().trim_start_matches('/');
            assert_eq!(
                version.split('.').filter(|part| !part.is_empty()).count(),
                parts,
                "{field}"
            );
        }
        assert!(product(ServerTokens::Full).ends_with(" (Unix)"));
    }

    #[test]
    fn a_bad_expression_names_its_place() {
        let mut section = location("/", DirConfig::default());
        section.pattern = Pattern::Regex("(".into());
        let server = Server {
            locations: vec![section],
            ..Server::default()
        };
        let errors = compiled(&server).map(|site| site.index).unwrap_err();
        let [error] = errors.as_slice() else {
            panic!("{errors:?}")
        };
        assert_eq!(error.place, Some(Place::new("test.conf", 1)));
        assert!(error.message.starts_with("`(`: "), "{error}");
    }

    #[test]
    fn handlers_that_do_not_exist_are_noted() {
        let server = Server {
            locations: vec![
                location("/a", handled_by("server-info")),
                location("/b", handled_by("server-status")),
            ],
            timeout_s: set(1),
            ..vhost("192.0.2.1:8080", "")
        };
        let site = compiled(&server).unwrap();
        assert_eq!(site.notes.len(), 1);
        let note = &site.notes[0].message;
        assert!(note.contains("`server-info`"), "{note}");
        assert_eq!(
            (site.vhost_text.as_str(), site.port),
            ("192.0.2.1:8080", Some(8080))
        );
    }
}
