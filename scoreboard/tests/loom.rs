//! Every interleaving of the parts that other processes share: text, the edit lock, votes.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p scoreboard --test loom`

#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use scoreboard::atomic::{AtomicI64, AtomicU64, Ordering};
use scoreboard::{EditLock, Text, votes};

const ONE: &[u8] = b"aaaaaaaaaaaa";
const TWO: &[u8] = b"bbbbbbbbbbbb";

#[test]
fn a_whole_reading_is_one_write() {
    loom::model(|| {
        let text = Arc::new(Text::<2>::new());
        let writer = {
            let text = Arc::clone(&text);
            thread::spawn(move || {
                text.set(ONE);
                text.set(TWO);
            })
        };
        let mut buffer = [0; 16];
        let reading = text.read_into(&mut buffer);
        let bytes = &buffer[..reading.len];
        if reading.is_whole {
            assert!([&b""[..], ONE, TWO].contains(&bytes), "{bytes:?}");
        }
        writer.join().unwrap();
        assert!(text.is(TWO));
    });
}

#[test]
fn writers_who_share_a_text_take_turns() {
    loom::model(|| {
        let text = Arc::new(Text::<2>::new());
        let writer = {
            let text = Arc::clone(&text);
            thread::spawn(move || text.set_shared(7, ONE))
        };
        let mine = text.set_shared(8, TWO);
        let his = writer.join().unwrap();
        assert!(mine || his, "somebody is heard");
        let mut buffer = [0; 16];
        let reading = text.read_into(&mut buffer);
        assert!(reading.is_whole);
        assert!([ONE, TWO].contains(&&buffer[..reading.len]));
    });
}

#[test]
fn one_editor_at_a_time_who_sees_the_last_one_s_edits() {
    loom::model(|| {
        let shared = Arc::new((EditLock::new(), AtomicU64::new(0)));
        let edit = |shared: &(EditLock, AtomicU64), pid| {
            let Some(_guard) = shared.0.try_lock(pid) else {
                return 0;
            };
            // A load and a store: only the lock makes them one.
            let value = shared.1.load(Ordering::Relaxed);
            shared.1.store(value + 1, Ordering::Relaxed);
            1
        };
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || edit(&shared, 7) + edit(&shared, 7))
        };
        let mine = edit(&shared, 8);
        let his = other.join().unwrap();
        assert_eq!(shared.1.load(Ordering::Relaxed), mine + his);
        assert_eq!(shared.0.owner(), None);
    });
}

#[test]
fn the_sum_of_lbstatus_is_conserved() {
    loom::model(|| {
        let field = Arc::new([AtomicI64::new(0), AtomicI64::new(0)]);
        let elect = |field: &[AtomicI64; 2]| {
            let (a, b) = (votes::grant(&field[0], 100), votes::grant(&field[1], 50));
            votes::charge(&field[usize::from(b > a)], 150);
        };
        let other = {
            let field = Arc::clone(&field);
            thread::spawn(move || elect(&field))
        };
        elect(&field);
        other.join().unwrap();
        let sum: i64 = field.iter().map(|v| v.load(Ordering::Relaxed)).sum();
        assert_eq!(sum, 0);
    });
}
