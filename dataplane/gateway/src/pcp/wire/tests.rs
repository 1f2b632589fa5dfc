use proptest::prelude::*;

use super::*;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

proptest! {
    /// Whatever comes, it is read without a panic, and what answers it is no longer than it and a header.
    #[test]
    fn any_bytes_are_read_and_answered_in_bounds(bytes in prop::collection::vec(any::<u8>(), 0..1_300)) {
        let _ = parse(&bytes, CLIENT, ThirdParty::Allowed);
        let answer = answer(&bytes, ResultCode::MalformedRequest, 0, 0, None);
        prop_assert!(answer.len() <= bytes.len().next_multiple_of(4).clamp(HEADER_BYTES, MAX_MESSAGE));
        prop_assert!(answer.len() >= HEADER_BYTES && answer.len().is_multiple_of(4));
        prop_assert_eq!(version_answer(&bytes, 0, 0).len(), HEADER_BYTES);
    }

    /// The same for what has a header that makes sense, so that the fields behind it are reached.
    #[test]
    fn any_fields_behind_a_header_are_read(
        opcode in 0_u8..4,
        words in prop::collection::vec(any::<u32>(), 0..120),
        lifetime in prop_oneof![Just(0_u32), any::<u32>()],
    ) {
        let mut bytes = vec![VERSION, opcode, 0, 0];
        bytes.extend(lifetime.to_be_bytes());
        bytes.extend(CLIENT.to_ipv6_mapped().octets());
        bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        let parsed = parse(&bytes, CLIENT, ThirdParty::Allowed);
        if let Parsed::Request(Request { operation: Operation::Map(map), .. }) = &parsed {
            prop_assert!(map.filters.as_ref().is_none_or(|filters| filters.len() <= MAX_FILTERS_PER_LEASE));
        }
        prop_assert_ne!(parsed, Parsed::Ignore);
    }
}
