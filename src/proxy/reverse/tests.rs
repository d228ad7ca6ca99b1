//! Reference §3.7, §3.8 and §6.5 as tables; what httpd does was taken from httpd 2.4 itself.

use super::*;
use crate::config::{Place, Setting};

fn reverse(path: &str, url: &str) -> ProxyPassReverse {
    ProxyPassReverse {
        path: path.into(),
        url: url.into(),
        interpolate: false,
        place: Place::new("t", 1),
    }
}

fn cookie(internal: &str, public: &str) -> CookieMap {
    CookieMap {
        internal: internal.into(),
        public: public.into(),
        interpolate: false,
    }
}

fn rewritten(dir: &DirConfig, fields: &[(&str, &str)]) -> Vec<String> {
    let members = |name: &str| match name.to_ascii_lowercase().as_str() {
        "c" => vec!["http://a:8081", "http://b/app/"],
        _ => Vec::new(),
    };
    let mirror = Mirror {
        dir,
        members: &members,
        origin: &|| "http://h:99".to_owned(),
        variable: &|name| match name {
            "site" => Some(b"eu"),
            "evil" => Some(b"x;y"),
            _ => None,
        },
    };
    let mut head = Fields::new();
    for (name, value) in fields {
        head.push(name.as_bytes(), value.as_bytes());
    }
    mirror.rewrite(&mut head);
    let line = |(_, name, value): (FieldId, &[u8], &[u8])| {
        format!(
            "{}: {}",
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(value)
        )
    };
    head.iter().map(line).collect()
}

fn located(reverses: &[ProxyPassReverse], location: &str) -> String {
    let dir = DirConfig {
        reverses: reverses.to_vec(),
        ..DirConfig::default()
    };
    let [line] = rewritten(&dir, &[("Location", location)])
        .try_into()
        .unwrap();
    line.strip_prefix("Location: ").unwrap().to_owned()
}

#[test]
fn locations_that_lead_to_the_backend_lead_here() {
    let url = [reverse("/p", "http://back:8081/p")];
    let root = [reverse("/", "http://back/")];
    let path = [reverse("/o", "/other")];
    let absolute = [reverse("https://public/x/", "http://back/")];
    // (entries, Location, what the client gets)
    let table: [(&[ProxyPassReverse], &str, &str); 14] = [
        (&url, "http://back:8081/p/z", "http://h:99/p/z"),
        (&url, "HTTP://Back:8081/P/z?q#f", "http://h:99/p/z?q#f"),
        (&url, "http://back:8081/pz", "http://h:99/pz"),
        (&url, "/p/z", "/p/z"),
        (&url, "http://back:8081/", "http://back:8081/"),
        (&url, "https://back:8081/p/z", "https://back:8081/p/z"),
        (&root, "http://back/x", "http://h:99/x"),
        (&root, "http://back", "http://back"),
        (&path, "http://else/other/k", "http://h:99/o/k"),
        (&path, "/other/k", "http://h:99/o/k"),
        (&path, "http://else", "http://else"),
        (&path, "http://else/x/other", "http://else/x/other"),
        (&absolute, "http://back/y", "https://public/x/y"),
        (&[], "http://back/y", "http://back/y"),
    ];
    for (entries, location, expected) in table {
        assert_eq!(
            located(entries, location),
            expected,
            "{entries:?} {location}"
        );
    }
}

#[test]
fn the_first_entry_that_matches_wins() {
    let entries = [
        reverse("/one", "http://back/"),
        reverse("/two", "http://back/x"),
    ];
    assert_eq!(located(&entries, "http://back/x"), "http://h:99/onex");
}

#[test]
fn balancer_urls_match_any_member() {
    let whole = [reverse("/d/", "balancer://c/")];
    let bare = [reverse("/", "balancer://C")];
    let part = [reverse("/d", "balancer://c/y")];
    let table: [(&[ProxyPassReverse], &str, &str); 11] = [
        (&whole, "http://a:8081/q", "http://h:99/d//q"),
        (&whole, "http://b/app/q", "http://h:99/d/q"),
        (&whole, "http://c/q", "http://c/q"),
        (&part, "http://a:8081/y/k", "http://h:99/d/k"),
        (&part, "http://a:8081/yy", "http://h:99/dy"),
        (&part, "HTTP://A:8081/y", "http://h:99/d"),
        (&part, "http://a:8081/Y", "http://a:8081/Y"),
        (&part, "http://b/app/y/k", "http://h:99/d/k"),
        (&bare, "http://a:8081/q", "http://h:99/q"),
        (&bare, "http://b/app/q", "http://h:99/q"),
        (
            &[reverse("/", "balancer://unknown/")],
            "http://a:8081/q",
            "http://a:8081/q",
        ),
    ];
    for (entries, location, expected) in table {
        assert_eq!(
            located(entries, location),
            expected,
            "{entries:?} {location}"
        );
    }
}

#[test]
fn all_four_fields_are_mapped_and_no_other() {
    let dir = DirConfig {
        reverses: vec![reverse("/p", "http://back/p")],
        ..DirConfig::default()
    };
    for name in ["Location", "Content-Location", "URI", "Destination"] {
        assert_eq!(
            rewritten(&dir, &[(name, "http://back/p/z")]),
            [format!("{name}: http://h:99/p/z")]
        );
    }
    assert_eq!(
        rewritten(&dir, &[("Refresh", "0; url=http://back/p")]),
        ["Refresh: 0; url=http://back/p"]
    );
}

#[test]
fn cookies_get_the_public_domain_and_path() {
    let dir = DirConfig {
        cookie_domains: vec![cookie("backend.example.com", "public.example.com")],
        cookie_paths: vec![cookie("/p/", "/public/"), cookie("/p/x", "/never/")],
        ..DirConfig::default()
    };
    let table = [
        (
            "a=b; Path=/p/x; HttpOnly; domain=Backend.example.com",
            "a=b; Path=/public/; HttpOnly; domain=public.example.com",
        ),
        ("a=b; PATH=\"/p/x\"", "a=b; PATH=\"/p/x\""),
        ("path=/p/; a=b", "path=/public/; a=b"),
        ("a=b;path=/P/", "a=b;path=/P/"),
        ("a=b; path = /p/", "a=b; path = /p/"),
        (
            "a=b; path=/p/;Domain=backend.example.com.evil",
            "a=b; path=/public/;Domain=public.example.com",
        ),
        ("a=\"path=/p/\"; Secure", "a=\"path=/p/\"; Secure"),
        (
            "a=b; Domain=other.example.com",
            "a=b; Domain=other.example.com",
        ),
    ];
    for (value, expected) in table {
        assert_eq!(
            rewritten(&dir, &[("Set-Cookie", value)]),
            [format!("Set-Cookie: {expected}")]
        );
    }
}

#[test]
fn what_belongs_to_the_backends_connection_ends_here() {
    let kept = rewritten(
        &DirConfig::default(),
        &[
            ("Date", "Sunday, 06-Nov-94 08:49:37 GMT"),
            ("Server", "backend"),
            ("Connection", "X-Hop, Server"),
            ("X-Hop", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Upgrade", "h2c"),
            ("TE", "x"),
            ("Trailer", "x"),
            ("Proxy-Authenticate", "Basic realm=x"),
            ("Expires", "0"),
            ("Last-Modified", "Sun Nov  6 08:49:37 1994"),
        ],
    );
    assert_eq!(
        kept,
        [
            "Date: Sun, 06 Nov 1994 08:49:37 GMT",
            "Proxy-Authenticate: Basic realm=x",
            "Expires: 0",
            "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
        ]
    );
}

#[test]
fn variables_are_filled_in_where_both_switches_are_on() {
    let entry = |interpolate| ProxyPassReverse {
        interpolate,
        ..reverse("/${site}${none}${evil}/", "http://${site}.back/")
    };
    let map = |internal: &str, public: &str| CookieMap {
        interpolate: true,
        ..cookie(internal, public)
    };
    let dir = |is_on, interpolate| DirConfig {
        interpolate_env: Setting::new(is_on, &Place::new("t", 1)),
        reverses: vec![entry(interpolate)],
        cookie_paths: vec![map("/in/${site}", "/out/${site}")],
        cookie_domains: vec![map("${site}.in", "${evil}${site}.out")],
        ..DirConfig::default()
    };
    let fields = [
        ("Location", "http://eu.back/x"),
        ("Set-Cookie", "a=b; path=/in/eu/x; domain=eu.in"),
    ];
    assert_eq!(
        rewritten(&dir(true, true), &fields),
        [
            "Location: http://h:99/eu/x",
            "Set-Cookie: a=b; path=/out/eu; domain=eu.out"
        ]
    );
    let plain = fields.map(|(name, value)| format!("{name}: {value}"));
    assert_eq!(rewritten(&dir(false, true), &fields), plain);
    assert_eq!(
        rewritten(&dir(true, false), &fields).first(),
        Some(&plain[0])
    );
}
