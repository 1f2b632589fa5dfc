//! The header before each packet of a TUN device (virtio 1.2, section 5.1.6; `struct virtio_net_hdr`).

/// Its length on the wire.
pub const HEADER_BYTES: usize = 10;

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM` and `VIRTIO_NET_HDR_F_DATA_VALID`.
const FLAG_NEEDS_CHECKSUM: u8 = 1;
const FLAG_DATA_VALID: u8 = 2;

/// `VIRTIO_NET_HDR_GSO_*`.
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_UDP: u8 = 3;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// What is known of a packet's transport checksum.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Checksum {
    /// It stands in the packet, and nobody has looked at it.
    Unverified,
    /// It stands in the packet, and the kernel or a device found it right.
    Verified,
    /// The field holds the sum of the pseudo header only; the rest is added by whoever sends the packet.
    Partial {
        /// Where summing starts: the transport header's offset in the packet.
        start: u16,
        /// The checksum field's offset from there.
        offset: u16,
    },
}

/// Which protocol's segments a large packet is cut into when it is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GsoKind {
    /// TCP over IPv4.
    TcpV4,
    /// TCP over IPv6.
    TcpV6,
    /// UDP datagrams of equal size.
    UdpL4,
    /// One UDP datagram that is cut into IP fragments.
    UdpFragments,
}

/// How a large packet is cut when it is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gso {
    /// The protocol.
    pub kind: GsoKind,
    /// Payload bytes of each segment.
    pub segment_size: u16,
    /// Length of all headers together.
    pub header_length: u16,
    /// Whether the first segment alone carries CWR (RFC 3168).
    pub ecn: Ecn,
}

/// Whether a large TCP segment has its CWR flag for the first of its parts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ecn {
    /// It has not.
    Plain,
    /// It has.
    FirstSegment,
}

/// The header, parsed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VirtioNetHeader {
    /// The transport checksum.
    pub checksum: Checksum,
    /// `None` for a packet of ordinary size.
    pub gso: Option<Gso>,
}

/// Why a header is not understood. The kernel makes none of these; they are counted and dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HeaderError {
    /// Shorter than a header.
    #[error("shorter than its header")]
    Short,
    /// An unknown kind of segmentation.
    #[error("unknown segmentation kind {0}")]
    Gso(u8),
    /// A large packet without a segment size, or whose checksum nobody would complete.
    #[error("a large packet without segment size or partial checksum")]
    Incomplete,
    /// The checksum's place is outside the packet.
    #[error("checksum outside the packet")]
    Checksum,
}

impl VirtioNetHeader {
    /// An ordinary packet with a complete checksum.
    pub const PLAIN: Self = Self { checksum: Checksum::Unverified, gso: None };

    /// Splits what was read from a device into header and packet.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), HeaderError> {
        let Some((header, packet)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Err(HeaderError::Short);
        };
        let [flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1] = *header;
        let [header_length, segment_size, start, offset] =
            [[h0, h1], [g0, g1], [s0, s1], [o0, o1]].map(u16::from_ne_bytes);
        let checksum = if flags & FLAG_NEEDS_CHECKSUM != 0 {
            let field = usize::from(start).saturating_add(usize::from(offset));
            if field.saturating_add(2) > packet.len() {
                return Err(HeaderError::Checksum);
            }
            Checksum::Partial { start, offset }
        } else if flags & FLAG_DATA_VALID != 0 {
            Checksum::Verified
        } else {
            Checksum::Unverified
        };
        let kind = match gso_type & !GSO_ECN {
            GSO_NONE => return Ok((Self { checksum, gso: None }, packet)),
            GSO_TCPV4 => GsoKind::TcpV4,
            GSO_TCPV6 => GsoKind::TcpV6,
            GSO_UDP_L4 => GsoKind::UdpL4,
            GSO_UDP => GsoKind::UdpFragments,
            other => return Err(HeaderError::Gso(other)),
        };
        let partial = matches!(checksum, Checksum::Partial { .. });
        if segment_size == 0 || !partial {
            return Err(HeaderError::Incomplete);
        }
        let ecn = if gso_type & GSO_ECN == 0 { Ecn::Plain } else { Ecn::FirstSegment };
        Ok((Self { checksum, gso: Some(Gso { kind, segment_size, header_length, ecn }) }, packet))
    }

    /// Writes the header as the kernel reads it.
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let (flags, start, offset) = match self.checksum {
            Checksum::Unverified => (0, 0, 0),
            Checksum::Verified => (FLAG_DATA_VALID, 0, 0),
            Checksum::Partial { start, offset } => (FLAG_NEEDS_CHECKSUM, start, offset),
        };
        let (gso_type, segment_size, header_length) = match self.gso {
            None => (GSO_NONE, 0, 0),
            Some(gso) => {
                let kind = match gso.kind {
                    GsoKind::TcpV4 => GSO_TCPV4,
                    GsoKind::TcpV6 => GSO_TCPV6,
                    GsoKind::UdpL4 => GSO_UDP_L4,
                    GsoKind::UdpFragments => GSO_UDP,
                };
                let ecn = match gso.ecn {
                    Ecn::Plain => 0,
                    Ecn::FirstSegment => GSO_ECN,
                };
                (kind | ecn, gso.segment_size, gso.header_length)
            }
        };
        let [h, g, s, o] = [header_length, segment_size, start, offset].map(u16::to_ne_bytes);
        let ([h0, h1], [g0, g1], [s0, s1], [o0, o1]) = (h, g, s, o);
        [flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1]
    }
}

#[cfg(test)]
mod tests;
