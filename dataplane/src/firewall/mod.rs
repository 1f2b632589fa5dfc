//! Who may start a session, and which announced sessions are admitted.

use std::net::{IpAddr, Ipv4Addr};

use crate::addr::Realm;
use crate::alg::{Ends, PinholeRequest, Refusal, Transport};
use crate::config::{Snapshot, is_unicast};
use crate::engine::DropReason;
use crate::limits::FIRST_UNPRIVILEGED_PORT;

mod book;
pub mod ipv6;
mod reach;
mod site;

pub(crate) use book::Book;
pub(crate) use reach::Reach;
pub(crate) use site::Sites;

/// Checks the addresses of a packet that belongs to no session yet.
///
/// # Errors
/// When the source cannot be on the side that the packet came from, or the destination is no host's.
pub fn check_addresses(
    snapshot: &Snapshot,
    realm: Realm,
    source: Ipv4Addr,
    destination: Ipv4Addr,
) -> Result<(), DropReason> {
    let outside_owned = snapshot.pool_address(source).is_some() || snapshot.is_host(source);
    let source_fits = match realm {
        Realm::Inside => snapshot.is_inside(source),
        Realm::Outside => !snapshot.is_inside(source),
    };
    if !source_fits || outside_owned || !is_unicast(source) {
        return Err(DropReason::SpoofedSource);
    }
    if is_unicast(destination) { Ok(()) } else { Err(DropReason::BadDestination) }
}

/// Checks what an inside end announces about itself.
///
/// # Errors
/// When the named endpoint is not the sender's own, or must never be opened.
pub fn check_announced(snapshot: &Snapshot, ends: &Ends, request: &PinholeRequest) -> Result<(), Refusal> {
    if request.named.address != ends.sender(request.direction).local.address {
        return Err(Refusal::ForeignAddress);
    }
    let usable = match request.named.address {
        IpAddr::V4(address) => {
            is_unicast(address) && !snapshot.is_host(address) && snapshot.pool_address(address).is_none()
        }
        IpAddr::V6(address) => snapshot.ipv6().is_some_and(|rules| rules.is_subscriber(address)),
    };
    if !usable {
        return Err(Refusal::UnusableAddress);
    }
    // A call id is no port that anybody listens on.
    let privileged = match request.transport {
        Transport::Tcp | Transport::Udp => request.named.port < FIRST_UNPRIVILEGED_PORT,
        Transport::Gre(_) => false,
    };
    if privileged {
        return Err(Refusal::PrivilegedPort);
    }
    Ok(())
}
