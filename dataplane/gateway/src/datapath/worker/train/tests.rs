use pinhole_dataplane::wire::{self, checksum, ipv4};
use proptest::prelude::*;

use super::{HEADERS, IP_HEADER, MAX_CARS, UDP_CHECKSUM, UDP_LENGTH, join, length};
use crate::datapath::tun::header::{Checksum, GsoKind, HEADER_BYTES, VirtioNetHeader};
use crate::datapath::worker::frame::{Frame, Left, Target};

const PARTIAL: Checksum = Checksum::Partial { start: 20, offset: 6 };

/// A datagram to port `port` with payload bytes `payload`.
fn datagram(port: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 7, 7, 0x40, 0, 63, 17, 0, 0, 203, 0, 113, 1, 203, 0, 113, 2];
    packet.extend([0x20, 0, 0x30, port, 0, 0, 0, 0]);
    packet.extend(payload);
    let whole = u16::try_from(packet.len()).unwrap();
    wire::set_u16(&mut packet, ipv4::TOTAL_LENGTH, whole);
    wire::set_u16(&mut packet, UDP_LENGTH, whole - 20);
    ipv4::fill_checksum(&mut packet);
    let (source, destination) = (ipv4::source(&packet), ipv4::destination(&packet));
    let sum = checksum::transport(source, destination, 17, &packet[IP_HEADER..]);
    wire::set_u16(&mut packet, UDP_CHECKSUM, sum);
    packet
}

fn frame(checksum: Checksum, packet: &[u8]) -> Frame {
    let mut frame = Frame::new();
    let header = VirtioNetHeader { checksum, gso: None }.encode();
    frame.room()[..HEADER_BYTES].copy_from_slice(&header);
    frame.room()[HEADER_BYTES..HEADER_BYTES + packet.len()].copy_from_slice(packet);
    frame.take(HEADER_BYTES + packet.len()).unwrap();
    let left = Left::from(&frame.lend());
    frame.leave(left, Target::Onward);
    frame
}

/// Cuts a train as Linux does (`__udp_gso_segment`): each segment gets the headers, its own lengths and checksums.
fn cut(train: &[u8]) -> Vec<Vec<u8>> {
    let (header, packet) = VirtioNetHeader::decode(train).unwrap();
    let gso = header.gso.unwrap();
    assert_eq!((gso.kind, header.checksum), (GsoKind::UdpL4, PARTIAL));
    assert_eq!(checksum::checksum(&packet[..IP_HEADER]), 0);
    let (source, destination) = (ipv4::source(packet), ipv4::destination(packet));
    let pseudo = checksum::pseudo_header(source, destination, 17, packet.len() - IP_HEADER);
    assert_eq!(wire::u16_at(packet, UDP_CHECKSUM), pseudo);
    assert_eq!(usize::from(wire::u16_at(packet, UDP_LENGTH)), packet.len() - IP_HEADER);
    let payloads = packet[HEADERS..].chunks(usize::from(gso.segment_size));
    payloads.map(|payload| datagram(packet[23], payload)).collect()
}

/// Lets frames leave as the worker does.
fn leave(frames: &[Frame]) -> Vec<Vec<u8>> {
    let (mut left, mut joined, mut rest) = (Vec::new(), Vec::new(), frames);
    while !rest.is_empty() {
        let (train, after) = rest.split_at(length(rest));
        rest = after;
        if let [alone] = train {
            left.push(alone.packet().to_vec());
        } else {
            join(train, &mut joined);
            left.extend(cut(&joined));
        }
    }
    left
}

proptest! {
    /// What arrives is what was sent, in its order.
    #[test]
    fn a_train_is_its_cars(cars in prop::collection::vec((0_u8..2, 0_usize..5, any::<u8>()), 0..200)) {
        let packets: Vec<_> = cars.iter().map(|(port, size, byte)| datagram(*port, &vec![*byte; *size])).collect();
        let frames: Vec<_> = packets.iter().map(|packet| frame(Checksum::Unverified, packet)).collect();
        prop_assert_eq!(leave(&frames), packets);
    }
}

#[test]
fn a_train_is_as_long_as_the_kernel_can_cut() {
    let equal = |count| -> Vec<Frame> {
        (0..count).map(|_| frame(Checksum::Unverified, &datagram(1, b"four"))).collect()
    };
    assert_eq!(length(&[]), 0);
    assert_eq!(length(&equal(1)), 1);
    assert_eq!(length(&equal(MAX_CARS + 9)), MAX_CARS);
    let large: Vec<_> = (0..50).map(|_| frame(PARTIAL, &datagram(1, &[7; 1_472]))).collect();
    assert_eq!(length(&large), (65_535 - HEADERS) / 1_472);
}

#[test]
fn only_the_last_may_be_shorter_and_none_longer() {
    let frames = |sizes: &[usize]| -> Vec<Frame> {
        sizes.iter().map(|&size| frame(Checksum::Unverified, &datagram(1, &vec![1; size]))).collect()
    };
    assert_eq!(length(&frames(&[5, 5, 3, 3])), 3);
    assert_eq!(length(&frames(&[5, 5, 6])), 2);
    assert_eq!(length(&frames(&[3, 5])), 1);
    assert_eq!(length(&frames(&[5, 0])), 1);
}

#[test]
fn what_differs_in_anything_that_the_kernel_would_repeat_leaves_alone() {
    let good = datagram(1, b"data");
    let pair =
        |other: Vec<u8>, checksum| length(&[frame(Checksum::Verified, &good), frame(checksum, &other)]);
    let with = |at: usize, value: u8| {
        let mut packet = good.clone();
        packet[at] = value;
        packet
    };
    assert_eq!(pair(good.clone(), Checksum::Unverified), 2);
    assert_eq!(pair(with(5, 9), PARTIAL), 2, "identification");
    for (at, value) in
        [(1, 4), (8, 9), (9, 6), (15, 7), (19, 7), (21, 1), (23, 9), (6, 0), (6, 0x60), (7, 1), (0, 0x46)]
    {
        assert_eq!(pair(with(at, value), PARTIAL), 1, "byte {at}");
    }
    assert_eq!(pair(with(25, 11), PARTIAL), 1, "UDP length");
    assert_eq!(pair(with(30, b'x'), Checksum::Unverified), 1, "wrong checksum");
    let mut without = good.clone();
    wire::set_u16(&mut without, UDP_CHECKSUM, 0);
    assert_eq!(pair(without.clone(), Checksum::Unverified), 1, "no checksum");
    assert_eq!(pair(without, Checksum::Verified), 1, "no checksum");
}

#[test]
fn what_goes_elsewhere_is_no_part_of_a_train() {
    let mut back = frame(PARTIAL, &datagram(1, b"data"));
    let left = Left::from(&back.lend());
    back.leave(left, Target::Back);
    assert_eq!(length(&[frame(PARTIAL, &datagram(1, b"data")), back]), 1);
}
