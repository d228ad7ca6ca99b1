//! Pages about the server: what `SetHandler server-status` and `SetHandler balancer-manager` answer.
//!
//! Responsible for: turning one [`scoreboard::Snapshot`] into HTML, `?auto` text or XML, with the words that httpd's pages use, so that
//! people and their scripts find what they look for. Not responsible for: counting (every number shown is in the scoreboard already), who
//! may see the pages (`Require` decides before a handler is asked), or changing anything: both pages only read.
//!
//! Know first: a page is a pure function of a snapshot, the configuration and the time of the turn. What only the system knows, the load
//! averages, comes through a function that the composition root puts into the handler. Data reaches a page through [`page`], where it
//! cannot become markup: only literals are written unescaped.
//!
//! Reading order: [`page`] and [`units`]; [`counts`] (who is busy, the letters) and [`fleet`] (which balancers a server shows); then
//! [`status`] and [`balancer_manager`]. `tinectl` shows the same numbers from outside and uses `units`, `counts` and `fleet` too.
//!
//! httpd: mod_status, the status hook of mod_proxy, and the reading half of mod_proxy_balancer's manager.

pub mod balancer_manager;
pub mod counts;
pub mod fleet;
pub mod page;
pub mod status;
pub mod units;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod testing;

pub use balancer_manager::BalancerManager;
pub use status::Status;

use crate::http::fields::FieldId;
use crate::http::{self, Method};
use crate::request::{Answer, Ask};

/// Whether a page may be given for this method: pages are read, and nothing else.
///
/// # Errors
/// The answer for every other method.
fn only_reading(ask: &Ask<'_>) -> Result<(), Box<Answer>> {
    if matches!(ask.head.method, Method::Get | Method::Head) {
        return Ok(());
    }
    let mut answer = Answer::error(ask, http::Status::METHOD_NOT_ALLOWED);
    answer.fields.set(FieldId::Allow, b"GET, HEAD");
    Err(answer)
}

/// A page of this media type. It shows one moment and who is connected, so nobody keeps it; what it holds comes from strangers, so a
/// browser runs and fetches nothing on its behalf.
fn answer(media_type: &str, body: String) -> Box<Answer> {
    let mut answer = Answer::content(http::Status::OK, media_type, body)
        .with_field(FieldId::CacheControl, b"no-store");
    let policy: &[u8] = b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    answer.fields.push(b"Content-Security-Policy", policy);
    answer.fields.push(b"X-Content-Type-Options", b"nosniff");
    answer
}

/// The parameters of a query in order, undecoded: what the pages look for are plain words.
fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|&byte| byte == b'&').map(|part| {
        let mut halves = part.splitn(2, |&byte| byte == b'=');
        let name = halves.next().unwrap_or_default();
        (name, halves.next().unwrap_or_default())
    })
}
