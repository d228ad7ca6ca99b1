//! `tinectl`: the operator's tool.
//!
//! Responsible for: showing what the scoreboard's file says, whether the server that wrote it is live, hangs or is gone. It asks the server
//! nothing, so it works when nothing else does. Not responsible for: starting and stopping the server; that is `tine -k` or the service
//! manager.
//!
//! Know first: one file per command. [`scoreboard`] looks again and again and gives each look, a [`sight::Sight`], to [`report`] (for
//! people) or [`json`] (for programs). Numbers are written as the server's own pages write them, by `tine::admin`.

use std::io;
use std::process::ExitCode;

use clap::Parser as _;

mod cli;
mod complete;
mod json;
mod man;
mod paint;
mod report;
#[cfg(test)]
#[path = "../admin/sample.rs"]
mod sample;
mod scoreboard;
mod sight;
mod table;
#[cfg(test)]
mod tests;
mod watch;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Scoreboard(options) => scoreboard::run(&options),
        Command::Completions { shell } => complete::run(shell, &mut io::stdout()),
        Command::Man { command } => man::run(command.as_deref(), &mut io::stdout()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough, as `head` does.
        Err(Trouble::Output(cause)) if cause.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(trouble) => {
            complain(&trouble);
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "errors of a command line tool go there"
)]
fn complain(trouble: &Trouble) {
    eprintln!("tinectl: {trouble}");
}

/// Why a command failed: one line that says what to do about it.
#[derive(Debug)]
enum Trouble {
    /// The request cannot be carried out.
    Said(String),
    /// The output cannot be written.
    Output(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(cause: io::Error) -> Self {
        Self::Output(cause)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Said(words) => f.write_str(words),
            Self::Output(cause) => write!(f, "the output cannot be written: {cause}"),
        }
    }
}
