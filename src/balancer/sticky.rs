//! Sticky sessions: which route a client asks to come back to.
//!
//! Responsible for: finding the session in a request's URL or cookies, and the route in the session. Not responsible for which member
//! that is (`route` does that), nor for making sessions: the backend's cookie, or a `Header` line with `BALANCER_WORKER_ROUTE`, does.
//!
//! Know first: `stickysession=JSESSIONID|jsessionid` names a cookie and a URL parameter. Their value is `session.route`; the route is
//! what follows the first `stickysessionsep`. The URL is looked at first, as in mod_proxy_balancer.
//!
//! DIVERGE: httpd finds the name anywhere in the URL, so that a client that can add `?XJSESSIONID=.b` to a link moves another's
//! session. Here a parameter begins after `?`, `&` or `;`, and a cookie after the start, `;` or `,`.

use crate::config::model::{BalancerParams, Separator, Sticky};
use crate::http::{FieldId, Fields};

/// A session found in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session<'a> {
    /// The name it was found under: `BALANCER_SESSION_STICKY`.
    pub name: &'a str,
    /// The whole value.
    pub value: &'a [u8],
    /// The route in it, never empty: `BALANCER_SESSION_ROUTE`.
    pub route: Option<&'a [u8]>,
}

/// Finds the session of a request for `path_and_query`.
#[must_use]
pub fn find_session<'a>(
    params: &'a BalancerParams,
    path_and_query: &'a [u8],
    fields: &'a Fields,
) -> Option<Session<'a>> {
    let Sticky {
        cookie,
        url_parameter,
    } = params.sticky.get()?;
    let ends: &[u8] = if params.semicolon_ends_value.or(false) {
        b"?&;"
    } else {
        b"?&"
    };
    let in_url = || {
        find_parameter(path_and_query, url_parameter.as_bytes(), ends)
            .map(|value| (url_parameter, value))
    };
    let in_cookies = || {
        fields
            .all(FieldId::Cookie)
            .find_map(|line| find_cookie(line, cookie.as_bytes()))
            .map(|value| (cookie, value))
    };
    let (name, value) = in_url().or_else(in_cookies)?;
    Some(Session {
        name,
        value,
        route: route_of(value, params.sticky_separator.or(Separator::Byte(b'.'))),
    })
}

/// The first non-empty value of the parameter `name`.
fn find_parameter<'a>(url: &'a [u8], name: &[u8], ends: &[u8]) -> Option<&'a [u8]> {
    // Cutting at every delimiter finds where parameters begin; the value may run over a `;` that does not end it.
    let starts = memchr::memchr3_iter(b'?', b'&', b';', url);
    starts
        .filter_map(|at| {
            let value = url.get(at + 1..)?.strip_prefix(name)?.strip_prefix(b"=")?;
            value.split(|byte| ends.contains(byte)).next()
        })
        .find(|value| !value.is_empty())
}

/// The first non-empty value of the cookie `name` in one field line.
fn find_cookie<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    line.split(|byte| matches!(byte, b';' | b','))
        .filter_map(|pair| {
            let rest = pair.trim_ascii().strip_prefix(name)?;
            Some(rest.trim_ascii_start().strip_prefix(b"=")?.trim_ascii())
        })
        .find(|value| !value.is_empty())
}

/// The route in a session's value: what follows the first separator.
fn route_of(value: &[u8], separator: Separator) -> Option<&[u8]> {
    let route = match separator {
        Separator::Off => value,
        Separator::Byte(byte) => value.get(memchr::memchr(byte, value)? + 1..)?,
    };
    (!route.is_empty()).then_some(route)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Place, Setting};

    fn sticky(text: &str) -> BalancerParams {
        let (cookie, url_parameter) = text.split_once('|').unwrap_or((text, text));
        let sticky = Sticky {
            cookie: cookie.to_owned(),
            url_parameter: url_parameter.to_owned(),
        };
        BalancerParams {
            sticky: Setting::new(sticky, &Place::new("t", 1)),
            ..BalancerParams::default()
        }
    }

    /// `name route` of the session found, or nothing.
    fn found(params: &BalancerParams, url: &str, cookies: &[&str]) -> String {
        let mut fields = Fields::new();
        for cookie in cookies {
            fields.push(b"Cookie", cookie.as_bytes());
        }
        match find_session(params, url.as_bytes(), &fields) {
            None => String::new(),
            Some(session) => format!(
                "{} {}",
                session.name,
                String::from_utf8_lossy(session.route.unwrap_or(b"-"))
            ),
        }
    }

    #[test]
    fn the_url_parameter_wins_over_the_cookie() {
        let both = sticky("JSESSIONID|jsessionid");
        let table = [
            ("/a", "JSESSIONID=1.r1", "JSESSIONID r1"),
            ("/a;jsessionid=1.r2", "JSESSIONID=1.r1", "jsessionid r2"),
            ("/a?jsessionid=1.r2", "JSESSIONID=1.r1", "jsessionid r2"),
            ("/a?x=y&jsessionid=1.r2&z", "", "jsessionid r2"),
            ("/a;jsessionid=1.r2?x=y", "", "jsessionid r2"),
            ("/a?JSESSIONID=1.r2", "", ""),
            ("/a?jsessionid=", "JSESSIONID=1.r1", "JSESSIONID r1"),
            ("/a?jsessionid=&jsessionid=1.r3", "", "jsessionid r3"),
            ("/a?jsessionid=noroute", "JSESSIONID=1.r1", "jsessionid -"),
        ];
        for (url, cookie, expected) in table {
            assert_eq!(found(&both, url, &[cookie]), expected, "{url} {cookie}");
        }
    }

    #[test]
    fn names_match_as_whole_tokens() {
        let params = sticky("SID");
        for (url, cookie) in [
            ("/a?XSID=1.evil", ""),
            ("/SID=1.evil", ""),
            ("/a?SIDX=1.evil", ""),
            ("/a", "XSID=1.evil"),
            ("/a", "x=y SID=1.evil"),
            ("/a", "SIDX=1.evil"),
            ("/a", "SID"),
        ] {
            assert_eq!(found(&params, url, &[cookie]), "", "{url} {cookie}");
        }
    }

    #[test]
    fn cookies_are_found_in_any_place_and_line() {
        let params = sticky("SID");
        for cookies in [
            &["SID=1.r1"][..],
            &["a=b; SID=1.r1; c=d"],
            &["a=b,SID = 1.r1 ,c=d"],
            &["a=b", "SID=1.r1"],
            &["SID=", "SID=1.r1"],
            &["a=b;SID=1.r1"],
        ] {
            assert_eq!(found(&params, "/", cookies), "SID r1", "{cookies:?}");
        }
    }

    #[test]
    fn stickysessionsep_is_the_first_of_its_kind_or_off() {
        let mut params = sticky("SID");
        assert_eq!(found(&params, "/", &["SID=a.b.c"]), "SID b.c");
        assert_eq!(found(&params, "/", &["SID=abc."]), "SID -");
        let place = Place::new("t", 1);
        params.sticky_separator = Setting::new(Separator::Byte(b'!'), &place);
        assert_eq!(found(&params, "/", &["SID=a.b!c"]), "SID c");
        params.sticky_separator = Setting::new(Separator::Off, &place);
        assert_eq!(found(&params, "/", &["SID=a.b!c"]), "SID a.b!c");
    }

    #[test]
    fn scolonpathdelim_ends_the_value_at_a_semicolon() {
        let mut params = sticky("SID");
        assert_eq!(found(&params, "/a;SID=1.r1;v=2", &[]), "SID r1;v=2");
        params.semicolon_ends_value = Setting::new(true, &Place::new("t", 1));
        assert_eq!(found(&params, "/a;SID=1.r1;v=2", &[]), "SID r1");
    }

    #[test]
    fn without_stickysession_there_are_no_sessions() {
        assert_eq!(found(&BalancerParams::default(), "/;SID=1.r1", &[]), "");
    }
}
