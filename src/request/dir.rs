//! Sections: compiled, compared and merged.
//!
//! Responsible for: [`Section`], a `<Location>`, `<Proxy>`, `<Directory>` or `<Files>` ready to be compared; [`Dir`],
//! what all matching sections say together; and [`DirCache`], which merges each combination once. Not responsible for:
//! the order of a request's steps (`route`).
//!
//! Know first: what applies is the server's defaults, over them the `<Proxy>` sections that match the target URL or,
//! for a file, the `<Directory>` sections from the root down and the `<Files>` sections of its name; over these the
//! `<Location>` sections that match the path. Each kind applies in configuration order, the main server's first;
//! directories by their depth before that, expressions last. A warm request only compares patterns and looks the
//! combination up.

use std::collections::HashMap;
use std::fmt;

use super::glob::{self, Slash};
use super::pattern::{Case, Pattern};
use super::{Handler, Headers, Site, SiteHeaders};
use crate::config::Merge as _;
use crate::config::model::{self, DirConfig, LevelMap};
use crate::http::uri;
use crate::log::{Level, Levels, Module};

/// What a section's argument is compared with, and how.
#[derive(Debug)]
pub enum Section {
    /// The path itself or, unless the argument ends in a slash, what is below it.
    Path(Box<[u8]>),
    /// A path pattern.
    PathGlob(Box<[u8]>),
    /// The beginning of a target URL.
    Url(Box<[u8]>),
    /// A target URL pattern.
    UrlGlob(Box<[u8]>),
    /// A directory and what is below it.
    Directory(Box<[u8]>),
    /// A pattern for directories.
    DirectoryGlob(Box<[u8]>),
    /// The name of a file.
    Name(Box<[u8]>),
    /// A pattern for the name of a file.
    NameGlob(Box<[u8]>),
    /// An expression, for any of them.
    Regex(Pattern),
}

impl Section {
    /// Compiles the argument of a `<Location>` or `<LocationMatch>`.
    ///
    /// # Errors
    /// The expression cannot be compiled.
    pub fn location(pattern: &model::Pattern) -> Result<Self, String> {
        Ok(match pattern {
            model::Pattern::Prefix(text) => Self::Path(text.as_bytes().into()),
            model::Pattern::Glob(text) => Self::PathGlob(text.as_bytes().into()),
            model::Pattern::Regex(text) => Self::Regex(Pattern::compile(text, Case::Sensitive)?),
        })
    }

    /// Compiles the argument of a `<Proxy>` or `<ProxyMatch>`.
    ///
    /// # Errors
    /// The expression cannot be compiled.
    pub fn proxy(pattern: &model::Pattern) -> Result<Self, String> {
        let normal = |text: &str| normal_url(text);
        Ok(match pattern {
            model::Pattern::Prefix(text) => Self::Url(normal(text)),
            model::Pattern::Glob(text) => Self::UrlGlob(normal(text)),
            model::Pattern::Regex(text) => Self::Regex(Pattern::compile(text, Case::Sensitive)?),
        })
    }

    /// Compiles the argument of a `<Directory>` or `<DirectoryMatch>`.
    ///
    /// # Errors
    /// The expression cannot be compiled.
    pub fn directory(pattern: &model::Pattern) -> Result<Self, String> {
        Ok(match pattern {
            model::Pattern::Prefix(text) => Self::Directory(text.as_bytes().into()),
            model::Pattern::Glob(text) => Self::DirectoryGlob(text.as_bytes().into()),
            model::Pattern::Regex(text) => Self::Regex(Pattern::compile(text, Case::Sensitive)?),
        })
    }

    /// Compiles the argument of a `<Files>` or `<FilesMatch>`.
    ///
    /// # Errors
    /// The expression cannot be compiled.
    pub fn file(pattern: &model::Pattern) -> Result<Self, String> {
        Ok(match pattern {
            model::Pattern::Prefix(text) => Self::Name(text.as_bytes().into()),
            model::Pattern::Glob(text) => Self::NameGlob(text.as_bytes().into()),
            model::Pattern::Regex(text) => Self::Regex(Pattern::compile(text, Case::Sensitive)?),
        })
    }

    /// Whether the section applies. `raw` is the path, the URL, the file or its name; `path` is the same with runs of
    /// slashes collapsed, which is what httpd compares everything but expressions with.
    #[must_use]
    pub fn is_match(&self, path: &[u8], raw: &[u8]) -> bool {
        match self {
            Self::Path(prefix) => path.strip_prefix(&**prefix).is_some_and(|rest| {
                prefix.last() == Some(&b'/') || matches!(rest.first(), None | Some(b'/'))
            }),
            Self::PathGlob(pattern) => glob::is_match(pattern, path, Slash::Stops),
            Self::Url(prefix) => raw.starts_with(prefix),
            Self::UrlGlob(pattern) => glob::is_match(pattern, raw, Slash::Passes),
            Self::Directory(directory) => path
                .strip_prefix(&**directory)
                .is_some_and(|rest| matches!(rest.first(), None | Some(b'/'))),
            Self::DirectoryGlob(pattern) => {
                glob::is_match(pattern, ancestor(path, depth(pattern)), Slash::Stops)
            }
            Self::Name(name) => **name == *raw,
            Self::NameGlob(pattern) => glob::is_match(pattern, raw, Slash::Passes),
            Self::Regex(pattern) => pattern.is_match(raw),
        }
    }
}

/// How many components a path has.
fn depth(path: &[u8]) -> usize {
    memchr::memchr_iter(b'/', path).count()
}

/// The beginning of a path with so many components; the path itself when it has no more.
fn ancestor(path: &[u8], components: usize) -> &[u8] {
    let end = memchr::memchr_iter(b'/', path).nth(components);
    end.and_then(|end| path.get(..end)).unwrap_or(path)
}

/// The argument of a `<Proxy>` section in the form that target URLs have when they are compared with it: scheme and
/// authority in lower case, no default port, no escapes of unreserved characters. Otherwise a client could write
/// another spelling than the section, and be somewhere else for the access rules than for the server that it reaches.
fn normal_url(text: &str) -> Box<[u8]> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => (String::new(), text),
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let authority = authority.to_ascii_lowercase();
    let usual = model::default_port(&scheme).map(|port| format!(":{port}"));
    let authority = usual
        .and_then(|port| authority.strip_suffix(&port).map(str::to_owned))
        .unwrap_or(authority);
    let mut url = scheme.into_bytes();
    if text.contains("://") {
        url.extend_from_slice(b"://");
    }
    url.extend_from_slice(authority.as_bytes());
    uri::decode_unreserved(path.as_bytes(), &mut url);
    url.into()
}

/// One combination of sections, merged and compiled. There are few, so they are made on first use and kept.
pub struct Dir {
    /// What the sections say together.
    pub config: DirConfig,
    /// Positions in `Server::locations` of the sections that match, in order.
    pub locations: Vec<u16>,
    /// Positions in `Server::proxy_sections` of the sections that match the target URL, in order.
    pub proxies: Vec<u16>,
    /// Positions in `Server::directories` of the sections that match the file, in order.
    pub directories: Vec<u16>,
    /// The `<Files>` sections to compare a file's name with, compiled; those of `config.files`.
    pub files: Vec<Section>,
    /// The handler that `SetHandler` names.
    pub handler: Option<&'static dyn Handler>,
    /// Which messages about a request are wanted here.
    pub levels: Levels,
    /// `LimitRequestBody` for content that is passed on; `u64::MAX` when there is no limit. httpd holds only content that
    /// it stores to it; here it holds for all content, where it is set.
    pub limit_body_bytes: u64,
    /// The same for content that is stored in a file before it is sent, which has a limit where none is set.
    pub limit_stored_bytes: u64,
    /// Whether any access rule is there at all.
    pub is_guarded: bool,
    /// `Header` and `RequestHeader`, if there is any.
    pub headers: Option<Box<Headers>>,
}

/// The sections that match one request, by their positions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Matching<'a> {
    /// In `Server::locations`.
    pub locations: &'a [u16],
    /// In `Server::proxy_sections`.
    pub proxies: &'a [u16],
    /// In `Server::directories`.
    pub directories: &'a [u16],
    /// In the `files` of what defaults and directories say together.
    pub files: &'a [u16],
}

/// What a stored content may be unless `LimitRequestBody` says otherwise.
const STORED_MAX: u64 = 1 << 30;

impl Dir {
    /// Merges and compiles one combination.
    #[must_use]
    pub fn compile(
        server: &model::Server,
        headers: &SiteHeaders,
        matching: &Matching<'_>,
        handlers: &[&'static dyn Handler],
    ) -> Self {
        let of_proxies = matching
            .proxies
            .iter()
            .filter_map(|&at| server.proxy_sections.get(usize::from(at)));
        let of_directories = matching
            .directories
            .iter()
            .filter_map(|&at| server.directories.get(usize::from(at)));
        let of_locations = matching
            .locations
            .iter()
            .filter_map(|&at| server.locations.get(usize::from(at)));
        let under = of_proxies
            .map(|section| &section.dir)
            .chain(of_directories.map(|section| &section.dir));
        let mut config = under.fold(server.location_defaults.clone(), |base, section| {
            DirConfig::merge(&base, section)
        });
        let named = std::mem::take(&mut config.files);
        let of_files = matching
            .files
            .iter()
            .filter_map(|&at| named.get(usize::from(at)));
        let over = of_files
            .map(|section| &section.dir)
            .chain(of_locations.map(|section| &section.dir));
        let mut config = over.fold(config, |base, section| DirConfig::merge(&base, section));
        config.files = named;
        let limit = |default| match config.limit_body_bytes.or(default) {
            0 => u64::MAX,
            bytes => bytes,
        };
        Self {
            locations: matching.locations.to_vec(),
            proxies: matching.proxies.to_vec(),
            directories: matching.directories.to_vec(),
            // Their expressions were compiled once when the server was.
            files: config
                .files
                .iter()
                .filter_map(|section| Section::file(&section.pattern).ok())
                .collect(),
            handler: handler_of(&config, handlers),
            levels: levels(&LevelMap::merge(&server.log_level, &config.log_level)),
            limit_body_bytes: limit(0),
            limit_stored_bytes: limit(STORED_MAX),
            headers: headers.merge(matching, &config.files),
            is_guarded: config.access.compat.is_some() || config.access.require.is_some(),
            config,
        }
    }
}

/// What `SetHandler` calls the serving of files, which needs no handler.
pub const FILE_HANDLER: &str = "default-handler";

/// The handler that forwards requests, which `SetHandler proxy:URL` means.
pub const PROXY_HANDLER: &str = "proxy-server";

/// The handler that `SetHandler` names, if there is one.
fn handler_of(
    config: &DirConfig,
    handlers: &[&'static dyn Handler],
) -> Option<&'static dyn Handler> {
    let name = match config.set_handler.get()? {
        model::Handler::None => return None,
        model::Handler::Named(name) => name,
        model::Handler::Proxy(_) => PROXY_HANDLER,
    };
    handlers
        .iter()
        .find(|handler| handler.name() == name)
        .copied()
}

/// One level per module.
pub fn levels(map: &LevelMap) -> Levels {
    let level = |level: model::Level| Level::parse(level.word()).unwrap_or(Level::Warn);
    let mut levels = crate::log::LevelMap::new();
    levels.set_default(level(map.default.or(model::Level::Warn)));
    for (name, wanted) in &map.modules {
        if let Some(module) = Module::parse(name) {
            levels.set(module, level(*wanted));
        }
    }
    levels.compile()
}

/// The combinations that one loop has met.
#[derive(Default)]
pub struct DirCache {
    known: HashMap<Box<[u16]>, &'static Dir>,
    /// The combination being looked up: site, how many locations, how many directories, the positions of both, then
    /// those of files or proxies. Kept for its allocation.
    key: Vec<u16>,
}

/// A combination, kept or (beyond [`COMBINATIONS_MAX`]) made for one request.
pub(super) enum Merged {
    Kept(&'static Dir),
    Single(Box<Dir>),
}

/// Clients choose which sections match, so how many combinations are kept for ever has a limit. Beyond it a
/// combination is merged for each request that needs it: slower, and right.
const COMBINATIONS_MAX: usize = 1024;

/// How a key begins.
const HEADER: usize = 4;
/// Where in it the number of locations stands; [`ALL`] when nothing follows them.
const LOCATIONS: usize = 2;
/// Where in it the number of directories stands; [`ALL`] when proxies follow the locations.
const DIRECTORIES: usize = 3;
/// More than there can be.
const ALL: u16 = u16::MAX;

impl DirCache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Compares a path with the site's `<Location>` sections and gives what holds there.
    pub(super) fn locate(
        &mut self,
        site: &'static Site,
        path: &[u8],
        raw: &[u8],
        handlers: &[&'static dyn Handler],
    ) -> Merged {
        if site.locations.is_empty() {
            return Merged::Kept(&site.base);
        }
        self.start(site);
        self.collect(&site.locations, path, raw);
        self.merged(site, handlers)
    }

    /// Compares a target URL with the site's `<Proxy>` sections and gives what holds for a request that goes
    /// there, when `base` holds for its path; `None` when no section matches.
    pub(super) fn locate_proxied(
        &mut self,
        site: &'static Site,
        base: &Dir,
        url: &[u8],
        handlers: &[&'static dyn Handler],
    ) -> Option<Merged> {
        if site.proxies.is_empty() {
            return None;
        }
        self.start(site);
        self.key.extend_from_slice(&base.locations);
        self.note(LOCATIONS, base.locations.len());
        self.note(DIRECTORIES, usize::from(ALL));
        let before = self.key.len();
        self.collect(&site.proxies, url, url);
        (self.key.len() > before).then(|| self.merged(site, handlers))
    }

    /// Compares a file with the site's `<Directory>` sections, and its name with the `<Files>` sections, and gives what
    /// holds for it when `base` holds for its path; `None` when no section matches.
    pub(super) fn locate_file(
        &mut self,
        site: &'static Site,
        base: &Dir,
        file: &[u8],
        handlers: &[&'static dyn Handler],
    ) -> Option<Merged> {
        self.start(site);
        self.key.extend_from_slice(&base.locations);
        self.note(LOCATIONS, base.locations.len());
        let before = self.key.len();
        self.collect(&site.directories, file, file);
        let directories = self.key.len() - before;
        self.note(DIRECTORIES, directories);
        let merged = (directories > 0).then(|| self.merged(site, handlers));
        let dir = merged.as_ref().map_or(base, Merged::dir);
        let name = file.rsplit(|&byte| byte == b'/').next();
        let before = self.key.len();
        self.collect(
            &dir.files,
            name.unwrap_or_default(),
            name.unwrap_or_default(),
        );
        if self.key.len() > before {
            return Some(self.merged(site, handlers));
        }
        merged
    }

    fn start(&mut self, site: &Site) {
        let [low, high] =
            [site.index & 0xffff, site.index >> 16].map(|half| u16::try_from(half).unwrap_or(0));
        self.key.clear();
        self.key.extend([low, high, ALL, 0]);
    }

    /// Writes a number into the beginning of the key.
    fn note(&mut self, at: usize, count: usize) {
        if let Some(cell) = self.key.get_mut(at) {
            *cell = u16::try_from(count).unwrap_or(ALL);
        }
    }

    fn collect(&mut self, sections: &[Section], path: &[u8], raw: &[u8]) {
        for (at, section) in (0_u16..).zip(sections) {
            if section.is_match(path, raw) {
                self.key.push(at);
            }
        }
    }

    fn merged(&mut self, site: &'static Site, handlers: &[&'static dyn Handler]) -> Merged {
        if self.key.len() == HEADER {
            return Merged::Kept(&site.base);
        }
        if let Some(dir) = self.known.get(self.key.as_slice()) {
            return Merged::Kept(dir);
        }
        let dir = Box::new(Dir::compile(
            &site.server,
            &site.headers,
            &matching(&self.key),
            handlers,
        ));
        if self.known.len() >= COMBINATIONS_MAX {
            return Merged::Single(dir);
        }
        let dir: &'static Dir = Box::leak(dir);
        self.known.insert(self.key.as_slice().into(), dir);
        Merged::Kept(dir)
    }
}

/// What a key says.
fn matching(key: &[u16]) -> Matching<'_> {
    let number = |at: usize| key.get(at).copied().unwrap_or_default();
    let all = key.get(HEADER..).unwrap_or_default();
    let (locations, rest) = all.split_at(usize::from(number(LOCATIONS)).min(all.len()));
    if number(DIRECTORIES) == ALL {
        return Matching {
            locations,
            proxies: rest,
            ..Matching::default()
        };
    }
    let (directories, files) = rest.split_at(usize::from(number(DIRECTORIES)).min(rest.len()));
    Matching {
        locations,
        directories,
        files,
        ..Matching::default()
    }
}

impl Merged {
    fn dir(&self) -> &Dir {
        match self {
            Self::Kept(dir) => dir,
            Self::Single(dir) => dir,
        }
    }
}

impl fmt::Debug for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dir")
            .field("locations", &self.locations)
            .field("proxies", &self.proxies)
            .field("handler", &self.handler.map(Handler::name))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DirCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirCache")
            .field("known", &self.known.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_name_urls_in_their_normal_form() {
        let table = [
            ("*", "*"),
            ("http://H.Example:80/A%7Eb%2F", "http://h.example/A~b%2F"),
            ("HTTP://*.example:8080/*", "http://*.example:8080/*"),
            ("http://h:80", "http://h"),
            ("https://h:443/", "https://h/"),
            ("https://h:80/", "https://h:80/"),
            ("Host.Example:443", "host.example:443"),
            ("balancer://Name", "balancer://name"),
        ];
        for (written, normal) in table {
            assert_eq!(normal_url(written).as_ref(), normal.as_bytes(), "{written}");
        }
    }
}
