//! An answer that tine gives itself: an admin page, an error, a redirect.
//!
//! Responsible for: the response as a value, with the fields that its kind needs. Not responsible for: Date,
//! Server and framing, which the engine adds to every answer; or for what an ErrorDocument makes of it
//! (`errordoc`).
//!
//! Know first: an answer made by [`Answer::error`] is *built in*: an ErrorDocument may take its place. A page that a
//! handler wrote is not.

use std::borrow::Cow;

use super::{Ask, HeaderRules, pages};
use crate::config::model::Trace;
use crate::http::fields::FieldId;
use crate::http::{Fields, Method, Status};

/// A complete response of ours.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: Status,
    /// The reason phrase; empty means the usual one.
    pub reason: Cow<'static, str>,
    /// Fields beside Date, Server and the framing.
    pub fields: Fields,
    /// The content.
    pub body: Vec<u8>,
    /// Close the client connection afterwards.
    pub close: bool,
    /// Made here for want of anything better: an ErrorDocument may replace it.
    pub is_built_in: bool,
    /// Which `Header` directives hold for it.
    pub header_rules: HeaderRules,
}

/// The media type of every page of ours, as httpd announces it.
pub const HTML: &str = "text/html; charset=iso-8859-1";

impl Answer {
    /// An answer without content.
    #[must_use]
    pub fn empty(status: Status) -> Box<Self> {
        Box::new(Self {
            status,
            reason: Cow::Borrowed(""),
            fields: Fields::new(),
            body: Vec::new(),
            close: drops_connection(status),
            is_built_in: false,
            header_rules: HeaderRules::All,
        })
    }

    /// Content of some media type.
    #[must_use]
    pub fn content(status: Status, media_type: &str, body: impl Into<Vec<u8>>) -> Box<Self> {
        let mut answer = Self::empty(status);
        answer
            .fields
            .push_id(FieldId::ContentType, media_type.as_bytes());
        answer.body = body.into();
        answer
    }

    /// An HTML page.
    #[must_use]
    pub fn page(status: Status, html: impl Into<Vec<u8>>) -> Box<Self> {
        Self::content(status, HTML, html)
    }

    /// Plain text.
    #[must_use]
    pub fn text(status: Status, text: impl Into<Vec<u8>>) -> Box<Self> {
        Self::content(status, "text/plain; charset=utf-8", text)
    }

    /// The built-in page of an error.
    #[must_use]
    pub fn error(ask: &Ask<'_>, status: Status) -> Box<Self> {
        Self::error_with(ask, status, "", "")
    }

    /// The built-in page of an error with a reason phrase that a backend gave.
    #[must_use]
    pub fn error_named(ask: &Ask<'_>, status: Status, reason: &str) -> Box<Self> {
        let mut escaped = Vec::new();
        pages::escape(&mut escaped, reason.as_bytes());
        // Nobody's markup becomes ours.
        let heading = if escaped == reason.as_bytes() {
            reason
        } else {
            ""
        };
        let mut answer = Self::error_with(ask, status, heading, "");
        answer.reason = Cow::Owned(reason.to_owned());
        answer
    }

    /// The built-in page of an error, explained further by HTML of ours.
    #[must_use]
    pub fn error_noted(ask: &Ask<'_>, status: Status, notes: &str) -> Box<Self> {
        Self::error_with(ask, status, "", notes)
    }

    /// mod_proxy's error page: `502 Proxy Error` with a reason. The reason is ours; a peer's words do not belong
    /// here, and are escaped in case they get here.
    #[must_use]
    pub fn proxy_error(ask: &Ask<'_>, status: Status, reason: &str) -> Box<Self> {
        let mut escaped = Vec::new();
        pages::escape(&mut escaped, reason.as_bytes());
        let notes = format!(
            "The proxy server could not handle the request<p>Reason: <strong>{}</strong></p>",
            String::from_utf8_lossy(&escaped)
        );
        let mut answer = Self::error_with(ask, status, "Proxy Error", &notes);
        answer.reason = Cow::Borrowed("Proxy Error");
        answer
    }

    /// A redirect with its page. `location` must be clean enough for a field, or the answer is a 500.
    #[must_use]
    pub fn redirect(ask: &Ask<'_>, status: Status, location: &[u8]) -> Box<Self> {
        if location.iter().any(|&byte| byte < b' ' || byte == 0x7f) {
            return Self::error(ask, Status::INTERNAL_SERVER_ERROR);
        }
        let mut answer = Self::page(status, render(ask, status, status.reason(), location, ""));
        answer.fields.push_id(FieldId::Location, location);
        answer.header_rules = HeaderRules::Always;
        answer
    }

    /// What a TRACE gets from us: the request as it came (RFC 9110 §9.3.8).
    #[must_use]
    pub fn trace(ask: &Ask<'_>) -> Box<Self> {
        let head = ask.head;
        let mut body = Vec::with_capacity(512);
        for part in [
            head.method.as_str().as_bytes(),
            b" ",
            head.target.raw(),
            b" ",
            head.version.as_str().as_bytes(),
            b"\r\n",
        ] {
            body.extend_from_slice(part);
        }
        for (id, name, value) in head.fields.iter() {
            // RFC 9110 §9.3.8: nothing that is likely to be secret belongs in the answer.
            if matches!(
                id,
                FieldId::Authorization | FieldId::ProxyAuthorization | FieldId::Cookie
            ) {
                continue;
            }
            for part in [name, b": ", value, b"\r\n"] {
                body.extend_from_slice(part);
            }
        }
        body.extend_from_slice(b"\r\n");
        Self::content(Status::OK, "message/http", body)
    }

    /// What OPTIONS gets from us for a path. httpd says the same of a request that its proxy must not pass on.
    #[must_use]
    pub fn options(ask: &Ask<'_>) -> Box<Self> {
        let mut answer = Self::empty(Status::OK);
        answer.fields.push_id(FieldId::Allow, allow(ask));
        answer
    }

    /// What httpd's default handler says of a path where there is nothing.
    #[must_use]
    pub fn nobody(at: &Ask<'_>) -> Box<Self> {
        match at.head.method {
            Method::Get | Method::Head | Method::Post => Self::error(at, Status::NOT_FOUND),
            Method::Options => Self::options(at),
            Method::Put | Method::Delete | Method::Connect | Method::Trace | Method::Patch => {
                Self::error(at, Status::METHOD_NOT_ALLOWED)
            }
            Method::Other(_) => Self::error(at, Status::NOT_IMPLEMENTED),
        }
    }

    /// The same answer for a request that was not looked at closely enough to know what edits hold for it.
    #[must_use]
    pub fn as_it_is(mut self: Box<Self>) -> Box<Self> {
        self.header_rules = HeaderRules::None;
        self
    }

    /// The same answer with one field more. The value must be clean.
    #[must_use]
    pub fn with_field(mut self: Box<Self>, id: FieldId, value: &[u8]) -> Box<Self> {
        self.fields.push_id(id, value);
        self
    }

    /// A built-in page under this heading, which is HTML, or under the usual one.
    fn error_with(ask: &Ask<'_>, status: Status, heading: &str, notes: &str) -> Box<Self> {
        let heading = match (heading, status.reason()) {
            ("", "") => "Unknown Reason",
            ("", usual) => usual,
            (own, _) => own,
        };
        let mut answer = Self::page(status, render(ask, status, heading, b"", notes));
        answer.is_built_in = true;
        answer.header_rules = HeaderRules::Always;
        if matches!(status, Status::METHOD_NOT_ALLOWED | Status::NOT_IMPLEMENTED) {
            answer.fields.push_id(FieldId::Allow, allow(ask));
        }
        answer
    }
}

/// The methods that we answer ourselves.
fn allow(ask: &Ask<'_>) -> &'static [u8] {
    if ask.site().trace == Trace::Off {
        b"GET,POST,OPTIONS,HEAD"
    } else {
        b"GET,POST,OPTIONS,HEAD,TRACE"
    }
}

fn render(ask: &Ask<'_>, status: Status, reason: &str, location: &[u8], notes: &str) -> Vec<u8> {
    let site = ask.site();
    pages::render(&pages::Page {
        status,
        reason,
        method: ask.head.method.as_str(),
        location,
        notes,
        admin: site.admin(),
        signature: &ask.signature("<hr>\n"),
    })
}

/// After these the rest of the request cannot be trusted, so httpd closes.
const fn drops_connection(status: Status) -> bool {
    matches!(
        status,
        Status::BAD_REQUEST
            | Status::REQUEST_TIMEOUT
            | Status::LENGTH_REQUIRED
            | Status::CONTENT_TOO_LARGE
            | Status::URI_TOO_LONG
            | Status::INTERNAL_SERVER_ERROR
            | Status::NOT_IMPLEMENTED
            | Status::SERVICE_UNAVAILABLE
    )
}

#[cfg(test)]
mod tests;
