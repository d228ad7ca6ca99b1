//! Lines of a configuration to edited fields.

use super::super::testing::{APP, config, env, head, located, peers};
use super::super::{DirCache, Env, Handler, Route, locate};
use super::*;
use crate::config::{Options, load_str};
use crate::http::fields::FieldSet;

/// A generation with these lines.
fn with(lines: &str) -> &'static Env {
    let options = Options {
        file: "t.conf".into(),
        server_root: None,
        defines: Vec::new(),
        before: Vec::new(),
        after: Vec::new(),
        env: &|_| None,
    };
    let read = load_str(&format!("Listen 80\n{lines}"), &options).unwrap_or_else(|errors| {
        panic!("{lines}: {}", crate::config::render(&errors));
    });
    let handlers = vec![&APP as &'static dyn Handler];
    env(config(read.main, read.vhosts), handlers)
}

fn fields(lines: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in lines {
        fields.push(name.as_bytes(), value.as_bytes());
    }
    fields
}

/// The lines, without those that every message has: `A: 1; B: 2`.
fn shown(fields: &Fields) -> String {
    let runs: Vec<u8> = fields
        .runs(FieldSet::of(&[FieldId::Host]))
        .flatten()
        .copied()
        .collect();
    let text = String::from_utf8(runs).unwrap();
    text.trim_end().replace("\r\n", "; ")
}

/// What a request for `/app/x` becomes.
fn requested(env: &'static Env, text: &str) -> String {
    let mut head = head(text);
    let mut route = Route::default();
    let here = peers("192.0.2.1:80");
    let moment = Moment {
        now_us: 1_000_500,
        began_us: 1_000_000,
        load: || Some([0.5, 1.0, 22.666]),
    };
    let found = locate(
        env,
        &super::super::testing::ME,
        &mut DirCache::new(),
        &here,
        &mut head,
        moment,
        &mut route,
    );
    if let Err(answer) = found {
        return answer.status.to_string();
    }
    assert!(head.fields.is_clean());
    shown(&head.fields)
}

/// What a response becomes, and which notes are taken.
fn responded(env: &'static Env, reply: Reply, request: &str, response: &[(&str, &str)]) -> String {
    let (route, _) = located(env, request);
    let mut fields = fields(response);
    let mut margin = Margin::default();
    let request = head(request);
    let mut attempt = Environment::new();
    attempt.set("BALANCER_WORKER_ROUTE", b"r1");
    if let Some(headers) = route.dir().unwrap().headers.as_deref() {
        let facts = Facts {
            vars: &route.vars,
            attempt: &attempt,
            request: Some(&request.fields),
            moment: Moment::at(0),
            board: env.board,
        };
        headers
            .edit_response(reply, &mut fields, &facts, &mut margin)
            .ok();
    }
    let notes = margin.notes.iter().map(|(name, value)| {
        let [name, value] = [name, value].map(String::from_utf8_lossy);
        format!(" ({name}={value})")
    });
    shown(&fields) + &notes.collect::<String>()
}

const BACKENDS: Reply = Reply {
    rules: HeaderRules::All,
    is_backends: true,
    is_proxied: true,
    has_arrived: true,
};

const PAGE: Reply = Reply {
    rules: HeaderRules::All,
    is_backends: false,
    is_proxied: false,
    has_arrived: true,
};

const ERROR: Reply = Reply {
    rules: HeaderRules::Always,
    is_backends: false,
    is_proxied: false,
    has_arrived: true,
};

#[test]
fn every_action_on_a_request() {
    let absent = "GET /app/x";
    let one = "GET /app/x  X-A: a";
    let several = "GET /app/x  X-A: a  X-B: 1  x-a: b, c";
    // (line, absent, one, several)
    let rows = [
        ("set X-A n", "X-A: n", "X-A: n", "X-A: n; X-B: 1"),
        ("set x-A n", "x-A: n", "X-A: n", "X-A: n; X-B: 1"),
        (
            "setifempty X-A n",
            "X-A: n",
            "X-A: a",
            "X-A: a; X-B: 1; x-a: b, c",
        ),
        (
            "add X-A n",
            "X-A: n",
            "X-A: a; X-A: n",
            "X-A: a; X-B: 1; x-a: b, c; X-A: n",
        ),
        (
            "append X-A n",
            "X-A: n",
            "X-A: a, n",
            "X-A: a, b, c, n; X-B: 1",
        ),
        (
            "merge X-A n",
            "X-A: n",
            "X-A: a, n",
            "X-A: a, b, c, n; X-B: 1",
        ),
        ("merge x-a a", "x-a: a", "X-A: a", "X-A: a, b, c; X-B: 1"),
        ("merge X-A c", "X-A: c", "X-A: a, c", "X-A: a, b, c; X-B: 1"),
        ("unset X-A", "", "", "X-B: 1"),
        ("edit X-A a z", "", "X-A: z", "X-B: 1; X-A: z, b, c"),
        (
            "edit* X-A [ab] <$0>",
            "",
            "X-A: <a>",
            "X-B: 1; X-A: <a>, <b>, c",
        ),
        (
            "edit x-a ^(.*)$ \"$1; $1\"",
            "",
            "X-A: a; a",
            "X-B: 1; X-A: a, b, c; a, b, c",
        ),
        ("edit X-A nothing z", "", "X-A: a", "X-B: 1; X-A: a, b, c"),
    ];
    for (line, of_none, of_one, of_several) in rows {
        let env = with(&format!("RequestHeader {line}"));
        let all = [absent, one, several].map(|request| requested(env, request));
        assert_eq!(all, [of_none, of_one, of_several], "{line}");
    }
}

#[test]
fn every_action_on_a_response() {
    let none: &[(&str, &str)] = &[];
    let one = &[("X-A", "a")];
    let several = &[("X-A", "a"), ("X-B", "1"), ("x-a", "b, c")];
    let rows = [
        ("set X-A n", "X-A: n", "X-A: n", "X-A: n; X-B: 1"),
        (
            "setifempty X-A n",
            "X-A: n",
            "X-A: a",
            "X-A: a; X-B: 1; x-a: b, c",
        ),
        (
            "add X-A n",
            "X-A: n",
            "X-A: a; X-A: n",
            "X-A: a; X-B: 1; x-a: b, c; X-A: n",
        ),
        (
            "append X-A n",
            "X-A: n",
            "X-A: a, n",
            "X-A: a, n; X-B: 1; x-a: b, c",
        ),
        (
            "merge X-A a",
            "X-A: a",
            "X-A: a",
            "X-A: a; X-B: 1; x-a: b, c",
        ),
        (
            "merge X-A c",
            "X-A: c",
            "X-A: a, c",
            "X-A: a, c; X-B: 1; x-a: b, c",
        ),
        ("unset X-A", "", "", "X-B: 1"),
        (
            "edit X-A [abc] z",
            "",
            "X-A: z",
            "X-B: 1; X-A: z; x-a: z, c",
        ),
        (
            "edit* X-A [abc] z",
            "",
            "X-A: z",
            "X-B: 1; X-A: z; x-a: z, z",
        ),
        (
            "note X-A n",
            "",
            "X-A: a (n=a)",
            "X-A: a; X-B: 1; x-a: b, c (n=a)",
        ),
        (
            "echo ^X-Echo",
            "X-Echo: 5",
            "X-A: a; X-Echo: 5",
            "X-A: a; X-B: 1; x-a: b, c; X-Echo: 5",
        ),
    ];
    for (line, of_none, of_one, of_several) in rows {
        let env = with(&format!("Header {line}"));
        let all = [none, one, several].map(|response| {
            responded(
                env,
                BACKENDS,
                "GET /app/x  X-Echo: 5  Connection: x",
                response,
            )
        });
        assert_eq!(all, [of_none, of_one, of_several], "{line}");
        let env = with(&format!("Header always {line}"));
        let error = responded(env, ERROR, "GET /app/x  X-Echo: 5", none);
        assert_eq!(error, of_none, "always {line}");
    }
}

#[test]
fn members_are_compared_as_httpd_compares_them() {
    let rows = [
        ("a, b", "b", true),
        ("a ,b", "a", false),
        ("a,b ", "b", false),
        ("\"a,b\", c", "b", false),
        ("\"a,b\", c", "\"a,b\"", true),
        ("A", "a", false),
        ("ab", "a", false),
        ("", "a", false),
        ("\"a", "a", false),
    ];
    for (list, member, expected) in rows {
        assert_eq!(
            table::has_member(list.as_bytes(), member.as_bytes()),
            expected,
            "{member} in {list}"
        );
    }
}

#[test]
fn the_two_tables_do_not_see_each_other() {
    let env = with(
        "Header set X-S on\nHeader always set X-S always\nHeader unset X-T\nHeader always unset X-U\n\
         Header always append X-V 2",
    );
    let response = [("X-T", "t"), ("X-U", "u"), ("X-V", "1")];
    let request = "GET /app/x";
    assert_eq!(
        responded(env, BACKENDS, request, &response),
        "X-S: always; X-V: 2; X-U: u; X-V: 1; X-S: on"
    );
    assert_eq!(
        responded(env, ERROR, request, &[("Allow", "GET")]),
        "X-S: always; X-V: 2; Allow: GET"
    );
}

#[test]
fn the_media_type_is_one_and_both_kinds_of_edit_change_it() {
    let backends = &[("Content-Type", "text/plain;x")];
    let bare: &[(&str, &str)] = &[];
    let page = &[("Content-Type", "text/html")];
    // (line, of a backend's, of a backend's without one, of an error page)
    let rows = [
        (
            "set Content-Type n",
            "Content-Type: n",
            "Content-Type: n",
            "Content-Type: text/html",
        ),
        ("unset Content-Type", "", "", "Content-Type: text/html"),
        (
            "edit Content-Type plain n",
            "Content-Type: text/n;x",
            "",
            "Content-Type: text/html",
        ),
        (
            "add Content-Type n",
            "Content-Type: text/plain;x",
            "Content-Type: n",
            "Content-Type: text/html",
        ),
        (
            "append Content-Type n",
            "Content-Type: text/plain;x",
            "Content-Type: n",
            "Content-Type: text/html",
        ),
        (
            "setifempty Content-Type n",
            "Content-Type: text/plain;x",
            "Content-Type: n",
            "Content-Type: text/html",
        ),
        (
            "always set Content-Type n",
            "Content-Type: n",
            "Content-Type: n",
            "Content-Type: n",
        ),
        (
            "always setifempty Content-Type n",
            "Content-Type: n",
            "Content-Type: n",
            "Content-Type: n",
        ),
        (
            "always edit Content-Type text n",
            "Content-Type: n/plain;x",
            "",
            "Content-Type: n/html",
        ),
        (
            "always unset Content-Type",
            "Content-Type: text/plain;x",
            "",
            "",
        ),
    ];
    for (line, of_backends, of_bare, of_page) in rows {
        let env = with(&format!("Header {line}"));
        let request = "GET /app/x";
        assert_eq!(
            responded(env, BACKENDS, request, backends),
            of_backends,
            "{line}"
        );
        assert_eq!(responded(env, BACKENDS, request, bare), of_bare, "{line}");
        assert_eq!(responded(env, ERROR, request, page), of_page, "{line}");
    }
}

#[test]
fn date_and_server_are_a_backends_or_ours() {
    let env = with("Header set Server s\nHeader set Date d\nHeader always set Server a");
    let backends = [("Server", "b"), ("Date", "then")];
    assert_eq!(
        responded(env, BACKENDS, "GET /app/x", &backends),
        "Server: a; Date: d"
    );
    assert_eq!(responded(env, PAGE, "GET /app/x", &[]), "");
}

#[test]
fn formats_are_filled_in() {
    let lines = "SetEnv FOO \"a\\nb\"\nRequestHeader set X-V ";
    let rows = [
        ("\"%%|%t|%D|%\"", "%|t=1000000|D=500|%"),
        ("\"%{foo}e %{BAR}e %{SSL_CIPHER}s\"", "a\\nb (null) (null)"),
        ("%l", "l=0.50/1.00/22.67"),
        ("\"%i %b\"", "i=0 b=0"),
        ("\"a\\tb\\q\\\\\\\\z\"", "a\tb\\q\\z"),
        ("\"\"", ""),
        ("\"  kept  \"", "  kept"),
    ];
    for (value, expected) in rows {
        let sent = requested(with(&format!("{lines}{value}")), "GET /app/x");
        assert_eq!(sent, format!("X-V: {expected}").trim_end(), "{value}");
    }
}

#[test]
fn substitutions_are_filled_in_and_empty_matches_end() {
    let rows = [
        (r#"edit X-B (y)(e) "\\$1$2$9-%%-$0&\q""#, "$1e-%-ye&qs"),
        (r#"edit* X-B e "<%{V}e>""#, "y<v>s"),
        (r#"edit X-B (y)(e) "%{W}e""#, "es"),
        (r#"edit* X-B ^. -"#, "---"),
        (r#"edit* X-B "x*" -"#, "-y-e-s"),
        (r#"edit X-B "$" !"#, "yes!"),
        (r#"edit* X-B "" """#, "yes"),
    ];
    for (line, expected) in rows {
        let env = with(&format!("SetEnv V v\nSetEnv W $2\nRequestHeader {line}"));
        assert_eq!(
            requested(env, "GET /app/x  X-B: yes"),
            format!("X-B: {expected}"),
            "{line}"
        );
    }
}

#[test]
fn conditions_look_at_variables() {
    let env = with(
        "SetEnvIf X-Q 1 FOO\nRequestHeader set X-V 1 env=FOO\nRequestHeader set X-W 1 env=!FOO\n\
         Header set X-R %{BALANCER_WORKER_ROUTE}e env=BALANCER_WORKER_ROUTE\nHeader set X-N 1 env=BALANCER_ROUTE_CHANGED",
    );
    assert_eq!(requested(env, "GET /app/x  X-Q: 1"), "X-Q: 1; X-V: 1");
    assert_eq!(requested(env, "GET /app/x"), "X-W: 1");
    assert_eq!(responded(env, BACKENDS, "GET /app/x", &[]), "X-R: r1");
}

#[test]
fn sections_add_to_the_server_in_the_order_in_which_they_apply() {
    let env = with(
        "RequestHeader add X-L server\nRequestHeader set X-O server\n\
         <Location /app>\nRequestHeader add X-L loc\nRequestHeader set X-O loc\n</Location>\n\
         <Location /app/x>\nRequestHeader add X-L x\n</Location>\n\
         <Location /other>\nRequestHeader add X-L other\n</Location>\n\
         <Proxy http://b/>\nRequestHeader add X-L proxy\nRequestHeader set X-O proxy\n</Proxy>",
    );
    assert_eq!(
        requested(env, "GET /app/x"),
        "X-L: server; X-O: loc; X-L: proxy; X-L: loc; X-L: x"
    );
}

#[test]
fn early_edits_come_before_variables_and_only_from_the_server() {
    let env = with(
        "RequestHeader set X-E 1 early\nSetEnvIf X-E (.+) FROM=$1\nRequestHeader set X-F %{FROM}e\n\
         RequestHeader set X-N %{FROM}e early\nHeader always set X-A 1 early\nHeader set X-O 1 early\nHeader set Set-Cookie c early\n\
         <Location /app>\nRequestHeader set X-L 1 early\n</Location>",
    );
    assert_eq!(
        requested(env, "GET /app/x  X-E: c"),
        "X-E: 1; X-N: (null); X-F: 1"
    );
    let own = [("X-B", "b")];
    assert_eq!(
        responded(env, BACKENDS, "GET /app/x", &own),
        "X-A: 1; Set-Cookie: c; X-B: b"
    );
    assert_eq!(
        responded(env, PAGE, "GET /app/x", &own),
        "X-A: 1; X-O: 1; Set-Cookie: c; X-B: b"
    );
    assert_eq!(responded(env, ERROR, "GET /app/x", &own), "X-A: 1; X-B: b");
    let refused = Reply {
        has_arrived: false,
        ..ERROR
    };
    assert_eq!(responded(env, refused, "GET /app/x", &own), "X-B: b");
    let unlocated = Reply {
        rules: HeaderRules::None,
        ..PAGE
    };
    let expected = "X-A: 1; X-O: 1; Set-Cookie: c; X-B: b";
    assert_eq!(responded(env, unlocated, "GET /app/x", &own), expected);
}

#[test]
fn a_value_that_could_split_a_message_is_left_out() {
    let bad = crate::config::model::HeaderValue(vec![crate::config::model::HeaderPiece::Text(
        "a\r\nb".into(),
    )]);
    let line = HeaderEdit {
        table: HeaderTable::OnSuccess,
        name: "X-A".into(),
        action: crate::config::model::HeaderAction::Set(bad),
        condition: EditCondition::Always,
        place: super::super::testing::place(),
    };
    let edits = [Arc::new(Edit::compile(&line).unwrap())];
    let mut edited = fields(&[("X-A", "old")]);
    let env = with("");
    let none = Environment::new();
    let facts = Facts {
        vars: &none,
        attempt: &none,
        request: None,
        moment: Moment::at(0),
        board: env.board,
    };
    let result = Table::request(&mut edited).edit(&edits, &facts);
    assert_eq!(result, Err(Spoilt { name: "X-A".into() }));
    assert_eq!(shown(&edited), "X-A: old");
    assert!(edited.is_clean());
}

#[test]
fn what_a_client_makes_long_is_not_edited() {
    let env = with("RequestHeader edit* X-A a aaaa\nRequestHeader edit X-B $ !");
    let (most, more) = ("a".repeat(16 * 1024), "a".repeat(16 * 1024 + 1));
    let request = |a: &str| format!("GET /app/x  X-A: {a}  X-B: b");
    assert_eq!(
        requested(env, &request(&most)),
        format!("X-A: {}; X-B: b!", most.repeat(4))
    );
    // Left as it was, it would be what the configuration wanted to keep from the backend.
    assert_eq!(requested(env, &request(&more)), "500");
}

#[test]
fn what_the_configuration_writes_is_known_and_nothing_else() {
    let env = with(
        "RequestHeader set X-Proto https\nRequestHeader unset X-Gone\nRequestHeader add X-E 1 early\nRequestHeader edit X-Ed a b\n\
         Header set X-Resp 1",
    );
    let headers = env.main().base.headers.as_deref().unwrap();
    for (name, expected) in [
        ("x-proto", true),
        ("X-E", true),
        ("X-Ed", true),
        ("X-Gone", false),
        ("X-Resp", false),
    ] {
        assert_eq!(headers.writes(name.as_bytes()), expected, "{name}");
    }
}

#[test]
fn where_nothing_is_configured_there_is_nothing() {
    let env = with("<Location /a>\nHeader set X 1\n</Location>");
    assert!(env.main().base.headers.is_none());
    let (route, _) = located(env, "GET /app/x");
    assert!(route.dir().unwrap().headers.is_none());
}
