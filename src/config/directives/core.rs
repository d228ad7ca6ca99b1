//! httpd's core: sections of paths, what the server says of itself, error pages, handlers and users.

use crate::config::args::choice;
use crate::config::directive::{Arity, Contexts, Directive, SectionKind};
use crate::config::model::{
    ErrorDocument, ErrorPage, Handler, Mutex, ServerTokens, Signature, WorkerUrl,
    strip_prefix_ignore_case,
};
use crate::config::scope::{Args, Complaint, Scope};
use crate::config::walk::directory_path;
use std::path::Path;

const CORE: &str = "core_module";
const SERVER: Contexts = Contexts::SERVER;
const SERVERS: Contexts = Contexts::SERVERS;
const ANYWHERE: Contexts = Contexts::ANYWHERE;

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::section(
        "<Location",
        CORE,
        SERVERS,
        "what holds for a path and everything below it",
        "<Location /app>\nSetHandler server-status\n</Location>",
        SectionKind::Location,
    )
    .long(
        "`*`, `?` and `[…]` match within one path segment. `<Location ~ regex>` \
                is `<LocationMatch regex>`. Sections apply in configuration order, the \
                later one wins.",
    ),
    Directive::section(
        "<LocationMatch",
        CORE,
        SERVERS,
        "what holds for paths that a regular expression matches",
        "<LocationMatch \"^/app[0-9]+\">\n</LocationMatch>",
        SectionKind::LocationMatch,
    ),
    Directive::section(
        "<Directory",
        CORE,
        SERVERS,
        "what holds for the files in a directory and below it",
        "<Directory />\nRequire all denied\n</Directory>",
        SectionKind::Directory,
    ),
    Directive::section(
        "<DirectoryMatch",
        CORE,
        SERVERS,
        "what holds for the files in directories that match",
        "<DirectoryMatch \"^/srv\">\n</DirectoryMatch>",
        SectionKind::DirectoryMatch,
    ),
    Directive::section(
        "<Files",
        CORE,
        FILES,
        "what holds for files of a name",
        "<Files \".ht*\">\nRequire all denied\n</Files>",
        SectionKind::Files,
    ),
    Directive::section(
        "<FilesMatch",
        CORE,
        FILES,
        "what holds for files whose names match",
        "<FilesMatch \"^\\.ht\">\nRequire all denied\n</FilesMatch>",
        SectionKind::FilesMatch,
    ),
    Directive::section(
        "<Limit",
        CORE,
        Contexts::SECTIONS,
        "access rules for these methods only",
        "<Location />\n<Limit POST>\nRequire ip 10\n</Limit>\n</Location>",
        SectionKind::Limit,
    ),
    Directive::section(
        "<LimitExcept",
        CORE,
        Contexts::SECTIONS,
        "access rules for all but these methods",
        "<Location />\n<LimitExcept GET HEAD>\nRequire all denied\n</LimitExcept>\
                \n</Location>",
        SectionKind::LimitExcept,
    ),
    Directive::new(
        "Error",
        CORE,
        Arity::Raw,
        ANYWHERE,
        "stop with a message",
        "<IfDefine NOT_THERE>\nError \"never\"\n</IfDefine>",
        error,
    ),
    Directive::new(
        "ServerAdmin",
        CORE,
        Arity::One,
        SERVERS,
        "the address on error pages",
        "ServerAdmin root@example.com",
        |scope, args| {
            scope.server.admin = scope.set(args.text(0).to_owned());
            Ok(())
        },
    ),
    Directive::new(
        "DocumentRoot",
        CORE,
        Arity::One,
        SERVERS,
        "the directory of the files that are served for paths nobody else claims",
        "DocumentRoot /",
        document_root,
    ),
    Directive::new(
        "ServerSignature",
        CORE,
        Arity::One,
        ANYWHERE,
        "the footer of pages that the server writes",
        "ServerSignature Email",
        |scope, args| {
            let choices = [
                ("off", Signature::Off),
                ("on", Signature::On),
                ("email", Signature::Email),
            ];
            let value = choice(args.text(0), &choices);
            let value = value.ok_or_else(|| {
                args.complaint(0, "ServerSignature: use one of: off | on | email")
            })?;
            if scope.is_server_wide() {
                scope.server.server_signature = scope.set(value);
            }
            Ok(())
        },
    )
    .default("Off"),
    Directive::new(
        "ServerTokens",
        CORE,
        Arity::Raw,
        SERVER,
        "how much the Server field says",
        "ServerTokens Prod",
        server_tokens,
    )
    .default("Full"),
    Directive::new(
        "ErrorDocument",
        CORE,
        Arity::Raw,
        ANYWHERE,
        "what to say instead of the built-in error page",
        "ErrorDocument 503 \"back soon\"",
        error_document,
    ),
    Directive::new(
        "SetHandler",
        CORE,
        Arity::Raw,
        ANYWHERE,
        "which handler answers here",
        "SetHandler server-status",
        set_handler,
    )
    .long(
        "`proxy:URL` forwards the requests of the section there. `None` forgets \
                what an outer section set.",
    ),
    Directive::new(
        "HostnameLookups",
        CORE,
        Arity::One,
        ANYWHERE,
        "whether clients are logged by name",
        "HostnameLookups Off",
        |scope, args| {
            let value = choice(
                args.text(0),
                &[("off", false), ("on", true), ("double", true)],
            );
            let value = value
                .ok_or_else(|| args.complaint(0, "parameter must be 'on', 'off', or 'double'"))?;
            if scope.is_server_wide() {
                if value {
                    scope.directive_is_later("HostnameLookups On");
                }
                scope.server.hostname_lookups = scope.set(value);
            }
            Ok(())
        },
    )
    .default("Off"),
    Directive::new(
        "Mutex",
        CORE,
        Arity::Raw,
        SERVER,
        "how processes exclude one another; accepted, none is needed",
        "Mutex default",
        mutex,
    ),
    Directive::new(
        "User",
        "unixd_module",
        Arity::One,
        SERVER,
        "who the children become: a name, or # and a number",
        "User #65534",
        |scope, args| {
            scope.build.config.user = scope.set(args.text(0).to_owned());
            Ok(())
        },
    )
    .default("#-1"),
    Directive::new(
        "Group",
        "unixd_module",
        Arity::One,
        SERVER,
        "which group the children join: a name, or # and a number",
        "Group #65534",
        |scope, args| {
            scope.build.config.group = scope.set(args.text(0).to_owned());
            Ok(())
        },
    )
    .default("#-1"),
];

/// Files may also stand inside Directory.
const FILES: Contexts = SERVERS.or(Contexts::DIRECTORY);

fn error(_: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let message = if args.words.len() == 1 {
        args.text(0)
    } else {
        args.raw()
    };
    Err(Complaint::new(message))
}

fn document_root(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let path = directory_path(scope, args.text(0));
    if !Path::new(&path).is_dir() {
        let message = format!(
            "DocumentRoot '{}' is not a directory, or is not readable",
            args.text(0)
        );
        scope.warn(
            args.complaint(0, message)
                .hint("requests for files are answered with 404 while it is not there"),
        );
    }
    let bare = if path.len() > 1 {
        path.trim_end_matches('/')
    } else {
        &path
    };
    scope.server.document_root = scope.set(bare.to_owned());
    Ok(())
}

fn server_tokens(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let choices = [
        ("Prod", ServerTokens::Prod),
        ("ProductOnly", ServerTokens::Prod),
        ("Major", ServerTokens::Major),
        ("Minor", ServerTokens::Minor),
        ("Min", ServerTokens::Min),
        ("Minimal", ServerTokens::Min),
        ("OS", ServerTokens::Os),
        ("Full", ServerTokens::Full),
    ];
    let value = if args.words.len() == 1 {
        choice(args.text(0), &choices)
    } else {
        None
    };
    let value = value.ok_or_else(|| {
        args.complaint(0, "ServerTokens takes 1 argument: 'Prod(uctOnly)', 'Major', 'Minor', 'Min(imal)', 'OS', or 'Full'")
    })?;
    scope.server.server_tokens = scope.set(value);
    Ok(())
}

fn error_document(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let Some((first, rest)) = args.words.split_first() else {
        return Err(Complaint::new(
            "ErrorDocument takes two arguments, a status and what to say",
        ));
    };
    let status = first
        .text
        .parse::<u16>()
        .ok()
        .filter(|status| (400..600).contains(status) || (100..400).contains(status));
    let status = status.ok_or_else(|| {
        args.complaint(0, format!("Unsupported HTTP response code {}", first.text))
    })?;
    let Some(page) = rest.first() else {
        return Err(Complaint::new(
            "ErrorDocument takes two arguments, a status and what to say",
        ));
    };
    let written = args.node.text.slice(page.range.clone());
    // An unquoted text of several words, or one that 1.3 marked with a lone quote, runs to the end of the line.
    let raw_tail = args
        .node
        .text
        .slice(page.range.start..args.node.args.end)
        .trim();
    let is_quoted = written.starts_with(['"', '\'']);
    let page_text = if is_quoted && rest.len() == 1 {
        page.text.clone()
    } else {
        raw_tail.trim_start_matches('"').to_owned()
    };
    let page = if page.text.eq_ignore_ascii_case("default") && !is_quoted {
        ErrorPage::BuiltIn
    } else if page_text.starts_with('/') && !page_text.contains(' ') {
        ErrorPage::Path(page_text)
    } else if page_text.contains("://") && !page_text.contains(char::is_whitespace) {
        if status == 401 {
            scope.warn(args.complaint(
                1,
                "AH00113: cannot use a full URL in a 401 ErrorDocument directive --- ignoring!",
            ));
            return Ok(());
        }
        ErrorPage::Redirect(page_text)
    } else {
        ErrorPage::Text(page_text)
    };
    scope
        .dir
        .error_documents
        .push(ErrorDocument { status, page });
    Ok(())
}

fn set_handler(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let [word] = args.words.as_slice() else {
        return Err(Complaint::new(format!(
            "SetHandler takes one argument, {}",
            args.directive.help
        )));
    };
    let handler = if word.text.eq_ignore_ascii_case("none") {
        Handler::None
    } else if let Some(url) = strip_prefix_ignore_case(&word.text, "proxy:") {
        let url =
            WorkerUrl::parse(url).map_err(|error| Complaint::new(error.message(url)).on(word))?;
        Handler::Proxy(url)
    } else {
        Handler::Named(word.text.to_ascii_lowercase())
    };
    scope.dir.set_handler = scope.set(handler);
    Ok(())
}

fn mutex(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    const MECHANISMS: &str = "(Mutex mechanisms are: 'none', 'default', 'flock:/path/to/file', 'fcntl:/path/to/file', \
                              'file:/path/to/file', 'pthread', 'sysvsem', 'posixsem', 'sem')";
    let Some(mechanism) = args.words.first() else {
        return Err(Complaint::new(format!(
            "Mutex requires at least a mechanism argument {MECHANISMS}"
        )));
    };
    let kind = mechanism
        .text
        .split(':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let is_known = [
        "none", "no", "default", "yes", "flock", "fcntl", "file", "pthread", "sysvsem", "posixsem",
        "sem",
    ]
    .contains(&kind.as_str());
    if !is_known {
        return Err(args.complaint(
            0,
            format!("Invalid Mutex argument {} {MECHANISMS}", mechanism.text),
        ));
    }
    let mut names: Vec<String> = args
        .texts()
        .skip(1)
        .filter(|word| !word.eq_ignore_ascii_case("OmitPID"))
        .map(str::to_owned)
        .collect();
    if names.is_empty() {
        names.push("default".to_owned());
    }
    for name in names {
        scope.build.config.mutexes.push(Mutex {
            name,
            mechanism: mechanism.text.clone(),
        });
    }
    Ok(())
}
