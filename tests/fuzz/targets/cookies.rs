//! What a backend says of itself, said of us: `Set-Cookie`, `Location` and `Warning` with any bytes.
//!
//! Nothing that could split a message comes out, nothing grows beyond what the configuration adds, and what no entry maps stays as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tine::config::model::{CookieMap, DirConfig};
use tine::config::Place;
use tine::config::model::ProxyPassReverse;
use tine::http::{FieldId, Fields};
use tine::proxy::reverse::Mirror;

const MEMBERS: [&str; 2] = ["http://b.test/app", "http://b.test:81"];

fuzz_target!(|input: &[u8]| {
    // What codecs let through: the rest is refused before anybody looks at it.
    let is_value = |value: &&[u8]| value.iter().all(|&b| b == b'\t' || b >= b' ' && b != 0x7f);
    let mut values = input.split(|&b| b == b'\n').filter(is_value);
    let (location, warning) = (values.next().unwrap_or_default(), values.next().unwrap_or_default());
    let cookies: Vec<&[u8]> = values.take(8).collect();
    let mut fields = Fields::new();
    fields.push_id(FieldId::Date, b"Sun, 06 Nov 1994 08:49:37 GMT");
    fields.push_id(FieldId::Location, location);
    fields.push_id(FieldId::Warning, warning);
    for cookie in &cookies {
        fields.push_id(FieldId::SetCookie, cookie);
    }
    assert!(fields.is_clean());
    let dir = dir();
    Mirror {
        dir: &dir,
        members: &|_| MEMBERS.to_vec(),
        origin: &|| "http://public.test:8080".to_owned(),
        variable: &|_| None,
    }
    .rewrite(&mut fields);
    assert!(fields.is_clean());
    for (_, _, value) in fields.iter() {
        assert!(!value.iter().any(|b| b"\r\n\0".contains(b)));
    }
    let found = fields.get(FieldId::Location).expect("it stays");
    assert!(found.len() <= location.len() + 64);
    let kept = fields.all(FieldId::Warning).map(<[u8]>::len).sum::<usize>();
    assert!(kept <= 2 * warning.len());
    assert_eq!(fields.all(FieldId::SetCookie).count(), cookies.len());
    for (before, after) in cookies.iter().zip(fields.all(FieldId::SetCookie)) {
        check_cookie(before, after);
    }
});

/// Attributes stay in their places, and only those that an entry maps have another value.
fn check_cookie(before: &[u8], after: &[u8]) {
    let split = |cookie| <[u8]>::split(cookie, |&b: &u8| b == b';').collect::<Vec<_>>();
    let (before, after) = (split(before), split(after));
    assert_eq!(before.len(), after.len());
    for (old, new) in before.iter().zip(after) {
        if *old == new {
            continue;
        }
        let name = |attribute: &[u8]| {
            let end = attribute.iter().position(|&b| b == b'=').expect("it was mapped");
            attribute[..end].trim_ascii().to_ascii_lowercase()
        };
        assert_eq!(name(old), name(new));
        match name(old).as_slice() {
            b"path" => assert!(new.ends_with(b"=/out")),
            b"domain" => assert!(new.ends_with(b"=public.test")),
            other => panic!("{other:?} is nothing that is mapped"),
        }
    }
}

fn dir() -> DirConfig {
    let place = Place::new("fuzz", 1);
    let reverse = |path: &str, url: &str| ProxyPassReverse {
        path: path.to_owned(),
        url: url.to_owned(),
        interpolate: false,
        place: place.clone(),
    };
    let cookie = |internal: &str, public: &str| CookieMap {
        internal: internal.to_owned(),
        public: public.to_owned(),
        interpolate: false,
    };
    DirConfig {
        reverses: vec![
            reverse("/one", "http://b.test/app"),
            reverse("/two/", "balancer://pool/part/"),
            reverse("/", "balancer://pool"),
            reverse("/path", "/inner"),
        ],
        cookie_paths: vec![cookie("/in", "/out")],
        cookie_domains: vec![cookie("in.test", "public.test"), cookie(".", "public.test")],
        ..DirConfig::default()
    }
}
