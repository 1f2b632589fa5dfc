//! Variations of inputs, by a seed.

/// SplitMix64, and what fuzzers do to bytes.
#[derive(Clone, Debug)]
pub struct Mutator(u64);

impl Mutator {
    /// Equal seeds make equal variations.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    /// Returns one of the inputs with a few changes; `most` bounds its length.
    pub fn vary(&mut self, inputs: &[Vec<u8>], most: usize) -> Vec<u8> {
        let mut bytes = inputs.get(self.below(inputs.len())).cloned().unwrap_or_default();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len() + 1).min(bytes.len());
            match self.below(6) {
                0 => {
                    let other = inputs.get(self.below(inputs.len())).cloned().unwrap_or_default();
                    let from = self.below(other.len() + 1);
                    bytes.truncate(at);
                    bytes.extend(other.iter().skip(from));
                }
                1 => {
                    let end = (at + self.below(16)).min(bytes.len());
                    bytes.drain(at..end);
                }
                2 => {
                    let end = (at + self.below(16)).min(bytes.len());
                    let piece: Vec<u8> = bytes.iter().take(end).skip(at).copied().collect();
                    bytes.splice(at..at, piece);
                }
                3 => {
                    let piece: Vec<u8> = (0..self.below(8)).map(|_| self.next().to_le_bytes()[0]).collect();
                    bytes.splice(at..at, piece);
                }
                4 => {
                    let (bit, value) = (self.below(8), self.below(3));
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = [*byte ^ 1 << bit, 0, u8::MAX].get(value).copied().unwrap_or(0);
                    }
                }
                _ => {
                    let change = self.next().to_le_bytes()[0];
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = byte.wrapping_add(change);
                    }
                }
            }
        }
        bytes.truncate(most);
        bytes
    }
}
