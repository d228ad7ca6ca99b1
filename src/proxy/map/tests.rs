//! The rules of §3.2 to §3.5, one row each. Every expected URL was compared with httpd 2.4 except where a name says otherwise.

use super::*;
use crate::config::Place;
use crate::config::model::Destination;

fn pass(path: PassPath, target: &str) -> ProxyPass {
    let target = match target {
        "!" => PassTarget::Exclude,
        text => PassTarget::Url {
            text: text.to_owned(),
            unix_socket: None,
            to: match text.strip_prefix("balancer://") {
                Some(name) => Destination::Balancer(name.split('/').next().unwrap().to_owned()),
                None => Destination::Worker(text.to_owned()),
            },
        },
    };
    ProxyPass {
        path,
        target,
        nocanon: false,
        interpolate: false,
        noquery: false,
        mapping: None,
        from_location: false,
        place: Place::new("t.conf", 7),
    }
}

fn prefix(path: &str, target: &str) -> ProxyPass {
    pass(PassPath::Prefix(path.to_owned()), target)
}

fn regex(path: &str, target: &str) -> ProxyPass {
    pass(PassPath::Regex(path.to_owned()), target)
}

fn map(passes: &[ProxyPass], locations: &[Option<ProxyPass>]) -> Map {
    let mut map = Map::default();
    let mut complaints = Vec::new();
    map.add_site(
        passes,
        locations.iter().map(Option::as_ref),
        |_, _| Way::Nobody,
        &mut complaints,
    );
    assert_eq!(complaints, []);
    map
}

/// A target as sent.
fn target(raw: &str) -> Target {
    let mut target = Target::default();
    target.assign(raw.as_bytes(), false).unwrap();
    target
}

/// No variables.
static NO_VARS: Environment = Environment::new();

/// A question about a decoded path and the target as sent.
fn question<'a>(path: &'a [u8], target: &'a Target) -> Question<'a> {
    Question {
        site: 0,
        locations: &[],
        path,
        target,
        takes_websocket: true,
        is_decodable: true,
        merges_slashes: true,
        interpolates: false,
        vars: &NO_VARS,
    }
}

/// The URL, and the match.
fn found(map: &Map, question: &Question<'_>) -> Option<(String, Match)> {
    let mut url = b"left over".to_vec();
    let mut path = Vec::new();
    let mut out = Written {
        url: &mut url,
        path: &mut path,
    };
    let found = map.find(question, &mut out)?;
    Some((String::from_utf8(url).unwrap(), found))
}

/// What a request is mapped to, from its decoded path and the target as sent.
fn ask(map: &Map, locations: &[u16], path: &[u8], raw: &str) -> Option<(String, PathForm, bool)> {
    let target = target(raw);
    let question = Question {
        locations,
        ..question(path, &target)
    };
    let (url, found) = found(map, &question)?;
    let (_, form) = map.rule(found.rule).unwrap();
    Some((url, form, found.trouble == Some(Trouble::UnsafeNocanon)))
}

fn url(map: &Map, path: &str) -> Option<String> {
    ask(map, &[], path.as_bytes(), "/raw").map(|(url, _, _)| url)
}

#[test]
fn prefixes_match_whole_segments_and_join_strings_as_httpd_does() {
    // (ProxyPass path, target, request path, URL)
    let table = [
        ("/app", "http://h/b", "/app", Some("http://h/b")),
        ("/app", "http://h/b", "/app/x", Some("http://h/b/x")),
        ("/app", "http://h/b", "/application", None),
        ("/app", "http://h/b", "/App/x", None),
        ("/app/", "http://h/b/", "/app", None),
        ("/app/", "http://h/b/", "/app/x", Some("http://h/b/x")),
        ("/a", "http://h/b/", "/a/x", Some("http://h/b//x")),
        ("/a/", "http://h/b", "/a/x", Some("http://h/bx")),
        ("//a//b", "http://h/", "/a/b/c", Some("http://h//c")),
        ("/a/b", "http://h", "//a///b/c", Some("http://h/c")),
        ("/", "http://h/", "/x", Some("http://h/x")),
        ("/", "balancer://C/", "/x", Some("balancer://c/x")),
        ("/x", "HTTP://H:80/P", "/x/y", Some("http://h/P/y")),
        ("/x", "http://[::1]:8080/", "/x", Some("http://[::1]:8080/")),
        ("/q", "http://h/q?a=b", "/q/r", Some("http://h/q?a=b/r")),
        ("/q", "http://h?a=b", "/q/r", Some("http://h/?a=b/r")),
    ];
    for (path, target, request, expected) in table {
        let found = url(&map(&[prefix(path, target)], &[]), request);
        assert_eq!(
            found.as_deref(),
            expected,
            "ProxyPass {path} {target}: {request}"
        );
    }
}

#[test]
fn a_missing_slash_never_changes_the_authority() {
    let table = [
        (prefix("/", "http://h"), "/x", "http://h/x"),
        (prefix("/", "http://h"), "/@evil/", "http://h/@evil/"),
        (prefix("/", "http://h:8080"), "/80/x", "http://h:8080/80/x"),
        (
            prefix("/a/", "balancer://c"),
            "/a/.evil",
            "balancer://c/.evil",
        ),
        (
            regex("^/(.*)$", "http://h$1"),
            "/.evil/x",
            "http://h/.evil/x",
        ),
        (regex("^/(.*)$", "http://h:80$1"), "/80@x", "http://h/80@x"),
    ];
    for (pass, request, expected) in table {
        assert_eq!(
            url(&map(&[pass], &[]), request).as_deref(),
            Some(expected),
            "{request}"
        );
    }
}

#[test]
fn regular_expressions_fill_in_groups_or_append_the_path() {
    let table = [
        (r"\.gif$", "http://h", "/x/a.gif", Some("http://h/x/a.gif")),
        (
            r"\.gif$",
            "http://h/gif",
            "/a.gif",
            Some("http://h/gif/a.gif"),
        ),
        (r"\.gif$", "http://h", "/a.png", None),
        (
            r"^/m/(.*)$",
            "http://h/x/$1?z=$1",
            "/m/a",
            Some("http://h/x/a?z=a"),
        ),
        (
            r"^/g(/.*)$",
            "http://h:8081$1",
            "/g/x",
            Some("http://h:8081/x"),
        ),
        (
            r"^(/.*\.gif)$",
            "balancer://foo$1",
            "/a.gif",
            Some("balancer://foo/a.gif"),
        ),
        (r"^/(a)(b)?", "http://h/$1-$2", "/a", Some("http://h/a-")),
        (r"^/(?!static/)", "http://h", "/x", Some("http://h/x")),
        (r"^/(?!static/)", "http://h", "/static/x", None),
    ];
    for (pattern, target, request, expected) in table {
        let found = url(&map(&[regex(pattern, target)], &[]), request);
        assert_eq!(
            found.as_deref(),
            expected,
            "ProxyPassMatch {pattern} {target}: {request}"
        );
    }
}

#[test]
fn the_first_rule_wins_and_an_exclusion_ends_the_search() {
    let map = map(
        &[
            prefix("/images", "!"),
            prefix("/a", "http://first/"),
            regex(r"\.css$", "!"),
            prefix("/a", "http://second/"),
            prefix("/", "http://rest/"),
        ],
        &[],
    );
    assert_eq!(url(&map, "/images/x"), None);
    assert_eq!(url(&map, "/a/x").as_deref(), Some("http://first//x"));
    assert_eq!(url(&map, "/b/x.css"), None);
    assert_eq!(url(&map, "/b").as_deref(), Some("http://rest/b"));
    assert_eq!(url(&map, "*"), None);
}

#[test]
fn the_last_matching_location_with_a_pass_comes_before_the_servers_rules() {
    let map = map(
        &[prefix("/app/no", "!"), prefix("/", "http://server/")],
        &[
            Some(prefix("/", "http://outer/")),
            Some(prefix("/app", "http://inner/")),
            None,
            Some(prefix("/keep", "!")),
        ],
    );
    let asked = |locations: &[u16], path: &str| {
        ask(&map, locations, path.as_bytes(), "/raw").map(|(url, _, _)| url)
    };
    assert_eq!(asked(&[0, 1], "/app/x").as_deref(), Some("http://inner//x"));
    assert_eq!(
        asked(&[0, 1, 2], "/app/x").as_deref(),
        Some("http://inner//x")
    );
    // A server-level `!` cannot cancel a Location's ProxyPass.
    assert_eq!(
        asked(&[0, 1], "/app/no").as_deref(),
        Some("http://inner//no")
    );
    assert_eq!(asked(&[0, 3], "/keep"), None);
    // A Location that matches with another path than its ProxyPass leaves the request to the server's rules.
    assert_eq!(
        asked(&[1], "/other").as_deref(),
        Some("http://server/other")
    );
    assert_eq!(asked(&[], "/app/x").as_deref(), Some("http://server/app/x"));
}

#[test]
fn nocanon_forwards_what_was_sent_unless_that_matches_differently() {
    let nocanon = |pass: ProxyPass| {
        map(
            &[ProxyPass {
                nocanon: true,
                ..pass
            }],
            &[],
        )
    };
    let by_prefix = nocanon(prefix("/n", "http://h/n"));
    let by_regex = nocanon(regex("^/r/(.*)", "http://h/$1"));
    let verbatim = |url: &str| Some((url.to_owned(), PathForm::Verbatim, false));
    let ignored = |url: &str| Some((url.to_owned(), PathForm::Decoded, true));
    let rows = [
        (
            &by_prefix,
            "/n/a bA",
            "/n/a%20b%41?x=%41",
            verbatim("http://h/n/a%20b%41?x=%41"),
        ),
        (
            &by_prefix,
            "/n/b",
            "/n/../n/b",
            verbatim("http://h/n/../n/b"),
        ),
        (&by_prefix, "/n/a", "//n//a", ignored("http://h/n/a")),
        (&by_prefix, "/n/a", "/%6E/a", ignored("http://h/n/a")),
        (
            &by_prefix,
            "/n/a",
            "http://x:1/n/a?q",
            verbatim("http://h/n/a?q"),
        ),
        (
            &by_regex,
            "/r/a b",
            "/r/a%20b?q",
            verbatim("http://h/a%20b?q"),
        ),
        (&by_regex, "/r/a", "/%72/a", ignored("http://h/a")),
    ];
    for (map, path, raw, expected) in rows {
        assert_eq!(ask(map, &[], path.as_bytes(), raw), expected, "{raw}");
    }
}

#[test]
fn mapping_encoded_compares_and_forwards_the_path_as_sent() {
    let map = map(
        &[ProxyPass {
            mapping: Some(Mapping::Encoded),
            ..prefix("/e", "http://h/e")
        }],
        &[],
    );
    let found = ask(&map, &[], b"/e/a/b c", "/x/../e/a%2Fb%20%63?q");
    assert_eq!(
        found,
        Some(("http://h/e/a%2Fb%20c".to_owned(), PathForm::Encoded, false))
    );
    assert_eq!(ask(&map, &[], b"/e/a", "/%65%20/a"), None);
}

#[test]
fn mapping_encoded_with_nocanon_forwards_what_was_sent() {
    let encoded = |pass: ProxyPass| ProxyPass {
        mapping: Some(Mapping::Encoded),
        nocanon: true,
        ..pass
    };
    let map = map(
        &[
            encoded(prefix("/e", "http://h/e")),
            ProxyPass {
                mapping: Some(Mapping::Servlet),
                ..regex("^/re/(.*)", "http://h/$1")
            },
        ],
        &[],
    );
    let rows = [
        ("/e/a%41?q", "http://h/e/a%41?q", PathForm::Verbatim, false),
        ("/x/../e/a%41?q", "http://h/e/aA", PathForm::Encoded, true),
        // An expression knows no servlet rules.
        ("/re/a;b", "http://h/a;b", PathForm::Encoded, false),
    ];
    for (raw, url, form, is_unsafe) in rows {
        let found = ask(&map, &[], b"/decoded", raw);
        assert_eq!(found, Some((url.to_owned(), form, is_unsafe)), "{raw}");
    }
}

#[test]
fn variables_are_filled_in_only_where_both_switches_are_on() {
    let interpolated = |pass: ProxyPass| ProxyPass {
        interpolate: true,
        ..pass
    };
    let map = map(
        &[
            interpolated(prefix("/${site}/x", "http://h/${site}/")),
            prefix("/off/${site}", "http://h/${site}/"),
            interpolated(prefix("/to", "http://${host}:81/")),
            interpolated(regex("^/re/(.*)$", "http://h/${site}/$1")),
            interpolated(regex("^/all/", "http://h/${site}")),
            interpolated(prefix("/bad", "http://${site}${bad}/")),
        ],
        &[],
    );
    let mut vars = Environment::new();
    vars.set("site", b"eu");
    vars.set("host", b"Pod.example");
    vars.set("bad", b"@evil");
    let raw = target("/raw");
    let asked = |interpolates, path: &str| {
        let question = Question {
            interpolates,
            vars: &vars,
            ..question(path.as_bytes(), &raw)
        };
        let (url, found) = found(&map, &question)?;
        let front = url.get(..found.front)?.to_owned();
        Some((url, front, found.trouble))
    };
    let rows = [
        ("/eu/x/y", "http://h/eu//y", "http://h"),
        ("/to/y", "http://pod.example:81//y", "http://pod.example:81"),
        ("/re/y", "http://h/eu/y", "http://h"),
        ("/all/y", "http://h/eu/all/y", "http://h"),
    ];
    for (path, url, front) in rows {
        let expected = Some((url.to_owned(), front.to_owned(), None));
        assert_eq!(asked(true, path), expected, "{path}");
    }
    let trouble = asked(true, "/bad").map(|(_, _, trouble)| trouble);
    assert_eq!(trouble, Some(Some(Trouble::Unfit(Unfit::Authority))));
    assert_eq!(asked(false, "/eu/x/y"), None);
    assert_eq!(asked(true, "/off/eu"), None);
    let literal = asked(false, "/re/y").map(|(url, _, _)| url);
    assert_eq!(literal.as_deref(), Some("http://h/${site}/y"));
}

#[test]
fn mapping_servlet_ignores_path_parameters() {
    let map = map(
        &[ProxyPass {
            mapping: Some(Mapping::Servlet),
            ..prefix("/s", "http://h/s")
        }],
        &[],
    );
    let rows = [
        ("/s;a=b/x;c=d/y", Some("http://h/s;a=b/x;c=d/y")),
        ("/s;a=b", Some("http://h/s")),
        ("/s;a=b/", Some("http://h/s/")),
        ("/s/..;/s/q", Some("http://h/s/q")),
        ("/s/..;/z", None),
        ("/s/..;/..;/s", None),
        ("/t/..;x/s", Some("http://h/s")),
    ];
    for (raw, expected) in rows {
        let found = ask(&map, &[], raw.as_bytes(), raw).map(|(url, _, _)| url);
        assert_eq!(found.as_deref(), expected, "{raw}");
    }
}

#[test]
fn rules_for_encoded_paths_are_asked_first_and_alone_where_the_path_cannot_be_decoded() {
    let encoded = |path, target| ProxyPass {
        mapping: Some(Mapping::Encoded),
        ..prefix(path, target)
    };
    let map = map(
        &[
            prefix("/", "http://h/root/"),
            prefix("/e/not", "!"),
            encoded("/e", "http://h/e"),
        ],
        &[
            Some(encoded("/l", "http://h/l")),
            Some(prefix("/l", "http://h/decoded")),
        ],
    );
    let url = |locations: &[u16], path: &str| {
        ask(&map, locations, path.as_bytes(), path).map(|found| found.0)
    };
    for (locations, path, expected) in [
        (&[][..], "/e/not", "http://h/e/not"),
        (&[], "/other", "http://h/root/other"),
        (&[0], "/l/x", "http://h/l/x"),
        (&[0], "/e/x", "http://h/e/x"),
        (&[1], "/l/x", "http://h/decoded/x"),
    ] {
        assert_eq!(url(locations, path).as_deref(), Some(expected), "{path}");
    }
    let undecodable = |path: &str| {
        let target = target(path);
        let question = Question {
            is_decodable: false,
            ..question(path.as_bytes(), &target)
        };
        found(&map, &question).map(|(url, _)| url)
    };
    assert_eq!(undecodable("/e/a%2Fb").as_deref(), Some("http://h/e/a%2Fb"));
    assert_eq!(undecodable("/other%2F"), None);
}

#[test]
fn targets_that_cannot_be_used_are_named_with_their_line() {
    let rows = [
        (
            regex("^/(", "http://h/"),
            "regular expression `^/(` cannot be used",
        ),
        (prefix("/x", "http://h:port/"), "no usable host and port"),
        (prefix("/x", "h/x"), "is no absolute URL"),
    ];
    for (pass, words) in rows {
        let mut complaints = Vec::new();
        Map::default().add_site(
            &[pass],
            std::iter::empty(),
            |_, _| Way::Nobody,
            &mut complaints,
        );
        let [complaint] = complaints.as_slice() else {
            panic!("{complaints:?}")
        };
        let said = complaint.to_string();
        assert!(
            said.contains("line 7 of t.conf") && said.contains(words),
            "{said}"
        );
    }
}
