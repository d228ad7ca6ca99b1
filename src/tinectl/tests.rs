//! What the commands print, compared with `tests/golden/tinectl/`, where `BLESS=1` in the environment writes the files anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;

use scoreboard::{Board, Capacity, Liveness, ServerState};
use serde_json::Value;

use super::paint::Paint;
use super::report::{self, Form};
use super::sight::testing::sight;
use super::sight::{Rates, Sight};
use super::{json, sample, scoreboard as command};

#[track_caller]
fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/tinectl")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let differs = golden
        .lines()
        .zip(text.lines())
        .find(|(old, new)| old != new);
    assert!(
        golden == text,
        "{} differs: {differs:?}; BLESS=1 writes it anew",
        path.display()
    );
}

fn plain(sight: &Sight, width: Option<usize>) -> String {
    report::render(
        sight,
        Form {
            width,
            paint: Paint { is_on: false },
        },
    )
}

fn first_line(sight: &Sight) -> String {
    plain(sight, None).lines().next().unwrap().to_owned()
}

#[test]
fn golden_reports() {
    let prefork = sight(&sample::prefork(), Liveness::Live);
    assert_golden("prefork.txt", &plain(&prefork, None));
    assert_golden("prefork_80.txt", &plain(&prefork, Some(80)));
    let form = Form {
        width: Some(120),
        paint: Paint { is_on: true },
    };
    assert_golden("prefork_120_color.txt", &report::render(&prefork, form));
    let mut event = sight(&sample::event(), Liveness::Live);
    event.rates = Some(Rates {
        interval_s: 2.0,
        accesses_per_s: 1234.5,
        bytes_per_s: 9_876_543.0,
    });
    assert_golden("event.txt", &plain(&event, Some(120)));
    assert_golden(
        "empty.txt",
        &plain(&sight(&sample::board(2, 3), Liveness::Dead), None),
    );
}

#[test]
fn golden_json() {
    assert_golden(
        "prefork.json",
        &json::render(&sight(&sample::prefork(), Liveness::Live), false),
    );
}

#[test]
fn the_first_line_says_how_the_server_is_and_how_fresh_the_numbers_are() {
    let board = sample::prefork();
    let line = first_line(&sight(&board, Liveness::Live));
    assert_eq!(
        line,
        "tine/0.1.0 (Unix) is live: pid 1000, up 1d02h, prefork, generation 1; last heartbeat 0.4 s ago"
    );
    board.global().heartbeat(sample::NOW_MS - 192_000);
    let line = first_line(&sight(&board, Liveness::Hung { silent_ms: 192_000 }));
    assert!(
        line.contains("is hung: pid 1000 is there but has been silent for 3m12s"),
        "{line}"
    );
    let line = first_line(&sight(&board, Liveness::Dead));
    assert!(
        line.contains("is dead: pid 1000 is gone, last heard of 3m12s ago"),
        "{line}"
    );
    board.global().set_state(ServerState::Stopped);
    let line = first_line(&sight(&board, Liveness::Dead));
    assert!(
        line.contains("is stopped: pid 1000 ended 3m12s ago"),
        "{line}"
    );
}

#[test]
fn tables_fit_a_terminal_of_a_hundred_columns() {
    for board in [sample::prefork(), sample::event()] {
        let text = plain(&sight(&board, Liveness::Live), Some(100));
        // What tables cannot narrow further is sentences, and the lines above the tables are those.
        let tables = text.lines().skip_while(|line| *line != "Children");
        for line in tables.filter(|line| !line.contains(';')) {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}

#[test]
fn lines_of_letters_that_say_the_same_are_folded() {
    let board = sample::board(10, 64);
    let text = plain(&sight(&board, Liveness::Live), None);
    let line = ".".repeat(64);
    assert!(
        text.contains(&format!("Scoreboard\n{line}\n… 9 more such lines\n. open")),
        "{text}"
    );
    let process = board.claim_process(7, 0, 0).unwrap();
    board
        .slot(process, 0)
        .set_status(scoreboard::Status::Write, 0);
    let text = plain(&sight(&board, Liveness::Live), None);
    assert!(
        text.contains(&format!("Scoreboard\nW{}\n{line}\n… 8 more", &line[1..])),
        "{text}"
    );
    let two = plain(&sight(&sample::board(2, 64), Liveness::Live), None);
    assert!(
        two.contains(&format!("{line}\n{line}\n. open")),
        "two lines are no trouble"
    );
}

#[test]
fn colours_change_nothing_but_colour() {
    let sight = sight(&sample::prefork(), Liveness::Live);
    let painted = report::render(
        &sight,
        Form {
            width: Some(90),
            paint: Paint { is_on: true },
        },
    );
    let mut stripped = String::new();
    let mut rest = painted.as_str();
    while let Some((text, sequence)) = rest.split_once("\x1b[") {
        stripped.push_str(text);
        rest = sequence.split_once('m').expect("only SGR sequences").1;
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain(&sight, Some(90)));
}

#[test]
fn what_clients_sent_cannot_drive_the_terminal() {
    let board = sample::prefork();
    board
        .slot(0, 0)
        .request
        .set(b"GET /\x1b[2J\x1b]0;owned\x07 HTTP/1.1\r\n");
    let sight = sight(&board, Liveness::Live);
    for text in [plain(&sight, None), json::render(&sight, true)] {
        assert!(!text.contains('\x1b') && !text.contains('\x07'));
        assert!(text.contains("owned"));
    }
}

#[test]
fn a_report_taller_than_the_terminal_is_cut() {
    assert_eq!(report::fit_height("a\nb\nc\n", 3), "a\nb\nc\n");
    assert_eq!(
        report::fit_height("a\nb\nc\nd\n", 3),
        "a\nb\n… 2 more lines\n"
    );
    assert_eq!(report::fit_height("a\nb\n", 0), "\n… 2 more lines\n");
}

#[test]
fn json_has_every_documented_key_and_no_secret() {
    let board = sample::prefork();
    board.balancer(0).nonce.set(b"0f7c0f7c-nonce");
    let mut look = sight(&board, Liveness::Hung { silent_ms: 9 });
    look.rates = Some(Rates {
        interval_s: 2.0,
        accesses_per_s: 1.5,
        bytes_per_s: 0.0,
    });
    let text = json::render(&look, true);
    assert_eq!(text.matches('\n').count(), 1, "one look, one line");
    assert!(!text.contains("secret") && !text.contains("0f7c0f7c"));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["format"], 1);
    assert_eq!(document["server"]["health"], "hung");
    assert_eq!(document["rates"]["accesses_per_s"], 1.5);
    let shop = &document["balancers"][1];
    assert_eq!(
        (&shop["failover"], &shop["sticky"]),
        (&Value::Bool(false), &"ROUTE|route".into())
    );
    let broken = &document["balancers"][0]["members"][1];
    assert_eq!(
        (&broken["status"], &broken["usable"]),
        (&"Init Err".into(), &Value::Bool(false))
    );
    assert_eq!(document["plain"][0]["error_time_ms"], Value::Null);

    let help = {
        use clap::CommandFactory as _;
        let mut tool = super::cli::Cli::command();
        tool.find_subcommand_mut("scoreboard")
            .unwrap()
            .render_long_help()
            .to_string()
    };
    let manual = help.split_once("JSON keys").unwrap().1;
    let words: Vec<&str> = manual
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect();
    let mut keys = Vec::new();
    collect_keys(&document, &mut keys);
    for key in keys {
        assert!(
            words.contains(&key.as_str()),
            "the manual does not explain `{key}`"
        );
    }
}

fn collect_keys(value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                keys.push(key.clone());
                collect_keys(value, keys);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_keys(value, keys)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn complaint(path: &Path) -> String {
    let error = Sight::take(path, sample::NOW_MS, None).unwrap_err();
    command::unreadable(path, &error).to_string()
}

#[test]
fn a_file_that_cannot_be_read_is_one_line_that_names_it_and_a_cure() {
    let directory = directory();
    let file = |name: &str, content: &[u8]| -> PathBuf {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let capacity = Capacity {
        processes: 1,
        slots_per_process: 1,
        balancers: 1,
        members: 1,
    };
    let path = directory.path().join("board");
    let board = Board::create(&path, &capacity).unwrap();
    let whole = fs::read(&path).unwrap();
    board.global().version.store(99, Relaxed);
    let foreign = fs::read(&path).unwrap();
    board.global().version.store(scoreboard::VERSION, Relaxed);
    board.global().len.store(3, Relaxed);
    let inconsistent = fs::read(&path).unwrap();
    for (path, problem, cure) in [
        (
            directory.path().join("none"),
            "no scoreboard file",
            "ScoreBoardFile",
        ),
        (
            file("cut", &whole[..whole.len() - 1]),
            "cut short",
            "restart",
        ),
        (file("empty", b""), "cut short", "restart"),
        (
            file("text", &[b'x'; 8192]),
            "not a scoreboard",
            "ScoreBoardFile",
        ),
        (
            file("foreign", &foreign),
            "format 99",
            "program that came with",
        ),
        (file("odd", &inconsistent), "contradicts itself", "restart"),
        (
            directory.path().to_path_buf(),
            "not a regular file",
            "restart",
        ),
    ] {
        let line = complaint(&path);
        assert!(line.starts_with(&path.display().to_string()), "{line}");
        assert!(line.contains(problem) && line.contains(cure), "{line}");
        assert_eq!(line.lines().count(), 1);
    }
}

#[test]
fn a_file_is_read_while_its_server_lives_and_after() {
    let directory = directory();
    let path = directory.path().join("board");
    let capacity = Capacity {
        processes: 2,
        slots_per_process: 1,
        balancers: 1,
        members: 1,
    };
    let board = Board::create(&path, &capacity).unwrap();
    let birth = |pid: u32| scoreboard::Birth {
        pid,
        now_ms: sample::START_MS,
        shape: scoreboard::ShapeKind::Prefork,
        extended: true,
        server: "tine/0.1.0",
        built: "",
    };
    board.global().begin(&birth(std::process::id()));
    board.global().heartbeat(sample::NOW_MS);
    let first = Sight::take(&path, sample::NOW_MS + 1_000, None).unwrap();
    assert_eq!(first.liveness, Liveness::Live);
    board.process(0).count(10, 10, 0);
    let second = Sight::take(&path, sample::NOW_MS + 60_000, Some(&first)).unwrap();
    assert_eq!(second.liveness, Liveness::Hung { silent_ms: 60_000 });
    assert_eq!(second.rates.map(|rates| rates.interval_s), Some(59.0));
    // No process has this pid: it is above what any kernel hands out.
    board.global().begin(&birth(i32::MAX.unsigned_abs()));
    drop(board);
    let last = Sight::take(&path, sample::NOW_MS + 61_000, None).unwrap();
    assert_eq!(last.liveness, Liveness::Dead);
    assert_eq!(last.snapshot.totals.accesses, 1);
}
