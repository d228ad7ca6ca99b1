//! What a configuration says, as plain data.
//!
//! Responsible for: the types every room above reads. Not for behaviour: nothing here opens, resolves, compiles or listens; regular
//! expressions are text, addresses are what was written. Anything that needs the outside is made from this in `server.rs`.
//!
//! Know first: virtual hosts come out *merged* – each [`Server`] of [`Config::vhosts`] already contains what it inherits from
//! [`Config::main`], in httpd's order. A [`Setting`] that is unset means that no directive spoke; the default is the
//! reader's. Units are part of the names.

mod access;
mod balancer;
mod files;
mod forward;
mod headers;
mod location;
mod log;
mod mpm;
mod proxy;
mod server;
mod url;
mod vars;

pub use access::{Access, AuthMerging, CompatAccess, Net, Order, Require, Satisfy, Who};
pub use balancer::{
    Balancer, BalancerParams, FlushPackets, HealthMethod, Mapping, Member, MemberParams, Nonce,
    Secret, Separator, StatusBit, StatusEdit, Sticky, Worker,
};
pub use files::{FileAlias, MediaTypes};
pub use forward::{Block, CONNECT_PORTS, Credentials, NoProxy, PortRange, Remote, RemoteMatch};
pub use headers::{EditCondition, HeaderAction, HeaderEdit, HeaderPiece, HeaderTable, HeaderValue};
pub use location::{
    AddedType, DirConfig, Directory, ErrorDocument, ErrorOverride, ErrorPage, FileSection, Handler,
    Location, Pattern, ProxySection,
};
pub use log::{
    CustomLog, Level, LevelMap, LogCondition, LogFormat, LogFormatRef, LogTarget, UnknownLevel,
};
pub use mpm::{MPM_NAMES, Mpm, MpmSettings};
pub use proxy::{
    BadHeader, CookieMap, Destination, PassPath, PassTarget, ProxyPass, ProxyPassReverse,
    ProxyServer, ProxyStatus, Slot22, Via,
};
pub use server::{
    Alias, EncodedSlashes, Limits, ProtocolOptions, ReadTimeout, ReadTimeouts, Server, ServerName,
    ServerTokens, Signature, Trace, UseCanonicalName, VhostAddr, VhostIp,
};

pub(crate) use forward::mask;
pub use url::{UrlError, WorkerUrl, default_port, masked};
pub(crate) use url::{begins_path, strip_prefix_ignore_case};
pub use vars::{Attribute, Change, LateVars, SetEnvIf};

use super::diagnostic::Diagnostic;
use super::setting::Setting;
use super::source::{Place, Sources};
use std::net::IpAddr;
use std::path::PathBuf;

/// Everything one run of the server was told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// The main server: what holds outside every `<VirtualHost>`.
    pub main: Server,
    /// The virtual hosts in configuration order, each merged over `main`. httpd's own loops run main first, then these backwards.
    pub vhosts: Vec<Server>,
    /// The sizes and limits of the process model.
    pub mpm: MpmSettings,
    /// Where the server keeps its files.
    pub paths: Paths,
    /// Who the children become.
    pub user: Setting<String>,
    /// Which group the children join.
    pub group: Setting<String>,
    /// The addresses to listen on, in configuration order, without repetitions.
    pub listens: Vec<Listen>,
    /// What is loaded. See [`Modules`].
    pub modules: Modules,
    /// Names made by `Define` and `-D` that were defined when reading ended, in order of definition.
    pub defines: Vec<(String, Option<String>)>,
    /// `ExtendedStatus`; unset means On when mod_status is loaded.
    pub extended_status: Setting<bool>,
    /// `SeeRequestTail`: the status page shows the last 63 bytes of a request line instead of the first.
    pub see_request_tail: Setting<bool>,
    /// `Mutex` lines, kept for `-S`: mechanism and name.
    pub mutexes: Vec<Mutex>,
    /// The configuration files that were read, in reading order, for `-D DUMP_INCLUDES`.
    pub includes: Vec<Included>,
    /// Warnings that reading produced. Whoever loads the configuration prints each of them once.
    pub notes: Vec<Diagnostic>,
    /// The texts that were read, for [`Config::quote`].
    pub(crate) sources: Sources,
    /// How many 2.2 worker ids were given: the id that `proxy:reverse` takes in each child.
    pub next_id22: u32,
}

impl Config {
    /// The main server, then the virtual hosts in configuration order.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        std::iter::once(&self.main).chain(&self.vhosts)
    }

    /// The servers in the order of httpd's own loops (child initialisation traces): main, last virtual host, …, first.
    pub fn servers_in_httpd_order(&self) -> impl Iterator<Item = &Server> {
        std::iter::once(&self.main).chain(self.vhosts.iter().rev())
    }

    /// A diagnostic about this configuration, with the line that it is about.
    #[must_use]
    pub fn quote(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        diagnostic.quote(&self.sources);
        diagnostic
    }

    /// The whole model as readable text, for `-D DUMP_CONFIG`. What reading had to say about it has been said.
    pub fn dump(&self) -> String {
        let silent = Self {
            notes: Vec::new(),
            ..self.clone()
        };
        masked(&without_unset(&format!("{silent:#?}\n")))
    }
}

/// A pretty-printed value without the lines that say that nothing was set, and without what they leave empty.
fn without_unset(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for line in text.lines() {
        let is_unset = [": -,", ": [],", ": None,", ": false,"]
            .iter()
            .any(|end| line.ends_with(end));
        let closes = line.trim_start().starts_with(['}', ']', ')']);
        if closes
            && kept
                .last()
                .is_some_and(|last| last.ends_with(['{', '[', '(']))
        {
            kept.pop();
        } else if !is_unset {
            kept.push(line);
        }
    }
    kept.iter().flat_map(|line| [*line, "\n"]).collect()
}

/// Where the server keeps its files; all absolute once loaded, except that an unset server root leaves relative ones as written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Paths {
    /// The file that was loaded first.
    pub config_file: PathBuf,
    /// `ServerRoot` or `-d`: what relative paths start from.
    pub server_root: PathBuf,
    /// `DefaultRuntimeDir`: where sockets, the pid file and the scoreboard go unless told otherwise.
    pub runtime_dir: PathBuf,
    /// `PidFile`.
    pub pid_file: PathBuf,
    /// `ScoreBoardFile`.
    pub scoreboard_file: PathBuf,
    /// `CoreDumpDirectory`.
    pub core_dump_dir: Option<PathBuf>,
}

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address as written, for messages.
    pub text: String,
    /// The address, or `None` for every address of the machine.
    pub ip: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// The protocol named after it (`http`, `https`), if any.
    pub protocol: Option<String>,
    /// Where the `Listen` stands.
    pub place: Place,
}

/// One `Mutex` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutex {
    /// Which mutex, `default` for all.
    pub name: String,
    /// The mechanism as written.
    pub mechanism: String,
}

/// One file read, for `-D DUMP_INCLUDES`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Included {
    /// The file.
    pub file: String,
    /// How many files enclose it; 0 for the first one.
    pub depth: usize,
    /// The line of the `Include` in the enclosing file; 0 for the first one.
    pub line: u32,
}

/// Which modules the configuration sees.
///
/// A file without any `LoadModule` line (MPM modules aside) sees everything that is compiled in; a file with some sees exactly what it
/// loads, as httpd would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modules {
    /// True when `LoadModule` lines decide.
    pub explicit: bool,
    /// Identifiers (`proxy_module`) in loading order.
    pub loaded: Vec<String>,
}

impl Modules {
    /// True when the module with this identifier is there for the configuration.
    pub fn has(&self, identifier: &str) -> bool {
        self.loaded.iter().any(|loaded| loaded == identifier)
    }
}
