//! The command line: httpd's switches, with httpd's texts.
//!
//! Responsible for: what `tine …` means, everything that it prints, and the exit code. Not responsible for: how a server runs
//! (`server`, `mpm`), or what a configuration says (`config`). Nothing else in the house writes to standard output; `demo`, which is a
//! command line's doing too, does it through `say`.
//!
//! Know first: texts and streams are httpd's, because scripts read them: `Syntax OK` goes to standard error, the answers of `-k` to standard
//! output. Exit codes are not: httpd ends with 0 when there was nothing to stop, here 0 means that what was asked for has happened.
//!
//! Where to read: `args` (words → an invocation), this file (invocation → doing), `switches` (help, manual, completions), `version`.
//!
//! httpd: `server/main.c`, `ap_signal_server` in `server/mpm_unix.c`.

mod args;
mod switches;
mod version;

pub use version::built;

use crate::config::{self, Config, Options};
use crate::mpm::control::{self, Action, Answer, Failure, Target};
use crate::server::{self, Extensions, Start};
use crate::{config::model::Mpm, demo};
use args::{Dump, Invocation, Task};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// Do what the words say; the first is the program's name. The result is the exit code.
pub fn run(words: impl Iterator<Item = OsString>) -> i32 {
    run_with(words, Extensions::default())
}

/// The same in a program that brings methods and schemes of its own.
pub fn run_with(words: impl Iterator<Item = OsString>, extensions: Extensions) -> i32 {
    match args::parse(words) {
        Ok(invocation) => perform(invocation, extensions),
        Err(bad) => {
            let usage = switches::USAGE;
            complain(
                &format!("tine: {bad}\n{usage}hint: `tine --help` explains every option\n"),
                None,
            );
            FAILED
        }
    }
}

fn perform(invocation: Invocation, extensions: Extensions) -> i32 {
    match &invocation.task {
        Task::Usage => {
            complain(switches::USAGE, None);
            FAILED
        }
        Task::Help => say(&switches::help()),
        Task::Version => say(&version::short()),
        Task::Build => say(&version::long(mpm_of(&invocation.options))),
        Task::CompiledIn => say(&config::list_compiled_in()),
        Task::Directives => say(&config::list_directives()),
        Task::Generate(document) => say_bytes(&switches::generate(*document)),
        Task::Test => test(&invocation, extensions),
        Task::Dump(dumps) => dump(&invocation, dumps),
        Task::Control(action) => control(*action, invocation, extensions),
        Task::Serve => serve(invocation, extensions),
        Task::Demo => demo::run(extensions),
    }
}

/// `-t`: the whole configuration, compiled.
fn test(invocation: &Invocation, extensions: Extensions) -> i32 {
    match server::check(&invocation.options, extensions) {
        Ok((_, warnings)) => {
            for warning in warnings {
                invocation.complain(&warning);
            }
            complain("Syntax OK\n", None);
            0
        }
        Err(errors) => invocation.refuse(&errors),
    }
}

/// `-S` and its like: what was read. Nothing is compiled, so that a missing certificate does not hide which virtual host wants it.
fn dump(invocation: &Invocation, dumps: &[Dump]) -> i32 {
    let config = match config::load(&invocation.options) {
        Ok(config) => config,
        Err(errors) => return invocation.refuse(&config::render(&errors)),
    };
    if !config.notes.is_empty() {
        invocation.complain(&config::render(&config.notes));
    }
    let text: String = dumps.iter().map(|dump| dumped(&config, *dump)).collect();
    say(&text)
}

fn dumped(config: &Config, dump: Dump) -> String {
    match dump {
        Dump::Includes => config::dump_includes(config),
        Dump::Vhosts => config::dump_vhosts(config),
        Dump::RunCfg => config::dump_run_cfg(config),
        Dump::Modules => config::dump_modules(config),
        Dump::Config => config.dump(),
    }
}

/// The MPM that the server would run as; that of an empty configuration when there is none to read, which `-V` is no place to complain
/// about.
fn mpm_of(options: &Options<'_>) -> Mpm {
    server::mpm(&config::load(options).unwrap_or_default())
}

/// `-k`: find the server by its configuration, and tell it.
fn control(action: Action, invocation: Invocation, extensions: Extensions) -> i32 {
    let config = match configuration_for(action, &invocation, extensions) {
        Ok(config) => config,
        Err(errors) => {
            let code = invocation.refuse(&errors);
            invocation.complain(advice(action));
            return code;
        }
    };
    let timeout_s = config.mpm.graceful_shutdown_timeout_s.or(0);
    let target = Target {
        pid_file: &config.paths.pid_file,
        graceful_shutdown_timeout: (timeout_s > 0).then(|| Duration::from_secs(timeout_s.into())),
    };
    match control::control(action, &target) {
        Ok(Answer::Done(message)) => say(&format!("{message}\n")),
        Ok(Answer::Start(message)) => {
            if let Some(message) = message {
                say(&format!("{message}\n"));
            }
            serve(invocation, extensions)
        }
        Err(failure) => {
            failed(&invocation, &failure);
            FAILED
        }
    }
}

/// What is read before a server is told. A restart is not even asked for with a configuration that would be refused.
fn configuration_for(
    action: Action,
    invocation: &Invocation,
    extensions: Extensions,
) -> Result<Config, String> {
    let options = &invocation.options;
    match action {
        Action::Restart | Action::Graceful => {
            server::check(options, extensions).map(|(config, _)| config)
        }
        Action::Start | Action::Stop | Action::GracefulStop => {
            config::load(options).map_err(|errors| config::render(&errors))
        }
    }
}

/// What a broken configuration means to a server that runs.
fn advice(action: Action) -> &'static str {
    match action {
        Action::Start => "",
        Action::Restart | Action::Graceful => {
            "tine: nothing was signalled; a server that runs keeps its configuration\n"
        }
        Action::Stop => {
            "tine: the pid file is found by the configuration; `kill -TERM PID` stops a server without it\n"
        }
        Action::GracefulStop => {
            "tine: the pid file is found by the configuration; `kill -WINCH PID` stops a server without it\n"
        }
    }
}

/// Says why `-k` failed, on the stream where httpd says it.
fn failed(invocation: &Invocation, failure: &Failure) {
    match failure {
        Failure::AlreadyRunning(_) | Failure::NotRunning(_) => {
            say(&format!("{failure}\n"));
        }
        Failure::PidFile(_)
        | Failure::Signal(..)
        | Failure::Refused(..)
        | Failure::Died(..)
        | Failure::Timeout(..) => invocation.complain(&format!("tine: {failure}")),
    }
}

fn serve(invocation: Invocation, extensions: Extensions) -> i32 {
    let startup_log = invocation.startup_log.clone();
    let start = Start {
        options: invocation.options,
        command_line: invocation.command_line,
        is_foreground: invocation.is_foreground,
        startup_level: invocation.startup_level,
        startup_log: invocation.startup_log,
        extensions,
    };
    let ended = if invocation.is_single {
        server::run_single(start)
    } else {
        server::run(start)
    };
    match ended {
        Ok(code) => code,
        Err(errors) => {
            complain(&errors, startup_log.as_deref());
            FAILED
        }
    }
}

impl Invocation {
    fn complain(&self, text: &str) {
        complain(text, self.startup_log.as_deref());
    }

    /// Says why there is no configuration.
    fn refuse(&self, errors: &str) -> i32 {
        self.complain(errors);
        if let Some(hint) = self.misplaced_file() {
            self.complain(&hint);
        }
        FAILED
    }

    /// A hint for `-f` with a file that is in the working directory: httpd looks for it below the server root.
    fn misplaced_file(&self) -> Option<String> {
        let file = self.file.as_deref().filter(|file| file.is_relative())?;
        let is_misplaced = !self.options.file.exists() && file.exists();
        is_misplaced.then(|| {
            format!(
                "hint: `-f` starts at the server root, `{}`; for the file in this directory write `-f \"$PWD/{}\"`",
                self.options.file.display(),
                file.display()
            )
        })
    }
}

/// The exit code of everything that did not work.
const FAILED: i32 = 1;

/// Prints to standard output; the result is an exit code.
pub(crate) fn say(text: &str) -> i32 {
    say_bytes(text.as_bytes())
}

fn say_bytes(bytes: &[u8]) -> i32 {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => 0,
        // `tine -L | head`: the reader has what it wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => {
            complain(&format!("tine: writing to standard output: {error}"), None);
            FAILED
        }
    }
}

/// Prints to standard error, or to the file of `-E`, with a line end.
pub(crate) fn complain(text: &str, startup_log: Option<&Path>) {
    let text = format!("{}\n", text.trim_end_matches('\n'));
    if text.trim().is_empty() {
        return;
    }
    let logged = startup_log.is_some_and(|path| {
        let file = File::options().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .is_ok()
    });
    if !logged {
        // With standard error gone there is nobody left to tell.
        drop(io::stderr().write_all(text.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_line(line: &str) -> i32 {
        let words = std::iter::once("tine").chain(line.split_whitespace());
        run(words.map(OsString::from))
    }

    fn written(text: &str) -> (tempfile::TempDir, String) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("tine.conf");
        std::fs::write(&file, text).expect("our own directory");
        let file = file.display().to_string();
        (directory, file)
    }

    #[test]
    fn looking_ends_with_0_and_nonsense_with_1() {
        let (_directory, good) = written("Listen 127.0.0.1:8080\n");
        let (_other, bad) = written("Lisden 8080\n");
        let table = [
            ("-v".to_owned(), 0),
            ("-V".to_owned(), 0),
            ("-l".to_owned(), 0),
            ("-L".to_owned(), 0),
            ("--help".to_owned(), 0),
            ("-h".to_owned(), 1),
            ("-z".to_owned(), 1),
            (format!("-S -f {good}"), 0),
            (format!("-M -f {good}"), 0),
            (format!("-S -f {bad}"), 1),
            (format!("-k stop -f {bad}"), 1),
        ];
        for (line, expected) in table {
            assert_eq!(run_line(&line), expected, "tine {line}");
        }
    }

    #[test]
    fn there_is_nothing_to_stop() {
        let (directory, file) = written("Listen 127.0.0.1:8080\n");
        let root = directory.path().display();
        assert_eq!(run_line(&format!("-k stop -d {root} -f {file}")), 1);
    }

    #[test]
    fn errors_of_starting_go_to_the_file_of_e() {
        let (directory, file) = written("Lisden 8080\n");
        let log = directory.path().join("start.log");
        let line = format!("-M -f {file} -E {}", log.display());
        assert_eq!(run_line(&line), 1);
        let said = std::fs::read_to_string(&log).expect("written");
        assert!(
            said.starts_with("AH00526: Syntax error on line 1 of "),
            "{said}"
        );
        assert!(said.contains("Invalid command 'Lisden'"), "{said}");
        assert!(said.ends_with('\n') && !said.ends_with("\n\n"), "{said}");
    }

    #[test]
    fn the_configuration_in_the_readme_is_one() {
        let readme = include_str!("../README.md");
        let (_, rest) = readme.split_once("```apache\n").expect("it has one");
        let (text, _) = rest.split_once("```").expect("which ends");
        let (directory, file) = written(text);
        std::fs::create_dir(directory.path().join("logs")).expect("a new directory");
        let root = directory.path().to_str().expect("a plain name");
        let words = ["tine", "-d", root, "-f", &file].map(OsString::from);
        let options = args::parse(words).expect("known").options;
        match server::check(&options, Extensions::default()) {
            Ok((_, warnings)) => assert_eq!(warnings, Vec::<String>::new()),
            Err(errors) => panic!("{errors}"),
        }
    }

    #[test]
    fn a_file_of_the_working_directory_is_pointed_out() {
        let words = ["tine", "-d", "/no/such/root", "-f", "Cargo.toml"];
        let invocation = args::parse(words.map(OsString::from)).expect("known");
        let hint = invocation.misplaced_file().expect("it is here");
        assert!(hint.contains("`/no/such/root/Cargo.toml`"), "{hint}");
        assert!(hint.contains("-f \"$PWD/Cargo.toml\""), "{hint}");
    }
}
