//! The same configuration and the same requests through httpd and through tine, and what differs. `scripts/against-httpd` runs it.
//!
//! Responsible for: both servers, a backend that remembers what it saw, and the comparison of statuses, fields, contents and of what
//! reached the backend. Not responsible for judging: a difference that is meant stands in the suite's `.known` file, with its reason.
//!
//! Know first: `suite` says what the files look like. Every request is sent on a connection of its own, after which the client half-closes.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a tool for developers: it waits, starts threads and prints"
)]

#[path = "../it/harness/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the integration tests use the rest"
)]
mod harness;
mod suite;

use harness::client::Broken;
use harness::httpd::Program;
use harness::origin::Seen;
use harness::{Call, DeadPort, Files, Origin, Response, Setup};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use suite::{Request, Script, Suite};

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let suites = match arguments.as_slice() {
        [] => suite::shipped(),
        [cases] => vec![Suite::of_cases(cases)],
        [conf, requests] => vec![Suite::of_pair(conf, requests)],
        _ => {
            eprintln!("usage: against [CASES | CONF REQUESTS]");
            return ExitCode::FAILURE;
        }
    };
    let Some(httpd) = httpd_program() else {
        eprintln!("against: there is no apache2 and no httpd here");
        return ExitCode::FAILURE;
    };
    let differences: usize = suites.iter().map(|suite| compare(&httpd, suite)).sum();
    if differences == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn httpd_program() -> Option<Program> {
    let places = [
        "/usr/sbin/apache2",
        "/usr/sbin/httpd",
        "/usr/local/apache2/bin/httpd",
    ];
    let place = places.into_iter().find(|place| Path::new(place).exists())?;
    Some(Program::Httpd(place.to_owned()))
}

/// Runs one suite through both, prints what differs, and returns how many differences are not known.
fn compare(httpd: &Program, suite: &Suite) -> usize {
    println!("{}: {} requests", suite.name, suite.len());
    let files = files();
    let dead = DeadPort::new();
    let mut unknown = 0;
    for case in &suite.cases {
        let conf = case
            .conf
            .replace("@FILES@", &files.path())
            .replace("@DEAD@", &dead.url());
        let theirs = run(httpd, &conf, &case.requests, &suite.codes);
        let ours = run(&Program::Tine, &conf, &case.requests, &suite.codes);
        let mut tell = |name: &str, difference: String| {
            if !suite.known.has(name, &difference) {
                unknown += 1;
                println!("  {name}:\n    {difference}");
            }
        };
        if theirs.said != ours.said {
            let (theirs, ours) = (&theirs.said, &ours.said);
            let difference = format!("said at start: httpd {theirs:?}, tine {ours:?}");
            tell(&case.name, difference);
        }
        let pairs = theirs.outcomes.iter().zip(&ours.outcomes);
        for (request, (theirs, ours)) in case.requests.iter().zip(pairs) {
            for difference in differing(theirs, ours) {
                tell(&request.name, difference);
            }
        }
    }
    for entry in suite.known.unused() {
        println!("  known, but not seen: {entry}");
    }
    unknown
}

/// What came of one case.
struct Run {
    /// The codes of messages at start that the suite asks for.
    said: Vec<String>,
    outcomes: Vec<Outcome>,
}

/// The files that suites may serve.
const FILES: &[(&str, &str)] = &[
    ("index.html", "<h1>root</h1>\n"),
    ("page.html", "<p>a page</p>\n"),
    ("empty.txt", ""),
    ("no_ending", "who knows\n"),
    ("data.json", "{}\n"),
    ("UPPER.HTML", "<p>loud</p>\n"),
    ("two.tar.gz", "not really\n"),
    ("with space.txt", "a space\n"),
    (".htsecret", "secret\n"),
    ("dir/index.html", "<h1>dir</h1>\n"),
    ("bare/page.html", "no index beside it\n"),
    ("shut/page.html", "nobody sees it\n"),
    ("shut/open/page.html", "somebody sees it\n"),
    ("errors/404.html", "<h1>nothing here</h1>\n"),
    ("errors/503.txt", "back soon\n"),
];

fn files() -> Files {
    let files = Files::new(FILES);
    for (name, leads_to) in [
        ("inside.html", "page.html"),
        ("outside.txt", "/etc/hostname"),
        ("linked", "errors"),
        ("shut/link.html", "../page.html"),
        ("shut/open/link.html", "../../page.html"),
    ] {
        std::os::unix::fs::symlink(leads_to, files.at(name)).expect("our own directory");
    }
    files
}

/// What came of one request.
struct Outcome {
    responses: Vec<Response>,
    /// How the connection ended.
    end: String,
    seen: Vec<Seen>,
    /// The codes of messages in the error log that the suite asks for.
    logged: Vec<String>,
    /// What to write instead of ports and paths, which differ from run to run.
    names: Vec<(String, &'static str)>,
}

fn run(program: &Program, conf: &str, requests: &[Request], codes: &[String]) -> Run {
    let script = Arc::new(Mutex::new(None::<Script>));
    let origin = |name: &str| {
        let script = Arc::clone(&script);
        Origin::start(name, move |call| {
            let scripted = script.lock().expect("no panic while held").clone();
            match scripted {
                Some(script) => say(call, &script),
                None => answer(call),
            }
        })
    };
    let (a, b) = (origin("a"), origin("b"));
    let websocket = a.url().replace("http:", "ws:");
    let filled = |text: &str| {
        let ports = [("@A-PORT@", a.port()), ("@B-PORT@", b.port())];
        let filled = ports.iter().fold(text.to_owned(), |text, (name, port)| {
            text.replace(name, &port.to_string())
        });
        filled
            .replace("@A@", &a.url())
            .replace("@B@", &b.url())
            .replace("@WS@", &websocket)
    };
    let conf = filled(conf);
    let server = Setup::new().program(program.clone()).start(&conf);
    let names = vec![
        (a.port().to_string(), "PORT-A"),
        (b.port().to_string(), "PORT-B"),
        (server.port().to_string(), "PORT"),
    ];
    let said = server.file("said") + &server.error_log();
    let mut outcomes = Vec::new();
    let mut before = (0, 0);
    for request in requests {
        let log = server.error_log().len();
        *script.lock().expect("no panic while held") =
            request.script.as_ref().map(|script| Script {
                bytes: fill_in(&script.bytes, &a, &b),
                ..*script
            });
        let mut client = server.client();
        let bytes = request.bytes(server.port());
        let bytes = match std::str::from_utf8(&bytes) {
            Ok(text) => filled(text).into_bytes(),
            Err(_) => bytes,
        };
        client.try_send(&bytes).ok();
        client.half_close();
        let mut responses = Vec::new();
        let end = loop {
            match client.try_response(request.is_head()) {
                Ok(response) => responses.push(response),
                Err(Broken::Closed) => break "closed".to_owned(),
                Err(broken) => break broken.to_string(),
            }
        };
        let mut seen = a.seen().split_off(before.0);
        seen.extend(b.seen().split_off(before.1));
        before = (a.count(), b.count());
        let logged = server.error_log().split_off(log);
        outcomes.push(Outcome {
            responses,
            end,
            seen,
            logged: mentioned(codes, &logged),
            names: names.clone(),
        });
    }
    Run {
        said: mentioned(codes, &said),
        outcomes,
    }
}

/// Which of the codes a text has. httpd reads its configuration twice, so how often does not count.
fn mentioned(codes: &[String], text: &str) -> Vec<String> {
    let found = codes.iter().filter(|code| text.contains(code.as_str()));
    found.cloned().collect()
}

/// A scripted answer with the places of the backends.
fn fill_in(bytes: &[u8], a: &Origin, b: &Origin) -> Vec<u8> {
    let text: String = bytes.iter().copied().map(char::from).collect();
    let text = text
        .replace("@A@", &a.url())
        .replace("@B@", &b.url())
        .replace("@PORT-A@", &a.port().to_string());
    text.chars()
        .map(|c| u8::try_from(c).expect("each was a byte"))
        .collect()
}

/// What a backend does that was told what to say.
fn say(call: &mut Call<'_>, script: &Script) {
    call.content();
    call.send(&script.bytes);
    if script.closes {
        call.close();
    }
}

/// What the backends do, by path.
fn answer(call: &mut Call<'_>) {
    let target = call.target();
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let expects = call.seen().field("expect").is_some();
    match path.rsplit('/').next().unwrap_or_default() {
        "continue" if expects => {
            call.send("HTTP/1.1 100 Continue\r\n\r\n");
        }
        "refuse" if expects => {
            call.reply(403, &["Connection: close"], b"not wanted");
            return call.close();
        }
        "silent" if expects => return call.wait_for_close(),
        _ => {}
    }
    let content = call.content();
    let host = call.seen().field("host").unwrap_or_default().to_owned();
    match path.rsplit('/').next().unwrap_or_default() {
        "chunked" => call.reply_chunked(&["Content-Type: text/plain"], &[b"one ", b"two"], &[]),
        "close" => call
            .send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end")
            .close(),
        "old" => call
            .send("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nfrom 1.0")
            .close(),
        "none" => {
            call.send("HTTP/1.1 204 No Content\r\n\r\n");
        }
        "unchanged" => {
            call.send("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n");
        }
        "moved" => call.reply(
            302,
            &[format!("Location: http://{host}/new?x=1").as_str()],
            b"moved",
        ),
        "cookie" => call.reply(
            200,
            &[
                "Set-Cookie: a=b; path=/in; domain=in.test",
                "Set-Cookie: c=d",
            ],
            b"",
        ),
        "hop" => call.reply(
            200,
            &[
                "Connection: X-Hop",
                "X-Hop: 1",
                "Keep-Alive: timeout=5",
                "X-Kept: 2",
            ],
            b"hop",
        ),
        "error" => call.reply(500, &["Content-Type: text/plain"], b"broken"),
        "missing" => call.reply(404, &["Content-Type: text/plain"], b"not here"),
        "426" => call.reply(426, &["Upgrade: websocket", "Connection: Upgrade"], b"ask"),
        "h2c" => call.reply(200, &["Upgrade: h2c", "Connection: Upgrade"], b"later"),
        "switch" => switch(call, "Upgrade: websocket\r\n"),
        "switch-to-h2c" => switch(call, "Upgrade: h2c\r\n"),
        "switch-to-nothing" => switch(call, ""),
        "dead" => call.close(),
        "nonsense" => call.send("HTTP/1.1 abc\r\n\r\n").close(),
        _ => call.reply(
            200,
            &["Content-Type: text/plain", "X-Backend: yes"],
            &content,
        ),
    }
}

/// Switches protocols, whatever was asked for, and ends.
fn switch(call: &mut Call<'_>, field: &str) {
    call.send(format!(
        "HTTP/1.1 101 Switching Protocols\r\n{field}Connection: Upgrade\r\nX-Backend: yes\r\n\r\n"
    ))
    .close();
}

/// What differs between two outcomes, in words.
fn differing(theirs: &Outcome, ours: &Outcome) -> Vec<String> {
    let mut differences = Vec::new();
    let mut pair = |what: &str, theirs: String, ours: String| {
        if theirs != ours {
            differences.push(format!("{what}: httpd {theirs:?}, tine {ours:?}"));
        }
    };
    pair(
        "responses",
        theirs.responses.len().to_string(),
        ours.responses.len().to_string(),
    );
    pair("end", theirs.end.clone(), ours.end.clone());
    pair("logged", theirs.logged.join(" "), ours.logged.join(" "));
    for (at, (their, our)) in theirs.responses.iter().zip(&ours.responses).enumerate() {
        pair(
            &format!("status {at}"),
            format!("{} {}", their.status, their.reason),
            format!("{} {}", our.status, our.reason),
        );
        for name in names_of(&their.fields, &our.fields) {
            let values = |response: &Response, outcome: &Outcome| {
                let mut values = response.all(&name);
                if name == "allow" {
                    // httpd's order comes from a hash.
                    values = values.iter().flat_map(|list| list.split(',')).collect();
                    values.sort_unstable();
                }
                outcome.plain(&values.join(" | "))
            };
            pair(
                &format!("field {name}"),
                values(their, theirs),
                values(our, ours),
            );
        }
        pair(
            &format!("order {at}"),
            names_in_order(&their.fields, &our.fields),
            names_in_order(&our.fields, &their.fields),
        );
        pair(
            &format!("trailers {at}"),
            format!("{:?}", their.trailers),
            format!("{:?}", our.trailers),
        );
        pair(
            &format!("framing {at}"),
            format!("{:?}", their.framing),
            format!("{:?}", our.framing),
        );
        pair(
            &format!("content {at}"),
            theirs.plain(&their.text()),
            ours.plain(&our.text()),
        );
    }
    pair(
        "requests at the backend",
        theirs.seen.len().to_string(),
        ours.seen.len().to_string(),
    );
    for (their, our) in theirs.seen.iter().zip(&ours.seen) {
        pair(
            "backend saw",
            theirs.plain(their.line()),
            ours.plain(our.line()),
        );
        for name in names_of(&fields(their), &fields(our)) {
            let values =
                |seen: &Seen, outcome: &Outcome| outcome.plain(&seen.all(&name).join(" | "));
            pair(
                &format!("backend saw field {name}"),
                values(their, theirs),
                values(our, ours),
            );
        }
        pair(
            "backend saw order",
            names_in_order(&fields(their), &fields(our)),
            names_in_order(&fields(our), &fields(their)),
        );
        pair(
            "backend saw content",
            format!("{:?}", their.content),
            format!("{:?}", our.content),
        );
    }
    differences
}

fn fields(seen: &Seen) -> Vec<(String, String)> {
    let lines = seen.head.split("\r\n").skip(1);
    let fields = lines.filter_map(|line| line.split_once(':'));
    fields
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

/// The names of the fields that both have, as they were sent, without those that may stand anywhere.
fn names_in_order(fields: &[(String, String)], others: &[(String, String)]) -> String {
    const ANYWHERE: [&str; 7] = [
        "allow",
        "content-length",
        "content-type",
        "set-cookie",
        "upgrade",
        "via",
        "warning",
    ];
    let is_shared = |name: &str| {
        others
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(name))
    };
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    names.retain(|name| {
        is_shared(name) && !ANYWHERE.iter().any(|any| any.eq_ignore_ascii_case(name))
    });
    names.join(", ")
}

/// The names in either list, in lower case, each once; without those that say nothing here.
fn names_of(one: &[(String, String)], two: &[(String, String)]) -> Vec<String> {
    let mut names: Vec<String> = one
        .iter()
        .chain(two)
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect();
    names.sort();
    names.dedup();
    names.retain(|name| !matches!(name.as_str(), "date" | "server"));
    names
}

impl Outcome {
    /// A text without what differs from run to run.
    fn plain(&self, text: &str) -> String {
        let named = self
            .names
            .iter()
            .fold(text.to_owned(), |text, (port, name)| {
                text.replace(port, name)
            });
        let product = regex::Regex::new(r"(Apache|tine)(/[0-9.]+)?( \([A-Za-z]+\))?")
            .expect("a pattern of ours");
        product.replace_all(&named, "PRODUCT").into_owned()
    }
}
