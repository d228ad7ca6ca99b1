//! `tinectl man`: the manual pages, made from the same definition as `--help`.

use std::io::{self, Write};

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
    Ok(out.write_all(&render(
        &page.section("1").manual("tine"),
        command.is_none(),
    )?)?)
}

fn render(page: &Man, is_tool: bool) -> io::Result<Vec<u8>> {
    let mut roff = Vec::new();
    page.render_title(&mut roff)?;
    page.render_name_section(&mut roff)?;
    page.render_synopsis_section(&mut roff)?;
    page.render_description_section(&mut roff)?;
    page.render_options_section(&mut roff)?;
    // A command without commands of its own would get the bare heading.
    if is_tool {
        page.render_subcommands_section(&mut roff)?;
    }
    let mut notes = Vec::new();
    page.render_extra_section(&mut notes)?;
    // The examples and tables under `--help` are laid out by hand, so nothing is filled.
    let notes = String::from_utf8_lossy(&notes).replacen(".SH EXTRA\n", ".SH NOTES\n.nf\n", 1);
    roff.extend_from_slice(notes.as_bytes());
    roff.extend_from_slice(b".fi\n");
    Ok(roff)
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
        assert!(
            scoreboard.contains(".SH NOTES\n.nf\n"),
            "tables keep their lines"
        );
        assert!(!scoreboard.contains("SUBCOMMANDS"));
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
