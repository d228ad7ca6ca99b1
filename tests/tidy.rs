//! The house rules that a compiler does not know: who may import whom, where unsafe may stand, what a file must say about itself.
//!
//! Responsible for: reading the sources as text and saying, rule by rule, which file breaks which. Not responsible for what rustc, clippy
//! and rustfmt check.
//!
//! Know first: rules about code look at [`Source::code`], in which comments and the contents of strings are blanked, so that prose may
//! name anything. A rule that gets in the way is discussed and changed here, not worked around there.

#![expect(
    clippy::indexing_slicing,
    reason = "a panic here is a failed check of our own files"
)]

use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};

/// A pattern that is compiled once.
macro_rules! pattern {
    ($text:expr) => {{
        static PATTERN: LazyLock<Regex> =
            LazyLock::new(|| Regex::new($text).expect("a pattern of ours"));
        &*PATTERN
    }};
}

/// The rooms, and for each the rooms that it may import. A room that is not here may not exist.
const ROOMS: &[(&str, &[&str])] = &[
    ("http", &[]),
    ("buf", &[]),
    ("sys", &[]),
    ("codec", &["http", "buf"]),
    ("config", &["http"]),
    ("log", &["http", "buf", "sys", "config", "codec"]),
    ("transport", &["buf", "sys", "config"]),
    ("balancer", &["http", "config"]),
    (
        "request",
        &["http", "buf", "codec", "config", "balancer", "log"],
    ),
    (
        "proxy",
        &[
            "http", "buf", "codec", "config", "balancer", "log", "request",
        ],
    ),
    (
        "admin",
        &[
            "http", "buf", "codec", "config", "balancer", "log", "request",
        ],
    ),
    (
        "filter",
        &[
            "http", "buf", "codec", "config", "balancer", "log", "request",
        ],
    ),
    (
        "engine",
        &[
            "http",
            "buf",
            "sys",
            "codec",
            "config",
            "log",
            "transport",
            "balancer",
            "request",
        ],
    ),
    ("mpm", &["sys", "config", "log", "engine"]),
];

/// What stands above all rooms and may import any.
const ABOVE: &[&str] = &["main", "lib", "cli", "server", "demo", "tinectl"];

/// Paths outside the crate that a room must not name, because what they give is another room's business.
const STRANGERS: &[(&str, &[&str])] = &[
    (
        "http",
        &[
            "std::fs",
            "std::thread",
            "std::process",
            "Instant",
            "mio",
            "nix",
            "libc",
            "scoreboard",
        ],
    ),
    (
        "buf",
        &[
            "std::fs",
            "std::net",
            "std::thread",
            "std::process",
            "Instant",
            "mio",
            "nix",
            "libc",
            "scoreboard",
        ],
    ),
    (
        "codec",
        &[
            "std::fs",
            "std::net::Tcp",
            "std::thread",
            "std::process",
            "Instant",
            "mio",
            "nix",
            "libc",
            "scoreboard",
        ],
    ),
    (
        "config",
        &[
            "std::net::Tcp",
            "std::thread",
            "Instant",
            "mio",
            "libc",
            "scoreboard",
        ],
    ),
    (
        "balancer",
        &[
            "std::fs",
            "std::net::Tcp",
            "std::thread",
            "Instant::now",
            "mio",
            "nix",
            "libc",
        ],
    ),
    (
        "request",
        &[
            "std::net::Tcp",
            "std::thread",
            "Instant::now",
            "mio",
            "nix",
            "libc",
        ],
    ),
    (
        "proxy",
        &[
            "std::fs",
            "std::net::Tcp",
            "std::thread",
            "Instant::now",
            "mio",
            "nix",
            "libc",
        ],
    ),
    (
        "admin",
        &[
            "std::net::Tcp",
            "std::thread",
            "Instant::now",
            "mio",
            "nix",
            "libc",
        ],
    ),
    (
        "filter",
        &[
            "std::fs",
            "std::net",
            "std::thread",
            "Instant",
            "mio",
            "nix",
            "libc",
        ],
    ),
    ("mpm", &["httparse", "rustls"]),
];

/// Paths below those of [`STRANGERS`] that any room may name, and why.
const HARMLESS: &[(&str, &str)] = &[(
    "std::thread::panicking",
    "it starts nothing: a destructor asks whether a panic is under way, because a second one would end the process",
)];

/// Files that may be longer than [`LINES_MAX`], and why.
const LONG: &[(&str, &str)] = &[];

/// How long a file may be before one asks what two things it is; tests do not count.
const LINES_MAX: usize = 600;

/// What the top of the repository consists of, besides dot-files and what the build leaves.
const TOP: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "conf",
    "examples",
    "scoreboard",
    "scripts",
    "src",
    "tests",
];

#[test]
fn rooms_import_only_from_below() {
    let mut complaints = Complaints::default();
    for source in sources(&["src"]) {
        let Some(room) = source.room() else {
            continue;
        };
        for imported in source.imports() {
            let known = ROOMS.iter().any(|(name, _)| *name == imported)
                || ABOVE.contains(&imported.as_str());
            if known && imported != room && !may_import(&room, &imported) {
                complaints.add(
                    &source.name,
                    &format!("`{room}` may not import `{imported}`: see src/lib.rs, *Rooms*"),
                );
            }
        }
    }
    complaints.finish();
}

fn may_import(room: &str, imported: &str) -> bool {
    ABOVE.contains(&room)
        || ROOMS
            .iter()
            .any(|(name, allowed)| *name == room && allowed.contains(&imported))
}

#[test]
fn every_room_is_in_the_table() {
    let mut complaints = Complaints::default();
    for source in sources(&["src"]) {
        let is_known = source.room().is_some_and(|room| {
            ABOVE.contains(&room.as_str()) || ROOMS.iter().any(|(name, _)| *name == room)
        });
        if !is_known {
            complaints.add(&source.name, "belongs to no room that tests/tidy.rs knows");
        }
    }
    complaints.finish();
}

#[test]
fn the_table_has_layers() {
    for (at, (room, allowed)) in ROOMS.iter().enumerate() {
        for below in *allowed {
            let place = ROOMS.iter().position(|(name, _)| name == below);
            assert!(
                place.is_some_and(|place| place < at),
                "`{room}` may import `{below}`, which is not below it"
            );
        }
    }
}

#[test]
fn rooms_leave_other_rooms_business_alone() {
    let mut complaints = Complaints::default();
    for source in sources(&["src"]) {
        let Some(room) = source.room() else {
            continue;
        };
        let strangers = STRANGERS
            .iter()
            .find(|(name, _)| *name == room)
            .map_or(&[][..], |(_, paths)| paths);
        for path in strangers {
            let word = Regex::new(&format!(r"(^|[^\w:]){}(::|\b)", regex::escape(path)))
                .expect("a pattern of ours");
            if word.is_match(&without_harmless(&source.without_tests())) {
                complaints.add(
                    &source.name,
                    &format!("`{room}` may not use `{path}`: see src/lib.rs, *Rooms*"),
                );
            }
        }
    }
    complaints.finish();
}

fn without_harmless(code: &str) -> String {
    HARMLESS
        .iter()
        .fold(code.to_owned(), |code, (path, _)| code.replace(path, ""))
}

#[test]
fn unsafe_stands_only_in_scoreboard_and_sys() {
    let word = pattern!(r"\bunsafe\b");
    let mut complaints = Complaints::default();
    for source in sources(&["src", "tests", "examples"]) {
        if !source.name.starts_with("src/sys") && word.is_match(&source.code) {
            complaints.add(
                &source.name,
                "`unsafe` belongs in the scoreboard crate or in src/sys",
            );
        }
    }
    complaints.finish();
}

#[test]
fn every_file_begins_by_saying_what_it_is_for() {
    let mut complaints = Complaints::default();
    for source in sources(&["src", "scoreboard", "tests", "examples"]) {
        if !source.text.starts_with("//! ") {
            complaints.add(&source.name, "has no `//!` head");
        }
    }
    complaints.finish();
}

#[test]
fn every_log_tag_is_used_once() {
    let tag = pattern!(r"\bTn\(\s*(\d+)\s*\)");
    let mut places: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for source in sources(&["src"]) {
        for found in tag.captures_iter(&source.without_tests()) {
            let number = found[1].parse().expect("digits");
            places.entry(number).or_default().push(source.name.clone());
        }
    }
    let next = places.last_key_value().map_or(1, |(last, _)| last + 1);
    let mut complaints = Complaints::default();
    for (number, files) in places {
        if files.len() > 1 {
            complaints.add(
                &files.join(", "),
                &format!("TN{number:04} is taken; TN{next:04} is free"),
            );
        }
    }
    complaints.finish();
}

#[test]
fn no_prose_points_at_a_line_of_a_file() {
    let place = pattern!(r"\b[\w/-]+\.(rs|c|h|md|toml|conf):\d+");
    let mut complaints = Complaints::default();
    for source in sources(&["src", "scoreboard", "tests", "examples"]) {
        for line in source
            .comments()
            .lines()
            .filter(|line| place.is_match(line))
        {
            complaints.add(
                &source.name,
                &format!("a line number rots: {}", line.trim()),
            );
        }
    }
    for file in files(&["README.md", "conf", "scripts"], &[]) {
        let text = fs::read_to_string(root().join(&file)).unwrap_or_default();
        for line in text.lines().filter(|line| place.is_match(line)) {
            complaints.add(&file, &format!("a line number rots: {}", line.trim()));
        }
    }
    complaints.finish();
}

#[test]
fn nothing_is_left_to_do() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("unimple", "mented!"),
        concat!("to", "do!"),
    ];
    let mut complaints = Complaints::default();
    for file in files(
        &[
            "src",
            "scoreboard",
            "tests",
            "examples",
            "conf",
            "scripts",
            "README.md",
        ],
        TEXT,
    ) {
        let text = fs::read_to_string(root().join(&file)).unwrap_or_default();
        for word in words {
            let whole = Regex::new(&format!(r"(^|\W){}(\W|$)", regex::escape(word)))
                .expect("a pattern of ours");
            if whole.is_match(&text) {
                complaints.add(&file, &format!("`{word}`: do it, or open an issue"));
            }
        }
    }
    complaints.finish();
}

#[test]
fn the_top_of_the_repository_is_as_designed() {
    let mut complaints = Complaints::default();
    for entry in fs::read_dir(root()).expect("our own directory") {
        let name = entry
            .expect("a directory entry")
            .file_name()
            .to_string_lossy()
            .into_owned();
        if !name.starts_with('.') && name != "target" && !TOP.contains(&name.as_str()) {
            complaints.add(&name, "does not belong at the top");
        }
    }
    for name in TOP {
        if !root().join(name).exists() {
            complaints.add(name, "is missing at the top");
        }
    }
    complaints.finish();
}

#[test]
fn files_are_about_one_thing() {
    let mut complaints = Complaints::default();
    for source in sources(&["src", "scoreboard/src"]) {
        let lines = source.without_tests().trim_end().lines().count();
        let is_long = lines > LINES_MAX && !source.is_test();
        let is_listed = LONG.iter().any(|(name, _)| *name == source.name);
        if is_long && !is_listed {
            complaints.add(
                &source.name,
                &format!("has {lines} lines: what two things is it?"),
            );
        }
        if is_listed && !is_long {
            complaints.add(
                &source.name,
                "is short enough; take it off the list in tests/tidy.rs",
            );
        }
    }
    complaints.finish();
}

#[test]
fn names_say_what_things_are() {
    let empty_words = pattern!(
        r"\b(struct|enum|trait|mod)\s+(\w*(Manager|Helper|Utils?|Misc)|utils?|helpers?|misc|common)\b"
    );
    let getter = pattern!(r"\bfn\s+get_\w+");
    let mut complaints = Complaints::default();
    for source in sources(&["src", "scoreboard", "tests", "examples"]) {
        let found = empty_words
            .find_iter(&source.code)
            .chain(getter.find_iter(&source.code));
        for name in found
            .map(|found| found.as_str())
            .filter(|name| !name.ends_with("BalancerManager") && !name.ends_with("get_mut"))
        {
            complaints.add(
                &source.name,
                &format!("`{name}` says nothing: find the word for it"),
            );
        }
    }
    complaints.finish();
}

#[test]
fn white_space_is_plain() {
    let mut complaints = Complaints::default();
    for file in files(
        &[
            "src",
            "scoreboard",
            "tests",
            "examples",
            "conf",
            "scripts",
            "README.md",
            "Cargo.toml",
        ],
        TEXT,
    ) {
        let text = fs::read_to_string(root().join(&file)).unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            if line.contains('\t') {
                complaints.add(&file, &format!("tab in line {}", number + 1));
            }
            if line.ends_with([' ', '\r']) {
                complaints.add(
                    &file,
                    &format!("white space at the end of line {}", number + 1),
                );
            }
        }
        if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
            complaints.add(&file, "must end in exactly one line end");
        }
    }
    complaints.finish();
}

#[test]
fn scripts_are_strict_and_executable() {
    use std::os::unix::fs::PermissionsExt;
    let mut complaints = Complaints::default();
    for file in files(&["scripts", ".ci"], &[]) {
        let path = root().join(&file);
        let text = fs::read_to_string(&path).unwrap_or_default();
        if !text.starts_with("#!") {
            continue;
        }
        let mode = fs::metadata(&path)
            .expect("our own file")
            .permissions()
            .mode();
        if mode & 0o111 == 0 {
            complaints.add(&file, "is not executable");
        }
        if text.starts_with("#!/usr/bin/env bash") && !text.contains("\nset -euo pipefail\n") {
            complaints.add(&file, "lacks `set -euo pipefail`");
        }
    }
    complaints.finish();
}

#[test]
fn modules_of_tests_are_known_by_their_declaration() {
    let source = |name: &str, code: &str| Source {
        name: name.to_owned(),
        text: String::new(),
        code: code.to_owned(),
        prose: String::new(),
    };
    let rows = [
        (
            "src/a/mod.rs",
            "#[cfg(test)]\nmod play;\n",
            Some("src/a/play"),
        ),
        (
            "src/a.rs",
            "#[cfg(test)]\npub(crate) mod t;\n",
            Some("src/a/t"),
        ),
        (
            "src/lib.rs",
            "#[cfg(test)]\n#[path = \"\"]\nmod t;\n",
            Some("src/t"),
        ),
        ("src/a.rs", "mod t;\n#[cfg(test)]\nuse x;\n", None),
        ("src/a.rs", "#[cfg(test)]\nmod t {\n}\n", None),
    ];
    for (name, code, expected) in rows {
        let found: Vec<String> = source(name, code).test_modules().collect();
        assert_eq!(found, Vec::from_iter(expected), "{name}: {code}");
    }
}

#[test]
fn blanking_leaves_code_and_nothing_else() {
    let rows = [
        ("let a = \"unsafe\"; // unsafe", "let a = \"      \";"),
        ("r#\"unsafe \" it\"# x", "x"),
        ("'\"' unsafe '\\'' \"x\"", "unsafe"),
        ("/* a /* b */ unsafe */ fn", "fn"),
        ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
        ("b'x' b\"unsafe\" c", "c"),
    ];
    for (text, kept) in rows {
        let code = blank(text).0;
        assert!(code.contains(kept), "{code:?}");
        assert!(kept == "unsafe" || !code.contains("unsafe"), "{code:?}");
        assert_eq!(code.len(), text.len());
    }
}

/// What is wrong, told all at once.
#[derive(Default)]
struct Complaints(BTreeSet<String>);

impl Complaints {
    fn add(&mut self, file: &str, what: &str) {
        self.0.insert(format!("{file}: {what}"));
    }

    #[track_caller]
    fn finish(self) {
        let mut all = String::new();
        for complaint in &self.0 {
            writeln!(all, "  {complaint}").expect("a String takes everything");
        }
        assert!(self.0.is_empty(), "\n{all}");
    }
}

/// One Rust file.
struct Source {
    /// Its path from the repository's root.
    name: String,
    text: String,
    /// The text with comments and the contents of strings blanked; same length, same lines.
    code: String,
    /// The text with everything but comments blanked.
    prose: String,
}

impl Source {
    fn read(name: String) -> Self {
        let text = fs::read_to_string(root().join(&name))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let (code, prose) = blank(&text);
        Self {
            name,
            text,
            code,
            prose,
        }
    }

    /// The first word of its path below src.
    fn room(&self) -> Option<String> {
        let first = self.name.strip_prefix("src/")?.split('/').next()?;
        Some(first.strip_suffix(".rs").unwrap_or(first).to_owned())
    }

    fn comments(&self) -> &str {
        &self.prose
    }

    /// Whether all of it is test code: it stands below `tests/`, or below a `mod` that only tests have.
    fn is_test(&self) -> bool {
        self.name.starts_with("tests/")
            || self.name.contains("/tests/")
            || test_modules().iter().any(|place| {
                self.name == format!("{place}.rs") || self.name.starts_with(&format!("{place}/"))
            })
    }

    /// The modules in files of their own that it declares for tests only; paths without an ending.
    fn test_modules(&self) -> impl Iterator<Item = String> {
        let declaration = pattern!(
            r"(?m)^#\[cfg\((?:test|all\(test[^\n]*)\)\]\n(?:#[^\n]*\n)*(?:pub(?:\([^)]*\))? )?mod (\w+);"
        );
        let folder = ["/mod.rs", "/lib.rs", "/main.rs"]
            .iter()
            .find_map(|root| self.name.strip_suffix(root))
            .or_else(|| self.name.strip_suffix(".rs"))
            .unwrap_or(&self.name);
        declaration
            .captures_iter(&self.code)
            .map(move |found| format!("{folder}/{}", &found[1]))
    }

    /// The code up to the test module at its foot.
    fn without_tests(&self) -> String {
        if self.is_test() {
            return String::new();
        }
        let test_module =
            pattern!(r"(?m)^#\[cfg\((test|all\(test[^\n]*)\)\]\n(#[^\n]*\n)*mod \w+ \{");
        let end = test_module
            .find(&self.code)
            .map_or(self.code.len(), |found| found.start());
        self.code[..end].to_owned()
    }

    /// The crate's modules that its code names, by `crate::` or by `super::` from the top of a room.
    fn imports(&self) -> BTreeSet<String> {
        let mut imports = BTreeSet::new();
        let single = pattern!(r"\bcrate::(\w+)");
        imports.extend(
            single
                .captures_iter(&self.code)
                .map(|found| found[1].to_owned()),
        );
        for start in self.code.match_indices("crate::{") {
            imports.extend(heads(&self.code[start.0 + "crate::".len()..]));
        }
        let climb = pattern!(r"\b((?:super::)+)(\w+)");
        for found in climb.captures_iter(&self.code) {
            if found[1].matches("super::").count() >= self.depth() {
                imports.insert(found[2].to_owned());
            }
        }
        imports
    }

    /// How many `super::` lead from its top to the crate's root.
    fn depth(&self) -> usize {
        let below = self.name.strip_prefix("src/").unwrap_or(&self.name);
        let parts = below.split('/').count();
        if below.ends_with("/mod.rs") {
            parts - 1
        } else {
            parts
        }
    }
}

/// The first words of each path in a use list that begins here with its brace.
fn heads(list: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut word = String::new();
    let mut is_head = true;
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => is_head = true,
            _ if depth == 1 && is_head && (c.is_alphanumeric() || c == '_') => word.push(c),
            _ => {}
        }
        let ends_word = !c.is_alphanumeric() && c != '_';
        let has_ended = ends_word && !word.is_empty();
        if has_ended {
            heads.push(std::mem::take(&mut word));
            is_head = c == ',';
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

/// Splits a Rust text into code and prose, each of the text's length with blanks for the other.
fn blank(text: &str) -> (String, String) {
    let bytes = text.as_bytes();
    let mut code = vec![b' '; bytes.len()];
    let mut prose = vec![b' '; bytes.len()];
    for (at, byte) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        code[at] = *byte;
        prose[at] = *byte;
    }
    let mut at = 0;
    while at < bytes.len() {
        let (kind, length) = token(&text[at..]);
        let end = at + length;
        match kind {
            Token::Code => code[at..end].copy_from_slice(&bytes[at..end]),
            Token::Comment => prose[at..end].copy_from_slice(&bytes[at..end]),
            Token::Text => (code[at], code[end - 1]) = (b'"', b'"'),
        }
        at = end;
    }
    let whole = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (whole(code), whole(prose))
}

/// What a stretch of a Rust text is.
enum Token {
    Code,
    Comment,
    Text,
}

/// What a text begins with, and how long that is.
fn token(rest: &str) -> (Token, usize) {
    let first = rest.chars().next().expect("the text has not ended");
    if rest.starts_with("//") {
        return (Token::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Token::Comment, block_comment(rest));
    }
    if matches!(first, '"' | '\'' | 'b' | 'c' | 'r') {
        let prefix = rest
            .bytes()
            .take_while(|byte| matches!(byte, b'b' | b'c' | b'r'))
            .count();
        if prefix <= 2
            && let Some(length) = literal(&rest[prefix..], rest[..prefix].ends_with('r'))
        {
            return (Token::Text, prefix + length);
        }
    }
    // A word is taken whole, so that an `r` or `b` at its end is not taken for a prefix.
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    (Token::Code, word.max(first.len_utf8()))
}

/// The length of the string or character that a text begins with, if it does; a lifetime is none.
fn literal(rest: &str, is_raw: bool) -> Option<usize> {
    if is_raw {
        let hashes = rest.bytes().take_while(|byte| *byte == b'#').count();
        let inner = rest[hashes..].strip_prefix('"')?;
        let close = format!("\"{}", &rest[..hashes]);
        return Some(hashes + 1 + inner.find(&close)? + close.len());
    }
    let bytes = rest.as_bytes();
    let quote = *bytes.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    // What stands between two lifetimes is longer than any character.
    let is_character = bytes.get(1) == Some(&b'\\')
        || rest
            .get(1..at)
            .is_some_and(|inner| inner.chars().count() == 1);
    (quote == b'"' || is_character).then_some(at + 1)
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The Rust files below these places.
fn sources(places: &[&str]) -> impl Iterator<Item = &'static Source> {
    static ALL: OnceLock<Vec<Source>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let names = files(&["src", "scoreboard", "tests", "examples"], &["rs"]);
        names.into_iter().map(Source::read).collect()
    });
    let places: Vec<String> = places.iter().map(|place| format!("{place}/")).collect();
    all.iter()
        .filter(move |source| places.iter().any(|place| source.name.starts_with(place)))
}

/// The modules that exist in tests only.
fn test_modules() -> &'static BTreeSet<String> {
    static ALL: OnceLock<BTreeSet<String>> = OnceLock::new();
    ALL.get_or_init(|| {
        sources(&["src", "scoreboard"])
            .flat_map(Source::test_modules)
            .collect()
    })
}

/// The files below these places, by path from the root; with one of these endings, if any are given. Scripts have none and always count.
fn files(places: &[&str], endings: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for place in places {
        collect(&root().join(place), &mut found);
    }
    let names = found
        .iter()
        .filter_map(|path| path.strip_prefix(root()).ok())
        .map(|path| path.to_string_lossy().into_owned());
    let wanted = |name: &String| {
        let ending = Path::new(name)
            .extension()
            .map(|ending| ending.to_string_lossy().into_owned());
        endings.is_empty()
            || ending.map_or_else(
                || name.starts_with("scripts/"),
                |ending| endings.contains(&ending.as_str()),
            )
    };
    let mut names: Vec<String> = names.filter(wanted).collect();
    names.sort();
    names
}

fn collect(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_file() {
        found.push(path.to_owned());
    }
    let Ok(entries) = fs::read_dir(path) else {
        return;
    };
    for entry in entries {
        let entry = entry.expect("a directory entry").path();
        let name = entry
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        // What fuzzing and building leave behind is nobody's text.
        if !matches!(
            name.as_str(),
            "target" | "corpus" | "artifacts" | "coverage"
        ) {
            collect(&entry, found);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The endings of texts that people write.
const TEXT: &[&str] = &["rs", "toml", "md", "conf", "service", "sh", "py"];
