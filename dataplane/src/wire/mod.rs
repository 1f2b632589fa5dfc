//! Header fields at their offsets.
//!
//! Readers answer 0 and writers do nothing beyond the end of the bytes, so neither can panic; `parse` has checked
//! the lengths before anything here is believed.

pub mod checksum;
pub mod ipv4;
pub mod ipv6;
pub mod tcp;

/// IP protocol number of ICMP.
pub const PROTOCOL_ICMP: u8 = 1;
/// IP protocol number of TCP.
pub const PROTOCOL_TCP: u8 = 6;
/// IP protocol number of UDP.
pub const PROTOCOL_UDP: u8 = 17;
/// IP protocol number of DCCP (RFC 4340).
pub const PROTOCOL_DCCP: u8 = 33;
/// IP protocol number of GRE (RFC 2784).
pub const PROTOCOL_GRE: u8 = 47;
/// IP protocol number of the authentication header (RFC 4302).
pub const PROTOCOL_AH: u8 = 51;
/// IP protocol number of UDP-Lite (RFC 3828).
pub const PROTOCOL_UDP_LITE: u8 = 136;
/// IP protocol number of ESP (RFC 4303).
pub const PROTOCOL_ESP: u8 = 50;
/// IP protocol number of ICMPv6 (RFC 4443).
pub const PROTOCOL_ICMPV6: u8 = 58;
/// IP protocol number of SCTP (RFC 9260).
pub const PROTOCOL_SCTP: u8 = 132;
/// IP protocol number of HIP (RFC 7401).
pub const PROTOCOL_HIP: u8 = 139;
/// Offset of the UDP length.
pub const UDP_LENGTH: usize = 4;
/// Offset of the UDP checksum.
pub const UDP_CHECKSUM: usize = 6;
/// Length of the UDP header.
pub const UDP_HEADER: usize = 8;
/// Offset of the checksum coverage of UDP-Lite, in the place of UDP's length.
pub const UDP_LITE_COVERAGE: usize = 4;
/// Offset of the DCCP checksum.
pub const DCCP_CHECKSUM: usize = 6;

/// Offset of GRE's flags and version.
pub const GRE_FLAGS: usize = 0;
/// Offset of GRE's protocol.
pub const GRE_PROTOCOL: usize = 2;
/// Offset of the call id in PPTP's GRE, the second half of its key (RFC 2637, section 4.1).
pub const GRE_CALL: usize = 6;
/// Length of PPTP's GRE header without sequence numbers.
pub const GRE_HEADER: usize = 8;

/// Offset of the ICMP checksum.
pub const ICMP_CHECKSUM: usize = 2;
/// Offset of the ICMP query identifier.
pub const ICMP_IDENTIFIER: usize = 4;
/// Length of the ICMP header; an error quotes the packet after it.
pub const ICMP_HEADER: usize = 8;
/// ICMP type echo reply (RFC 792).
pub const ICMP_ECHO_REPLY: u8 = 0;
/// ICMP type destination unreachable (RFC 792).
pub const ICMP_UNREACHABLE: u8 = 3;
/// ICMP type echo (RFC 792).
pub const ICMP_ECHO: u8 = 8;
/// ICMP type time exceeded (RFC 792).
pub const ICMP_TIME_EXCEEDED: u8 = 11;
/// ICMP type parameter problem (RFC 792).
pub const ICMP_PARAMETER: u8 = 12;

/// Reads a byte.
pub fn u8_at(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// Reads a 16-bit number in network order.
pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    match bytes.get(at..at.saturating_add(2)) {
        Some(&[high, low]) => u16::from_be_bytes([high, low]),
        Some(_) | None => 0,
    }
}

/// Reads a 32-bit number in network order.
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    match bytes.get(at..at.saturating_add(4)) {
        Some(&[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]),
        Some(_) | None => 0,
    }
}

/// Reads four bytes as they are, in no order of a number's.
#[inline(always)]
pub fn word_at(bytes: &[u8], at: usize) -> u32 {
    match bytes.get(at..at.saturating_add(4)) {
        Some(&[a, b, c, d]) => u32::from_ne_bytes([a, b, c, d]),
        Some(_) | None => 0,
    }
}

/// Writes four bytes as they are.
#[inline(always)]
pub fn set_word(bytes: &mut [u8], at: usize, word: u32) {
    if let Some(target) = bytes.get_mut(at..at.saturating_add(4)) {
        target.copy_from_slice(&word.to_ne_bytes());
    }
}

/// Writes a byte.
pub fn set_u8(bytes: &mut [u8], at: usize, value: u8) {
    if let Some(target) = bytes.get_mut(at) {
        *target = value;
    }
}

/// Writes a 16-bit number in network order.
pub fn set_u16(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(target) = bytes.get_mut(at..at.saturating_add(2)) {
        target.copy_from_slice(&value.to_be_bytes());
    }
}

/// Writes a 32-bit number in network order.
pub fn set_u32(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(target) = bytes.get_mut(at..at.saturating_add(4)) {
        target.copy_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
