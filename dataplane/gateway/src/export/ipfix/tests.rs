//! Messages are read back by a decoder that knows RFC 7011 only, not the templates.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::engine::{EndReason, LimitReached, Scarce};
use pinhole_dataplane::tuple::Protocol;

use super::*;
use crate::export::record::{Binding, Block, Flow, What};

/// The values of a data record by the numbers of their elements, and the template's number.
type Decoded = (u16, Vec<(u16, u64)>);

#[derive(Default)]
struct Collector {
    /// Elements and their lengths.
    templates: BTreeMap<u16, Vec<(u16, usize)>>,
    records: Vec<Decoded>,
    /// Sequence number and domain of each message.
    headers: Vec<(u32, u32)>,
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn word(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
}

impl Collector {
    fn take(&mut self, message: &[u8]) {
        assert_eq!((word(message, 0), word(message, 2)), (10, message.len()), "version and length");
        let header = (number(&message[8..12]) as u32, number(&message[12..16]) as u32);
        self.headers.push(header);
        let mut at = 16;
        while at < message.len() {
            let (id, length) = (word(message, at), word(message, at + 2));
            assert!(length > 4 && at + length <= message.len(), "a set's length");
            let set = &message[at + 4..at + length];
            match id {
                2 | 3 => self.take_templates(set, if id == 3 { 2 } else { 0 }),
                256.. => self.take_data(id as u16, set),
                other => panic!("a set of kind {other}"),
            }
            at += length;
        }
    }

    fn take_templates(&mut self, mut set: &[u8], scope_bytes: usize) {
        while !set.is_empty() {
            let (id, count) = (word(set, 0) as u16, word(set, 2));
            let fields = &set[4 + scope_bytes..4 + scope_bytes + count * 4];
            let fields = fields.chunks(4).map(|field| (word(field, 0) as u16, word(field, 2)));
            self.templates.insert(id, fields.collect());
            set = &set[4 + scope_bytes + count * 4..];
        }
    }

    fn take_data(&mut self, id: u16, mut set: &[u8]) {
        let fields = self.templates.get(&id).expect("the template came before").clone();
        while !set.is_empty() {
            let mut values = Vec::new();
            for (element, length) in &fields {
                let (value, rest) = set.split_at(*length);
                values.push((*element, number(value)));
                set = rest;
            }
            self.records.push((id, values));
        }
    }

    fn of(frames: &[Frame]) -> Self {
        let mut collector = Self::default();
        frames.iter().for_each(|frame| collector.take(&frame.bytes));
        collector
    }
}

fn flow() -> Flow {
    Flow {
        protocol: Protocol::Udp,
        originator: Realm::Outside,
        inside: "10.0.0.2:2000".parse().unwrap(),
        outside: "203.0.113.1:3000".parse().unwrap(),
        remote: "198.51.100.5:53".parse().unwrap(),
    }
}

fn flow_v6() -> Flow {
    let (inside, remote) = ("[2001:db8::2]:2000".parse().unwrap(), "[2001:db8:1::5]:53".parse().unwrap());
    Flow { inside, outside: inside, remote, originator: Realm::Inside, ..flow() }
}

fn binding() -> Binding {
    let Flow { protocol, inside, outside, remote, .. } = flow();
    Binding { id: 7, origin: "ftp", protocol, inside, outside, peer: remote }
}

fn limit(scarce: Scarce) -> What {
    let subscriber = Ipv4Addr::new(10, 0, 0, 2);
    What::LimitReached(LimitReached { subscriber, protocol: Protocol::Tcp, scarce })
}

/// One record of every kind that has a form.
fn all() -> Vec<Record> {
    let block = Block {
        subscriber: "10.0.0.2".parse().unwrap(),
        outside: "203.0.113.1".parse().unwrap(),
        first: 1_024,
        last: 1_535,
    };
    let ended = |flow| What::SessionEnded { flow, packets_out: 3, packets_in: 4, reason: EndReason::Expired };
    [
        What::SessionOpened(flow()),
        ended(flow()),
        What::BlockAllocated(block),
        What::BlockReleased(block),
        What::PinholeOpened(binding()),
        What::PinholeClosed { binding: binding(), reason: "used" },
        What::MappingOpened(binding()),
        What::MappingClosed { binding: binding(), reason: "expired" },
        limit(Scarce::SubscriberPorts(100)),
        limit(Scarce::SubscriberSessions(200)),
        limit(Scarce::Sessions(300)),
        limit(Scarce::Subscribers(400)),
        limit(Scarce::Ports(Ipv4Addr::new(203, 0, 113, 1))),
        limit(Scarce::Addresses),
        What::SessionOpened(flow_v6()),
        ended(flow_v6()),
        What::RecordsLost(9),
    ]
    .map(|what| Record { at_ms: 1_700_000_000_123, what })
    .to_vec()
}

fn begun(framing: Framing, now: Instant) -> Encoder {
    let mut encoder = Encoder::new(5);
    encoder.begin(framing, now);
    encoder
}

#[test]
fn every_record_is_read_back_by_the_templates_before_it() {
    let now = Instant::now();
    let frames = begun(Framing::Stream, now).encode(&all(), 1_700_000_001_000, now);
    let collector = Collector::of(&frames);
    assert_eq!(collector.templates.len(), ALL.len());
    assert_eq!(collector.records.len(), all().len());
    for (record, (_, values)) in all().iter().zip(&collector.records) {
        assert!(values.contains(&(323, record.at_ms)), "{record:?} has no time");
    }
    let by_element = |index: usize| collector.records[index].1.iter().copied().collect::<BTreeMap<_, _>>();
    let address = |text: &str| u64::from(text.parse::<Ipv4Addr>().unwrap().to_bits());
    let (inside, outside, remote) = (address("10.0.0.2"), address("203.0.113.1"), address("198.51.100.5"));
    let session = by_element(1);
    let expected = [
        (4, 17),
        (8, inside),
        (7, 2_000),
        (225, outside),
        (227, 3_000),
        (12, remote),
        (11, 53),
        (226, remote),
        (228, 53),
        (229, 2),
        (230, 5),
        // The initiator is outside.
        (298, 4),
        (299, 3),
        (136, 1),
    ];
    for (element, value) in expected {
        assert_eq!(session[&element], value, "element {element}");
    }
    let events: Vec<u64> = collector
        .records
        .iter()
        .filter_map(|(_, values)| values.iter().find(|(id, _)| *id == 230))
        .map(|(_, value)| *value)
        .collect();
    assert_eq!(events, [4, 5, 16, 17, 8, 9, 8, 9, 13, 13, 13, 13, 12, 3]);
    let block = by_element(2);
    assert_eq!([block[&8], block[&225], block[&361], block[&362]], [inside, outside, 1_024, 1_535]);
    assert_eq!((by_element(8)[&466], by_element(8)[&473]), (3, 100));
    assert_eq!((by_element(10)[&466], by_element(10)[&471]), (1, 300));
    assert_eq!((by_element(11)[&466], by_element(11)[&474]), (4, 400));
    assert_eq!((by_element(14)[&233], by_element(15)[&233]), (1, 2));
    assert_eq!((by_element(16)[&149], by_element(16)[&165]), (5, 9));
}

#[test]
fn datagrams_are_no_longer_than_the_path_allows_and_counted_by_their_records() {
    let now = Instant::now();
    let most = 512;
    let mut encoder = begun(Framing::Datagrams { most }, now);
    let many: Vec<Record> = std::iter::repeat_with(all).take(20).flatten().collect();
    let frames = encoder.encode(&many, 0, now);
    assert!(frames.len() > 20 && frames.iter().all(|frame| frame.bytes.len() <= most));
    assert_eq!(frames.iter().map(|frame| frame.records).sum::<usize>(), many.len());
    let collector = Collector::of(&frames);
    assert_eq!(collector.records.len(), many.len());
    let mut expected = 0;
    for (frame, (sequence, domain)) in frames.iter().zip(&collector.headers) {
        assert_eq!((*sequence, *domain), (expected, 5));
        expected += frame.records as u32;
    }
    // The number goes on with the next messages, and begins anew with the next transport session.
    let next = Collector { templates: collector.templates, ..Collector::default() };
    let first = |encoder: &mut Encoder, mut collector: Collector| {
        collector.take(&encoder.encode(&all(), 0, now)[0].bytes);
        collector.headers[0].0
    };
    assert_eq!(first(&mut encoder, next), expected);
    encoder.begin(Framing::Stream, now);
    assert_eq!(first(&mut encoder, Collector::default()), 0);
}

#[test]
fn templates_are_sent_again_in_datagrams_and_once_in_a_stream() {
    let start = Instant::now();
    let templates = |encoder: &mut Encoder, after: u64| {
        let now = start + Duration::from_secs(after);
        let frames = encoder.encode(&[], 0, now);
        frames
            .iter()
            .map(|frame| {
                let mut collector = Collector::default();
                collector.take(&frame.bytes);
                collector.templates.len()
            })
            .sum::<usize>()
    };
    let mut datagrams = begun(Framing::Datagrams { most: 1_400 }, start);
    assert_eq!([0, 1, 59, 60, 61, 200].map(|after| templates(&mut datagrams, after)), [12, 0, 0, 12, 0, 12]);
    assert_eq!(datagrams.deadline(), Some(start + Duration::from_secs(260)));
    let mut stream = begun(Framing::Stream, start);
    assert_eq!([0, 60, 3_600].map(|after| templates(&mut stream, after)), [12, 0, 0]);
    assert_eq!(stream.deadline(), None);
}

#[test]
fn what_has_no_form_is_done_with_all_the_same() {
    let now = Instant::now();
    let mut encoder = begun(Framing::Stream, now);
    encoder.encode(&[], 0, now);
    let rate = Record { at_ms: 1, what: limit(Scarce::SubscriberRate(10)) };
    assert_eq!(encoder.encode(&[rate, rate], 0, now), [Frame { bytes: vec![], records: 2 }]);
    assert_eq!(encoder.encode(&[], 0, now), []);
    let frames = encoder.encode(&[rate, all()[0]], 0, now);
    assert_eq!(frames.iter().map(|frame| frame.records).collect::<Vec<_>>(), [2]);
}
