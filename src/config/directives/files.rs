//! Files: where they are (mod_alias), which one stands for a directory (mod_dir), what they are (mod_mime), and links (core).
//!
//! Know first: nothing here makes anything accessible. A file is served where DocumentRoot or an Alias leads to it, and only if the
//! access rules of the `<Directory>`, `<Files>` and `<Location>` sections grant it.

use crate::config::args::choice;
use crate::config::directive::{Arity, Contexts, Directive};
use crate::config::model::{AddedType, FileAlias, MediaTypes};
use crate::config::scope::{Args, Complaint, Scope};
use crate::config::walk::{check_regex, directory_path};

const ALIAS: &str = "alias_module";
const DIR: &str = "dir_module";
const MIME: &str = "mime_module";
const CORE: &str = "core_module";
const SERVERS: Contexts = Contexts::SERVERS;
const ANYWHERE: Contexts = Contexts::ANYWHERE;

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::new(
        "Alias",
        ALIAS,
        Arity::Two,
        SERVERS,
        "a path, and the file or directory that it leads to",
        "Alias /errors /srv/errors",
        |scope, args| {
            let real = directory_path(scope, args.text(1));
            let alias = FileAlias {
                path: args.text(0).to_owned(),
                is_regex: false,
                real,
                place: scope.place().clone(),
            };
            scope.server.file_aliases.push(alias);
            Ok(())
        },
    )
    .long("Paths that a ProxyPass claims are not looked for here: exclude them with `ProxyPass /errors !`."),
    Directive::new(
        "AliasMatch",
        ALIAS,
        Arity::Two,
        SERVERS,
        "a regular expression for paths, and the file that they lead to, with $1",
        "AliasMatch ^/errors/(.*)$ /srv/errors/$1.html",
        |scope, args| {
            if let Some(word) = args.words.first() {
                check_regex(word, "Regular expression could not be compiled.")?;
            }
            let real = directory_path(scope, args.text(1));
            let alias = FileAlias {
                path: args.text(0).to_owned(),
                is_regex: true,
                real,
                place: scope.place().clone(),
            };
            scope.server.file_aliases.push(alias);
            Ok(())
        },
    ),
    Directive::new(
        "DirectoryIndex",
        DIR,
        Arity::OneOrMore,
        ANYWHERE,
        "the files that stand for a directory, the first that is there",
        "DirectoryIndex index.html index.htm",
        |scope, args| {
            // `disabled` alone means that no file does; httpd keeps it as a name that is never there.
            scope
                .dir
                .directory_index
                .extend(args.texts().map(str::to_owned));
            Ok(())
        },
    )
    .default("index.html"),
    Directive::new(
        "DirectorySlash",
        DIR,
        Arity::Flag,
        ANYWHERE,
        "redirect a directory's path without a final slash to the one with it",
        "DirectorySlash Off",
        |scope, args| {
            scope.dir.directory_slash = scope.set(args.flag()?);
            Ok(())
        },
    )
    .default("On"),
    Directive::new(
        "TypesConfig",
        MIME,
        Arity::One,
        Contexts::SERVER,
        "the file that says which endings mean which media types",
        "TypesConfig /dev/null",
        types_config,
    )
    .long("Without one, or when it cannot be read, a small table that is built in holds."),
    Directive::new(
        "AddType",
        MIME,
        Arity::TwoOrMore,
        ANYWHERE,
        "a media type, and the endings of files that are of it",
        "AddType text/html .shtml .tpl",
        |scope, args| {
            let media_type = args.text(0).to_owned();
            let added = args.texts().skip(1).map(|ending| AddedType {
                ending: ending_of(ending),
                media_type: media_type.clone(),
            });
            let added: Vec<AddedType> = added.collect();
            scope.dir.added_types.extend(added);
            Ok(())
        },
    ),
    Directive::new(
        "AddHandler",
        MIME,
        Arity::TwoOrMore,
        ANYWHERE,
        "a handler for files with these endings; none is available, so they are not served",
        "AddHandler cgi-script .cgi",
        add_handler,
    )
    .long("What another server would run must not be shown instead: requests for such files are answered with 404."),
    Directive::new(
        "AddDefaultCharset",
        CORE,
        Arity::One,
        ANYWHERE,
        "the charset of text/html and text/plain whose sender names none",
        "AddDefaultCharset utf-8",
        |scope, args| {
            let charset = match choice(args.text(0), &[("off", None), ("on", Some("iso-8859-1"))]) {
                Some(switch) => switch.map(str::to_owned),
                None => Some(args.text(0).to_owned()),
            };
            scope.dir.default_charset = scope.set(charset);
            Ok(())
        },
    )
    .default("Off"),
    Directive::new(
        "ForceType",
        CORE,
        Arity::One,
        ANYWHERE,
        "the media type of all files here, or None",
        "ForceType text/html",
        |scope, args| {
            let text = args.text(0);
            let forced = (!text.eq_ignore_ascii_case("none")).then(|| text.to_owned());
            scope.dir.force_type = scope.set(forced);
            Ok(())
        },
    ),
    Directive::new(
        "Options",
        CORE,
        Arity::OneOrMore,
        ANYWHERE,
        "what may be done with files here; only FollowSymLinks matters, and counts in <Directory>",
        "Options -Indexes +FollowSymLinks",
        options,
    )
    .default("FollowSymLinks"),
    Directive::new(
        "AllowOverride",
        CORE,
        Arity::Raw,
        ANYWHERE,
        "what .htaccess files may say; only None is available: they are not read",
        "AllowOverride None",
        |scope, args| {
            let is_none = args.texts().all(|word| word.eq_ignore_ascii_case("none"));
            if !is_none && scope.build.warned.insert("AllowOverride".to_owned()) {
                let complaint = args.complaint(0, "AllowOverride has no effect here: .htaccess files are not read");
                scope.warn(complaint.hint("write what they say, access rules above all, into <Directory> sections"));
            }
            Ok(())
        },
    )
    .default("None"),
];

fn types_config(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let path = scope.build.config.paths.server_root.join(args.text(0));
    match std::fs::read_to_string(&path) {
        Ok(text) => scope.server.media_types = scope.set(MediaTypes::parse(&text)),
        Err(error) => {
            let message = format!(
                "AH01597: could not open mime types config file {}: {error}",
                path.display()
            );
            scope.warn(
                args.complaint(0, message)
                    .hint("the table that is built in holds"),
            );
        }
    }
    Ok(())
}

fn add_handler(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    if args.text(0).eq_ignore_ascii_case("default-handler") {
        return Ok(());
    }
    if scope.build.warned.insert("AddHandler".to_owned()) {
        let message = "AddHandler names a handler that is not available; files with these endings are not served";
        scope.warn(
            args.complaint(0, message)
                .hint("map their paths to a backend that runs them"),
        );
    }
    let endings = args.texts().skip(1).map(ending_of).collect::<Vec<_>>();
    scope.dir.handled_endings.extend(endings);
    Ok(())
}

/// An ending without its dot, in lower case.
fn ending_of(word: &str) -> String {
    word.trim_start_matches('.').to_ascii_lowercase()
}

/// Keeps of the options what is looked at, with httpd's complaints about all of them.
fn options(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let mixed = "Either all Options must start with + or -, or no Option may.";
    let is_edit = args.text(0).starts_with(['+', '-']);
    let mut follow = (!is_edit).then_some(false);
    for (index, word) in args.texts().enumerate() {
        let name = word.trim_start_matches(['+', '-']);
        if word.starts_with(['+', '-']) != is_edit {
            return Err(args.complaint(index, mixed));
        }
        let known = [
            ("FollowSymLinks", true),
            ("All", true),
            ("None", false),
            ("Indexes", false),
            ("Includes", false),
            ("IncludesNOEXEC", false),
            ("SymLinksIfOwnerMatch", false),
            ("ExecCGI", false),
            ("MultiViews", false),
            ("RunScripts", false),
        ];
        let Some(is_about_links) = choice(name, &known) else {
            return Err(args.complaint(index, format!("Illegal option {name}")));
        };
        if is_about_links {
            follow = Some(!word.starts_with('-'));
        } else if name.eq_ignore_ascii_case("none") {
            follow = Some(false);
        }
    }
    if let Some(follow) = follow {
        scope.dir.follow_symlinks = scope.set(follow);
    }
    Ok(())
}
