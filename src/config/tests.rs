//! Configurations whole: golden diagnostics and models, and what holds across directives.

use super::model::{Destination, Mpm, PassTarget, Require};
use super::*;
use std::fs;

/// The environment of tests.
fn env(name: &str) -> Option<String> {
    (name == "BACKEND").then(|| "http://backend.internal:8080".to_owned())
}

fn options(file: &str) -> Options<'static> {
    Options {
        file: PathBuf::from(file),
        server_root: Some(PathBuf::from("tests/golden")),
        defines: Vec::new(),
        before: vec!["Listen 127.0.0.1:8080".to_owned()],
        after: Vec::new(),
        env: &env,
    }
}

fn parse(text: &str) -> Config {
    load_str(text, &options("t.conf")).unwrap_or_else(|why| panic!("{}", render(&why)))
}

fn complaints(text: &str) -> String {
    render(&load_str(text, &options("t.conf")).expect_err("the text has an error"))
}

/// Compares with a golden file, or writes it when `BLESS` is set.
fn golden(path: &Path, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, text).unwrap();
    }
    let expected = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}; set BLESS=1 to write it", path.display()));
    assert_eq!(
        text,
        expected,
        "{} differs; set BLESS=1 to accept",
        path.display()
    );
}

fn golden_files(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "conf")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{directory} has no .conf files");
    files
}

/// The options for a golden file: it brings its own `Listen` if its first line says `# as it is`.
fn golden_options(path: &Path, text: &str) -> Options<'static> {
    let mut options = options(path.to_str().unwrap());
    if text.starts_with("# as it is") {
        options.before.clear();
    }
    options
}

#[test]
fn diagnostics_match_their_golden_files() {
    for path in golden_files("tests/golden/diag") {
        let text = fs::read_to_string(&path).unwrap();
        let outcome = match load(&golden_options(&path, &text)) {
            Ok(config) => render(&config.notes) + "Syntax OK\n",
            Err(why) => render(&why),
        };
        golden(&path.with_extension("txt"), &outcome);
    }
}

#[test]
fn models_match_their_golden_files() {
    for path in golden_files("tests/golden/conf") {
        let text = fs::read_to_string(&path).unwrap();
        let config =
            load(&golden_options(&path, &text)).unwrap_or_else(|why| panic!("{}", render(&why)));
        let dump = dump_vhosts(&config)
            + &dump_run_cfg(&config)
            + &dump_includes(&config)
            + &config.dump();
        golden(&path.with_extension("txt"), &dump);
    }
}

#[test]
fn the_list_of_directives_matches_its_golden_file() {
    golden(Path::new("tests/golden/directives.txt"), &list_directives());
}

#[test]
fn every_directives_example_is_accepted() {
    for entry in directive::all().filter(|entry| entry.is_supported()) {
        let wrapped = if entry.contexts.meets(directive::Contexts::SERVER)
            || entry.example.starts_with('<')
        {
            entry.example.to_owned()
        } else {
            format!("<Location />\n{}\n</Location>", entry.example)
        };
        let text = if entry.name == "Listen" {
            "Listen 127.0.0.1:8081".to_owned()
        } else {
            wrapped
        };
        let outcome = load_str(&text, &options("example.conf"));
        assert!(
            outcome.is_ok(),
            "{}: {}",
            entry.name,
            render(&outcome.unwrap_err())
        );
        assert!(!entry.help.is_empty(), "{} has no help", entry.name);
    }
}

#[test]
fn no_directive_is_listed_twice_and_every_owner_is_known() {
    let mut names: Vec<String> = directive::all()
        .map(|entry| entry.name.to_ascii_lowercase())
        .collect();
    names.sort();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
    for entry in directive::all() {
        let is_known = modules::find(entry.module).is_some() || entry.module.starts_with("mpm_");
        assert!(is_known, "{} belongs to {}", entry.name, entry.module);
    }
}

#[test]
fn ids_are_those_that_2_2_would_give() {
    let config = parse(
        "<Proxy balancer://c>\nBalancerMember http://a:8080\nBalancerMember http://b:8080\n</Proxy>\n\
         ProxyPass /i/ http://img/\nProxyPass /x/ balancer://c/\n",
    );
    let proxy = &config.main.proxy;
    let plain: Vec<_> = proxy
        .slots22
        .iter()
        .map(|slot| (slot.id, slot.name.as_str()))
        .collect();
    assert_eq!(
        plain,
        [
            (0, "http://a:8080"),
            (2, "http://b:8080"),
            (4, "http://img/")
        ]
    );
    let members: Vec<_> = proxy.balancers[0]
        .members
        .iter()
        .map(|member| member.id22)
        .collect();
    assert_eq!(members, [1, 3]);
    assert_eq!(proxy.workers[0].id22, 4);
    assert_eq!(config.next_id22, 5);
}

#[test]
fn a_virtual_host_inherits_mappings_before_its_own() {
    let config = parse(
        "ProxyPass /a http://a\nProxyTimeout 7\n<Location /l>\nRequire local\n</Location>\n\
         <VirtualHost *:80>\nServerName v\nProxyPass /b http://b\n<Location /m>\n</Location>\n</VirtualHost>\n\
         <VirtualHost *:80>\nServerName w\n</VirtualHost>\n",
    );
    let [v, w] = config.vhosts.as_slice() else {
        panic!()
    };
    let paths: Vec<_> = v.proxy.passes.iter().map(|pass| &pass.path).collect();
    assert_eq!(
        paths,
        [
            &model::PassPath::Prefix("/a".into()),
            &model::PassPath::Prefix("/b".into())
        ]
    );
    assert_eq!(
        v.proxy
            .workers
            .iter()
            .map(|worker| worker.inherited)
            .collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!((v.proxy.is_own, w.proxy.is_own), (true, false));
    assert_eq!(v.proxy.timeout_s.or(0), 7);
    assert_eq!(
        v.locations
            .iter()
            .map(|location| location.pattern.text())
            .collect::<Vec<_>>(),
        ["/l", "/m"]
    );
    let order: Vec<_> = config.servers_in_httpd_order().map(Server::label).collect();
    assert_eq!(order, ["main server", "w", "v"]);
}

#[test]
fn inheritance_ends_only_when_both_switches_are_off() {
    let text = |switches: &str| {
        format!("ProxyPass /a http://a\n<VirtualHost *>\n{switches}\n</VirtualHost>\n")
    };
    for (switches, workers) in [
        ("ProxyPassInherit Off", 1),
        ("BalancerInherit Off", 1),
        ("ProxyPassInherit Off\nBalancerInherit Off", 0),
    ] {
        let config = parse(&text(switches));
        assert_eq!(config.vhosts[0].proxy.workers.len(), workers, "{switches}");
        assert_eq!(config.vhosts[0].proxy.passes.len(), 1, "{switches}");
    }
}

#[test]
fn listed_modules_decide_what_is_understood() {
    let base = "LoadModule proxy_module modules/mod_proxy.so\n";
    let config = parse(&format!(
        "{base}<IfModule mod_status.c>\nNonsense\n</IfModule>\nProxyTimeout 5"
    ));
    assert!(config.modules.explicit);
    assert!(config.modules.has("proxy_module") && !config.modules.has("status_module"));
    let text = complaints("LoadModule status_module modules/mod_status.so\nProxyTimeout 5");
    assert!(text.contains("Invalid command 'ProxyTimeout'"), "{text}");
    assert!(
        text.contains("LoadModule proxy_module modules/mod_proxy.so"),
        "{text}"
    );
    // MPM modules alone list nothing.
    let config = parse(
        "LoadModule mpm_event_module modules/mod_mpm_event.so\nProxyTimeout 5\nThreadsPerChild 5",
    );
    assert_eq!(
        (config.modules.explicit, config.mpm.mpm.or(Mpm::default())),
        (false, Mpm::Event)
    );
    let text = complaints("MPM worker\nMinSpareServers 5");
    assert!(text.contains("Invalid command 'MinSpareServers'"), "{text}");
}

#[test]
fn without_a_choice_the_process_model_is_event_everywhere() {
    let config = parse("<IfModule event.c>\nTimeout 5\n</IfModule>\nMinSpareServers 5");
    assert_eq!(config.main.timeout_s.or(0), 5);
    assert_eq!(config.mpm.mpm.or(Mpm::default()), Mpm::Event);
    let modules = dump_modules(&config);
    assert!(
        modules.ends_with(" mpm_event_module (static)\n"),
        "{modules}"
    );
    let notes = render(&config.notes);
    assert!(
        notes.contains("MinSpareServers has no effect: the process model is event"),
        "{notes}"
    );
}

#[test]
fn command_line_directives_come_before_and_after() {
    let mut options = options("t.conf");
    options.before.push("Define PORT 9001".to_owned());
    options.after.push("KeepAlive Off".to_owned());
    let config = load_str("Listen 127.0.0.1:${PORT}\nKeepAlive On", &options).unwrap();
    assert_eq!(
        config
            .listens
            .iter()
            .map(|listen| listen.port)
            .collect::<Vec<_>>(),
        [8080, 9001]
    );
    assert!(!config.main.keep_alive.or(true));
}

#[test]
fn variables_come_from_defines_then_from_the_environment() {
    let config =
        parse("ProxyPass /a ${BACKEND}\nDefine BACKEND http://other\nProxyPass /b ${BACKEND}");
    let texts = config
        .main
        .proxy
        .passes
        .iter()
        .map(|pass| match &pass.target {
            PassTarget::Url { text, .. } => text.as_str(),
            PassTarget::Exclude => "!",
        });
    assert_eq!(
        texts.collect::<Vec<_>>(),
        ["http://backend.internal:8080", "http://other"]
    );
}

#[test]
fn a_shared_worker_keeps_its_own_parameters() {
    let config = parse("ProxyPass /a/ http://h/ retry=5\nProxyPass /b http://h/b retry=6");
    assert_eq!(config.main.proxy.workers.len(), 1);
    assert_eq!(config.main.proxy.workers[0].params.retry_s.or(0), 5);
    let PassTarget::Url { to, .. } = &config.main.proxy.passes[1].target else {
        panic!()
    };
    assert_eq!(*to, Destination::Worker("http://h/".into()));
}

#[test]
fn what_has_no_effect_yet_is_told_once_each() {
    let config = parse(
        "ProxyPass /a http://a ping=1 hcfails=1 flushwait=5 min=2 timeout=5\nProxyPass /b http://b hcfails=1\n\
         ProxyPass /c balancer://c timeout=5 nofailover=On\nProxyPass /d balancer://d timeout=5\n\
         BufferedLogs On\nBalancerPersist Off\nErrorLogFormat %M",
    );
    let notes: Vec<_> = config
        .notes
        .iter()
        .map(|note| {
            note.message
                .trim_end_matches(" is understood, but has no effect yet")
        })
        .collect();
    assert_eq!(
        notes,
        [
            "member parameter `hcfails`",
            "member parameter `flushwait`",
            "balancer parameter `timeout`",
            "`BufferedLogs On`"
        ]
    );
    let later = later_effects();
    assert!(later.contains(&"hcfails") && !later.contains(&"ping"));
}

#[test]
fn every_directive_without_effect_is_told() {
    for (line, _) in params::DIRECTIVE_EFFECTS {
        let name = line.split(' ').next().unwrap_or_default();
        let entry = directive::find(name).expect("in the table of directives");
        let text = match *line {
            "CoreDumpDirectory" => "CoreDumpDirectory /tmp",
            line if line.contains(' ') => line,
            _ => entry.example,
        };
        let notes = render(&parse(text).notes);
        let said = format!("`{line}` is understood, but has no effect yet");
        assert!(notes.contains(&said), "{text}: {notes}");
    }
}

#[test]
fn require_lines_side_by_side_are_alternatives() {
    let config = parse(
        "<Location />\nRequire local\nRequire env ok\n</Location>\n<Location /one>\nRequire local\n</Location>",
    );
    let rules: Vec<_> = config
        .main
        .locations
        .iter()
        .map(|location| location.dir.access.require.clone())
        .collect();
    assert_eq!(
        rules,
        [
            Some(Require::AnyOf(vec![
                Require::Local,
                Require::Env(vec!["ok".into()])
            ])),
            Some(Require::Local)
        ]
    );
}

#[test]
fn limits_hold_for_their_methods_only() {
    let config =
        parse("<Location />\n<LimitExcept GET>\nRequire all denied\n</LimitExcept>\n</Location>");
    assert_eq!(
        config.main.locations[0].dir.access.require,
        Some(Require::Limited {
            methods: vec!["GET".into()],
            except: true,
            rule: Box::new(Require::All(false)),
        })
    );
}

#[test]
fn settings_remember_where_they_were_set() {
    let config = parse("\nTimeout 5\n<VirtualHost *>\nTimeout 6\n</VirtualHost>");
    let place = |server: &Server| server.timeout_s.place().map(ToString::to_string);
    assert_eq!(place(&config.main).as_deref(), Some("t.conf:2"));
    assert_eq!(place(&config.vhosts[0]).as_deref(), Some("t.conf:4"));
}

#[test]
fn dumps_hide_passwords() {
    let config = parse("ProxyPass /a http://joe:secret@h/a");
    assert!(!config.dump().contains("secret"), "{}", config.dump());
}

#[test]
fn includes_are_found_in_byte_order_and_their_depth_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    fs::create_dir(directory.path().join("d")).unwrap();
    write("d/b.conf", "Define B");
    write("d/B.conf", "Define UPPER");
    write("d/.hidden.conf", "Define HIDDEN");
    write("loop.conf", "Include loop.conf");
    let mut options = options("t.conf");
    options.server_root = Some(directory.path().to_owned());
    let config = load_str("Include d/*.conf\nIncludeOptional none/*.conf", &options).unwrap();
    let names: Vec<_> = config
        .defines
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["UPPER", "B"]);
    let why = render(&load_str("Include loop.conf", &options).unwrap_err());
    assert!(
        why.contains("Exceeded maximum include depth of 128, There appears to be a recursion."),
        "{why}"
    );
}

#[test]
fn a_missing_file_is_told_in_httpds_words() {
    let why = load(&options("tests/golden/none.conf")).unwrap_err();
    assert_eq!(
        render(&why),
        "tine: Could not open configuration file tests/golden/none.conf: No such file or directory\n"
    );
}

#[test]
fn a_section_does_not_change_the_whole_server() {
    let config = parse("<Location /a>\nServerSignature On\nProxyPreserveHost On\n</Location>");
    assert!(!config.main.server_signature.is_set());
    assert!(!config.main.location_defaults.preserve_host.is_set());
    assert!(config.main.locations[0].dir.preserve_host.or(false));
    assert_eq!(config.notes.len(), 1, "{:?}", config.notes);
}

#[test]
fn a_balancer_named_by_the_request_is_not_made() {
    let config = parse("ProxyPassMatch ^/(a|b)/ balancer://$1/");
    assert!(config.main.proxy.balancers.is_empty());
}

#[test]
fn sections_do_not_nest_without_end() {
    let text = "<Location /a>\n".repeat(1000);
    let why = complaints(&text);
    assert!(why.contains("sections nest deeper than 64"));
}

#[test]
fn what_doubles_itself_ends() {
    let mut variables = String::from("Define V0 12345678\n");
    let mut macros = String::from("<Macro M0>\nTimeout 5\n</Macro>\n");
    for n in 1..40 {
        let before = n - 1;
        variables += &format!("Define V{n} ${{V{before}}}${{V{before}}}\n");
        macros += &format!("<Macro M{n}>\nUse M{before}\nUse M{before}\n</Macro>\n");
    }
    for text in [variables, macros + "Use M39"] {
        let why = complaints(&text);
        assert!(
            why.contains("variables and macros add more than 16777216 bytes"),
            "{}",
            why.get(..2000).unwrap_or(&why)
        );
    }
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    /// A line of configuration that is often nearly right.
    fn any_line() -> impl Strategy<Value = String> {
        let names: Vec<&'static str> = directive::all()
            .map(|entry| entry.name)
            .filter(|name| !name.contains("nclude"))
            .collect();
        let words = prop_oneof![
            Just("/a".to_owned()),
            Just("http://a:8080/x".to_owned()),
            Just("balancer://c".to_owned()),
            Just("retry=5".to_owned()),
            Just("unix:/s|http://h".to_owned()),
            Just("\"".to_owned()),
            Just("${X}".to_owned()),
            Just(">".to_owned()),
            Just("\\".to_owned()),
            "\\PC{0,8}",
        ];
        (
            prop::sample::select(names),
            prop::collection::vec(words, 0..4),
            any::<bool>(),
        )
            .prop_map(|(name, words, close)| {
                let tail = words.join(" ");
                let end = if name.starts_with('<') { ">" } else { "" };
                let closing = if close && !end.is_empty() {
                    format!("\n</{}>", name.trim_start_matches('<'))
                } else {
                    String::new()
                };
                format!("{name} {tail}{end}{closing}")
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_text_makes_the_reader_panic(lines in prop::collection::vec(any_line(), 0..12)) {
            match load_str(&lines.join("\n"), &options("t.conf")) {
                Ok(config) => drop(config.dump()),
                Err(why) => drop(render(&why)),
            }
        }
    }
}
