//! Slots with generations: an id of something that is gone never finds what took its place.
//!
//! An id is the slot in the low 32 bits and the slot's generation in the high ones. Order of iteration is order of slots,
//! the same in every run.

/// A bounded table of `T`, addressed by generational ids.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    live: usize,
    // Invariant: live <= limit.
    limit: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    /// An empty table that holds at most `limit` values.
    pub fn new(limit: usize) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), live: 0, limit }
    }

    /// Puts what `make` makes of its id into a free slot, or returns `None` when the table is full.
    pub fn insert_with(&mut self, make: impl FnOnce(u64) -> T) -> Option<u64> {
        if self.live == self.limit {
            return None;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, value: None });
            (self.slots.len() - 1) as u32
        });
        let entry = &mut self.slots[slot as usize];
        let id = u64::from(entry.generation) << 32 | u64::from(slot);
        entry.value = Some(make(id));
        self.live += 1;
        Some(id)
    }

    /// The value of `id`, if it still is there.
    pub fn at(&self, id: u64) -> Option<&T> {
        let slot = self.slots.get(id as u32 as usize)?;
        if slot.generation == (id >> 32) as u32 { slot.value.as_ref() } else { None }
    }

    /// The value of `id`, to be changed.
    pub fn at_mut(&mut self, id: u64) -> Option<&mut T> {
        let slot = self.slots.get_mut(id as u32 as usize)?;
        if slot.generation == (id >> 32) as u32 { slot.value.as_mut() } else { None }
    }

    /// Takes the value of `id` out; its slot gets a new generation.
    pub fn remove(&mut self, id: u64) -> Option<T> {
        self.at(id)?;
        let slot = &mut self.slots[id as u32 as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id as u32);
        self.live -= 1;
        slot.value.take()
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// All values with their ids, in order of slots.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.slots.iter().enumerate().filter_map(|(slot, entry)| {
            entry.value.as_ref().map(|value| (u64::from(entry.generation) << 32 | slot as u64, value))
        })
    }

    /// The id of the first value behind that of `id`, or of the first of all: to look at each while they come and go.
    pub fn next_after(&self, id: Option<u64>) -> Option<u64> {
        let from = id.map_or(0, |id| id as u32 as usize + 1);
        let live = self.slots.iter().enumerate().skip(from).find(|(_, slot)| slot.value.is_some());
        live.map(|(slot, entry)| u64::from(entry.generation) << 32 | slot as u64)
    }

    /// The ids of all values, in order of slots.
    pub fn ids(&self) -> Vec<u64> {
        self.iter().map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_something_gone_does_not_find_its_successor() {
        let mut slab = Slab::new(4);
        let first = slab.insert_with(|_| 'a').unwrap();
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert_with(|_| 'b').unwrap();
        assert_eq!(first as u32, second as u32);
        assert_eq!((slab.at(first), slab.at(second)), (None, Some(&'b')));
        assert_eq!(slab.remove(first), None);
    }

    #[test]
    fn each_is_looked_at_in_turn_while_others_come_and_go() {
        let mut slab = Slab::new(4);
        let [a, b, c] = ['a', 'b', 'c'].map(|name| slab.insert_with(|_| name).unwrap());
        assert_eq!(slab.next_after(None), Some(a));
        slab.remove(b);
        assert_eq!((slab.next_after(Some(a)), slab.next_after(Some(b))), (Some(c), Some(c)));
        assert_eq!(slab.next_after(Some(c)), None);
    }

    #[test]
    fn a_full_slab_takes_no_more() {
        let mut slab = Slab::new(1);
        assert!(slab.insert_with(|_| ()).is_some());
        assert!(slab.insert_with(|_| ()).is_none());
        assert_eq!(slab.len(), 1);
    }
}
