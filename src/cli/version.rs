//! What this program is.
//!
//! Responsible for: the texts of `-v` and `-V` in httpd's layout, so that scripts which search them for `SERVER_CONFIG_FILE` or
//! `Server MPM` go on working. What httpd says there about libraries that tine does not have is left out.

use super::args::{CONFIG_FILE, SERVER_ROOT};
use crate::config::model::Mpm;
use std::fmt::Write;

/// `-v`.
pub(super) fn short() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "Server version: tine/{version} (Unix)\nServer built:   {}\n",
        built()
    )
}

/// When this program was built, as far as that is known.
///
/// A build does not look at the clock, so that the same source gives the same program; whoever packages it says the date in
/// `SOURCE_DATE_EPOCH`.
#[must_use]
pub fn built() -> String {
    date(option_env!("SOURCE_DATE_EPOCH")).unwrap_or_else(|| "without a date".to_owned())
}

fn date(seconds: Option<&str>) -> Option<String> {
    let seconds = seconds?.parse().ok()?;
    let date = jiff::Timestamp::from_second(seconds).ok()?;
    Some(date.strftime("%b %e %Y %H:%M:%S").to_string())
}

/// `-V`, for a server with this MPM.
pub(super) fn long(mpm: Mpm) -> String {
    let mut text = short();
    let threaded = match mpm {
        Mpm::Prefork => "no",
        Mpm::Worker | Mpm::Event => "yes (fixed thread count)",
    };
    let rows = [
        (
            "Scoreboard:     ",
            format!(
                "layout {} ({:016x})",
                scoreboard::VERSION,
                scoreboard::LAYOUT_HASH
            ),
        ),
        ("Architecture:   ", format!("{}-bit", usize::BITS)),
        ("Server MPM:     ", mpm.name().to_owned()),
        ("  threaded:     ", threaded.to_owned()),
        (
            "    forked:     ",
            "yes (variable process count)".to_owned(),
        ),
        ("Server compiled with....", String::new()),
    ];
    for (name, value) in rows {
        writeln!(text, "{name}{value}").expect("writing to a String cannot fail");
    }
    text.push_str(" -D APR_HAVE_IPV6 (IPv4-mapped addresses enabled)\n");
    text.push_str(" -D SINGLE_LISTEN_UNSERIALIZED_ACCEPT\n");
    for (name, value) in SETTINGS {
        writeln!(text, " -D {name}=\"{value}\"").expect("writing to a String cannot fail");
    }
    text
}

/// What holds when the configuration says nothing else.
static SETTINGS: [(&str, &str); 5] = [
    ("HTTPD_ROOT", SERVER_ROOT),
    ("DEFAULT_PIDLOG", "logs/tine.pid"),
    ("DEFAULT_SCOREBOARD", "logs/scoreboard"),
    ("DEFAULT_ERRORLOG", "logs/error_log"),
    ("SERVER_CONFIG_FILE", CONFIG_FILE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_text_has_two_lines() {
        let text = short();
        let lines: Vec<_> = text.lines().collect();
        let expected = concat!(
            "Server version: tine/",
            env!("CARGO_PKG_VERSION"),
            " (Unix)"
        );
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[0], expected);
        assert!(lines[1].starts_with("Server built:   "));
    }

    #[test]
    fn a_build_date_is_told_if_there_is_one() {
        assert_eq!(
            date(Some("1700000000")).as_deref(),
            Some("Nov 14 2023 22:13:20")
        );
        assert_eq!(date(Some("today")), None);
        assert_eq!(date(None), None);
    }

    #[test]
    fn the_long_text_answers_what_scripts_ask() {
        let text = long(Mpm::Event);
        for line in [
            "Server MPM:     event",
            "  threaded:     yes (fixed thread count)",
            "    forked:     yes (variable process count)",
            "Server compiled with....",
            " -D HTTPD_ROOT=\"/etc/tine\"",
            " -D SERVER_CONFIG_FILE=\"tine.conf\"",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(long(Mpm::Prefork).contains("\n  threaded:     no\n"));
    }

    #[test]
    fn the_paths_are_those_that_an_empty_configuration_gets() {
        let options = crate::config::Options {
            file: "/etc/tine/tine.conf".into(),
            server_root: None,
            defines: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            env: &|_| None,
        };
        let config = crate::config::load_str("Listen 80\n", &options).expect("enough");
        let told = |name: &str| {
            let found = SETTINGS.iter().find(|(setting, _)| *setting == name);
            std::path::Path::new(SERVER_ROOT).join(found.expect("listed").1)
        };
        assert_eq!(config.paths.server_root, std::path::Path::new(SERVER_ROOT));
        assert_eq!(config.paths.pid_file, told("DEFAULT_PIDLOG"));
        assert_eq!(config.paths.scoreboard_file, told("DEFAULT_SCOREBOARD"));
        assert_eq!(config.paths.config_file, told("SERVER_CONFIG_FILE"));
    }
}
