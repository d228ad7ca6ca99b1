//! From log directives to open logs.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;

use crate::config::model::{CustomLog, LogFormatRef, LogTarget, Server};
use crate::config::{Config, Diagnostic, Flaw, Judges};
use crate::log::{
    AccessLog, Condition, ErrorFormat, ErrorLog, Format, Level, Nicknames, Sink, Sinks, Target,
    Zone,
};
use crate::request::Site;

/// The logs of one site.
pub(super) struct SiteLogs {
    error: &'static ErrorLog,
    access: Vec<AccessLog>,
}

/// Opens the logs of every site: the main server's first, then the virtual hosts' in configuration order.
///
/// # Errors
/// What could not be opened, as httpd says it.
pub(super) fn open(
    config: &Config,
    sinks: &mut Sinks,
    floor: Option<Level>,
) -> Result<Vec<SiteLogs>, String> {
    config
        .servers()
        .map(|server| open_site(config, server, sinks, floor))
        .collect()
}

fn open_site(
    config: &Config,
    server: &Server,
    sinks: &mut Sinks,
    floor: Option<Level>,
) -> Result<SiteLogs, String> {
    let root = &config.paths.server_root;
    let target = match server.error_log.get() {
        Some(target) => convert(target)?,
        None => Target::File(ERROR_LOG.into()),
    };
    let sink = open_sink(
        sinks,
        target,
        root,
        "AH00091: tine: could not open error log file",
    )?;
    let levels = crate::request::dir::levels(&server.log_level);
    let levels = match floor {
        Some(floor) => levels.at_least(floor),
        None => levels,
    };
    let mut error = ErrorLog::new(sink, levels, &server.label(), Zone::system());
    if let Some(format) = server.error_log_format.get() {
        error = error.with_format(ErrorFormat::compile(format).map_err(|error| error.to_string())?);
    }
    let nicknames = nicknames(server);
    let access = server
        .custom_logs
        .iter()
        .chain(&server.global_logs)
        .map(|log| open_access(log, server, &nicknames, sinks, root))
        .collect::<Result<_, _>>()?;
    Ok(SiteLogs {
        error: Box::leak(Box::new(error)),
        access,
    })
}

fn open_access(
    log: &CustomLog,
    server: &Server,
    nicknames: &Nicknames,
    sinks: &mut Sinks,
    root: &Path,
) -> Result<AccessLog, String> {
    let format = format(log, server, nicknames)?;
    let target = convert(&log.target)?;
    let sink = open_sink(
        sinks,
        target,
        root,
        "AH00649: could not open transfer log file",
    )?;
    let condition = match &log.condition {
        None => Condition::Always,
        Some(condition) if condition.negated => {
            Condition::Unset(condition.variable.as_str().into())
        }
        Some(condition) => Condition::Set(condition.variable.as_str().into()),
    };
    Ok(AccessLog::new(format, sink, condition))
}

/// The compiled format of an access log.
///
/// # Errors
/// The format has a code that does not exist. [`JUDGES`] have said so with the line; this is for formats that did not come by them.
fn format(log: &CustomLog, server: &Server, nicknames: &Nicknames) -> Result<Format, String> {
    nicknames
        .compile(format_word(log, server))
        .map_err(|error| {
            Diagnostic::error(error.to_string())
                .at(&log.place)
                .to_string()
        })
}

/// The nickname or format that a log uses; none for the common one.
fn format_word<'a>(log: &'a CustomLog, server: &'a Server) -> Option<&'a str> {
    match &log.format {
        LogFormatRef::Format(format) => Some(format),
        LogFormatRef::Transfer => server.transfer_format.get().map(String::as_str),
    }
}

fn nicknames(server: &Server) -> Nicknames {
    let mut nicknames = Nicknames::new();
    for format in &server.log_formats {
        nicknames.define(&format.nickname, &format.format);
    }
    nicknames
}

/// What the configuration's reader asks about formats.
pub(super) const JUDGES: Judges = Judges {
    log_format: |format| {
        let verdict = Format::compile(format);
        verdict.map(drop).map_err(|error| Flaw {
            message: error.to_string(),
            range: error.range,
            hint: "the codes are those of mod_log_config and mod_logio; `%%` writes a percent sign"
                .to_owned(),
        })
    },
    error_log_format: |format| {
        let verdict = ErrorFormat::compile(format);
        verdict.map(drop).map_err(|error| Flaw {
            message: error.to_string(),
            range: error.range,
            hint: "the codes are those of httpd's ErrorLogFormat; `%M` is the message, `%%` writes a percent sign"
                .to_owned(),
        })
    },
};

/// Log files that cannot be opened because their directories are not there. Nothing is opened: whoever checks a configuration need not be
/// the user who may write its logs.
pub(super) fn check(config: &Config) -> Vec<Diagnostic> {
    let root = &config.paths.server_root;
    let mut found: Vec<Diagnostic> = Vec::new();
    for server in config.servers() {
        let file = match server.error_log.get() {
            None => Some(Path::new(ERROR_LOG)),
            Some(target) => file_of(target),
        };
        if let Some((file, error)) = file.and_then(|file| no_directory(root, file)) {
            let folder = file.parent().unwrap_or(root).display();
            let whose = match &server.defined_at {
                None => "main error log".to_owned(),
                Some(place) => format!("error log of vhost defined at {place}"),
            };
            let message =
                format!("{error}: AH02291: Cannot access directory '{folder}/' for {whose}");
            let error = Diagnostic::error(message).hint(format!("create the directory `{folder}`"));
            found.push(match server.error_log.place() {
                Some(place) => error.at(place).under(written(root, &file)),
                None => error,
            });
        }
        for log in server.custom_logs.iter().chain(&server.global_logs) {
            let missing = file_of(&log.target).and_then(|file| no_directory(root, file));
            if let Some((file, error)) = missing {
                let message = format!(
                    "{error}: AH00649: could not open transfer log file {}.",
                    file.display()
                );
                let folder = file.parent().unwrap_or(root).display();
                let error =
                    Diagnostic::error(message).hint(format!("create the directory `{folder}`"));
                found.push(error.at(&log.place).under(written(root, &file)));
            }
        }
    }
    // Virtual hosts inherit logs; a missing directory is told once for each line that names it.
    let mut told = Vec::new();
    found.retain(|error| {
        let is_new = !told.contains(&error.place);
        told.push(error.place.clone());
        is_new
    });
    found
}

/// What should be told of logs that can be written.
pub(super) fn notes(config: &Config) -> Vec<Diagnostic> {
    let mut notes = Vec::new();
    for server in config.servers() {
        let nicknames = nicknames(server);
        for log in server.custom_logs.iter().chain(&server.global_logs) {
            // A format without any `%` is a nickname that nobody defined.
            let format = format_word(log, server).map(|word| nicknames.resolve(word));
            if let Some(format) = format.filter(|format| !format.contains('%')) {
                let message = format!(
                    "no LogFormat is named `{format}`: every line of the log will say just that"
                );
                let hint = "add a LogFormat with that name, in this or the main server";
                notes.push(
                    Diagnostic::warning(message)
                        .at(&log.place)
                        .under(format)
                        .hint(hint),
                );
            }
        }
    }
    notes
}

fn file_of(target: &LogTarget) -> Option<&Path> {
    match target {
        LogTarget::File(file) => Some(Path::new(file)),
        LogTarget::Pipe { .. } | LogTarget::Syslog { .. } => None,
    }
}

/// The file made absolute, and why its directory is none, if it is none.
fn no_directory(root: &Path, file: &Path) -> Option<(PathBuf, String)> {
    let file = root.join(file);
    let error = match file.parent()?.metadata() {
        Ok(metadata) if metadata.is_dir() => return None,
        Ok(_) => std::io::Error::from_raw_os_error(Errno::ENOTDIR as i32),
        // Who may not look cannot tell.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return None,
        Err(error) => error,
    };
    Some((file, coded(&error)))
}

/// The file as the configuration probably says it.
fn written(root: &Path, file: &Path) -> String {
    file.strip_prefix(root)
        .unwrap_or(file)
        .display()
        .to_string()
}

/// An error as httpd prints it in front of a message: `(2)No such file or directory`.
fn coded(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => format!("({code}){}", Errno::from_raw(code).desc()),
        None => error.to_string(),
    }
}

const ERROR_LOG: &str = "logs/error_log";

/// Gives each site its logs.
pub(super) fn attach(sites: &mut [Site], logs: Vec<SiteLogs>) {
    for (site, logs) in sites.iter_mut().zip(logs) {
        site.error_log = Some(logs.error);
        site.access_logs = logs.access;
    }
}

fn convert(target: &LogTarget) -> Result<Target, String> {
    match target {
        LogTarget::File(path) => Target::access(path),
        LogTarget::Pipe { command, shell } => {
            Target::access(&format!("|{}{command}", if *shell { "$" } else { "" }))
        }
        LogTarget::Syslog { facility, tag } => Target::error(&format!(
            "syslog:{}:{}",
            facility.as_deref().unwrap_or_default(),
            tag.as_deref().unwrap_or_default()
        )),
    }
    .map_err(|error| error.to_string())
}

/// Opens a target; `words` are httpd's for a file that cannot be.
fn open_sink(
    sinks: &mut Sinks,
    target: Target,
    root: &Path,
    words: &str,
) -> Result<Arc<Sink>, String> {
    let target = target.relative_to(root);
    sinks.open(&target).map_err(|error| match &target {
        Target::File(path) => format!(
            "{}: {words} {}.\nAH00015: Unable to open logs",
            coded(&error),
            path.display()
        ),
        Target::Program(command) => format!("could not start the piped log `{command}`: {error}"),
        Target::Syslog(..) | Target::Stderr | Target::Stdout => {
            format!("could not open log {target:?}: {error}")
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::config::Options;
    use crate::server::{Extensions, check};

    /// What `-t` says of a text: its warnings, or its errors. `ROOT` in the text is the server root, which has a directory `logs`.
    fn said(text: &str) -> Result<String, String> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("logs")).unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        let file = root.path().join("t.conf");
        let name = root.path().display().to_string();
        let text = format!("Listen 127.0.0.1:80\n{text}").replace("ROOT", &name);
        std::fs::write(&file, text).unwrap();
        let options = Options {
            file,
            server_root: Some(root.path().to_owned()),
            defines: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            env: &|_| None,
        };
        let shown = |text: String| text.replace(&name, "ROOT");
        check(&options, Extensions::default())
            .map(|(_, warnings)| shown(warnings.concat()))
            .map_err(shown)
    }

    #[test]
    fn a_format_is_refused_with_a_caret_under_the_code() {
        let rows = [
            (
                r#"LogFormat "%h \"%r\" %{x}Z %b" short"#,
                "Unrecognized LogFormat directive %Z",
                "%{x}Z",
            ),
            (
                "CustomLog logs/a \"%h %^FU\"",
                "Unrecognized LogFormat directive %^FU",
                "%^FU",
            ),
            (
                "LogFormat '%h %>' x",
                "Ran off end of LogFormat parsing args to some directive",
                "%>",
            ),
            (
                "ErrorLogFormat \"[%t] %Z %M\"",
                "Unrecognized error log format directive %Z",
                "%Z",
            ),
            (
                "ErrorLogFormat %t",
                "main ErrorLogFormat must contain message format string '%M'",
                "%t",
            ),
            (
                "ErrorLogFormat request \"%M\"",
                "ErrorLogFormat request is not available here",
                "request",
            ),
        ];
        for (line, message, marked) in rows {
            let errors = said(line).unwrap_err();
            let column = line.find(marked).unwrap();
            let start = format!(
                "AH00526: Syntax error on line 2 of ROOT/t.conf:\n{message}\n    2 | {line}\n      | {}{}\nhint: ",
                " ".repeat(column),
                "^".repeat(marked.len())
            );
            assert!(errors.starts_with(&start), "{errors}\n{start}");
        }
    }

    #[test]
    fn a_log_without_a_directory_is_told_before_anything_is_opened() {
        let rows = [
            (
                "ErrorLog ROOT/none/e",
                "(2)No such file or directory: AH02291: Cannot access directory 'ROOT/none/' for main error log",
            ),
            (
                "<VirtualHost *:80>\nErrorLog none/e\n</VirtualHost>",
                "(2)No such file or directory: AH02291: Cannot access directory 'ROOT/none/' for error log of vhost defined at ROOT/t.conf:2",
            ),
            (
                "CustomLog file/a common",
                "(20)Not a directory: AH00649: could not open transfer log file ROOT/file/a.",
            ),
            (
                "TransferLog none/a\n<VirtualHost *:80>\n</VirtualHost>",
                "(2)No such file or directory: AH00649: could not open transfer log file ROOT/none/a.",
            ),
        ];
        for (lines, message) in rows {
            let errors = said(lines).unwrap_err();
            assert_eq!(errors.matches("AH00526").count(), 1, "{errors}");
            assert!(errors.contains(&format!("\n{message}\n")), "{errors}");
            assert!(
                errors.contains("\nhint: create the directory `ROOT/"),
                "{errors}"
            );
        }
        assert_eq!(
            said("ErrorLog logs/e\nCustomLog logs/a common"),
            Ok(String::new())
        );
        assert_eq!(
            said("ErrorLog syslog\nCustomLog |none/a common"),
            Ok(String::new())
        );
    }

    #[test]
    fn a_nickname_that_nobody_defined_is_noted() {
        let warnings = said("CustomLog logs/a combnied\nCustomLog logs/b combined").unwrap();
        assert_eq!(warnings.matches("warning on line").count(), 1, "{warnings}");
        assert!(
            warnings.contains("no LogFormat is named `combnied`"),
            "{warnings}"
        );
    }
}
