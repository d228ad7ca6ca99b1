//! What a command line asks for.
//!
//! Responsible for: turning words into an [`Invocation`], and saying what is wrong with them. Not responsible for: doing it, see the parent
//! module, or for how the switches are explained, see [`switches`](super::switches).
//!
//! Know first: httpd's rules hold. Switches that only print something (`-v`, `-l`, `-L`, `-h`) act where they stand, so whatever follows is
//! not looked at; the others are collected, and a configuration test wins over `-k`. `-D DUMP_…` is `-t` with something to show.
//!
//! httpd: `server/main.c`.

use crate::config::Options;
use crate::log::Level;
use crate::mpm::control::Action;
use lexopt::Arg;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where the server root is when `-d` does not say (httpd's `HTTPD_ROOT`).
pub(super) const SERVER_ROOT: &str = "/etc/tine";
/// The file to read when `-f` does not say, from the server root (httpd's `SERVER_CONFIG_FILE`).
pub(super) const CONFIG_FILE: &str = "tine.conf";

/// A command line, understood.
#[derive(Debug)]
pub(super) struct Invocation {
    /// What to do.
    pub(super) task: Task,
    /// What it says about the configuration.
    pub(super) options: Options<'static>,
    /// `-f` as it was written, for hints.
    pub(super) file: Option<PathBuf>,
    /// `-e`: at least this is logged while starting.
    pub(super) startup_level: Option<Level>,
    /// `-E`: where errors go until the error log is open.
    pub(super) startup_log: Option<PathBuf>,
    /// Stay where started.
    pub(super) is_foreground: bool,
    /// One process, which is parent and child in one.
    pub(super) is_single: bool,
    /// The words themselves, for the log.
    pub(super) command_line: String,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    /// `-h`, `-?`
    Usage,
    /// `--help`
    Help,
    /// `-v`, `--version`
    Version,
    /// `-V`
    Build,
    /// `-l`
    CompiledIn,
    /// `-L`
    Directives,
    /// `--generate`
    Generate(Document),
    /// `-t`
    Test,
    /// `-S`, `-M`, `-D DUMP_…`; sorted, each once.
    Dump(Vec<Dump>),
    /// `-k`
    Control(Action),
    /// Nothing said: serve.
    Serve,
    /// `--demo`
    Demo,
}

/// A part of the configuration to print, in printing order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dump {
    /// `DUMP_INCLUDES`
    Includes,
    /// `DUMP_VHOSTS`
    Vhosts,
    /// `DUMP_RUN_CFG`
    RunCfg,
    /// `DUMP_MODULES`
    Modules,
    /// `DUMP_CONFIG`
    Config,
}

/// What `--generate` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Document {
    /// tine(8).
    Man,
    /// A completion script.
    Completion(clap_complete::Shell),
}

/// Words that make no sense.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadUsage(String);

impl fmt::Display for BadUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<lexopt::Error> for BadUsage {
    fn from(error: lexopt::Error) -> Self {
        if let lexopt::Error::UnexpectedOption(option) = &error {
            return Self(format!("there is no option `{option}`"));
        }
        if let lexopt::Error::MissingValue { option: Some(name) } = &error {
            return Self(format!("`{name}` needs a value"));
        }
        Self(error.to_string())
    }
}

/// Understand a command line; the first word is the program's name.
pub(super) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Invocation, BadUsage> {
    let words: Vec<OsString> = words.into_iter().collect();
    let said: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let command_line = said.join(" ");
    let is_alone = words.len() <= 2;
    let mut collected = Collected::default();
    let mut parser = lexopt::Parser::from_iter(words);
    while collected.take(&mut parser)? {}
    if collected.is_demo && !is_alone {
        return Err(BadUsage(
            "`--demo` brings its own configuration and takes no other option".to_owned(),
        ));
    }
    Ok(collected.finish(command_line))
}

/// What was seen so far.
#[derive(Default)]
struct Collected {
    immediate: Option<Task>,
    server_root: Option<PathBuf>,
    file: Option<PathBuf>,
    defines: Vec<(String, Option<String>)>,
    before: Vec<String>,
    after: Vec<String>,
    startup_level: Option<Level>,
    startup_log: Option<PathBuf>,
    control: Option<Action>,
    dumps: Vec<Dump>,
    is_test: bool,
    is_build: bool,
    is_foreground: bool,
    is_single: bool,
    is_demo: bool,
}

impl Collected {
    /// One option with its value; says whether the next is to be looked at.
    fn take(&mut self, parser: &mut lexopt::Parser) -> Result<bool, BadUsage> {
        let Some(argument) = parser.next()? else {
            return Ok(false);
        };
        match argument {
            Arg::Short('v') | Arg::Long("version") => self.immediate = Some(Task::Version),
            Arg::Short('h' | '?') => self.immediate = Some(Task::Usage),
            Arg::Long("help") => self.immediate = Some(Task::Help),
            Arg::Short('l') => self.immediate = Some(Task::CompiledIn),
            Arg::Short('L') => self.immediate = Some(Task::Directives),
            Arg::Long("generate") => {
                let document = document(&text(parser, "--generate")?)?;
                self.immediate = Some(Task::Generate(document));
            }
            Arg::Long("demo") => self.is_demo = true,
            Arg::Short('V') => self.is_build = true,
            Arg::Short('t') => self.is_test = true,
            // There is no check of document roots that could be left out.
            Arg::Short('T') => {}
            Arg::Short('S') => {
                self.define("DUMP_VHOSTS")?;
                self.define("DUMP_RUN_CFG")?;
            }
            Arg::Short('M') => self.define("DUMP_MODULES")?,
            Arg::Short('X') => self.define("DEBUG")?,
            Arg::Short('D') => self.define(&text(parser, "-D")?)?,
            Arg::Short('k') => self.control = Some(action(&text(parser, "-k")?)?),
            Arg::Short('d') => self.server_root = Some(fixed(parser.value()?)),
            Arg::Short('f') => self.file = Some(parser.value()?.into()),
            Arg::Short('C') => self.before.push(text(parser, "-C")?),
            Arg::Short('c') => self.after.push(text(parser, "-c")?),
            Arg::Short('e') => self.startup_level = Some(level(&text(parser, "-e")?)?),
            Arg::Short('E') => self.startup_log = Some(fixed(parser.value()?)),
            Arg::Short(_) | Arg::Long(_) => return Err(argument.unexpected().into()),
            Arg::Value(word) => {
                let word = word.to_string_lossy();
                return Err(BadUsage(format!(
                    "`{word}` is no option, and tine takes no other words"
                )));
            }
        }
        Ok(self.immediate.is_none())
    }

    /// A `-D`, with what some names mean besides.
    fn define(&mut self, text: &str) -> Result<(), BadUsage> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() {
            return Err(BadUsage(format!("`-D` needs a name, `{text}` has none")));
        }
        match name {
            "FOREGROUND" | "NO_DETACH" => self.is_foreground = true,
            "DEBUG" | "ONE_PROCESS" => self.is_single = true,
            "DUMP_INCLUDES" => self.dumps.push(Dump::Includes),
            "DUMP_VHOSTS" => self.dumps.push(Dump::Vhosts),
            "DUMP_RUN_CFG" => self.dumps.push(Dump::RunCfg),
            "DUMP_MODULES" => self.dumps.push(Dump::Modules),
            "DUMP_CONFIG" => self.dumps.push(Dump::Config),
            _ => {}
        }
        self.defines.push((name.to_owned(), value));
        Ok(())
    }

    fn finish(mut self, command_line: String) -> Invocation {
        Invocation {
            task: self.task(),
            options: Options {
                file: absolute(self.server_root.as_deref(), self.file.as_deref()),
                server_root: self.server_root,
                defines: self.defines,
                before: self.before,
                after: self.after,
                env: &|name| std::env::var(name).ok(),
            },
            file: self.file,
            startup_level: self.startup_level,
            startup_log: self.startup_log,
            is_foreground: self.is_foreground || self.is_single,
            is_single: self.is_single,
            command_line,
        }
    }

    fn task(&mut self) -> Task {
        self.dumps.sort_unstable();
        self.dumps.dedup();
        match (self.immediate.take(), self.control) {
            (Some(task), _) => task,
            (None, _) if self.is_demo => Task::Demo,
            (None, _) if self.is_build => Task::Build,
            (None, _) if !self.dumps.is_empty() => Task::Dump(std::mem::take(&mut self.dumps)),
            (None, _) if self.is_test => Task::Test,
            (None, Some(action)) => Task::Control(action),
            (None, None) => Task::Serve,
        }
    }
}

/// The configuration file, which stands below the server root unless it says where.
fn absolute(server_root: Option<&Path>, file: Option<&Path>) -> PathBuf {
    let root = server_root.unwrap_or_else(|| Path::new(SERVER_ROOT));
    root.join(file.unwrap_or_else(|| Path::new(CONFIG_FILE)))
}

/// A path that means the same after the server has gone into the background, and so to `/`.
fn fixed(path: OsString) -> PathBuf {
    let path = PathBuf::from(path);
    // Refused only for an empty path, or where there is no working directory; then whoever opens it says so.
    std::path::absolute(&path).unwrap_or(path)
}

/// A value that becomes part of a text.
fn text(parser: &mut lexopt::Parser, option: &str) -> Result<String, BadUsage> {
    let value = parser.value()?;
    value
        .into_string()
        .map_err(|value| BadUsage(format!("`{option}` takes UTF-8, {value:?} is not")))
}

fn action(word: &str) -> Result<Action, BadUsage> {
    Action::from_word(word).ok_or_else(|| {
        BadUsage(format!(
            "`-k` takes start, restart, graceful, graceful-stop or stop, not `{word}`"
        ))
    })
}

fn level(word: &str) -> Result<Level, BadUsage> {
    Level::parse(word).ok_or_else(|| {
        BadUsage(format!(
            "`-e` takes a level (emerg, alert, crit, error, warn, notice, info, debug, trace1 to trace8), not `{word}`"
        ))
    })
}

fn document(word: &str) -> Result<Document, BadUsage> {
    use clap_complete::Shell;
    match word {
        "man" => Ok(Document::Man),
        "bash" => Ok(Document::Completion(Shell::Bash)),
        "zsh" => Ok(Document::Completion(Shell::Zsh)),
        "fish" => Ok(Document::Completion(Shell::Fish)),
        _ => Err(BadUsage(format!(
            "`--generate` takes man, bash, zsh or fish, not `{word}`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Invocation, String> {
        let words = std::iter::once("tine").chain(line.split_whitespace());
        parse(words.map(OsString::from)).map_err(|bad| bad.to_string())
    }

    fn task(line: &str) -> Task {
        read(line).expect(line).task
    }

    #[test]
    fn every_switch_asks_for_its_task() {
        let table = [
            ("", Task::Serve),
            ("-h", Task::Usage),
            ("-?", Task::Usage),
            ("--help", Task::Help),
            ("-v", Task::Version),
            ("--version", Task::Version),
            ("-V", Task::Build),
            ("-l", Task::CompiledIn),
            ("-L", Task::Directives),
            ("-t", Task::Test),
            ("-T", Task::Serve),
            ("-S", Task::Dump(vec![Dump::Vhosts, Dump::RunCfg])),
            ("-M", Task::Dump(vec![Dump::Modules])),
            ("-X", Task::Serve),
            ("--demo", Task::Demo),
            ("-k start", Task::Control(Action::Start)),
            ("-krestart", Task::Control(Action::Restart)),
            ("-k graceful", Task::Control(Action::Graceful)),
            ("-k graceful-stop", Task::Control(Action::GracefulStop)),
            ("-k stop", Task::Control(Action::Stop)),
            ("-D DUMP_INCLUDES", Task::Dump(vec![Dump::Includes])),
            ("-t -DDUMP_CONFIG", Task::Dump(vec![Dump::Config])),
            ("--generate man", Task::Generate(Document::Man)),
            (
                "--generate=fish",
                Task::Generate(Document::Completion(clap_complete::Shell::Fish)),
            ),
        ];
        for (line, expected) in table {
            assert_eq!(task(line), expected, "tine {line}");
        }
    }

    #[test]
    fn of_several_tasks_the_harmless_one_wins() {
        let table = [
            ("-k stop -t", Task::Test),
            ("-t -S -S -M", {
                Task::Dump(vec![Dump::Vhosts, Dump::RunCfg, Dump::Modules])
            }),
            ("-k stop -V", Task::Build),
            ("-k restart -k stop", Task::Control(Action::Stop)),
            ("-v --no-such-option", Task::Version),
        ];
        for (line, expected) in table {
            assert_eq!(task(line), expected, "tine {line}");
        }
    }

    #[test]
    fn the_configuration_file_stands_below_the_server_root() {
        let table = [
            ("", "/etc/tine/tine.conf"),
            ("-f a.conf", "/etc/tine/a.conf"),
            ("-f /x/a.conf", "/x/a.conf"),
            ("-d /srv", "/srv/tine.conf"),
            ("-f conf/a.conf -d /srv", "/srv/conf/a.conf"),
            ("-f a.conf -f b.conf", "/etc/tine/b.conf"),
        ];
        let here = std::env::current_dir().expect("tests run somewhere");
        let below = read("-d sub").expect("known").options;
        assert_eq!(below.server_root, Some(here.join("sub")));
        assert_eq!(below.file, here.join("sub/tine.conf"));
        for (line, expected) in table {
            let file = read(line).expect(line).options.file;
            assert_eq!(file, Path::new(expected), "tine {line}");
        }
    }

    #[test]
    fn defines_and_directives_keep_their_order() {
        let words = [
            "tine", "-DA", "-D", "B=1", "-DC=", "-C", "Listen 1", "-c", "Listen 3", "-C",
            "Listen 2",
        ];
        let invocation = parse(words.map(OsString::from)).expect("all of it is right");
        let options = invocation.options;
        let value = |text: &str| Some(text.to_owned());
        let expected = [("A", None), ("B", value("1")), ("C", value(""))];
        assert_eq!(
            options.defines,
            expected.map(|(name, value)| (name.to_owned(), value))
        );
        assert_eq!(options.before, ["Listen 1", "Listen 2"]);
        assert_eq!(options.after, ["Listen 3"]);
        assert_eq!(
            invocation.command_line,
            "tine -DA -D B=1 -DC= -C Listen 1 -c Listen 3 -C Listen 2"
        );
    }

    #[test]
    fn some_defines_say_how_to_run() {
        // (line, foreground, single)
        let table = [
            ("", false, false),
            ("-DFOREGROUND", true, false),
            ("-D NO_DETACH", true, false),
            ("-D ONE_PROCESS", true, true),
            ("-D DEBUG", true, true),
            ("-X", true, true),
            ("-D OTHER", false, false),
        ];
        for (line, is_foreground, is_single) in table {
            let invocation = read(line).expect(line);
            let found = (invocation.is_foreground, invocation.is_single);
            assert_eq!(found, (is_foreground, is_single), "tine {line}");
        }
        let invocation = read("-X").expect("known");
        assert_eq!(invocation.options.defines, [("DEBUG".to_owned(), None)]);
    }

    #[test]
    fn startup_messages_have_a_level_and_a_file() {
        let invocation = read("-e Debug -E /tmp/start.log").expect("known");
        assert_eq!(invocation.startup_level, Some(Level::Debug));
        assert_eq!(
            invocation.startup_log.as_deref(),
            Some(Path::new("/tmp/start.log"))
        );
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let table = [
            ("-z", "there is no option `-z`"),
            ("--bogus", "there is no option `--bogus`"),
            ("-f", "`-f` needs a value"),
            ("-D =1", "`-D` needs a name, `=1` has none"),
            (
                "start",
                "`start` is no option, and tine takes no other words",
            ),
            (
                "-k halt",
                "`-k` takes start, restart, graceful, graceful-stop or stop, not `halt`",
            ),
            (
                "-e loud",
                "`-e` takes a level (emerg, alert, crit, error, warn, notice, info, debug, trace1 to trace8), not `loud`",
            ),
            (
                "--generate pdf",
                "`--generate` takes man, bash, zsh or fish, not `pdf`",
            ),
            (
                "--demo -f x",
                "`--demo` brings its own configuration and takes no other option",
            ),
        ];
        for (line, expected) in table {
            assert_eq!(read(line).expect_err(line), expected, "tine {line}");
        }
    }

    #[test]
    fn directives_that_are_not_utf8_are_refused() {
        use std::os::unix::ffi::OsStringExt;
        let words = [
            OsString::from("tine"),
            OsString::from("-C"),
            OsString::from_vec(vec![0xff]),
        ];
        let refused = parse(words).expect_err("not UTF-8").to_string();
        assert_eq!(refused, "`-C` takes UTF-8, \"\\xFF\" is not");
    }
}
