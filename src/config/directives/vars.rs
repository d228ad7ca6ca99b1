//! Variables of requests: mod_setenvif and mod_env.
//!
//! Know first: what SetEnvIf sets outside sections is there before a request is mapped; in a section, once it is; what SetEnv sets, only
//! when the request is about to be handled.

use crate::config::args::Word;
use crate::config::directive::{Arity, Contexts, Directive};
use crate::config::model::{Attribute, Change, SetEnvIf};
use crate::config::scope::{Args, Complaint, Scope, Subject};
use crate::config::walk::check_regex;

const SETENVIF: &str = "setenvif_module";
const ENV: &str = "env_module";
const ANYWHERE: Contexts = Contexts::ANYWHERE;

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::new(
        "SetEnvIf",
        SETENVIF,
        Arity::Raw,
        ANYWHERE,
        "set variables if a field, a property of the request or an earlier variable matches",
        "SetEnvIf Request_URI \"^/static/(.*)\" no-proxy asset=$1 !dontlog",
        |scope, args| set_env_if(scope, args, false),
    )
    .long(
        "The properties are Remote_Addr, Remote_Host, Server_Addr, \
                Request_Method, Request_Protocol and Request_URI. `NAME` alone \
                sets 1, `!NAME` takes the variable away, `$1` in a value is \
                what the expression's first group matched.",
    ),
    Directive::new(
        "SetEnvIfNoCase",
        SETENVIF,
        Arity::Raw,
        ANYWHERE,
        "the same, whatever the case of letters",
        "SetEnvIfNoCase Host example\\.org site=example",
        |scope, args| set_env_if(scope, args, true),
    ),
    Directive::new(
        "BrowserMatch",
        SETENVIF,
        Arity::Raw,
        ANYWHERE,
        "set variables if User-Agent matches",
        "BrowserMatch \"MSIE [1-4]\" nokeepalive",
        |scope, args| browser_match(scope, args, false),
    ),
    Directive::new(
        "BrowserMatchNoCase",
        SETENVIF,
        Arity::Raw,
        ANYWHERE,
        "the same, whatever the case of letters",
        "BrowserMatchNoCase robot is_a_robot",
        |scope, args| browser_match(scope, args, true),
    ),
    Directive::new(
        "SetEnv",
        ENV,
        Arity::OneOrTwo,
        ANYWHERE,
        "set a variable for whoever handles and logs the request; for mappings and access rules it is too late",
        "SetEnv proxy-nokeepalive 1",
        |scope, args| {
            scope
                .dir
                .late_vars
                .put(args.text(0), args.text(1).to_owned());
            Ok(())
        },
    ),
    Directive::new(
        "UnsetEnv",
        ENV,
        Arity::OneOrMore,
        ANYWHERE,
        "take back what SetEnv or PassEnv set outside of this section",
        "UnsetEnv proxy-nokeepalive",
        |scope, args| {
            for name in args.texts() {
                scope.dir.late_vars.take(name);
            }
            Ok(())
        },
    ),
    Directive::new(
        "PassEnv",
        ENV,
        Arity::OneOrMore,
        ANYWHERE,
        "set variables as they are in the environment that the server was started in",
        "PassEnv PATH",
        pass_env,
    ),
];

fn pass_env(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    for (index, name) in args.texts().enumerate() {
        match (scope.environment)(name) {
            Some(value) => scope.dir.late_vars.put(name, value),
            None => scope.warn(args.complaint(
                index,
                format!("AH01506: PassEnv variable {name} was undefined"),
            )),
        }
    }
    Ok(())
}

fn set_env_if(scope: &mut Scope<'_>, args: &Args<'_>, ignores_case: bool) -> Result<(), Complaint> {
    let Some((field, rest)) = non_empty(&args.words).split_first() else {
        let name = args.directive.name;
        return Err(Complaint::new(format!(
            "Missing header-field name for {name}"
        )));
    };
    let attribute = attribute(args, field)?;
    add(scope, args, attribute, rest, ignores_case)
}

fn browser_match(
    scope: &mut Scope<'_>,
    args: &Args<'_>,
    ignores_case: bool,
) -> Result<(), Complaint> {
    let attribute = Attribute::Named("User-Agent".to_owned());
    add(scope, args, attribute, non_empty(&args.words), ignores_case)
}

fn add(
    scope: &mut Scope<'_>,
    args: &Args<'_>,
    attribute: Attribute,
    words: &[Word],
    ignores_case: bool,
) -> Result<(), Complaint> {
    let name = args.directive.name;
    let Some((pattern, settings)) = non_empty(words).split_first() else {
        return Err(Complaint::new(format!(
            "Missing regular expression for {name}"
        )));
    };
    check_regex(pattern, &format!("{name} regex could not be compiled."))?;
    let settings = non_empty(settings);
    if settings.is_empty() {
        return Err(
            Complaint::new(format!("Missing envariable expression for {name}"))
                .hint("write `NAME`, `NAME=value` or `!NAME` behind the expression"),
        );
    }
    let entry = SetEnvIf {
        repeats: false,
        attribute,
        pattern: pattern.text.clone(),
        ignores_case,
        changes: changes(settings),
        place: scope.place().clone(),
    };
    let list = match scope.inside.subject {
        Subject::Server => &mut scope.server.set_env_if,
        Subject::Location(_) | Subject::Proxy(_) | Subject::Files => &mut scope.dir.set_env_if,
    };
    let repeats = list
        .last()
        .is_some_and(|last| is_same(&last.attribute, &entry.attribute));
    list.push(SetEnvIf { repeats, ..entry });
    Ok(())
}

/// The words up to the first empty one, at which httpd stops reading.
fn non_empty(words: &[Word]) -> &[Word] {
    let end = words.iter().position(|word| word.text.is_empty());
    words.get(..end.unwrap_or(words.len())).unwrap_or_default()
}

fn attribute(args: &Args<'_>, word: &Word) -> Result<Attribute, Complaint> {
    let text = word.text.as_str();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    Ok(match text.to_ascii_lowercase().as_str() {
        "remote_addr" => Attribute::RemoteAddr,
        "remote_host" => Attribute::RemoteHost,
        "server_addr" => Attribute::ServerAddr,
        "request_uri" => Attribute::RequestUri,
        "request_method" => Attribute::RequestMethod,
        "request_protocol" => Attribute::RequestProtocol,
        _ if text.bytes().all(is_plain) => Attribute::Named(text.to_owned()),
        _ => {
            let name = args.directive.name;
            check_regex(
                word,
                &format!("{name}Header name regex could not be compiled."),
            )?;
            Attribute::Fields(text.to_owned())
        }
    })
}

fn is_same(one: &Attribute, other: &Attribute) -> bool {
    match (one, other) {
        (Attribute::Named(one), Attribute::Named(other))
        | (Attribute::Fields(one), Attribute::Fields(other)) => one.eq_ignore_ascii_case(other),
        _ => one == other,
    }
}

/// Reads `NAME`, `NAME=value` and `!NAME`. A name that comes twice keeps its first place and its last meaning.
fn changes(words: &[Word]) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for word in words {
        let (name, value) = word.text.split_once('=').unwrap_or((&word.text, ""));
        let (name, value) = match (value.trim_start_matches('='), name.strip_prefix('!')) {
            ("", Some(name)) => (name, None),
            ("", None) => (name, Some("1")),
            (value, _) if value.starts_with('!') => (name, None),
            (value, _) => (name, Some(value)),
        };
        let change = Change {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        };
        let known = changes
            .iter_mut()
            .find(|known| known.name.eq_ignore_ascii_case(name));
        match known {
            Some(known) => known.value = change.value,
            None => changes.push(change),
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Options, load_str, render};
    use std::path::PathBuf;

    fn load(text: &str) -> Result<Config, String> {
        let options = Options {
            file: PathBuf::from("t.conf"),
            server_root: Some(PathBuf::from("/srv")),
            defines: Vec::new(),
            before: vec!["Listen 127.0.0.1:8080".to_owned()],
            after: Vec::new(),
            env: &|name| (name == "ZONE").then(|| "eu 1".to_owned()),
        };
        load_str(text, &options).map_err(|errors| render(&errors))
    }

    /// What the last SetEnvIf of a text does: `A=1 !B`.
    fn changed(text: &str) -> String {
        let main = load(text).unwrap().main;
        let last = main.set_env_if.last().unwrap();
        let words = last.changes.iter().map(|change| match &change.value {
            Some(value) => format!("{}={value}", change.name),
            None => format!("!{}", change.name),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn settings_are_read_as_httpd_reads_them() {
        let rows = [
            ("SetEnvIf X y A", "A=1"),
            ("SetEnvIf X y A= B==c D=e=f", "A=1 B=c D=e=f"),
            ("SetEnvIf X y !A B=!c", "!A !B"),
            ("SetEnvIf X y A=1 b=2 a=3", "A=3 b=2"),
            ("SetEnvIf X y \"A=a b\" \"\" C", "A=a b"),
            ("BrowserMatch ^Mozilla A=$0", "A=$0"),
        ];
        for (text, expected) in rows {
            assert_eq!(changed(text), expected, "{text}");
        }
    }

    #[test]
    fn an_attribute_is_a_property_a_field_or_an_expression_for_fields() {
        let named = |name: &str| Attribute::Named(name.to_owned());
        let rows = [
            ("SetEnvIf REMOTE_ADDR x A", Attribute::RemoteAddr, false),
            ("SetEnvIf Remote_Port x A", named("Remote_Port"), false),
            (
                "SetEnvIf ^X- x A",
                Attribute::Fields("^X-".to_owned()),
                false,
            ),
            ("BrowserMatchNoCase x A", named("User-Agent"), true),
            ("SetEnvIfNoCase Host x A", named("Host"), true),
        ];
        for (text, attribute, ignores_case) in rows {
            let main = load(text).unwrap().main;
            let found = main.set_env_if.last().unwrap();
            assert_eq!(
                (&found.attribute, found.ignores_case),
                (&attribute, ignores_case),
                "{text}"
            );
        }
    }

    #[test]
    fn lines_that_follow_each_other_look_once() {
        let text = "SetEnvIf X a A\nSetEnvIfNoCase x b A\nBrowserMatch a A\nSetEnvIf X a A";
        let vhost = "<VirtualHost *:80>\nSetEnvIf X a A\n</VirtualHost>";
        let config = load(&format!("{text}\n{vhost}")).unwrap();
        let repeats = |entries: &[SetEnvIf]| -> Vec<bool> {
            entries.iter().map(|entry| entry.repeats).collect()
        };
        assert_eq!(
            repeats(&config.main.set_env_if),
            [false, true, false, false]
        );
        assert_eq!(
            repeats(&config.vhosts.first().unwrap().set_env_if),
            [false, true, false, false, false]
        );
    }

    #[test]
    fn wrong_lines_are_told_in_httpds_words() {
        let rows = [
            ("SetEnvIf", "Missing header-field name for SetEnvIf"),
            ("SetEnvIf X", "Missing regular expression for SetEnvIf"),
            (
                "BrowserMatch",
                "Missing regular expression for BrowserMatch",
            ),
            ("SetEnvIf X y", "Missing envariable expression for SetEnvIf"),
            ("SetEnvIf X ( A", "SetEnvIf regex could not be compiled."),
            (
                "SetEnvIfNoCase ^( x A",
                "SetEnvIfNoCaseHeader name regex could not be compiled.",
            ),
            (
                "SetEnv",
                "SetEnv takes 1-2 arguments, set a variable for whoever",
            ),
            (
                "SetEnvIfExpr \"true\" A",
                "SetEnvIfExpr is not available here",
            ),
        ];
        for (text, words) in rows {
            let said = load(text).unwrap_err();
            assert!(said.contains(words), "{text}: {said}");
        }
    }

    #[test]
    fn passed_variables_come_from_the_environment_and_missing_ones_are_told() {
        let config = load("PassEnv ZONE NOWHERE\nSetEnv A\nSetEnv B \"b c\"").unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            config.main.location_defaults.late_vars.set,
            [pair("ZONE", "eu 1"), pair("A", ""), pair("B", "b c")]
        );
        let [note] = config.notes.as_slice() else {
            panic!("{:?}", config.notes)
        };
        assert!(
            note.message
                .contains("AH01506: PassEnv variable NOWHERE was undefined"),
            "{note}"
        );
    }
}
