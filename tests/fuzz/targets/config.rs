//! Configurations: no text makes the reader, the checks, the dumps or the compilers of log formats panic.
//!
//! Nothing outside is read: the environment is empty, and texts with an `Include` are passed over.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use tine::config::{self, Config, Options, load_str, render};
use tine::log::{ErrorFormat, Format};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if text.to_ascii_lowercase().contains("nclude") {
        return;
    }
    let options = Options {
        file: PathBuf::from("fuzz.conf"),
        server_root: Some(PathBuf::from("/")),
        defines: Vec::new(),
        before: vec!["Listen 127.0.0.1:8080".to_owned()],
        after: Vec::new(),
        env: &|_| None,
    };
    match load_str(text, &options) {
        Ok(config) => look_at(&config),
        Err(errors) => {
            assert!(errors.iter().any(|error| error.severity == config::Severity::Error));
            drop(render(&errors));
        }
    }
    for line in text.lines() {
        drop((Format::compile(line), ErrorFormat::compile(line)));
    }
});

/// Everything that `-S` and its like print.
fn look_at(config: &Config) {
    drop((
        render(&config.notes),
        config::dump_vhosts(config),
        config::dump_run_cfg(config),
        config::dump_modules(config),
        config.dump(),
    ));
    assert!(config.notes.iter().all(|note| note.severity != config::Severity::Error));
}
