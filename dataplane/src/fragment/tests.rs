use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::conntrack::TupleHasher;
use crate::limits::{FRAGMENT_LIFETIME, MAX_FRAGMENTS};
use crate::rng::Rng;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_nanos(1_000_000_000);

fn table(datagrams: u32) -> Fragments {
    Fragments::new(datagrams, TupleHasher::new(&[3; 32]), &mut Rng::new(&[4; 32]))
}

fn datagram(lane: Lane, source: u32, identification: u16) -> Datagram {
    let destination = Ipv4Addr::new(192, 0, 2, 1);
    Datagram { lane, source: Ipv4Addr::from_bits(source), destination, protocol: 17, identification }
}

fn fragment(datagram: Datagram, start: u16, length: u16, more: bool) -> Fragment {
    Fragment { datagram, start, length, more, header: 20, ttl: 64 }
}

fn leaving(identification: u16) -> Leaving {
    let (source, destination) = (Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(192, 0, 2, 1));
    let session = crate::conntrack::SessionId::from_parts(0, 0);
    Leaving { session, source, destination, identification }
}

/// A plain model: every byte that was seen, and every part whole.
#[derive(Default)]
struct Model {
    parts: Vec<(u16, u16, bool, u32)>,
}

impl Model {
    fn add(&mut self, part: (u16, u16, bool, u32)) -> Result<(), Misfit> {
        let (start, length, more, _) = part;
        let end = |(start, length, ..): (u16, u16, bool, u32)| u32::from(start) + u32::from(length);
        if self.parts.contains(&part) {
            return Err(Misfit::Repeated);
        }
        let bytes = |(start, length, ..): (u16, u16, bool, u32)| {
            u32::from(start)..u32::from(start) + u32::from(length)
        };
        let touched = self.parts.iter().any(|other| bytes(*other).any(|byte| bytes(part).contains(&byte)));
        let ends = self.parts.iter().find(|(_, _, more, _)| !more).copied();
        let beyond = ends.is_some_and(|last| end(part) > end(last) || !more);
        let before = !more && self.parts.iter().any(|other| end(*other) > end(part));
        if touched || beyond || before {
            return Err(Misfit::Overlap);
        }
        if self.parts.len() == MAX_FRAGMENTS {
            return Err(Misfit::TooMany);
        }
        self.parts.push((start, length, more, part.3));
        Ok(())
    }

    fn is_complete(&self) -> bool {
        let Some((start, length, ..)) = self.parts.iter().find(|(_, _, more, _)| !more) else { return false };
        let end = u32::from(*start) + u32::from(*length);
        (0..end).all(|byte| {
            self.parts.iter().any(|(start, length, ..)| {
                (u32::from(*start)..u32::from(*start) + u32::from(*length)).contains(&byte)
            })
        })
    }
}

proptest! {
    #[test]
    fn parts_are_judged_as_by_looking_at_every_byte(
        parts in prop::collection::vec((0_u16..8, 1_u16..4, prop::bool::weighted(0.8), 0_u32..2), 1..40),
    ) {
        let (mut pieces, mut model) = (Pieces::NONE, Model::default());
        for (start, length, more, digest) in parts {
            let part = (start * 8, length * 8, more, digest);
            prop_assert_eq!(pieces.add(part.0, part.1, more, digest), model.add(part));
            prop_assert_eq!(pieces.are_complete(), model.is_complete());
        }
    }

    #[test]
    fn what_is_cut_and_put_together_again_is_the_same(
        payload in prop::collection::vec(any::<u8>(), 8..3_000),
        keep in any::<bool>(),
        options in prop::sample::select(vec![vec![], vec![1, 0x94, 4, 0, 0, 0, 0, 0], vec![7, 3, 4, 0]]),
        longest in 68_usize..1_500,
        order in any::<u64>(),
    ) {
        let header = 20 + options.len();
        let mut packet = vec![0; header + payload.len()];
        packet[0] = 0x40 | u8::try_from(header / 4).unwrap();
        let total = u16::try_from(packet.len()).unwrap();
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        // Who forbids to cut what is in fragments already has set it in each of them.
        packet[6] = u8::from(keep) << 6;
        packet[20..header].copy_from_slice(&options);
        packet[header..].copy_from_slice(&payload);
        ipv4::fill_checksum(&mut packet);
        let mut fragments = cut(&packet, longest);
        for fragment in &fragments {
            prop_assert!(fragment.len() <= longest);
            let header = &fragment[..ipv4::header_length(fragment)];
            prop_assert_eq!(wire::checksum::checksum(header), 0);
            prop_assert_eq!(header[6] & 0x40 != 0, keep);
        }
        // The router alert is copied, record route is not (RFC 791, section 3.1).
        if let [_, second, ..] = &fragments[..] {
            let copied = if options.first() == Some(&1) { 24 } else { 20 };
            prop_assert_eq!(ipv4::header_length(second), copied);
        }
        let turn = usize::try_from(order % u64::try_from(fragments.len()).unwrap()).unwrap();
        fragments.rotate_left(turn);
        prop_assert_eq!(assemble(&fragments).unwrap(), packet);
    }

    #[test]
    fn nothing_is_left_of_datagrams_that_are_gone(
        steps in prop::collection::vec((0_u32..6, 0_u16..3, 0_u8..7, any::<bool>()), 1..200),
    ) {
        let mut table = table(24);
        let mut now = NOW;
        for (source, identification, act, inside) in steps {
            let lane = if inside { Lane::Inside } else { Lane::Back };
            let datagram = datagram(lane, source, identification);
            let slot = table.lookup(&datagram);
            match (act, slot) {
                (0, None) => drop(table.begin(&datagram, now)),
                (1, None) => drop(table.begin_known(&datagram, now)),
                (2, Some(slot)) => drop(table.hold(slot, &[0; 100])),
                (3, Some(slot)) => drop(table.promote(slot)),
                (4, Some(slot)) => drop(table.refuse(slot, DropReason::FragmentOverlap)),
                (5, Some(slot)) => drop(table.remove(slot)),
                (6, Some(slot)) => table.set_state(slot, State::Passing(leaving(identification))),
                _ => {}
            }
            now = now.saturating_add(std::time::Duration::from_secs(1));
            while let Some(slot) = table.expired(now) {
                table.remove(slot);
            }
        }
        while let Some(deadline) = table.next_deadline() {
            let slot = table.expired(deadline).unwrap();
            table.remove(slot);
        }
        prop_assert!(table.is_untouched());
    }
}

#[test]
fn a_mark_of_congestion_on_a_part_is_one_on_the_whole() {
    let part = |tos: u8, field: u16| {
        let mut packet = vec![0; 28];
        packet[0] = 0x45;
        packet[1] = tos;
        packet[6..8].copy_from_slice(&field.to_be_bytes());
        packet
    };
    let whole = |first: u8, second: u8| assemble(&[part(second, 1), part(first, 0x2000)]).unwrap()[1];
    assert_eq!(whole(0xb8 | 2, 0xb8 | 3), 0xb8 | 3);
    assert_eq!(whole(0xb8 | 1, 0xb8 | 1), 0xb8 | 1);
    assert_eq!(whole(0xb8, 0xb8 | 3), 0xb8, "a sender that knows nothing of marks gets none");
}

#[test]
fn no_lane_and_no_source_takes_the_room_of_others() {
    let mut table = table(3 * 64);
    let fill = |table: &mut Fragments, lane, sources: std::ops::Range<u32>, known: bool| -> usize {
        sources
            .flat_map(|source| (0..100).map(move |number| datagram(lane, source, number)))
            .filter(|datagram| {
                let begun = if known { table.begin_known(datagram, NOW) } else { table.begin(datagram, NOW) };
                begun.is_ok()
            })
            .count()
    };
    // 48 of a lane are for datagrams whose first fragment has come, and a source has a sixteenth of them.
    assert_eq!(fill(&mut table, Lane::Outside, 0..1, false), 1);
    assert_eq!(fill(&mut table, Lane::Outside, 1..100, false), 15);
    assert_eq!(fill(&mut table, Lane::Outside, 200..201, true), 3);
    assert_eq!(fill(&mut table, Lane::Outside, 201..300, true), 45);
    assert_eq!(fill(&mut table, Lane::Inside, 0..100, true), 48);
    assert_eq!(table.len(), 112);
}

#[test]
fn bytes_that_wait_are_bounded_for_each_source_and_lane() {
    let mut table = table(3 * 4_096);
    let packet = vec![0; 65_535];
    let mut held = 0;
    for source in 0..30 {
        let mut of_source = 0;
        for number in 0..10 {
            let slot = table.begin(&datagram(Lane::Outside, source, number), NOW).unwrap();
            of_source += usize::from(table.hold(slot, &packet).is_ok()) * packet.len();
        }
        assert!(of_source <= 1 << 18);
        held += of_source;
    }
    assert!((3 << 20..=4 << 20).contains(&held), "{held}");
    let inside = table.begin(&datagram(Lane::Inside, 1, 1), NOW).unwrap();
    assert_eq!(table.hold(inside, &packet), Ok(()));
}

#[test]
fn rfc6864_section_5_3_1_no_two_datagrams_leave_with_one_identification() {
    let mut table = table(3 * 4_096);
    let mut rng = Rng::new(&[5; 32]);
    let between = (Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(192, 0, 2, 1));
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..3_000_u16 {
        let datagram = datagram(Lane::Inside, u32::from(number), number);
        let slot = table.begin_known(&datagram, NOW).unwrap();
        let identification = table.identification(between, 17, &mut rng);
        assert!(seen.insert(identification));
        table.set_state(slot, State::Passing(leaving(identification)));
    }
}

#[test]
fn a_datagram_that_is_refused_while_it_passes_gives_its_identification_back() {
    let mut table = table(12);
    let slot = table.begin_known(&datagram(Lane::Inside, 1, 1), NOW).unwrap();
    table.set_state(slot, State::Passing(leaving(7)));
    table.refuse(slot, DropReason::FragmentOverlap);
    table.remove(slot);
    assert!(table.is_untouched());
}

#[test]
fn the_time_of_a_datagram_runs_from_its_first_sight() {
    let mut table = table(12);
    let one = datagram(Lane::Outside, 1, 1);
    let slot = table.begin(&one, NOW).unwrap();
    let later = NOW.saturating_add(FRAGMENT_LIFETIME / 2);
    let other = table.begin_known(&datagram(Lane::Inside, 2, 2), later).unwrap();
    assert_eq!(table.note(slot, &fragment(one, 8, 8, true), &[0; 8]), Ok(false));
    let over = NOW.saturating_add(FRAGMENT_LIFETIME);
    assert_eq!(table.next_deadline(), Some(over));
    assert_eq!(table.expired(over), Some(slot));
    table.remove(slot);
    assert_eq!(table.lookup(&one), None);
    assert_eq!(table.expired(over), None);
    assert_eq!(table.expired(later.saturating_add(FRAGMENT_LIFETIME)), Some(other));
}

#[test]
fn fragments_that_no_datagram_can_have_are_refused() {
    let packet = |protocol: u8, field: u16, length: u16| {
        let mut packet = vec![0; 60];
        packet[0] = 0x45;
        packet[2..4].copy_from_slice(&(20 + length).to_be_bytes());
        packet[6..8].copy_from_slice(&field.to_be_bytes());
        packet[9] = protocol;
        packet
    };
    let read = |protocol, field, length| parse(&packet(protocol, field, length), Lane::Inside);
    assert_eq!(read(17, 0x2000, 0).unwrap_err(), DropReason::FragmentMalformed);
    assert_eq!(read(17, 0x2000, 12).unwrap_err(), DropReason::FragmentMalformed);
    assert_eq!(read(17, 0x1fff, 8).unwrap_err(), DropReason::FragmentTooLong);
    assert_eq!(read(6, 0x2001, 8).unwrap_err(), DropReason::FragmentTiny);
    assert_eq!(read(6, 0x0002, 9).unwrap_err(), DropReason::FragmentTiny);
    let last = read(6, 0x0003, 9).unwrap();
    assert_eq!((last.start, last.length, last.more), (24, 9, false));
    // Of 65,535 bytes 20 are the header, and 65,496 before this one.
    assert!(read(17, 0x1ffb, 19).is_ok());
    assert_eq!(read(17, 0x1ffb, 20).unwrap_err(), DropReason::FragmentTooLong);
}
