//! How long a message's content is: RFC 9112 §6.3 as a table of pure functions.
//!
//! Responsible for: telling, from version, status and fields, where content ends, strictly. Not responsible for:
//! reading the content (`codec::http1`) or writing our own framing.
//!
//! Know first: request smuggling lives here. Two parsers that disagree about one of these rules let a client slip
//! a request past the first of them (CVE-2022-36760, CVE-2022-26377). So whatever is ambiguous is refused, and
//! where httpd tolerates something the connection closes afterwards.

use super::hop::has_option;
use super::{ContentSize, FieldId, FieldSet, Fields, Status, Version};

/// How the end of the content is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is no content.
    None,
    /// So many bytes follow.
    Length(u64),
    /// Chunks follow (RFC 9112 §7.1).
    Chunked,
    /// Everything until the connection closes is content; responses only.
    UntilClose,
    /// The connection is no longer HTTP after this head (101, or 2xx to CONNECT).
    Tunnel,
}

/// What the fields say about the content that follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// How the end is found.
    pub body: Body,
    /// What the head announces, for whoever forwards it.
    pub content: ContentSize,
    /// The framing is legal but dubious, or ends with the connection: it must not be used again.
    pub closes: bool,
}

/// Why the framing was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFraming {
    /// What a client is answered.
    pub status: Status,
    /// The rule that was broken, for the log.
    pub reason: &'static str,
}

impl BadFraming {
    const fn new(reason: &'static str) -> Self {
        Self {
            status: Status::BAD_REQUEST,
            reason,
        }
    }
}

/// Framing of a request.
///
/// # Errors
/// The fields contradict each other or name a coding that we don't decode.
pub fn request(version: Version, fields: &Fields) -> Result<Framing, BadFraming> {
    let has_length = fields.has(FieldId::ContentLength);
    if fields.has(FieldId::TransferEncoding) {
        if version == Version::Http10 {
            return Err(BadFraming::new("transfer coding in an HTTP/1.0 request"));
        }
        chunked_only(fields)?;
        // RFC 9112 §6.3 rule 3: a length beside chunks is ignored, and the connection is not trusted any more.
        return Ok(Framing {
            body: Body::Chunked,
            content: ContentSize::Unknown,
            closes: has_length,
        });
    }
    if !has_length {
        return Ok(NOTHING);
    }
    let mut lines = fields.all(FieldId::ContentLength);
    let length = lines.next().map_or(Err(BAD_LENGTH), content_length)?;
    // The RFC lets a recipient accept repeated equal lengths. httpd doesn't, and no honest client sends them.
    if lines.next().is_some() {
        return Err(BadFraming::new("more than one Content-Length"));
    }
    Ok(sized(length))
}

/// Framing of a final response. `is_head` and `is_connect` tell the method of the request that it answers.
///
/// # Errors
/// The fields contradict each other or name a coding that we don't decode.
pub fn response(
    version: Version,
    status: Status,
    is_head: bool,
    is_connect: bool,
    fields: &Fields,
) -> Result<Framing, BadFraming> {
    let code = status.as_u16();
    if status.opens_tunnel(is_connect) {
        return Ok(TUNNEL);
    }
    let announced = announced(version, fields)?;
    // RFC 9112 §6.3 rule 1: these never have content, whatever their fields say.
    if is_head || status.forbids_content() {
        let content = match announced.content {
            ContentSize::Length(_) if code == 204 || status.is_interim() => ContentSize::None,
            size @ ContentSize::Length(_) => size,
            ContentSize::None | ContentSize::Unknown => ContentSize::None,
        };
        return Ok(Framing {
            body: Body::None,
            content,
            closes: announced.closes && announced.body != Body::UntilClose,
        });
    }
    Ok(announced)
}

/// What a response's fields announce, whether or not it may have content.
fn announced(version: Version, fields: &Fields) -> Result<Framing, BadFraming> {
    let has_length = fields.has(FieldId::ContentLength);
    if fields.has(FieldId::TransferEncoding) {
        if version == Version::Http10 {
            return Err(BadFraming::new("transfer coding in an HTTP/1.0 response"));
        }
        chunked_only(fields)?;
        return Ok(Framing {
            body: Body::Chunked,
            content: ContentSize::Unknown,
            closes: has_length,
        });
    }
    if !has_length {
        return Ok(Framing {
            body: Body::UntilClose,
            content: ContentSize::Unknown,
            closes: true,
        });
    }
    // RFC 9112 §6.3 rule 5: repeated lengths are tolerated from a backend when all are the same.
    let mut length = None;
    for member in fields
        .all(FieldId::ContentLength)
        .flat_map(|value| value.split(|&b| b == b','))
    {
        let n = content_length(member.trim_ascii())?;
        if length.is_some_and(|other| other != n) {
            return Err(BadFraming::new("different Content-Length values"));
        }
        length = Some(n);
    }
    length.map(sized).ok_or(BAD_LENGTH)
}

const NOTHING: Framing = Framing {
    body: Body::None,
    content: ContentSize::None,
    closes: false,
};

const TUNNEL: Framing = Framing {
    body: Body::Tunnel,
    content: ContentSize::None,
    closes: true,
};

const BAD_LENGTH: BadFraming = BadFraming::new("malformed Content-Length");

const fn sized(length: u64) -> Framing {
    Framing {
        body: Body::Length(length),
        content: ContentSize::Length(length),
        closes: false,
    }
}

/// Holds when the transfer codings are exactly `chunked`, once.
fn chunked_only(fields: &Fields) -> Result<(), BadFraming> {
    let mut codings = 0;
    let mut chunked = 0;
    let mut is_last_chunked = false;
    for coding in fields
        .all(FieldId::TransferEncoding)
        .flat_map(|value| value.split(|&b| b == b','))
        .map(<[u8]>::trim_ascii)
    {
        if coding.is_empty() {
            return Err(BadFraming::new("empty transfer coding"));
        }
        is_last_chunked = coding.eq_ignore_ascii_case(b"chunked");
        codings += 1;
        chunked += usize::from(is_last_chunked);
    }
    match (codings, chunked, is_last_chunked) {
        (1, 1, _) => Ok(()),
        (_, 2.., _) => Err(BadFraming::new("chunked more than once")),
        (_, 1, false) => Err(BadFraming::new("chunked is not the last transfer coding")),
        _ => Err(BadFraming {
            status: Status::NOT_IMPLEMENTED,
            reason: "transfer coding other than chunked",
        }),
    }
}

/// A Content-Length value: digits, nothing else, below 2^64.
///
/// # Errors
/// The value is empty, has another byte, or is too large.
pub fn content_length(value: &[u8]) -> Result<u64, BadFraming> {
    if value.is_empty() {
        return Err(BAD_LENGTH);
    }
    let mut length = 0_u64;
    for &b in value {
        if !b.is_ascii_digit() {
            return Err(BAD_LENGTH);
        }
        length = length
            .checked_mul(10)
            .and_then(|n| n.checked_add(u64::from(b - b'0')))
            .ok_or(BadFraming::new("Content-Length is too large"))?;
    }
    Ok(length)
}

/// Whether the sender of a message lets the connection persist (RFC 9112 §9.3).
#[must_use]
pub fn keeps_alive(version: Version, fields: &Fields) -> bool {
    match version {
        Version::Http11 => !has_option(fields, b"close"),
        Version::Http10 => has_option(fields, b"keep-alive") && !has_option(fields, b"close"),
    }
}

/// Whether a field may stand in a trailer section (RFC 9110 §6.5.1): not when it is about framing, routing,
/// authentication, request modifiers or the content's form, since those were acted upon when the head was read.
#[must_use]
pub fn may_trail(id: FieldId, name: &[u8]) -> bool {
    const NEVER: FieldSet = FieldSet::of(&[
        FieldId::Host,
        FieldId::Connection,
        FieldId::ContentLength,
        FieldId::ContentType,
        FieldId::ContentLocation,
        FieldId::Cookie,
        FieldId::SetCookie,
        FieldId::TransferEncoding,
        FieldId::KeepAlive,
        FieldId::Expect,
        FieldId::Via,
        FieldId::XForwardedFor,
        FieldId::XForwardedHost,
        FieldId::XForwardedServer,
        FieldId::Location,
        FieldId::Upgrade,
        FieldId::Te,
        FieldId::Trailer,
        FieldId::ProxyConnection,
        FieldId::ProxyAuthorization,
        FieldId::ProxyAuthenticate,
        FieldId::Authorization,
        FieldId::WwwAuthenticate,
        FieldId::MaxForwards,
        FieldId::CacheControl,
        FieldId::Expires,
        FieldId::RetryAfter,
        FieldId::Date,
    ]);
    const NEVER_NAMES: [&[u8]; 12] = [
        b"age",
        b"authentication-info",
        b"content-encoding",
        b"content-range",
        b"forwarded",
        b"pragma",
        b"proxy",
        b"proxy-authentication-info",
        b"range",
        b"vary",
        b"x-real-ip",
        b"x-forwarded-proto",
    ];
    let is_condition = name.len() > 3
        && name
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"if-"));
    !NEVER.has(id)
        && !is_condition
        && !NEVER_NAMES
            .iter()
            .any(|never| never.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::new();
        for (name, value) in lines {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        fields
    }

    type Lines<'a> = &'a [(&'a str, &'a str)];

    const TE: &str = "Transfer-Encoding";
    const CL: &str = "content-length";

    #[test]
    fn requests_that_have_one_meaning_are_accepted() {
        let table: [(Lines<'_>, Body, bool); 8] = [
            (&[], Body::None, false),
            (&[(CL, "0")], Body::Length(0), false),
            (
                &[(CL, "18446744073709551615")],
                Body::Length(u64::MAX),
                false,
            ),
            (&[(CL, "007")], Body::Length(7), false),
            (&[(TE, "chunked")], Body::Chunked, false),
            (&[(TE, "Chunked")], Body::Chunked, false),
            // httpd ignores the length and closes: so do we, whatever the length says.
            (&[(TE, "chunked"), (CL, "5")], Body::Chunked, true),
            (&[(CL, "banana"), (TE, "chunked")], Body::Chunked, true),
        ];
        for (lines, body, closes) in table {
            let framing = request(Version::Http11, &fields(lines)).unwrap();
            assert_eq!((framing.body, framing.closes), (body, closes), "{lines:?}");
        }
    }

    #[test]
    fn requests_that_two_parsers_could_read_differently_are_refused() {
        let table: [(Lines<'_>, u16); 19] = [
            (&[(CL, "")], 400),
            (&[(CL, "+5")], 400),
            (&[(CL, "-0")], 400),
            (&[(CL, "0x10")], 400),
            (&[(CL, "5 5")], 400),
            (&[(CL, "5,5")], 400),
            (&[(CL, "18446744073709551616")], 400),
            (&[(CL, "5"), (CL, "5")], 400),
            (&[(CL, "5"), (CL, "6")], 400),
            (&[(TE, "")], 400),
            (&[(TE, "chunked,")], 400),
            (&[(TE, ",chunked")], 400),
            (&[(TE, "chunked, chunked")], 400),
            (&[(TE, "chunked"), (TE, "chunked")], 400),
            (&[(TE, "chunked, gzip")], 400),
            (&[(TE, "gzip, chunked")], 501),
            (&[(TE, "identity")], 501),
            (&[(TE, "xchunked")], 501),
            (&[(TE, "chunked;q=1")], 501),
        ];
        for (lines, status) in table {
            let bad = request(Version::Http11, &fields(lines)).unwrap_err();
            assert_eq!(bad.status.as_u16(), status, "{lines:?}");
        }
        assert!(request(Version::Http10, &fields(&[(TE, "chunked")])).is_err());
    }

    #[test]
    fn responses_follow_the_eight_rules() {
        let (ok, head, connect) = ((false, false), (true, false), (false, true));
        type Row<'a> = (u16, (bool, bool), Lines<'a>, Body, ContentSize, bool);
        let (none, unknown) = (ContentSize::None, ContentSize::Unknown);
        let five = ContentSize::Length(5);
        let table: [Row<'_>; 15] = [
            (200, ok, &[(CL, "5")], Body::Length(5), five, false),
            (200, ok, &[(CL, "5, 5")], Body::Length(5), five, false),
            (
                200,
                ok,
                &[(CL, "5"), (CL, "5")],
                Body::Length(5),
                five,
                false,
            ),
            (200, ok, &[], Body::UntilClose, unknown, true),
            (200, ok, &[(TE, "chunked")], Body::Chunked, unknown, false),
            (
                200,
                ok,
                &[(TE, "chunked"), (CL, "5")],
                Body::Chunked,
                unknown,
                true,
            ),
            (200, head, &[(CL, "5")], Body::None, five, false),
            (200, head, &[], Body::None, none, false),
            (200, head, &[(TE, "chunked")], Body::None, none, false),
            (304, ok, &[(CL, "5")], Body::None, five, false),
            (204, ok, &[(CL, "5")], Body::None, none, false),
            (204, ok, &[(TE, "chunked")], Body::None, none, false),
            (101, ok, &[(CL, "5")], Body::Tunnel, none, true),
            (200, connect, &[(TE, "chunked")], Body::Tunnel, none, true),
            (403, connect, &[(CL, "5")], Body::Length(5), five, false),
        ];
        for (code, (is_head, is_connect), lines, body, content, closes) in table {
            let status = Status::from_u16(code).unwrap();
            let framing =
                response(Version::Http11, status, is_head, is_connect, &fields(lines)).unwrap();
            assert_eq!(
                framing,
                Framing {
                    body,
                    content,
                    closes
                },
                "{code} {lines:?}"
            );
        }
    }

    #[test]
    fn responses_that_contradict_themselves_are_refused() {
        for lines in [
            &[(CL, "5"), (CL, "6")][..],
            &[(CL, "5,6")],
            &[(CL, "5,")],
            &[(CL, "five")],
            &[(TE, "gzip")],
            &[(TE, "chunked, gzip")],
        ] {
            let bad = response(Version::Http11, Status::OK, false, false, &fields(lines));
            assert!(bad.is_err(), "{lines:?}");
        }
        let old = response(
            Version::Http10,
            Status::OK,
            false,
            false,
            &fields(&[(TE, "chunked")]),
        );
        assert!(old.is_err());
    }

    #[test]
    fn persistence_depends_on_version_and_connection_options() {
        let table = [
            (Version::Http11, "", true),
            (Version::Http11, "Close", false),
            (Version::Http11, "upgrade , close", false),
            (Version::Http11, "closed", true),
            (Version::Http10, "", false),
            (Version::Http10, "Keep-Alive", true),
            (Version::Http10, "keep-alive, close", false),
        ];
        for (version, options, keeps) in table {
            let fields = fields(&[("Connection", options)]);
            assert_eq!(keeps_alive(version, &fields), keeps, "{version} {options}");
        }
    }

    #[test]
    fn trailers_may_not_reframe_reroute_or_log_in() {
        for bad in [
            "Content-Length",
            "Transfer-Encoding",
            "host",
            "Authorization",
            "If-Match",
            "X-Forwarded-For",
            "Content-Encoding",
        ] {
            assert!(
                !may_trail(FieldId::of(bad.as_bytes()), bad.as_bytes()),
                "{bad}"
            );
        }
        for good in ["X-Checksum", "Server-Timing", "grpc-status", "ETag"] {
            assert!(
                may_trail(FieldId::of(good.as_bytes()), good.as_bytes()),
                "{good}"
            );
        }
    }
}
