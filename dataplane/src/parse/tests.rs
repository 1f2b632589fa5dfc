use proptest::prelude::*;

use super::parse;
use crate::engine::DropReason;
use crate::wire::{ipv4, set_u16};

/// An IPv4 packet with a right header checksum.
fn packet(protocol: u8, transport: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 20];
    bytes[0] = 0x45;
    bytes[8] = 64;
    bytes[9] = protocol;
    bytes[12..16].copy_from_slice(&[10, 0, 0, 2]);
    bytes[16..20].copy_from_slice(&[192, 0, 2, 1]);
    bytes.extend_from_slice(transport);
    let length = u16::try_from(bytes.len()).unwrap();
    set_u16(&mut bytes, ipv4::TOTAL_LENGTH, length);
    ipv4::fill_checksum(&mut bytes);
    bytes
}

fn reason(bytes: &[u8]) -> DropReason {
    parse(bytes).unwrap_err()
}

#[test]
fn each_malformed_header_has_its_reason() {
    let udp = [0, 80, 0, 53, 0, 8, 0, 0];
    let good = packet(17, &udp);
    assert!(parse(&good).is_ok());
    assert_eq!(reason(&[]), DropReason::Truncated);
    assert_eq!(reason(&good[..27]), DropReason::Truncated);
    let with = |change: fn(&mut Vec<u8>)| {
        let mut bytes = packet(17, &[0, 80, 0, 53, 0, 8, 0, 0]);
        change(&mut bytes);
        ipv4::fill_checksum(&mut bytes);
        reason(&bytes)
    };
    assert_eq!(with(|bytes| bytes[0] = 0x65), DropReason::BadIpVersion);
    assert_eq!(with(|bytes| bytes[0] = 0x55), DropReason::BadIpVersion);
    assert_eq!(with(|bytes| bytes[0] = 0x44), DropReason::BadIpHeader);
    assert_eq!(with(|bytes| bytes[0] = 0x48), DropReason::BadIpHeader);
    assert_eq!(with(|bytes| bytes[6] = 0x20), DropReason::FragmentMalformed);
    assert_eq!(with(|bytes| bytes[25] = 9), DropReason::BadUdpLength);
    assert_eq!(with(|bytes| bytes[23] = 0), DropReason::PortZero);
    let mut corrupt = good;
    corrupt[8] = 63;
    assert_eq!(reason(&corrupt), DropReason::BadIpChecksum);
}

#[test]
fn source_routes_are_refused() {
    for kind in [131, 137] {
        let mut bytes = packet(17, &[kind, 7, 4, 1, 1, 1, 1, 0, 0, 80, 0, 53, 0, 8, 0, 0]);
        bytes[0] = 0x47;
        ipv4::fill_checksum(&mut bytes);
        assert_eq!(reason(&bytes), DropReason::SourceRoute);
    }
}

#[test]
fn tcp_headers_and_flags() {
    let mut segment = vec![0; 20];
    segment[1] = 80;
    segment[3] = 21;
    segment[12] = 5 << 4;
    let flags = |flags: u8| {
        let mut segment = segment.clone();
        segment[13] = flags;
        parse(&packet(6, &segment)).map(|_| ())
    };
    assert_eq!(flags(0x02), Ok(()));
    for contradictory in [0x00, 0x03, 0x06, 0x08, 0x20] {
        assert_eq!(flags(contradictory), Err(DropReason::BadTcpFlags));
    }
    for offset in [4, 6] {
        segment[12] = offset << 4;
        assert_eq!(reason(&packet(6, &segment)), DropReason::BadTcpHeader);
    }
    assert_eq!(reason(&packet(6, &segment[..19])), DropReason::Truncated);
}

#[test]
fn icmp_checksum_types_and_quotes() {
    let message = |bytes: &[u8]| {
        let mut message = bytes.to_vec();
        let sum = crate::wire::checksum::checksum(&message);
        set_u16(&mut message, 2, sum);
        message
    };
    assert!(parse(&packet(1, &message(&[8, 0, 0, 0, 0, 7, 0, 1]))).is_ok());
    assert_eq!(reason(&packet(1, &[8, 0, 1, 1, 0, 7, 0, 1])), DropReason::BadIcmpChecksum);
    assert_eq!(reason(&packet(1, &message(&[5, 0, 0, 0, 0, 7, 0, 1]))), DropReason::IcmpTypeUnsupported);
    assert_eq!(reason(&packet(1, &message(&[3, 3, 0, 0, 0, 0, 0, 0]))), DropReason::BadQuotedPacket);
    let mut error = vec![3, 3, 0, 0, 0, 0, 0, 0];
    error.extend(packet(17, &[0, 80, 0, 53, 0, 8, 0, 0]));
    assert!(parse(&packet(1, &message(&error))).is_ok());
    error[8 + 10] ^= 1;
    assert_eq!(reason(&packet(1, &message(&error))), DropReason::BadQuotedPacket);
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(parsed) = parse(&bytes) {
            prop_assert!(parsed.transport_at() <= parsed.payload_at());
            prop_assert!(parsed.payload_at() <= parsed.end() && parsed.end() <= bytes.len());
        }
    }

    /// Random bytes rarely pass the header checksum, so this starts from a right header.
    #[test]
    fn any_transport_is_parsed_or_refused(protocol in prop::sample::select(vec![1_u8, 6, 17]), bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let bytes = packet(protocol, &bytes);
        if let Ok(parsed) = parse(&bytes) {
            prop_assert!(parsed.payload_at() <= parsed.end() && parsed.end() <= bytes.len());
        }
    }
}
