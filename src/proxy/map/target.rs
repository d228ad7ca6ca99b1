//! Where a rule leads: the target URL as the configuration writes it, and as a request fills it in.
//!
//! Responsible for: splitting a target into front and path, and writing both. Not responsible for which rule it is.
//!
//! Know first: what a request fills into an authority can only be a host name, an IPv4 address or a port, alone or together. Anything
//! else – `@`, `/`, `?`, `#`, `%`, a second `:` – would make another URL of it than the configuration shows, so the request is refused. A
//! `$1` that stands behind a whole authority (`http://host:80$1`) belongs to the path and cannot change it. httpd joins strings and
//! parses what comes out (CVE-2021-40438 and its kin).

use super::Way;
use crate::config::model::{WorkerUrl, begins_path};
use crate::http::host::Authority;
use crate::log::Environment;
use crate::request::{Groups, Template};

/// Where a rule leads.
#[derive(Debug)]
pub(crate) struct To {
    front: Front,
    path: Template,
    /// Who takes the request there.
    pub(crate) way: Way,
    /// Groups of a match are filled in. Otherwise a regular expression appends the whole path.
    pub(super) has_groups: bool,
}

/// What stands before the path: `http://host:port` or `balancer://name`.
#[derive(Debug)]
enum Front {
    Fixed(Vec<u8>),
    /// The request fills in the authority.
    Filled {
        /// `http://` or `balancer://`.
        scheme: String,
        authority: Template,
    },
}

/// Why a target cannot be written for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// What the request fills into the authority is no host and port.
    Authority,
    /// The URL gets longer than anybody means.
    TooLong,
}

/// What a request fills in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filling<'a> {
    pub(super) groups: Option<&'a Groups<'a>>,
    pub(super) vars: &'a Environment,
}

/// How a target is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// It belongs to a regular expression, so `$1` is a group.
    pub(super) is_regex: bool,
    /// `${NAME}` is a variable.
    pub(super) has_variables: bool,
    /// A unix socket was named in front of it.
    pub(super) has_socket: bool,
}

/// The longest host name, with a port.
const AUTHORITY_MAX: usize = 255 + ":65535".len();
/// The longest URL that a template may become, as in httpd.
const URL_MAX: usize = 64 * 1024;

impl To {
    /// Reads a target. `way` finds out who takes the requests there: it is given the front, or nothing when a request fills it in.
    pub(super) fn compile(
        text: &str,
        reading: Reading,
        way: impl FnOnce(Option<&str>) -> Way,
    ) -> Result<Self, String> {
        let Split {
            scheme,
            authority,
            path,
        } = split(text, reading)?;
        let template = |text: &str| match reading {
            Reading {
                has_variables: true,
                is_regex,
                ..
            } => Template::with_variables(text, is_regex),
            Reading { is_regex: true, .. } => Template::parse(text),
            Reading { .. } => Template::literal(text),
        };
        let path = template(&path);
        let in_authority = template(authority);
        if !in_authority.is_fixed() {
            // Credentials are not sent, so they are left out here as well.
            let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
            let authority = template(host);
            return Ok(Self {
                has_groups: reading.is_regex && !(path.is_literal() && authority.is_literal()),
                front: Front::Filled {
                    scheme: format!("{scheme}://"),
                    authority,
                },
                path,
                way: way(None),
            });
        }
        let front = front(text, &scheme, authority, reading.has_socket)?;
        Ok(Self {
            way: way(Some(&front)),
            front: Front::Fixed(front.into_bytes()),
            has_groups: reading.is_regex && !path.is_literal(),
            path,
        })
    }

    /// Whether it leads to `ws:` or `wss:`.
    pub(super) fn is_websocket(&self) -> bool {
        let scheme = match &self.front {
            Front::Fixed(front) => front.as_slice(),
            Front::Filled { scheme, .. } => scheme.as_bytes(),
        };
        scheme.starts_with(b"ws:") || scheme.starts_with(b"wss:")
    }

    /// Appends the target with everything filled in; returns how long its front is.
    pub(super) fn fill(&self, filling: Filling<'_>, url: &mut Vec<u8>) -> Result<usize, Unfit> {
        self.write_front(filling, url)?;
        let start = url.len();
        self.path.fill_in(filling.groups, filling.vars, url);
        if url.get(start).is_some_and(|&first| first != b'/') {
            url.insert(start, b'/');
        }
        if url.len() > URL_MAX {
            return Err(Unfit::TooLong);
        }
        Ok(start)
    }

    /// The same, and then `rest` of the request's path. The slash before `rest` stands in for a missing one.
    pub(super) fn join(
        &self,
        rest: &[u8],
        filling: Filling<'_>,
        url: &mut Vec<u8>,
    ) -> Result<usize, Unfit> {
        let start = self.fill(filling, url)?;
        if url.len() == start && rest.first().is_some_and(|&first| first != b'/') {
            url.push(b'/');
        }
        url.extend_from_slice(rest);
        Ok(start)
    }

    fn write_front(&self, filling: Filling<'_>, url: &mut Vec<u8>) -> Result<(), Unfit> {
        let (scheme, authority) = match &self.front {
            Front::Fixed(front) => {
                url.extend_from_slice(front);
                return Ok(());
            }
            Front::Filled { scheme, authority } => (scheme, authority),
        };
        url.extend_from_slice(scheme.as_bytes());
        let start = url.len();
        let mut is_plain = true;
        for part in authority.parts(filling.groups, filling.vars) {
            url.extend_from_slice(part.bytes);
            is_plain &= !part.is_given || is_host_or_port(part.bytes);
        }
        let written = url.get_mut(start..).unwrap_or_default();
        written.make_ascii_lowercase();
        let is_good = if scheme.starts_with("balancer:") {
            !written.is_empty() && !written.contains(&b':')
        } else {
            Authority::parse(written).is_some_and(|authority| !authority.host.is_empty())
        };
        if is_plain && is_good && written.len() <= AUTHORITY_MAX {
            Ok(())
        } else {
            Err(Unfit::Authority)
        }
    }
}

/// Letters, digits, `-` and `.`, and behind them at most one `:` with the digits of a port.
fn is_host_or_port(value: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.".contains(byte);
    match value.iter().position(|byte| !is_name(byte)) {
        None => true,
        Some(colon) => {
            let mut rest = value.get(colon..).unwrap_or_default().iter();
            rest.next() == Some(&b':') && rest.len() > 0 && rest.all(u8::is_ascii_digit)
        }
    }
}

/// A target in three pieces.
struct Split<'t> {
    /// In lower case.
    scheme: String,
    /// As written.
    authority: &'t str,
    /// Empty, or with a slash or a place in front.
    path: String,
}

/// Splits a target. The path of a regular expression's may begin with `$n` right behind a whole authority.
fn split(text: &str, reading: Reading) -> Result<Split<'_>, String> {
    let (scheme, rest) = match text.split_once("://") {
        Some(split) => split,
        None if reading.has_socket => (text.trim_end_matches(':'), ""),
        None => return Err(format!("`{text}` is no absolute URL")),
    };
    let end = authority_length(rest, reading.is_regex);
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let path = if path.is_empty() || path.starts_with(['/', '$']) {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    Ok(Split {
        scheme: scheme.to_ascii_lowercase(),
        authority,
        path,
    })
}

/// How long the authority is; `$1` may end it.
fn authority_length(rest: &str, is_regex: bool) -> usize {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    let groups = authority.match_indices('$').map(|(at, _)| at);
    let mut paths = groups.filter(|&at| is_regex && begins_path(authority, at));
    paths.next().unwrap_or(end)
}

/// A front that no request changes.
fn front(text: &str, scheme: &str, authority: &str, has_socket: bool) -> Result<String, String> {
    match (scheme, authority) {
        ("balancer", name) => Ok(format!("balancer://{}", name.to_ascii_lowercase())),
        (scheme, "") if has_socket => Ok(format!("{scheme}://localhost")),
        (scheme, authority) => {
            let url = WorkerUrl::parse(&format!("{scheme}://{authority}"))
                .map_err(|_| format!("`{text}` has no usable host and port"))?;
            Ok(format!("{}://{}", url.scheme, url.authority()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Case, Pattern};

    fn filled(text: &str, pattern: &str, path: &str) -> Result<String, Unfit> {
        let reading = Reading {
            is_regex: true,
            has_variables: true,
            has_socket: false,
        };
        let to = To::compile(text, reading, |_| Way::Nobody).unwrap();
        let pattern = Pattern::compile(pattern, Case::Sensitive).unwrap();
        let groups = pattern.captures(path.as_bytes()).unwrap();
        let mut vars = Environment::new();
        vars.set("host", b"Pod-1.example");
        vars.set("evil", b"x@evil");
        let filling = Filling {
            groups: Some(&groups),
            vars: &vars,
        };
        let mut url = Vec::new();
        let front = to.fill(filling, &mut url)?;
        let url = String::from_utf8(url).unwrap();
        let (front, path) = url.split_at(front);
        Ok(format!("{front} {path}"))
    }

    #[test]
    fn an_authority_is_filled_in_with_hosts_and_ports() {
        let rows = [
            ("http://$1/$2", "/a.example/x", "http://a.example /x"),
            ("http://$1/$2", "/a:81/x", "http://a:81 /x"),
            ("http://$1:81/$2", "/A/x", "http://a:81 /x"),
            ("http://$1.example/$2", "/a/x", "http://a.example /x"),
            (
                "http://a$1.example:8080/$2",
                "/1/x",
                "http://a1.example:8080 /x",
            ),
            ("http://h:$1.x/", "/a/x", "-"),
            ("http://h:$1$2", "/81/x", "http://h:81 /x"),
            ("http://$1$2", "/a/x", "http://a /x"),
            ("http://$1.b$2", "/a/.evil", "http://a.b /.evil"),
            ("http://h$2", "/a/x", "http://h /x"),
            ("http://h:80$2", "/a/:99@evil", "http://h /:99@evil"),
            ("http://h$2/y", "/a/.evil", "http://h /.evil/y"),
            ("http://h$2$1", "/a/x", "http://h /xa"),
            (
                "http://${host}:$1/$2",
                "/81/x",
                "http://pod-1.example:81 /x",
            ),
            ("http://${host}/$2", "/a/x", "http://pod-1.example /x"),
            ("http://me@${host}/$2", "/a/x", "http://pod-1.example /x"),
            ("http://[::1]:$1/$2", "/81/x", "http://[::1]:81 /x"),
            ("balancer://$1/$2", "/Pool/x", "balancer://pool /x"),
            ("balancer://${host}", "/a/x", "balancer://pod-1.example "),
        ];
        for (text, path, expected) in rows {
            let found = filled(text, "^/([^/]*)/(.*)$", path);
            let found = found.unwrap_or_else(|_| "-".to_owned());
            assert_eq!(found, expected, "{text} {path}");
        }
    }

    #[test]
    fn what_would_make_another_url_of_it_is_refused() {
        for value in [
            "", "x@evil", "x:1@evil", "a:b", "a:", ":81:82", "a:0", "a:65536", "a/b", "a?b", "a#b",
            "a%2eb", "[::1]", "a b", "a\r\nb", "a_b", "..", "a..b", "127.1", "\u{e9}", "a\\b",
            "-:",
        ] {
            let found = filled("http://$1/", "(?s)^/(.*)$", &format!("/{value}"));
            assert_eq!(found, Err(Unfit::Authority), "{value:?}");
        }
        let long = "a".repeat(300);
        let found = filled("http://$1/", "^/(.*)$", &format!("/{long}"));
        assert_eq!(found, Err(Unfit::Authority));
        for text in [
            "http://${evil}/",
            "http://${none}/",
            "http://h${evil}/",
            "balancer://${evil}/",
        ] {
            assert_eq!(filled(text, "^/", "/"), Err(Unfit::Authority), "{text}");
        }
    }

    #[test]
    fn a_url_has_an_end() {
        let text = format!("http://h/{}", "$0".repeat(100));
        assert!(filled(&text, "^/.*$", &format!("/{}", "x".repeat(600))).is_ok());
        let found = filled(&text, "^/.*$", &format!("/{}", "x".repeat(700)));
        assert_eq!(found, Err(Unfit::TooLong));
    }

    #[test]
    fn only_groups_and_variables_that_are_asked_for_are_places() {
        let plain = Reading {
            is_regex: false,
            has_variables: false,
            has_socket: false,
        };
        let to = To::compile("http://h/$1/${host}", plain, |_| Way::Nobody).unwrap();
        let mut url = Vec::new();
        let vars = Environment::new();
        let filling = Filling {
            groups: None,
            vars: &vars,
        };
        to.join(b"/x", filling, &mut url).unwrap();
        assert_eq!(url, b"http://h/$1/${host}/x");
        assert!(!to.has_groups && !to.is_websocket());
    }
}
