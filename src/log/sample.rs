//! An exchange to write about, and golden files, for this room's tests.

use std::net::SocketAddr;
use std::path::Path;

use super::record::{Ending, Environment, Record, Variables};
use super::trace::{Milestone, Trace};
use crate::http::{Fields, RequestHead, ResponseHead, Status};

/// The owned side of a [`Record`].
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) line: Vec<u8>,
    pub(super) request: RequestHead,
    pub(super) response: Option<ResponseHead>,
    pub(super) trailers: Fields,
    pub(super) env: Environment,
    pub(super) vars: Environment,
    pub(super) notes: Environment,
    pub(super) trace: Trace,
}

impl Sample {
    /// A GET with a query, relayed to a member that answered 200 with 5 KiB.
    pub(super) fn new() -> Self {
        let mut request = RequestHead::default();
        let target = b"/shop/caf%C3%A9?id=7&q=%22";
        request.target.assign(target, false).unwrap();
        for (name, value) in [
            ("Host", &b"www.example.com"[..]),
            ("User-Agent", b"curl/8.1 \"x\"\x1b[2J"),
            ("Referer", b"http://a.example/\\"),
            ("Cookie", b"theme=dark; JSESSIONID = abc=.route1 ;x=1"),
            ("X-Forwarded-For", b"192.0.2.1"),
            ("X-Forwarded-For", b"192.0.2.2"),
            ("Content-Length", b"12"),
        ] {
            request.fields.push(name.as_bytes(), value);
        }
        let mut response = ResponseHead {
            status: Status::OK,
            ..ResponseHead::default()
        };
        for (name, value) in [
            ("Content-Type", &b"text/html ; charset=utf-8"[..]),
            ("Set-Cookie", b"a=1"),
            ("Set-Cookie", b"b=2"),
            ("X-Twice", b"first"),
            ("X-Twice", b"second"),
        ] {
            response.fields.push(name.as_bytes(), value);
        }
        let mut trailers = Fields::new();
        trailers.push(b"X-Checksum", b"d41d8");
        let mut env = Environment::new();
        env.set("BALANCER_NAME", b"balancer://shop");
        env.set("BALANCER_WORKER_NAME", b"http://10.1.0.4:8080");
        env.set("BALANCER_WORKER_ROUTE", b"route1");
        let mut vars = Environment::new();
        vars.set("BALANCER_NAME", b"what a request says of it");
        vars.set("is_a_robot", b"1");
        let mut notes = Environment::new();
        notes.set("proxy-status", b"200");
        notes.set("proxy-source-port", b"40312");
        let mut trace = Trace::new();
        trace.mark(Milestone::Accepted, 0);
        trace.mark(Milestone::Head, 200);
        trace.mark(Milestone::Elected, 240);
        trace.mark(Milestone::Dialed, 1_540);
        trace.mark(Milestone::FirstByte, 19_940);
        trace.mark(Milestone::LastByte, 22_040);
        Self {
            line: b"GET /shop/caf%C3%A9?id=7&q=%22 HTTP/1.1".to_vec(),
            request,
            response: Some(response),
            trailers,
            env,
            vars,
            notes,
            trace,
        }
    }

    /// The record of it.
    pub(super) fn record(&self) -> Record<'_> {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        Record {
            request: &self.request,
            request_line: &self.line,
            response: self.response.as_ref(),
            request_trailers: Some(&self.trailers),
            response_trailers: None,
            status: 200,
            original_status: 200,
            client: address("192.0.2.7:40001"),
            peer: address("[::ffff:10.9.9.9]:51234"),
            local: address("10.0.0.1:8443"),
            client_name: None,
            server_name: "shop.example.com",
            canonical_name: b"www.example.com",
            server_port: 443,
            user: None,
            handler: Some("proxy-server"),
            filename: Some(b"proxy:http://10.1.0.4:8080/shop/caf%C3%A9?id=7"),
            path: "/shop/café".as_bytes(),
            original_path: "/shop/café".as_bytes(),
            query: Some(b"id=7&q=%22"),
            began_us: 1_795_534_291_044_927,
            duration_us: 1_234_567,
            first_byte_us: Some(19_940),
            content_out: 5120,
            bytes_in: 310,
            bytes_out: 5400,
            keepalives: 2,
            ending: Ending::KeptAlive,
            env: Variables {
                attempt: &self.env,
                request: &self.vars,
            },
            notes: &self.notes,
            pid: 371,
            tid: 139_737_630_381_952,
            log_id: Some("P7+lZ6cW/zM"),
            connection_log_id: Some("W7+lZ6cW/zM"),
            trace: &self.trace,
        }
    }
}

/// Compares with `tests/golden/log/<name>`, or writes that file when `BLESS` is set.
pub(super) fn golden(name: &str, actual: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/log");
    let path = directory.join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run scripts/bless", path.display()));
    let differs = actual.lines().zip(expected.lines()).find(|(a, e)| a != e);
    assert_eq!(
        differs, None,
        "{name} differs; run scripts/bless if it should"
    );
    assert_eq!(actual.lines().count(), expected.lines().count(), "{name}");
}
