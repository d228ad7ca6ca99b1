//! `Include` and `IncludeOptional`.
//!
//! Responsible for: finding the files. A path is relative to the server root, wildcards may stand in any component, a directory is read
//! with everything below it, and names are taken in byte order.

use super::{Fault, INCLUDE_DEPTH_MAX, Node, Reader};
use crate::config::args::is_glob;
use crate::config::glob::{Slash, matches};
use crate::config::model::Included;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

impl Reader<'_> {
    /// Reads the files that an Include names, in order.
    pub(super) fn include(&mut self, node: &Node, is_required: bool) -> Result<Vec<Node>, Fault> {
        let name = if is_required {
            "Include"
        } else {
            "IncludeOptional"
        };
        let words = node.words();
        let [path] = words.as_slice() else {
            return Err(Fault::new(format!(
                "{name} takes one argument, a file, a directory or a pattern of file names"
            )));
        };
        if self.chain.len() >= INCLUDE_DEPTH_MAX {
            let message = format!(
                "Exceeded maximum include depth of {INCLUDE_DEPTH_MAX}, There appears to be a recursion."
            );
            return Err(Fault::new(message).on(path.range.clone()));
        }
        let full = self.absolute(&path.text);
        let files = if is_glob(&path.text) {
            let files = expand(&full).map_err(|why| why.on(path.range.clone()))?;
            if files.is_empty() && is_required {
                let message = format!(
                    "Include/IncludeOptional: No matches for the wildcard '{}' in '{}', failing",
                    full.file_name().unwrap_or_default().display(),
                    full.parent().unwrap_or(&full).display()
                );
                let hint = "write IncludeOptional if there may be none";
                return Err(Fault::new(message).on(path.range.clone()).hint(hint));
            }
            files
        } else if !is_required && !full.exists() {
            Vec::new()
        } else {
            expand(&full).map_err(|why| why.on(path.range.clone()))?
        };
        let mut nodes = Vec::new();
        for file in files {
            nodes.extend(
                self.included(node, &file)
                    .map_err(|why| why.on(path.range.clone()))?,
            );
        }
        Ok(nodes)
    }

    fn included(&mut self, node: &Node, file: &Path) -> Result<Vec<Node>, Fault> {
        let text = read_file(file).map_err(|error| could_not_open(file, &error))?;
        self.includes.push(Included {
            file: file.display().to_string(),
            depth: self.chain.len() + 1,
            line: node.place.line,
        });
        self.chain.push(node.place.clone());
        let nodes = self.text(&file.display().to_string(), &text);
        self.chain.pop();
        Ok(nodes)
    }
}

/// Reads a configuration file. Bytes that are no UTF-8 become replacement characters: no directive's grammar needs them.
pub(in crate::config) fn read_file(file: &Path) -> io::Result<String> {
    let bytes = fs::read(file)?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// httpd's words for a file that cannot be read.
pub(in crate::config) fn open_message(file: &Path, error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    format!(
        "Could not open configuration file {}: {text}",
        file.display()
    )
}

fn could_not_open(file: &Path, error: &io::Error) -> Fault {
    Fault::new(open_message(file, error))
}

/// The files that a path names: itself, everything below a directory, everything that matches a pattern.
fn expand(path: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut found = vec![PathBuf::new()];
    for component in path.components() {
        let text = component.as_os_str().to_string_lossy();
        if !(matches!(component, Component::Normal(_)) && is_glob(&text)) {
            for base in &mut found {
                base.push(component);
            }
            continue;
        }
        let mut next = Vec::new();
        for base in &found {
            // A pattern below something that is no directory matches nothing.
            for entry in sorted_entries(base).unwrap_or_default() {
                let name = entry.file_name().unwrap_or_default().to_string_lossy();
                let is_hidden = name.starts_with('.') && !text.starts_with('.');
                if !is_hidden && matches(&text, &name, Slash::Special) {
                    next.push(entry);
                }
            }
        }
        found = next;
    }
    // Components behind the last pattern need not exist below each match.
    if is_glob(&path.to_string_lossy()) {
        found.retain(|path| path.exists());
    }
    let mut files = Vec::new();
    for path in found {
        below(&path, &mut files, 0)?;
    }
    Ok(files)
}

/// Adds a file, or all files below a directory.
fn below(path: &Path, files: &mut Vec<PathBuf>, depth: usize) -> Result<(), Fault> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    if depth >= INCLUDE_DEPTH_MAX {
        let message = format!(
            "Directory {} exceeds the maximum include directory nesting level of {INCLUDE_DEPTH_MAX}",
            path.display()
        );
        return Err(Fault::new(message));
    }
    let entries = sorted_entries(path).map_err(|error| {
        let text = error.to_string();
        let text = text
            .split(" (os error")
            .next()
            .unwrap_or_default()
            .to_owned();
        Fault::new(format!(
            "Could not open config directory {}: {text}",
            path.display()
        ))
    })?;
    for entry in entries {
        below(&entry, files, depth + 1)?;
    }
    Ok(())
}

/// A directory's entries in byte order of their names.
fn sorted_entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    Ok(entries)
}
