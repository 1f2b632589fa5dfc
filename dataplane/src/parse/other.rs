//! Transports beside TCP, UDP and ICMP.

use super::{Body, Parsed, Quoted, Transport, UDP_HEADER, ports};
use crate::engine::DropReason;
use crate::tuple::{Key, Protocol, Tuple};
use crate::wire::{self, u16_at};

/// Reads a UDP-Lite header. Addresses and ports are always among what its checksum covers, as the length of the
/// pseudo header is the packet's and never changes (RFC 3828, section 3.1).
#[inline(never)]
pub(super) fn parse_udp_lite(datagram: &[u8]) -> Result<Transport, DropReason> {
    let Some(fixed) = datagram.first_chunk::<{ wire::UDP_HEADER }>() else {
        return Err(DropReason::Truncated);
    };
    let coverage = usize::from(u16_at(fixed, wire::UDP_LITE_COVERAGE));
    let covers = coverage == 0 || (wire::UDP_HEADER..=datagram.len()).contains(&coverage);
    // A checksum there must be: 0 is sent as all ones.
    if !covers || u16_at(fixed, wire::UDP_CHECKSUM) == 0 {
        return Err(DropReason::BadUdpLiteHeader);
    }
    Ok(Transport { protocol: Protocol::UdpLite, ports: ports(fixed)?, length: UDP_HEADER, body: Body::Udp })
}

/// Reads what there is to read of another transport: the call id of PPTP's GRE.
#[inline(never)]
pub(super) fn parse_other(number: u8, bytes: &[u8]) -> Transport {
    match call(number, bytes) {
        Some(call) => {
            let [high, low] = call.to_be_bytes();
            let ports = u32::from_ne_bytes([0, 0, high, low]);
            Transport { protocol: Protocol::Gre, ports, length: 0, body: Body::Call }
        }
        None => unread(number),
    }
}

/// Returns the call id, if it is a packet of a PPTP call: enhanced GRE with a key (RFC 2637, section 4.1).
fn call(number: u8, bytes: &[u8]) -> Option<u16> {
    const KEY_AND_VERSION: u16 = 0x2007;
    const KEY_VERSION_1: u16 = 0x2001;
    const PPP: u16 = 0x880b;
    let header = bytes.first_chunk::<{ wire::GRE_HEADER }>().filter(|_| number == wire::PROTOCOL_GRE)?;
    let enhanced = u16_at(header, wire::GRE_FLAGS) & KEY_AND_VERSION == KEY_VERSION_1;
    (enhanced && u16_at(header, wire::GRE_PROTOCOL) == PPP).then(|| u16_at(header, wire::GRE_CALL))
}

impl Parsed {
    /// Returns the packet of a call as one whose transport is not read.
    #[must_use]
    pub fn as_unread(self) -> Self {
        let Transport { protocol, ports, body, .. } = unread(wire::PROTOCOL_GRE);
        let [source, destination, _] = self.key.words;
        Self { key: Key { protocol, words: [source, destination, ports] }, body, ..self }
    }
}

impl Quoted {
    /// Returns the quoted packet of a call as one whose transport is not read.
    #[must_use]
    pub fn as_unread(self) -> Self {
        let number = u16::from(wire::PROTOCOL_GRE);
        let protocol = Protocol::Other;
        Self {
            tuple: Tuple { protocol, source_port: number, destination_port: number, ..self.tuple },
            ..self
        }
    }
}

/// Takes a packet whose transport is not read.
fn unread(number: u8) -> Transport {
    Transport { protocol: Protocol::Other, ports: in_both_ports(number), length: 0, body: Body::Other }
}

/// Returns the ports of an unread transport as they would lie in a packet.
const fn in_both_ports(number: u8) -> u32 {
    u32::from_ne_bytes([0, number, 0, number])
}

/// Returns the ports that stand for the transport that a quoted packet has.
pub(super) fn quoted_ports(number: u8, transport: &[u8]) -> (Protocol, u16, u16) {
    if number == wire::PROTOCOL_UDP_LITE {
        return (Protocol::UdpLite, u16_at(transport, 0), u16_at(transport, 2));
    }
    match call(number, transport) {
        Some(call) => (Protocol::Gre, 0, call),
        None => (Protocol::Other, u16::from(number), u16::from(number)),
    }
}
