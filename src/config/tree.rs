//! Text to a tree of directives.
//!
//! Responsible for: sections and their balance, and everything that httpd does while reading: `Include`, `Define`, `LoadModule`, the
//! `<If…>` conditions on modules, names, files and versions, and macros. Not responsible for what a directive means; that is `walk.rs`.
//!
//! Know first: these act in reading order and know no scope: a `Define` inside a virtual host holds from there on everywhere. What a false
//! condition encloses never reaches the tree, but its sections must balance.

mod condition;
mod include;
mod macros;
mod modules;
mod node;

pub(in crate::config) use include::{open_message, read_file};
pub(crate) use node::Node;

use super::args::next_word;
use super::diagnostic::{Diagnostic, Phase, Severity};
use super::lex::{Cursor, Logical, Mapped};
use super::model::{Included, Modules, Mpm};
use super::setting::Setting;
use super::source::{Place, SourceId, Sources};
use macros::Macro;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How many files may enclose one another.
const INCLUDE_DEPTH_MAX: usize = 128;

/// How many bytes variables and macros may add. httpd has no such limit; without one, a few lines that double each other fill the memory.
const ADDED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How many sections may enclose one another. httpd has no such limit; nobody needs it, and walking the tree recurses.
const SECTION_DEPTH_MAX: usize = 64;

/// What the reader needs from outside.
pub(crate) struct Outside<'a> {
    /// The process environment.
    pub(crate) env: &'a dyn Fn(&str) -> Option<String>,
    /// True when a directive (or, with `<`, a section) of this name exists in a visible module.
    pub(crate) knows: fn(&str, &Modules) -> bool,
}

/// Reads texts into a tree.
pub(crate) struct Reader<'a> {
    outside: &'a Outside<'a>,
    pub(crate) sources: Sources,
    pub(crate) modules: Modules,
    pub(crate) mpm: Setting<Mpm>,
    pub(crate) defines: Vec<(String, Option<String>)>,
    pub(crate) includes: Vec<Included>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) server_root: Option<PathBuf>,
    pub(crate) runtime_dir: Option<PathBuf>,
    /// True when a `LoadModule` line for something other than an MPM was met.
    pub(crate) met_load_module: bool,
    met_unknown_variable: bool,
    /// How many bytes variables and macros may still add.
    room: usize,
    macros: Vec<Macro>,
    macros_in_use: Vec<String>,
    chain: Vec<Place>,
}

/// An open section or condition.
struct Frame {
    name: String,
    place: Place,
    kind: FrameKind,
    nodes: Vec<Node>,
}

enum FrameKind {
    /// Becomes a node.
    Section(Box<Node>),
    /// A condition that holds: its contents belong to what encloses it.
    Holds,
    /// A condition that does not hold, or a section inside of one.
    Skipped,
}

/// Why a line cannot be read: message, offending part, hints.
pub(crate) struct Fault {
    message: String,
    range: Option<Range<usize>>,
    hints: Vec<String>,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            range: None,
            hints: Vec::new(),
        }
    }

    fn on(self, range: Range<usize>) -> Self {
        Self {
            range: Some(range),
            ..self
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl<'a> Reader<'a> {
    /// A reader that has read nothing.
    pub(crate) fn new(
        outside: &'a Outside<'a>,
        explicit: bool,
        defines: &[(String, Option<String>)],
        server_root: Option<PathBuf>,
    ) -> Self {
        Self {
            outside,
            sources: Sources::default(),
            modules: Modules::at_start(explicit),
            mpm: Setting::UNSET,
            defines: defines.to_vec(),
            includes: Vec::new(),
            diagnostics: Vec::new(),
            server_root,
            runtime_dir: None,
            met_load_module: false,
            met_unknown_variable: false,
            room: ADDED_BYTES_MAX,
            macros: Vec::new(),
            macros_in_use: Vec::new(),
            chain: Vec::new(),
        }
    }

    /// Reads a text under a name.
    pub(crate) fn text(&mut self, name: &str, text: &str) -> Vec<Node> {
        let source = self.sources.add(name, text);
        self.read(source)
    }

    fn read(&mut self, source: SourceId) -> Vec<Node> {
        let mut cursor = Cursor::new(source);
        let mut top = Vec::new();
        let mut open: Vec<Frame> = Vec::new();
        while let Some(line) = cursor.next(&self.sources) {
            match line {
                Ok(line) => self.line(source, &line, &mut cursor, &mut open, &mut top),
                Err(too_long) => {
                    let name = self.sources.name(source);
                    let message =
                        format!("Error reading {name} at line {}: Line too long", too_long.0);
                    self.fail(&self.bare(source, too_long.0), Fault::new(message));
                    break;
                }
            }
        }
        while let Some(frame) = open.pop() {
            self.unclosed(source, &frame);
            close(frame, &mut open, &mut top);
        }
        top
    }

    fn line(
        &mut self,
        source: SourceId,
        line: &Logical,
        cursor: &mut Cursor,
        open: &mut Vec<Frame>,
        top: &mut Vec<Node>,
    ) {
        let skipping =
            matches!(open.last(), Some(frame) if matches!(frame.kind, FrameKind::Skipped));
        let mut room = self.room;
        let expanded = line.text.expanded(&|name| self.variable(name), &mut room);
        self.room = room;
        let Some((text, unknown)) = expanded else {
            if let Err(fault) = self.take_room(usize::MAX) {
                self.fail(&self.bare(source, line.line), fault);
            }
            return;
        };
        let Some(node) = self.parse(source, text, line.line) else {
            return;
        };
        if !skipping {
            for range in unknown {
                let name = node.text.slice(range.clone()).to_owned();
                let mut warning =
                    node.diagnostic(&self.sources, Severity::Warning, Phase::Read, Some(range));
                warning.message = format!("AH00111: Config variable {name} is not defined");
                if !std::mem::replace(&mut self.met_unknown_variable, true) {
                    warning.hints.push(self.about_variables());
                }
                self.diagnostics.push(warning);
            }
        }
        let written = node.text.slice(node.name_range.clone());
        let outcome = if written.starts_with("</") {
            Self::closing(&node, open, top)
        } else if written.starts_with('<') {
            self.opening(&node, cursor, open, skipping)
        } else if skipping {
            Ok(())
        } else {
            self.directive(&node, open, top)
        };
        if let Err(fault) = outcome {
            self.fail(&node, fault);
        }
    }

    fn parse(&self, source: SourceId, text: Mapped, line: u32) -> Option<Node> {
        let whole = 0..text.as_str().len();
        let word = next_word(text.as_str(), whole.clone())?;
        let mut name_range = word.range.clone();
        let mut name = word.text;
        if name.starts_with('<') {
            name.remove(0);
            if name.ends_with('>') && name != "/>" {
                name.pop();
                name_range.end -= 1;
            }
        }
        Some(Node {
            name,
            args: name_range.end..whole.end,
            name_range,
            text,
            source,
            place: Place::new(self.sources.name(source), line),
            chain: self.chain.clone().into(),
            children: None,
        })
    }

    fn opening(
        &mut self,
        node: &Node,
        cursor: &mut Cursor,
        open: &mut Vec<Frame>,
        skipping: bool,
    ) -> Result<(), Fault> {
        if open.len() >= SECTION_DEPTH_MAX {
            return Err(Fault::new(format!(
                "sections nest deeper than {SECTION_DEPTH_MAX}"
            )));
        }
        let mut fault = None;
        let kind = if skipping {
            FrameKind::Skipped
        } else if node.name.eq_ignore_ascii_case("Macro") {
            return self.define_macro(node, cursor);
        } else {
            match self.condition(node) {
                None => FrameKind::Section(Box::new(node.clone())),
                Some(Ok(true)) => FrameKind::Holds,
                Some(Ok(false)) => FrameKind::Skipped,
                Some(Err(why)) => {
                    fault = Some(why);
                    // What the broken condition encloses is read all the same, so that its errors are told too.
                    FrameKind::Holds
                }
            }
        };
        open.push(Frame {
            name: node.name.clone(),
            place: node.place.clone(),
            kind,
            nodes: Vec::new(),
        });
        fault.map_or(Ok(()), Err)
    }

    fn closing(node: &Node, open: &mut Vec<Frame>, top: &mut Vec<Node>) -> Result<(), Fault> {
        let name = node.name.strip_prefix('/').unwrap_or(&node.name);
        let mut outcome = Ok(());
        if !node
            .text
            .slice(node.name_range.start..node.args.end)
            .ends_with('>')
        {
            outcome = Err(
                Fault::new(format!("</{name}> directive missing closing '>'"))
                    .on(node.name_range.clone()),
            );
        }
        let Some(index) = open
            .iter()
            .rposition(|frame| frame.name.eq_ignore_ascii_case(name))
        else {
            let fault = match open.last() {
                Some(frame) => Fault::new(format!("Expected </{}> but saw </{name}>", frame.name)),
                None => Fault::new(format!("</{name}> without matching <{name}> section")),
            };
            return outcome.and_then(|()| Err(fault.on(node.name_range.clone())));
        };
        if let Some(innermost) = open.get(index + 1..).and_then(<[Frame]>::last) {
            let fault = Fault::new(format!("Expected </{}> but saw </{name}>", innermost.name))
                .on(node.name_range.clone())
                .hint(format!(
                    "`<{}>` was opened on line {}",
                    innermost.name, innermost.place.line
                ));
            outcome = outcome.and(Err(fault));
        }
        while open.len() > index {
            let Some(frame) = open.pop() else { break };
            close(frame, open, top);
        }
        outcome
    }

    fn unclosed(&mut self, source: SourceId, frame: &Frame) {
        let node = self.bare(source, frame.place.line);
        let message = format!("{}: <{}> was not closed.", frame.place, frame.name);
        if matches!(frame.kind, FrameKind::Section(_)) {
            self.fail(
                &node,
                Fault::new(message).hint(format!("add `</{}>`", frame.name)),
            );
            return;
        }
        // httpd ends an open condition at the end of its file without a word.
        let mut warning = node.diagnostic(&self.sources, Severity::Warning, Phase::Read, None);
        warning.message = message;
        warning.hints.push(format!("add `</{}>`", frame.name));
        self.diagnostics.push(warning);
    }

    fn directive(
        &mut self,
        node: &Node,
        open: &mut [Frame],
        top: &mut Vec<Node>,
    ) -> Result<(), Fault> {
        let nodes = match node.name.to_ascii_lowercase().as_str() {
            "include" => self.include(node, true)?,
            "includeoptional" => self.include(node, false)?,
            "use" => self.use_macro(node)?,
            "undefmacro" => self.undefine_macro(node).map(|()| Vec::new())?,
            "loadmodule" => self.load_module(node).map(|()| Vec::new())?,
            "mpm" => self.choose_mpm(node).map(|()| Vec::new())?,
            "define" => self.define(node).map(|()| Vec::new())?,
            "undefine" => self.undefine(node).map(|()| Vec::new())?,
            "serverroot" => {
                self.server_root = Some(directory(
                    node,
                    "ServerRoot",
                    "ServerRoot must be a valid directory",
                    Path::new("/"),
                )?);
                Vec::new()
            }
            "defaultruntimedir" => {
                let message = "DefaultRuntimeDir must be a valid directory, absolute or relative to ServerRoot";
                let base = self.server_root.clone().unwrap_or_default();
                self.runtime_dir = Some(directory(node, "DefaultRuntimeDir", message, &base)?);
                Vec::new()
            }
            _ => vec![node.clone()],
        };
        open.last_mut()
            .map_or(top, |frame| &mut frame.nodes)
            .extend(nodes);
        Ok(())
    }

    fn define(&mut self, node: &Node) -> Result<(), Fault> {
        let words = node.words();
        let (name, value) = match words.as_slice() {
            [name] => (name, None),
            [name, value] => (name, Some(value.text.clone())),
            _ => {
                return Err(Fault::new(
                    "Define takes 1-2 arguments, a name and optionally its value",
                ));
            }
        };
        if name.text.contains(':') {
            return Err(Fault::new("Variable name must not contain ':'").on(name.range.clone()));
        }
        self.defines.retain(|(known, _)| *known != name.text);
        self.defines.push((name.text.clone(), value));
        Ok(())
    }

    fn undefine(&mut self, node: &Node) -> Result<(), Fault> {
        let words = node.words();
        let [name] = words.as_slice() else {
            return Err(Fault::new("UnDefine takes one argument, a name"));
        };
        self.defines.retain(|(known, _)| *known != name.text);
        Ok(())
    }

    fn variable(&self, name: &str) -> Option<String> {
        let defined = self
            .defines
            .iter()
            .find(|(known, _)| known == name)
            .and_then(|(_, value)| value.clone());
        defined.or_else(|| (self.outside.env)(name))
    }

    /// Takes bytes from what variables and macros may add. Once it is used up, nothing is added any more.
    fn take_room(&mut self, bytes: usize) -> Result<(), Fault> {
        if let Some(left) = self.room.checked_sub(bytes) {
            self.room = left;
            return Ok(());
        }
        let message = format!("variables and macros add more than {ADDED_BYTES_MAX} bytes");
        self.room = 0;
        Err(Fault::new(message).hint("one of them contains another one several times, and so on"))
    }

    /// Where variables may come from. Debian's configuration has its from a file that only its start scripts read.
    fn about_variables(&self) -> String {
        let exports = self.absolute("envvars");
        if exports.is_file() {
            return format!(
                "run `. {}` first: it exports the variables of this configuration",
                exports.display()
            );
        }
        "define it with `Define NAME value`, with `-D NAME=value` or in the environment".to_owned()
    }

    /// A path as httpd finds it: relative ones start at the server root.
    fn absolute(&self, path: &str) -> PathBuf {
        match &self.server_root {
            Some(root) => root.join(path),
            None => PathBuf::from(path),
        }
    }

    fn fail(&mut self, node: &Node, fault: Fault) {
        let range = fault.range.unwrap_or(0..node.text.as_str().len());
        let mut diagnostic =
            node.diagnostic(&self.sources, Severity::Error, Phase::Read, Some(range));
        diagnostic.message = fault.message;
        diagnostic.hints = fault.hints;
        self.diagnostics.push(diagnostic);
    }

    /// A node for messages about a line that is not at hand.
    fn bare(&self, source: SourceId, line: u32) -> Node {
        let mut cursor = Cursor::at(source, line);
        let text = match cursor.next(&self.sources) {
            Some(Ok(logical)) => logical.text,
            Some(Err(_)) | None => Mapped::default(),
        };
        Node {
            name: String::new(),
            name_range: 0..0,
            args: 0..0,
            text,
            source,
            place: Place::new(self.sources.name(source), line),
            chain: self.chain.clone().into(),
            children: None,
        }
    }
}

/// Gives a closed section to what encloses it.
fn close(frame: Frame, open: &mut [Frame], top: &mut Vec<Node>) {
    let outer = open.last_mut().map_or(top, |outer| &mut outer.nodes);
    match frame.kind {
        FrameKind::Section(mut node) => {
            node.children = Some(frame.nodes);
            outer.push(*node);
        }
        FrameKind::Holds => outer.extend(frame.nodes),
        FrameKind::Skipped => {}
    }
}

/// Reads the one argument of a directive that names a directory.
fn directory(node: &Node, name: &str, message: &str, base: &Path) -> Result<PathBuf, Fault> {
    let words = node.words();
    let [path] = words.as_slice() else {
        return Err(Fault::new(format!(
            "{name} takes one argument, a directory"
        )));
    };
    let path_found = base.join(&path.text);
    if !path_found.is_dir() {
        let fault = Fault::new(message).on(path.range.clone());
        return Err(if path.text.contains("${") {
            fault
        } else {
            fault.hint(format!("create `{}`", path_found.display()))
        });
    }
    Ok(path_found)
}
