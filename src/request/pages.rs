//! The built-in error pages: what a browser shows when nobody configured anything better.
//!
//! Responsible for: the HTML of an error or redirect, with httpd's structure and explanations, so that whatever
//! reads these pages today can go on. Not responsible for: statuses and fields (`answer`), or pages that an
//! ErrorDocument names (`errordoc`).
//!
//! Know first: a page never repeats the request's target, and everything else that came from outside is escaped.

use std::io::Write as _;

use crate::http::Status;

/// What a page is made of.
pub(super) struct Page<'a> {
    pub(super) status: Status,
    /// The reason phrase of the status line, which is also the heading.
    pub(super) reason: &'a str,
    /// The request method, for the explanations that name it.
    pub(super) method: &'a str,
    /// Where a redirect leads.
    pub(super) location: &'a [u8],
    /// HTML that explains this case further; only some explanations have a place for it.
    pub(super) notes: &'a str,
    /// ServerAdmin.
    pub(super) admin: &'a str,
    /// The ServerSignature, ready made; may be empty.
    pub(super) signature: &'a [u8],
}

/// The page as bytes.
pub(super) fn render(page: &Page<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(
        b"<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">\n<html><head>\n",
    );
    put(
        &mut out,
        format_args!(
            "<title>{} {}</title>\n</head><body>\n",
            page.status, page.reason
        ),
    );
    put(&mut out, format_args!("<h1>{}</h1>\n", page.reason));
    explain(&mut out, page);
    out.extend_from_slice(page.signature);
    out.extend_from_slice(END);
    out
}

/// What every page ends with.
const END: &[u8] = b"</body></html>\n";

/// Adds httpd's sentence about an ErrorDocument that failed to a page that ends with this signature.
pub(super) fn add_failure(page: &mut Vec<u8>, signature: &[u8], status: Status) {
    let tail = [signature, END].concat();
    let at = page.len() - if page.ends_with(&tail) { tail.len() } else { 0 };
    page.truncate(at);
    put(
        page,
        format_args!(
            "<p>Additionally, a {status} {}\nerror was encountered while trying to use an ErrorDocument to handle the \
             request.</p>\n",
            status.reason()
        ),
    );
    page.extend_from_slice(&tail);
}

/// The explanation of a status.
fn explain(out: &mut Vec<u8>, page: &Page<'_>) {
    let mut method = Vec::new();
    escape(&mut method, page.method.as_bytes());
    let method = String::from_utf8_lossy(&method);
    let notes = page.notes;
    match page.status.as_u16() {
        301 | 302 | 307 | 308 => link(out, "The document has moved", page.location),
        303 => link(out, "The answer to your request is located", page.location),
        400 => put(
            out,
            format_args!(
                "<p>Your browser sent a request that this server could not understand.<br />\n{notes}</p>\n"
            ),
        ),
        403 => put(
            out,
            format_args!("<p>You don't have permission to access this resource.{notes}</p>\n"),
        ),
        405 => put(
            out,
            format_args!("<p>The requested method {method} is not allowed for this URL.</p>\n"),
        ),
        411 => put(
            out,
            format_args!(
                "<p>A request of the requested method {method} requires a valid Content-length.<br />\n{notes}</p>\n"
            ),
        ),
        413 => put(
            out,
            format_args!(
                "The requested resource does not allow request data with {method} requests, or the amount of data \
                 provided in\nthe request exceeds the capacity limit.\n"
            ),
        ),
        414 => put(
            out,
            format_args!(
                "<p>The requested URL's length exceeds the capacity\nlimit for this server.<br />\n{notes}</p>\n"
            ),
        ),
        501 => put(
            out,
            format_args!("<p>{method} not supported for current URL.<br />\n{notes}</p>\n"),
        ),
        502 => put(
            out,
            format_args!(
                "<p>The proxy server received an invalid\r\nresponse from an upstream server.<br />\r\n{notes}</p>\n"
            ),
        ),
        code => match fixed(code) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => internal(out, page.admin),
        },
    }
}

/// Explanations that are the same for every request.
fn fixed(code: u16) -> Option<&'static str> {
    Some(match code {
        401 | 407 => {
            "<p>This server could not verify that you\nare authorized to access the document\nrequested.  Either you \
             supplied the wrong\ncredentials (e.g., bad password), or your\nbrowser doesn't understand how to \
             supply\nthe credentials required.</p>\n"
        }
        404 => "<p>The requested URL was not found on this server.</p>\n",
        406 => {
            "<p>An appropriate representation of the requested resource could not be found on this server.</p>\n"
        }
        408 => "<p>Server timeout waiting for the HTTP request from the client.</p>\n",
        410 => {
            "<p>The requested resource is no longer available on this server and there is no forwarding \
             address.\nPlease remove all references to this resource.</p>\n"
        }
        412 => "<p>The precondition on the request for this URL evaluated to false.</p>\n",
        415 => {
            "<p>The supplied request data is not in a format\nacceptable for processing by this resource.</p>\n"
        }
        416 => {
            "<p>None of the range-specifier values in the Range\nrequest-header field overlap the current extent\nof \
             the selected resource.</p>\n"
        }
        417 => "<p>Only the 100-continue expectation is supported.</p>\n",
        421 => {
            "<p>The client needs a new connection for this\nrequest as the requested host name does not match\nthe \
             Server Name Indication (SNI) in use for this\nconnection.</p>\n"
        }
        422 => {
            "<p>The server understands the media type of the\nrequest entity, but was unable to process \
             the\ncontained instructions.</p>\n"
        }
        423 => {
            "<p>The requested resource is currently locked.\nThe lock must be released or proper identification\n\
             given before the method can be applied.</p>\n"
        }
        424 => {
            "<p>The method could not be performed on the resource\nbecause the requested action depended on \
             another\naction and that other action failed.</p>\n"
        }
        426 => "<p>The requested resource can only be retrieved\nover another protocol.</p>\n",
        428 => "<p>The request is required to be conditional.</p>\n",
        429 => "<p>The user has sent too many requests\nin a given amount of time.</p>\n",
        431 => {
            "<p>The server refused this request because\nthe request header fields are too large.</p>\n"
        }
        451 => "<p>Access to this URL has been denied for legal reasons.<br />\n</p>\n",
        503 => {
            "<p>The server is temporarily unable to service your\nrequest due to maintenance downtime or \
             capacity\nproblems. Please try again later.</p>\n"
        }
        504 => {
            "<p>The gateway did not receive a timely response\nfrom the upstream server or application.</p>\n"
        }
        507 => {
            "<p>The method could not be performed on the resource\nbecause the server is unable to store \
             the\nrepresentation needed to successfully complete the\nrequest.  There is insufficient free space \
             left in\nyour storage allocation.</p>\n"
        }
        508 => {
            "<p>The server terminated an operation because\nit encountered an infinite loop.</p>\n"
        }
        510 => {
            "<p>A mandatory extension policy in the request is not\naccepted by the server for this resource.</p>\n"
        }
        511 => "<p>The client needs to authenticate to gain\nnetwork access.</p>\n",
        _ => return None,
    })
}

/// What httpd says about 500 and every status without an explanation of its own.
fn internal(out: &mut Vec<u8>, admin: &str) {
    out.extend_from_slice(
        b"<p>The server encountered an internal error or\nmisconfiguration and was unable to complete\nyour \
          request.</p>\n<p>Please contact the server administrator at \n ",
    );
    escape(out, admin.as_bytes());
    out.extend_from_slice(
        b" to inform them of the time this error occurred,\n and the actions you performed just before this \
          error.</p>\n<p>More information about this error may be available\nin the server error log.</p>\n",
    );
}

fn link(out: &mut Vec<u8>, text: &str, location: &[u8]) {
    put(out, format_args!("<p>{text} <a href=\""));
    escape(out, location);
    out.extend_from_slice(b"\">here</a>.</p>\n");
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("writing to a vector cannot fail");
}

/// Appends bytes of strangers to HTML.
pub fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            byte => out.push(byte),
        }
    }
}
