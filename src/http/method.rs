//! Request methods (RFC 9110 §9).

use std::fmt;

/// A request method. Methods are case-sensitive tokens; any token is forwarded verbatim.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Method {
    /// GET
    #[default]
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
    /// CONNECT
    Connect,
    /// OPTIONS
    Options,
    /// TRACE
    Trace,
    /// PATCH
    Patch,
    /// Any other token, at most as long as the request line may be.
    Other(Box<str>),
}

impl Method {
    /// Reads a method, or `None` when the bytes are not a token (RFC 9110 §5.6.2).
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Some(match bytes {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"CONNECT" => Self::Connect,
            b"OPTIONS" => Self::Options,
            b"TRACE" => Self::Trace,
            b"PATCH" => Self::Patch,
            other => {
                if other.is_empty() || !other.iter().copied().all(super::fields::is_token_byte) {
                    return None;
                }
                Self::Other(std::str::from_utf8(other).ok()?.into())
            }
        })
    }

    /// The method as it stands in a request line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Patch => "PATCH",
            Self::Other(token) => token,
        }
    }

    /// Whether httpd knows the method: those of HTTP, WebDAV and DeltaV. Case matters.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        const WEBDAV: [&str; 18] = [
            "PROPFIND",
            "PROPPATCH",
            "MKCOL",
            "COPY",
            "MOVE",
            "LOCK",
            "UNLOCK",
            "VERSION-CONTROL",
            "CHECKOUT",
            "UNCHECKOUT",
            "CHECKIN",
            "UPDATE",
            "LABEL",
            "REPORT",
            "MKWORKSPACE",
            "MKACTIVITY",
            "BASELINE-CONTROL",
            "MERGE",
        ];
        match self {
            Self::Other(token) => WEBDAV.contains(&&**token),
            Self::Get
            | Self::Head
            | Self::Post
            | Self::Put
            | Self::Delete
            | Self::Connect
            | Self::Options
            | Self::Trace
            | Self::Patch => true,
        }
    }

    /// Whether repeating the request has the effect of sending it once (RFC 9110 §9.2.2).
    #[must_use]
    pub const fn is_idempotent(&self) -> bool {
        matches!(
            self,
            Self::Get | Self::Head | Self::Put | Self::Delete | Self::Options | Self::Trace
        )
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_token_is_a_method_and_nothing_else_is() {
        assert_eq!(Method::parse(b"GET"), Some(Method::Get));
        assert_eq!(Method::parse(b"get"), Some(Method::Other("get".into())));
        assert_eq!(
            Method::parse(b"M-SEARCH"),
            Some(Method::Other("M-SEARCH".into()))
        );
        for bad in [&b""[..], b"GE T", b"G\0T", b"GET:", b"\xff"] {
            assert_eq!(Method::parse(bad), None, "{bad:?}");
        }
    }
}
