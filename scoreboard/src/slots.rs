//! Which slots of a child are free: a loop's own book, in private memory.
//!
//! Each loop (OS thread) of a child gets a range of the child's slots to itself, so taking one needs no atomics. The
//! lowest free one goes first, as in httpd: busy slots gather at the front of the scoreboard.

/// A range of slots with those that are free.
#[derive(Clone, Debug)]
pub struct SlotRange {
    start: u32,
    len: u32,
    taken: u32,
    /// One bit per slot, set when free.
    free: Vec<u64>,
    /// No word before this one has a free slot.
    hint: usize,
}

impl SlotRange {
    /// The slots from `start`, `len` of them, all free.
    #[must_use]
    pub fn new(start: u32, len: u32) -> Self {
        let full_words = len / BITS;
        let mut free = vec![u64::MAX; full_words as usize];
        if !len.is_multiple_of(BITS) {
            free.push((1 << (len % BITS)) - 1);
        }
        Self {
            start,
            len,
            taken: 0,
            free,
            hint: 0,
        }
    }

    /// The share of loop `index` when `slots` are dealt out to `loops` as evenly as can be.
    #[must_use]
    pub fn share(slots: u32, loops: u32, index: u32) -> Self {
        let loops = loops.max(1);
        let (each, extra) = (slots / loops, slots % loops);
        let start = each * index + index.min(extra);
        Self::new(start, each + u32::from(index < extra))
    }

    /// Take the lowest free slot.
    pub fn take(&mut self) -> Option<u32> {
        let mut words = (0..).zip(&mut self.free).skip(self.hint);
        let (at, word) = words.find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        self.hint = at;
        self.taken += 1;
        let at = u32::try_from(at).expect("there are fewer words than slots");
        Some(self.start + at * BITS + bit)
    }

    /// Give a slot back.
    ///
    /// # Panics
    ///
    /// The slot is not one that was taken from this range.
    pub fn give(&mut self, slot: u32) {
        let place = slot.checked_sub(self.start).filter(|&at| at < self.len);
        let place = place.expect("a slot goes back to the range it came from");
        let at = (place / BITS) as usize;
        let word = self.free.get_mut(at).expect("the range has this slot");
        let bit = 1 << (place % BITS);
        assert_eq!(*word & bit, 0, "a slot goes back once");
        *word |= bit;
        self.hint = self.hint.min(at);
        self.taken -= 1;
    }

    /// Slots now taken.
    #[must_use]
    pub const fn taken(&self) -> u32 {
        self.taken
    }

    /// Slots in all.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether the range has no slots at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether every slot is taken.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.taken == self.len
    }
}

const BITS: u32 = u64::BITS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_slot_goes_first() {
        let mut range = SlotRange::new(10, 130);
        let taken: Vec<u32> = core::iter::from_fn(|| range.take()).collect();
        assert_eq!(taken, (10..140).collect::<Vec<_>>());
        assert!(range.is_full());
        range.give(139);
        range.give(75);
        range.give(12);
        assert_eq!(
            core::iter::from_fn(|| range.take()).collect::<Vec<_>>(),
            [12, 75, 139]
        );
        assert_eq!(range.taken(), 130);
    }

    #[test]
    fn shares_cover_all_slots_once() {
        for (slots, loops) in [(10, 3), (1, 1), (64, 5), (2, 4), (4096, 2)] {
            let all: Vec<u32> = (0..loops)
                .flat_map(|index| {
                    let mut share = SlotRange::share(slots, loops, index);
                    core::iter::from_fn(move || share.take())
                })
                .collect();
            assert_eq!(all, (0..slots).collect::<Vec<_>>(), "{slots} over {loops}");
        }
    }

    #[test]
    #[should_panic = "a slot goes back once"]
    fn a_slot_given_back_twice_is_our_bug() {
        let mut range = SlotRange::new(0, 4);
        let slot = range.take().unwrap();
        range.give(slot);
        range.give(slot);
    }
}
