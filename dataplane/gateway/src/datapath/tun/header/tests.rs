use super::*;

fn all_headers() -> Vec<VirtioNetHeader> {
    let mut headers = vec![VirtioNetHeader::PLAIN];
    headers.push(VirtioNetHeader { checksum: Checksum::Verified, gso: None });
    let checksum = Checksum::Partial { start: 20, offset: 16 };
    headers.push(VirtioNetHeader { checksum, gso: None });
    for kind in [GsoKind::TcpV4, GsoKind::TcpV6, GsoKind::UdpL4, GsoKind::UdpFragments] {
        for ecn in [Ecn::Plain, Ecn::FirstSegment] {
            let gso = Gso { kind, segment_size: 1448, header_length: 52, ecn };
            headers.push(VirtioNetHeader { checksum, gso: Some(gso) });
        }
    }
    headers
}

#[test]
fn every_header_survives_the_way_to_the_kernel_and_back() {
    for header in all_headers() {
        let packet = [header.encode().as_slice(), &[0x45; 60]].concat();
        assert_eq!(VirtioNetHeader::decode(&packet), Ok((header, [0x45; 60].as_slice())));
    }
}

#[test]
fn the_layout_is_the_kernels() {
    let gso =
        Gso { kind: GsoKind::TcpV4, segment_size: 0x0102, header_length: 0x0304, ecn: Ecn::FirstSegment };
    let checksum = Checksum::Partial { start: 0x0506, offset: 0x0708 };
    let mut expected = vec![1, 0x81];
    for field in [0x0304_u16, 0x0102, 0x0506, 0x0708] {
        expected.extend(field.to_ne_bytes());
    }
    assert_eq!(VirtioNetHeader { checksum, gso: Some(gso) }.encode().as_slice(), expected);
}

#[test]
fn contradictory_headers_are_errors() {
    let decode =
        |header: [u8; 10]| VirtioNetHeader::decode(&[header.as_slice(), &[0; 40]].concat()).map(drop);
    assert_eq!(VirtioNetHeader::decode(&[0; 9]).map(drop), Err(HeaderError::Short));
    assert_eq!(decode([0, 2, 0, 0, 1, 1, 0, 0, 0, 0]), Err(HeaderError::Gso(2)));
    // A large packet whose checksum would stay wrong, and one that nobody could cut.
    assert_eq!(decode([0, 1, 0, 0, 1, 1, 0, 0, 0, 0]), Err(HeaderError::Incomplete));
    assert_eq!(decode([1, 1, 0, 0, 0, 0, 0, 0, 0, 0]), Err(HeaderError::Incomplete));
    let [low, high] = 39_u16.to_ne_bytes();
    assert_eq!(decode([1, 0, 0, 0, 0, 0, low, high, 0, 0]), Err(HeaderError::Checksum));
    assert_eq!(decode([1, 0, 0, 0, 0, 0, 255, 255, 255, 255]), Err(HeaderError::Checksum));
}

#[test]
fn no_header_makes_the_parser_panic() {
    // Every value of the two bytes that select, and edges of the rest.
    for flags in 0..=u8::MAX {
        for gso in 0..=u8::MAX {
            for edge in [0, 1, 20, 255] {
                let header = [flags, gso, edge, 0, edge, 0, edge, 0, edge, edge];
                if let Ok((parsed, _)) = VirtioNetHeader::decode(&[header.as_slice(), &[0; 64]].concat()) {
                    let again = [parsed.encode().as_slice(), &[0; 64]].concat();
                    assert_eq!(VirtioNetHeader::decode(&again).unwrap().0, parsed);
                }
            }
        }
    }
}
