//! What may differ from one location to the next.
//!
//! Responsible for: [`DirConfig`], httpd's per-directory configuration as far as a proxy needs it, and the two kinds of section that
//! carry one. Order of application for a proxied request: the server's defaults, then `<Proxy>` sections that match the target URL,
//! then `<Location>` sections that match the path.

use super::{Access, HeaderEdit, LateVars, LevelMap, ProxyPass, ProxyPassReverse, SetEnvIf};
use super::{CookieMap, WorkerUrl};
use crate::config::setting::{Setting, merged};
use crate::config::source::Place;

merged! {
    /// What a section says about the requests it matches.
    pub struct DirConfig {
        /// `SetHandler`.
        pub set_handler: Setting<Handler> => over,
        /// `Order`, `Allow`, `Deny`, `Satisfy`, `Require` and the Require containers.
        pub access: Access => nested,
        /// `ProxyPass` inside the section. The last matching section with one wins.
        pub pass: Setting<Box<ProxyPass>> => over,
        /// `ProxyPassReverse` inside the section.
        pub reverses: Vec<ProxyPassReverse> => append,
        /// `ProxyPassReverseCookieDomain`.
        pub cookie_domains: Vec<CookieMap> => append,
        /// `ProxyPassReverseCookiePath`.
        pub cookie_paths: Vec<CookieMap> => append,
        /// `ProxyPassInterpolateEnv`, default off.
        pub interpolate_env: Setting<bool> => over,
        /// `ProxyPreserveHost`, default off.
        pub preserve_host: Setting<bool> => over,
        /// `ProxyAddHeaders`, default on.
        pub add_headers: Setting<bool> => over,
        /// `Proxy100Continue`, default on.
        pub forward_100_continue: Setting<bool> => over,
        /// `ProxyWebsocketFallbackToProxyHttp`, default on.
        pub websocket_fallback: Setting<bool> => over,
        /// `ProxyErrorOverride`.
        pub error_override: ErrorOverride => nested,
        /// `ErrorDocument`, the last one of a status wins.
        pub error_documents: Vec<ErrorDocument> => append,
        /// `LimitRequestBody`; 0 is no limit, default 1 GiB.
        pub limit_body_bytes: Setting<u64> => over,
        /// `SetEnvIf`, `BrowserMatch` and their kin in a section.
        pub set_env_if: Vec<SetEnvIf> => append,
        /// `SetEnv`, `PassEnv`, `UnsetEnv`.
        pub late_vars: LateVars => nested,
        /// `<Files>` and `<FilesMatch>` inside a `<Directory>`, or outside sections.
        pub files: Vec<FileSection> => append,
        /// `Options`, as far as it says whether symbolic links are followed; default yes.
        pub follow_symlinks: Setting<bool> => over,
        /// `DirectoryIndex`; none is `index.html`.
        pub directory_index: Vec<String> => replace,
        /// `DirectorySlash`, default on.
        pub directory_slash: Setting<bool> => over,
        /// `AddType`; the last one of an ending wins.
        pub added_types: Vec<AddedType> => append,
        /// The endings of `AddHandler`, without dots, in lower case.
        pub handled_endings: Vec<String> => append,
        /// `AddDefaultCharset`; `None` is `Off`.
        pub default_charset: Setting<Option<String>> => over,
        /// `ForceType`.
        pub force_type: Setting<Option<String>> => over,
        /// `Header` and `RequestHeader`.
        pub headers: Vec<HeaderEdit> => append,
        /// `LogLevel` in a section.
        pub log_level: LevelMap => nested,
    }
}

/// `<Location>` or `<LocationMatch>`.
#[derive(Debug, Clone, PartialEq)]
pub struct Location {
    /// Which paths it matches.
    pub pattern: Pattern,
    /// What it says.
    pub dir: DirConfig,
    /// Where it opens.
    pub place: Place,
}

/// `<Proxy>` or `<ProxyMatch>`.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxySection {
    /// Which target URLs it matches.
    pub pattern: Pattern,
    /// What it says.
    pub dir: DirConfig,
    /// Where it opens.
    pub place: Place,
}

/// `<Directory>` or `<DirectoryMatch>`.
#[derive(Debug, Clone, PartialEq)]
pub struct Directory {
    /// Which directories it matches; a prefix and a glob have no final slash.
    pub pattern: Pattern,
    /// What it says of them and of what is below them.
    pub dir: DirConfig,
    /// Where it opens.
    pub place: Place,
}

impl Directory {
    /// Where the section stands among the others: by the number of its components, expressions last.
    pub fn rank(&self) -> usize {
        match &self.pattern {
            Pattern::Prefix(text) | Pattern::Glob(text) => text.split('/').count(),
            Pattern::Regex(_) => usize::MAX,
        }
    }
}

/// `<Files>` or `<FilesMatch>`.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSection {
    /// Which names it matches, without their directories.
    pub pattern: Pattern,
    /// What it says.
    pub dir: DirConfig,
    /// Where it opens.
    pub place: Place,
}

/// One ending of an `AddType`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedType {
    /// Without its dot, in lower case.
    pub ending: String,
    /// The media type.
    pub media_type: String,
}

/// How a section's argument is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// Literally. For a path: itself and everything below it, on segment boundaries. For a target URL: a plain string prefix.
    Prefix(String),
    /// With `*`, `?` and `[…]`; `*` and `?` do not cross a slash in a path.
    Glob(String),
    /// A regular expression, as written.
    Regex(String),
}

impl Pattern {
    /// The pattern as written.
    pub fn text(&self) -> &str {
        match self {
            Self::Prefix(text) | Self::Glob(text) | Self::Regex(text) => text,
        }
    }
}

/// `SetHandler`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handler {
    /// `SetHandler None`: forget what an outer section set.
    None,
    /// A handler by name, in lower case (`server-status`, `balancer-manager`).
    Named(String),
    /// `proxy:URL`: forward the request there. The scheme may be `balancer`.
    Proxy(WorkerUrl),
}

merged! {
    /// `ProxyErrorOverride`.
    pub struct ErrorOverride {
        /// On or off, default off.
        pub enabled: Setting<bool> => over,
        /// The codes to replace; empty is every 4xx and 5xx. Codes accumulate over sections.
        pub codes: Vec<u16> => append,
    }
}

impl ErrorOverride {
    /// Whether a response with this status is replaced.
    pub fn covers(&self, code: u16) -> bool {
        let is_listed = if self.codes.is_empty() {
            (400..600).contains(&code)
        } else {
            self.codes.contains(&code)
        };
        self.enabled.or(false) && is_listed
    }
}

/// `ErrorDocument`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorDocument {
    /// For this status.
    pub status: u16,
    /// Say this.
    pub page: ErrorPage,
}

/// What an `ErrorDocument` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorPage {
    /// This text, as HTML.
    Text(String),
    /// What this local path says.
    Path(String),
    /// A redirect there.
    Redirect(String),
    /// The built-in page, whatever an outer section said.
    BuiltIn,
}
