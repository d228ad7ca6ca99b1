//! The configuration that ships in `conf/`: every file loads, and the main one works as it is.

use crate::harness::tine::Conf;
use crate::harness::{Client, Origin, httpd, until};
use std::fs;
use std::path::{Path, PathBuf};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conf")
}

fn extras() -> Vec<PathBuf> {
    let entries = fs::read_dir(shipped().join("extra")).expect("conf/extra");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a directory entry").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "conf"));
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The shipped main file with every extra file in its place, on ports and in directories of our own.
fn installed(change: impl Fn(String) -> String) -> Conf {
    let mut conf = Conf::new(&change(read(&shipped().join("tine.conf"))));
    for path in extras() {
        let name = format!(
            "conf/extra/{}",
            path.file_name().expect("a file").to_string_lossy()
        );
        conf = conf.file(&name, &read(&path));
    }
    conf
}

#[test]
fn the_main_file_loads_as_shipped() {
    if httpd::is_peer() {
        return;
    }
    let output = installed(|text| text).run(&["-t"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn each_extra_file_loads_behind_the_main_one() {
    if httpd::is_peer() {
        return;
    }
    for path in extras() {
        let name = path
            .file_name()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        let output = installed(|text| format!("{text}\nInclude conf/extra/{name}\n")).run(&["-t"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
        assert!(!said.contains("warning"), "{name}: {said}");
    }
}

#[test]
fn all_extra_files_load_together() {
    if httpd::is_peer() {
        return;
    }
    let output = installed(|text| format!("{text}\nInclude conf/extra/*.conf\n")).run(&["-t"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_main_file_balances_over_its_two_members() {
    if httpd::is_peer() {
        return;
    }
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let port = crate::harness::free_port();
    let listen = format!("127.0.0.1:{port}");
    let conf = installed(|text| {
        let text = replaced(&text, "Listen 8080", &format!("Listen {listen}"));
        let text = replaced(&text, "http://127.0.0.1:8081", &a.url());
        replaced(&text, "http://127.0.0.1:8082", &b.url())
    });
    let mut server = conf.spawn(&["-D", "FOREGROUND"]);
    let address = listen.parse().expect("an address");
    until("the server is up", || {
        server.has_ended() || std::net::TcpStream::connect(&listen).is_ok()
    });
    let mut names: Vec<String> = (0..4)
        .map(|_| Client::connect(address).get("/").expect(200).text())
        .collect();
    names.sort();
    assert_eq!(names, ["a", "a", "b", "b"]);
}

/// The text with `from` replaced; the test fails when the shipped file no longer has it.
#[track_caller]
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "conf/tine.conf has no `{from}`");
    text.replace(from, to)
}

#[test]
fn the_service_reloads_and_stops_gracefully() {
    let unit = read(&shipped().join("tine.service"));
    for line in ["Type=notify", "KillSignal=SIGWINCH", "KillMode=mixed"] {
        assert!(
            unit.lines().any(|have| have == line),
            "no `{line}` in\n{unit}"
        );
    }
    let reload = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecReload="))
        .expect("ExecReload");
    assert!(reload.ends_with("-k graceful"), "{reload}");
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))
        .expect("ExecStart");
    assert!(start.contains("-D FOREGROUND"), "{start}");
}
