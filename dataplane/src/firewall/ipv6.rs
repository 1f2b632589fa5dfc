//! Which addresses of IPv6 may meet (RFC 6092, section 3.1; RFC 4890), and what comes in unasked.

use std::net::Ipv6Addr;

use crate::addr::Realm;
use crate::config::ipv6::{Ipv6Rules, is_global};
use crate::conntrack::ipv6::Ipv6Key;
use crate::engine::DropReason;
use crate::wire;

/// The port of IKE (RFC 7296), and that of IKE and ESP in UDP (RFC 3948).
const IKE_PORTS: [u16; 2] = [500, 4_500];

/// Whether a packet concerns its link or the gateway's own host, and is none to forward.
pub fn stays(rules: &Ipv6Rules, realm: Realm, destination: Ipv6Addr) -> bool {
    let hidden = realm == Realm::Outside && rules.is_inside(destination);
    is_link_local(destination) || rules.is_host(destination) && !hidden
}

/// Whether an address is good on one link only: of its own, or of a group of that scope (RFC 4291, section 2.7).
fn is_link_local(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.octets();
    let group = first == 0xff && second & 0x0f <= 2;
    address.is_unicast_link_local() || group
}

/// Checks the addresses of a packet that belongs to no session yet.
///
/// # Errors
/// When the source cannot be on the side that the packet came from, or the destination is no host's of the other.
pub fn check_addresses(
    rules: &Ipv6Rules,
    realm: Realm,
    source: Ipv6Addr,
    destination: Ipv6Addr,
) -> Result<(), DropReason> {
    let elsewhere = |address| is_global(address) && !rules.is_inside(address) && !rules.is_host(address);
    match realm {
        Realm::Inside if !rules.is_subscriber(source) => Err(DropReason::SpoofedSource),
        Realm::Inside if !elsewhere(destination) => Err(DropReason::BadDestination),
        Realm::Outside if !elsewhere(source) => Err(DropReason::SpoofedSource),
        Realm::Outside if !rules.is_subscriber(destination) => Err(DropReason::BadDestination),
        Realm::Inside | Realm::Outside => Ok(()),
    }
}

/// Whether a packet from outside may come in whatever was sent: an opening leads to its destination, or it is of a
/// protocol that protects itself and needs no filter (RFC 6092, REC-21, REC-22, REC-24 and REC-26).
pub fn admits_unasked(rules: &Ipv6Rules, key: &Ipv6Key) -> bool {
    let protects_itself = match key.protocol {
        wire::PROTOCOL_ESP | wire::PROTOCOL_AH | wire::PROTOCOL_HIP => true,
        wire::PROTOCOL_UDP => IKE_PORTS.contains(&key.inside_port),
        _ => false,
    };
    protects_itself && rules.admits_ipsec() || rules.is_open(key.protocol, key.inside, key.inside_port)
}
