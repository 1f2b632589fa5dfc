//! The least that a NAT has to do, as fast as it can be done: parse, hash, find, rewrite, mend the checksum; in
//! batches, with every memory access announced before it is needed.

use crate::traffic::{LENGTH, write_packet};

#[derive(Clone, Copy, Default)]
struct Entry {
    source: u32,
    destination: u32,
    ports: u32,
    new_source: u32,
    new_port: u16,
    used: bool,
}

pub(crate) struct Bare {
    entries: Vec<Entry>,
    mask: u32,
}

impl Bare {
    pub(crate) fn new(sessions: u32) -> Self {
        let size = (sessions * 2).next_power_of_two();
        let mut bare = Self { entries: vec![Entry::default(); size as usize], mask: size - 1 };
        let mut buffer = [0; LENGTH];
        for session in 0..sessions {
            write_packet(&mut buffer, session);
            let (source, destination, ports) = key(&buffer);
            let mut at = bare.home(source, destination, ports);
            while bare.entries[at as usize].used {
                at = (at + 1) & bare.mask;
            }
            bare.entries[at as usize] = Entry {
                source,
                destination,
                ports,
                new_source: 0xcb00_7101 + session / 64_000,
                new_port: 1_024 + (session % 64_000) as u16,
                used: true,
            };
        }
        bare
    }

    fn home(&self, source: u32, destination: u32, ports: u32) -> u32 {
        let mut hash = u64::from(source) << 32 | u64::from(ports);
        hash = (hash ^ u64::from(destination)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((hash >> 32) as u32) & self.mask
    }

    /// Finds and rewrites each packet of a batch.
    pub(crate) fn process<const N: usize>(&self, packets: &mut [[u8; LENGTH]; N]) {
        let mut homes = [0; N];
        for (packet, home) in packets.iter().zip(&mut homes) {
            let (source, destination, ports) = key(packet);
            *home = self.home(source, destination, ports);
            self.prefetch(*home);
        }
        for (packet, home) in packets.iter_mut().zip(homes) {
            self.rewrite(packet, home);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "the loop that the engine is held against uses every means there is")]
    fn prefetch(&self, at: u32) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let entry: *const Entry = &raw const self.entries[at as usize];
        // SAFETY: a prefetch of any address is harmless, and this one is of an element.
        unsafe { _mm_prefetch(entry.cast(), _MM_HINT_T0) }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn prefetch(&self, at: u32) {
        std::hint::black_box(self.entries[at as usize].used);
    }

    fn rewrite(&self, packet: &mut [u8; LENGTH], mut at: u32) {
        let (source, destination, ports) = key(packet);
        loop {
            let entry = &self.entries[at as usize];
            if entry.source == source && entry.destination == destination && entry.ports == ports {
                let old = u32::from(u16::from_be_bytes([packet[10], packet[11]]));
                packet[12..16].copy_from_slice(&entry.new_source.to_be_bytes());
                packet[20..22].copy_from_slice(&entry.new_port.to_be_bytes());
                packet[8] -= 1;
                let words = |value: u32| (value >> 16) + (value & 0xffff);
                let mut sum = (!old & 0xffff) + words(!source) + words(entry.new_source) + 0xfeff;
                sum = (sum & 0xffff) + (sum >> 16);
                sum = (sum & 0xffff) + (sum >> 16);
                packet[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
                return;
            }
            at = (at + 1) & self.mask;
        }
    }
}

fn key(packet: &[u8; LENGTH]) -> (u32, u32, u32) {
    let word = |at: usize| u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
    (word(12), word(16), word(20))
}
