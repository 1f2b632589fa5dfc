//! What stands before a packet in a captured frame, by the registry of link types (www.tcpdump.org/linktypes.html).

/// The number of a kind of frame.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LinkType(pub u32);

impl LinkType {
    /// The loopback device of BSD: the address family, in the order of the machine that captured.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// IP and nothing before it.
    pub const RAW: Self = Self(101);
    /// The loopback device of OpenBSD: the address family in network order.
    pub const LOOP: Self = Self(108);
    /// A Linux device of any kind.
    pub const LINUX_COOKED: Self = Self(113);
    /// IPv4 and nothing before it.
    pub const IPV4: Self = Self(228);
    /// IPv6 and nothing before it.
    pub const IPV6: Self = Self(229);
    /// A Linux device of any kind, newer.
    pub const LINUX_COOKED_2: Self = Self(276);
}

/// The numbers by which OpenBSD and others wrote raw IP.
const RAW_ELSEWHERE: [LinkType; 2] = [LinkType(12), LinkType(14)];

/// EtherTypes of IPv4 and IPv6.
const IP: [u16; 2] = [0x0800, 0x86dd];
/// EtherTypes of a VLAN tag (802.1Q, 802.1ad), which four bytes with the next EtherType follow.
const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// VLAN tags of one frame; more are no network's.
const MAX_TAGS: usize = 4;

/// Why there is no packet in a frame.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum NoPacket {
    /// The link type is not known here.
    LinkType,
    /// The frame is shorter than its link layer's header.
    Short,
    /// The frame carries another protocol than IP: ARP for example.
    OtherProtocol,
}

/// Finds the IP packet in a frame, with whatever padding follows it.
///
/// # Errors
/// Where there is none.
pub fn packet(link: LinkType, frame: &[u8]) -> Result<&[u8], NoPacket> {
    match link {
        LinkType::ETHERNET => typed(frame, 12, 14),
        LinkType::LINUX_COOKED => typed(frame, 14, 16),
        LinkType::LINUX_COOKED_2 => typed(frame, 0, 20),
        // Families differ between systems, and the packet's own version says the same.
        LinkType::NULL | LinkType::LOOP => frame.get(4..).ok_or(NoPacket::Short).and_then(versioned),
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => versioned(frame),
        link if RAW_ELSEWHERE.contains(&link) => versioned(frame),
        LinkType(_) => Err(NoPacket::LinkType),
    }
}

/// Finds the packet behind a header that holds an EtherType, and behind VLAN tags.
fn typed(frame: &[u8], mut type_at: usize, mut packet_at: usize) -> Result<&[u8], NoPacket> {
    for _ in 0..=MAX_TAGS {
        let Some(&[high, low]) = frame.get(type_at..type_at + 2) else { return Err(NoPacket::Short) };
        let ether_type = u16::from_be_bytes([high, low]);
        let rest = frame.get(packet_at..).ok_or(NoPacket::Short)?;
        if IP.contains(&ether_type) {
            return versioned(rest);
        }
        if !VLAN.contains(&ether_type) {
            return Err(NoPacket::OtherProtocol);
        }
        type_at = packet_at + 2;
        packet_at += 4;
    }
    Err(NoPacket::OtherProtocol)
}

fn versioned(packet: &[u8]) -> Result<&[u8], NoPacket> {
    match packet.first().map(|first| first >> 4) {
        Some(4 | 6) => Ok(packet),
        Some(_) => Err(NoPacket::OtherProtocol),
        None => Err(NoPacket::Short),
    }
}
