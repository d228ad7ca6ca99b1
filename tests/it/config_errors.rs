//! What is wrong with a configuration is said in httpd's words, with the place, and all of it at once.

use crate::harness::httpd;
use crate::harness::tine::Conf;
use std::process::Output;

/// What `-t` says on standard error.
fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A configuration that would do, but for the lines of a test.
fn with_listen(lines: &str) -> String {
    format!("Listen 127.0.0.1:80\nServerName tine.test\n{lines}")
}

/// httpd cannot do without its modules; a file loads them so that line numbers stay.
fn checked(text: &str) -> (Conf, Output) {
    let conf = Conf::new(text).file("conf/other.conf", "ServerAdmin a@b\n");
    let modules = httpd::Program::under_test().modules(crate::harness::Shape::Prefork);
    let conf = conf.file("conf/modules.conf", &modules);
    let load = format!(
        "Include {}",
        conf.path().with_file_name("modules.conf").display()
    );
    let output = if httpd::is_peer() {
        conf.run(&["-C", &load, "-t"])
    } else {
        conf.run(&["-t"])
    };
    (conf, output)
}

#[test]
fn a_good_configuration_is_syntax_ok() {
    let (_conf, output) = checked(&with_listen("ProxyPass / http://127.0.0.1:8080/\n"));
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    assert!(
        complaint(&output).contains("Syntax OK"),
        "{}",
        complaint(&output)
    );
}

/// Lines, the number of the bad one, and what is said about it.
const WALKED: &[(&str, usize, &str)] = &[
    (
        "Frobnicate on\n",
        3,
        "Invalid command 'Frobnicate', perhaps misspelled or defined by a module not included in the server configuration",
    ),
    (
        "<Location />\nProxyRequests On\n</Location>\n",
        4,
        "ProxyRequests not allowed in <Location> context",
    ),
    (
        "<Location />\nListen 81\n</Location>\n",
        4,
        "Listen not allowed in <Location> context",
    ),
    ("ProxyVia\n", 3, "ProxyVia takes one argument, "),
    ("ProxyVia On Off\n", 3, "ProxyVia takes one argument, "),
    ("ProxyRequests\n", 3, "ProxyRequests must be On or Off"),
    (
        "ProxyRequests maybe\n",
        3,
        "ProxyRequests must be On or Off",
    ),
    (
        "ErrorDocument 404\n",
        3,
        "ErrorDocument takes two arguments",
    ),
    ("CustomLog\n", 3, "CustomLog takes two or three arguments"),
    (
        "ProxyVia Sometimes\n",
        3,
        "ProxyVia must be one of: off | on | full | block",
    ),
    (
        "ProxyTimeout 0\n",
        3,
        "Proxy Timeout must be at least 1 second.",
    ),
    (
        "ProxyIOBufferSize 100\n",
        3,
        "ProxyIOBufferSize must be >= 512 bytes, or 0 for system default.",
    ),
    ("ProxyBadHeader Sometimes\n", 3, "must be one of"),
    (
        "ProxyPass / http://127.0.0.1/ loadfactr=5\n",
        3,
        "ProxyPass unknown Worker parameter",
    ),
    (
        "ProxyPass / http://127.0.0.1/ loadfactor=101\n",
        3,
        "LoadFactor must be a number between 1..100",
    ),
    (
        "ProxyPass / http://127.0.0.1/ retry=-1\n",
        3,
        "Retry must be a positive value",
    ),
    (
        "ProxyPass / http://127.0.0.1/ timeout=0\n",
        3,
        "Timeout must be at least one second",
    ),
    (
        "ProxyPass / http://127.0.0.1/ status=+Q\n",
        3,
        "Unknown status parameter option",
    ),
    (
        "ProxyPass / http://127.0.0.1/ keepalive=maybe\n",
        3,
        "KeepAlive must be On|Off",
    ),
    (
        "ProxyPass / http://127.0.0.1/ lbset=100\n",
        3,
        "lbset must be between 0 and 99",
    ),
    (
        "<Proxy balancer://x>\nBalancerMember http://127.0.0.1 loadfactor=0\n</Proxy>\n",
        4,
        "LoadFactor must be a number between 1..100",
    ),
    (
        "<Proxy balancer://x>\nProxySet lbmethod=nosuch\n</Proxy>\n",
        4,
        "unknown lbmethod",
    ),
    (
        "<Proxy balancer://x>\nProxySet nosuch=1\n</Proxy>\n",
        4,
        "unknown Balancer parameter",
    ),
    (
        "ProxySet balancer://nosuch timeout=1\n",
        3,
        "ProxySet can not find 'balancer://nosuch' Balancer.",
    ),
    (
        "ProxySet http://nosuch/ timeout=1\n",
        3,
        "ProxySet can not find 'http://nosuch/' Worker.",
    ),
    (
        "ProxyPassMatch ^(/.*$ http://127.0.0.1$1\n",
        3,
        "Regular expression could not be compiled",
    ),
];

#[test]
fn a_directive_that_cannot_be_is_told_with_file_and_line() {
    for (lines, line, said) in WALKED {
        let (conf, output) = checked(&with_listen(lines));
        let complaint = complaint(&output);
        assert_eq!(output.status.code(), Some(1), "{lines}{complaint}");
        let first = format!(
            "AH00526: Syntax error on line {line} of {}:\n",
            conf.path().display()
        );
        assert!(complaint.contains(&first), "{lines}{complaint}");
        assert!(complaint.contains(said), "{lines}{complaint}");
    }
}

#[test]
fn the_line_is_shown_with_a_caret_under_the_word() {
    if httpd::is_peer() {
        return;
    }
    let rows = [
        (
            "ProxyPass / http://127.0.0.1/ loadfactr=5\n",
            "loadfactr",
            "loadfactor",
        ),
        ("ProxyPas / http://127.0.0.1/\n", "ProxyPas", "ProxyPass"),
        (
            "<Proxy balancer://x>\n    ProxySet lbmethod=bytrafic\n</Proxy>\n",
            "bytrafic",
            "bytraffic",
        ),
    ];
    for (lines, word, meant) in rows {
        let (_conf, output) = checked(&with_listen(lines));
        let complaint = complaint(&output);
        let shown: Vec<&str> = complaint.lines().collect();
        let source = shown
            .iter()
            .position(|line| line.contains(" | ") && line.contains(word));
        let source = source.unwrap_or_else(|| panic!("the line is not shown:\n{complaint}"));
        let caret = shown[source + 1]
            .find('^')
            .unwrap_or_else(|| panic!("no caret:\n{complaint}"));
        let end = shown[source + 1].rfind('^').expect("there is one") + 1;
        let start = shown[source].find(word).expect("it was found");
        assert!(caret <= start && start + word.len() <= end, "{complaint}");
        assert!(
            complaint.contains("hint: ") && complaint.contains(&format!("`{meant}`")),
            "{complaint}"
        );
    }
}

#[test]
fn sections_that_do_not_match_are_told_while_reading() {
    let rows = [
        ("<Location />\n", "<Location> was not closed."),
        (
            "<VirtualHost *:80>\n<Location />\n</Location>\n",
            "<VirtualHost> was not closed.",
        ),
        (
            "</Location>\n",
            "</Location> without matching <Location> section",
        ),
        (
            "<Location />\n</Proxy>\n</Location>\n",
            "Expected </Location> but saw </Proxy>",
        ),
        (
            "<Proxy balancer://x\n</Proxy>\n",
            "<Proxy> directive missing closing '>'",
        ),
        (
            "<Location />\n</Location\n",
            "</Location> directive missing closing '>'",
        ),
    ];
    for (lines, said) in rows {
        let (_conf, output) = checked(&with_listen(lines));
        assert_eq!(
            output.status.code(),
            Some(1),
            "{lines}{}",
            complaint(&output)
        );
        assert!(
            complaint(&output).contains(said),
            "{lines}{}",
            complaint(&output)
        );
    }
}

#[test]
fn an_error_in_an_included_file_names_that_file() {
    let text = with_listen("Include conf/bad.conf\n");
    let conf = Conf::new(&text).file("conf/bad.conf", "ServerAdmin a@b\n\nFrobnicate on\n");
    if httpd::is_peer() {
        return;
    }
    let output = conf.run(&["-t"]);
    let bad = conf.path().with_file_name("bad.conf");
    let first = format!("AH00526: Syntax error on line 3 of {}:\n", bad.display());
    assert!(
        complaint(&output).contains(&first),
        "{}",
        complaint(&output)
    );
    assert!(
        complaint(&output).contains("Invalid command 'Frobnicate'"),
        "{}",
        complaint(&output)
    );
    assert!(
        complaint(&output).contains("included from line 3 of"),
        "{}",
        complaint(&output)
    );
}

#[test]
fn a_read_error_in_an_included_file_is_told_as_a_chain() {
    if httpd::is_peer() {
        return;
    }
    let conf = Conf::new(&with_listen("Include conf/outer.conf\n"))
        .file("conf/outer.conf", "\nInclude conf/inner.conf\n")
        .file("conf/inner.conf", "\n\n</Location>\n");
    let output = conf.run(&["-t"]);
    let complaint = complaint(&output);
    let chain = format!(
        "Syntax error on line 3 of {}: Syntax error on line 2 of {}: Syntax error on line 3 of {}: ",
        conf.path().display(),
        conf.path().with_file_name("outer.conf").display(),
        conf.path().with_file_name("inner.conf").display()
    );
    assert!(complaint.contains(&chain), "{complaint}");
}

#[test]
fn a_missing_include_is_an_error_and_a_missing_optional_one_is_not() {
    let (_conf, output) = checked(&with_listen("Include conf/nosuch.conf\n"));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        complaint(&output).contains("nosuch.conf"),
        "{}",
        complaint(&output)
    );
    let (_conf, output) = checked(&with_listen("IncludeOptional conf/nosuch/*.conf\n"));
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
}

#[test]
fn every_error_is_told_not_only_the_first() {
    if httpd::is_peer() {
        return;
    }
    let lines = "Frobnicate on\nProxyRequests maybe\nProxyPass / http://127.0.0.1/ loadfactr=5\nProxyVia Sometimes\n";
    let (conf, output) = checked(&with_listen(lines));
    assert_eq!(output.status.code(), Some(1));
    let complaint = complaint(&output);
    for line in 3..=6 {
        let first = format!("Syntax error on line {line} of {}", conf.path().display());
        assert_eq!(
            complaint.matches(&first).count(),
            1,
            "line {line}:\n{complaint}"
        );
    }
}

#[test]
fn the_server_does_not_start_on_a_bad_configuration() {
    if httpd::is_peer() {
        return;
    }
    let conf = Conf::new(&with_listen("Frobnicate on\n"));
    let output = conf.run(&["-D", "FOREGROUND"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        complaint(&output).contains("Invalid command 'Frobnicate'"),
        "{}",
        complaint(&output)
    );
}

#[test]
fn a_configuration_that_is_not_there_is_told() {
    let conf = Conf::new("");
    let output = conf.run(&["-f", "conf/nosuch.conf", "-t"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        complaint(&output).contains("conf/nosuch.conf"),
        "{}",
        complaint(&output)
    );
}

#[test]
fn nothing_to_listen_at_is_an_error() {
    if httpd::is_peer() {
        return;
    }
    let conf = Conf::new("ServerName tine.test\n");
    let output = conf.run(&["-D", "FOREGROUND"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        complaint(&output).to_ascii_lowercase().contains("listen"),
        "{}",
        complaint(&output)
    );
}

#[test]
fn continued_lines_quotes_comments_and_variables_are_httpds() {
    let text = with_listen(
        "# a comment that goes on \\\nFrobnicate on\n\
         Define backend 127.0.0.1:8080\n\
         ProxyPass \\\n  \"/a b\" \\\n  http://${backend}/\n\
         <IfDefine !NOSUCH>\nProxyPass /c http://${backend}/c\n</IfDefine>\n\
         <IfModule nosuch_module>\nFrobnicate on\n</IfModule>\n\
         <IfModule mod_proxy.c>\nproxypass /d http://${backend}/d\n</IfModule>\n",
    );
    let (_conf, output) = checked(&text);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
}

#[test]
fn the_other_switches_answer_and_leave() {
    if httpd::is_peer() {
        return;
    }
    let conf = Conf::new(&with_listen("ProxyPass / http://127.0.0.1:8080/\n"));
    for switch in ["-v", "-V", "-L", "-M", "-S"] {
        let output = conf.run(&[switch]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{switch}: {}",
            complaint(&output)
        );
        assert!(
            !output.stdout.is_empty(),
            "{switch} prints on standard output"
        );
    }
    let stdout = |switch: &str| String::from_utf8_lossy(&conf.run(&[switch]).stdout).into_owned();
    assert!(
        stdout("-v").contains("Server version: "),
        "{}",
        stdout("-v")
    );
    assert!(stdout("-L").contains("BalancerMember"), "{}", stdout("-L"));
    let shown = stdout("-S");
    assert!(shown.contains("VirtualHost configuration:"), "{shown}");
    assert!(shown.contains("ServerRoot: "), "{shown}");
    assert!(stdout("-M").contains("proxy_balancer_module"));
}
