//! The URL of a worker: where a plain worker or a member sends requests.
//!
//! Responsible for: reading a configured URL, its Unix socket, and the name that httpd gives the worker (the URL written again without
//! default ports). Not for request URLs: bytes of a request never reach this parser (CVE-2021-40438).
//!
//! Know first: a name is what lookups, traces, the scoreboard and the manager compare; the socket is not part of it.

use std::fmt;
use std::path::PathBuf;

/// The URL of a worker, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct WorkerUrl {
    /// The scheme in lower case.
    pub scheme: String,
    /// `user[:password]`, as written.
    pub userinfo: Option<String>,
    /// The host in lower case, an IPv6 address without its brackets. May hold `$1` in a ProxyPassMatch.
    pub host: String,
    /// The port, if written.
    pub port: Option<u16>,
    /// The path and whatever follows it, as written; may be empty.
    pub path: String,
    /// The socket of `unix:PATH|URL`, as written.
    pub unix_socket: Option<PathBuf>,
    /// The worker's name: scheme, credentials, host, port unless default, path.
    pub name: String,
}

/// Why a URL cannot name a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlError {
    /// No scheme, or no host.
    NotAbsolute,
    /// The port is no number up to 65535, or a bracket is missing.
    Unparsable,
    /// `unix:` without `|`, or with nothing usable on one of its sides.
    BadSocket,
    /// The host does not fit a scoreboard record.
    HostTooLong,
    /// The socket path does not fit a socket address.
    SocketTooLong,
}

impl UrlError {
    /// httpd's words for it. `text` is the URL as written.
    pub fn message(self, text: &str) -> String {
        match self {
            Self::NotAbsolute | Self::BadSocket => format!("URL must be absolute!: {text}"),
            Self::Unparsable => format!("Unable to parse URL: {text}"),
            Self::HostTooLong => format!("worker hostname ({text}) too long"),
            Self::SocketTooLong => format!("worker uds path ({text}) too long"),
        }
    }

    /// What to write instead.
    pub fn hint(self) -> &'static str {
        match self {
            Self::NotAbsolute => "write `scheme://host[:port][/path]`",
            Self::Unparsable => {
                "the port must be a number up to 65535; an IPv6 address needs brackets"
            }
            Self::BadSocket => "write `unix:/path/to/socket|http://name/`",
            Self::HostTooLong => "a host may have 255 bytes",
            Self::SocketTooLong => "a socket's path may have 95 bytes",
        }
    }
}

/// The longest host that a shared record holds.
const HOST_BYTES_MAX: usize = 255;
/// The longest socket path that a shared record holds.
const SOCKET_BYTES_MAX: usize = 95;

impl WorkerUrl {
    /// Reads `[unix:PATH|]scheme://[userinfo@]host[:port][path]`.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (unix_socket, text) = split_socket(text)?;
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme, rest),
            // `unix:/path|http:` has a scheme and nothing else.
            None if unix_socket.is_some() => {
                (text.strip_suffix(':').ok_or(UrlError::BadSocket)?, "")
            }
            None => return Err(UrlError::NotAbsolute),
        };
        if !is_scheme(scheme) {
            return Err(UrlError::NotAbsolute);
        }
        let authority_end = authority_length(rest);
        let (authority, path) = rest.split_at(authority_end);
        // The last `@` ends the credentials: a password may hold another.
        let (userinfo, host_port) = match authority.rsplit_once('@') {
            Some((userinfo, host_port)) => (Some(userinfo.to_owned()), host_port),
            None => (None, authority),
        };
        let (mut host, port) = split_port(host_port)?;
        if host.is_empty() && unix_socket.is_some() {
            "localhost".clone_into(&mut host);
        }
        if host.is_empty() {
            return Err(UrlError::NotAbsolute);
        }
        if host
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "\"<>\\^`|".contains(c))
        {
            return Err(UrlError::Unparsable);
        }
        if host.len() > HOST_BYTES_MAX {
            return Err(UrlError::HostTooLong);
        }
        let mut url = Self {
            scheme: scheme.to_ascii_lowercase(),
            userinfo,
            host: host.to_ascii_lowercase(),
            port,
            path: path.to_owned(),
            unix_socket,
            name: String::new(),
        };
        url.name = url.serialize();
        Ok(url)
    }

    /// The port to connect to, if the scheme has a default or the URL names one.
    pub fn port_or_default(&self) -> Option<u16> {
        self.port.or_else(|| default_port(&self.scheme))
    }

    /// `host[:port]` as a Host field would carry it: brackets back, default port omitted.
    pub fn authority(&self) -> String {
        // A host that a request fills in may have its port with it.
        let host = if self.host.contains(':') && !self.host.contains('$') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match self.port {
            Some(port) if default_port(&self.scheme) != Some(port) => format!("{host}:{port}"),
            Some(_) | None => host,
        }
    }

    /// The name as people see it: with the socket, without the password.
    pub fn visible(&self) -> String {
        let name = match &self.userinfo {
            Some(userinfo) => {
                let user = userinfo.split(':').next().unwrap_or_default();
                let shown = if userinfo.contains(':') {
                    format!("{user}:xxxxx@")
                } else {
                    format!("{user}@")
                };
                format!(
                    "{}://{}{}{}",
                    self.scheme,
                    shown,
                    self.authority(),
                    self.path
                )
            }
            None => self.name.clone(),
        };
        match &self.unix_socket {
            Some(path) => format!("unix:{}|{name}", path.display()),
            None => name,
        }
    }

    /// True when host or port hold a `$n` or a `${NAME}`, which a request fills in.
    pub fn has_capture_in_authority(&self) -> bool {
        self.host.contains('$')
    }

    fn serialize(&self) -> String {
        let credentials = self
            .userinfo
            .as_ref()
            .map_or_else(String::new, |userinfo| format!("{userinfo}@"));
        format!(
            "{}://{}{}{}",
            self.scheme,
            credentials,
            self.authority(),
            self.path
        )
    }
}

impl fmt::Debug for WorkerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.visible())
    }
}

impl fmt::Display for WorkerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.visible())
    }
}

/// A text with the passwords of all URLs in it hidden.
pub fn masked(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        result.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || "/\"'?#".contains(c))
            .unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        match authority
            .rsplit_once('@')
            .map(|(userinfo, host)| (userinfo.split_once(':'), host))
        {
            Some((Some((user, _)), host)) => result.push_str(&format!("{user}:xxxxx@{host}")),
            Some((None, _)) | None => result.push_str(authority),
        }
        rest = tail;
    }
    result + rest
}

/// The port that a scheme means when none is written.
pub fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" | "h2c" => Some(80),
        "https" | "wss" | "h2" => Some(443),
        "ftp" => Some(21),
        "fcgi" => Some(8000),
        "ajp" => Some(8009),
        "scgi" => Some(4000),
        "uwsgi" => Some(3031),
        _ => None,
    }
}

/// How long the authority at the start of `rest` is. A `$1` at its end that stands for the whole path begins it: `http://host:8080$1`.
fn authority_length(rest: &str) -> usize {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    let groups = authority.match_indices('$').map(|(at, _)| at);
    let mut paths = groups.filter(|&at| begins_path(authority, at));
    paths.next().unwrap_or(end)
}

/// Whether the `$1` at this place of an authority and whatever follows it are its path. Behind a colon it is the port.
pub(crate) fn begins_path(authority: &str, at: usize) -> bool {
    let (before, groups) = authority.split_at_checked(at).unwrap_or_default();
    let mut groups = groups.split('$').skip(1);
    !before.is_empty()
        && !before.ends_with(':')
        && groups.all(|group| group.len() == 1 && group.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Splits `unix:PATH|URL`.
fn split_socket(text: &str) -> Result<(Option<PathBuf>, &str), UrlError> {
    let Some(rest) = strip_prefix_ignore_case(text, "unix:") else {
        return Ok((None, text));
    };
    let (path, url) = rest.split_once('|').ok_or(UrlError::BadSocket)?;
    // `unix:///run/app.sock` is the URL way of writing `unix:/run/app.sock`.
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || url.is_empty() {
        return Err(UrlError::BadSocket);
    }
    if path.len() > SOCKET_BYTES_MAX {
        return Err(UrlError::SocketTooLong);
    }
    Ok((Some(PathBuf::from(path)), url))
}

/// Splits `host[:port]`, taking an IPv6 address out of its brackets.
fn split_port(host_port: &str) -> Result<(String, Option<u16>), UrlError> {
    let (host, port) = match host_port.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(UrlError::Unparsable)?;
            match rest {
                "" => (host, None),
                _ => (
                    host,
                    Some(rest.strip_prefix(':').ok_or(UrlError::Unparsable)?),
                ),
            }
        }
        None => match host_port.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host_port, None),
        },
    };
    let port = match port {
        None | Some("") => None,
        // `http://$1:$2/` gets its port from the request; the host is marked instead.
        Some(port) if is_group(port) => return Ok((format!("{host}:{port}"), None)),
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(port.parse().map_err(|_| UrlError::Unparsable)?)
        }
        Some(_) => return Err(UrlError::Unparsable),
    };
    Ok((host.to_owned(), port))
}

/// Whether a text begins with `$1`; a variable for a port is refused, as by httpd.
fn is_group(text: &str) -> bool {
    let digit = text.strip_prefix('$').and_then(|rest| rest.chars().next());
    digit.is_some_and(|digit| digit.is_ascii_digit())
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// `strip_prefix` for ASCII text in any case.
pub(crate) fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    if head.eq_ignore_ascii_case(prefix) {
        text.get(prefix.len()..)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_httpd_writes_them() {
        let rows = [
            ("http://Www1.Example.com/", "http://www1.example.com/"),
            ("http://a:80", "http://a"),
            ("HTTP://a:8080/X?y", "http://a:8080/X?y"),
            ("https://a:443/", "https://a/"),
            ("ajp://a:8009", "ajp://a"),
            ("http://user:p@ss@a/", "http://user:p@ss@a/"),
            ("http://[::1]:8080/", "http://[::1]:8080/"),
            ("http://a:80$1", "http://a$1"),
            ("http://A$1?x=$2", "http://a$1?x=$2"),
            ("http://$1.a/", "http://$1.a/"),
            ("http://$1:$2/", "http://$1:$2/"),
            ("http://$1$2", "http://$1$2"),
            ("http://a:$1/", "http://a:$1/"),
            ("http://${Host}/x", "http://${host}/x"),
            ("http://a$1.b/", "http://a$1.b/"),
            ("unix:/run/x.sock|http://app/y", "http://app/y"),
            ("unix:/run/x.sock|fcgi:", "fcgi://localhost"),
            ("unix:///run/x.sock|http://", "http://localhost"),
        ];
        for (text, name) in rows {
            assert_eq!(WorkerUrl::parse(text).unwrap().name, name, "{text}");
        }
    }

    #[test]
    fn bad_urls_say_why() {
        let rows = [
            ("www.example.com", UrlError::NotAbsolute),
            ("http:///x", UrlError::NotAbsolute),
            ("http://a:80x/", UrlError::Unparsable),
            ("http://a:70000/", UrlError::Unparsable),
            ("http://a:${port}/", UrlError::Unparsable),
            ("http://a b/", UrlError::Unparsable),
            ("http://[::1/", UrlError::Unparsable),
            ("unix:/run/x.sock", UrlError::BadSocket),
            ("unix:|http://a/", UrlError::BadSocket),
        ];
        for (text, why) in rows {
            assert_eq!(WorkerUrl::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn passwords_are_never_shown() {
        let url = WorkerUrl::parse("unix:/s|http://joe:secret@app/").unwrap();
        assert_eq!(url.to_string(), "unix:/s|http://joe:xxxxx@app/");
    }
}
