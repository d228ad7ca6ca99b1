//! What variables of a request ask of the way to its backend.
//!
//! Responsible for: their names and what each means. Not responsible for carrying it out: `outgoing` and the engine do. As in httpd a
//! variable counts if it is set, whatever to.
//!
//! `proxy-chain-auth` is not here: it keeps `Proxy-Authorization` from being taken away by a server that has checked it, and this one
//! checks none, so the field is passed on. Only a forward proxy takes it away from origins, and asks for the variable. reference §5.5.

use crate::log::Environment;
use crate::request::ContentRules;
use std::time::Duration;

/// The wishes of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// `force-proxy-request-1.0`: HTTP/1.0 is spoken, so content has a length and the connection ends.
    pub(crate) is_http10: bool,
    /// `proxy-nokeepalive`: the connection serves this request alone.
    pub(crate) is_alone: bool,
    /// `proxy-initial-not-pooled`: the first request of a client connection takes no idle connection.
    pub(crate) is_fresh: bool,
    /// `proxy-sendcl`: content has a length. `proxy-sendchunked` and `proxy-sendchunks` take it back.
    pub(crate) has_length: bool,
    /// `proxy-sendextracrlf`: an empty line follows the request.
    pub(crate) has_extra_crlf: bool,
    /// `proxy-prefetch-nonblocking`: content is not waited for before dialing.
    pub(crate) dials_at_once: bool,
}

impl Wishes {
    /// Reads the variables of a request, before which its client connection has carried `keepalives` others. Most requests have none.
    pub(crate) fn of(vars: &Environment, keepalives: u32) -> Self {
        if vars.is_empty() {
            return Self::default();
        }
        let has = |name| vars.has(name);
        let is_http10 = has("force-proxy-request-1.0");
        let likes_chunks = has("proxy-sendchunked") || has("proxy-sendchunks");
        Self {
            is_http10,
            is_alone: is_http10 || has("proxy-nokeepalive"),
            is_fresh: has("proxy-initial-not-pooled") && keepalives == 0,
            has_length: is_http10 || has("proxy-sendcl") && !likes_chunks,
            has_extra_crlf: has("proxy-sendextracrlf"),
            dials_at_once: has("proxy-prefetch-nonblocking"),
        }
    }

    /// How content is treated. `is_asking`: the backend is asked whether it wants it, and has `patience` to say so.
    pub(crate) fn content_rules(self, is_asking: bool, patience: Option<Duration>) -> ContentRules {
        ContentRules {
            needs_length: self.has_length,
            // Whoever asks first must not wait for what is not sent before the answer.
            dials_at_once: self.dials_at_once || is_asking,
            has_extra_crlf: self.has_extra_crlf,
            continue_timeout: patience,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes_of(names: &[&str], keepalives: u32) -> Wishes {
        let mut vars = Environment::new();
        names.iter().for_each(|name| vars.set(name, b"1"));
        Wishes::of(&vars, keepalives)
    }

    #[test]
    fn variables_mean_what_they_mean_in_httpd() {
        let table = [
            (&[][..], Wishes::default()),
            (&["no-gzip"], Wishes::default()),
            (
                &["force-proxy-request-1.0"],
                Wishes {
                    is_http10: true,
                    is_alone: true,
                    has_length: true,
                    ..Wishes::default()
                },
            ),
            (
                &["proxy-nokeepalive", "proxy-sendextracrlf"],
                Wishes {
                    is_alone: true,
                    has_extra_crlf: true,
                    ..Wishes::default()
                },
            ),
            (
                &["PROXY-SENDCL"],
                Wishes {
                    has_length: true,
                    ..Wishes::default()
                },
            ),
            (&["proxy-sendcl", "proxy-sendchunks"], Wishes::default()),
            (&["proxy-sendcl", "proxy-sendchunked"], Wishes::default()),
            (
                &["proxy-initial-not-pooled", "proxy-prefetch-nonblocking"],
                Wishes {
                    is_fresh: true,
                    dials_at_once: true,
                    ..Wishes::default()
                },
            ),
        ];
        for (names, expected) in table {
            assert_eq!(wishes_of(names, 0), expected, "{names:?}");
        }
        let later = wishes_of(&["proxy-initial-not-pooled"], 1);
        assert_eq!(later, Wishes::default(), "only the first request");
    }
}
