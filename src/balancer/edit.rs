//! What an operator changes while the server runs.
//!
//! Responsible for: edits whose effect goes beyond one word of the scoreboard. Not responsible for who may edit, nor for forms.
//!
//! Know first: an edit is made under the board's edit lock, which the caller shows by its guard; children see it at their next election.

use super::Balancer;
use super::member::edited;
use crate::config::model::StatusEdit;
use scoreboard::{EditGuard, StatusBits};
use std::sync::atomic::Ordering::Release;

impl Balancer {
    /// Sets and clears status bits of a member. A member that becomes usable by it makes the method begin anew, because what it is owed
    /// for its absence would flood it. Returns the state after the edit, or `None` if there is no such member.
    pub fn set_status(
        &self,
        index: u32,
        edit: StatusEdit,
        _held: &EditGuard<'_>,
    ) -> Option<StatusBits> {
        let score = self.member(index)?.score;
        let before = score.set_status(StatusBits::from_word(edit.set.into()));
        score.clear_status(StatusBits::from_word(edit.clear.into()));
        let after = edited(before, edit);
        if after.usable() && !before.usable() {
            self.score.need_reset.store(1, Release);
        }
        Some(after)
    }
}

#[cfg(test)]
mod tests {
    use crate::balancer::testing::Cluster;
    use crate::config::model::{StatusBit, StatusEdit};

    fn letters(text: &str) -> StatusEdit {
        let mut edit = StatusEdit::default();
        let mut on = true;
        for letter in text.chars() {
            match letter {
                '+' => on = true,
                '-' => on = false,
                letter => edit.apply(StatusBit::from_letter(letter).unwrap(), on),
            }
        }
        edit
    }

    #[test]
    fn a_member_enabled_again_begins_with_everybody_at_zero() {
        let cluster = Cluster::weighted("byrequests", &[100, 100, 100]);
        let guard = cluster.board.edit_lock().try_lock(1).unwrap();
        let set = |index, text| {
            let bits = cluster.balancer.set_status(index, letters(text), &guard);
            bits.map(|bits| bits.names())
        };
        assert_eq!(set(0, "+D").as_deref(), Some("Init Dis "));
        assert_eq!(cluster.elect_many(3), "bcb");
        assert_eq!(cluster.lbstatus(), [0, -100, 100]);
        assert_eq!(set(0, "-D+N").as_deref(), Some("Init Drn Ok "));
        cluster.choose("/");
        assert_eq!(
            cluster.lbstatus(),
            [0, -100, 100],
            "reset to 0, then b was elected"
        );
        assert_eq!(set(1, "+H-N").as_deref(), Some("Init Stby Ok "));
        assert_eq!(
            cluster
                .balancer
                .score
                .need_reset
                .load(std::sync::atomic::Ordering::Relaxed),
            0
        );
        assert_eq!(set(9, "+D"), None);
    }
}
