//! Record → line, for every code.

use super::*;
use crate::log::record::Ending;
use crate::log::sample::{Sample, golden};

fn line(format: &str, record: &Record<'_>) -> String {
    let mut out = Vec::new();
    let compiled = Format::compile(format).unwrap();
    compiled.render(record, &Zone::utc(), &mut ClfCache::default(), &mut out);
    String::from_utf8(out).unwrap()
}

fn row(format: &str) -> String {
    line(format, &Sample::new().record())
}

/// Every code of the reference in every form, one per line; the golden file is the manual of what each prints.
const CODES: &[&str] = &[
    "%a",
    "%{c}a",
    "%A",
    "%b",
    "%B",
    "%{jsessionid}C",
    "%{theme}C",
    "%{nope}C",
    "%D",
    "%{BALANCER_NAME}e",
    "%{balancer_worker_route}e",
    "%{is_a_robot}e",
    "%{nope}e",
    "%f",
    "%h",
    "%{c}h",
    "%H",
    "%{Referer}i",
    "%{user-agent}i",
    "%{Content-Length}i",
    "%{X-Forwarded-For}i",
    "%{Nope}i",
    "%I",
    "%k",
    "%l",
    "%L",
    "%{c}L",
    "%m",
    "%{proxy-status}n",
    "%{proxy-source-port}n",
    "%{nope}n",
    "%{trace}n",
    "%{Content-Type}o",
    "%{Set-Cookie}o",
    "%{X-Twice}o",
    "%{Nope}o",
    "%O",
    "%p",
    "%{canonical}p",
    "%{local}p",
    "%{remote}p",
    "%{odd}p",
    "%P",
    "%{pid}P",
    "%{tid}P",
    "%{hextid}P",
    "%{odd}P",
    "%q",
    "%r",
    "%R",
    "%s",
    "%>s",
    "%<s",
    "%S",
    "%t",
    "%{}t",
    "%{begin}t",
    "%{end}t",
    "%{sec}t",
    "%{msec}t",
    "%{usec}t",
    "%{msec_frac}t",
    "%{usec_frac}t",
    "%{end:sec}t",
    "%{end:msec_frac}t",
    "%{begin:%H:%M}t",
    "%{end:%FT%T}t",
    "%{%d/%b/%Y}t",
    "%{beginning}t",
    "%T",
    "%{s}T",
    "%{ms}T",
    "%{us}T",
    "%{odd}T",
    "%u",
    "%U",
    "%>U",
    "%v",
    "%V",
    "%X",
    "%^FB",
    "%{X-Checksum}^ti",
    "%{X-Checksum}^to",
    "%%",
];

#[test]
fn every_code_prints_what_its_row_in_the_golden_file_says() {
    let rows: String = CODES
        .iter()
        .map(|code| format!("{code}\t{}\n", row(code)))
        .collect();
    golden("codes.txt", &rows);
}

#[test]
fn the_formats_of_every_configuration_look_as_tools_expect() {
    let names = Nicknames::new();
    let rows: String = ["common", "combined", "combinedio", "vhost_combined"]
        .iter()
        .map(|name| format!("{name}\t{}\n", row(names.resolve(name))))
        .collect();
    golden("formats.txt", &rows);
}

#[test]
fn an_exchange_that_never_became_a_request_shows_hyphens() {
    let mut sample = Sample::new();
    sample.line.clear();
    sample.request = crate::http::RequestHead::default();
    sample.response = None;
    let mut record = sample.record();
    record.status = 408;
    record.original_status = 408;
    record.content_out = 0;
    record.path = b"";
    record.original_path = b"";
    record.query = None;
    record.first_byte_us = None;
    record.request_trailers = None;
    record.ending = Ending::Aborted;
    assert_eq!(
        line(
            "\"%r\" %>s %b %B %m %U [%q] %{Host}i %{Server}o %^FB %{x}^ti %X",
            &record
        ),
        "\"-\" 408 - 0 - - [] - - - - X"
    );
    record.status = 0;
    record.original_status = 0;
    assert_eq!(line("%s %>s", &record), "- -");
}

#[test]
fn a_refused_head_still_shows_its_line_and_method() {
    let mut sample = Sample::new();
    sample.line = b"BAD\x01 x".to_vec();
    assert_eq!(line("%r|%m", &sample.record()), "BAD\\x01 x|BAD\\x01");
}

#[test]
fn original_and_last_request_are_told_apart() {
    let sample = Sample::new();
    let mut record = sample.record();
    record.original_status = 503;
    record.status = 200;
    record.path = b"/errors/503.html";
    assert_eq!(line("%s %>s %<s", &record), "503 200 503");
    assert_eq!(
        line("%U %>U %<U", &record),
        "/shop/caf\\xc3\\xa9 /errors/503.html /shop/caf\\xc3\\xa9"
    );
}

#[test]
fn a_user_of_no_name_is_shown_as_two_quotes() {
    let sample = Sample::new();
    let mut record = sample.record();
    record.user = Some(b"");
    assert_eq!(line("%u", &record), "\"\"");
    record.user = Some(b"jane \"x\"");
    assert_eq!(line("%u", &record), "jane \\\"x\\\"");
}

#[test]
fn a_looked_up_name_replaces_the_address() {
    let sample = Sample::new();
    let mut record = sample.record();
    record.client_name = Some("client.example.net");
    assert_eq!(
        line("%h %{c}h %a", &record),
        "client.example.net 10.9.9.9 192.0.2.7"
    );
}

#[test]
fn items_follow_the_status_of_the_response() {
    let sample = Sample::new();
    let mut record = sample.record();
    for (status, format, text) in [
        (200, "%200{Host}i", "www.example.com"),
        (200, "%200,304{Host}i", "www.example.com"),
        (404, "%200,304{Host}i", "-"),
        (404, "%!200,304{Host}i", "www.example.com"),
        (200, "%!200,304{Host}i", "-"),
        (200, "%99999{Host}i", "-"),
        (200, "%!99999{Host}i", "www.example.com"),
        (400, "%400,501>s", "400"),
    ] {
        record.status = status;
        assert_eq!(line(format, &record), text, "{format} at {status}");
    }
}

#[test]
fn a_password_in_the_target_is_not_logged() {
    let mut sample = Sample::new();
    for (given, shown) in [
        (
            "GET http://user:secret@h:99/a?b HTTP/1.0",
            "GET http://user:XXXXXXXX@h:99/a?b HTTP/1.0",
        ),
        (
            "GET ftp://u:p@h HTTP/1.0",
            "GET ftp://u:XXXXXXXX@h HTTP/1.0",
        ),
        ("GET ftp://u:p@x@h", "GET ftp://u:XXXXXXXX@h"),
        ("GET ftp://u@h/ HTTP/1.0", "GET ftp://u@h/ HTTP/1.0"),
        ("GET http://h/a:b@c HTTP/1.0", "GET http://h/a:b@c HTTP/1.0"),
        (
            "GET /x?u=http://a:b@c HTTP/1.0",
            "GET /x?u=http://a:XXXXXXXX@c HTTP/1.0",
        ),
    ] {
        sample.line = given.into();
        assert_eq!(line("%r", &sample.record()), shown);
    }
}

#[test]
fn text_between_codes_knows_the_escapes_of_c() {
    assert_eq!(row(r"a\tb\nc\\d\q\"), "a\tb\nc\\d\\q\\");
    assert_eq!(row(r#"\"%>s\" é%%"#), "\"200\" é%");
    assert_eq!(row(""), "");
}

#[test]
fn a_broken_format_is_refused_in_httpds_words() {
    let ran_off = "Ran off end of LogFormat parsing args to some directive";
    for (format, words) in [
        ("%h %Z", "Unrecognized LogFormat directive %Z"),
        ("%{x}é", "Unrecognized LogFormat directive %é"),
        ("%^xy", "Unrecognized LogFormat directive %^xy"),
        ("%^x", "Unrecognized LogFormat directive %^"),
        ("%", ran_off),
        ("%>", ran_off),
        ("%200", ran_off),
        ("%{a", ran_off),
    ] {
        assert_eq!(
            Format::compile(format).unwrap_err().to_string(),
            words,
            "{format}"
        );
    }
}

#[test]
fn a_buffer_that_has_grown_is_reused() {
    let sample = Sample::new();
    let format = Nicknames::new().compile(Some("combined")).unwrap();
    let (zone, mut times, mut out) = (Zone::utc(), ClfCache::default(), Vec::new());
    format.render(&sample.record(), &zone, &mut times, &mut out);
    let before = (out.as_ptr(), out.capacity());
    out.clear();
    format.render(&sample.record(), &zone, &mut times, &mut out);
    assert_eq!((out.as_ptr(), out.capacity()), before);
}
