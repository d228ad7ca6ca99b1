//! `tinectl man`: the manual pages, made from the same definition as `--help`.

use std::io::Write;

use clap::CommandFactory as _;
use clap_mangen::Man;

use super::Trouble;
use super::cli::Cli;

pub(crate) fn run(command: Option<&str>, out: &mut dyn Write) -> Result<(), Trouble> {
    let mut whole = Cli::command();
    // Fills in what subcommands inherit, such as their full names.
    whole.build();
    let page = match command {
        None => Man::new(whole).title("tinectl"),
        Some(name) => {
            let Some(part) = whole.find_subcommand(name).cloned() else {
                return Err(Trouble::Said(format!(
                    "there is no command `{name}` to describe; `tinectl --help` lists them"
                )));
            };
            let title = format!("tinectl-{}", part.get_name());
            Man::new(part.display_name(title.clone())).title(title)
        }
    };
    let mut roff = Vec::new();
    page.section("1").manual("tine").render(&mut roff)?;
    Ok(out.write_all(&roff)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(command: Option<&str>) -> Result<String, Trouble> {
        let mut roff = Vec::new();
        run(command, &mut roff)?;
        Ok(String::from_utf8(roff).unwrap())
    }

    #[test]
    fn pages_of_the_tool_and_of_each_command() {
        assert!(page(None).unwrap().contains(".TH tinectl 1"));
        let scoreboard = page(Some("scoreboard")).unwrap();
        assert!(
            scoreboard.contains(".TH tinectl-scoreboard 1"),
            "{scoreboard}"
        );
        assert!(scoreboard.contains("watch"));
        assert!(page(Some("sb")).is_ok(), "an alias will do");
    }

    #[test]
    fn an_unknown_command_is_named() {
        let Err(Trouble::Said(words)) = page(Some("scorebord")) else {
            panic!("there is none")
        };
        assert!(words.contains("`scorebord`"));
    }
}
