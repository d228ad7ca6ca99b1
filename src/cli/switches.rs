//! How the switches are explained.
//!
//! Responsible for: the one table from which `-h`, `--help`, the man page and the shell completions are made. Not responsible for: what the
//! switches do; a test sees to it that `args` knows exactly those that are listed here.

use super::args::Document;
use clap::{Arg, ArgAction, Command, ValueHint};
use std::fmt::Write;

/// One switch.
struct Switch {
    /// Its letter, if it has one.
    short: Option<char>,
    /// Its long name, if it has one.
    long: Option<&'static str>,
    /// What follows it, as help texts call it.
    value: Option<Value>,
    /// What it does, in one line.
    help: &'static str,
}

/// What follows a switch.
#[derive(Clone, Copy)]
enum Value {
    File(&'static str),
    Directory(&'static str),
    Text(&'static str),
    OneOf(&'static [&'static str]),
}

impl Value {
    fn shown(self) -> String {
        match self {
            Self::File(name) | Self::Directory(name) | Self::Text(name) => name.to_owned(),
            Self::OneOf(words) => words.join("|"),
        }
    }
}

const fn short(letter: char, value: Option<Value>, help: &'static str) -> Switch {
    Switch {
        short: Some(letter),
        long: None,
        value,
        help,
    }
}

const fn long(name: &'static str, value: Option<Value>, help: &'static str) -> Switch {
    Switch {
        short: None,
        long: Some(name),
        value,
        help,
    }
}

/// A heading and the switches below it.
type Group = (&'static str, &'static [Switch]);

#[rustfmt::skip]
static GROUPS: &[Group] = &[
    ("Serve", &[
        short('k', Some(Value::OneOf(&["start", "restart", "graceful", "graceful-stop", "stop"])), "start, or tell the running server; waits until it has happened"),
        short('X', None, "one process, in the foreground, for debugging (as -D DEBUG)"),
        short('D', Some(Value::Text("NAME[=VALUE]")), "define a name for <IfDefine> and ${NAME}; some have a meaning, see below"),
        short('e', Some(Value::Text("LEVEL")), "show messages up to this level while starting"),
        short('E', Some(Value::File("FILE")), "write the errors of starting to this file instead of standard error"),
        short('T', None, "accepted for scripts: there is no document root check to leave out"),
    ]),
    ("Configuration", &[
        short('f', Some(Value::File("FILE")), "read this file, relative to the server root (default: tine.conf)"),
        short('d', Some(Value::Directory("DIR")), "the server root unless ServerRoot says otherwise (default: /etc/tine)"),
        short('C', Some(Value::Text("\"DIRECTIVE\"")), "process a directive before the file; may be repeated"),
        short('c', Some(Value::Text("\"DIRECTIVE\"")), "process a directive after the file; may be repeated"),
    ]),
    ("Look, without serving", &[
        short('t', None, "check the configuration: `Syntax OK`, or what is wrong and where"),
        short('S', None, "print virtual hosts and run settings (-t -D DUMP_VHOSTS -D DUMP_RUN_CFG)"),
        short('M', None, "print the loaded modules (-t -D DUMP_MODULES)"),
        short('l', None, "print the modules that are compiled in"),
        short('L', None, "print every directive, what it does and where it may stand"),
        short('v', None, "print the version"),
        short('V', None, "print the version and what is built in"),
    ]),
    ("Learn", &[
        long("demo", None, "serve a ready-made configuration with its own backends on a free port"),
        short('h', None, "print a short usage (also -?)"),
        long("help", None, "print this"),
        long("version", None, "as -v"),
        long("generate", Some(Value::OneOf(&["man", "bash", "zsh", "fish"])), "print the manual page, or completions for a shell"),
    ]),
];

/// `-D` names with a meaning of their own.
#[rustfmt::skip]
static DEFINES: &[(&str, &str)] = &[
    ("FOREGROUND", "stay in the foreground, for service managers and containers"),
    ("NO_DETACH", "the same"),
    ("ONE_PROCESS, DEBUG", "as -X"),
    ("DUMP_VHOSTS", "print the virtual hosts by address and stop"),
    ("DUMP_RUN_CFG", "print paths, user, group and defines and stop"),
    ("DUMP_MODULES", "print the loaded modules and stop"),
    ("DUMP_INCLUDES", "print the files that were read and stop"),
    ("DUMP_CONFIG", "print everything that was understood and stop"),
];

static EXAMPLES: &[(&str, &str)] = &[
    (
        "tine --demo",
        "see it balance, fail over and report, without writing a file",
    ),
    (
        "tine -t -f /etc/httpd/conf/httpd.conf",
        "will tine take this configuration as it is?",
    ),
    (
        "tine -S",
        "which virtual host answers on which address and port?",
    ),
    ("tine -D FOREGROUND", "serve, as a service manager wants it"),
    (
        "tine -k graceful",
        "read the configuration again; requests under way are finished",
    ),
    (
        "tine -X -e debug -c \"LogLevel proxy:trace2\"",
        "one process, and every decision in the log",
    ),
];

/// `-h`, and what follows a mistake.
pub(super) const USAGE: &str = "\
Usage: tine [-D name[=value]] [-d directory] [-f file]
            [-C \"directive\"] [-c \"directive\"]
            [-k start|restart|graceful|graceful-stop|stop] [-e level] [-E file]
            [-v] [-V] [-h] [-l] [-L] [-t] [-T] [-S] [-M] [-X]
       tine --demo | --help | --version | --generate man|bash|zsh|fish
";

/// `--help`.
pub(super) fn help() -> String {
    let mut text = String::from(
        "tine: a prefork reverse proxy and load balancer that reads httpd's configuration\n\n",
    );
    text.push_str(USAGE);
    let sections = GROUPS.iter().map(|(heading, switches)| {
        let rows = switches.iter().map(|switch| (switch.shown(), switch.help));
        (*heading, rows.collect::<Vec<_>>())
    });
    for (heading, rows) in sections {
        section(&mut text, heading, &rows);
    }
    let defines = DEFINES
        .iter()
        .map(|(name, help)| ((*name).to_owned(), *help));
    section(&mut text, "Names for -D", &defines.collect::<Vec<_>>());
    text.push_str("\nExamples\n");
    for (command, why) in EXAMPLES {
        line(&mut text, format_args!("  {command}\n      {why}"));
    }
    text.push_str(EXIT);
    text
}

const EXIT: &str = "
Exit code 0: it has happened. 1: it has not; the reason is on standard error, or
on standard output where httpd prints it there (`tine (pid 7) already running`).

tinectl shows a running, hanging or dead server from outside: tinectl --help
";

/// One heading with its rows; a left side that is too long gets a line of its own.
fn section(text: &mut String, heading: &str, rows: &[(String, &str)]) {
    line(text, format_args!("\n{heading}"));
    for (left, right) in rows {
        if left.len() > LEFT {
            line(text, format_args!("  {left}\n  {:LEFT$}  {right}", ""));
        } else {
            line(text, format_args!("  {left:LEFT$}  {right}"));
        }
    }
}

/// The width of the left side.
const LEFT: usize = 18;

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a String cannot fail");
}

impl Switch {
    fn shown(&self) -> String {
        let name = match (self.short, self.long) {
            (Some(letter), _) => format!("-{letter}"),
            (None, name) => format!("--{}", name.unwrap_or_default()),
        };
        match self.value {
            Some(value) => format!("{name} {}", value.shown()),
            None => name,
        }
    }

    /// The same as clap sees it, which draws man pages and completions but never reads a command line of ours.
    fn described(&self, heading: &'static str) -> Arg {
        // Only told apart, never looked up: the help texts differ.
        let mut argument = Arg::new(self.help).help(self.help).help_heading(heading);
        if let Some(letter) = self.short {
            argument = argument.short(letter);
        }
        if let Some(name) = self.long {
            argument = argument.long(name);
        }
        match self.value {
            None => argument.action(ArgAction::SetTrue),
            Some(Value::File(name)) => argument.value_name(name).value_hint(ValueHint::FilePath),
            Some(Value::Directory(name)) => {
                argument.value_name(name).value_hint(ValueHint::DirPath)
            }
            Some(Value::Text(name)) => argument.value_name(name).action(ArgAction::Append),
            Some(Value::OneOf(words)) => argument.value_name("WORD").value_parser(words.to_vec()),
        }
    }
}

/// `--generate`.
pub(super) fn generate(document: Document) -> Vec<u8> {
    let mut command = described();
    let mut out = Vec::new();
    match document {
        Document::Man => manual(command, &mut out).expect("writing to a Vec cannot fail"),
        Document::Completion(shell) => {
            clap_complete::generate(shell, &mut command, "tine", &mut out);
        }
    }
    out
}

fn described() -> Command {
    let arguments = GROUPS
        .iter()
        .flat_map(|(heading, switches)| switches.iter().map(|switch| switch.described(heading)));
    Command::new("tine")
        .about("prefork reverse proxy and load balancer that reads httpd's configuration")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(arguments)
}

fn manual(command: Command, out: &mut Vec<u8>) -> std::io::Result<()> {
    use clap_mangen::roff::{Roff, bold, roman};
    let man = clap_mangen::Man::new(command).section("8");
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_options_section(out)?;
    let mut rest = Roff::new();
    rest.control("SH", ["NAMES FOR -D"]);
    for (name, help) in DEFINES {
        rest.control("TP", [])
            .text([bold(*name)])
            .text([roman(*help)]);
    }
    rest.control("SH", ["EXAMPLES"]);
    for (command, why) in EXAMPLES {
        rest.control("TP", [])
            .text([bold(*command)])
            .text([roman(*why)]);
    }
    rest.control("SH", ["EXIT STATUS"]);
    rest.text([roman(
        "0: it has happened. 1: it has not, and the message says why.",
    )]);
    rest.control("SH", ["SEE ALSO"]);
    rest.text([bold("tinectl"), roman("(1)")]);
    rest.to_writer(out)
}

#[cfg(test)]
mod tests {
    use super::super::args;
    use super::*;
    use std::ffi::OsString;

    fn listed() -> impl Iterator<Item = &'static Switch> {
        GROUPS.iter().flat_map(|(_, switches)| *switches)
    }

    #[test]
    fn every_listed_switch_is_understood() {
        for switch in listed() {
            let mut words = vec![OsString::from("tine")];
            let name = switch.shown();
            words.push(name.split(' ').next().expect("it has a name").into());
            words.extend(switch.value.map(|value| match (value, switch.short) {
                (Value::OneOf(words), _) => (*words.first().expect("one of some")).into(),
                (_, Some('e')) => "debug".into(),
                (Value::File(_) | Value::Directory(_) | Value::Text(_), _) => "x".into(),
            }));
            assert!(args::parse(words.clone()).is_ok(), "{words:?}");
        }
    }

    #[test]
    fn every_understood_switch_is_listed() {
        for letter in ('a'..='z').chain('A'..='Z') {
            let words = ["tine".to_owned(), format!("-{letter}"), "start".to_owned()];
            let error = args::parse(words.map(OsString::from)).err();
            let is_known =
                error.is_none_or(|bad| !bad.to_string().starts_with("there is no option"));
            let is_listed = listed().any(|switch| switch.short == Some(letter));
            assert_eq!(is_known, is_listed, "-{letter}");
        }
    }

    #[test]
    fn help_fits_a_terminal_and_names_everything() {
        let help = help();
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        for switch in listed() {
            assert!(help.contains(&switch.shown()), "{}", switch.shown());
            assert!(help.contains(switch.help), "{}", switch.help);
        }
        assert!(help.starts_with("tine: a prefork reverse proxy"));
        assert!(help.contains("\nUsage: tine [-D name[=value]]"));
        assert!(help.contains("\n  -k start|restart|graceful|graceful-stop|stop\n"));
        assert!(help.contains("\n  -t                  check the configuration"));
    }

    #[test]
    fn usage_names_every_letter() {
        for letter in listed().filter_map(|switch| switch.short) {
            assert!(USAGE.contains(&format!("[-{letter}")), "-{letter}");
        }
    }

    #[test]
    fn documents_are_made_of_the_same_table() {
        clap_check();
        let man = String::from_utf8(generate(Document::Man)).expect("text");
        assert!(man.contains(".TH tine 8"), "{man}");
        for switch in listed() {
            let help = switch.help.replace('-', "\\-");
            assert!(man.contains(&help), "{help}\n{man}");
        }
        let bash = generate(Document::Completion(clap_complete::Shell::Bash));
        let bash = String::from_utf8(bash).expect("text");
        assert!(bash.contains("graceful-stop") && bash.contains("--demo"));
    }

    fn clap_check() {
        described().debug_assert();
    }
}
