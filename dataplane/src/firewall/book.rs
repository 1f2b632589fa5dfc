//! A bounded table by keys that anybody may choose: a keyed hash finds them, and memory is taken as entries come.

use crate::conntrack::TupleHasher;
use crate::conntrack::index::Index;
use crate::conntrack::ipv6::Ipv6Key;

/// What an entry is found by.
pub(crate) trait Hashed: Copy + Eq {
    fn hash(&self, hasher: &TupleHasher) -> u32;
}

impl Hashed for Ipv6Key {
    fn hash(&self, hasher: &TupleHasher) -> u32 {
        hasher.ipv6(self)
    }
}

/// The first 64 bits of an address.
impl Hashed for u64 {
    fn hash(&self, hasher: &TupleHasher) -> u32 {
        hasher.number(*self)
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct Book<K, V> {
    entries: Vec<Option<(K, V)>>,
    free: Vec<u32>,
    index: Index,
    capacity: u32,
    hasher: TupleHasher,
}

impl<K: Hashed, V> Book<K, V> {
    pub(crate) fn new(capacity: u32, hasher: TupleHasher) -> Self {
        let entries = usize::try_from(capacity).unwrap_or(0);
        Self { entries: Vec::new(), free: Vec::new(), index: Index::new(entries, capacity), capacity, hasher }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn find(&self, key: &K) -> Option<&V> {
        let slot = self.slot_of(key)?;
        self.entries.get(slot)?.as_ref().map(|(_, value)| value)
    }

    pub(crate) fn find_mut(&mut self, key: &K) -> Option<&mut V> {
        let slot = self.slot_of(key)?;
        self.entries.get_mut(slot)?.as_mut().map(|(_, value)| value)
    }

    /// Puts in an entry that is not there yet; `false` when there is no room.
    #[must_use]
    pub(crate) fn insert(&mut self, key: K, value: V) -> bool {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => match u32::try_from(self.entries.len()) {
                Ok(slot) if slot < self.capacity => {
                    self.entries.push(None);
                    slot
                }
                Ok(_) | Err(_) => return false,
            },
        };
        let inserted = self.index.insert(key.hash(&self.hasher), slot);
        debug_assert!(inserted, "the index has a place for each entry");
        let place = usize::try_from(slot).ok().and_then(|at| self.entries.get_mut(at));
        place.map(|place| *place = Some((key, value))).is_some()
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.slot_of(key)?;
        let slot = u32::try_from(at).ok()?;
        self.index.remove(key.hash(&self.hasher), slot);
        self.free.push(slot);
        self.entries.get_mut(at)?.take().map(|(_, value)| value)
    }

    /// Returns the place of an entry, which stays while it is there.
    pub(crate) fn place(&self, key: &K) -> Option<u32> {
        u32::try_from(self.slot_of(key)?).ok()
    }

    fn slot_of(&self, key: &K) -> Option<usize> {
        let at = |slot| usize::try_from(slot).ok().and_then(|at| self.entries.get(at)?.as_ref());
        let is_key = |slot| at(slot).is_some_and(|(other, _)| other == key);
        usize::try_from(self.index.lookup(key.hash(&self.hasher), is_key)?).ok()
    }
}
