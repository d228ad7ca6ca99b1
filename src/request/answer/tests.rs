//! Golden pages: `tests/golden/pages/`. `BLESS=1` writes them anew.

use std::fs;
use std::path::Path;

use super::super::testing::{ask, config, env, head, located, named, peers, set};
use super::super::{Failure, FailureKind, Side};
use super::*;
use crate::config::model::{Server, Signature};

/// A server with a signature.
fn signed(signature: Signature) -> &'static super::super::Env {
    let main = Server {
        name: named("www.example.org"),
        server_signature: set(signature),
        server_tokens: set(crate::config::model::ServerTokens::Prod),
        admin: set("webmaster@example.org".to_owned()),
        ..Server::default()
    };
    env(config(main, Vec::new()), Vec::new())
}

/// What the answer to a request says: reason, fields, content.
fn said(signature: Signature, text: &str, make: impl FnOnce(&Ask<'_>) -> Box<Answer>) -> String {
    let env = signed(signature);
    let (route, _) = located(env, text);
    let (head, peers) = (head(text), peers("192.0.2.1:80"));
    let answer = make(&ask(env, &head, &route, &peers));
    let mut out = format!(
        "{} {}{}\n",
        answer.status,
        answer.reason,
        if answer.close { " (close)" } else { "" }
    );
    for (_, name, value) in answer.fields.iter() {
        out.push_str(&format!(
            "{}: {}\n",
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(value)
        ));
    }
    out.push('\n');
    out.push_str(&String::from_utf8_lossy(&answer.body));
    out
}

fn golden(name: &str, said: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/pages")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, said).unwrap();
    }
    let expected =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(said, expected, "{name}");
}

#[test]
fn every_status_has_its_page() {
    let codes = [
        400, 401, 403, 404, 405, 406, 407, 408, 410, 411, 412, 413, 414, 415, 416, 417, 421, 426,
        429, 431, 500, 501, 502, 503, 504, 505,
    ];
    for code in codes {
        let status = Status::from_u16(code).unwrap();
        let page = said(Signature::On, "GET /<b>  Host: h:8080", |ask| {
            Answer::error(ask, status)
        });
        golden(&format!("{code}.txt"), &page);
    }
}

#[test]
fn special_pages() {
    let text = "BREW /  Host: h";
    let off = Signature::Off;
    golden(
        "302.txt",
        &said(Signature::Email, text, |ask| {
            Answer::redirect(ask, Status::FOUND, b"http://h/?a=\"b\"&c")
        }),
    );
    golden(
        "303.txt",
        &said(off, text, |ask| {
            Answer::redirect(ask, Status::SEE_OTHER, b"/x")
        }),
    );
    golden(
        "501-brew.txt",
        &said(off, text, |ask| Answer::error(ask, Status::NOT_IMPLEMENTED)),
    );
    golden(
        "400-max-forwards.txt",
        &said(off, text, |ask| {
            Answer::proxy_error(
                ask,
                Status::BAD_REQUEST,
                "Max-Forwards has reached zero - proxy loop?",
            )
        }),
    );
    golden(
        "502-proxy.txt",
        &said(Signature::On, text, |ask| {
            Failure::new(Side::Backend, FailureKind::Closed, "secret detail").answer(ask)
        }),
    );
}

#[test]
fn pages_never_repeat_the_target() {
    for code in 400..=511 {
        let Some(status) = Status::from_u16(code) else {
            continue;
        };
        let page = said(Signature::On, "GET /needle?needle  Host: h", |ask| {
            Answer::error(ask, status)
        });
        assert!(!page.contains("needle"), "{code}");
    }
}

#[test]
fn a_trace_repeats_the_request_without_its_secrets() {
    let text = "TRACE /x?y  Host: h  X-A: b  X-A: c  Cookie: secret  Authorization: secret";
    let page = said(Signature::Off, text, Answer::trace);
    assert!(
        page.starts_with("200 \nContent-Type: message/http\n\n"),
        "{page}"
    );
    assert!(
        page.ends_with("TRACE /x?y HTTP/1.1\r\nHost: h\r\nX-A: b\r\nX-A: c\r\n\r\n"),
        "{page}"
    );
}

#[test]
fn a_location_that_could_split_the_response_is_refused() {
    let page = said(Signature::Off, "GET /", |ask| {
        Answer::redirect(ask, Status::FOUND, b"/x\r\nSet-Cookie: a")
    });
    assert!(page.starts_with("500"), "{page}");
    assert!(!page.contains("Set-Cookie"));
}
