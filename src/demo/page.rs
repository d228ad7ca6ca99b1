//! What a backend of the demo answers.
//!
//! Responsible for: one line of text for curl, a page for a browser (by Accept), a picture, a redirect. Everything that came with the request
//! is escaped before it is shown.

use super::cast::{Part, Role};
use crate::http::{RequestHead, Status};
use crate::request::pages::escape;
use std::net::SocketAddr;

/// A request, and who was asked.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) head: &'a RequestHead,
    pub(super) part: &'static Part,
    /// The server's address.
    pub(super) front: SocketAddr,
    /// The backend's own address.
    pub(super) own: SocketAddr,
    /// Which request of this backend it is.
    pub(super) count: u64,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: Status,
    pub(super) media_type: &'static str,
    pub(super) location: Option<String>,
    pub(super) content: String,
}

const HTML: &str = "text/html; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Answer a request.
pub(super) fn answer(asked: &Asked<'_>) -> Page {
    let wants_html = wants_html(asked.head);
    let path = asked.head.target.path();
    let (media_type, content) = match (asked.part.role, wants_html) {
        _ if path == b"/moved" => return moved(asked),
        (Role::Images, _) if path.ends_with(b".svg") => ("image/svg+xml", picture(asked)),
        (Role::Start, true) => (HTML, start(asked)),
        (Role::Start, false) => (PLAIN, format!("{}{}", line(asked), list(asked.front))),
        (_, true) => (HTML, shown(asked)),
        (_, false) => (PLAIN, line(asked)),
    };
    Page {
        status: Status::OK,
        media_type,
        location: None,
        content,
    }
}

/// Browsers name text/html; curl takes anything.
fn wants_html(head: &RequestHead) -> bool {
    let accept = head.fields.find(b"Accept").unwrap_or_default();
    memchr::memmem::find(accept, b"text/html").is_some()
}

fn line(asked: &Asked<'_>) -> String {
    format!(
        "{} pid {} request {}\n",
        asked.part.name,
        std::process::id(),
        asked.count
    )
}

/// A redirect to the backend's own address, as applications do it that know nothing of the proxy before them.
fn moved(asked: &Asked<'_>) -> Page {
    Page {
        status: Status::FOUND,
        media_type: PLAIN,
        location: Some(format!("http://{}/arrived", asked.own)),
        content: format!("moved to http://{}/arrived\n", asked.own),
    }
}

const LINKS: [(&str, &str); 7] = [
    (
        "/apps/",
        "balancer://foo: php1 and php2 by traffic, 1 to 4, phpbkup standing by",
    ),
    (
        "/serv/",
        "balancer://javaapps: tc1 and tc2 by requests, 1 to 4",
    ),
    ("/images/fork.svg", "a single backend"),
    (
        "/apps/moved",
        "a redirect to the backend's own address, which ProxyPassReverse maps back",
    ),
    ("/balancer-manager", "the members, as the server sees them"),
    ("/server-status", "the scoreboard as a page"),
    ("/server-status?auto", "the same for programs"),
];

fn list(front: SocketAddr) -> String {
    let rows = LINKS
        .iter()
        .map(|(path, what)| format!("http://{front}{path:<21} {what}\n"));
    rows.collect()
}

fn start(asked: &Asked<'_>) -> String {
    let rows = LINKS.iter().map(|(path, what)| {
        format!("<tr><td><a href=\"{path}\">{path}</a></td><td>{what}</td></tr>\n")
    });
    let rows: String = rows.collect();
    let body = format!(
        "<h1>tine --demo</h1>\n\
         <p>This page came through tine from a backend of its own. Open a link several times and see who answers; stop a backend \
         with the command in the terminal and see who takes over.</p>\n<table>\n{rows}</table>\n"
    );
    html(asked, "tine --demo", &body)
}

/// Who answered, and what arrived there.
fn shown(asked: &Asked<'_>) -> String {
    let head = asked.head;
    let request_line = [head.method.as_str().as_bytes(), b" ", head.target.raw()].concat();
    let mut rows = row("request", &request_line);
    for (_, name, value) in head.fields.iter() {
        rows.push_str(&row(&String::from_utf8_lossy(name), value));
    }
    let name = asked.part.name;
    let again = asked.part.role.path();
    let body = format!(
        "<h1>{name}</h1>\n<p>process {}, request {} of this backend. <a href=\"{again}\">Again</a> · <a href=\"/\">Back</a></p>\n\
         <h2>What arrived here</h2>\n<table>\n{rows}</table>\n",
        std::process::id(),
        asked.count,
    );
    html(asked, name, &body)
}

fn row(name: &str, value: &[u8]) -> String {
    format!(
        "<tr><td>{}</td><td>{}</td></tr>\n",
        escaped(name.as_bytes()),
        escaped(value)
    )
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    escape(&mut out, bytes);
    String::from_utf8_lossy(&out).into_owned()
}

/// A colour for each backend, so that a change shows from afar.
fn colour(asked: &Asked<'_>) -> &'static str {
    match asked.part.name {
        "php1" | "tc1" => "#0b6e4f",
        "php2" | "tc2" => "#1d4e89",
        "phpbkup" => "#9a5b00",
        _ => "#444",
    }
}

fn html(asked: &Asked<'_>, title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:52em;margin:3em auto;padding:0 1em}}\
         h1{{color:{}}}td{{padding:.2em 1em .2em 0;vertical-align:top;word-break:break-word}}</style></head>\n\
         <body>\n{body}</body></html>\n",
        colour(asked)
    )
}

/// A fork, for its prongs are tines.
fn picture(asked: &Asked<'_>) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 80 160\" width=\"160\" height=\"320\">\
         <g fill=\"none\" stroke=\"{}\" stroke-width=\"7\" stroke-linecap=\"round\">\
         <path d=\"M16 10v42q0 20 24 20t24-20V10M32 10v40M48 10v40M40 72v80\"/></g>\
         <title>request {}</title></svg>\n",
        colour(asked),
        asked.count
    )
}

#[cfg(test)]
mod tests {
    use super::super::cast::CAST;
    use super::*;

    fn ask(name: &str, path: &str, accept: &str) -> Page {
        let mut head = RequestHead::default();
        head.target.assign(path.as_bytes(), false).expect("a path");
        head.fields.push(b"Accept", accept.as_bytes());
        head.fields.push(b"X-Test", b"<script>");
        answer(&Asked {
            head: &head,
            part: CAST.iter().find(|part| part.name == name).expect("known"),
            front: SocketAddr::from(([127, 0, 0, 1], 8080)),
            own: SocketAddr::from(([127, 0, 0, 1], 9001)),
            count: 3,
        })
    }

    const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

    #[test]
    fn the_kind_of_answer_follows_accept() {
        let pid = std::process::id();
        for name in ["php1", "phpbkup", "tc2", "images"] {
            let page = ask(name, "/", "*/*");
            assert_eq!(page.content, format!("{name} pid {pid} request 3\n"));
            assert_eq!(page.media_type, PLAIN);
            let page = ask(name, "/", BROWSER);
            assert!(page.content.contains(&format!("<h1>{name}</h1>")));
            assert_eq!(page.media_type, HTML);
        }
        assert_eq!(
            ask("images", "/fork.svg", BROWSER).media_type,
            "image/svg+xml"
        );
    }

    #[test]
    fn the_start_page_links_everything() {
        let page = ask("start", "/", BROWSER).content;
        let text = ask("start", "/", "*/*").content;
        for (path, _) in LINKS {
            assert!(page.contains(&format!("<a href=\"{path}\">")), "{path}");
            assert!(
                text.contains(&format!("http://127.0.0.1:8080{path} ")),
                "{path}"
            );
        }
    }

    #[test]
    fn what_came_with_the_request_is_escaped() {
        let page = ask("php1", "/a?<b>&\"", BROWSER).content;
        assert!(
            !page.contains("<script>") && !page.contains("<b>"),
            "{page}"
        );
        assert!(page.contains("&lt;script&gt;"), "{page}");
    }

    #[test]
    fn a_redirect_names_the_backend_itself() {
        let page = ask("php2", "/moved", "*/*");
        assert_eq!(page.status, Status::FOUND);
        assert_eq!(
            page.location.as_deref(),
            Some("http://127.0.0.1:9001/arrived")
        );
    }
}
