//! `tinectl scoreboard`: look, show, and with `--watch` look again.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use scoreboard::OpenError;
use tine::config::{self, Diagnostic, Severity};

use super::cli::{ColorWhen, ScoreboardArgs};
use super::paint::{Paint, Style};
use super::report::{self, Form};
use super::sight::Sight;
use super::watch::Interrupts;
use super::{Trouble, json};

pub(crate) fn run(options: &ScoreboardArgs) -> Result<(), Trouble> {
    let path = file(options)?;
    let mut screen = Screen::of(options);
    let mut sight =
        Sight::take(&path, now_ms(), None).map_err(|error| unreadable(&path, &error))?;
    let Some(interval) = options.watch else {
        return screen.show(&screen.page(&sight));
    };
    let mut interrupts = Interrupts::new()?;
    screen.show(&screen.page(&sight))?;
    while !interrupts.wait(interval)? {
        match Sight::take(&path, now_ms(), Some(&sight)) {
            Ok(next) => {
                sight = next;
                screen.show(&screen.page(&sight))?;
            }
            // It was there a moment ago: perhaps the server is being restarted, so the watch goes on.
            Err(error) => screen.show(&screen.complaint(&path, &error))?,
        }
    }
    Ok(())
}

/// The file to look at: the one named, or the one that the configuration names.
fn file(options: &ScoreboardArgs) -> Result<PathBuf, Trouble> {
    let Some(config) = &options.config else {
        return Ok(options.file.clone());
    };
    let loaded = config::load(&config::Options {
        file: config.clone(),
        server_root: options.server_root.clone(),
        defines: options
            .defines
            .iter()
            .map(|define| name_and_value(define))
            .collect(),
        before: Vec::new(),
        after: Vec::new(),
        env: &|name| std::env::var(name).ok(),
    });
    loaded.map(|config| config.paths.scoreboard_file).map_err(|diagnostics| {
        let is_error = |one: &&Diagnostic| one.severity == Severity::Error;
        let first = diagnostics.iter().find(is_error).map_or("it cannot be read", |one| &one.message);
        let place = diagnostics.iter().find(is_error).and_then(|one| one.place.as_ref());
        let at = place.map_or_else(|| config.display().to_string(), ToString::to_string);
        // httpd's words may go on for lines; the first one says it.
        let first = first.lines().next().unwrap_or_default();
        Trouble::Said(format!(
            "{at}: {first}; `tine -t -f {}` says more, and --file names the scoreboard without a configuration",
            config.display()
        ))
    })
}

fn name_and_value(define: &str) -> (String, Option<String>) {
    match define.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (define.to_owned(), None),
    }
}

pub(crate) fn unreadable(path: &Path, error: &OpenError) -> Trouble {
    Trouble::Said(format!("{}: {error}", path.display()))
}

/// Where and how looks are shown.
struct Screen {
    out: io::Stdout,
    is_terminal: bool,
    is_json: bool,
    is_watch: bool,
    paint: Paint,
    looks: u64,
}

impl Screen {
    fn of(options: &ScoreboardArgs) -> Self {
        let out = io::stdout();
        let is_terminal = out.is_terminal();
        let when = if options.no_color {
            ColorWhen::Never
        } else {
            options.color
        };
        // https://no-color.org: present and not empty
        let is_no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            is_terminal,
            is_json: options.json,
            is_watch: options.watch.is_some(),
            paint: Paint {
                is_on: uses_color(when, is_no_color, is_terminal),
            },
            out,
            looks: 0,
        }
    }

    fn page(&self, sight: &Sight) -> String {
        if self.is_json {
            return json::render(sight, self.is_watch);
        }
        let (width, height) = self.size();
        let report = report::render(
            sight,
            Form {
                width,
                paint: self.paint,
            },
        );
        match height {
            // The cursor's own line is the last one.
            Some(height) if self.is_watch => report::fit_height(&report, height.saturating_sub(1)),
            Some(_) | None => report,
        }
    }

    fn complaint(&self, path: &Path, error: &OpenError) -> String {
        let words = format!("{}: {error}", path.display());
        if self.is_json {
            let error = serde_json::json!({ "format": 1, "file": path.display().to_string(), "error": error.to_string() });
            return format!("{error}\n");
        }
        format!("{}\n", self.paint.show(Style::Bad, words))
    }

    /// Columns and lines of the terminal, if it is one.
    fn size(&self) -> (Option<usize>, Option<usize>) {
        let columns = std::env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok());
        let size = if self.is_terminal {
            terminal_size::terminal_size()
        } else {
            None
        };
        let width = size.map(|(width, _)| usize::from(width.0));
        (
            columns.or(width).filter(|&width| width > 0),
            size.map(|(_, height)| usize::from(height.0)),
        )
    }

    fn show(&mut self, text: &str) -> Result<(), Trouble> {
        let frame = frame(
            text,
            self.looks,
            self.is_watch && self.is_terminal && !self.is_json,
            self.is_json,
        );
        self.looks += 1;
        let mut out = self.out.lock();
        out.write_all(frame.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// What is written for one look: on a terminal it takes the place of the one before, elsewhere it follows it.
fn frame(text: &str, looks_before: u64, is_redrawn: bool, is_json: bool) -> String {
    if is_redrawn {
        // Home, then every line clears its own rest, then whatever is below: a screen cleared first would flicker.
        let lines = text.replace('\n', "\x1b[K\n");
        return format!(
            "{}\x1b[H{lines}\x1b[J",
            if looks_before == 0 { "\x1b[2J" } else { "" }
        );
    }
    if looks_before > 0 && !is_json {
        return format!("\n{text}");
    }
    text.to_owned()
}

fn uses_color(when: ColorWhen, is_no_color: bool, is_terminal: bool) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => is_terminal && !is_no_color,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this program serves nobody; each look is a turn of its own"
)]
fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn found(config: &str, more: &[&str]) -> Result<PathBuf, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tine.conf");
        std::fs::write(&path, format!("Listen 80\n{config}")).unwrap();
        let line = ["tinectl", "scoreboard", "-f", path.to_str().unwrap()];
        let line = line.iter().chain(more);
        let Command::Scoreboard(options) = Cli::try_parse_from(line).unwrap().command else {
            panic!("that is the command");
        };
        file(&options).map_err(|trouble| trouble.to_string())
    }

    #[test]
    fn the_configuration_says_where_the_file_is() {
        for (config, more, expected) in [
            ("ScoreBoardFile /srv/board\n", &[][..], "/srv/board"),
            (
                "ServerRoot /\nScoreBoardFile run/board\n",
                &[],
                "/run/board",
            ),
            ("DefaultRuntimeDir /run/\n", &[], "/run/scoreboard"),
            ("ScoreBoardFile board\n", &["-d", "/tmp"], "/tmp/board"),
            (
                "<IfDefine A>\nScoreBoardFile /${A}\n</IfDefine>\n",
                &["-D", "A=b"],
                "/b",
            ),
        ] {
            assert_eq!(found(config, more), Ok(PathBuf::from(expected)), "{config}");
        }
    }

    #[test]
    fn a_broken_configuration_is_one_line_with_a_cure() {
        let line = found("\nNonsense 1\n", &[]).unwrap_err();
        assert!(
            line.contains("tine.conf:3: ") && line.contains("Nonsense"),
            "{line}"
        );
        assert!(
            line.contains("`tine -t -f ") && line.contains("--file"),
            "{line}"
        );
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn colours_are_for_terminals_unless_somebody_says_otherwise() {
        for (when, is_no_color, is_terminal, expected) in [
            (ColorWhen::Auto, false, true, true),
            (ColorWhen::Auto, true, true, false),
            (ColorWhen::Auto, false, false, false),
            (ColorWhen::Always, true, false, true),
            (ColorWhen::Never, false, true, false),
        ] {
            assert_eq!(
                uses_color(when, is_no_color, is_terminal),
                expected,
                "{when:?}"
            );
        }
    }

    #[test]
    fn looks_replace_each_other_on_a_terminal_and_follow_each_other_elsewhere() {
        assert_eq!(
            frame("a\nb\n", 0, true, false),
            "\x1b[2J\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J"
        );
        assert_eq!(frame("a\n", 1, true, false), "\x1b[Ha\x1b[K\n\x1b[J");
        assert_eq!(frame("a\n", 0, false, false), "a\n");
        assert_eq!(frame("a\n", 1, false, false), "\na\n");
        assert_eq!(frame("{}\n", 1, false, true), "{}\n");
    }
}
