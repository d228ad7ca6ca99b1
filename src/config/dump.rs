//! What `-S`, `-M`, `-L`, `-l` and `-D DUMP_…` print, as text in httpd's layout.

use super::directive::{self, Contexts, Directive};
use super::model::{Alias, Config, LogTarget, Mpm, Server, VhostAddr, VhostIp};
use super::modules::{self, Kind, MODULES};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The virtual hosts by address (`-S`, first part).
pub fn dump_vhosts(config: &Config) -> String {
    let mut text = String::from("VirtualHost configuration:\n");
    // Exact addresses come before those of every address, as they match first.
    let mut by_address: BTreeMap<(bool, String), Vec<&Server>> = BTreeMap::new();
    for vhost in &config.vhosts {
        for address in &vhost.addresses {
            by_address
                .entry((address.ip == VhostIp::Any, shown(address)))
                .or_default()
                .push(vhost);
        }
    }
    for ((_, address), vhosts) in &by_address {
        match vhosts.as_slice() {
            [only] => line(&mut text, format_args!("{address:<22} {}", named(only))),
            several => shared_address(&mut text, address, several),
        }
        if let [only] = vhosts.as_slice() {
            aliases(&mut text, only);
        }
    }
    text
}

fn shared_address(text: &mut String, address: &str, vhosts: &[&Server]) {
    let port = address.rsplit(':').next().unwrap_or_default();
    line(text, format_args!("{address:<22} is a NameVirtualHost"));
    if let Some(first) = vhosts.first() {
        line(
            text,
            format_args!("         default server {}", named(first)),
        );
    }
    for vhost in vhosts {
        line(
            text,
            format_args!("         port {port} namevhost {}", named(vhost)),
        );
        aliases(text, vhost);
    }
}

fn aliases(text: &mut String, vhost: &Server) {
    let indent = "                ";
    for alias in &vhost.aliases {
        if let Alias::Exact(name) = alias {
            line(text, format_args!("{indent}alias {name}"));
        }
    }
    for alias in &vhost.aliases {
        if let Alias::Wild(name) = alias {
            line(text, format_args!("{indent}wild alias {name}"));
        }
    }
}

/// `ADDRESS:PORT` as httpd prints it.
fn shown(address: &VhostAddr) -> String {
    let ip = match &address.ip {
        VhostIp::Any => "*".to_owned(),
        VhostIp::Ip(std::net::IpAddr::V6(ip)) => format!("[{ip}]"),
        VhostIp::Ip(ip) => ip.to_string(),
        VhostIp::Name(name) => name.clone(),
    };
    match address.port {
        Some(port) => format!("{ip}:{port}"),
        None => format!("{ip}:*"),
    }
}

/// `NAME (FILE:LINE)`.
fn named(vhost: &Server) -> String {
    let place = vhost
        .defined_at
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    format!("{} ({place})", vhost.label())
}

/// The global settings (`-S`, second part).
pub fn dump_run_cfg(config: &Config) -> String {
    let mut text = String::new();
    line(
        &mut text,
        format_args!("ServerRoot: \"{}\"", config.paths.server_root.display()),
    );
    if let Some(root) = config.main.document_root.get() {
        line(&mut text, format_args!("Main DocumentRoot: \"{root}\""));
    }
    line(
        &mut text,
        format_args!("Main ErrorLog: \"{}\"", error_log(config)),
    );
    for mutex in &config.mutexes {
        line(
            &mut text,
            format_args!("Mutex {}: mechanism={}", mutex.name, mutex.mechanism),
        );
    }
    if config.mutexes.iter().all(|mutex| mutex.name != "default") {
        line(&mut text, format_args!("Mutex default: using_defaults"));
    }
    line(
        &mut text,
        format_args!("PidFile: \"{}\"", config.paths.pid_file.display()),
    );
    line(
        &mut text,
        format_args!(
            "ScoreBoardFile: \"{}\"",
            config.paths.scoreboard_file.display()
        ),
    );
    for (name, value) in &config.defines {
        match value {
            Some(value) => line(&mut text, format_args!("Define: {name}={value}")),
            None => line(&mut text, format_args!("Define: {name}")),
        }
    }
    line(
        &mut text,
        format_args!(
            "User: name=\"{}\"",
            config.user.get().map_or("#-1", String::as_str)
        ),
    );
    line(
        &mut text,
        format_args!(
            "Group: name=\"{}\"",
            config.group.get().map_or("#-1", String::as_str)
        ),
    );
    text
}

fn error_log(config: &Config) -> String {
    match config.main.error_log.get() {
        Some(LogTarget::File(path)) => path.clone(),
        Some(LogTarget::Pipe { command, shell }) => {
            format!("|{}{command}", if *shell { "$" } else { "" })
        }
        Some(LogTarget::Syslog { facility, tag }) => {
            let part = |part: &Option<String>| {
                part.as_ref()
                    .map(|part| format!(":{part}"))
                    .unwrap_or_default()
            };
            format!("syslog{}{}", part(facility), part(tag))
        }
        None => config
            .paths
            .server_root
            .join("logs/error_log")
            .display()
            .to_string(),
    }
}

/// The modules (`-M`).
pub fn dump_modules(config: &Config) -> String {
    let mut text = String::from("Loaded Modules:\n");
    for identifier in &config.modules.loaded {
        let is_static = !config.modules.explicit
            || modules::find(identifier).is_some_and(|module| module.kind == Kind::Static);
        line(
            &mut text,
            format_args!(
                " {identifier} ({})",
                if is_static { "static" } else { "shared" }
            ),
        );
    }
    if config.modules.chosen_mpm().is_none() {
        line(
            &mut text,
            format_args!(
                " {} (static)",
                config.mpm.mpm.or(Mpm::default()).identifier()
            ),
        );
    }
    text
}

/// The files that were read (`-D DUMP_INCLUDES`).
pub fn dump_includes(config: &Config) -> String {
    let mut text = String::from("Included configuration files:\n");
    for included in &config.includes {
        let indent = "  ".repeat(included.depth + 1);
        match included.depth {
            0 => line(&mut text, format_args!("{indent}(*) {}", included.file)),
            _ => line(
                &mut text,
                format_args!("{indent}({}) {}", included.line, included.file),
            ),
        }
    }
    text
}

/// Every directive we have, with what it does and where it may stand (`-L`).
pub fn list_directives() -> String {
    let mut text = String::new();
    for entry in directive::all().filter(|entry| entry.is_supported()) {
        line(
            &mut text,
            format_args!("{} ({})", entry.name, modules::source_of(entry.module)),
        );
        line(&mut text, format_args!("\t{}", entry.help));
        line(
            &mut text,
            format_args!("\tAllowed in *.conf {}", allowed(entry)),
        );
        if !entry.default.is_empty() {
            line(&mut text, format_args!("\tDefault: {}", entry.default));
        }
    }
    text
}

fn allowed(entry: &Directive) -> &'static str {
    let outside = entry.contexts.meets(Contexts::SERVERS);
    let inside = entry.contexts.meets(Contexts::SECTIONS);
    match (outside, inside) {
        (true, true) => "anywhere",
        (false, true) => "only inside <Directory>, <Files>, <Location>, or <If>",
        (true | false, false) => "only outside <Directory>, <Files>, <Location>, or <If>",
    }
}

/// What is compiled in (`-l`).
pub fn list_compiled_in() -> String {
    let mut text = String::from("Compiled in modules:\n");
    for module in MODULES.iter().filter(|module| module.kind != Kind::Absent) {
        line(&mut text, format_args!("  {}", module.source));
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a String cannot fail");
}
