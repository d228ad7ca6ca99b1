//! `tinectl completions`: a script that teaches a shell the command line.

use std::io::Write;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Trouble;
use super::cli::Cli;

pub(crate) fn run(shell: Shell, out: &mut dyn Write) -> Result<(), Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tinectl", &mut script);
    Ok(out.write_all(&script)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_options() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            run(*shell, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            assert!(
                script.contains("scoreboard") && script.contains("watch"),
                "{shell}"
            );
        }
    }
}
