//! Transports beside TCP, UDP and ICMP.

use super::{apply, rewrite_ports};
use crate::tuple::{Key, Protocol};
use crate::wire::checksum::Delta;
use crate::wire::{self, set_u16, u16_at};

/// Gives a UDP-Lite datagram the ports of `new`, and PPTP's GRE the call id; of other transports at most a checksum over the addresses changes,
/// which `addresses` says what became of.
#[inline(never)]
pub(super) fn translate(transport: &mut [u8], old: &Key, new: &Key, addresses: Delta, partial: bool) {
    let [_, _, number] = old.words;
    let [_, number, _, _] = number.to_ne_bytes();
    match old.protocol {
        Protocol::UdpLite => {
            rewrite_ports(transport, wire::UDP_CHECKSUM, old, new, addresses, partial);
            // 0 would be none, which there must not be (RFC 3828, section 3.1).
            if u16_at(transport, wire::UDP_CHECKSUM) == 0 {
                set_u16(transport, wire::UDP_CHECKSUM, 0xffff);
            }
        }
        // Its checksum, which PPTP does not use, covers no addresses (RFC 2784, section 2.3).
        Protocol::Gre => set_u16(transport, wire::GRE_CALL, new.tuple().destination_port),
        // SCTP's covers no addresses (RFC 9260, section 6.8), and ESP, GRE and most others have none.
        Protocol::Other if number == wire::PROTOCOL_DCCP => {
            apply(transport, wire::DCCP_CHECKSUM, addresses);
        }
        Protocol::Other | Protocol::Tcp | Protocol::Udp | Protocol::IcmpEcho => {}
    }
}
