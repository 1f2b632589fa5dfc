//! Asks the kernel whether the host itself has a socket for a packet that no session expects
//! (NETLINK_SOCK_DIAG, include/uapi/linux/inet_diag.h).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send, socket,
};

/// Message types of netlink and of socket diagnostics.
const NLMSG_ERROR: u16 = 2;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// Lengths of `struct nlmsghdr` and `struct inet_diag_req_v2`.
const HEADER_BYTES: usize = 16;
const REQUEST_BYTES: usize = HEADER_BYTES + 56;
/// `INET_DIAG_NOCOOKIE`, twice.
const NO_COOKIE: [u8; 8] = [0xff; 8];
/// Every state of a socket.
const ALL_STATES: u32 = u32::MAX;

/// The transport of the packet in question.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SocketKind {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A packet's addresses as the host's socket sees them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SocketTuple {
    /// The transport.
    pub kind: SocketKind,
    /// The host's end: the packet's destination.
    pub local: SocketAddrV4,
    /// The other end: the packet's source.
    pub remote: SocketAddrV4,
}

/// Whether the host has a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Presence {
    /// One is connected with exactly this peer, or listens for it.
    Socket,
    /// There is none.
    Nobody,
}

/// A socket to ask the kernel with.
#[derive(Debug)]
pub struct SocketTable {
    netlink: OwnedFd,
    sequence: u32,
}

impl SocketTable {
    /// Opens it in the calling thread's network namespace.
    pub fn open() -> nix::Result<Self> {
        let netlink = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkSockDiag,
        )?;
        // The kernel's own address, and no other sender is heard.
        connect(netlink.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Self { netlink, sequence: 0 })
    }

    /// Looks for the socket that a packet of this tuple would reach.
    pub fn lookup(&mut self, tuple: SocketTuple) -> nix::Result<Presence> {
        self.sequence = self.sequence.wrapping_add(1);
        send(self.netlink.as_raw_fd(), &request(tuple, self.sequence), MsgFlags::empty())?;
        let mut answer = [0_u8; 512];
        loop {
            // The kernel answers within the call to `send`, so this never waits.
            let length = match recv(self.netlink.as_raw_fd(), &mut answer, MsgFlags::empty()) {
                Err(nix::Error::EINTR) => continue,
                other => other?,
            };
            if let Some(presence) = parse(answer.get(..length).unwrap_or_default(), self.sequence)? {
                return Ok(presence);
            }
        }
    }
}

/// Encodes the question; addresses and ports are in network order, the rest in the host's.
fn request(tuple: SocketTuple, sequence: u32) -> Vec<u8> {
    let (protocol, source, destination) = match tuple.kind {
        // The kernel looks TCP up from the socket's view, but takes the two ends of UDP for those of a packet
        // that arrives (net/ipv4/udp_diag.c, udp_dump_one).
        SocketKind::Tcp => (nix::libc::IPPROTO_TCP, tuple.local, tuple.remote),
        SocketKind::Udp => (nix::libc::IPPROTO_UDP, tuple.remote, tuple.local),
    };
    let family = nix::libc::AF_INET;
    let mut bytes = Vec::with_capacity(REQUEST_BYTES);
    bytes.extend(u32::try_from(REQUEST_BYTES).unwrap_or_default().to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend([
        u8::try_from(family).unwrap_or_default(),
        u8::try_from(protocol).unwrap_or_default(),
        0,
        0,
    ]);
    bytes.extend(ALL_STATES.to_ne_bytes());
    bytes.extend(source.port().to_be_bytes());
    bytes.extend(destination.port().to_be_bytes());
    for address in [source.ip(), destination.ip()] {
        bytes.extend(address.octets());
        bytes.extend([0; 12]);
    }
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(NO_COOKIE);
    bytes
}

/// Reads an answer; `None` when it is one to an earlier question.
fn parse(answer: &[u8], sequence: u32) -> nix::Result<Option<Presence>> {
    let Some((header, body)) = answer.split_first_chunk::<HEADER_BYTES>() else {
        return Err(nix::Error::EBADMSG);
    };
    let [_, _, _, _, t0, t1, _, _, s0, s1, s2, s3, ..] = *header;
    if u32::from_ne_bytes([s0, s1, s2, s3]) != sequence {
        return Ok(None);
    }
    match u16::from_ne_bytes([t0, t1]) {
        SOCK_DIAG_BY_FAMILY => Ok(Some(Presence::Socket)),
        NLMSG_ERROR => {
            let Some((code, _)) = body.split_first_chunk::<4>() else { return Err(nix::Error::EBADMSG) };
            let error = nix::Error::from_raw(i32::from_ne_bytes(*code).saturating_neg());
            if error == nix::Error::ENOENT { Ok(Some(Presence::Nobody)) } else { Err(error) }
        }
        _ => Err(nix::Error::EBADMSG),
    }
}

/// Whether the kernel answers such questions at all: asks for a socket that certainly exists.
pub fn probe(table: &mut SocketTable) -> nix::Result<Presence> {
    let listener = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let any = nix::sys::socket::SockaddrIn::new(127, 0, 0, 1, 0);
    nix::sys::socket::bind(listener.as_raw_fd(), &any)?;
    let bound: nix::sys::socket::SockaddrIn = nix::sys::socket::getsockname(listener.as_raw_fd())?;
    table.lookup(SocketTuple {
        kind: SocketKind::Udp,
        local: SocketAddrV4::new(bound.ip(), bound.port()),
        remote: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9),
    })
}

#[cfg(test)]
mod tests;
