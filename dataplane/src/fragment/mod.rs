//! Datagrams that come in fragments (RFC 791, section 3.2), until the last one has come: which fragments of each were
//! seen, what became of the first one, and those that wait for it.
//!
//! Everything is bounded, and nobody's datagram is forgotten for another one: at a limit the newcomer is dropped. Who
//! sends what may never be completed fills only its own share, and only that part which is for datagrams whose first
//! fragment has not been seen.

use std::net::Ipv4Addr;

use crate::engine::DropReason;
use crate::wire::{self, ipv4, u8_at, u16_at};

mod links;
mod pieces;
mod quota;
mod table;
mod whole;

pub use pieces::{Misfit, Pieces};
pub use table::{Entry, Fragments, Leaving, Slot, State};
pub use whole::{assemble, cut};

/// Where a fragment meets the engine; the same bytes are different datagrams in each.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Lane {
    /// On its way out of the inside.
    Inside,
    /// On its way in.
    Outside,
    /// On its way back in, after it has left inside for an outside endpoint that stands for another inside one.
    Back,
}

/// What the fragments of one datagram have in common (RFC 791, section 3.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Datagram {
    /// Where they meet the engine.
    pub lane: Lane,
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// IP protocol number.
    pub protocol: u8,
    /// The sender's number of the datagram.
    pub identification: u16,
}

/// One fragment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fragment {
    /// Whose it is.
    pub datagram: Datagram,
    /// Where its payload begins in the datagram's, in bytes; a multiple of 8.
    pub start: u16,
    /// Bytes of its payload.
    pub length: u16,
    /// Whether others come after it.
    pub more: bool,
    /// Bytes of its header.
    pub header: u8,
    /// Time to live.
    pub ttl: u8,
}

/// Reads what a fragment's header says about it; the header itself is known to be right.
///
/// # Errors
/// When no datagram can have such a fragment.
pub fn parse(packet: &[u8], lane: Lane) -> Result<Fragment, DropReason> {
    let field = u16_at(packet, ipv4::FRAGMENT);
    let (header, total) = (ipv4::header_length(packet), ipv4::total_length(packet));
    let length = total.saturating_sub(header);
    let start = usize::from(field & ipv4::OFFSET_MASK) * ipv4::OFFSET_UNIT;
    let more = field & ipv4::MORE_FRAGMENTS != 0;
    if length == 0 || more && length % ipv4::OFFSET_UNIT != 0 {
        return Err(DropReason::FragmentMalformed);
    }
    // The whole would be longer than a packet can be, which has crashed hosts.
    if header + start + length > crate::limits::MAX_PACKET {
        return Err(DropReason::FragmentTooLong);
    }
    let protocol = u8_at(packet, ipv4::PROTOCOL);
    // It would overwrite the flags of the TCP header in the first one (RFC 1858, section 4.1; RFC 3128).
    if protocol == wire::PROTOCOL_TCP && start > 0 && start < wire::tcp::MIN_HEADER {
        return Err(DropReason::FragmentTiny);
    }
    let datagram = Datagram {
        lane,
        source: ipv4::source(packet),
        destination: ipv4::destination(packet),
        protocol,
        identification: u16_at(packet, ipv4::IDENTIFICATION),
    };
    // All of them are at most 65,535, and the header's length at most 60.
    Ok(Fragment {
        datagram,
        start: u16::try_from(start).unwrap_or(u16::MAX),
        length: u16::try_from(length).unwrap_or(u16::MAX),
        more,
        header: u8::try_from(header).unwrap_or(u8::MAX),
        ttl: u8_at(packet, ipv4::TTL),
    })
}

#[cfg(test)]
mod tests;
