use std::time::Duration;

use proptest::prelude::*;

use super::bytes::Order;
use super::link::{LinkType, NoPacket, packet};
use super::{CaptureError, Record, Records, pcap};

/// Writes numbers in an order.
struct Bytes(Order, Vec<u8>);

impl Bytes {
    fn u32s(mut self, numbers: &[u32]) -> Self {
        for number in numbers {
            self.1.extend(match self.0 {
                Order::Big => number.to_be_bytes(),
                Order::Little => number.to_le_bytes(),
            });
        }
        self
    }

    fn u16s(mut self, numbers: &[u16]) -> Self {
        for number in numbers {
            self.1.extend(match self.0 {
                Order::Big => number.to_be_bytes(),
                Order::Little => number.to_le_bytes(),
            });
        }
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.1.extend(bytes);
        self
    }

    /// Adds a block of pcapng.
    fn block(self, kind: u32, body: &[u8]) -> Self {
        let padded = body.len().next_multiple_of(4);
        let total = u32::try_from(padded + 12).unwrap();
        let padding = vec![0; padded - body.len()];
        self.u32s(&[kind, total]).bytes(body).bytes(&padding).u32s(&[total])
    }
}

fn all(bytes: &[u8]) -> Vec<Record<'_>> {
    Records::new(bytes).unwrap().map(|record| record.unwrap()).collect()
}

#[test]
fn the_classic_format_is_read_in_both_orders_and_both_resolutions() {
    for order in [Order::Big, Order::Little] {
        for (magic, nanos) in [(0xa1b2_c3d4, 7_000), (0xa1b2_3c4d, 7)] {
            let file = Bytes(order, vec![]).u32s(&[magic, 0, 0, 0, 65_535, 1]);
            let file = file.u32s(&[1_000, 7, 3, 1_500]).bytes(b"abc").u32s(&[1_001, 0, 0, 0]).1;
            let [first, second] = all(&file)[..] else { panic!("two records") };
            let time = Duration::new(1_000, nanos);
            assert_eq!(first, Record { time, link: LinkType::ETHERNET, frame: b"abc", length: 1_500 });
            assert!(!first.is_whole());
            assert!(second.is_whole());
        }
    }
}

#[test]
fn what_is_written_is_read() {
    let time = Duration::new(1_700_000_000, 123_456_789);
    let mut file = Vec::from(pcap::header());
    for frame in [&b"\x45rest"[..], b""] {
        file.extend(pcap::record_header(time, frame.len()));
        file.extend(frame);
    }
    let record = Record { time, link: LinkType::RAW, frame: b"\x45rest", length: 5 };
    assert_eq!(all(&file), [record, Record { frame: b"", length: 0, ..record }]);
}

#[test]
fn the_next_generation_is_read_in_both_orders_with_each_kind_of_frame() {
    for order in [Order::Big, Order::Little] {
        let bytes = || Bytes(order, vec![]);
        let section = bytes().u32s(&[0x1a2b_3c4d]).u16s(&[1, 0]).u32s(&[u32::MAX, u32::MAX]).1;
        let plain = bytes().u16s(&[1, 0]).u32s(&[4]).1;
        // Nanoseconds, and a second is added.
        let offset = match order {
            Order::Big => 1_i64.to_be_bytes(),
            Order::Little => 1_i64.to_le_bytes(),
        };
        let fine = bytes().u16s(&[101, 0]).u32s(&[0]).u16s(&[9, 1]).bytes(&[9, 0, 0, 0]);
        let fine = fine.u16s(&[14, 8]).bytes(&offset).u16s(&[0, 0]).1;
        let enhanced = bytes().u32s(&[1, 1, 7, 5, 5]).bytes(b"12345").1;
        let obsolete = bytes().u16s(&[0, 9]).u32s(&[0, 2_500_000, 2, 60]).bytes(b"ab").1;
        let simple = bytes().u32s(&[60]).bytes(b"wxyz").1;
        let file = bytes().block(0x0a0d_0d0a, &section).block(1, &plain).block(1, &fine).block(5, b"what");
        let file = file.block(6, &enhanced).block(2, &obsolete).block(3, &simple);
        // In a new section the interfaces are counted anew.
        let file = file.block(0x0a0d_0d0a, &section).block(6, &enhanced).1;
        let mut records = Records::new(&file).unwrap();
        let mut next = || records.next().unwrap();
        let time = Duration::from_nanos((1 << 32) + 7 + 1_000_000_000);
        assert_eq!(next(), Ok(Record { time, link: LinkType::RAW, frame: b"12345", length: 5 }));
        let time = Duration::from_millis(2_500);
        assert_eq!(next(), Ok(Record { time, link: LinkType::ETHERNET, frame: b"ab", length: 60 }));
        assert_eq!(next(), Ok(Record { time, link: LinkType::ETHERNET, frame: b"wxyz", length: 60 }));
        assert!(matches!(next(), Err(CaptureError::UnknownInterface(_))));
        assert_eq!(records.next(), None);
    }
}

#[test]
fn what_is_damaged_is_said_with_its_place_and_ends_the_capture() {
    assert_eq!(Records::new(b"").unwrap_err(), CaptureError::UnknownFormat);
    assert_eq!(Records::new(b"GIF89a, perhaps").unwrap_err(), CaptureError::UnknownFormat);
    let header = pcap::header();
    assert_eq!(Records::new(&header[..20]).unwrap_err(), CaptureError::Truncated(0));
    let errors = |tail: &[u8]| {
        let file = [&header[..], tail].concat();
        Records::new(&file).unwrap().map(Result::unwrap_err).collect::<Vec<_>>()
    };
    assert_eq!(errors(&[0; 15]), [CaptureError::Truncated(24)]);
    let record = |kept: u32| Bytes(Order::Little, vec![]).u32s(&[0, 0, kept, kept]).bytes(b"x").1;
    assert_eq!(errors(&record(2)), [CaptureError::Truncated(24)]);
    assert_eq!(errors(&record(262_145)), [CaptureError::Damaged(24)]);
    let block = |total: u32, again: u32| {
        let file = Bytes(Order::Little, vec![]).u32s(&[0x0a0d_0d0a, total, 0x1a2b_3c4d, 1, 0, 0, again]).1;
        Records::new(&file).unwrap().next().map(Result::unwrap_err)
    };
    assert_eq!(block(28, 28), None);
    for (total, again) in [(28, 24), (27, 27), (8, 8), (u32::MAX, u32::MAX)] {
        assert_eq!(block(total, again), Some(CaptureError::Damaged(0)));
    }
    assert_eq!(block(32, 32), Some(CaptureError::Truncated(0)));
}

#[test]
fn packets_are_found_behind_their_link_layers() {
    let ip = b"\x45packet";
    let frame = |before: &[u8]| [before, &ip[..]].concat();
    let tagged = [&[0; 12][..], &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 8, 0]].concat();
    for (link, before) in [
        (1, [&[0; 12][..], &[8, 0]].concat()),
        (1, tagged),
        (0, vec![2, 0, 0, 0]),
        (108, vec![0, 0, 0, 2]),
        (101, vec![]),
        (12, vec![]),
        (228, vec![]),
        (113, [&[0; 14][..], &[8, 0]].concat()),
        (276, [&[8, 0][..], &[0; 18]].concat()),
    ] {
        assert_eq!(packet(LinkType(link), &frame(&before)), Ok(&ip[..]), "{link}");
        assert_eq!(packet(LinkType(link), &before), Err(NoPacket::Short), "{link}");
    }
    let arp = [&[0; 12][..], &[8, 6], &[0; 28]].concat();
    assert_eq!(packet(LinkType::ETHERNET, &arp), Err(NoPacket::OtherProtocol));
    assert_eq!(packet(LinkType::RAW, b"\x55"), Err(NoPacket::OtherProtocol));
    assert_eq!(packet(LinkType(105), ip), Err(NoPacket::LinkType));
    let endless = [&[0; 12][..], &[0x81, 0, 0, 0].repeat(9)].concat();
    assert_eq!(packet(LinkType::ETHERNET, &endless), Err(NoPacket::OtherProtocol));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(magic in 0_usize..3, tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        let heads: [&[u8]; 3] = [&pcap::header(), b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a", b""];
        let file = [heads[magic], &tail].concat();
        for record in Records::new(&file).into_iter().flatten().flatten() {
            let _ = packet(record.link, record.frame);
        }
    }
}
