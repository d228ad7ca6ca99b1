//! Files: where a path leads in the file system, and what is said with what is found there.
//!
//! Responsible for: [`Roots`] (DocumentRoot, Alias), the fields of a file's response, validators and conditions, media
//! types, and what each failure means to the client. Not responsible for: opening and reading, which the engine does;
//! access, which the sections of the file decide before that (`route`).
//!
//! Know first: a file is named by text. Sections are compared with that text, so it never holds a dot segment or a run of
//! slashes, and no request byte can take it out of its root; what links may do is `FollowSymLinks`'s to say, and the
//! engine opens accordingly. mod_alias, mod_mime, mod_dir and httpd's default handler; RFC 9110 §8.8 and §13.

use super::{Answer, Ask, Case, Groups, Pattern, Site, Template};
use crate::config::Diagnostic;
use crate::config::model::Server;
use crate::http::fields::FieldId;
use crate::http::uri::{self, EncodedSlashes};
use crate::http::{Fields, Method, Status, date};
use crate::log::{Cause, Level, Module, Raw, Tag};

#[cfg(test)]
mod tests;
mod types;

/// Where a server has files.
#[derive(Debug, Default)]
pub struct Roots {
    aliases: Vec<Alias>,
    document_root: Option<Box<[u8]>>,
}

#[derive(Debug)]
enum Alias {
    Prefix { path: Box<[u8]>, real: Box<[u8]> },
    Regex { pattern: Pattern, real: Template },
}

/// A place in the file system that a path leads to. Recycled with its route.
#[derive(Debug, Default)]
pub struct FilePlace {
    /// The file, absolute; empty when the path leads nowhere.
    pub file: Vec<u8>,
    /// How many bytes of it are the directory that the configuration names: links above it are its own affair.
    pub root: usize,
}

/// What is known of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Its size in bytes.
    pub size: u64,
    /// When it was changed, in microseconds since 1970.
    pub modified_us: u64,
}

/// What becomes of a request for a file that is there.
#[derive(Debug)]
pub enum FileReply {
    /// This head, then the file or a part of it.
    File {
        /// Status and fields.
        head: Box<Answer>,
        /// Where in the file the part begins.
        from: u64,
        /// How long it is.
        size: u64,
    },
    /// This alone, as a condition or a range of the request wants it.
    Bare(Box<Answer>),
}

impl Roots {
    /// Compiles the places of a server.
    ///
    /// # Errors
    /// Expressions that cannot be used, with their places.
    pub fn compile(server: &Server) -> Result<Self, Vec<Diagnostic>> {
        let mut errors = Vec::new();
        let mut aliases = Vec::new();
        for alias in &server.file_aliases {
            if !alias.is_regex {
                aliases.push(Alias::Prefix {
                    path: alias.path.as_bytes().into(),
                    real: alias.real.as_bytes().into(),
                });
                continue;
            }
            match Pattern::compile(&alias.path, Case::Sensitive) {
                Ok(pattern) => aliases.push(Alias::Regex {
                    pattern,
                    real: Template::parse(&alias.real),
                }),
                Err(error) => {
                    let message = format!("`{}`: {error}", alias.path);
                    errors.push(
                        Diagnostic::error(message)
                            .at(&alias.place)
                            .under(&alias.path),
                    );
                }
            }
        }
        let root = server.document_root.get();
        let document_root = root.map(|root| root.trim_end_matches('/').as_bytes().into());
        if errors.is_empty() {
            Ok(Self {
                aliases,
                document_root,
            })
        } else {
            Err(errors)
        }
    }

    /// Whether there are any.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.aliases.is_empty() && self.document_root.is_none()
    }

    /// Fills in where a decoded, normalised path leads; `place.file` is empty when it leads nowhere.
    pub fn find(&self, path: &[u8], place: &mut FilePlace) {
        place.clear();
        let is_aliased = self.aliases.iter().any(|alias| alias.find(path, place));
        if !is_aliased && let Some(root) = &self.document_root {
            place.file.extend_from_slice(root);
            place.root = root.len();
            place.file.extend_from_slice(path);
        }
        place.tidy();
    }
}

impl Alias {
    fn find(&self, path: &[u8], place: &mut FilePlace) -> bool {
        match self {
            Self::Prefix { path: alias, real } => {
                let Some(rest) = rest_behind(path, alias) else {
                    return false;
                };
                place.file.extend_from_slice(real);
                place.root = if rest.is_empty() {
                    parent(real)
                } else {
                    real.len()
                };
                place.file.extend_from_slice(rest);
                true
            }
            Self::Regex { pattern, real } => {
                let groups: Option<Groups<'_>> = pattern.captures(path);
                let Some(groups) = groups else {
                    return false;
                };
                real.fill(&groups, &mut place.file);
                true
            }
        }
    }
}

/// What follows an alias in a path: httpd's `alias_matches`, in which a run of slashes matches one or more, and an alias
/// without a final slash ends at the end of a segment.
fn rest_behind<'a>(path: &'a [u8], alias: &[u8]) -> Option<&'a [u8]> {
    let (mut path, mut alias) = (path, alias);
    let mut ends_in_slash = false;
    while let Some((&wanted, after)) = alias.split_first() {
        let (&found, rest) = path.split_first()?;
        if wanted != found {
            return None;
        }
        (path, alias) = (rest, after);
        ends_in_slash = wanted == b'/';
        if ends_in_slash {
            path = without_slashes(path);
            alias = without_slashes(alias);
        }
    }
    let is_whole = ends_in_slash || matches!(path.first(), None | Some(b'/'));
    is_whole.then_some(path)
}

fn without_slashes(text: &[u8]) -> &[u8] {
    let at = text.iter().position(|&byte| byte != b'/');
    at.and_then(|at| text.get(at..)).unwrap_or_default()
}

/// How long the directory of a file is.
fn parent(file: &[u8]) -> usize {
    memchr::memrchr(b'/', file).unwrap_or(0)
}

impl FilePlace {
    /// Leads nowhere from now on; the allocation is kept.
    pub fn clear(&mut self) {
        self.file.clear();
        self.root = 0;
    }

    /// Makes runs of slashes one, so that sections are compared with what is opened. A place that is not absolute, or
    /// that a dot segment is part of, as an alias may have put it together, is none.
    fn tidy(&mut self) {
        let root = self.root;
        let (mut kept, mut kept_of_root) = (0, 0);
        for at in 0..self.file.len() {
            let byte = self.file.get(at).copied().unwrap_or_default();
            let is_repeated = byte == b'/' && kept > 0 && self.file.get(kept - 1) == Some(&b'/');
            if !is_repeated && let Some(cell) = self.file.get_mut(kept) {
                *cell = byte;
                kept += 1;
            }
            if at < root {
                kept_of_root = kept;
            }
        }
        self.file.truncate(kept);
        self.root = kept_of_root;
        let mut segments = self.file.split(|&byte| byte == b'/');
        if self.file.first() != Some(&b'/') || segments.any(|part| part == b"." || part == b"..") {
            self.clear();
        }
    }

    /// The directory that the configuration names, and what of the file is below it.
    #[must_use]
    pub fn split(&self) -> (&[u8], &[u8]) {
        self.file.split_at(self.root.min(self.file.len()))
    }
}

/// Whether a request may have its file: one that is there for a handler which is not here may not be read.
///
/// # Errors
/// The answer instead.
pub fn check(ask: &Ask<'_>) -> Result<(), Box<Answer>> {
    if !types::is_for_a_handler(ask) {
        return Ok(());
    }
    let file = Raw(&ask.route.place.file);
    let message = format_args!("no handler is there for {file}; answering 404");
    ask.log_tagged(Module::Core, Level::Warn, Tag::Tn(337), message);
    Err(Answer::error(ask, Status::NOT_FOUND))
}

/// `AddDefaultCharset`: names the charset of a text whose sender names none.
pub fn add_charset(ask: &Ask<'_>, fields: &mut Fields) {
    let Some(Some(charset)) = ask.dir().config.default_charset.get() else {
        return;
    };
    let Some(media_type) = fields.get(FieldId::ContentType) else {
        return;
    };
    let bare = media_type.split(|&byte| byte == b';').next();
    let bare = bare.unwrap_or_default().trim_ascii();
    let is_text =
        bare.eq_ignore_ascii_case(b"text/html") || bare.eq_ignore_ascii_case(b"text/plain");
    let lower = media_type.to_ascii_lowercase();
    if is_text && memchr::memmem::find(&lower, b"charset=").is_none() {
        let named = [media_type, b"; charset=", charset.as_bytes()].concat();
        fields.set(FieldId::ContentType, &named);
    }
}

/// Whether symbolic links on the way to a request's file may be followed: only if each `<Directory>` from its root down
/// lets them be.
#[must_use]
pub fn follows_links(ask: &Ask<'_>) -> bool {
    let site: &Site = ask.site();
    let root = ask.route.place.root;
    let mut follows = site.server.location_defaults.follow_symlinks.or(true);
    let mut all_follow = None;
    for &at in &ask.dir().directories {
        let Some(section) = site.server.directories.get(usize::from(at)) else {
            continue;
        };
        let is_below = match &section.pattern {
            crate::config::model::Pattern::Prefix(path) => path.len() > root,
            crate::config::model::Pattern::Glob(_) | crate::config::model::Pattern::Regex(_) => {
                true
            }
        };
        // What holds at the root itself is known once the sections above it were looked at.
        if is_below && all_follow.is_none() {
            all_follow = Some(follows);
        }
        follows = section.dir.follow_symlinks.or(follows);
        all_follow = all_follow.map(|all| all && follows);
    }
    all_follow.unwrap_or(follows)
}

/// What is said with an open file: everything of the response but its content. A file that is the document of an error is
/// said whole and with that status, whatever the client holds already.
#[must_use]
pub fn reply(ask: &Ask<'_>, facts: &FileFacts, error: Option<Status>) -> FileReply {
    let modified_s = (facts.modified_us / 1_000_000).min(ask.now_us / 1_000_000);
    let etag = etag(facts, ask.now_us);
    let mut head = Answer::empty(error.unwrap_or(Status::OK));
    head.close = false;
    let fields = &mut head.fields;
    fields.push_id(FieldId::LastModified, &date::format(modified_s));
    fields.push(b"ETag", etag.as_bytes());
    fields.push(b"Accept-Ranges", b"bytes");
    let asked = match error {
        Some(_) => None,
        None => condition(ask, &etag, modified_s),
    };
    if asked != Some(Status::NOT_MODIFIED)
        && let Some(media_type) = types::of(ask)
    {
        fields.push_id(FieldId::ContentType, media_type.as_bytes());
        add_charset(ask, fields);
    }
    if let Some(status) = asked {
        head.status = status;
        return FileReply::Bare(head);
    }
    let range = match error {
        Some(_) => None,
        None => range(ask, facts.size, &etag, modified_s),
    };
    let size = facts.size;
    match range {
        None => FileReply::File {
            head,
            from: 0,
            size,
        },
        Some(Range::Part(from, to)) => {
            head.status = Status::PARTIAL_CONTENT;
            let value = format!("bytes {from}-{to}/{size}");
            head.fields.push(b"Content-Range", value.as_bytes());
            let size = to - from + 1;
            FileReply::File { head, from, size }
        }
        Some(Range::Outside) => {
            let mut answer = Answer::error(ask, Status::RANGE_NOT_SATISFIABLE);
            let value = format!("bytes */{size}");
            answer.fields.push(b"Content-Range", value.as_bytes());
            FileReply::Bare(answer)
        }
    }
}

/// The part of a file that a request wants.
enum Range {
    /// From this byte to that one.
    Part(u64, u64),
    /// Something that it does not have.
    Outside,
}

/// RFC 9110 §14.2: the range of a GET. Several at once, and what is no range, mean the whole file.
fn range(ask: &Ask<'_>, size: u64, etag: &str, modified_s: u64) -> Option<Range> {
    let fields = &ask.head.fields;
    let asked = fields
        .find(b"Range")
        .filter(|_| size > 0 && ask.head.method == Method::Get)?;
    let is_current = fields.find(b"If-Range").is_none_or(|value| {
        value == etag.as_bytes() && !etag.starts_with("W/")
            || date::parse(value) == Some(modified_s)
    });
    let (unit, range) = std::str::from_utf8(asked).ok()?.split_once('=')?;
    if !is_current || !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (from, to) = range.trim().split_once('-')?;
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    let (from, to) = match (from, to) {
        ("", to) => {
            let last = number(to)?;
            (size.saturating_sub(last), if last == 0 { 0 } else { size })
        }
        (from, "") => (number(from)?, size),
        (from, to) => {
            let (from, to) = (number(from)?, number(to)?);
            if to < from {
                return None;
            }
            (from, to.saturating_add(1).min(size))
        }
    };
    Some(if from < to {
        Range::Part(from, to - 1)
    } else {
        Range::Outside
    })
}

/// The entity tag as httpd forms it by default. It is weak while the file may still be changed within the same moment.
fn etag(facts: &FileFacts, now_us: u64) -> String {
    let is_settled = now_us.saturating_sub(facts.modified_us) > 1_000_000;
    let weak = if is_settled { "" } else { "W/" };
    format!("{weak}\"{:x}-{:x}\"", facts.size, facts.modified_us)
}

/// RFC 9110 §13.2.2: the status that the conditions of a request ask for instead of the file.
fn condition(ask: &Ask<'_>, etag: &str, modified_s: u64) -> Option<Status> {
    let fields = &ask.head.fields;
    let time = |name: &[u8]| fields.find(name).and_then(date::parse);
    if let Some(list) = fields.find(b"If-Match") {
        if !names_tag(list, etag, true) {
            return Some(Status::PRECONDITION_FAILED);
        }
    } else if time(b"If-Unmodified-Since").is_some_and(|limit| modified_s > limit) {
        return Some(Status::PRECONDITION_FAILED);
    }
    let is_read = matches!(ask.head.method, Method::Get | Method::Head);
    if let Some(list) = fields.find(b"If-None-Match") {
        return names_tag(list, etag, false).then_some(if is_read {
            Status::NOT_MODIFIED
        } else {
            Status::PRECONDITION_FAILED
        });
    }
    let is_unchanged = time(b"If-Modified-Since").is_some_and(|since| modified_s <= since);
    (is_read && is_unchanged).then_some(Status::NOT_MODIFIED)
}

/// Whether a list of entity tags has this one. A strong comparison wants both to be strong (RFC 9110 §8.8.3.2).
fn names_tag(list: &[u8], etag: &str, is_strong: bool) -> bool {
    let bare = etag.strip_prefix("W/").unwrap_or(etag).as_bytes();
    list.split(|&byte| byte == b',').any(|tag| {
        let tag = tag.trim_ascii();
        let is_weak = tag.starts_with(b"W/") || etag.starts_with("W/");
        tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == bare && !(is_strong && is_weak)
    })
}

/// Why a file cannot be opened; numbers are the system's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is nothing of that name.
    Missing,
    /// A symbolic link is in the way.
    Link,
    /// This process may not read it.
    Denied(i32),
    /// The name is too long.
    TooLong,
    /// Something else.
    Other(i32),
}

/// What the client is told of a file that cannot be opened.
#[must_use]
pub fn refuse(ask: &Ask<'_>, trouble: Trouble) -> Box<Answer> {
    let file = Raw(&ask.route.place.file);
    let (level, tag, cause, status) = match trouble {
        Trouble::Missing => (Level::Info, Tag::Ah(128), None, Status::NOT_FOUND),
        Trouble::Link => (Level::Error, Tag::Ah(37), None, Status::FORBIDDEN),
        Trouble::Denied(error) => (Level::Error, Tag::Ah(132), Some(error), Status::FORBIDDEN),
        Trouble::TooLong => (Level::Error, Tag::Ah(36), None, Status::FORBIDDEN),
        Trouble::Other(error) => {
            let status = Status::INTERNAL_SERVER_ERROR;
            (Level::Error, Tag::Tn(336), Some(error), status)
        }
    };
    let words = match trouble {
        Trouble::Missing => "File does not exist: ",
        Trouble::Link => "Symbolic link not allowed or link target not accessible: ",
        Trouble::Denied(_) => "file permissions deny server access: ",
        Trouble::TooLong => "the name is too long: ",
        Trouble::Other(_) => "the file cannot be opened: ",
    };
    let cause = cause.map(Cause::Errno);
    ask.log_caused(
        Module::Core,
        level,
        tag,
        cause,
        format_args!("{words}{file}"),
    );
    Answer::error(ask, status)
}

/// What the client is told of what is neither a file nor a directory: pipes and devices are never read.
#[must_use]
pub fn refuse_kind(ask: &Ask<'_>) -> Box<Answer> {
    let file = Raw(&ask.route.place.file);
    let message = format_args!("Forbidden: {file} doesn't point to a file or directory");
    ask.log_tagged(Module::Core, Level::Error, Tag::Ah(38), message);
    Answer::error(ask, Status::FORBIDDEN)
}

/// What the client is told of a directory in which no file stands for it.
#[must_use]
pub fn refuse_directory(ask: &Ask<'_>) -> Box<Answer> {
    let file = Raw(&ask.route.place.file);
    let names = indexes(ask).collect::<Vec<_>>().join(",");
    let message = format_args!(
        "Cannot serve directory {file}: No matching DirectoryIndex ({names}) found, and directories are not listed"
    );
    ask.log_tagged(Module::Autoindex, Level::Error, Tag::Ah(1276), message);
    Answer::error(ask, Status::FORBIDDEN)
}

/// The names of `DirectoryIndex`.
fn indexes<'a>(ask: &Ask<'a>) -> impl Iterator<Item = &'a str> {
    let named = &ask.dir().config.directory_index;
    let usual = named.is_empty().then_some("index.html");
    usual.into_iter().chain(named.iter().map(String::as_str))
}

/// The targets of the files that may stand for the directory of this request, the first one first.
#[must_use]
pub fn index_targets(ask: &Ask<'_>) -> Vec<Vec<u8>> {
    indexes(ask).map(|name| index_target(ask, name)).collect()
}

fn index_target(ask: &Ask<'_>, name: &str) -> Vec<u8> {
    let (path, query) = name.split_once('?').unwrap_or((name, ""));
    let mut target = Vec::new();
    if !path.starts_with('/') {
        encode(ask, &ask.route.path, &mut target);
    }
    encode(ask, path.as_bytes(), &mut target);
    let query = if query.is_empty() {
        ask.head.target.query()
    } else {
        Some(query.as_bytes())
    };
    if let Some(query) = query {
        target.push(b'?');
        target.extend_from_slice(query);
    }
    target
}

/// `DirectorySlash`: the redirect from a directory's path without its final slash to the one with it.
#[must_use]
pub fn add_slash(ask: &Ask<'_>) -> Box<Answer> {
    if !ask.dir().config.directory_slash.or(true) {
        return refuse_directory(ask);
    }
    let mut location = ask.origin().into_bytes();
    encode(ask, &ask.route.path, &mut location);
    location.push(b'/');
    if let Some(query) = ask.head.target.query() {
        location.push(b'?');
        location.extend_from_slice(query);
    }
    Answer::redirect(ask, Status::MOVED_PERMANENTLY, &location)
}

fn encode(ask: &Ask<'_>, path: &[u8], out: &mut Vec<u8>) {
    use crate::config::model::EncodedSlashes as Configured;
    let slashes = match ask.site().encoded_slashes {
        Configured::NoDecode => EncodedSlashes::Keep,
        Configured::Off | Configured::On => EncodedSlashes::Decode,
    };
    uri::encode_path(path, slashes, out);
}
