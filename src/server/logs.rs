//! From log directives to open logs.

use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::config::model::{CustomLog, LogFormatRef, LogTarget, Server};
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
        None => Target::File("logs/error_log".into()),
    };
    let sink = open_sink(sinks, target, root)?;
    let levels = crate::request::dir::levels(&server.log_level);
    let levels = match floor {
        Some(floor) => levels.at_least(floor),
        None => levels,
    };
    let mut error = ErrorLog::new(sink, levels, &server.label(), Zone::system());
    if let Some(format) = server.error_log_format.get() {
        error = error.with_format(ErrorFormat::compile(format).map_err(|error| error.to_string())?);
    }
    let mut nicknames = Nicknames::new();
    server
        .log_formats
        .iter()
        .for_each(|format| nicknames.define(&format.nickname, &format.format));
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
    let sink = open_sink(sinks, convert(&log.target)?, root)?;
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
/// The format has a code that does not exist; in httpd's words, with the place.
pub(super) fn format(
    log: &CustomLog,
    server: &Server,
    nicknames: &Nicknames,
) -> Result<Format, String> {
    let word = match &log.format {
        LogFormatRef::Format(format) => Some(format.as_str()),
        LogFormatRef::Transfer => server.transfer_format.get().map(String::as_str),
    };
    nicknames
        .compile(word)
        .map_err(|error| format!("AH00526: Syntax error on {}:\n{error}", log.place))
}

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

fn open_sink(sinks: &mut Sinks, target: Target, root: &Path) -> Result<Arc<Sink>, String> {
    let target = target.relative_to(root);
    sinks.open(&target).map_err(|error| match &target {
        Target::File(path) => format!(
            "({}){}: AH00091: tine: could not open log file {}.\nAH00015: Unable to open logs",
            error.raw_os_error().unwrap_or(0),
            error,
            path.display()
        ),
        Target::Program(command) => format!("could not start the piped log `{command}`: {error}"),
        Target::Syslog(..) | Target::Stderr | Target::Stdout => {
            format!("could not open log {target:?}: {error}")
        }
    })
}
