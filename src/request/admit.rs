//! What is refused by its head alone, wherever it would go: methods that nobody registered, content that is too large.
//!
//! Not responsible for: access rules (`access`), sizes of heads (`codec::limits`), counting content that does not say how
//! long it is (`engine::pump`).

use super::{Answer, Ask};
use crate::http::Status;
use crate::http::head::ContentSize;
use crate::log::{Level, Module, Tag};

/// Refuses a method that `HttpProtocolOptions RegisteredMethods` does not let in.
pub(super) fn method(at: &Ask<'_>) -> Result<(), Box<Answer>> {
    if at.site().takes_method(&at.head.method) {
        Ok(())
    } else {
        Err(Answer::error(at, Status::NOT_IMPLEMENTED))
    }
}

/// Refuses content that says at once that it is larger than `LimitRequestBody`.
pub(super) fn size(at: &Ask<'_>) -> Result<(), Box<Answer>> {
    let most = at.dir().limit_body_bytes;
    match at.head.content {
        ContentSize::Length(size) if size > most => {
            at.log_tagged(
                Module::Http,
                Level::Error,
                Tag::Ah(1588),
                format_args!("Requested content-length of {size} is larger than the configured limit of {most}"),
            );
            Err(Answer::error(at, Status::CONTENT_TOO_LARGE))
        }
        ContentSize::None | ContentSize::Length(_) | ContentSize::Unknown => Ok(()),
    }
}
