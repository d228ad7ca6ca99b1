//! Lines of the error log, in httpd's layout and in others.

use std::path::Path;

use super::*;
use crate::log::escape::Raw;
use crate::log::level::LevelMap;
use crate::log::sample::{Sample, golden};
use crate::log::sink::Facility;

const STAMP: Stamp = Stamp {
    now_us: 971_274_772_123_456, // 2000-10-11 14:32:52 UTC
    pid: 371,
    tid: Some(371),
};

/// Writes a line into a file and gives back what is there.
fn written(format: Option<&str>, levels: &str, stamp: &Stamp, line: &Line<'_>) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("error_log");
    let mut map = LevelMap::new();
    map.apply(levels).unwrap();
    let sink = Arc::new(Sink::file(&path).unwrap());
    let mut log = ErrorLog::new(sink, map.compile(), "shop.example.com", Zone::utc());
    if let Some(format) = format {
        log = log.with_format(ErrorFormat::compile(format).unwrap());
    }
    log.write(stamp, line);
    std::fs::read_to_string(&path).unwrap()
}

fn client() -> SocketAddr {
    "10.0.0.9:5123".parse().unwrap()
}

#[test]
fn lines_are_laid_out_as_httpd_lays_them_out() {
    let sample = Sample::new();
    let about = About {
        fields: Some(&sample.request.fields),
        ..About::default()
    };
    let refused = Line::new(
        Module::Proxy,
        Level::Error,
        Tag::Ah(957),
        &"http: attempt to connect to 10.1.0.4:8080 (www1) failed",
    )
    .cause(Cause::Errno(111));
    let v6 = "[::1]:5123".parse().unwrap();
    let mapped = "[::ffff:10.0.0.9]:5123".parse().unwrap();
    let no_thread = Stamp { tid: None, ..STAMP };
    let lines = [
        written(None, "trace8", &STAMP, &refused),
        written(None, "trace8", &STAMP, &refused.client(client())),
        written(None, "trace8", &STAMP, &refused.backend(client())),
        written(None, "trace8", &STAMP, &refused.client(v6)),
        written(None, "trace8", &STAMP, &refused.client(mapped)),
        written(
            None,
            "trace8",
            &STAMP,
            &refused.client(client()).about(&about),
        ),
        written(None, "trace8", &no_thread, &refused),
        written(None, "trace8", &STAMP, &refused.source("proxy_util.c", 9)),
        written(
            None,
            "trace8",
            &STAMP,
            &Line::new(Module::Proxy, Level::Debug, Tag::None, &"words").source("proxy_util.c", 9),
        ),
        written(
            None,
            "trace8",
            &STAMP,
            &Line::new(Module::Core, Level::Trace8, Tag::Tn(7), &"words").cause(Cause::TimedOut),
        ),
        written(
            None,
            "trace8",
            &STAMP,
            &Line::new(Module::ProxyFcgi, Level::Warn, Tag::Tn(8), &"words")
                .cause(Cause::EndOfFile),
        ),
    ];
    golden("error_lines.txt", &lines.concat());
}

#[test]
fn what_a_peer_sent_cannot_break_a_line_or_a_terminal() {
    let line = |message: &dyn fmt::Display| {
        let line = Line::new(Module::Core, Level::Error, Tag::None, message);
        let text = written(None, "error", &STAMP, &line);
        text.split_once("371] ").unwrap().1.to_owned()
    };
    assert_eq!(line(&"a\n[forged] \x1b[2J"), "a\\n[forged] \\x1b[2J\n");
    assert_eq!(line(&"\"quoted\" \\ é"), "\"quoted\" \\\\ \\xc3\\xa9\n");
    let stderr = Raw(b"PHP \xff\xfe\r\n\x00ok");
    assert_eq!(
        line(&format_args!("said: {stderr}")),
        "said: PHP \\xff\\xfe\\r\\n\\x00ok\n"
    );
}

#[test]
fn a_long_line_is_cut_and_keeps_its_end() {
    let words = "x".repeat(3 * LINE_MAX);
    let line = Line::new(Module::Core, Level::Error, Tag::None, &words);
    let text = written(None, "error", &STAMP, &line);
    assert_eq!(text.len(), LINE_MAX);
    assert!(text.ends_with("x\n"));
}

#[test]
fn unwanted_lines_are_not_written_and_notices_always_are() {
    let line = |level| Line::new(Module::Core, level, Tag::None, &"words");
    assert_eq!(written(None, "warn", &STAMP, &line(Level::Info)), "");
    assert_ne!(written(None, "warn", &STAMP, &line(Level::Warn)), "");
    assert_ne!(written(None, "emerg", &STAMP, &line(Level::Notice)), "");
}

#[test]
fn a_location_may_be_heard_otherwise_than_its_server() {
    let directory = tempfile::tempdir().unwrap();
    let sink = Arc::new(Sink::file(&directory.path().join("log")).unwrap());
    let log = ErrorLog::new(sink, LevelMap::new().compile(), "x", Zone::utc());
    let mut map = LevelMap::new();
    map.apply("proxy:trace2").unwrap();
    let location = map.over(&LevelMap::new()).compile();
    assert!(!log.enabled(Module::Proxy, Level::Trace2));
    assert!(log.enabled_under(&location, Module::Proxy, Level::Trace2));
    assert!(!log.enabled_under(&location, Module::Core, Level::Info));
    assert!(log.enabled_under(&location, Module::Core, Level::Notice));
}

#[test]
fn syslog_gets_its_own_head_and_may_be_spared_notices() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let daemon = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    daemon.set_nonblocking(true).unwrap();
    let sink = Arc::new(Sink::syslog(&path, Facility::LOCAL7, "web").unwrap());
    let log = ErrorLog::new(sink, LevelMap::new().compile(), "x", Zone::utc());
    log.write(
        &STAMP,
        &Line::new(Module::Core, Level::Notice, Tag::None, &"unwanted"),
    );
    log.write(
        &STAMP,
        &Line::new(Module::Core, Level::Error, Tag::Tn(9), &"words"),
    );
    let mut buffer = [0; 256];
    let length = daemon.recv(&mut buffer).unwrap();
    assert_eq!(
        std::str::from_utf8(&buffer[..length]).unwrap(),
        "<187>Oct 11 14:32:52 web[371]: [core:error] [pid 371:tid 371] TN0009: words"
    );
    assert!(daemon.recv(&mut buffer).is_err());
}

#[test]
fn a_format_leaves_out_fields_that_have_nothing_to_show() {
    let sample = Sample::new();
    let about = About {
        fields: Some(&sample.request.fields),
        env: Some(Variables {
            attempt: &sample.env,
            request: &sample.vars,
        }),
        notes: Some(&sample.notes),
        local: Some("10.0.0.1:80".parse().unwrap()),
        peer: Some(client()),
        keepalives: Some(3),
        log_id: Some("request-id"),
        connection_log_id: Some("connection-id"),
        canonical_name: Some(b"www.example.com"),
    };
    let bare = Line::new(Module::Proxy, Level::Error, Tag::Tn(1), &"words");
    let full = bare.client(client()).cause(Cause::Errno(111)).about(&about);
    let default =
        r"[%{u}t] [%-m:%l] [pid %P:tid %T] %7F: %E: [client\ %a] %M% ,\ referer\ %{Referer}i";
    let rows = [
        (default, bare),
        (default, full),
        (r"%t %{cu}t %{c}t %M", bare),
        (r"%M [%-a] [%-{nope}e] x%{nope}ey", full),
        (
            r"%{c}a|%A|%{BALANCER_NAME}e|%{proxy-status}n|%k|%L|%{c}L|%v|%V %M",
            full,
        ),
        (r"%v|%V|%P\t%T  %%\é\% %M  ", bare),
        (r"%3l %4l %M", bare),
        (r"%M %7F %F", bare.source("proxy_util.c", 9)),
    ];
    let text: String = rows
        .iter()
        .map(|(format, line)| {
            format!(
                "{format}\n    {}",
                written(Some(format), "debug", &STAMP, line)
            )
        })
        .collect();
    golden("error_formats.txt", &text);
}

#[test]
fn a_broken_format_is_refused_in_httpds_words() {
    for (format, words) in [
        ("%M %Z", "Unrecognized error log format directive %Z"),
        (
            "abc",
            "main ErrorLogFormat must contain message format string '%M'",
        ),
        (
            "%M %{x",
            "Ran off end of error log format parsing args to some directive",
        ),
        (
            "%+{x}i %M",
            "The '+' flag cannot be used in the main error log format",
        ),
    ] {
        assert_eq!(ErrorFormat::compile(format).unwrap_err().to_string(), words);
    }
}

#[test]
fn causes_of_io_errors_carry_httpds_numbers() {
    let shown = |error: io::Error| Cause::of(&error).map(|cause| cause.to_string());
    assert_eq!(
        shown(io::Error::from_raw_os_error(111)).unwrap(),
        "(111)Connection refused"
    );
    assert_eq!(
        shown(io::ErrorKind::TimedOut.into()).unwrap(),
        "(70007)The timeout specified has expired"
    );
    assert_eq!(
        shown(io::ErrorKind::UnexpectedEof.into()).unwrap(),
        "(70014)End of file found"
    );
    assert_eq!(shown(io::Error::other("x")), None);
}

#[test]
fn logs_may_be_shared_by_the_threads_of_a_child() {
    const fn shared<T: Send + Sync>() {}
    shared::<ErrorLog>();
    shared::<crate::log::AccessLog>();
    shared::<ErrorFormat>();
}

#[test]
fn a_log_may_go_to_the_stream_that_tine_was_started_with() {
    assert!(Sink::stderr().is_ok());
    assert!(Sink::stdout().is_ok());
    assert!(Sink::file(Path::new("/dev/null")).is_ok());
}
