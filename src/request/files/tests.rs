//! Where paths lead, which sections hold there, what links may do, and what is said with a file.

use super::super::testing::{ME, config, env, head, located, peers, place, set};
use super::super::{Env, Route};
use super::*;
use crate::config::model::{
    Access, AddedType, DirConfig, Directory, FileAlias, FileSection, MediaTypes, Require,
};
use crate::http::RequestHead;

fn alias(path: &str, real: &str, is_regex: bool) -> FileAlias {
    FileAlias {
        path: path.to_owned(),
        is_regex,
        real: real.to_owned(),
        place: place(),
    }
}

/// `<Directory path>`, with an access rule and perhaps Options.
fn directory(path: &str, granted: bool, follows: Option<bool>) -> Directory {
    Directory {
        pattern: super::super::testing::pattern(path),
        dir: DirConfig {
            access: access(granted),
            follow_symlinks: follows.map_or_else(Default::default, set),
            ..DirConfig::default()
        },
        place: place(),
    }
}

fn access(granted: bool) -> Access {
    Access {
        require: Some(Require::All(granted)),
        ..Access::default()
    }
}

fn found(server: &Server, path: &str) -> (String, String) {
    let mut place = FilePlace::default();
    Roots::compile(server)
        .unwrap()
        .find(path.as_bytes(), &mut place);
    let (root, rest) = place.split();
    (
        String::from_utf8_lossy(root).into_owned(),
        String::from_utf8_lossy(rest).into_owned(),
    )
}

#[test]
fn paths_lead_where_aliases_and_the_document_root_say() {
    let server = Server {
        document_root: set("/srv/www".into()),
        file_aliases: vec![
            alias("/errors/", "/srv/errors/", false),
            alias("/img", "/srv/pictures", false),
            alias("/one.txt", "/srv/notes/1.txt", false),
            alias("^/doc/(.*)\\.md$", "/srv/doc/$1.html", true),
            alias("^/up(.*)$", "/srv/up/.$1/x", true),
            alias("/joined/", "/srv/j", false),
        ],
        ..Server::default()
    };
    let rows = [
        ("/", "/srv/www", "/"),
        ("/a/b.html", "/srv/www", "/a/b.html"),
        ("/errors/503.html", "/srv/errors/", "503.html"),
        ("/errors", "/srv/www", "/errors"),
        ("/errorsx/a", "/srv/www", "/errorsx/a"),
        ("/img", "/srv", "/pictures"),
        ("/img/", "/srv/pictures", "/"),
        ("/img/a.png", "/srv/pictures", "/a.png"),
        ("/imgs/a.png", "/srv/www", "/imgs/a.png"),
        ("/one.txt", "/srv/notes", "/1.txt"),
        ("/doc/a/b.md", "", "/srv/doc/a/b.html"),
        // What a template puts together may not be a way out.
        ("/up.", "", ""),
        ("/up/fine", "", "/srv/up/./fine/x"),
        // As httpd joins them: the operator left the slash out.
        ("/joined/abc", "/srv/j", "abc"),
    ];
    for (path, root, rest) in rows {
        let expected = if rest.contains("/./") {
            ("", "")
        } else {
            (root, rest)
        };
        let (at, below) = found(&server, path);
        assert_eq!((at.as_str(), below.as_str()), expected, "{path}");
    }
    let nowhere = found(&Server::default(), "/a");
    assert_eq!(nowhere, (String::new(), String::new()));
}

#[test]
fn the_root_of_the_file_system_may_be_the_document_root() {
    let server = Server {
        document_root: set("/".into()),
        ..Server::default()
    };
    assert_eq!(found(&server, "//a//b"), (String::new(), "/a/b".into()));
}

/// Files below /srv, with sections at every level.
fn guarded() -> &'static Env {
    let mut open = directory("/srv/open", true, None);
    open.dir.files.push(FileSection {
        pattern: super::super::testing::pattern("*.key"),
        dir: DirConfig {
            access: access(false),
            ..DirConfig::default()
        },
        place: place(),
    });
    let main = Server {
        document_root: set("/srv".into()),
        // Not in the order of their depth, on purpose.
        directories: vec![
            directory("/srv/open/deep/shut", false, None),
            directory("~ /secret[0-9]+/", false, None),
            open,
            directory("/srv/*/deep", true, None),
            directory("", false, None),
        ],
        location_defaults: DirConfig {
            files: vec![FileSection {
                pattern: super::super::testing::pattern("~ ^\\.ht"),
                dir: DirConfig {
                    access: access(false),
                    ..DirConfig::default()
                },
                place: place(),
            }],
            ..DirConfig::default()
        },
        locations: vec![super::super::testing::location(
            "/let/me/in",
            DirConfig {
                access: access(true),
                ..DirConfig::default()
            },
        )],
        ..Server::default()
    };
    env(config(main, Vec::new()), Vec::new())
}

#[test]
fn a_file_is_served_only_where_the_directories_from_the_root_down_grant_it() {
    let env = guarded();
    let rows = [
        ("/x.html", Some(403)),
        ("/open/x.html", None),
        ("/open", None),
        ("/open/", None),
        ("/opened/x.html", Some(403)),
        ("/open/private.key", Some(403)),
        ("/private.key", Some(403)),
        ("/open/.htpasswd", Some(403)),
        ("/other/deep/x", None),
        ("/other/deep/er/x", None),
        ("/other/deeper/x", Some(403)),
        ("/open/deep/shut/x", Some(403)),
        ("/open/deep/shut", Some(403)),
        ("/open/secret12/x", Some(403)),
        ("/let/me/in", None),
    ];
    for (path, refused) in rows {
        let (route, answer) = located(env, &format!("GET {path}"));
        let status = answer.err().map(|answer| answer.status.as_u16());
        assert_eq!(status, refused, "{path}");
        assert_eq!(route.place.file, format!("/srv{path}").as_bytes(), "{path}");
    }
    for (request, status) in [
        ("POST /open/x", None),
        ("PUT /open/x", Some(405)),
        ("BREW /open/x", Some(501)),
        ("OPTIONS /open/x", Some(200)),
    ] {
        let answer = located(env, request).1.err();
        let answered = answer.map(|answer| answer.status.as_u16());
        assert_eq!(answered, status, "{request}");
    }
}

fn asked<'a>(env: &'static Env, head: &'a RequestHead, route: &'a Route) -> Ask<'a> {
    let peers = Box::leak(Box::new(peers("192.0.2.1:80")));
    Ask {
        env,
        me: &ME,
        head,
        route,
        peers,
        content: None,
        slot: 0,
        keepalives: 0,
        now_us: 2_000_000_000_000_000,
    }
}

#[test]
fn links_are_followed_unless_a_directory_on_the_way_forbids_it() {
    let main = Server {
        document_root: set("/srv/www".into()),
        directories: vec![
            directory("", true, Some(false)),
            directory("/srv/www", true, Some(true)),
            directory("/srv/www/plain", true, Some(false)),
            directory("/srv/www/plain/again", true, Some(true)),
        ],
        ..Server::default()
    };
    let env = env(config(main, Vec::new()), Vec::new());
    for (path, follows) in [
        ("/x", true),
        ("/sub/x", true),
        ("/plain/x", false),
        ("/plain/again/x", false),
    ] {
        let text = format!("GET {path}");
        let (route, _) = located(env, &text);
        let head = head(&text);
        assert_eq!(follows_links(&asked(env, &head, &route)), follows, "{path}");
    }
    let bare = Server {
        document_root: set("/srv/www".into()),
        ..Server::default()
    };
    let bare = super::super::testing::env(config(bare, Vec::new()), Vec::new());
    let (route, _) = located(bare, "GET /x");
    let head = head("GET /x");
    assert!(follows_links(&asked(bare, &head, &route)), "the default");
}

const FACTS: FileFacts = FileFacts {
    size: 17,
    modified_us: 1_800_000_000_123_456,
};

/// Status and `Content-Type` of the reply to a request for a file that is there.
fn replied(env: &'static Env, text: &str, error: Option<Status>) -> (u16, bool, String) {
    let (route, _) = located(env, text);
    let head = head(text);
    let (is_file, answer) = match reply(&asked(env, &head, &route), &FACTS, error) {
        FileReply::File { head, .. } => (true, head),
        FileReply::Bare(answer) => (false, answer),
    };
    assert_eq!(
        answer.fields.find(b"ETag"),
        Some(&b"\"11-66517289a6240\""[..]),
        "size and time as httpd writes them"
    );
    let media_type = answer.fields.get(FieldId::ContentType).unwrap_or(b"-");
    let media_type = String::from_utf8_lossy(media_type).into_owned();
    (answer.status.as_u16(), is_file, media_type)
}

fn open(dir: DirConfig, types: &str) -> &'static Env {
    let main = Server {
        document_root: set("/srv".into()),
        location_defaults: dir,
        media_types: if types.is_empty() {
            Default::default()
        } else {
            set(MediaTypes::parse(types))
        },
        ..Server::default()
    };
    env(config(main, Vec::new()), Vec::new())
}

#[test]
fn conditions_are_looked_at_in_the_order_of_the_rfc() {
    let env = open(DirConfig::default(), "");
    let etag = "\"11-66517289a6240\"";
    let (past, at, future) = (
        "Thu, 01 Jan 2026 00:00:00 GMT",
        "Fri, 15 Jan 2027 08:00:00 GMT",
        "Sat, 01 Jan 2028 00:00:00 GMT",
    );
    let rows = [
        (String::new(), 200),
        (format!("If-None-Match: {etag}"), 304),
        (format!("If-None-Match: \"a\", W/{etag}"), 304),
        ("If-None-Match: *".into(), 304),
        ("If-None-Match: \"a\"".into(), 200),
        (
            format!("If-None-Match: \"a\"  If-Modified-Since: {future}"),
            200,
        ),
        (format!("If-Modified-Since: {at}"), 304),
        (format!("If-Modified-Since: {past}"), 200),
        ("If-Modified-Since: yesterday".into(), 200),
        (format!("If-Match: {etag}"), 200),
        (format!("If-Match: W/{etag}"), 412),
        ("If-Match: *".into(), 200),
        ("If-Match: \"a\"".into(), 412),
        (format!("If-Unmodified-Since: {past}"), 412),
        (format!("If-Unmodified-Since: {at}"), 200),
        (
            format!("If-Match: {etag}  If-Unmodified-Since: {past}"),
            200,
        ),
    ];
    for (fields, status) in rows {
        let text = format!("GET /a.html  {fields}");
        let text = text.trim_end();
        let (said, is_file, _) = replied(env, text, None);
        assert_eq!((said, is_file), (status, status == 200), "{fields}");
        let (said, is_file, _) = replied(env, text, Some(Status::NOT_FOUND));
        assert_eq!(
            (said, is_file),
            (404, true),
            "an error's document: {fields}"
        );
    }
    let written = replied(env, "POST /a.html  If-None-Match: *", None);
    assert_eq!(written.0, 412);
}

#[test]
fn a_file_that_may_still_change_has_a_weak_tag() {
    assert_eq!(
        etag(&FACTS, FACTS.modified_us + 1_000_001),
        "\"11-66517289a6240\""
    );
    assert_eq!(
        etag(&FACTS, FACTS.modified_us + 1000),
        "W/\"11-66517289a6240\""
    );
    assert_eq!(etag(&FACTS, 0), "W/\"11-66517289a6240\"");
}

#[test]
fn media_types_are_told_by_the_last_ending() {
    let of = |env, path: &str| replied(env, &format!("GET {path}"), None).2;
    let usual = open(DirConfig::default(), "");
    for (path, media_type) in [
        ("/a.html", "text/html"),
        ("/A.HTML", "text/html"),
        ("/a.tar.gz", "application/gzip"),
        ("/a.html.orig", "-"),
        ("/a.orig.html", "text/html"),
        ("/html", "-"),
        ("/.html", "-"),
        ("/.a.css", "text/css"),
        ("/dir.html/a", "-"),
    ] {
        assert_eq!(of(usual, path), media_type, "{path}");
    }
    let added = DirConfig {
        added_types: vec![
            AddedType {
                ending: "tpl".into(),
                media_type: "text/plain".into(),
            },
            AddedType {
                ending: "tpl".into(),
                media_type: "text/html".into(),
            },
        ],
        ..DirConfig::default()
    };
    let listed = open(added, "text/x-own html\n");
    assert_eq!(of(listed, "/a.tpl"), "text/html", "the later line wins");
    assert_eq!(of(listed, "/a.html"), "text/x-own");
    assert_eq!(
        of(listed, "/a.css"),
        "-",
        "a TypesConfig replaces the table"
    );
    let forced = DirConfig {
        force_type: set(Some("a/b".into())),
        ..DirConfig::default()
    };
    assert_eq!(of(open(forced, ""), "/a.html"), "a/b");
}

#[test]
fn the_index_of_a_directory_is_asked_for_by_name() {
    let env = open(
        DirConfig {
            directory_index: vec!["a b.html".into(), "x?y=1".into(), "/top".into()],
            ..DirConfig::default()
        },
        "",
    );
    let (route, _) = located(env, "GET /d%20e/?q=2");
    let head = head("GET /d%20e/?q=2");
    let targets = index_targets(&asked(env, &head, &route));
    let shown: Vec<_> = targets
        .iter()
        .map(|target| String::from_utf8_lossy(target))
        .collect();
    assert_eq!(shown, ["/d%20e/a%20b.html?q=2", "/d%20e/x?y=1", "/top?q=2"]);
}

#[test]
fn a_get_may_ask_for_a_part() {
    let env = open(DirConfig::default(), "");
    let etag = "\"11-66517289a6240\"";
    let rows = [
        ("Range: bytes=0-3".to_owned(), "206 0+4 bytes 0-3/17"),
        ("Range: bytes=5-".into(), "206 5+12 bytes 5-16/17"),
        ("Range: bytes=-4".into(), "206 13+4 bytes 13-16/17"),
        ("Range: bytes=-99".into(), "206 0+17 bytes 0-16/17"),
        (
            "Range: bytes=10-99999999999999999999999".into(),
            "206 10+7 bytes 10-16/17",
        ),
        ("Range: BYTES=1-1".into(), "206 1+1 bytes 1-1/17"),
        ("Range: bytes=17-".into(), "416 bytes */17"),
        ("Range: bytes=-0".into(), "416 bytes */17"),
        ("Range: bytes=3-1".into(), "200 0+17 -"),
        ("Range: bytes=0-1,3-4".into(), "200 0+17 -"),
        ("Range: bytes=a-b".into(), "200 0+17 -"),
        ("Range: lines=0-1".into(), "200 0+17 -"),
        ("Range: bytes=-".into(), "200 0+17 -"),
        (
            format!("Range: bytes=0-1  If-Range: {etag}"),
            "206 0+2 bytes 0-1/17",
        ),
        ("Range: bytes=0-1  If-Range: \"x\"".into(), "200 0+17 -"),
        (
            "Range: bytes=0-1  If-Range: Fri, 15 Jan 2027 08:00:00 GMT".into(),
            "206 0+2 bytes 0-1/17",
        ),
        (
            "Range: bytes=0-1  If-Range: Fri, 15 Jan 2027 08:00:01 GMT".into(),
            "200 0+17 -",
        ),
    ];
    let shown = |text: &str, error| {
        let (route, _) = located(env, text);
        let head = head(text);
        let reply = reply(&asked(env, &head, &route), &FACTS, error);
        let (answer, part) = match reply {
            FileReply::File { head, from, size } => (head, format!(" {from}+{size}")),
            FileReply::Bare(answer) => (answer, String::new()),
        };
        let range = answer.fields.find(b"Content-Range").unwrap_or(b"-");
        format!("{}{part} {}", answer.status, String::from_utf8_lossy(range))
    };
    for (fields, expected) in rows {
        assert_eq!(
            shown(&format!("GET /a  {fields}"), None),
            expected,
            "{fields}"
        );
    }
    let head = shown("HEAD /a  Range: bytes=0-1", None);
    assert_eq!(head, "200 0+17 -");
    let document = shown("GET /a  Range: bytes=0-1", Some(Status::NOT_FOUND));
    assert_eq!(document, "404 0+17 -");
}

#[test]
fn what_another_server_would_run_is_not_shown() {
    let dir = DirConfig {
        handled_endings: vec!["cgi".into()],
        added_types: vec![AddedType {
            ending: "php".into(),
            media_type: "application/x-httpd-php".into(),
        }],
        ..DirConfig::default()
    };
    let mut section = super::super::testing::location("/run", DirConfig::default());
    section.dir = super::super::testing::handled_by("cgi-script");
    let mut plain = super::super::testing::location("/run/plain", DirConfig::default());
    plain.dir = super::super::testing::handled_by(super::super::dir::FILE_HANDLER);
    let main = Server {
        document_root: set("/srv".into()),
        location_defaults: dir,
        locations: vec![section, plain],
        ..Server::default()
    };
    let env = env(config(main, Vec::new()), Vec::new());
    for (path, refused) in [
        ("/a.html", None),
        ("/a.cgi", Some(404)),
        ("/A.CGI", Some(404)),
        ("/a.cgi.bak", Some(404)),
        ("/a.php", Some(404)),
        ("/php", None),
        ("/run/a", Some(404)),
        ("/run/plain/a", None),
    ] {
        let answer = located(env, &format!("GET {path}")).1.err();
        let status = answer.map(|answer| answer.status.as_u16());
        assert_eq!(status, refused, "{path}");
    }
}

#[test]
fn texts_get_the_default_charset_if_they_have_none() {
    let dir = DirConfig {
        default_charset: set(Some("utf-8".into())),
        ..DirConfig::default()
    };
    let env = open(dir, "");
    let (route, _) = located(env, "GET /a");
    let head = head("GET /a");
    for (before, after) in [
        ("text/html", "text/html; charset=utf-8"),
        (
            "Text/Plain; format=flowed",
            "Text/Plain; format=flowed; charset=utf-8",
        ),
        ("text/html; Charset=koi8-r", "text/html; Charset=koi8-r"),
        ("text/css", "text/css"),
        ("text/htmlx", "text/htmlx"),
    ] {
        let mut fields = Fields::new();
        fields.push_id(FieldId::ContentType, before.as_bytes());
        add_charset(&asked(env, &head, &route), &mut fields);
        assert_eq!(fields.get(FieldId::ContentType), Some(after.as_bytes()));
    }
}
