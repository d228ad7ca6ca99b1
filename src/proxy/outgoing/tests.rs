//! Outgoing heads, one row per rule of reference §6.1 to §6.3; orders and values were compared with httpd 2.4.

use super::*;
use crate::config::{Place, Setting};
use crate::http::ContentSize;

/// What a test may turn.
struct Case {
    head: RequestHead,
    proxy: ProxyServer,
    dir: DirConfig,
    from: &'static str,
    port: u16,
    may_reuse: bool,
    wishes: Wishes,
    probes: bool,
    upgrade: Option<&'static str>,
}

fn on<T>(value: T) -> Setting<T> {
    Setting::new(value, &Place::new("t", 1))
}

impl Case {
    fn new(fields: &[(&str, &str)]) -> Self {
        let mut head = RequestHead::default();
        head.target.assign(b"/x", false).unwrap();
        for (name, value) in fields {
            head.fields.push(name.as_bytes(), value.as_bytes());
        }
        Self {
            head,
            proxy: ProxyServer::default(),
            dir: DirConfig::default(),
            from: "192.0.2.7:4711",
            port: 80,
            may_reuse: true,
            wishes: Wishes::default(),
            probes: false,
            upgrade: None,
        }
    }

    fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    fn sent(&self) -> Result<RequestHead, Refusal> {
        let sender = Sender {
            client: &self.head,
            from: self.from.parse().unwrap(),
            ours: ("tine.test", self.port),
            proxy: &self.proxy,
            dir: &self.dir,
            headers: None,
            product: "tine/0.1",
            host: b"www1.example.com:8080",
            may_reuse: self.may_reuse,
            is_forward: false,
            wishes: self.wishes,
            probes: self.probes,
            upgrade: self.upgrade.map(str::as_bytes),
        };
        // Whatever the last exchange left behind must not show.
        let mut head = RequestHead::default();
        head.fields.push(b"X-Old", b"1");
        head.expects_continue = true;
        sender.prepare(&mut head)?;
        Ok(head)
    }

    fn fields(&self) -> String {
        let head = self.sent().unwrap();
        let line = |(_, name, value): (FieldId, &[u8], &[u8])| {
            format!(
                "{}: {}",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(value)
            )
        };
        head.fields.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn field(&self, id: FieldId) -> Option<String> {
        self.sent()
            .unwrap()
            .fields
            .get(id)
            .map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

#[test]
fn a_wanted_protocol_is_the_only_upgrade_that_is_sent_on() {
    let fields = [
        ("Host", "h"),
        ("Connection", "Upgrade"),
        ("Upgrade", "WebSocket"),
    ];
    let case = Case::new(&fields);
    assert_eq!(case.field(FieldId::Upgrade), None);
    let case = case.with(|case| case.upgrade = Some("websocket"));
    assert_eq!(case.field(FieldId::Upgrade).as_deref(), Some("websocket"));
    assert_eq!(case.sent().unwrap().fields.all(FieldId::Upgrade).count(), 1);
}

#[test]
fn a_whole_head_looks_as_httpds_does() {
    let case = Case::new(&[
        ("Host", "h:99"),
        ("Connection", "close, X-Foo, X-Forwarded-For, Host"),
        ("X-Foo", "1"),
        ("Via", "1.0 a"),
        ("X-Forwarded-For", "1.1.1.1"),
        ("X-A", "1"),
        ("Via", "1.0 b"),
        ("X-Forwarded-For", "2.2.2.2"),
        ("TE", "trailers"),
        ("Keep-Alive", "3"),
        ("Upgrade", "foo"),
        ("Proxy-Connection", "keep-alive"),
        ("Trailer", "X"),
        ("Authorization", "Basic eA=="),
    ])
    .with(|case| {
        case.proxy.via = on(Via::On);
        case.port = 99;
    });
    assert_eq!(
        case.fields(),
        "Host: www1.example.com:8080\n\
         Via: 1.0 a, 1.0 b, 1.1 tine.test:99\n\
         X-Forwarded-For: 1.1.1.1, 2.2.2.2, 192.0.2.7\n\
         X-A: 1\n\
         Authorization: Basic eA==\n\
         X-Forwarded-Host: h:99\n\
         X-Forwarded-Server: tine.test"
    );
}

#[test]
fn proxypreservehost_passes_the_clients_host_on() {
    let preserve = |case: &mut Case| case.dir.preserve_host = on(true);
    let host = |case: Case| case.with(preserve).field(FieldId::Host);
    assert_eq!(
        host(Case::new(&[("Host", "h:99")])).as_deref(),
        Some("h:99")
    );
    assert_eq!(host(Case::new(&[("Host", "")])).as_deref(), Some(""));
    assert_eq!(host(Case::new(&[])).as_deref(), Some("tine.test"));
}

#[test]
fn proxyvia_adds_or_blocks() {
    let rows = [
        (Via::Off, Some("1.0 fred")),
        (Via::On, Some("1.0 fred, 1.1 tine.test")),
        (Via::Full, Some("1.0 fred, 1.1 tine.test (tine/0.1)")),
        (Via::Block, None),
    ];
    for (via, expected) in rows {
        let case =
            Case::new(&[("Host", "h"), ("Via", "1.0 fred")]).with(|case| case.proxy.via = on(via));
        assert_eq!(case.field(FieldId::Via).as_deref(), expected, "{via:?}");
    }
}

#[test]
fn proxyaddheaders_off_leaves_the_forwarded_fields_alone() {
    let case = Case::new(&[("Host", "h"), ("X-Forwarded-For", "spoofed")])
        .with(|case| case.dir.add_headers = on(false));
    assert_eq!(
        case.fields(),
        "Host: www1.example.com:8080\nX-Forwarded-For: spoofed"
    );
}

#[test]
fn clients_are_named_by_address_alone() {
    let rows = [
        ("192.0.2.7:4711", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:4711", "192.0.2.7"),
        (
            "[2001:db8:1111:2222:3333:4444:5555:6666]:1",
            "2001:db8:1111:2222:3333:4444:5555:6666",
        ),
    ];
    for (from, expected) in rows {
        let case = Case::new(&[]).with(|case| case.from = from);
        assert_eq!(
            case.field(FieldId::XForwardedFor).as_deref(),
            Some(expected)
        );
        assert_eq!(case.field(FieldId::XForwardedHost), None);
    }
}

#[test]
#[expect(clippy::type_complexity, reason = "the row of a table")]
fn max_forwards_counts_down_and_ends() {
    // (ProxyMaxForwards, the client's field, ours or the refusal)
    let rows: [(Option<i32>, Option<&str>, Result<Option<&str>, Refusal>); 13] = [
        (None, None, Ok(None)),
        (Some(-1), None, Ok(None)),
        (Some(10), None, Ok(Some("10"))),
        (Some(0), None, Ok(Some("0"))),
        (Some(10), Some("5"), Ok(Some("4"))),
        (None, Some("1"), Ok(Some("0"))),
        (None, Some("0"), Err(Refusal::MaxForwardsReached)),
        (None, Some("-1"), Err(Refusal::BadMaxForwards)),
        (None, Some("1x"), Err(Refusal::BadMaxForwards)),
        (None, Some("+5"), Err(Refusal::BadMaxForwards)),
        (None, Some("4294967296"), Ok(Some("4294967295"))),
        (None, Some(""), Err(Refusal::BadMaxForwards)),
        (
            None,
            Some("99999999999999999999"),
            Err(Refusal::BadMaxForwards),
        ),
    ];
    for (configured, sent, expected) in rows {
        let case = Case::new(
            &sent
                .map(|value| ("Max-Forwards", value))
                .into_iter()
                .collect::<Vec<_>>(),
        )
        .with(|case| case.proxy.max_forwards = configured.map(on).unwrap_or_default());
        let found = case.sent().map(|head| {
            head.fields
                .get(FieldId::MaxForwards)
                .map(|value| String::from_utf8_lossy(value).into_owned())
        });
        assert_eq!(
            found,
            expected.map(|value| value.map(str::to_owned)),
            "{configured:?} {sent:?}"
        );
    }
}

#[test]
fn an_expectation_goes_end_to_end_unless_proxy100continue_is_off() {
    let expecting = || {
        Case::new(&[("Host", "h"), ("Expect", "100-continue")])
            .with(|case| case.head.expects_continue = true)
    };
    let head = expecting().sent().unwrap();
    assert!(head.expects_continue && head.fields.has(FieldId::Expect));
    let head = expecting()
        .with(|case| case.dir.forward_100_continue = on(false))
        .sent()
        .unwrap();
    assert!(!head.expects_continue && !head.fields.has(FieldId::Expect));
    // Without an expectation of 100 there is nothing to forward.
    let head = Case::new(&[("Expect", "something")]).sent().unwrap();
    assert!(!head.expects_continue && !head.fields.has(FieldId::Expect));
}

#[test]
fn content_is_announced_as_the_client_did_and_both_lengths_end_the_connection() {
    let case = Case::new(&[("Content-Length", "5")])
        .with(|case| case.head.content = ContentSize::Length(5));
    let head = case.sent().unwrap();
    assert_eq!(
        (head.content, head.keep_alive),
        (ContentSize::Length(5), true)
    );
    // The codec has taken the length away by now.
    let case = Case::new(&[("Transfer-Encoding", "chunked")]).with(|case| {
        case.head.content = ContentSize::Unknown;
        case.head.is_dubious = true;
    });
    let head = case.sent().unwrap();
    assert_eq!(
        (head.content, head.keep_alive),
        (ContentSize::Unknown, false)
    );
    let head = Case::new(&[])
        .with(|case| case.may_reuse = false)
        .sent()
        .unwrap();
    assert!(!head.keep_alive);
}

#[test]
fn targets_are_the_members_path_the_requests_path_and_the_query() {
    use PathForm::{Decoded, Encoded, Verbatim};
    // (member's path, path, form, query, target)
    let rows: [(&str, &str, PathForm, Option<&str>, &str); 11] = [
        ("", "/x", Decoded, None, "/x"),
        ("/", "/x", Decoded, None, "//x"),
        ("/base", "/a b", Decoded, Some("q=%20"), "/base/a%20b?q=%20"),
        ("", "", Decoded, Some(""), "/?"),
        ("", "/q?a=b", Decoded, Some("c"), "/q%3Fa=b?c"),
        ("", "/a%2Fb", Encoded, Some("q"), "/a%2Fb?q"),
        ("", "/a%2Fb?sent", Verbatim, Some("sent"), "/a%2Fb?sent"),
        ("/b", "/a\r\nX: y", Decoded, None, "/b/a%0D%0AX:%20y"),
        ("", "", Decoded, None, "/"),
        ("/", "", Decoded, None, "//"),
        ("/base", "", Decoded, None, "/base/"),
    ];
    for (base, path, form, query, expected) in rows {
        let mut head = RequestHead::default();
        let query = query.map(str::as_bytes);
        write_target(
            &mut head,
            base.as_bytes(),
            path.as_bytes(),
            form,
            query,
            false,
        )
        .unwrap();
        assert_eq!(String::from_utf8_lossy(head.target.raw()), expected);
    }
    for path in ["/a b", "/a\r\nb", "/a\x7f"] {
        let mut head = RequestHead::default();
        let refused = write_target(&mut head, b"", path.as_bytes(), Encoded, None, false);
        assert_eq!(refused, Err(Refusal::BadTarget), "{path:?}");
    }
}

#[test]
fn force_proxy_request_1_0_speaks_1_0_and_asks_nothing() {
    let case = Case::new(&[("Host", "h"), ("Expect", "100-continue")]).with(|case| {
        case.head.expects_continue = true;
        case.wishes.is_http10 = true;
        case.wishes.is_alone = true;
        case.probes = true;
    });
    let head = case.sent().unwrap();
    assert_eq!(head.version, Version::Http10);
    assert!(!head.keep_alive && !head.expects_continue && !head.fields.has(FieldId::Expect));
}

#[test]
fn a_probe_asks_only_where_content_follows_and_only_once() {
    let expectations = |content, expects: bool| {
        let fields: &[_] = if expects {
            &[("Expect", "100-continue")]
        } else {
            &[]
        };
        let case = Case::new(fields).with(|case| {
            case.head.expects_continue = expects;
            case.head.content = content;
            case.probes = true;
        });
        let head = case.sent().unwrap();
        let lines = head.fields.all(FieldId::Expect).map(<[u8]>::to_vec);
        (head.expects_continue, lines.collect::<Vec<_>>())
    };
    let asked = |text: &str| (true, vec![text.as_bytes().to_vec()]);
    assert_eq!(
        expectations(ContentSize::Length(5), false),
        asked("100-Continue")
    );
    assert_eq!(
        expectations(ContentSize::Unknown, false),
        asked("100-Continue")
    );
    assert_eq!(
        expectations(ContentSize::Length(5), true),
        asked("100-continue")
    );
    assert_eq!(expectations(ContentSize::None, false), (false, Vec::new()));
    assert_eq!(
        expectations(ContentSize::Length(0), false),
        (false, Vec::new())
    );
}
