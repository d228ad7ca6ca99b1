//! What an ErrorDocument makes of an error.
//!
//! Responsible for: the choice between the built-in page, a text, a redirect and a path of ours. Not responsible
//! for: getting what the path says, which takes another walk through `route` and is the engine's business.
//!
//! Know first: of several ErrorDocuments for a status the last one merged counts, and `default` brings the built-in
//! page back. A 401 is never turned into a redirect, since the client would not see the challenge.

use super::{Answer, Ask, answer};
use crate::config::model::{ErrorDocument, ErrorPage};
use crate::http::Status;
use crate::http::fields::FieldId;
use crate::log::{Level, Module};

/// What to do with an error.
#[derive(Debug)]
pub enum Doc<'a> {
    /// Say this.
    Say(Box<Answer>),
    /// Say this, which sends the client elsewhere.
    Redirect(Box<Answer>),
    /// Find out what this path of ours says, and say it with the status of the answer, which is the fallback.
    Internal(&'a str, Box<Answer>),
}

/// Chooses what a client is told instead of a built-in page. Answers that a handler wrote are left alone.
#[must_use]
pub fn choose<'a>(ask: &Ask<'a>, answer: Box<Answer>) -> Doc<'a> {
    if !answer.is_built_in {
        return Doc::Say(answer);
    }
    let documents: &'a [ErrorDocument] = ask
        .route
        .dir()
        .map_or(&[], |dir| &dir.config.error_documents);
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
            Doc::Redirect(Answer::redirect(ask, Status::FOUND, url.as_bytes()))
        }
        ErrorPage::Path(path) => Doc::Internal(path, answer),
    }
}

/// The answer with an ErrorDocument applied as far as no other request is needed for it. A path keeps the built-in
/// page, and the log says so.
#[must_use]
pub fn apply(ask: &Ask<'_>, answer: Box<Answer>) -> Box<Answer> {
    match choose(ask, answer) {
        Doc::Say(answer) | Doc::Redirect(answer) => answer,
        Doc::Internal(path, answer) => {
            let status = answer.status;
            ask.log(
                Module::Core,
                Level::Debug,
                format_args!("ErrorDocument {status} {path} is a local path, which is not served; saying the built-in page"),
            );
            answer
        }
    }
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
