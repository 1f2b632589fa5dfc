//! Trains: UDP datagrams of one flow that leave one after the other are written as one large packet, which the kernel
//! takes along its way once and cuts again where it has to (UDP segmentation offload). What arrives is what was sent,
//! datagram by datagram; only the identification of the packets, which means nothing in packets that must not be
//! fragmented (RFC 6864, section 4.1), is the kernel's.

use pinhole_dataplane::wire::{self, PROTOCOL_UDP, checksum, ipv4, u16_at};

use crate::datapath::tun::header::{Checksum, Ecn, Gso, GsoKind, HEADER_BYTES, VirtioNetHeader};
use crate::datapath::worker::frame::{Frame, Target};

/// Most datagrams of one train (`UDP_MAX_SEGMENTS` of the oldest kernels that can cut one).
const MAX_CARS: usize = 64;
/// Longest train, headers included: an IPv4 packet.
const MAX_LENGTH: usize = 65_535;

const IP_HEADER: usize = 20;
const HEADERS: usize = IP_HEADER + 8;
const UDP_LENGTH: usize = IP_HEADER + 4;
const UDP_CHECKSUM: usize = IP_HEADER + 6;
/// Offset of the checksum field in the UDP header.
const CHECKSUM_OFFSET: u16 = 6;

/// Returns how many of the frames can leave together; 0 only where there are none.
pub(super) fn length(frames: &[Frame]) -> usize {
    let Some((first, rest)) = frames.split_first() else { return 0 };
    // What is cheap to see comes first: for the payload a checksum may have to be computed.
    let mut same = rest.iter().take_while(|frame| flow(first) == flow(frame)).peekable();
    let Some(size) = same.peek().and_then(|_| payload(first)) else { return 1 };
    let (mut cars, mut total) = (1, HEADERS + size);
    for frame in same {
        let Some(next) = payload(frame).filter(|next| *next <= size) else { break };
        if cars == MAX_CARS || total + next > MAX_LENGTH {
            break;
        }
        (cars, total) = (cars + 1, total + next);
        if next < size {
            // Only the last may be shorter.
            break;
        }
    }
    cars
}

/// Joins frames that can leave together, as [`length`] says, behind an encoded header.
pub(super) fn join(frames: &[Frame], joined: &mut Vec<u8>) {
    joined.clear();
    let Some(first) = frames.first() else { return };
    let segment_size = u16::try_from(payload(first).unwrap_or(0)).unwrap_or(0);
    let header = VirtioNetHeader {
        checksum: Checksum::Partial { start: IP_HEADER as u16, offset: CHECKSUM_OFFSET },
        gso: Some(Gso { kind: GsoKind::UdpL4, segment_size, header_length: HEADERS as u16, ecn: Ecn::Plain }),
    };
    joined.extend(header.encode());
    joined.extend(first.packet());
    for frame in frames.iter().skip(1) {
        joined.extend(frame.packet().get(HEADERS..).unwrap_or_default());
    }
    if let Some(packet) = joined.get_mut(HEADER_BYTES..) {
        finish(packet);
    }
}

/// Writes the lengths and checksums of a train.
fn finish(packet: &mut [u8]) {
    let length = packet.len();
    wire::set_u16(packet, ipv4::TOTAL_LENGTH, u16::try_from(length).unwrap_or(u16::MAX));
    ipv4::fill_checksum(packet);
    let datagram = length.saturating_sub(IP_HEADER);
    wire::set_u16(packet, UDP_LENGTH, u16::try_from(datagram).unwrap_or(u16::MAX));
    let (source, destination) = (ipv4::source(packet), ipv4::destination(packet));
    let sum = checksum::pseudo_header(source, destination, PROTOCOL_UDP, datagram);
    wire::set_u16(packet, UDP_CHECKSUM, sum);
}

/// Returns the bytes of payload of a datagram that may be part of a train: whole, without IP options, not to be
/// fragmented, and with a checksum that is known to be right, as the kernel will write a new one.
fn payload(frame: &Frame) -> Option<usize> {
    const DONT_FRAGMENT: [u8; 2] = [0x40, 0];
    let packet = frame.packet();
    let header = packet.first_chunk::<HEADERS>()?;
    let &[0x45, _, _, _, _, _, flags, offset, _, PROTOCOL_UDP, ..] = header else { return None };
    let size = packet.len() - HEADERS;
    let plain = frame.target == Target::Onward
        && frame.header.gso.is_none()
        && [flags, offset] == DONT_FRAGMENT
        && usize::from(u16_at(header, UDP_LENGTH)) == size + HEADERS - IP_HEADER
        && size > 0;
    (plain && is_right(frame, packet)).then_some(size)
}

fn is_right(frame: &Frame, packet: &[u8]) -> bool {
    let sent_without = u16_at(packet, UDP_CHECKSUM) == 0;
    match frame.header.checksum {
        Checksum::Partial { .. } => true,
        Checksum::Verified => !sent_without,
        Checksum::Unverified => {
            let datagram = packet.get(IP_HEADER..).unwrap_or_default();
            let (source, destination) = (ipv4::source(packet), ipv4::destination(packet));
            !sent_without && checksum::transport(source, destination, PROTOCOL_UDP, datagram) == 0
        }
    }
}

/// Returns what all packets of a train have in common: type of service; time to live and protocol; addresses and ports.
fn flow(frame: &Frame) -> (Option<u8>, Option<&[u8]>, Option<&[u8]>) {
    let packet = frame.packet();
    (packet.get(1).copied(), packet.get(8..10), packet.get(12..24))
}

#[cfg(test)]
mod tests;
