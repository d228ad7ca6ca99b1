//! Edits of field lines: `RequestHeader` and `Header` (mod_headers; reference A.4).
//!
//! Responsible for: compiling the edits of a server and its sections once, keeping those of each combination of sections together, and
//! making them. Not responsible for when: `route` asks for the request's, the engine for the response's; nor for what a message may say,
//! which `http::fields` and the encoders judge again.
//!
//! Know first:
//!
//! - A request's edits are made in place, in the head that the client sent: what a backend gets, what sessions are looked up in and what is
//!   logged is the edited head. Several lines of a name are one list then, as httpd reads them.
//! - A response has two tables. What a backend or a page says is in the one that `Header` edits; what the server adds to everything, error
//!   pages included, is in the one of `Header always`, empty at first and sent in front. They don't see each other.
//! - The media type is in neither: it is one, whatever the tables say, and both kinds of edit may change it.
//! - Content-Length and Transfer-Encoding are not edited: the configuration refuses to, and encoders write their own.
//! - Where nothing is configured, [`Dir::headers`](super::Dir::headers) is `None` and that is all there is to it.

mod edit;
mod table;
#[cfg(test)]
mod tests;
mod value;

use std::sync::Arc;

use self::edit::Edit;
use self::table::Table;
use super::dir::Matching;
use crate::config::Diagnostic;
use crate::config::model::{EditCondition, FileSection, HeaderEdit, HeaderTable, Server};
use crate::http::fields::{FieldId, Fields};
use crate::http::hop;
use crate::log::Environment;
pub use edit::Spoilt;
pub use value::{Facts, Moment};

/// The edits of a server and of its sections.
#[derive(Debug, Default)]
pub struct SiteHeaders {
    server: Lists,
    early: Lists,
    /// By the position of the section.
    locations: Vec<Lists>,
    proxies: Vec<Lists>,
    directories: Vec<Lists>,
}

/// The edits of one place, by what they edit.
#[derive(Clone, Debug, Default)]
struct Lists {
    request: Vec<Arc<Edit>>,
    onsuccess: Vec<Arc<Edit>>,
    always: Vec<Arc<Edit>>,
}

/// The edits of one combination of sections, in the order in which they are made.
#[derive(Debug)]
pub struct Headers {
    lists: Lists,
    /// The server's early ones; those of the request are made by [`SiteHeaders::edit_early`].
    early: Lists,
    /// Some edit of the request is about its Connection field.
    edits_request_connection: bool,
    /// Some edit of the response is about the media type.
    edits_media_type: bool,
}

/// Which `Header` directives hold for a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderRules {
    /// None: it was made before sections were looked at.
    None,
    /// `Header always`: an error page, or a redirect in its place.
    Always,
    /// All of them: what a backend says, or a page.
    All,
}

/// What is known of a response beside its fields.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// Which directives hold.
    pub rules: HeaderRules,
    /// It comes from a backend, which gave it all its fields.
    pub is_backends: bool,
    /// The request was to be proxied, so that the response may have another origin's Date and Server.
    pub is_proxied: bool,
    /// The request's server was found, and early edits made: its head was none that is refused at once.
    pub has_arrived: bool,
}

/// What the edits of a response write beside it. Recycled with its exchange.
#[derive(Debug, Default)]
pub struct Margin {
    /// The notes for the access log.
    pub notes: Environment,
    /// The table of what the server adds.
    added: Fields,
}

impl SiteHeaders {
    /// Compiles the edits of a server.
    ///
    /// # Errors
    /// The expressions that cannot be used, with their places.
    pub fn compile(server: &Server) -> Result<Self, Vec<Diagnostic>> {
        let mut errors = Vec::new();
        let (early, late): (Vec<_>, Vec<_>) = server
            .location_defaults
            .headers
            .iter()
            .partition(|line| line.condition == EditCondition::Early);
        let mut lists = |lines: Vec<&HeaderEdit>| Lists::compile(lines, &mut errors);
        // What is early in a section comes too late there: httpd reads it and never does it.
        let late_only = |line: &&HeaderEdit| line.condition != EditCondition::Early;
        let compiled = Self {
            server: lists(late),
            early: lists(early),
            locations: server
                .locations
                .iter()
                .map(|section| lists(section.dir.headers.iter().filter(late_only).collect()))
                .collect(),
            proxies: server
                .proxy_sections
                .iter()
                .map(|section| lists(section.dir.headers.iter().filter(late_only).collect()))
                .collect(),
            directories: server
                .directories
                .iter()
                .map(|section| lists(section.dir.headers.iter().filter(late_only).collect()))
                .collect(),
        };
        // Those of `<Files>` are compiled again for each combination of directories that has them.
        for section in server.sections().flat_map(|(dir, _)| &dir.files) {
            lists(section.dir.headers.iter().filter(late_only).collect());
        }
        if errors.is_empty() {
            Ok(compiled)
        } else {
            Err(errors)
        }
    }

    /// What holds in a combination of sections; `None` when there is nothing to do.
    #[must_use]
    pub fn merge(&self, matching: &Matching<'_>, files: &[FileSection]) -> Option<Box<Headers>> {
        let mut lists = self.server.clone();
        let of_proxies = matching
            .proxies
            .iter()
            .filter_map(|&at| self.proxies.get(usize::from(at)));
        let of_directories = matching
            .directories
            .iter()
            .filter_map(|&at| self.directories.get(usize::from(at)));
        for more in of_proxies.chain(of_directories) {
            lists.append(more);
        }
        for &at in matching.files {
            let lines = files
                .get(usize::from(at))
                .map_or(&[][..], |section| &section.dir.headers);
            let late = lines
                .iter()
                .filter(|line| line.condition != EditCondition::Early);
            // What is wrong with them was told when the server was compiled.
            lists.append(&Lists::compile(late.collect(), &mut Vec::new()));
        }
        let of_locations = matching
            .locations
            .iter()
            .filter_map(|&at| self.locations.get(usize::from(at)));
        for more in of_locations {
            lists.append(more);
        }
        if lists.is_empty() && self.early.is_empty() {
            return None;
        }
        let early = self.early.clone();
        let is_about = |id| move |edit: &Arc<Edit>| edit.is_about(id);
        let edits_media_type = [&lists, &early]
            .into_iter()
            .flat_map(Lists::of_response)
            .any(is_about(FieldId::ContentType));
        Some(Box::new(Headers {
            edits_request_connection: lists.request.iter().any(is_about(FieldId::Connection)),
            edits_media_type,
            lists,
            early,
        }))
    }

    /// Whether the request has early edits.
    #[must_use]
    pub fn has_early(&self) -> bool {
        !self.early.request.is_empty()
    }

    /// Makes the early edits of a request.
    ///
    /// # Errors
    /// The last value that could not be used.
    pub fn edit_early(&self, fields: &mut Fields, facts: &Facts<'_>) -> Result<(), Spoilt> {
        Table::request(fields).edit(&self.early.request, facts)
    }
}

impl Lists {
    fn compile(lines: Vec<&HeaderEdit>, errors: &mut Vec<Diagnostic>) -> Self {
        let mut lists = Self::default();
        for line in lines {
            let list = match line.table {
                HeaderTable::Request => &mut lists.request,
                HeaderTable::OnSuccess => &mut lists.onsuccess,
                HeaderTable::Always => &mut lists.always,
            };
            match Edit::compile(line) {
                Ok(edit) => list.push(Arc::new(edit)),
                Err((text, why)) => errors.push(
                    Diagnostic::error(format!("`{text}`: {why}"))
                        .at(&line.place)
                        .under(&text),
                ),
            }
        }
        lists
    }

    fn append(&mut self, more: &Self) {
        self.request.extend_from_slice(&more.request);
        self.onsuccess.extend_from_slice(&more.onsuccess);
        self.always.extend_from_slice(&more.always);
    }

    fn is_empty(&self) -> bool {
        self.request.is_empty() && self.onsuccess.is_empty() && self.always.is_empty()
    }

    fn of_response(&self) -> impl Iterator<Item = &Arc<Edit>> {
        self.onsuccess.iter().chain(&self.always)
    }
}

impl Headers {
    /// Makes the edits of a request.
    ///
    /// # Errors
    /// The last value that could not be used.
    pub fn edit_request(&self, fields: &mut Fields, facts: &Facts<'_>) -> Result<(), Spoilt> {
        Table::request(fields).edit(&self.lists.request, facts)
    }

    /// Whether the request's Connection field, as it was edited, ends the client's connection.
    #[must_use]
    pub fn closes_client(&self, request: &Fields) -> bool {
        self.edits_request_connection && hop::has_option(request, b"close")
    }

    /// Whether the configuration writes this field of requests, so that a client's Connection must not take it away.
    #[must_use]
    pub fn writes(&self, name: &[u8]) -> bool {
        let mut edits = self.lists.request.iter().chain(&self.early.request);
        edits.any(|edit| edit.writes(name))
    }

    /// Whether there is anything to do about a response.
    #[must_use]
    pub fn edits_response(&self, rules: HeaderRules) -> bool {
        let early = self.early.of_response().next().is_some();
        early
            || match rules {
                HeaderRules::None => false,
                HeaderRules::Always => !self.lists.always.is_empty(),
                HeaderRules::All => self.lists.of_response().next().is_some(),
            }
    }

    /// Makes the edits of a response, and takes down notes for the access log.
    ///
    /// # Errors
    /// The last value that could not be used.
    pub fn edit_response(
        &self,
        reply: Reply,
        fields: &mut Fields,
        facts: &Facts<'_>,
        margin: &mut Margin,
    ) -> Result<(), Spoilt> {
        let Margin { notes, added } = margin;
        added.clear();
        let mut media_type = None;
        if self.edits_media_type {
            media_type = fields.get(FieldId::ContentType).map(<[u8]>::to_vec);
            if !reply.is_backends {
                fields.remove(FieldId::ContentType);
            }
        }
        if reply.has_arrived && !self.early.is_empty() {
            self.add_early(reply, fields, added, facts);
        }
        let mut result = Ok(());
        if reply.rules != HeaderRules::None {
            let mut table = Table::response(added, &mut media_type, notes);
            result = table.edit(&self.lists.always, facts);
        }
        if reply.rules == HeaderRules::All {
            let mut table = Table::response(fields, &mut media_type, notes);
            result = table.edit(&self.lists.onsuccess, facts).and(result);
        }
        self.join(reply, fields, added, media_type.as_deref());
        result
    }

    /// What early edits put in before there was a response, whose notes and media type were forgotten. A backend's head replaced all but the
    /// cookies in the one table, an error's page the one table by the other.
    fn add_early(&self, reply: Reply, fields: &mut Fields, added: &mut Fields, facts: &Facts<'_>) {
        // What is early knows no variables yet, and its values are the configuration's own.
        let facts = facts.before_variables();
        let (mut notes, mut media_type) = (Environment::new(), None);
        let mut made = |edits: &[Arc<Edit>]| {
            let mut early = Fields::new();
            Table::response(&mut early, &mut media_type, &mut notes)
                .edit(edits, &facts)
                .ok();
            early
        };
        let always = made(&self.early.always);
        if reply.rules == HeaderRules::Always {
            fields.precede(&always);
            return;
        }
        added.precede(&always);
        let mut own = made(&self.early.onsuccess);
        own.retain(|id, _, _| !reply.is_backends || id == FieldId::SetCookie);
        fields.precede(&own);
    }

    /// Makes one list of the tables and the media type.
    fn join(
        &self,
        reply: Reply,
        fields: &mut Fields,
        added: &mut Fields,
        media_type: Option<&[u8]>,
    ) {
        if let (true, Some(media_type)) = (self.edits_media_type, media_type) {
            added.remove(FieldId::ContentType);
            fields.set(FieldId::ContentType, media_type);
        }
        fields.precede(added);
        for id in [FieldId::Date, FieldId::Server] {
            if reply.is_proxied {
                fields.keep_first_of(id);
            } else {
                // What we say ourselves is said by us, and now.
                fields.remove(id);
            }
        }
    }
}
