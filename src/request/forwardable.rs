//! Whether a request may be passed on: Max-Forwards and TRACE (RFC 9110 §7.6.2; mod_proxy's handler).
//!
//! Not responsible for: where it goes, or access rules.

use super::{Answer, Ask};
use crate::config::model::Trace;
use crate::http::fields::FieldId;
use crate::http::head::ContentSize;
use crate::http::{Method, RequestHead, Status};
use crate::log::{Level, Module, Raw, Tag};

/// What a request must fulfil before it may be proxied (RFC 9110 §7.6.2; mod_proxy's handler).
pub(super) fn check(at: &Ask<'_>) -> Result<(), Box<Answer>> {
    let head = at.head;
    if head.method == Method::Trace {
        check_trace(at)?;
    }
    match max_forwards(head) {
        Ok(Some(0)) if head.method == Method::Trace => Err(Answer::trace(at)),
        Ok(Some(0)) if head.method == Method::Options => Err(Answer::options(at)),
        Ok(Some(0)) => Err(refuse_forwarding(
            at,
            "Max-Forwards has reached zero - proxy loop?",
        )),
        Ok(_) => Ok(()),
        Err(NotANumber) => Err(refuse_forwarding(
            at,
            "Max-Forwards request header could not be parsed",
        )),
    }
}

fn refuse_forwarding(at: &Ask<'_>, reason: &'static str) -> Box<Answer> {
    let path = Raw(&at.route.path);
    at.log_tagged(
        Module::Proxy,
        Level::Error,
        Tag::Ah(898),
        format_args!("{reason} returned by {path}"),
    );
    Answer::proxy_error(at, Status::BAD_REQUEST, reason)
}

/// How many more proxies a request may pass, if it says so. The one that forwards it sends one less.
///
/// # Errors
/// The field is no number, or none that 64 bits hold.
pub fn max_forwards(head: &RequestHead) -> Result<Option<u64>, NotANumber> {
    let mut values = head.fields.all(FieldId::MaxForwards);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Two lines make a list, which is no number.
    if values.next().is_some() {
        return Err(NotANumber);
    }
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NotANumber);
    }
    let text = std::str::from_utf8(digits).map_err(|_| NotANumber)?;
    text.parse().map(Some).map_err(|_| NotANumber)
}

/// A Max-Forwards field that is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANumber;

/// `TraceEnable`. Content of a TRACE is refused unless it is `extended`, and is never repeated.
pub(super) fn check_trace(at: &Ask<'_>) -> Result<(), Box<Answer>> {
    let trace = at.site().trace;
    if trace == Trace::Off {
        return Err(Answer::error(at, Status::METHOD_NOT_ALLOWED));
    }
    let has_content = !matches!(at.head.content, ContentSize::None | ContentSize::Length(0));
    if has_content && trace != Trace::Extended {
        let path = Raw(&at.route.path);
        at.log_tagged(
            Module::Http,
            Level::Info,
            Tag::Ah(1595),
            format_args!("TRACE with body is not allowed for {path}"),
        );
        return Err(Answer::error(at, Status::CONTENT_TOO_LARGE));
    }
    Ok(())
}
