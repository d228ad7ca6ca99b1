//! What an ErrorDocument makes of an error.
//!
//! Responsible for: the choice between the built-in page, a text, a redirect and a path of ours; what the request for
//! such a path looks like; and what is said when that one fails too. Not responsible for: carrying the request out,
//! which is the engine's business.
//!
//! Know first: of several ErrorDocuments for a status the last one merged counts, and `default` brings the built-in
//! page back. A 401 is never turned into a redirect, since the client would not see the challenge. The path is located
//! in the same server like any request, with method GET or HEAD and without content, and what it says carries the
//! error's status; a backend's document keeps its own status unless ProxyErrorOverride covers the error at that place.
//! An error of the document ends the search with the built-in page of the first error; only an error that
//! ProxyErrorOverride takes from the document's backend has a document of its own, and LimitInternalRecursion bounds
//! such chains. httpd's `ap_die` and `ap_internal_redirect`.

use super::{Answer, Ask, answer, pages};
use crate::config::model::{ErrorDocument, ErrorPage};
use crate::http::fields::FieldId;
use crate::http::target::{BadTarget, Form};
use crate::http::{Fields, Method, RequestHead, ResponseHead, Status};
use crate::log::{Environment, Level, Module, Tag};

/// What to do with an error.
#[derive(Debug)]
pub enum Doc<'a> {
    /// Say this, which may send the client elsewhere.
    Say(Box<Answer>),
    /// Find out what this path of ours says, and say it with the status of the answer, which is the fallback.
    Internal(&'a str, Box<Answer>),
}

/// What an exchange remembers of its error while it looks for the document.
#[derive(Debug)]
pub struct Detour {
    /// The status of the first error, which the log calls the original one.
    pub first: Status,
    /// The path that the client asked for.
    pub path: Vec<u8>,
    /// The status of what went wrong when the document was got.
    pub failed: Option<Status>,
    /// The status that the document is said with; 200 after an error of the document's own backend was overridden.
    status: Status,
    /// The document may not bring a status of its own: a client takes a 2xx to CONNECT for a tunnel.
    must_fail: bool,
    /// How often the request was redirected.
    depth: u32,
    /// The built-in page of the first error.
    page: Box<Answer>,
}

impl Detour {
    /// Leaves for the document of an error: for the first time, or from the document of another error.
    #[must_use]
    pub fn of(ask: &Ask<'_>, before: Option<Box<Self>>, page: Box<Answer>) -> Box<Self> {
        match before {
            Some(mut detour) => {
                detour.status = page.status;
                detour.depth += 1;
                detour
            }
            None => Box::new(Self {
                first: page.status,
                path: ask.route.path.clone(),
                failed: None,
                status: page.status,
                must_fail: ask.head.method == Method::Connect,
                depth: 1,
                page,
            }),
        }
    }

    /// The status that a document of our own is said with.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// An error of the document's backend is taken over by ProxyErrorOverride: it is an error like a first one.
    pub const fn start_over(&mut self) {
        self.status = Status::OK;
    }

    /// Adds to a document what the error's own answer had to say besides its page, such as a challenge.
    pub fn dress(&self, fields: &mut Fields) {
        for (id, name, value) in self.page.fields.iter() {
            let is_of_the_page = matches!(id, FieldId::ContentType | FieldId::Location);
            if !is_of_the_page && fields.find(name).is_none_or(|known| known != value) {
                fields.push(name, value);
            }
        }
    }

    /// What a backend's document becomes: it gets the error's status where ProxyErrorOverride covers that.
    pub fn dress_backends(&self, ask: &Ask<'_>, head: &mut ResponseHead) {
        let rule = &ask.dir().config.error_override;
        let is_covered = rule.covers(self.status.as_u16()) && !head.status.forbids_content();
        if is_covered || self.must_fail {
            head.set_status(self.status);
        }
        self.dress(&mut head.fields);
    }

    /// The document is not to be had: the built-in page of the first error, with httpd's sentence about it.
    fn give_up(&mut self, ask: &Ask<'_>, failed: &Answer, status: Status) -> Box<Answer> {
        self.failed = Some(failed.status);
        let mut page = self.page.clone();
        page.close |= failed.close;
        pages::add_failure(&mut page.body, &ask.signature("<hr>\n"), status);
        page
    }
}

/// Chooses what a client is told instead of a built-in page. Answers that a handler wrote are left alone, unless they
/// are the document of an error: then they get its status.
#[must_use]
pub fn choose<'a>(ask: &Ask<'a>, answer: Box<Answer>, detour: Option<&mut Detour>) -> Doc<'a> {
    match detour {
        Some(detour) if detour.status != Status::OK => Doc::Say(of_document(ask, answer, detour)),
        detour => of_error(ask, answer, detour),
    }
}

/// An answer of ours to the request for a document.
fn of_document(ask: &Ask<'_>, mut answer: Box<Answer>, detour: &mut Detour) -> Box<Answer> {
    if answer.is_built_in || answer.status != Status::OK {
        return detour.give_up(ask, &answer, detour.status);
    }
    answer.status = detour.status;
    answer.reason = "".into();
    detour.dress(&mut answer.fields);
    answer
}

fn of_error<'a>(ask: &Ask<'a>, answer: Box<Answer>, detour: Option<&mut Detour>) -> Doc<'a> {
    if !answer.is_built_in {
        return Doc::Say(answer);
    }
    let documents: &'a [ErrorDocument] = &ask.dir().config.error_documents;
    let code = answer.status.as_u16();
    let Some(document) = documents
        .iter()
        .rev()
        .find(|document| document.status == code)
    else {
        return Doc::Say(answer);
    };
    match &document.page {
        ErrorPage::BuiltIn => Doc::Say(answer),
        ErrorPage::Text(text) => Doc::Say(say(answer, text)),
        ErrorPage::Redirect(_) if answer.status == Status::UNAUTHORIZED => Doc::Say(answer),
        ErrorPage::Redirect(url) => {
            let mut redirect = Answer::redirect(ask, Status::FOUND, url.as_bytes());
            redirect.close |= answer.close;
            Doc::Say(redirect)
        }
        ErrorPage::Path(path) => match detour {
            Some(detour) if is_exceeded(ask, detour.depth) => {
                Doc::Say(detour.give_up(ask, &answer, answer.status))
            }
            _ => Doc::Internal(path, answer),
        },
    }
}

/// `LimitInternalRecursion`.
fn is_exceeded(ask: &Ask<'_>, depth: u32) -> bool {
    let limit = ask.site().redirects_max;
    if depth < limit {
        return false;
    }
    ask.log_tagged(
        Module::Core,
        Level::Error,
        Tag::Ah(124),
        format_args!(
            "Request exceeded the limit of {limit} internal redirects due to probable configuration error. Use \
             'LimitInternalRecursion' to increase the limit if necessary."
        ),
    );
    true
}

fn say(mut answer: Box<Answer>, text: &str) -> Box<Answer> {
    answer.body.clear();
    answer.body.extend_from_slice(text.as_bytes());
    answer
        .fields
        .set(FieldId::ContentType, answer::HTML.as_bytes());
    answer.is_built_in = false;
    answer
}

/// Makes `head` the request for a document: what the client sent, with another path and without everything that was
/// said about the content, about validators of another resource, and about switching protocols.
///
/// # Errors
/// The ErrorDocument names no path that a request could have.
pub fn request(ask: &Ask<'_>, path: &str, head: &mut RequestHead) -> Result<(), BadTarget> {
    let asked = ask.head;
    let path = path.split('#').next().unwrap_or_default();
    head.method = if asked.method == Method::Head {
        Method::Head
    } else {
        Method::Get
    };
    head.version = asked.version;
    head.keep_alive = asked.keep_alive;
    head.fields.clone_from(&asked.fields);
    head.fields
        .retain(|id, name, _| !is_about_the_original(id, name));
    if asked.target.form() == Form::Absolute {
        // RFC 9112 §3.2.2: the authority of the target is the host, whatever Host said.
        head.fields.set(FieldId::Host, asked.target.authority());
    }
    head.target.assign(path.as_bytes(), false)
}

/// Fields that speak of the content that is left behind, of another resource, or of a protocol switch.
fn is_about_the_original(id: FieldId, name: &[u8]) -> bool {
    let is_conditional = |name: &[u8]| {
        let beginning = name.get(..3).unwrap_or_default();
        beginning.eq_ignore_ascii_case(b"If-") || name.eq_ignore_ascii_case(b"Range")
    };
    matches!(
        id,
        FieldId::ContentLength
            | FieldId::ContentType
            | FieldId::TransferEncoding
            | FieldId::Trailer
            | FieldId::Expect
            | FieldId::Upgrade
    ) || id == FieldId::Other && is_conditional(name)
}

/// The variables of the request for a document: those of the failed one, renamed, and what had happened to it.
#[must_use]
pub fn variables(ask: &Ask<'_>, attempt: &Environment, status: Status) -> Environment {
    let mut vars = Environment::new();
    for (name, value) in ask.route.vars.iter().chain(attempt.iter()) {
        vars.set(
            &format!("REDIRECT_{}", String::from_utf8_lossy(name)),
            value,
        );
    }
    vars.set("REDIRECT_STATUS", status.to_string().as_bytes());
    vars.set("REDIRECT_URL", &ask.route.path);
    vars.set(
        "REDIRECT_REQUEST_METHOD",
        ask.head.method.as_str().as_bytes(),
    );
    if let Some(query) = ask.head.target.query() {
        vars.set("REDIRECT_QUERY_STRING", query);
    }
    vars
}
