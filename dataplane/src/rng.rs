//! Unpredictable numbers from a seed that the caller gives.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// A counter hashed under a secret key: who sees some outputs (port numbers) cannot tell the next ones.
#[derive(Clone, Debug)]
pub struct Rng {
    key: (u64, u64),
    counter: u64,
}

/// The engine's secret, 32 bytes of the caller's randomness.
pub type Seed = [u8; 32];

impl Rng {
    /// Starts a generator; equal seeds give equal sequences.
    pub fn new(seed: &Seed) -> Self {
        Self { key: key_from(seed, 0), counter: 0 }
    }

    /// Returns the next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        hasher.write_u64(self.counter);
        self.counter = self.counter.wrapping_add(1);
        hasher.finish()
    }

    /// Returns a number below `bound`, 0 when `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        // Multiply-shift: the bias of at most bound/2^32 does not matter for ports.
        let random = self.next_u64() & 0xffff_ffff;
        u32::try_from((random * u64::from(bound)) >> 32).unwrap_or(0)
    }
}

/// Derives the seed of the tables' hashes from the other half, so that they share nothing with the ports' numbers.
pub(crate) fn table_seed(seed: &Seed) -> Seed {
    let mut turned = *seed;
    turned.rotate_left(16);
    turned
}

fn key_from(seed: &Seed, at: usize) -> (u64, u64) {
    let word = |offset: usize| {
        let mut bytes = [0; 8];
        for (target, source) in bytes.iter_mut().zip(seed.iter().skip(at + offset)) {
            *target = *source;
        }
        u64::from_le_bytes(bytes)
    };
    (word(0), word(8))
}
