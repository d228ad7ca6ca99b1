//! What is done while reading: conditions, names, macros, other files, modules.
//!
//! Only the entries are here, for the lists; the deeds are in `tree.rs` and below it.

use crate::config::directive::Directive;

const CORE: &str = "core_module";

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::read(
        "<IfDefine",
        CORE,
        "read the contents if a name is defined",
        "<IfDefine !NO>\nTimeout 5\n</IfDefine>",
    ),
    Directive::read(
        "<IfDirective",
        CORE,
        "read the contents if a directive exists",
        "<IfDirective Timeout>\nTimeout 5\n</IfDirective>",
    ),
    Directive::read(
        "<IfFile",
        CORE,
        "read the contents if a file exists",
        "<IfFile />\nTimeout 5\n</IfFile>",
    ),
    Directive::read(
        "<IfModule",
        CORE,
        "read the contents if a module is loaded",
        "<IfModule proxy_module>\nTimeout 5\n</IfModule>",
    ),
    Directive::read(
        "<IfSection",
        CORE,
        "read the contents if a section exists",
        "<IfSection Proxy>\nTimeout 5\n</IfSection>",
    ),
    Directive::read(
        "<IfVersion",
        "version_module",
        "read the contents for some versions of httpd (this is 2.4.63)",
        "<IfVersion >= 2.4>\nTimeout 5\n</IfVersion>",
    ),
    Directive::read(
        "<Macro",
        "macro_module",
        "lines to use later, with parameters",
        "<Macro M $a>\nTimeout $a\n</Macro>\nUse M 5",
    ),
    Directive::read(
        "Use",
        "macro_module",
        "use a macro's lines here",
        "<Macro M>\nTimeout 5\n</Macro>\nUse M",
    ),
    Directive::read(
        "UndefMacro",
        "macro_module",
        "forget a macro",
        "<Macro M>\nTimeout 5\n</Macro>\nUndefMacro M",
    ),
    Directive::read(
        "Define",
        CORE,
        "define a name, and optionally what ${NAME} becomes",
        "Define PORT 8080",
    ),
    Directive::read("UnDefine", CORE, "forget a name", "Define A\nUnDefine A"),
    Directive::read(
        "Include",
        CORE,
        "read other files here",
        "Include /dev/null",
    ),
    Directive::read(
        "IncludeOptional",
        CORE,
        "read other files here, if there are any",
        "IncludeOptional conf.d/*.none",
    ),
    Directive::read(
        "LoadModule",
        "so_module",
        "make a module's directives known; its path is never opened",
        "LoadModule mpm_event_module modules/mod_mpm_event.so",
    ),
    Directive::read(
        "ServerRoot",
        CORE,
        "the directory that relative paths start from",
        "ServerRoot /",
    ),
    Directive::read(
        "DefaultRuntimeDir",
        CORE,
        "the directory of pid file, scoreboard and sockets",
        "DefaultRuntimeDir /tmp",
    ),
];
