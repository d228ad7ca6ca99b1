//! Rules from the model to the variables of a request.

use super::super::testing::{APP, config, env, located, location, place, proxy_section};
use super::super::{Env, Handler};
use super::*;
use crate::config::model::{Access, DirConfig, Require, SetEnvIf};
use crate::http::Status;

fn rule(attribute: Attribute, pattern: &str, changes: &[(&str, Option<&str>)]) -> SetEnvIf {
    SetEnvIf {
        attribute,
        repeats: false,
        pattern: pattern.into(),
        ignores_case: false,
        changes: changes
            .iter()
            .map(|(name, value)| model::Change {
                name: (*name).into(),
                value: value.map(str::to_owned),
            })
            .collect(),
        place: place(),
    }
}

fn named(name: &str) -> Attribute {
    Attribute::Named(name.into())
}

fn served_by(main: Server) -> &'static Env {
    env(config(main, Vec::new()), vec![&APP as &'static dyn Handler])
}

/// The variables of a request, by name: `A=1 B=`.
fn vars(env: &'static Env, text: &str) -> String {
    let (route, _) = located(env, text);
    let mut all: Vec<String> = route
        .vars
        .iter()
        .map(|(name, value)| {
            let (name, value) = (
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(value),
            );
            format!("{name}={value}")
        })
        .collect();
    all.sort();
    all.join(" ")
}

#[test]
fn every_attribute_is_compared_with_what_httpd_compares() {
    let all = Some("$0");
    let rows: [(&str, SetEnvIf, &str, &str); 17] = [
        (
            "field",
            rule(named("X-Y"), ".+", &[("V", all)]),
            "GET /  x-y: a",
            "V=a",
        ),
        (
            "field_lines_are_one_list",
            rule(named("X-Y"), ".+", &[("V", all)]),
            "GET /  X-Y: a  X-Y: b",
            "V=a, b",
        ),
        (
            "missing_field_is_empty",
            rule(named("X-Y"), "^$", &[("V", Some("none"))]),
            "GET /",
            "V=none",
        ),
        (
            "host_of_an_absolute_target",
            rule(named("Host"), ".+", &[("V", all)]),
            "GET http://b.example:80/  Host: a",
            "V=b.example:80",
        ),
        (
            "fields_by_name",
            rule(Attribute::Fields("^X-".into()), ".+", &[("V", all)]),
            "GET /  X-A: 1  Y: 2",
            "V=1",
        ),
        (
            "the_last_of_several_fields",
            rule(Attribute::Fields("^X-".into()), ".+", &[("V", all)]),
            "GET /  X-A: 1  X-B: 2  X-B: 3",
            "V=2, 3",
        ),
        (
            "no_such_field_is_empty",
            rule(
                Attribute::Fields("^X-".into()),
                "^$",
                &[("V", Some("none"))],
            ),
            "GET /",
            "V=none",
        ),
        (
            "client",
            rule(Attribute::RemoteAddr, r"^10\.", &[("V", Some("in"))]),
            "GET /",
            "V=in",
        ),
        (
            "client_name_is_its_address",
            rule(Attribute::RemoteHost, ".+", &[("V", all)]),
            "GET /",
            "V=10.0.0.9",
        ),
        (
            "our_address",
            rule(Attribute::ServerAddr, ".+", &[("V", all)]),
            "GET /",
            "V=192.0.2.1",
        ),
        (
            "method",
            rule(Attribute::RequestMethod, ".+", &[("V", all)]),
            "HEAD /",
            "V=HEAD",
        ),
        (
            "protocol",
            rule(Attribute::RequestProtocol, ".+", &[("V", all)]),
            "GET /",
            "V=HTTP/1.1",
        ),
        (
            "path_as_sent",
            rule(Attribute::RequestUri, ".+", &[("V", all)]),
            "GET /a%20b/../%63?q",
            "V=/a%20b/../%63",
        ),
        (
            "path_of_an_absolute_target",
            rule(Attribute::RequestUri, ".+", &[("V", all)]),
            "GET http://h/x?q",
            "V=/x",
        ),
        (
            "asterisk",
            rule(Attribute::RequestUri, ".+", &[("V", all)]),
            "OPTIONS *",
            "V=*",
        ),
        (
            "dots_match_anything",
            rule(named("X"), "a.c", &[("V", Some("[$0]"))]),
            "GET /  X: xabcx",
            "V=[abc]",
        ),
        (
            "plain_text_fills_in_nothing",
            rule(named("X"), r"a\.c", &[("V", Some("$0"))]),
            "GET /  X: a.c",
            "V=$0",
        ),
    ];
    for (row, rule, text, expected) in rows {
        let env = served_by(Server {
            set_env_if: vec![rule],
            ..Server::default()
        });
        assert_eq!(vars(env, text), expected, "{row}");
    }
}

#[test]
fn case_counts_unless_the_line_says_otherwise() {
    for (ignores_case, expected) in [(false, ""), (true, "V=1")] {
        let env = served_by(Server {
            set_env_if: vec![SetEnvIf {
                ignores_case,
                ..rule(named("X"), "robot", &[("V", Some("1"))])
            }],
            ..Server::default()
        });
        assert_eq!(vars(env, "GET /  X: ROBOTS"), expected);
    }
}

#[test]
fn rules_see_what_rules_before_them_have_set() {
    let set = |name, value| [(name, Some(value))];
    let rows = [
        (
            "an_earlier_variable",
            vec![
                rule(named("X"), ".", &set("A", "yes")),
                rule(named("a"), "^yes$", &set("B", "1")),
            ],
            "A=yes B=1",
        ),
        (
            "a_field_hides_a_variable",
            vec![
                rule(named("Y"), "^$", &set("X", "var")),
                rule(named("X"), "^var$", &set("B", "1")),
            ],
            "X=var",
        ),
        (
            "taken_away_again",
            vec![
                rule(named("X"), ".", &set("A", "1")),
                rule(named("X"), ".", &[("A", None), ("B", Some("1"))]),
            ],
            "B=1",
        ),
        (
            "a_repeated_attribute_is_looked_at_once",
            vec![
                rule(named("A"), "^$", &set("A", "1")),
                SetEnvIf {
                    repeats: true,
                    ..rule(named("A"), "^$", &set("B", "1"))
                },
            ],
            "A=1 B=1",
        ),
    ];
    for (row, set_env_if, expected) in rows {
        let env = served_by(Server {
            set_env_if,
            ..Server::default()
        });
        assert_eq!(vars(env, "GET /  X: x"), expected, "{row}");
    }
}

#[test]
fn sections_come_after_the_server_and_late_variables_change_nothing() {
    let section = |name: &str| DirConfig {
        set_env_if: vec![rule(Attribute::RequestUri, "^.*$", &[(name, Some("$0"))])],
        ..DirConfig::default()
    };
    let mut in_location = section("L");
    in_location.late_vars.put("S", "late".into());
    in_location.late_vars.put("T", "late".into());
    let env = served_by(Server {
        set_env_if: vec![rule(Attribute::RequestUri, "^.*$", &[("S", Some("$0"))])],
        locations: vec![location("/app", in_location)],
        proxy_sections: vec![proxy_section("http://b/", section("P"))],
        ..Server::default()
    });
    assert_eq!(
        vars(env, "GET /x/../app/%61"),
        "L=/app/a P=/app/a S=/x/../app/%61 T=late"
    );
    assert_eq!(vars(env, "GET /other"), "S=/other");
}

#[test]
fn access_rules_see_sections_variables_but_not_late_ones() {
    let needs = |name: &str| Access {
        require: Some(Require::Env(vec![name.into()])),
        ..Access::default()
    };
    let mut late = DirConfig {
        access: needs("V"),
        ..DirConfig::default()
    };
    late.late_vars.put("V", String::new());
    let early = DirConfig {
        access: needs("V"),
        set_env_if: vec![rule(named("X"), "^yes$", &[("V", Some("1"))])],
        ..DirConfig::default()
    };
    let env = served_by(Server {
        locations: vec![location("/app/late", late), location("/app/early", early)],
        ..Server::default()
    });
    let outcome = |text: &str| located(env, text).1.map_err(|answer| answer.status);
    assert_eq!(outcome("GET /app/late"), Err(Status::FORBIDDEN));
    assert_eq!(outcome("GET /app/early"), Err(Status::FORBIDDEN));
    assert_eq!(outcome("GET /app/early  X: yes"), Ok(()));
    assert_eq!(vars(env, "GET /app/late"), "", "refused before SetEnv");
}

#[test]
fn a_value_that_grows_too_long_is_an_error_of_ours() {
    let long = "$0".repeat(40);
    let env = served_by(Server {
        set_env_if: vec![rule(named("X"), ".+", &[("V", Some(&long))])],
        ..Server::default()
    });
    let outcome = |length: usize| {
        let text = format!("GET /app  X: {}", "x".repeat(length));
        located(env, &text).1.map_err(|answer| answer.status)
    };
    assert_eq!(outcome(1600), Ok(()));
    assert_eq!(outcome(1700), Err(Status::INTERNAL_SERVER_ERROR));
}

#[test]
fn expressions_that_cannot_be_used_are_named_with_their_line() {
    let server = Server {
        set_env_if: vec![
            rule(named("X"), r"\p{L}", &[("V", None)]),
            rule(Attribute::Fields("(".into()), "x", &[("V", None)]),
        ],
        ..Server::default()
    };
    let errors = SiteRules::compile(&server).unwrap_err();
    assert_eq!(errors.len(), 2);
    assert!(errors.iter().all(|error| error.place == Some(place())));
    assert!(errors[0].message.contains(r"`\p{L}`"), "{}", errors[0]);
}

#[test]
fn plain_text_is_what_httpd_searches_for_without_an_expression() {
    for (pattern, expected) in [
        ("MSIE", true),
        (r"a\.b", true),
        (r"a\\b", true),
        ("a.b", false),
        ("^a", false),
        (r"\d", false),
        ("", true),
    ] {
        assert_eq!(is_plain_text(pattern), expected, "{pattern}");
    }
}
