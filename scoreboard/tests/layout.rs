//! The layout is part of the format: a change of it is a visible difference in `layout.golden` and another hash.
//!
//! Run with `BLESS=1` to write the golden file anew.

#![cfg(not(loom))]

use std::path::Path;

#[test]
fn offsets_and_sizes_are_those_of_the_golden_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layout.golden");
    let text = format!(
        "{}\nhash {:016x}\n",
        scoreboard::layout_text(),
        scoreboard::LAYOUT_HASH
    );
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert!(
        text == golden,
        "the layout differs from tests/layout.golden; if that is meant, run again with BLESS=1:\n{text}"
    );
}

#[test]
fn children_do_not_share_cache_lines() {
    assert_eq!(align_of::<scoreboard::ProcessScore>(), 128);
    assert_eq!(align_of::<scoreboard::SlotScore>(), 128);
    assert_eq!(align_of::<scoreboard::MemberScore>(), 128);
}

#[test]
fn every_field_says_what_it_means() {
    use scoreboard::{
        BalancerScore, GlobalScore, MemberScore, ProcessScore, Record as _, SlotScore,
    };
    for field in [
        GlobalScore::FIELDS,
        ProcessScore::FIELDS,
        SlotScore::FIELDS,
        BalancerScore::FIELDS,
        MemberScore::FIELDS,
    ]
    .concat()
    {
        assert!(!field.meaning.trim().is_empty(), "{}", field.name);
    }
}
