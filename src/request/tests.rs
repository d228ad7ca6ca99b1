//! Requests from head to handler.

use super::testing::{
    APP, PAGE, ask, config, env, handled_by, head, located, location, named, peers, proxy_section,
    set, vhost,
};
use super::{Answer, DirCache, Env, Handler, Moment, Route, errordoc, locate};
use crate::config::model::{
    Access, CompatAccess, Config, DirConfig, EncodedSlashes, ErrorDocument, ErrorPage, Net,
    Require, Server, Signature, Trace, Who,
};
use crate::http::fields::FieldId;

/// Handlers that an operator would have.
fn handlers() -> Vec<&'static dyn Handler> {
    vec![&APP, &PAGE]
}

fn with(main: Server) -> &'static Env {
    env(config(main, Vec::new()), handlers())
}

fn denied() -> DirConfig {
    DirConfig {
        access: Access {
            require: Some(Require::All(false)),
            ..Access::default()
        },
        ..DirConfig::default()
    }
}

fn granted() -> DirConfig {
    DirConfig {
        access: Access {
            require: Some(Require::All(true)),
            ..Access::default()
        },
        ..DirConfig::default()
    }
}

/// Who decides about a request, or the status that is said without anybody.
fn outcome(env: &'static Env, text: &str) -> String {
    match located(env, text) {
        (route, Ok(())) => format!(
            "{} {}",
            route.handler.unwrap().name(),
            String::from_utf8_lossy(&route.claim.url)
        ),
        (_, Err(answer)) => answer.status.to_string(),
    }
}

#[test]
fn a_mapping_wins_over_set_handler_and_leaves_the_rest_to_it() {
    let env = with(Server {
        locations: vec![location("/", handled_by("server-status"))],
        ..Server::default()
    });
    assert_eq!(outcome(env, "GET /app/x"), "proxy-server http://b/app/x");
    assert_eq!(outcome(env, "GET /other"), "server-status ");
    assert_eq!(outcome(with(Server::default()), "GET /other"), "404");
}

#[test]
fn paths_are_decoded_before_anything_is_matched() {
    let env = with(Server {
        locations: vec![location("/se cret", handled_by("server-status"))],
        ..Server::default()
    });
    for (text, expected) in [
        ("GET /se%20cret", "server-status "),
        ("GET /x/../se%20cret", "server-status "),
        ("GET //se%20cret", "server-status "),
        ("GET /%61pp", "proxy-server http://b/app"),
        ("GET /../x", "400"),
        ("GET /%zz", "400"),
        ("GET /a%2fb", "404"),
        ("GET /a%00b", "404"),
        ("GET http://h/app", "proxy-server http://b/app"),
        ("GET HTTPS://h/app", "proxy-server http://b/app"),
        ("GET ftp://h/app", "400"),
    ] {
        assert_eq!(outcome(env, text), expected, "{text}");
    }
    let env = with(Server {
        allow_encoded_slashes: set(EncodedSlashes::On),
        ..Server::default()
    });
    assert_eq!(outcome(env, "GET /app%2Fb"), "proxy-server http://b/app/b");
}

#[test]
fn sections_match_on_segment_boundaries_and_by_pattern() {
    let rows = [
        ("/x", "/x", true),
        ("/x", "/x/y", true),
        ("/x", "/xy", false),
        ("/x/", "/x", false),
        ("/x/", "/x/y", true),
        ("/x", "//x//y", true),
        ("/*/status", "/a/status", true),
        ("/*/status", "/a/b/status", false),
        ("/s?atus", "/status", true),
        ("~ ^/s.*s$", "/status", true),
        ("~ ^/x//y$", "/x//y", true),
        ("~ ^//x$", "//x", false),
        ("/", "/anything", true),
    ];
    for (pattern, path, matches) in rows {
        let env = with(Server {
            merge_slashes: set(false),
            locations: vec![location(pattern, handled_by("server-status"))],
            ..Server::default()
        });
        let expected = if matches { "server-status " } else { "404" };
        assert_eq!(
            outcome(env, &format!("GET {path}")),
            expected,
            "{path} in {pattern}"
        );
    }
}

#[test]
fn later_sections_win_and_the_main_servers_come_first() {
    let hidden = DirConfig {
        set_handler: set(crate::config::model::Handler::None),
        ..DirConfig::default()
    };
    let main = Server {
        name: named("main"),
        locations: vec![location("/status", handled_by("server-status"))],
        ..Server::default()
    };
    let closing = Server {
        locations: vec![location("/status", hidden)],
        ..vhost("*:80", "closed")
    };
    let env = env(
        config(main, vec![vhost("*:80", "open"), closing]),
        handlers(),
    );
    assert_eq!(outcome(env, "GET /status  Host: open"), "server-status ");
    assert_eq!(outcome(env, "GET /status  Host: closed"), "404");
}

#[test]
fn location_rules_override_proxy_rules() {
    let rows = [
        (vec![], vec![], "proxy-server http://b/app"),
        (vec![proxy_section("http://b/", denied())], vec![], "403"),
        (
            vec![proxy_section("http://c/", denied())],
            vec![],
            "proxy-server http://b/app",
        ),
        (vec![proxy_section("*", denied())], vec![], "403"),
        (vec![proxy_section("~ ^http://b/", denied())], vec![], "403"),
        (
            vec![proxy_section("*", denied())],
            vec![location("/app", granted())],
            "proxy-server http://b/app",
        ),
        (
            vec![proxy_section("*", granted())],
            vec![location("/app", denied())],
            "403",
        ),
        (
            vec![
                proxy_section("*", denied()),
                proxy_section("http://b", granted()),
            ],
            vec![],
            "proxy-server http://b/app",
        ),
        (
            vec![],
            vec![location("/", denied()), location("/app", granted())],
            "proxy-server http://b/app",
        ),
    ];
    for (at, (proxy_sections, locations, expected)) in rows.into_iter().enumerate() {
        let env = with(Server {
            proxy_sections,
            locations,
            ..Server::default()
        });
        assert_eq!(outcome(env, "GET /app"), expected, "row {at}");
    }
}

#[test]
fn proxy_rules_do_not_touch_what_is_not_proxied() {
    let env = with(Server {
        proxy_sections: vec![proxy_section("*", denied())],
        locations: vec![location("/status", handled_by("server-status"))],
        ..Server::default()
    });
    assert_eq!(outcome(env, "GET /status"), "server-status ");
}

#[test]
fn clients_are_judged_by_address() {
    let deny = |who| CompatAccess {
        deny: vec![who],
        ..CompatAccess::default()
    };
    let net = |text: &str, bits| Net::with_prefix(text.parse().unwrap(), bits).unwrap();
    for (who, expected) in [
        (Who::Net(net("10.0.0.0", 8)), "403"),
        (Who::Net(net("11.0.0.0", 8)), "proxy-server http://b/app"),
        (Who::All, "403"),
    ] {
        let mut dir = DirConfig::default();
        dir.access.compat = Some(deny(who));
        let env = with(Server {
            location_defaults: dir,
            ..Server::default()
        });
        assert_eq!(outcome(env, "GET /app"), expected);
    }
}

#[test]
fn methods_that_need_no_handler_are_answered_here() {
    let off = with(Server {
        trace_enable: set(Trace::Off),
        location_defaults: denied(),
        ..Server::default()
    });
    let on = with(Server {
        location_defaults: denied(),
        ..Server::default()
    });
    let free = with(Server::default());
    let extended = with(Server {
        trace_enable: set(Trace::Extended),
        ..Server::default()
    });
    let rows = [
        (on, "OPTIONS *", "200"),
        (on, "OPTIONS http://h", "200"),
        (on, "OPTIONS http://h/", "403"),
        (on, "GET *", "400"),
        (on, "TRACE /x", "200"),
        (off, "TRACE /x", "405"),
        (free, "TRACE /x  Content-Length: 1", "413"),
        (extended, "TRACE /x  Content-Length: 1", "200"),
        (free, "TRACE /app", "proxy-server http://b/app"),
        (free, "TRACE /app  Content-Length: 1", "413"),
        (free, "TRACE /app  Max-Forwards: 0", "200"),
        (free, "OPTIONS /app  Max-Forwards: 0", "200"),
        (free, "GET /app  Max-Forwards: 0", "400"),
        (free, "GET /app  Max-Forwards: x", "400"),
        (free, "GET /app  Max-Forwards: -1", "400"),
        (
            free,
            "GET /app  Max-Forwards: 10",
            "proxy-server http://b/app",
        ),
        (free, "GET /none  Max-Forwards: 0", "404"),
        (free, "CONNECT h:443", "405"),
        (free, "DELETE /x", "405"),
        (free, "FOO /x", "501"),
        (free, "OPTIONS /x", "200"),
    ];
    for (env, text, expected) in rows {
        assert_eq!(outcome(env, text), expected, "{text}");
    }
}

#[test]
fn a_forward_proxy_takes_what_is_not_its_own() {
    let main = Server {
        name: named("me:80"),
        ..Server::default()
    };
    let mut proxying = main.clone();
    proxying.proxy.requests = set(true);
    proxying.locations = vec![location("/", denied())];
    let (reverse, forward) = (with(main), with(proxying));
    for (env, text, expected) in [
        (
            forward,
            "GET http://other/%61",
            "proxy-server http://other/%61",
        ),
        (
            forward,
            "GET http://me:81/app",
            "proxy-server http://me:81/app",
        ),
        (forward, "GET https://me/app", "proxy-server https://me/app"),
        (forward, "GET http://me/app", "403"),
        (forward, "CONNECT other:443", "proxy-server other:443"),
        (forward, "GET /app", "403"),
        (reverse, "GET http://other/app", "proxy-server http://b/app"),
        (reverse, "GET http://other/%61", "404"),
    ] {
        assert_eq!(outcome(env, text), expected, "{text}");
    }
}

#[test]
fn hosts_that_are_none_are_refused() {
    let strict = env(
        config(
            Server {
                strict_host_check: set(true),
                ..Server::default()
            },
            vec![vhost("*:80", "a")],
        ),
        handlers(),
    );
    for (env, text, expected) in [
        (strict, "GET /app  Host: a", "proxy-server http://b/app"),
        (strict, "GET /app  Host: A.:80", "proxy-server http://b/app"),
        (strict, "GET /app  Host: b", "400"),
        (strict, "GET /app", "proxy-server http://b/app"),
        (with(Server::default()), "GET /app  Host: a,b", "400"),
        (with(Server::default()), "GET /app  Host: ", "400"),
        (with(Server::default()), "GET /app  Host: :80", "400"),
        (with(Server::default()), "GET http://user@a/app", "400"),
    ] {
        assert_eq!(outcome(env, text), expected, "{text}");
    }
}

#[test]
fn a_combination_is_merged_once_for_a_loop() {
    let env = with(Server {
        locations: vec![location("/app", granted()), location("~ x$", granted())],
        ..Server::default()
    });
    let (mut cache, mut route, peers) = (DirCache::new(), Route::default(), peers("192.0.2.1:80"));
    let mut seen = Vec::new();
    for path in [
        "GET /app/x",
        "GET /app/y",
        "GET /app/x?q",
        "GET /app/zx",
        "GET /app/",
    ] {
        locate(
            env,
            &super::testing::ME,
            &mut cache,
            &peers,
            &mut head(path),
            Moment::at(0),
            &mut route,
        )
        .unwrap();
        seen.push((
            std::ptr::from_ref(route.dir().unwrap()),
            route.dir().unwrap().locations.clone(),
        ));
    }
    assert_eq!(seen[0].1, [0, 1]);
    assert_eq!(seen[1].1, [0]);
    assert_eq!((seen[0].0, seen[1].0), (seen[2].0, seen[4].0));
    assert_eq!(seen[0].0, seen[3].0);
}

#[test]
fn combinations_without_end_are_right_and_not_kept() {
    let sections = (0..12).map(|at| location(&format!("~ k{at}z"), DirConfig::default()));
    let env = with(Server {
        locations: sections.collect(),
        ..Server::default()
    });
    let (mut cache, mut route, peers) = (DirCache::new(), Route::default(), peers("192.0.2.1:80"));
    for bits in 1_u32..1200 {
        let wanted: Vec<u16> = (0..12).filter(|at| bits >> at & 1 == 1).collect();
        let path: String = wanted.iter().map(|at| format!("/k{at}z")).collect();
        locate(
            env,
            &super::testing::ME,
            &mut cache,
            &peers,
            &mut head(&format!("GET /app{path}")),
            Moment::at(0),
            &mut route,
        )
        .unwrap();
        assert_eq!(route.dir().unwrap().locations, wanted);
    }
}

#[test]
fn self_references_follow_use_canonical_name() {
    let rows = [
        (
            false,
            false,
            "www.example.org",
            "GET /app  Host: Other.:8080",
            "other",
            8080,
        ),
        (
            false,
            false,
            "www.example.org",
            "GET /app  Host: other",
            "other",
            80,
        ),
        (
            false,
            false,
            "www.example.org:81",
            "GET /app  Host: other",
            "other",
            81,
        ),
        (
            false,
            false,
            "www.example.org",
            "GET /app",
            "www.example.org",
            80,
        ),
        (
            true,
            false,
            "www.example.org:81",
            "GET /app  Host: other:8080",
            "www.example.org",
            81,
        ),
        (
            false,
            true,
            "www.example.org",
            "GET /app  Host: other",
            "other",
            80,
        ),
    ];
    for (canonical, physical, name, text, host, port) in rows {
        use crate::config::model::UseCanonicalName;
        let env = with(Server {
            name: named(name),
            use_canonical_name: set(if canonical {
                UseCanonicalName::On
            } else {
                UseCanonicalName::Off
            }),
            use_canonical_physical_port: set(physical),
            ..Server::default()
        });
        let (route, _) = located(env, text);
        let (head, peers) = (head(text), peers("192.0.2.1:80"));
        let ask = ask(env, &head, &route, &peers);
        assert_eq!(
            (ask.server_name(), ask.server_port()),
            (host.as_bytes(), port),
            "{text}"
        );
    }
}

/// A server with a signature, as the golden pages have it.
fn signed(error_documents: Vec<ErrorDocument>) -> Config {
    let main = Server {
        name: named("www.example.org"),
        server_signature: set(Signature::On),
        location_defaults: DirConfig {
            error_documents,
            ..DirConfig::default()
        },
        ..Server::default()
    };
    config(main, Vec::new())
}

#[test]
fn error_documents_replace_built_in_pages() {
    let document = |status, page| ErrorDocument { status, page };
    let env = env(
        signed(vec![
            document(404, ErrorPage::Text("gone".into())),
            document(404, ErrorPage::Text("<p>nothing</p>".into())),
            document(401, ErrorPage::Redirect("https://login/".into())),
            document(403, ErrorPage::Redirect("https://sorry/?a&b".into())),
            document(500, ErrorPage::Path("/sorry".into())),
            document(502, ErrorPage::Text("gone".into())),
            document(502, ErrorPage::BuiltIn),
        ]),
        handlers(),
    );
    let (route, _) = located(env, "GET /app");
    let (head, peers) = (head("GET /app"), peers("192.0.2.1:80"));
    let ask = ask(env, &head, &route, &peers);
    let said = |code: u16| {
        let status = crate::http::Status::from_u16(code).unwrap();
        let answer = match errordoc::choose(&ask, Answer::error(&ask, status), None) {
            errordoc::Doc::Say(answer) => answer,
            errordoc::Doc::Internal(path, answer) => {
                return (answer.status.as_u16(), Some(path.to_owned()), "".into());
            }
        };
        let location = answer
            .fields
            .get(FieldId::Location)
            .map(|at| String::from_utf8_lossy(at).into_owned());
        let starts = String::from_utf8_lossy(&answer.body)
            .chars()
            .take(9)
            .collect::<String>();
        (answer.status.as_u16(), location, starts)
    };
    assert_eq!(said(404), (404, None, "<p>nothin".into()));
    assert_eq!(said(401), (401, None, "<!DOCTYPE".into()));
    assert_eq!(
        said(403),
        (302, Some("https://sorry/?a&b".into()), "<!DOCTYPE".into())
    );
    assert_eq!(said(500), (500, Some("/sorry".into()), String::new()));
    assert_eq!(said(502), (502, None, "<!DOCTYPE".into()));
    assert_eq!(said(503), (503, None, "<!DOCTYPE".into()));
    let own = Answer::text(crate::http::Status::NOT_FOUND, "mine");
    let errordoc::Doc::Say(own) = errordoc::choose(&ask, own, None) else {
        panic!("a handler's page stays")
    };
    assert_eq!(own.body, b"mine");
}
