//! Where everything lies: offsets computed from four capacities, and the hash by which two builds know that they agree.
//!
//! No offset is stored in the file. A reader computes them again from the capacities in the header, with checked
//! arithmetic and within limits, and compares the sum with the file's length before it looks further.

use core::fmt::Write as _;

use crate::atomic::AtomicU32;
use crate::region::LINE;
use crate::score::{BalancerScore, GlobalScore, MemberScore, ProcessScore, SlotScore};
use crate::shared::{Field, Record};

/// How much a board holds. Fixed for the life of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Children at most, retiring ones included.
    pub processes: u32,
    /// Exchanges in flight at most in each child.
    pub slots_per_process: u32,
    /// Balancers at most, over all virtual hosts.
    pub balancers: u32,
    /// Members at most, over all balancers, plain ones included.
    pub members: u32,
}

/// Byte offsets of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) capacity: Capacity,
    pub(crate) processes: usize,
    pub(crate) slots: usize,
    pub(crate) claims: usize,
    pub(crate) balancers: usize,
    pub(crate) members: usize,
    pub(crate) len: usize,
    /// Cells from one claim row to the next: members, rounded up so that no two rows share a line.
    pub(crate) row_cells: usize,
}

impl Layout {
    /// The layout for `capacity`, or `None` if it is empty or larger than any board may be.
    pub(crate) fn of(capacity: &Capacity) -> Option<Self> {
        let processes = count(capacity.processes)?;
        let slots = count(capacity.slots_per_process)?.checked_mul(processes)?;
        let row_cells = count(capacity.members.max(1))?.next_multiple_of(LINE_CELLS);
        let rows = processes.checked_mul(KINDS)?;

        let mut end = size_of::<GlobalScore>();
        let mut place = |each: usize, count: usize| {
            let at = end;
            end = each.checked_mul(count)?.checked_add(at)?;
            Some(at)
        };
        let layout = Self {
            capacity: *capacity,
            row_cells,
            processes: place(size_of::<ProcessScore>(), processes)?,
            slots: place(size_of::<SlotScore>(), slots)?,
            claims: place(LINE, rows.checked_mul(row_cells / LINE_CELLS)?)?,
            balancers: place(size_of::<BalancerScore>(), capacity.balancers as usize)?,
            members: place(size_of::<MemberScore>(), capacity.members as usize)?,
            len: place(1, 0)?,
        };
        (layout.len <= LEN_MAX).then_some(layout)
    }

    /// Offset of the claim row of one kind of one process.
    pub(crate) fn claim_row(&self, process: usize, kind: usize) -> usize {
        self.claims + (process * KINDS + kind) * self.row_cells * size_of::<AtomicU32>()
    }
}

fn count(number: u32) -> Option<usize> {
    (1..=COUNT_MAX).contains(&number).then_some(number as usize)
}

/// The format's version; raised whenever the meaning of a field changes without its place changing.
pub const VERSION: u32 = 1;

/// A hash over every record's fields: names, offsets and sizes. Two builds that disagree on any of them cannot read each
/// other's file.
pub const LAYOUT_HASH: u64 = {
    let mut hash = FNV_START;
    hash = hash_record::<GlobalScore>(hash);
    hash = hash_record::<ProcessScore>(hash);
    hash = hash_record::<SlotScore>(hash);
    hash = hash_record::<BalancerScore>(hash);
    hash_record::<MemberScore>(hash)
};

/// The layout as text, one line per field: what the golden file holds.
#[must_use]
pub fn layout_text() -> String {
    let mut text = format!("version {VERSION}\n");
    describe::<GlobalScore>(&mut text);
    describe::<ProcessScore>(&mut text);
    describe::<SlotScore>(&mut text);
    describe::<BalancerScore>(&mut text);
    describe::<MemberScore>(&mut text);
    text
}

fn describe<T: Record>(text: &mut String) {
    const FITS: &str = "writing to a string cannot fail";
    let (size, align) = (size_of::<T>(), align_of::<T>());
    writeln!(text, "\n{} size {size} align {align}", T::NAME).expect(FITS);
    for field in T::FIELDS {
        let Field {
            name,
            kind,
            offset,
            size,
            meaning: _,
        } = field;
        writeln!(text, "{offset:>6} {size:>5}  {name}: {kind}").expect(FITS);
    }
}

const fn hash_record<T: Record>(hash: u64) -> u64 {
    let mut hash = fnv(hash, T::NAME.as_bytes());
    let mut rest = T::FIELDS;
    while let [field, tail @ ..] = rest {
        hash = fnv(hash, field.name.as_bytes());
        hash = fnv(hash, &(field.offset as u64).to_le_bytes());
        hash = fnv(hash, &(field.size as u64).to_le_bytes());
        rest = tail;
    }
    hash
}

/// FNV-1a, continued from `hash`.
pub(crate) const fn fnv(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0100_0000_01b3);
        rest = tail;
    }
    hash
}

pub(crate) const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// Kinds of leases, each with its own claim row per process.
pub(crate) const KINDS: usize = crate::score::LeaseKind::ALL.len();

const LINE_CELLS: usize = LINE / size_of::<AtomicU32>();
const COUNT_MAX: u32 = 1 << 20;
/// No board is larger; a header that asks for more is not one of ours.
const LEN_MAX: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_follow_each_other_and_keep_to_lines() {
        let layout = Layout::of(&Capacity {
            processes: 3,
            slots_per_process: 5,
            balancers: 2,
            members: 33,
        })
        .unwrap();
        let starts = [
            layout.processes,
            layout.slots,
            layout.claims,
            layout.balancers,
            layout.members,
            layout.len,
        ];
        assert!(starts.is_sorted());
        assert!(starts.iter().all(|at| at % LINE == 0));
        assert_eq!(layout.row_cells, 64);
        assert_eq!(layout.claim_row(0, 0), layout.claims);
        assert_eq!(layout.claim_row(3, 0), layout.balancers);
    }

    #[test]
    fn impossible_capacities_have_no_layout() {
        let fine = Capacity {
            processes: 1,
            slots_per_process: 1,
            balancers: 0,
            members: 0,
        };
        assert!(Layout::of(&fine).is_some());
        for wrong in [
            Capacity {
                processes: 0,
                ..fine
            },
            Capacity {
                slots_per_process: 0,
                ..fine
            },
            Capacity {
                processes: u32::MAX,
                ..fine
            },
            Capacity {
                members: u32::MAX,
                ..fine
            },
            Capacity {
                balancers: u32::MAX,
                ..fine
            },
            Capacity {
                processes: 1 << 20,
                slots_per_process: 1 << 20,
                ..fine
            },
        ] {
            assert_eq!(Layout::of(&wrong), None, "{wrong:?}");
        }
    }
}
