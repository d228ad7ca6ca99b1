//! Logs: levels, targets, formats.

use crate::config::directive::{Arity, Contexts, Directive};
use crate::config::judges::Flaw;
use crate::config::model::{
    CustomLog, Level, LevelMap, LogCondition, LogFormat, LogFormatRef, LogTarget,
};
use crate::config::modules;
use crate::config::scope::{Args, Complaint, Scope};
use crate::config::suggest;

const CORE: &str = "core_module";
const LOG: &str = "log_config_module";
const SERVERS: Contexts = Contexts::SERVERS;

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::new(
        "ErrorLog",
        CORE,
        Arity::One,
        SERVERS,
        "a file, a program behind |, or syslog",
        "ErrorLog logs/error_log",
        |scope, args| {
            let target = target(scope, args.text(0));
            scope.server.error_log = scope.set(target);
            Ok(())
        },
    )
    .default("logs/error_log"),
    Directive::new(
        "ErrorLogFormat",
        CORE,
        Arity::OneOrTwo,
        SERVERS,
        "the format of error log lines",
        "ErrorLogFormat \"[%t] %M\"",
        error_log_format,
    )
    .default("httpd's own"),
    Directive::new(
        "LogLevel",
        CORE,
        Arity::OneOrMore,
        Contexts::ANYWHERE,
        "a level, and module:level for single modules",
        "LogLevel warn proxy:trace3",
        log_level,
    )
    .default("warn"),
    Directive::new(
        "CustomLog",
        LOG,
        Arity::TwoOrThree,
        SERVERS,
        "where and how to log requests: a target, a format or its name, and optionally env=NAME",
        "CustomLog logs/access_log common env=!quiet",
        |scope, args| {
            let log = custom_log(scope, args)?;
            scope.server.custom_logs.push(log);
            Ok(())
        },
    ),
    Directive::new(
        "GlobalLog",
        LOG,
        Arity::TwoOrThree,
        Contexts::SERVER,
        "where and how to log the requests of every server",
        "GlobalLog logs/all common",
        |scope, args| {
            let log = custom_log(scope, args)?;
            scope.server.global_logs.push(log);
            Ok(())
        },
    ),
    Directive::new(
        "TransferLog",
        LOG,
        Arity::One,
        SERVERS,
        "where to log requests in the format of the last nameless LogFormat",
        "TransferLog logs/access_log",
        |scope, args| {
            let target = target(scope, args.text(0));
            scope.server.custom_logs.push(CustomLog {
                target,
                format: LogFormatRef::Transfer,
                condition: None,
                place: scope.place().clone(),
            });
            Ok(())
        },
    ),
    Directive::new(
        "LogFormat",
        LOG,
        Arity::OneOrTwo,
        SERVERS,
        "a format for access logs, and optionally its name",
        "LogFormat \"%h %t \\\"%r\\\" %>s %b\" short",
        log_format,
    )
    .default("\"%h %l %u %t \\\"%r\\\" %>s %b\""),
    Directive::new(
        "BufferedLogs",
        LOG,
        Arity::Flag,
        Contexts::SERVER,
        "write access logs in larger pieces",
        "BufferedLogs On",
        |scope, args| {
            let on = args.flag()?;
            if on {
                scope.directive_is_later("BufferedLogs On");
            }
            scope.server.buffered_logs = scope.set(on);
            Ok(())
        },
    )
    .default("Off"),
];

/// Reads a log's target; a file is made absolute.
fn target(scope: &Scope<'_>, text: &str) -> LogTarget {
    if let Some(command) = text.strip_prefix('|') {
        let (shell, command) = match command.strip_prefix('$') {
            Some(command) => (true, command),
            None => (false, command.strip_prefix('|').unwrap_or(command)),
        };
        return LogTarget::Pipe {
            command: command.trim().to_owned(),
            shell,
        };
    }
    let mut parts = text.splitn(3, ':');
    if parts
        .next()
        .is_some_and(|first| first.eq_ignore_ascii_case("syslog"))
    {
        let mut part = || {
            parts
                .next()
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
        };
        return LogTarget::Syslog {
            facility: part(),
            tag: part(),
        };
    }
    LogTarget::File(
        scope
            .build
            .config
            .paths
            .server_root
            .join(text)
            .display()
            .to_string(),
    )
}

fn error_log_format(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    if args.words.len() == 2 {
        let kind = args.text(0).to_ascii_lowercase();
        if !matches!(kind.as_str(), "request" | "connection") {
            let message = "ErrorLogFormat type must be one of request, connection";
            return Err(args
                .complaint(0, message)
                .hint("put the format in quotes, so that it is one word"));
        }
        let message = format!("ErrorLogFormat {kind} is not available here");
        return Err(args.complaint(0, message).hint(format!(
            "remove the line, and put what it tells about a {kind} into the format of the messages, `ErrorLogFormat \"… %M\"`"
        )));
    }
    let format = args.text(0);
    judge(args, 0, (scope.build.judges.error_log_format)(format))?;
    scope.server.error_log_format = scope.set(format.to_owned());
    Ok(())
}

fn log_level(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    const WORDS: &str = "Log level keyword must be one of emerg/alert/crit/error/warn/notice/info/debug/trace1/.../trace8";
    let mut levels = if scope
        .inside
        .sections
        .iter()
        .all(|section| *section == "VirtualHost")
    {
        scope.server.log_level.clone()
    } else {
        scope.dir.log_level.clone()
    };
    for (index, word) in args.texts().enumerate() {
        let Some((module, level)) = word.split_once(':') else {
            let level: Level = word
                .parse()
                .map_err(|_| known_level(args.complaint(index, WORDS), word))?;
            levels = LevelMap {
                default: scope.set(level),
                modules: Vec::new(),
            };
            continue;
        };
        let level: Level = level.parse().map_err(|_| {
            let complaint =
                args.complaint_from(index, module.len() + 1, format!("{word}: {WORDS}"));
            known_level(complaint, level)
        })?;
        let name = short_name(module).ok_or_else(|| unknown_module(args, index, module))?;
        levels.modules.retain(|(known, _)| *known != name);
        levels.modules.push((name, level));
    }
    if scope
        .inside
        .sections
        .iter()
        .all(|section| *section == "VirtualHost")
    {
        scope.server.log_level = levels;
    } else {
        scope.dir.log_level = levels;
    }
    Ok(())
}

fn unknown_module(args: &Args<'_>, index: usize, module: &str) -> Complaint {
    let message = format!("Cannot find module {module}");
    let complaint = match args.words.get(index) {
        Some(word) => Complaint::new(message).on_part(word, 0..module.len()),
        None => Complaint::new(message),
    };
    let known = modules::MODULES
        .iter()
        .map(|known| known.identifier.trim_end_matches("_module"));
    match suggest::nearest(module.trim_end_matches("_module"), known.chain(ROOMS)) {
        Some(near) => complaint.hint(format!("did you mean `{near}`?")),
        None => complaint.hint("`tine -M` lists the modules"),
    }
}

fn known_level(complaint: Complaint, word: &str) -> Complaint {
    match suggest::nearest(word, Level::ALL.map(Level::word)) {
        Some(near) => complaint.hint(format!("did you mean `{near}`?")),
        None => complaint,
    }
}

/// Rooms of ours that count as modules.
const ROOMS: [&str; 12] = [
    "admin",
    "balancer",
    "codec",
    "config",
    "engine",
    "filter",
    "http",
    "log",
    "mpm",
    "request",
    "sys",
    "transport",
];

/// A module's name in log lines, from its identifier (with or without `_module`) or source file. Rooms of ours count as modules.
fn short_name(module: &str) -> Option<String> {
    if let Some(room) = ROOMS
        .into_iter()
        .find(|room| room.eq_ignore_ascii_case(module))
    {
        return Some(room.to_owned());
    }
    let known = modules::find(module).or_else(|| modules::find(&format!("{module}_module")))?;
    Some(known.identifier.trim_end_matches("_module").to_owned())
}

fn custom_log(scope: &Scope<'_>, args: &Args<'_>) -> Result<CustomLog, Complaint> {
    let condition = match args.words.get(2) {
        None => None,
        Some(word) if word.text.starts_with("expr=") => {
            return Err(args
                .complaint(2, "expressions in CustomLog are not available here")
                .hint("use `env=NAME` or `env=!NAME`"));
        }
        Some(word) => {
            let clause = word.text.strip_prefix("env=").ok_or_else(|| {
                args.complaint(2, "error in condition clause")
                    .hint("write `env=NAME` or `env=!NAME`")
            })?;
            let (negated, variable) = match clause.strip_prefix('!') {
                Some(variable) => (true, variable),
                None => (false, clause),
            };
            if variable.is_empty() {
                return Err(args.complaint(2, "missing environment variable name"));
            }
            Some(LogCondition {
                variable: variable.to_owned(),
                negated,
            })
        }
    };
    judge(args, 1, (scope.build.judges.log_format)(args.text(1)))?;
    Ok(CustomLog {
        target: target(scope, args.text(0)),
        format: LogFormatRef::Format(args.text(1).to_owned()),
        condition,
        place: scope.place().clone(),
    })
}

fn log_format(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    judge(args, 0, (scope.build.judges.log_format)(args.text(0)))?;
    let format = args.text(0).to_owned();
    match args.words.get(1) {
        None => scope.server.transfer_format = scope.set(format),
        Some(nickname) if nickname.text.is_empty() => {
            return Err(args.complaint(1, "LogFormat needs a name between the quotes"));
        }
        Some(nickname) => scope.server.log_formats.push(LogFormat {
            nickname: nickname.text.clone(),
            format,
            place: scope.place().clone(),
        }),
    }
    Ok(())
}

/// Passes on what a judge has to say of a word.
fn judge(args: &Args<'_>, index: usize, verdict: Result<(), Flaw>) -> Result<(), Complaint> {
    let Err(flaw) = verdict else {
        return Ok(());
    };
    let complaint = Complaint::new(flaw.message).hint(flaw.hint);
    Err(match args.words.get(index) {
        Some(word) => complaint.on_part(word, flaw.range),
        None => complaint,
    })
}
