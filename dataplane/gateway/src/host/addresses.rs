//! The host's own addresses, and a notice when they or the interfaces change.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

use pinhole_dataplane::config::interface::InterfaceName;

/// Multicast groups of rtnetlink (include/uapi/linux/rtnetlink.h).
const RTMGRP_LINK: u32 = 0x1;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV6_IFADDR: u32 = 0x100;
/// Changes of forwarding and reverse path filters: `1 << (RTNLGRP_IPV4_NETCONF - 1)`.
const RTMGRP_IPV4_NETCONF: u32 = 1 << 23;

/// The addresses of a network namespace.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct HostAddresses {
    /// The host's own.
    pub(crate) own: BTreeSet<Ipv4Addr>,
    /// The broadcast addresses of its networks.
    pub(crate) broadcast: BTreeSet<Ipv4Addr>,
    /// The host's own of IPv6, without those that are good on one link only.
    pub(crate) ipv6: BTreeSet<Ipv6Addr>,
}

impl HostAddresses {
    /// Asks the kernel.
    pub(crate) fn read() -> Result<Self, nix::Error> {
        let mut addresses = Self::default();
        for interface in nix::ifaddrs::getifaddrs()? {
            let ipv6 = interface.address.as_ref().and_then(|address| address.as_sockaddr_in6());
            let wide = |address: &Ipv6Addr| !address.is_unicast_link_local() && !address.is_loopback();
            addresses.ipv6.extend(ipv6.map(nix::sys::socket::SockaddrIn6::ip).filter(wide));
            let Some(own) = ipv4(interface.address.as_ref()) else { continue };
            addresses.own.insert(own);
            let length = ipv4(interface.netmask.as_ref()).map_or(32, |mask| mask.to_bits().leading_ones());
            // Networks of two addresses or one have no broadcast address (RFC 3021).
            if length < 31 {
                let host_bits = u32::MAX.checked_shr(length).unwrap_or(0);
                addresses.broadcast.insert(Ipv4Addr::from_bits(own.to_bits() | host_bits));
            }
        }
        Ok(addresses)
    }
}

/// Returns the host's own addresses on some interfaces.
pub(crate) fn of_interfaces(names: &[InterfaceName]) -> Result<BTreeSet<Ipv4Addr>, nix::Error> {
    let wanted = |name: &str| names.iter().any(|wanted| wanted.as_str() == name);
    let interfaces = nix::ifaddrs::getifaddrs()?.filter(|interface| wanted(&interface.interface_name));
    Ok(interfaces.filter_map(|interface| ipv4(interface.address.as_ref())).collect())
}

fn ipv4(address: Option<&nix::sys::socket::SockaddrStorage>) -> Option<Ipv4Addr> {
    address.and_then(|address| address.as_sockaddr_in()).map(nix::sys::socket::SockaddrIn::ip)
}

/// Tells when interfaces, their addresses or their settings have changed.
#[derive(Debug)]
pub(crate) struct Monitor {
    socket: OwnedFd,
}

impl Monitor {
    /// Starts to listen in the calling thread's network namespace.
    pub(crate) fn open() -> Result<Self, nix::Error> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )?;
        bind(
            std::os::fd::AsRawFd::as_raw_fd(&socket),
            &NetlinkAddr::new(0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_NETCONF | RTMGRP_IPV6_IFADDR),
        )?;
        Ok(Self { socket })
    }

    /// Takes all notices; returns whether there was one. What they say is not read: whoever asks looks anew.
    pub(crate) fn drain(&self) -> bool {
        let mut buffer = [0_u8; 4096];
        let mut noticed = false;
        loop {
            match recv(std::os::fd::AsRawFd::as_raw_fd(&self.socket), &mut buffer, MsgFlags::empty()) {
                Ok(_) | Err(nix::Error::ENOBUFS) => noticed = true,
                Err(nix::Error::EINTR) => {}
                Err(_) => return noticed,
            }
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
