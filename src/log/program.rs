//! Piped logs: a program that tine starts and feeds lines to.
//!
//! The parent keeps both ends of the pipe for as long as the log is in use. So lines written while the program is
//! being started again wait in the pipe and are not lost, and a child writing meanwhile gets no broken pipe. The
//! program gets its own process group: the signal that stops tine does not stop it; it ends when it reads the end
//! of its input, after the last child has written its last line.
//!
//! Only the writing end is non-blocking. The two ends of a pipe have modes of their own, so the program sees an
//! ordinary blocking input.

use std::fmt;
use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::sink::Sink;

/// The command of a piped log, as the directive names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    text: Box<str>,
    /// The words to run without a shell; empty when a shell is to take the text apart.
    words: Vec<String>,
    /// Where the program runs; where this process runs if nobody said.
    directory: Option<PathBuf>,
}

impl CommandLine {
    /// Reads `|program args`, `||program args` (both without a shell) or `|$command line` (with one). The outer
    /// `None` means that the word is no piped log; the inner one that it names no program.
    #[must_use]
    pub fn parse(word: &str) -> Option<Option<Self>> {
        let rest = word.strip_prefix('|')?;
        let (text, with_shell) = match rest.strip_prefix('$') {
            Some(text) => (text.trim(), true),
            None => (rest.strip_prefix('|').unwrap_or(rest).trim(), false),
        };
        let words = if with_shell { Vec::new() } else { split(text) };
        let is_empty = text.is_empty() || (!with_shell && words.is_empty());
        Some((!is_empty).then(|| Self {
            text: text.into(),
            words,
            directory: None,
        }))
    }

    /// The same command, run in a directory.
    #[must_use]
    pub fn running_in(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned()).filter(|directory| directory.is_absolute());
        self
    }

    fn command(&self) -> Command {
        let mut command = self.bare_command();
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }

    fn bare_command(&self) -> Command {
        match self.words.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
            None => {
                let mut command = Command::new("/bin/sh");
                command.arg("-c").arg(&*self.text);
                command
            }
        }
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Takes a command apart at blanks; quotes of both kinds hold words together and a backslash takes the next
/// character as it is.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            (_, '\\') => word.get_or_insert_default().extend(characters.next()),
            (Some(_) | None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// A running program and the pipe into it. Lives in the parent.
#[derive(Debug)]
pub struct Program {
    command: CommandLine,
    reader: PipeReader,
    pid: Option<u32>,
}

impl Program {
    /// Makes the pipe and starts the program.
    ///
    /// # Errors
    /// There are no pipes to be had, or the program cannot be started.
    pub fn start(command: CommandLine) -> io::Result<(Self, Sink)> {
        let (reader, writer) = io::pipe()?;
        fcntl(writer.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        // Room for a busy second or two. A system that grants less costs nothing but earlier drops.
        fcntl(writer.as_fd(), FcntlArg::F_SETPIPE_SZ(ROOM)).ok();
        let mut program = Self {
            command,
            reader,
            pid: None,
        };
        program.spawn()?;
        Ok((program, Sink::pipe(writer)))
    }

    /// Starts the program again on the same pipe, after the parent has reaped it. Not more often than once a
    /// second, for a program that ends at once would otherwise keep the parent busy.
    ///
    /// # Errors
    /// The program cannot be started; the pipe stays and a later attempt may succeed.
    pub fn respawn(&mut self) -> io::Result<u32> {
        self.pid = None;
        self.spawn()
    }

    /// Notes that the program has ended.
    pub const fn mark_ended(&mut self) {
        self.pid = None;
    }

    /// The running program's process, which the parent compares with what it reaps.
    #[must_use]
    pub const fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// The command, for messages.
    #[must_use]
    pub const fn command(&self) -> &CommandLine {
        &self.command
    }

    fn spawn(&mut self) -> io::Result<u32> {
        let input = self.reader.try_clone()?;
        let child = self
            .command
            .command()
            .stdin(Stdio::from(input))
            .process_group(0)
            .spawn()?;
        // The parent reaps by process number, so the handle itself is not needed.
        let pid = child.id();
        self.pid = Some(pid);
        Ok(pid)
    }
}

/// How much a pipe should hold: the most that Linux grants an ordinary user.
const ROOM: i32 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(word: &str) -> Vec<String> {
        CommandLine::parse(word).unwrap().unwrap().words
    }

    #[test]
    fn one_bar_and_two_run_the_program_itself_and_a_dollar_runs_a_shell() {
        assert_eq!(words("|/bin/cat -u"), ["/bin/cat", "-u"]);
        assert_eq!(words("||/bin/cat"), ["/bin/cat"]);
        let shell = CommandLine::parse("|$cat >> x").unwrap().unwrap();
        assert!(shell.words.is_empty());
        assert_eq!(shell.to_string(), "cat >> x");
    }

    #[test]
    fn quotes_and_backslashes_hold_words_together() {
        assert_eq!(
            words("|rotatelogs -n '5 x' \"a \\\" b\" c\\ d ''"),
            ["rotatelogs", "-n", "5 x", "a \" b", "c d", ""]
        );
    }

    #[test]
    fn what_is_no_pipe_or_names_nothing_is_told_apart() {
        assert_eq!(CommandLine::parse("logs/access_log"), None);
        for empty in ["|", "||", "|$", "|  "] {
            assert_eq!(CommandLine::parse(empty), Some(None), "{empty}");
        }
    }
}
