//! The configuration: httpd's language in, plain data out.
//!
//! Responsible for: reading files, telling what is wrong with them, and the [`model`] that every room above works from. Not responsible
//! for anything that touches the outside beyond reading configuration files: nothing is resolved, opened, bound or compiled here.
//!
//! ```text
//! files → source, lex → tree → walk + directives → model → check
//!         logical lines  sections,   one table       typed,   the
//!         with spans     Include,    entry per       merged   whole
//!                        If…, Macro  directive
//! ```
//!
//! Know first: httpd's wording of errors is an interface; people search for it and tools match it. All errors of a run are told, not only the
//! first one, and everything httpd has that we do not is told too (`directives/unsupported.rs`). The httpd modules behind this room are the
//! core's `config.c`, `mod_so`, `mod_macro`, `mod_version`, and the configuration halves of `mod_proxy` and the others in `directives/`.
//!
//! To add a directive: an entry in `directives/`, a field in `model/`. To add a parameter of members or balancers: an entry in
//! [`params`].

mod args;
mod check;
pub mod diagnostic;
pub mod directive;
mod directives;
mod dump;
pub mod glob;
mod judges;
mod lex;
pub mod model;
mod modules;
pub mod params;
mod scope;
pub mod setting;
pub mod source;
mod suggest;
mod tree;
mod walk;

pub use diagnostic::{Diagnostic, Severity, render};
pub use dump::{
    dump_includes, dump_modules, dump_run_cfg, dump_vhosts, list_compiled_in, list_directives,
};
pub use judges::{Flaw, Judges};
pub use model::Config;
pub use params::later_effects;
pub use setting::{Merge, Setting};
pub use source::Place;

use model::{Included, LogFormatRef, Server};
use std::fmt;
use std::path::{Path, PathBuf};
use tree::{Outside, Reader, open_message, read_file};
use walk::{Build, Walk};

/// Where the server root is when neither `ServerRoot` nor `-d` says.
const SERVER_ROOT: &str = "/etc/tine";

/// What the command line says about the configuration.
#[derive(Clone)]
pub struct Options<'a> {
    /// `-f`: the file to read; a relative one is taken as it is.
    pub file: PathBuf,
    /// `-d`: the server root until a `ServerRoot` says otherwise.
    pub server_root: Option<PathBuf>,
    /// `-D NAME[=value]`.
    pub defines: Vec<(String, Option<String>)>,
    /// `-C`: directives before the file.
    pub before: Vec<String>,
    /// `-c`: directives after the file.
    pub after: Vec<String>,
    /// The process environment, for `${NAME}`.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("file", &self.file)
            .field("server_root", &self.server_root)
            .field("defines", &self.defines)
            .field("before", &self.before)
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}

/// Reads a configuration. On success the warnings are in [`Config::notes`]; on failure every error and warning is returned.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(options: &Options<'_>) -> Result<Config, Vec<Diagnostic>> {
    load_judged(options, Judges::LENIENT)
}

/// The same, with judges of what only the rooms above can compile.
///
/// # Errors
/// As [`load`].
pub fn load_judged(options: &Options<'_>, judges: Judges) -> Result<Config, Vec<Diagnostic>> {
    let text = read_file(&options.file)
        .map_err(|error| vec![Diagnostic::error(open_message(&options.file, &error))])?;
    read(&text, options, judges)
}

/// Reads a configuration from a text that stands for `options.file`.
///
/// # Errors
/// As [`load`].
pub fn load_str(text: &str, options: &Options<'_>) -> Result<Config, Vec<Diagnostic>> {
    read(text, options, Judges::LENIENT)
}

fn read(text: &str, options: &Options<'_>, judges: Judges) -> Result<Config, Vec<Diagnostic>> {
    // A LoadModule line anywhere changes what every line before it means, so then everything is read again.
    attempt(text, options, judges, false)
        .or_else(|| attempt(text, options, judges, true))
        .expect("a reading that lists modules does not ask for another one")
}

/// Reads everything once; `None` when the text lists modules and was not read that way.
fn attempt(
    text: &str,
    options: &Options<'_>,
    judges: Judges,
    explicit: bool,
) -> Option<Result<Config, Vec<Diagnostic>>> {
    let outside = Outside {
        env: options.env,
        knows: directive::is_known,
    };
    let root = options
        .server_root
        .clone()
        .unwrap_or_else(|| PathBuf::from(SERVER_ROOT));
    let mut reader = Reader::new(&outside, explicit, &options.defines, Some(root));
    let file = options.file.display().to_string();
    let mut nodes = reader.text("-C/-c directives", &options.before.join("\n"));
    reader.includes.push(Included {
        file: file.clone(),
        depth: 0,
        line: 0,
    });
    nodes.extend(reader.text(&file, text));
    nodes.extend(reader.text("-C/-c directives", &options.after.join("\n")));
    if reader.met_load_module && !explicit {
        return None;
    }
    let mut build = Build {
        judges,
        ..Build::default()
    };
    let config = &mut build.config;
    config.paths.config_file.clone_from(&options.file);
    config.paths.server_root = reader.server_root.clone().unwrap_or_default();
    config.paths.runtime_dir = reader
        .runtime_dir
        .clone()
        .unwrap_or_else(|| config.paths.server_root.join("logs"));
    config.paths.pid_file = config.paths.runtime_dir.join("tine.pid");
    config.paths.scoreboard_file = config.paths.runtime_dir.join("scoreboard");
    build.diagnostics = std::mem::take(&mut reader.diagnostics);
    let (mut build, main) =
        Walk::new(build, &reader.modules, &reader.sources, options.env).run(&nodes);
    build.config.mpm.mpm = reader.mpm;
    build.config.modules = reader.modules;
    build.config.defines = reader.defines;
    build.config.includes = reader.includes;
    let mut outcome = finish(build, main);
    let diagnostics = match &mut outcome {
        Ok(config) => &mut config.notes,
        Err(diagnostics) => diagnostics,
    };
    for diagnostic in diagnostics {
        diagnostic.quote(&reader.sources);
    }
    if let Ok(config) = &mut outcome {
        config.sources = reader.sources;
    }
    Some(outcome)
}

/// Merges the virtual hosts over the main server, and judges the whole.
fn finish(mut build: Build, mut main: Server) -> Result<Config, Vec<Diagnostic>> {
    main.proxy.is_own = true;
    for vhost in &build.vhosts {
        let mut merged = Server::merge(&main, vhost);
        merged.proxy.inherit(&main.proxy);
        name_formats(&mut merged);
        build.config.vhosts.push(merged);
    }
    name_formats(&mut main);
    build.config.main = main;
    // Errors that single lines made would only be told a second time by looking at the whole.
    let mut diagnostics = diagnostic::folded(build.diagnostics);
    diagnostics.extend(check::check(&build.config));
    if diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error)
    {
        diagnostics.retain(|diagnostic| diagnostic.severity != Severity::Info);
        return Err(diagnostics);
    }
    build.config.notes = diagnostics;
    Ok(build.config)
}

/// Replaces nicknames of log formats by what they stand for.
fn name_formats(server: &mut Server) {
    let formats = &server.log_formats;
    for log in server.custom_logs.iter_mut().chain(&mut server.global_logs) {
        let LogFormatRef::Format(text) = &mut log.format else {
            continue;
        };
        if let Some(named) = formats.iter().rev().find(|format| format.nickname == *text) {
            text.clone_from(&named.format);
        }
    }
}

/// Makes a path absolute the way directives do: relative ones start at the server root.
pub fn absolute(config: &Config, path: impl AsRef<Path>) -> PathBuf {
    config.paths.server_root.join(path)
}

#[cfg(test)]
mod tests;
