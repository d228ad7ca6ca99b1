//! Text read while it is written: a reader gets one write's bytes or is told that it did not.

#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use scoreboard::{Board, Capacity, Text};

const WRITES: u64 = 20_000;

/// Every write is one letter, its length decided by the letter: any mixture of two writes shows.
fn write(round: u64) -> ([u8; 64], usize) {
    let letter = round % 26;
    let byte = b'a' + u8::try_from(letter).unwrap();
    let len = usize::try_from(letter * 5 % 61 + 1).unwrap();
    ([byte; 64], len)
}

fn is_one_write(bytes: &[u8]) -> bool {
    let Some(&first) = bytes.first() else {
        return true;
    };
    let (_, len) = write(u64::from(first - b'a'));
    bytes.len() == len && bytes.iter().all(|&byte| byte == first)
}

#[test]
fn a_reader_never_takes_two_writes_for_one() {
    let text = Text::<8>::new();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..WRITES {
                let (bytes, len) = write(round);
                text.set(&bytes[..len]);
            }
            is_done.store(true, Ordering::Release);
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut buffer = [0; 64];
                while !is_done.load(Ordering::Acquire) {
                    let reading = text.read_into(&mut buffer);
                    let bytes = &buffer[..reading.len];
                    assert!(!reading.is_whole || is_one_write(bytes), "{bytes:?}");
                }
            });
        }
    });
}

#[test]
fn writers_who_share_a_text_never_mix() {
    let text = Text::<8>::new();
    thread::scope(|scope| {
        for pid in 1..=3 {
            let text = &text;
            scope.spawn(move || {
                let mut buffer = [0; 64];
                for round in 0..WRITES {
                    let (bytes, len) = write(round + u64::from(pid));
                    text.set_shared(pid, &bytes[..len]);
                    let reading = text.read_into(&mut buffer);
                    let bytes = &buffer[..reading.len];
                    assert!(!reading.is_whole || is_one_write(bytes), "{bytes:?}");
                }
            });
        }
    });
    assert!(is_one_write(&text.bytes()));
}

#[test]
fn a_file_is_read_while_its_texts_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("scoreboard");
    let board = Board::create(
        &path,
        &Capacity {
            processes: 1,
            slots_per_process: 16,
            balancers: 0,
            members: 0,
        },
    )
    .unwrap();
    let process = board.claim_process(1, 1, 0).unwrap();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0;
            while !is_done.load(Ordering::Acquire) {
                for slot in board.slots(process) {
                    let (bytes, len) = write(round);
                    slot.request.set(&bytes[..len]);
                    slot.count(1, 1, round);
                    round += 1;
                }
            }
        });
        let reader = Board::open_read_only(&path).unwrap();
        let mut last = 0;
        for _ in 0..200 {
            let snapshot = reader.snapshot().unwrap();
            let accesses = snapshot.slots.iter().map(|slot| slot.accesses).sum();
            assert!(accesses >= last, "counters only grow");
            last = accesses;
            for slot in &snapshot.slots {
                assert!(slot.request.bytes().all(|byte| byte.is_ascii_lowercase()));
            }
        }
        is_done.store(true, Ordering::Release);
    });
}
