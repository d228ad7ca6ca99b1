//! Suites of the comparison with httpd, as files.
//!
//! Responsible for: reading them. Not responsible for running them.
//!
//! Know first, the files:
//!
//! - `NAME.conf` with `NAME.requests` is one configuration with its requests. The configuration is what stands behind the usual head
//!   (Listen, User, logs), with `@A@` and `@B@` for the URLs of two backends, `@WS@` for the first one as `ws:`,
//!   `@A-PORT@` and `@B-PORT@` for their ports (requests may name them too), `@DEAD@` for a backend that refuses connections, and `@FILES@`
//!   for a directory of files. Requests stand between lines of `%%`; line ends become CRLF. A line of `# words` before a request names it.
//! - What a backend answers depends on the path (`answer`), or stands below the request: behind a line `@@`, or `@@ close` when the backend
//!   is to close afterwards. Line ends become CRLF there too, but not behind a `\` at the end of a line; `\xHH` is a byte, and `\{a*500}`
//!   repeats; `@A@`, `@B@` and `@PORT-A@` are filled in.
//! - `NAME.cases` is many small configurations. Each begins with a line of `== words` that names it, and stands in front of its requests
//!   as if it were the first of them. Its requests may have `\xHH` for a byte and `@PORT@` for the server's port; one that is a
//!   path alone is a GET for it. A line of `@log AH…` in front of all says which codes of messages are compared as well.
//! - `NAME.known` has the differences that are meant: lines of `name of the request: beginning of the difference`, `*` for any request, and
//!   comments that say why.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

/// What is compared in one go.
pub(crate) struct Suite {
    pub(crate) name: String,
    /// Codes of messages to compare.
    pub(crate) codes: Vec<String>,
    pub(crate) cases: Vec<Case>,
    pub(crate) known: Known,
}

/// One configuration and its requests.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) conf: String,
    pub(crate) requests: Vec<Request>,
}

/// One request as written, with LF for line ends.
pub(crate) struct Request {
    pub(crate) name: String,
    text: String,
    has_escapes: bool,
    pub(crate) script: Option<Script>,
}

/// What a backend is to answer.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) bytes: Vec<u8>,
    pub(crate) closes: bool,
}

/// The suites in tests/against.
pub(crate) fn shipped() -> Vec<Suite> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/against");
    let entries = fs::read_dir(place).expect("our own directory");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a directory entry").path())
        .collect();
    files.sort();
    let suites =
        files.iter().filter_map(
            |path| match path.extension().and_then(|ending| ending.to_str()) {
                Some("conf") => Some(Suite::of_pair(path, &path.with_extension("requests"))),
                Some("cases") => Some(Suite::of_cases(path)),
                _ => None,
            },
        );
    suites.collect()
}

impl Suite {
    /// One configuration and its requests.
    pub(crate) fn of_pair(conf: &Path, requests: &Path) -> Self {
        let text = read(requests);
        let blocks = text.split("\n%%\n").enumerate();
        let name = conf.display().to_string();
        let requests =
            blocks.map(|(at, block)| Request::parse(&format!("request {}", at + 1), block, false));
        Self {
            codes: Vec::new(),
            cases: vec![Case {
                name: name.clone(),
                conf: read(conf),
                requests: requests.collect(),
            }],
            name,
            known: Known::read(&conf.with_extension("known")),
        }
    }

    /// Many small configurations.
    pub(crate) fn of_cases(path: &Path) -> Self {
        let text = format!("\n{}", read(path));
        let mut parts = text.split("\n== ");
        let head = parts.next().unwrap_or_default();
        let codes = head.lines().filter_map(|line| line.strip_prefix("@log "));
        Self {
            name: path.display().to_string(),
            codes: codes
                .flat_map(str::split_whitespace)
                .map(str::to_owned)
                .collect(),
            cases: parts.map(Case::parse).collect(),
            known: Known::read(&path.with_extension("known")),
        }
    }

    /// How many requests there are.
    pub(crate) fn len(&self) -> usize {
        self.cases.iter().map(|case| case.requests.len()).sum()
    }
}

impl Case {
    fn parse(text: &str) -> Self {
        let (name, rest) = text.split_once('\n').unwrap_or((text, ""));
        let rest = rest.trim_end().trim_end_matches("%%");
        let mut blocks = rest.split("\n%%\n");
        let conf = blocks.next().unwrap_or_default();
        let requests = blocks.filter(|block| !block.trim().is_empty());
        Self {
            name: name.to_owned(),
            conf: format!("{conf}\n"),
            requests: requests
                .enumerate()
                .map(|(at, block)| Request::parse(&format!("{name}, {}", at + 1), block, true))
                .collect(),
        }
    }
}

impl Request {
    fn parse(otherwise: &str, block: &str, has_escapes: bool) -> Self {
        let block = block.trim_start_matches('\n').trim_end_matches("%%\n");
        let named = block
            .strip_prefix("# ")
            .and_then(|rest| rest.split_once('\n'));
        let (name, block) = named.unwrap_or((otherwise, block));
        let scripted = [("\n@@\n", false), ("\n@@ close\n", true)];
        let found = scripted
            .iter()
            .find_map(|(mark, closes)| Some((block.split_once(mark)?, *closes)));
        let (block, script) = match found {
            Some(((block, says), closes)) => (block, Some(Script::parse(says, closes))),
            None => (block, None),
        };
        let text = match block.trim_end() {
            path if has_escapes && path.starts_with('/') => {
                format!("GET {path} HTTP/1.1\nHost: tine.test\nConnection: close\n\n")
            }
            _ => {
                let (head, content) = block
                    .split_once("\n\n")
                    .unwrap_or((block.trim_end_matches('\n'), ""));
                format!("{head}\n\n{content}")
            }
        };
        let name = if name == otherwise && has_escapes {
            text.lines().next().unwrap_or_default().to_owned()
        } else {
            name.to_owned()
        };
        Self {
            name,
            text,
            has_escapes,
            script,
        }
    }

    /// Whether its response has no content.
    pub(crate) fn is_head(&self) -> bool {
        self.text.starts_with("HEAD ")
    }

    /// What is sent to a server on this port, but for the names of backends.
    pub(crate) fn bytes(&self, port: u16) -> Vec<u8> {
        let text = self.text.replace('\n', "\r\n");
        if self.has_escapes {
            unescaped(&text.replace("@PORT@", &port.to_string()))
        } else {
            text.into_bytes()
        }
    }
}

impl Script {
    fn parse(text: &str, closes: bool) -> Self {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some(byte) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("\\\n") {
                rest = after;
            } else if let Some((hex, after)) = rest.strip_prefix("\\x").map(|rest| rest.split_at(2))
            {
                bytes.push(u8::from_str_radix(hex, 16).expect("two digits"));
                rest = after;
            } else if let Some((inner, after)) = rest
                .strip_prefix("\\{")
                .and_then(|rest| rest.split_once('}'))
            {
                let (what, count) = inner.rsplit_once('*').expect("what, a star, how often");
                bytes.extend_from_slice(what.repeat(count.parse().expect("a number")).as_bytes());
                rest = after;
            } else {
                let line_end = if byte == '\n' { "\r" } else { "" };
                let (now, after) = rest.split_at(byte.len_utf8());
                bytes.extend_from_slice(line_end.as_bytes());
                bytes.extend_from_slice(now.as_bytes());
                rest = after;
            }
        }
        Self { bytes, closes }
    }
}

/// A text with `\xHH` for bytes.
fn unescaped(text: &str) -> Vec<u8> {
    let mut pieces = text.split("\\x");
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits behind \\x"));
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

/// The differences that are meant.
pub(crate) struct Known {
    entries: Vec<(String, Cell<bool>)>,
}

impl Known {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self {
            entries: lines
                .map(|line| (line.to_owned(), Cell::new(false)))
                .collect(),
        }
    }

    /// Whether a difference is meant.
    pub(crate) fn has(&self, request: &str, difference: &str) -> bool {
        let full = format!("{request}: {difference}");
        let any = format!("*: {difference}");
        let found = self
            .entries
            .iter()
            .find(|(entry, _)| full.starts_with(entry) || any.starts_with(entry));
        if let Some((_, was_seen)) = found {
            was_seen.set(true);
        }
        found.is_some()
    }

    /// The entries that nothing has met.
    pub(crate) fn unused(&self) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .filter(|(_, was_seen)| !was_seen.get())
            .map(|(entry, _)| entry.as_str())
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
