//! Tables of cells that keep their place, their generation and their allocations.

/// Names a cell and the tenant that lived in it when the key was made. A key of an earlier tenant finds no one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Which cell.
    pub index: u32,
    /// Which tenant.
    pub generation: u32,
}

/// Cells of one kind. A freed cell keeps its value, so that the next tenant finds the buffers of the last one.
#[derive(Debug)]
pub struct Slab<T> {
    cells: Vec<Cell<T>>,
    free: Vec<u32>,
    live: usize,
}

#[derive(Debug)]
struct Cell<T> {
    value: T,
    generation: u32,
    is_live: bool,
    /// When the cell's one timer entry fires; it belongs to the cell, not to the tenant (see `timers`).
    filed: Option<u64>,
}

impl<T> Slab<T> {
    /// A table without cells.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            cells: Vec::new(),
            free: Vec::new(),
            live: 0,
        }
    }

    /// Takes a cell: a freed one as it was left, or a new one.
    pub fn acquire(&mut self, make: impl FnOnce() -> T) -> (Key, &mut T) {
        self.live += 1;
        let index = self.free.pop().unwrap_or_else(|| {
            let index = u32::try_from(self.cells.len()).expect("fewer than 2^32 connections");
            self.cells.push(Cell {
                value: make(),
                generation: 0,
                is_live: false,
                filed: None,
            });
            index
        });
        let cell = self
            .cells
            .get_mut(index as usize)
            .expect("free indices name cells");
        cell.is_live = true;
        (
            Key {
                index,
                generation: cell.generation,
            },
            &mut cell.value,
        )
    }

    /// Gives a cell back. Its value stays for the next tenant.
    pub fn release(&mut self, key: Key) {
        let Some(cell) = self.cells.get_mut(key.index as usize) else {
            return;
        };
        if cell.is_live && cell.generation == key.generation {
            cell.is_live = false;
            cell.generation = cell.generation.wrapping_add(1);
            self.free.push(key.index);
            self.live -= 1;
        }
    }

    /// The tenant that the key names, if it still lives there.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        let cell = self.cells.get(key.index as usize)?;
        (cell.is_live && cell.generation == key.generation).then_some(&cell.value)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let cell = self.cells.get_mut(key.index as usize)?;
        (cell.is_live && cell.generation == key.generation).then_some(&mut cell.value)
    }

    /// The key of whoever lives in a cell now.
    #[must_use]
    pub fn tenant(&self, index: u32) -> Option<Key> {
        let cell = self.cells.get(index as usize)?;
        cell.is_live.then_some(Key {
            index,
            generation: cell.generation,
        })
    }

    /// When the cell's timer entry fires.
    pub fn filed_mut(&mut self, index: u32) -> Option<&mut Option<u64>> {
        self.cells
            .get_mut(index as usize)
            .map(|cell| &mut cell.filed)
    }

    /// How many tenants there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.live
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The keys of all tenants, for the rare walks over everything.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        (0..u32::try_from(self.cells.len()).unwrap_or(u32::MAX))
            .filter_map(|index| self.tenant(index))
            .collect()
    }
}

/// Cells whose value ends with its tenant: a socket must be closed, not kept.
impl<T> Slab<Option<T>> {
    /// Moves a value into a cell.
    pub fn insert(&mut self, value: T) -> Key {
        let (key, cell) = self.acquire(|| None);
        *cell = Some(value);
        key
    }

    /// Takes the tenant out and gives the cell back.
    pub fn take(&mut self, key: Key) -> Option<T> {
        let value = self.get_mut(key)?.take();
        self.release(key);
        value
    }

    /// The tenant that the key names.
    #[must_use]
    pub fn at(&self, key: Key) -> Option<&T> {
        self.get(key)?.as_ref()
    }

    /// The same, to be changed.
    pub fn at_mut(&mut self, key: Key) -> Option<&mut T> {
        self.get_mut(key)?.as_mut()
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_an_earlier_tenant_finds_no_one() {
        let mut slab = Slab::new();
        let (first, value) = slab.acquire(String::new);
        value.push_str("kept allocation");
        slab.release(first);
        slab.release(first);
        let (second, value) = slab.acquire(String::new);
        assert_eq!(
            (second.index, value.as_str()),
            (first.index, "kept allocation")
        );
        assert!(slab.get(first).is_none() && slab.get_mut(first).is_none());
        assert_eq!((slab.len(), slab.tenant(0)), (1, Some(second)));
    }
}
