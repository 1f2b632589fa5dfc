//! A sender that fragments, and a receiver that puts together, each from RFC 791.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::engine::{DropReason, Packet, Verdict};

use crate::network::Network;
use crate::packets::checksum;

/// Writes the header checksum anew.
pub(crate) fn finish(packet: &mut [u8]) {
    let header = usize::from(packet[0] & 15) * 4;
    packet[10..12].fill(0);
    let sum = checksum(&[&packet[..header]]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// The part of a packet's payload from `start` on, so many bytes, as a fragment.
pub(crate) fn part(packet: &[u8], start: usize, length: usize) -> Vec<u8> {
    let end = (20 + start + length).min(packet.len());
    let mut part = [&packet[..20], &packet[20 + start..end]].concat();
    let more = if end < packet.len() { 0x2000 } else { 0 };
    let field = u16::try_from(start / 8).unwrap() | more;
    part[6..8].copy_from_slice(&field.to_be_bytes());
    let total = u16::try_from(part.len()).unwrap();
    part[2..4].copy_from_slice(&total.to_be_bytes());
    finish(&mut part);
    part
}

/// Cuts a packet behind these numbers of eight bytes of its payload.
pub(crate) fn cut(packet: &[u8], lengths: &[usize]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    let mut start = 0;
    for length in lengths {
        if 20 + start + length * 8 < packet.len() {
            parts.push(part(packet, start, length * 8));
            start += length * 8;
        }
    }
    parts.push(part(packet, start, packet.len()));
    parts
}

/// Gives a packet another identification.
pub(crate) fn numbered(mut packet: Vec<u8>, identification: u16) -> Vec<u8> {
    packet[4..6].copy_from_slice(&identification.to_be_bytes());
    finish(&mut packet);
    packet
}

type Datagram = (Ipv4Addr, Ipv4Addr, u8, u16);

/// Puts fragments together whatever their order; what is whole already passes.
#[derive(Default)]
pub(crate) struct Receiver {
    parts: BTreeMap<Datagram, BTreeMap<usize, Vec<u8>>>,
    pub(crate) whole: Vec<Vec<u8>>,
}

impl Receiver {
    pub(crate) fn take(&mut self, packet: &[u8]) {
        assert_eq!(checksum(&[&packet[..usize::from(packet[0] & 15) * 4]]), 0, "IP header checksum");
        let field = u16::from_be_bytes([packet[6], packet[7]]);
        if field & 0x3fff == 0 {
            self.whole.push(packet.to_vec());
            return;
        }
        let address = |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
        let key = (address(12), address(16), packet[9], u16::from_be_bytes([packet[4], packet[5]]));
        let parts = self.parts.entry(key).or_default();
        parts.insert(usize::from(field & 0x1fff) * 8, packet.to_vec());
        if let Some(whole) = together(parts) {
            self.parts.remove(&key);
            self.whole.push(whole);
        }
    }
}

fn together(parts: &BTreeMap<usize, Vec<u8>>) -> Option<Vec<u8>> {
    let mut whole = parts.get(&0)?[..20].to_vec();
    for (start, part) in parts {
        if 20 + start != whole.len() {
            return None;
        }
        whole.extend(&part[20..]);
    }
    let (_, last) = parts.last_key_value()?;
    if last[6] & 0x20 != 0 {
        return None;
    }
    let total = u16::try_from(whole.len()).unwrap();
    whole[2..4].copy_from_slice(&total.to_be_bytes());
    whole[6..8].fill(0);
    finish(&mut whole);
    Some(whole)
}

impl Network {
    /// Sends a packet in a buffer that holds any, as the gateway does.
    pub(crate) fn send(&mut self, realm: Realm, bytes: &[u8]) -> (Verdict, Vec<u8>) {
        let mut buffer = vec![0; 65_535];
        buffer[..bytes.len()].copy_from_slice(bytes);
        let mut packet = Packet::new(&mut buffer, bytes.len());
        let verdict = self.engine.process(&mut packet, realm, self.now);
        (verdict, packet.bytes().to_vec())
    }

    /// Sends packets, and returns what leaves to the other side, in its order.
    pub(crate) fn carried(&mut self, realm: Realm, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut left = Vec::new();
        for packet in packets {
            let (verdict, bytes) = self.send(realm, packet);
            if matches!(verdict, Verdict::Forward | Verdict::Hairpin) {
                left.push(bytes);
            }
            while let Some(transmit) = self.engine.poll_transmit() {
                left.push(transmit.bytes);
            }
        }
        left
    }

    /// Sends packets, and returns what their receiver puts together of what leaves.
    pub(crate) fn received(&mut self, realm: Realm, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut receiver = Receiver::default();
        for packet in self.carried(realm, packets) {
            receiver.take(&packet);
        }
        receiver.whole
    }

    /// Returns how many packets a reason has dropped.
    pub(crate) fn drops(&self, reason: DropReason) -> u64 {
        self.engine.stats().drops(reason)
    }
}
