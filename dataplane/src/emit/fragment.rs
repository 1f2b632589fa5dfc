//! Fragments, of which only the first one has a transport header.

use super::{apply, count_hop};
use crate::fragment::Leaving;
use crate::wire::checksum::Delta;
use crate::wire::{ipv4, set_u16, u16_at};

/// Gives a fragment that is not the first one the addresses and the identification that the first one left with.
pub fn readdress(bytes: &mut [u8], leaving: &Leaving, hop: bool) {
    let mut delta = Delta::NONE
        .replace_address(ipv4::source(bytes), leaving.source)
        .replace_address(ipv4::destination(bytes), leaving.destination);
    ipv4::set_source(bytes, leaving.source);
    ipv4::set_destination(bytes, leaving.destination);
    if hop {
        delta = delta.and(count_hop(bytes));
    }
    apply(bytes, ipv4::CHECKSUM, delta);
    set_identification(bytes, leaving.identification);
}

/// Gives a packet another identification.
pub fn set_identification(bytes: &mut [u8], identification: u16) {
    let delta = Delta::NONE.replace(u16_at(bytes, ipv4::IDENTIFICATION), identification);
    set_u16(bytes, ipv4::IDENTIFICATION, identification);
    apply(bytes, ipv4::CHECKSUM, delta);
}
