//! Files that are not what they seem: a reader says what it found and never panics, hangs or dies of a signal.

#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use scoreboard::{
    Birth, Board, Capacity, GlobalScore, Liveness, MemberInit, OpenError, PLAIN, Record, ShapeKind,
    Status,
};

const CAPACITY: Capacity = Capacity {
    processes: 2,
    slots_per_process: 3,
    balancers: 1,
    members: 2,
};

struct Scene {
    directory: tempfile::TempDir,
    board: Board,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let board = Board::create(&directory.path().join("scoreboard"), &CAPACITY).unwrap();
        Self { directory, board }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("scoreboard")
    }

    fn file(&self) -> File {
        OpenOptions::new().write(true).open(self.path()).unwrap()
    }

    /// Put `bytes` over a header field.
    fn forge(&self, field: &str, bytes: &[u8]) {
        let field = GlobalScore::FIELDS
            .iter()
            .find(|f| f.name == field)
            .unwrap();
        assert_eq!(field.size, bytes.len());
        self.file()
            .write_all_at(bytes, field.offset as u64)
            .unwrap();
    }

    fn refusal(&self) -> OpenError {
        Board::open_read_only(&self.path()).unwrap_err()
    }
}

fn begin(board: &Board, pid: u32) {
    board.global().begin(&Birth {
        pid,
        now_ms: 1_000_000,
        shape: ShapeKind::Event,
        extended: true,
        server: "tine/0.1",
        built: "today",
    });
}

#[test]
fn a_board_is_made_for_owner_and_group_and_nothing_is_left_beside_it() {
    let scene = Scene::new();
    let mode = fs::metadata(scene.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert_eq!(fs::read_dir(scene.directory.path()).unwrap().count(), 1);
}

#[test]
fn a_reader_of_the_old_board_keeps_it_when_a_new_one_is_made() {
    let scene = Scene::new();
    begin(&scene.board, 1);
    let reader = Board::open_read_only(&scene.path()).unwrap();
    let bigger = Capacity {
        members: 90,
        ..CAPACITY
    };
    let new = Board::create(&scene.path(), &bigger).unwrap();
    assert_eq!(reader.snapshot().unwrap().global.server, "tine/0.1");
    assert_eq!(reader.capacity(), CAPACITY);
    assert_eq!(
        Board::open_read_only(&scene.path()).unwrap().capacity(),
        new.capacity()
    );
}

#[test]
fn live_hung_and_dead_servers_are_told_apart() {
    let scene = Scene::new();
    let reader = Board::open_read_only(&scene.path()).unwrap();
    assert_eq!(
        reader.state(1_000_000).unwrap(),
        Liveness::Dead,
        "no parent yet"
    );
    begin(&scene.board, std::process::id());
    assert_eq!(reader.state(1_005_000).unwrap(), Liveness::Live);
    let hung = Liveness::Hung { silent_ms: 5_001 };
    assert_eq!(reader.state(1_005_001).unwrap(), hung);
    scene.board.global().heartbeat(1_005_000);
    assert_eq!(reader.state(1_005_001).unwrap(), Liveness::Live);
    assert_eq!(
        reader.state(0).unwrap(),
        Liveness::Live,
        "a clock set back is no alarm"
    );

    scene
        .board
        .global()
        .parent_ticks
        .fetch_add(1, Ordering::Relaxed);
    let dead = reader.state(1_005_001).unwrap();
    assert_eq!(
        dead,
        Liveness::Dead,
        "the pid belongs to another process now"
    );
    for pid in [0, u32::MAX, u32::MAX - 1, 1 << 31] {
        scene
            .board
            .global()
            .parent_pid
            .store(pid, Ordering::Relaxed);
        assert_eq!(reader.state(0).unwrap(), Liveness::Dead, "pid {pid}");
    }
}

#[test]
fn the_board_of_a_dead_server_can_still_be_read() {
    let scene = Scene::new();
    begin(&scene.board, i32::MAX.unsigned_abs());
    scene.board.slot(1, 2).set_status(Status::Write, 5);
    let reader = Board::open_read_only(&scene.path()).unwrap();
    drop(scene.board);
    assert_eq!(reader.state(1_000_000).unwrap(), Liveness::Dead);
    let letters: String = reader
        .snapshot()
        .unwrap()
        .slots
        .iter()
        .map(|s| s.letter)
        .collect();
    assert_eq!(letters, ".....W");
}

#[test]
fn what_is_not_a_board_is_named() {
    let scene = Scene::new();
    let in_room = |name: &str| scene.directory.path().join(name);
    let open = |path: &Path| Board::open_read_only(path).unwrap_err();

    assert!(matches!(open(&in_room("missing")), OpenError::NotFound));
    assert!(matches!(
        open(scene.directory.path()),
        OpenError::Inconsistent(_)
    ));
    fs::write(in_room("empty"), b"").unwrap();
    assert!(matches!(
        open(&in_room("empty")),
        OpenError::TooShort { len: 0, .. }
    ));
    fs::write(in_room("log"), vec![b'x'; 100_000]).unwrap();
    assert!(matches!(open(&in_room("log")), OpenError::BadMagic));
    nix::unistd::mkfifo(&in_room("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(matches!(open(&in_room("pipe")), OpenError::Inconsistent(_)));
}

#[test]
fn foreign_boards_are_named() {
    let scene = Scene::new();
    scene.forge("version", &7_u32.to_ne_bytes());
    assert!(matches!(
        scene.refusal(),
        OpenError::ForeignVersion { found: 7, .. }
    ));
    assert!(scene.refusal().to_string().contains("format 7"));
    scene.forge("version", &scoreboard::VERSION.to_ne_bytes());
    scene.forge("layout_hash", &7_u64.to_ne_bytes());
    assert!(matches!(
        scene.refusal(),
        OpenError::ForeignLayout { hash: 7 }
    ));
    scene.forge("magic", b"httpd\0sb");
    assert!(matches!(scene.refusal(), OpenError::BadMagic));
}

#[test]
fn capacities_that_lie_are_caught_before_they_are_used() {
    for field in ["processes", "slots_per_process", "balancers", "members"] {
        for lie in [0, 1, 5, 1 << 16, 1 << 20, 1 << 31, u32::MAX] {
            let scene = Scene::new();
            scene.forge(field, &lie.to_ne_bytes());
            match Board::open_read_only(&scene.path()) {
                Err(OpenError::Inconsistent(_)) => {}
                Ok(reader) => assert_eq!(reader.capacity(), CAPACITY, "not a lie after all"),
                Err(other) => panic!("{field} = {lie}: {other}"),
            }
            assert!(lie == 1 || Board::open_editable(&scene.path()).is_err());
        }
    }
    let scene = Scene::new();
    scene.forge("processes", &1000_u32.to_ne_bytes());
    scene.forge("len", &(1_u64 << 40).to_ne_bytes());
    assert!(matches!(scene.refusal(), OpenError::Inconsistent(_)));
}

#[test]
fn a_board_cut_at_any_length_is_too_short() {
    let scene = Scene::new();
    let whole = fs::metadata(scene.path()).unwrap().len();
    let reader = Board::open_read_only(&scene.path()).unwrap();
    for len in (0..whole).rev().step_by(97) {
        scene.file().set_len(len).unwrap();
        for error in [scene.refusal(), reader.snapshot().unwrap_err()] {
            let OpenError::TooShort { len: found, .. } = error else {
                panic!("{len}: {error}");
            };
            assert_eq!(found, len);
        }
        assert!(Board::open_editable(&scene.path()).is_err());
    }
}

#[test]
fn any_bytes_behind_a_good_header_make_a_snapshot() {
    let scene = Scene::new();
    let reader = Board::open_read_only(&scene.path()).unwrap();
    let pristine = fs::read(scene.path()).unwrap();
    let file = scene.file();
    let mut random = Random(0x5eed);
    for round in 0..300 {
        let mut bytes = pristine.clone();
        let body = &mut bytes[size_of::<GlobalScore>()..];
        if round % 2 == 0 {
            body.fill_with(|| random.byte());
        } else {
            for _ in 0..200 {
                let at = random.below(body.len());
                body[at] = random.byte();
            }
        }
        file.write_all_at(&bytes, 0).unwrap();
        let snapshot = reader.snapshot().unwrap();
        assert_eq!(snapshot.slots.len(), 6);
        assert!(
            snapshot
                .slots
                .iter()
                .all(|slot| !slot.request.contains('\x1b'))
        );
        let members = usize::try_from(CAPACITY.members).unwrap();
        assert!(snapshot.members.len() <= members);
        // What a child scribbled must not make the parent fall over either.
        scene.board.free_process(0);
        scene.board.free_process(1);
        assert!(scene.board.snapshot().processes.is_empty());
        scene.board.sweep_unregistered(&[], &[]);
        drop(
            scene
                .board
                .register_member(PLAIN, "http://a/", &MemberInit::default()),
        );
        scene.board.recover_edit_lock();
        assert!(
            scene
                .board
                .edit_lock()
                .owner()
                .is_none_or(|pid| pid <= i32::MAX.unsigned_abs())
        );
    }
}

#[test]
fn any_bytes_in_the_header_are_judged() {
    let scene = Scene::new();
    let pristine = fs::read(scene.path()).unwrap();
    let file = scene.file();
    let mut random = Random(0xbad);
    for _ in 0..2_000 {
        let mut bytes = pristine.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(56);
            bytes[at] = random.byte();
        }
        file.write_all_at(&bytes, 0).unwrap();
        if let Ok(reader) = Board::open_read_only(&scene.path()) {
            assert_eq!(reader.capacity(), CAPACITY);
            reader.snapshot().unwrap();
            reader.state(0).unwrap();
        }
    }
}

/// Xorshift: the same bytes on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 1).unwrap() % end
    }
}
