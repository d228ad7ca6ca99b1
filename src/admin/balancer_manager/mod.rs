//! `SetHandler balancer-manager`, for reading.
//!
//! Responsible for: showing the balancers of the server that serves the page, as HTML or, with `xml` in the query, as XML. Not responsible
//! for: editing. httpd's page changes members through a POST form; this one has no form, names no nonce and answers GET and HEAD only.
//!
//! Know first: httpd drops every parameter of a request without a Referer from its own pages, `xml=1` included, because parameters may
//! change things. Here none does, so a script needs no Referer. `b=NAME` limits the page to one balancer.
//!
//! httpd: the reading half of mod_proxy_balancer's balancer_handler.

mod html;
#[cfg(test)]
mod tests;
mod xml;

use super::fleet::{self, Group};
use crate::request::{Answer, Ask, Failure, Handler, Plan, Site, Verdict};

/// The handler.
#[derive(Clone, Copy, Debug)]
pub struct BalancerManager {
    /// Writes a server's identity as its balancers were registered with.
    pub identity: fn(&Site) -> String,
}

impl Handler for BalancerManager {
    fn name(&self) -> &'static str {
        "balancer-manager"
    }

    fn start(&self, ask: &Ask<'_>, _plan: &mut Plan) -> Verdict {
        if let Err(answer) = super::only_reading(ask) {
            return Verdict::Answer(answer);
        }
        let snapshot = ask.env.board.snapshot();
        let query = ask.head.target.query().unwrap_or_default();
        let mut groups = fleet::of_site(ask.env, ask.site(), &snapshot, self.identity);
        if let Some(name) = value(query, b"b") {
            groups.retain(|group| group.short_name().as_bytes().eq_ignore_ascii_case(name));
        }
        let view = View {
            host: &String::from_utf8_lossy(ask.server_name()),
            server: &snapshot.global.server,
            built: &snapshot.global.built,
            groups,
            now_ms: ask.now_us / 1000,
        };
        Verdict::Answer(if value(query, b"xml").is_some() {
            super::answer("text/xml; charset=utf-8", xml::render(&view))
        } else {
            super::answer("text/html; charset=utf-8", html::render(&view))
        })
    }

    fn failed(&self, ask: &Ask<'_>, _plan: &mut Plan, failure: &Failure) -> Verdict {
        // Nothing is ever forwarded, so nothing can fail; whatever it is, the client gets its status.
        Verdict::Answer(Answer::error(ask, failure.status()))
    }
}

/// Everything the page is made of.
#[derive(Debug)]
struct View<'a> {
    /// The name of the server as the client knows it.
    host: &'a str,
    server: &'a str,
    built: &'a str,
    groups: Vec<Group<'a>>,
    now_ms: u64,
}

/// The value of a parameter; as in httpd the last one counts.
fn value<'a>(query: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    super::parameters(query)
        .filter(|(key, _)| *key == name)
        .last()
        .map(|(_, value)| value)
}
