//! Connection-specific fields: what must not travel past the next hop (RFC 9110 §7.6.1).
//!
//! Responsible for: taking them away before a message is forwarded. Not responsible for: the fields that our own
//! codecs never copy anyway (`Content-Length`, `Transfer-Encoding`): encoders write their own framing.
//!
//! Know first: a peer may *name* fields in `Connection`, and a proxy has to drop those. That is how clients made
//! proxies drop `X-Forwarded-For` (CVE-2022-31813). So what a backend decides by, and whatever the configuration has
//! set, stays whatever `Connection` says: framing and routing, who the client is and by which way it came, credentials,
//! and what tells requests of one site from those of another. DIVERGE: httpd has no such list.

use super::{FieldId, FieldSet, Fields};

/// Fields that a client can't have removed by naming them.
const PROTECTED: FieldSet = FieldSet::of(&[
    FieldId::Host,
    FieldId::ContentLength,
    FieldId::TransferEncoding,
    FieldId::ContentType,
    FieldId::ContentLocation,
    FieldId::Cookie,
    FieldId::SetCookie,
    FieldId::Authorization,
    FieldId::ProxyAuthorization,
    FieldId::WwwAuthenticate,
    FieldId::Referer,
    FieldId::Via,
    FieldId::XForwardedFor,
    FieldId::XForwardedHost,
    FieldId::XForwardedServer,
    FieldId::CacheControl,
    FieldId::MaxForwards,
    FieldId::Date,
    FieldId::Expect,
]);

/// Protected names that have no [`FieldId`].
const PROTECTED_NAMES: [&[u8]; 9] = [
    b"cf-connecting-ip",
    b"fastly-client-ip",
    b"forwarded",
    b"origin",
    b"true-client-ip",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-real-ip",
    b"x-request-id",
];

/// Beginnings of protected names that have no [`FieldId`].
const PROTECTED_BEGINNINGS: [&[u8]; 4] = [b"content-", b"sec-", b"x-forwarded-", b"x-original-"];

/// Fields of a request that end here, named in `Connection` or not.
const REQUEST: FieldSet = FieldSet::of(&[
    FieldId::Connection,
    FieldId::ProxyConnection,
    FieldId::KeepAlive,
    FieldId::Upgrade,
    FieldId::Trailer,
    FieldId::Te,
]);

/// Fields of a response that end here. DIVERGE: `Proxy-Authenticate` is among them in httpd, which leaves a 407
/// without its challenge; RFC 9110 §11.7.1 lets a proxy relay it.
const RESPONSE: FieldSet = FieldSet::of(&[
    FieldId::Connection,
    FieldId::ProxyConnection,
    FieldId::KeepAlive,
    FieldId::Upgrade,
    FieldId::Trailer,
    FieldId::Te,
]);

/// The options of all `Connection` lines; httpd splits at semicolons too.
pub fn options(fields: &Fields) -> impl Iterator<Item = &[u8]> {
    fields
        .all(FieldId::Connection)
        .flat_map(|value| value.split(|&b| b == b',' || b == b';'))
        .map(<[u8]>::trim_ascii)
        .filter(|option| !option.is_empty())
}

/// Whether `Connection` has this option, in any case.
#[must_use]
pub fn has_option(fields: &Fields, option: &[u8]) -> bool {
    options(fields).any(|found| found.eq_ignore_ascii_case(option))
}

/// Takes the connection-specific fields of a request away. `is_ours` tells the names that the configuration has
/// set, which `Connection` can't take away either.
pub fn strip_request(fields: &mut Fields, is_ours: impl Fn(&[u8]) -> bool) {
    strip_named(fields, is_ours);
    fields.remove_all(REQUEST);
}

/// Takes the connection-specific fields of a response away.
pub fn strip_response(fields: &mut Fields) {
    strip_named(fields, |_| false);
    fields.remove_all(RESPONSE);
}

fn strip_named(fields: &mut Fields, is_ours: impl Fn(&[u8]) -> bool) {
    // Nearly every Connection field says one of these, which name no field.
    let is_plain = |option: &[u8]| {
        option.eq_ignore_ascii_case(b"keep-alive") || option.eq_ignore_ascii_case(b"close")
    };
    if options(fields).all(is_plain) {
        return;
    }
    // A space separates names here as well, as in httpd; no name has one.
    let named: Vec<Vec<u8>> = options(fields)
        .flat_map(|option| option.split(u8::is_ascii_whitespace))
        .filter(|option| !option.is_empty() && !is_plain(option))
        .map(<[u8]>::to_vec)
        .collect();
    fields.retain(|id, name, _| {
        let is_named = named.iter().any(|other| other.eq_ignore_ascii_case(name));
        !is_named || is_protected(id, name) || is_ours(name)
    });
}

fn is_protected(id: FieldId, name: &[u8]) -> bool {
    let begins = |start: &&[u8]| {
        name.get(..start.len())
            .is_some_and(|front| front.eq_ignore_ascii_case(start))
    };
    PROTECTED.has(id)
        || PROTECTED_BEGINNINGS.iter().any(begins)
        || PROTECTED_NAMES
            .iter()
            .any(|other| other.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(fields: &Fields) -> Vec<String> {
        fields
            .iter()
            .map(|(_, name, _)| String::from_utf8_lossy(name).into_owned())
            .collect()
    }

    fn request(connection: &[&str]) -> Fields {
        let mut fields = Fields::new();
        for name in [
            "Host",
            "Keep-Alive",
            "X-Mine",
            "X-Theirs",
            "TE",
            "Upgrade",
            "X-Forwarded-For",
            "x-real-ip",
            "Authorization",
            "Proxy-Connection",
            "Trailer",
            "Accept",
        ] {
            fields.push(name.as_bytes(), b"v");
        }
        for value in connection {
            fields.push(b"connection", value.as_bytes());
        }
        fields
    }

    #[test]
    fn fixed_fields_go_and_the_rest_stays() {
        for connection in [&[][..], &["keep-alive"], &["Close, Keep-Alive"]] {
            let mut fields = request(connection);
            strip_request(&mut fields, |_| false);
            assert_eq!(
                names(&fields),
                [
                    "Host",
                    "X-Mine",
                    "X-Theirs",
                    "X-Forwarded-For",
                    "x-real-ip",
                    "Authorization",
                    "Accept"
                ]
            );
        }
    }

    #[test]
    fn named_fields_go_unless_they_are_protected_or_ours() {
        let mut fields = request(&[
            "x-theirs; X-MINE",
            "close,, host, X-Forwarded-For,X-Real-IP Accept\tAuthorization",
        ]);
        strip_request(&mut fields, |name| name.eq_ignore_ascii_case(b"X-Mine"));
        assert_eq!(
            names(&fields),
            [
                "Host",
                "X-Mine",
                "X-Forwarded-For",
                "x-real-ip",
                "Authorization",
            ]
        );
    }

    #[test]
    fn no_client_can_name_away_what_a_backend_decides_by() {
        let kept = [
            "Host",
            "Via",
            "Expect",
            "Max-Forwards",
            "Transfer-Encoding",
            "Content-Length",
            "Content-Type",
            "Content-Encoding",
            "content-md5",
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "Origin",
            "Referer",
            "Sec-Fetch-Site",
            "Forwarded",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-Server",
            "X-Forwarded-Proto",
            "X-Forwarded-Port",
            "X-Forwarded-Ssl",
            "X-Real-IP",
            "X-Client-IP",
            "True-Client-IP",
            "X-Cluster-Client-IP",
            "CF-Connecting-IP",
            "Fastly-Client-IP",
            "X-Original-URL",
            "X-Request-ID",
            "Cache-Control",
            "Date",
        ];
        for name in kept {
            let mut fields = Fields::new();
            fields.push(name.as_bytes(), b"v");
            fields.push(b"Connection", name.to_ascii_lowercase().as_bytes());
            strip_request(&mut fields, |_| false);
            assert_eq!(names(&fields), [name]);
        }
        for name in [
            "X-Mine",
            "Accept",
            "User-Agent",
            "Range",
            "If-None-Match",
            "X-Forward",
            "Contents",
            "Sec",
        ] {
            let mut fields = Fields::new();
            fields.push(name.as_bytes(), b"v");
            fields.push(b"Connection", name.as_bytes());
            strip_request(&mut fields, |_| false);
            assert!(fields.is_empty(), "{name}");
        }
    }

    #[test]
    fn responses_lose_their_hop_and_keep_the_challenge_of_a_407() {
        let mut fields = Fields::new();
        for (name, value) in [
            ("Connection", "X-Hop"),
            ("X-Hop", "1"),
            ("Proxy-Authenticate", "Basic"),
            ("Server", "s"),
            ("Upgrade", "h2c"),
        ] {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        strip_response(&mut fields);
        assert_eq!(names(&fields), ["Proxy-Authenticate", "Server"]);
    }
}
