//! One server: the main one or a virtual host.
//!
//! Responsible for: everything of httpd's core, mod_log_config, mod_reqtimeout and friends that is kept per server. The proxy's share is
//! in `proxy.rs`, what also varies per location is in `location.rs`.

use super::{
    CustomLog, DirConfig, Directory, FileAlias, LevelMap, Location, LogFormat, LogTarget,
    MediaTypes, ProxySection, ProxyServer, SetEnvIf,
};
use crate::config::setting::{Setting, merged};
use crate::config::source::Place;
use std::net::IpAddr;

merged! {
    /// The main server or one `<VirtualHost>`.
    pub struct Server {
        /// The addresses in the `<VirtualHost>` line; empty for the main server.
        pub addresses: Vec<VhostAddr> => own,
        /// `ServerName`.
        pub name: Setting<ServerName> => own,
        /// `ServerAlias`.
        pub aliases: Vec<Alias> => own,
        /// Where the `<VirtualHost>` opens; `None` for the main server.
        pub defined_at: Option<Place> => own,
        /// `ServerAdmin`.
        pub admin: Setting<String> => over,
        /// `DocumentRoot`, absolute.
        pub document_root: Setting<String> => over,
        /// `Alias` and `AliasMatch` in the order in which they are asked: a virtual host's own first.
        pub file_aliases: Vec<FileAlias> => prepend,
        /// `TypesConfig`.
        pub media_types: Setting<MediaTypes> => over,
        /// `Timeout`, default 60.
        pub timeout_s: Setting<u32> => over,
        /// `KeepAlive`, default on.
        pub keep_alive: Setting<bool> => over,
        /// `KeepAliveTimeout`, default 5000.
        pub keep_alive_timeout_ms: Setting<u32> => over,
        /// `MaxKeepAliveRequests`, default 100; 0 is unlimited.
        pub max_keep_alive_requests: Setting<u32> => over,
        /// `LimitRequestLine` and relatives.
        pub limits: Limits => nested,
        /// `LimitInternalRecursion`, default 10.
        pub limit_internal_recursion: Setting<u32> => over,
        /// `UseCanonicalName`, default off.
        pub use_canonical_name: Setting<UseCanonicalName> => over,
        /// `UseCanonicalPhysicalPort`, default off.
        pub use_canonical_physical_port: Setting<bool> => over,
        /// `ErrorLog`.
        pub error_log: Setting<LogTarget> => over,
        /// `ErrorLogFormat` for messages.
        pub error_log_format: Setting<String> => over,
        /// `LogLevel`.
        pub log_level: LevelMap => nested,
        /// `CustomLog` and `TransferLog`: a virtual host with one uses only its own.
        pub custom_logs: Vec<CustomLog> => replace,
        /// `GlobalLog`: written for every server, whatever its own logs.
        pub global_logs: Vec<CustomLog> => append,
        /// `LogFormat`s with a nickname. The last one with a name wins, so look from the end.
        pub log_formats: Vec<LogFormat> => append,
        /// `LogFormat` without a nickname: what later `TransferLog` lines use.
        pub transfer_format: Setting<String> => over,
        /// `BufferedLogs`.
        pub buffered_logs: Setting<bool> => over,
        /// `ServerSignature`, default off.
        pub server_signature: Setting<Signature> => over,
        /// `ServerTokens`, default Full.
        pub server_tokens: Setting<ServerTokens> => over,
        /// `TraceEnable`, default on.
        pub trace_enable: Setting<Trace> => over,
        /// `AllowEncodedSlashes`, default off.
        pub allow_encoded_slashes: Setting<EncodedSlashes> => over,
        /// `MergeSlashes`, default on.
        pub merge_slashes: Setting<bool> => over,
        /// `StrictHostCheck`, default off.
        pub strict_host_check: Setting<bool> => over,
        /// `HttpProtocolOptions`.
        pub http_protocol_options: ProtocolOptions => nested,
        /// `RegisterHttpMethod`: the methods that count as known besides httpd's own.
        pub own_methods: Vec<String> => append,
        /// `RequestReadTimeout`.
        pub request_read_timeout: ReadTimeouts => nested,
        /// `HostnameLookups`: only `on` and `double` are noted; the server never resolves clients.
        pub hostname_lookups: Setting<bool> => over,
        /// `SetEnvIf`, `BrowserMatch` and their kin outside sections: asked before a request is mapped.
        pub set_env_if: Vec<SetEnvIf> => append,
        /// What mod_proxy was told.
        pub proxy: ProxyServer => nested,
        /// What holds at every location unless a section says otherwise.
        pub location_defaults: DirConfig => nested,
        /// `<Directory>` and `<DirectoryMatch>` in the order in which they stand.
        pub directories: Vec<Directory> => append,
        /// `<Location>` and `<LocationMatch>` in the order they apply: main's first, then the virtual host's; later wins.
        pub locations: Vec<Location> => append,
        /// `<Proxy>` and `<ProxyMatch>` in the order they apply to a proxied request.
        pub proxy_sections: Vec<ProxySection> => append,
    }
}

impl Server {
    /// What is said outside sections and in each of them, with the place of the section.
    pub fn sections(&self) -> impl Iterator<Item = (&DirConfig, Option<&Place>)> {
        let defaults = (&self.location_defaults, self.defined_at.as_ref());
        let directories = self
            .directories
            .iter()
            .map(|section| (&section.dir, Some(&section.place)));
        let locations = self
            .locations
            .iter()
            .map(|section| (&section.dir, Some(&section.place)));
        let proxies = self
            .proxy_sections
            .iter()
            .map(|section| (&section.dir, Some(&section.place)));
        let outer = std::iter::once(defaults)
            .chain(directories)
            .chain(locations)
            .chain(proxies);
        outer.flat_map(|(dir, place)| {
            let files = dir
                .files
                .iter()
                .map(|section| (&section.dir, Some(&section.place)));
            std::iter::once((dir, place)).chain(files)
        })
    }

    /// Where a message that matters to this server goes in text: its name, or its first address.
    pub fn label(&self) -> String {
        match (self.name.get(), self.addresses.first()) {
            (Some(name), _) => name.host.clone(),
            (None, Some(address)) => address.text.clone(),
            (None, None) => "main server".to_owned(),
        }
    }
}

/// `ServerName [scheme://]host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerName {
    /// The scheme in front, if given.
    pub scheme: Option<String>,
    /// The host name in lower case.
    pub host: String,
    /// The port behind, if given.
    pub port: Option<u16>,
}

/// One name of `ServerAlias`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alias {
    /// The name itself.
    Exact(String),
    /// A pattern with `*` or `?`.
    Wild(String),
}

/// One address of a `<VirtualHost>` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VhostAddr {
    /// As written.
    pub text: String,
    /// Which local address it matches.
    pub ip: VhostIp,
    /// Which local port it matches; `None` is every port.
    pub port: Option<u16>,
}

/// The address part of a virtual host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VhostIp {
    /// `*` or `_default_`.
    Any,
    /// A literal address.
    Ip(IpAddr),
    /// A host name, to be resolved when the server starts.
    Name(String),
}

merged! {
    /// How much of a request the server is willing to read.
    pub struct Limits {
        /// `LimitRequestLine`, default 8190.
        pub line_bytes: Setting<u32> => over,
        /// `LimitRequestFieldSize`, default 8190, per field after unfolding.
        pub field_bytes: Setting<u32> => over,
        /// `LimitRequestFields`, default 100; 0 is no limit.
        pub fields: Setting<u32> => over,
    }
}

/// `UseCanonicalName`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UseCanonicalName {
    /// Self-referring URLs carry what the client sent.
    Off,
    /// They carry `ServerName`.
    On,
    /// They carry the reverse lookup of the local address.
    Dns,
}

/// `ServerSignature`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// No footer.
    Off,
    /// A footer with version and host.
    On,
    /// The same with a link to `ServerAdmin`.
    Email,
}

/// `ServerTokens`: how much the Server field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerTokens {
    /// Product only.
    Prod,
    /// Major version.
    Major,
    /// Major and minor.
    Minor,
    /// The whole version.
    Min,
    /// Version and system.
    Os,
    /// Everything.
    Full,
}

/// `TraceEnable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// 405.
    Off,
    /// Without content.
    On,
    /// With content.
    Extended,
}

/// `AllowEncodedSlashes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodedSlashes {
    /// `%2F` is answered with 404.
    Off,
    /// `%2F` becomes a slash.
    On,
    /// `%2F` stays as it is.
    NoDecode,
}

merged! {
    /// `HttpProtocolOptions`.
    pub struct ProtocolOptions {
        /// True for `Strict` (the default), false for `Unsafe`.
        pub strict: Setting<bool> => over,
        /// True for `RegisteredMethods`, false for `LenientMethods` (the default).
        pub registered_methods: Setting<bool> => over,
        /// True for `Allow0.9` (httpd's default), false for `Require1.0` (what holds here whatever is written).
        pub allow_http09: Setting<bool> => over,
    }
}

merged! {
    /// `RequestReadTimeout`. Unset stages keep the 2.4 defaults `header=20-40,MinRate=500 body=20,MinRate=500`.
    pub struct ReadTimeouts {
        /// The TLS handshake.
        pub handshake: Setting<ReadTimeout> => over,
        /// The request line and fields.
        pub header: Setting<ReadTimeout> => over,
        /// The content.
        pub body: Setting<ReadTimeout> => over,
    }
}

/// One stage of `RequestReadTimeout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadTimeout {
    /// How long the stage may take at first; 0 is no limit.
    pub initial_s: u32,
    /// How long it may take at most when bytes keep coming; `None` is no cap.
    pub max_s: Option<u32>,
    /// How many bytes buy one more second; 0 buys none.
    pub min_rate_bytes_per_s: u32,
}
