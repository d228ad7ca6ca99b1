//! The command line, and everything that `--help` and the manual pages say.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Look at a tine server from outside
///
/// tinectl reads the scoreboard, the file that the server's processes share, and shows what every child, request, balancer and member is
/// doing. It asks the server nothing, so it works as well when the server hangs or has died.
#[derive(Debug, Parser)]
#[command(name = "tinectl", version, disable_help_subcommand = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(visible_alias = "sb", after_help = SCOREBOARD_EXAMPLES, after_long_help = SCOREBOARD_MANUAL)]
    Scoreboard(ScoreboardArgs),
    /// Print a completion script for a shell
    ///
    /// For bash: tinectl completions bash > /etc/bash_completion.d/tinectl
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print a manual page, in roff
    ///
    /// To read one: tinectl man scoreboard | man -l -
    Man {
        /// Of which command; without one, of tinectl itself
        command: Option<String>,
    },
}

/// Show the children, requests, balancers and members of a server
///
/// The first line says whether the server is live, hung (its parent process is there but has been silent) or dead (the file shows its last
/// moments), and how fresh the numbers are.
#[derive(Args, Debug)]
pub(crate) struct ScoreboardArgs {
    /// The scoreboard's file
    #[arg(long, value_name = "PATH", conflicts_with = "config", default_value = DEFAULT_FILE)]
    pub(crate) file: PathBuf,

    /// Read this configuration to find the file that ScoreBoardFile names
    #[arg(short = 'f', long, value_name = "httpd.conf")]
    pub(crate) config: Option<PathBuf>,

    /// The server root until the configuration sets one, as for tine
    #[arg(short = 'd', value_name = "DIRECTORY", requires = "config")]
    pub(crate) server_root: Option<PathBuf>,

    /// Define a name for `<IfDefine>` in the configuration, as for tine
    #[arg(short = 'D', value_name = "NAME[=VALUE]", requires = "config")]
    pub(crate) defines: Vec<String>,

    /// Print JSON for programs; see the keys below
    #[arg(long)]
    pub(crate) json: bool,

    /// Look again every so many seconds (2 without a number), until Ctrl-C
    ///
    /// On a terminal the screen is redrawn; elsewhere each look is a block and an empty line, and with --json each look is one line.
    /// Rates are then those since the last look. A server that is restarted meanwhile is followed.
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2",
        value_parser = seconds
    )]
    pub(crate) watch: Option<Duration>,

    /// When to use colours; NO_COLOR in the environment means never
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        conflicts_with = "no_color"
    )]
    pub(crate) color: ColorWhen,

    /// The same as --color=never
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Whatever the output is
    Always,
    /// Never
    Never,
}

/// A span of time between looks.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| format!("`{text}` is no number of seconds"))?;
    if (SHORTEST_S..=LONGEST_S).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("{SHORTEST_S} to {LONGEST_S} seconds are possible"))
    }
}

const SHORTEST_S: f64 = 0.1;
const LONGEST_S: f64 = 86_400.0;

/// Where the packaged server keeps its scoreboard.
pub(crate) const DEFAULT_FILE: &str = "/run/tine/scoreboard";

const EXAMPLES: &str = "\
Examples:
  tinectl scoreboard                     what the packaged server is doing
  tinectl scoreboard --watch             the same, again every two seconds
  tinectl scoreboard -f /etc/tine/tine.conf
                                         of the server with this configuration
  tinectl scoreboard --json | jq '.balancers[].members[] | select(.usable | not)'
                                         members that get no requests";

const SCOREBOARD_EXAMPLES: &str = "\
Examples:
  tinectl scoreboard --watch=1           a live view
  tinectl scoreboard --file /var/lib/tine/scoreboard
                                         look at a copy or another server
  tinectl scoreboard --json | jq .server.health
                                         \"live\", \"hung\" or \"dead\", for a check

Exit status: 0 if the scoreboard was read, whatever it says; 1 if not; 2 for a wrong command line.
With --help: the letters and the JSON keys.";

const SCOREBOARD_MANUAL: &str = "\
Examples:
  tinectl scoreboard --watch=1           a live view
  tinectl scoreboard --file /var/lib/tine/scoreboard
                                         look at a copy or another server
  tinectl scoreboard --json | jq .server.health
                                         \"live\", \"hung\" or \"dead\", for a check

Letters, one for each slot (a request that a child can have in flight):
  _ waiting for a request    S starting           R reading a request
  W sending a response       K keep-alive         D looking up a name
  C closing                  L logging            G finishing before its child ends
  I idle, being ended        . open, no child

Members: status names are httpd's. Ok: takes requests. Err: failed, tried again after its
  retry time. Dis, Stop: taken out by an operator. Drn: only for its own sessions. Stby,
  Spar: in reserve. HcFl: fails its health checks. Ign: never put in error.
  LOAD is the balancing method's running number: with byrequests and bytraffic the member
  with the highest is chosen next.

JSON keys (all numbers but rates and lbfactor are whole; _ms are milliseconds, of moments
  since 1970; _us likewise microseconds; null: unknown):
  format        1; raised when the meaning of a key changes
  file, taken_ms
  server        health (live, hung, dead), silent_ms, state, pid, version, built, mpm,
                generation, config_generation, start_ms, restart_ms, heartbeat_ms,
                uptime_s, extended, deaths, editor_pid, cpu (user_us, system_us,
                children_user_us, children_system_us)
  capacity      processes, slots_per_process, balancers, members, processes_limit
  totals        accesses, bytes, duration_us, accepted
  rates         interval_s, accesses_per_s, bytes_per_s; null without --watch
  slots         busy, graceful, idle, open, letters
  children[]    index, pid, generation, state, threads, start_ms, last_activity_ms,
                accepting, connections, keepalive, writing, closing, waiting, exchanges,
                slots_taken, accesses, bytes, duration_us, accepted, cpu_user_us,
                cpu_system_us
  requests[]    slots in use: child, slot, letter, pid, generation, thread, since_us,
                start_us, client, request, vhost, protocol, member (index), lease (busy,
                queue, connection), conn_accesses, child_accesses, accesses, conn_bytes,
                child_bytes, bytes
  balancers[]   index, name, vhost, lbmethod, sticky, timeout_ms, max_attempts, active,
                failover, growth, members[]
  plain[]       members of no balancer
  members       index, url, route, redirect, lbset, lbfactor, status, status_bits, usable,
                elected, busy, queued, connections, lbstatus, transferred, read, retries,
                error_time_ms, retry_ms, reason, reason_since_ms

Exit status: 0 if the scoreboard was read, whatever it says; 1 if not; 2 for a wrong
command line.";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(words: &[&str]) -> Result<ScoreboardArgs, String> {
        let line = ["tinectl", "scoreboard"].iter().chain(words);
        match Cli::try_parse_from(line)
            .map_err(|error| error.to_string())?
            .command
        {
            Command::Scoreboard(options) => Ok(options),
            other @ (Command::Completions { .. } | Command::Man { .. }) => {
                Err(format!("{other:?}"))
            }
        }
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_package() {
        let options = parse(&[]).unwrap();
        assert_eq!(options.file, PathBuf::from("/run/tine/scoreboard"));
        assert_eq!((options.watch, options.color), (None, ColorWhen::Auto));
    }

    #[test]
    fn watch_takes_seconds_or_nothing() {
        for (word, seconds) in [("--watch", 2.0), ("--watch=1", 1.0), ("--watch=0.5", 0.5)] {
            let watch = parse(&[word]).unwrap().watch;
            assert_eq!(watch, Some(Duration::from_secs_f64(seconds)), "{word}");
        }
        for word in [
            "--watch=0",
            "--watch=x",
            "--watch=nan",
            "--watch=1e9",
            "--watch=-1",
        ] {
            assert!(parse(&[word]).is_err(), "{word}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(parse(&["--file", "a", "-f", "b"]).is_err());
        assert!(parse(&["--no-color", "--color=always"]).is_err());
        assert!(
            parse(&["-D", "NAME"]).is_err(),
            "there is no configuration to read"
        );
        assert!(parse(&["-f", "b", "--no-color", "--json", "--watch"]).is_ok());
    }

    #[test]
    fn long_help_fits_a_terminal_and_names_every_letter() {
        for line in SCOREBOARD_MANUAL.lines().chain(EXAMPLES.lines()) {
            assert!(line.chars().count() <= 90, "{line}");
        }
        for (letter, _) in tine::admin::counts::KEY {
            assert!(
                SCOREBOARD_MANUAL.contains(&format!(" {letter} ")),
                "{letter}"
            );
        }
    }
}
