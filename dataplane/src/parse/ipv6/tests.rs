use proptest::prelude::*;

use super::*;

/// A packet whose bytes are any, but for the fields that decide how far it is read.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let next = prop::sample::select(vec![0_u8, 6, 17, 33, 43, 44, 50, 58, 59, 60, 132, 136, 140, 200]);
    (prop::collection::vec(any::<u8>(), 40..400), next.clone(), next, any::<bool>(), any::<bool>()).prop_map(
        |(mut bytes, first, second, whole, checked)| {
            bytes[0] = 0x60;
            bytes[ipv6::NEXT_HEADER] = first;
            if let Some(byte) = bytes.get_mut(ipv6::HEADER) {
                *byte = second;
            }
            if let Some(byte) = bytes.get_mut(ipv6::HEADER + 1) {
                *byte &= 0x0f;
            }
            if whole {
                let length = u16::try_from(bytes.len() - ipv6::HEADER).unwrap();
                wire::set_u16(&mut bytes, ipv6::PAYLOAD_LENGTH, length);
            }
            if checked && first == wire::PROTOCOL_ICMPV6 {
                let (source, destination) = (ipv6::source(&bytes), ipv6::destination(&bytes));
                wire::set_u16(&mut bytes, ipv6::HEADER + wire::ICMP_CHECKSUM, 0);
                let message = &bytes[ipv6::HEADER..];
                let sum = checksum::transport_ipv6(source, destination, first, message);
                wire::set_u16(&mut bytes, ipv6::HEADER + wire::ICMP_CHECKSUM, sum);
            }
            bytes
        },
    )
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn what_is_accepted_lies_within_the_packet(bytes in packet()) {
        if let Ok(parsed) = parse(&bytes) {
            let span = parsed.span;
            prop_assert!(ipv6::HEADER <= span.transport_at());
            prop_assert!(span.transport_at() <= ipv6::HEADER + MAX_EXTENSION_BYTES);
            prop_assert!(span.transport_at() <= span.payload_at());
            prop_assert!(span.payload_at() <= span.end() && span.end() <= bytes.len());
        }
    }

    #[test]
    fn a_key_is_the_same_from_both_sides(bytes in packet()) {
        if let Ok(parsed) = parse(&bytes) {
            let flow = parsed.flow;
            let back = RawFlow {
                source: flow.destination,
                destination: flow.source,
                source_port: flow.destination_port,
                destination_port: flow.source_port,
                ..flow
            };
            prop_assert_eq!(flow.key(Realm::Inside), back.key(Realm::Outside));
            prop_assert_eq!(flow.key(Realm::Inside).flow(Realm::Outside), flow.key(Realm::Inside).flow(Realm::Inside).reversed());
        }
    }
}
