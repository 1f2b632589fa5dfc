//! Hash index from keys that live elsewhere to `u32` values: buckets of one cache line, all memory taken at the start.

/// Entries of a bucket.
const PLACES: usize = 15;
/// No bucket is filled on average beyond this many entries in [`LOAD_BASE`] places.
const LOAD: usize = 85;
const LOAD_BASE: usize = 100;
/// The place is free.
const FREE: u32 = 0;
/// A bit for each place.
const ALL_PLACES: u32 = (1 << PLACES) - 1;

/// One cache line. A place holds the value plus one in its low bits and bits of the key's hash above, as many as there
/// is room for; so most places that hold another key are told apart without looking at that key.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Bucket {
    /// The places, and last how many entries found this bucket full on their way and stand in a later one; while that
    /// is 0 no search goes on. In one array, since sixteen words are compared faster than fifteen.
    words: [u32; PLACES + 1],
}

impl Bucket {
    const EMPTY: Self = Self { words: [FREE; PLACES + 1] };

    fn places(&self) -> &[u32; PLACES] {
        let (places, _) = self.words.split_first_chunk().unwrap_or((&[FREE; PLACES], &[]));
        places
    }

    fn places_mut(&mut self) -> impl Iterator<Item = &mut u32> {
        self.words.iter_mut().take(PLACES)
    }

    const fn passed(&self) -> u32 {
        let [.., passed] = self.words;
        passed
    }

    const fn passed_mut(&mut self) -> &mut u32 {
        let [.., passed] = &mut self.words;
        passed
    }
}

/// The index. An entry stands in its home bucket or, when that is full, in the first later one with room; each
/// bucket counts who went on, so removal leaves no marks and the index never degrades.
#[derive(Debug)]
pub struct Index {
    buckets: Vec<Bucket>,
    /// How many buckets there will be; no entry is there before.
    planned: usize,
    capacity: usize,
    length: usize,
    /// The bits of a place that hold the value plus one; those above are of the hash.
    value_mask: u32,
}

impl Index {
    /// Makes an index for at most `entries` entries with values below `values`.
    pub fn new(entries: usize, values: u32) -> Self {
        let mut index = Self::planned(entries, values);
        while !index.grow(usize::MAX) {}
        index
    }

    /// Makes an index that takes entries once [`Self::grow`] has made it whole.
    pub fn planned(entries: usize, values: u32) -> Self {
        let buckets = entries.saturating_mul(LOAD_BASE).div_ceil(LOAD * PLACES).max(1);
        // Two, so that a search that goes on always comes to another bucket.
        let buckets = buckets.max(2);
        let value_bits = u32::BITS - values.leading_zeros();
        let value_mask = u32::MAX.checked_shr(u32::BITS - value_bits).unwrap_or(0);
        Self {
            buckets: Vec::with_capacity(buckets),
            planned: buckets,
            capacity: entries,
            length: 0,
            value_mask,
        }
    }

    /// Makes at most so many buckets more; whether there are all.
    pub fn grow(&mut self, most: usize) -> bool {
        let more = self.planned.saturating_sub(self.buckets.len()).min(most);
        self.buckets.resize(self.buckets.len() + more, Bucket::EMPTY);
        self.is_whole()
    }

    /// Whether there are all buckets.
    pub fn is_whole(&self) -> bool {
        self.buckets.len() == self.planned
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Returns a value whose key may have this hash, likely the right one if there is one; mostly reads one cache
    /// line, so it also brings that line near for [`Self::lookup`].
    #[inline(always)]
    pub fn guess(&self, hash: u32) -> Option<u32> {
        let at = self.home(hash);
        let bucket = self.buckets.get(at)?;
        let candidates = self.candidates(bucket, hash);
        if candidates == 0 && bucket.passed() > 0 {
            return self.guess_after(at, hash);
        }
        self.value(bucket, candidates)
    }

    #[cold]
    fn guess_after(&self, home: usize, hash: u32) -> Option<u32> {
        let bucket = self.buckets.get(self.after(home))?;
        self.value(bucket, self.candidates(bucket, hash))
    }

    /// Finds the value with this hash that `is_key` recognises.
    pub fn lookup(&self, hash: u32, is_key: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        for _ in 0..self.buckets.len() {
            let bucket = self.buckets.get(at)?;
            let mut candidates = self.candidates(bucket, hash) & ALL_PLACES;
            while let Some(value) = self.value(bucket, candidates) {
                if is_key(value) {
                    return Some(value);
                }
                candidates &= candidates.wrapping_sub(1);
            }
            if bucket.passed() == 0 {
                return None;
            }
            at = self.after(at);
        }
        None
    }

    /// Inserts a value whose key is not there yet; `false` when the index is full or the value too great.
    #[must_use]
    pub fn insert(&mut self, hash: u32, value: u32) -> bool {
        if self.length >= self.capacity || value >= self.value_mask {
            return false;
        }
        let entry = (hash & !self.value_mask) | (value + 1);
        let mut at = self.home(hash);
        // There is room, as the capacity is below the number of places.
        while let Some(bucket) = self.buckets.get_mut(at) {
            if let Some(place) = bucket.places_mut().find(|place| **place == FREE) {
                *place = entry;
                self.length += 1;
                return true;
            }
            *bucket.passed_mut() += 1;
            at = self.after(at);
        }
        false
    }

    /// Removes the entry with this hash and value; `false` when there is none.
    pub fn remove(&mut self, hash: u32, value: u32) -> bool {
        let entry = (hash & !self.value_mask) | value.saturating_add(1);
        let home = self.home(hash);
        let Some(holder) = self.holder(home, entry) else { return false };
        let mut at = home;
        while at != holder {
            if let Some(bucket) = self.buckets.get_mut(at) {
                *bucket.passed_mut() -= 1;
            }
            at = self.after(at);
        }
        let bucket = self.buckets.get_mut(holder);
        if let Some(place) = bucket.and_then(|b| b.places_mut().find(|place| **place == entry)) {
            *place = FREE;
        }
        self.length -= 1;
        true
    }

    /// Returns the bucket that an entry stands in.
    fn holder(&self, home: usize, entry: u32) -> Option<usize> {
        let mut at = home;
        for _ in 0..self.buckets.len() {
            let bucket = self.buckets.get(at)?;
            if bucket.places().contains(&entry) {
                return Some(at);
            }
            if bucket.passed() == 0 {
                return None;
            }
            at = self.after(at);
        }
        None
    }

    /// Returns the words of a bucket that may be the entry of a key with this hash, a bit each. Free places and the
    /// count may be among them, rarely; their values are nobody's.
    #[inline(always)]
    fn candidates(&self, bucket: &Bucket, hash: u32) -> u32 {
        let mask = !self.value_mask;
        // All words at once, without a branch: the compiler makes this a few vector instructions.
        let mut found = 0_u32;
        for (bit, &word) in bucket.words.iter().enumerate() {
            found |= u32::from((word ^ hash) & mask == 0) << bit;
        }
        found
    }

    /// Returns the value in the first of these words.
    #[inline(always)]
    fn value(&self, bucket: &Bucket, candidates: u32) -> Option<u32> {
        let word = bucket.words.get(usize::try_from(candidates.trailing_zeros()).ok()?)?;
        Some((word & self.value_mask).wrapping_sub(1))
    }

    #[inline(always)]
    fn home(&self, hash: u32) -> usize {
        // Chosen by the bits that the bucket's places do not hold.
        let bits = hash.rotate_left(self.value_mask.leading_zeros());
        let scaled = u64::from(bits) * u64::try_from(self.buckets.len()).unwrap_or(0);
        usize::try_from(scaled >> 32).unwrap_or(0)
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 < self.buckets.len() { at + 1 } else { 0 }
    }
}
