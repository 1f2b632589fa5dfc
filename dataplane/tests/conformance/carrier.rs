//! Common Requirements for Carrier-Grade NATs.

use crate::row::{Document, may, must, should};

pub(crate) const RFC6888: Document = Document {
    rfc: 6888,
    title: "carrier-grade NATs",
    rows: &[
        must("REQ-1", "the requirements of each protocol that is translated").also(&[
            "rfc4787_req_1_a_mapping_is_independent_of_the_destination",
            "rfc5382_req_1_a_mapping_is_independent_of_the_destination",
            "rfc5508_req_1_queries_from_inside_and_their_answers_pass",
        ]).part("DCCP (RFC 5597) passes by its addresses alone, as protocols without ports do"),
        must("REQ-2", "paired pooling is the default").also(&[
            "rfc4787_req_2_all_sessions_of_a_host_have_one_address",
        ]),
        may("REQ-2a", "an administrator may change that by application protocol").otherwise(
            "hosts with two addresses break applications, and no administrator has asked for it",
        ),
        must("REQ-3", "the pool is any list of addresses"),
        must("REQ-4", "the number of ports of a subscriber is limited, as an administrator says"),
        may("REQ-4b", "by transport protocol").otherwise("one limit counts ports of all protocols"),
        should("REQ-4c", "thresholds keep one subscriber from taking all of the processor").also(&[
            "rfc6888_req_5_a_subscriber_opens_no_more_sessions_a_second_than_its_limit",
        ]),
        should("REQ-5", "state of one subscriber is limited, and so is how fast it grows"),
        must("REQ-6", "towards chosen destinations nothing is translated"),
        should("REQ-7", "endpoint-independent filtering").otherwise(
            "the default is address-and-port-dependent, the strictest; any can be chosen",
        ).also(&["rfc4787_req_8_who_may_send_in_is_as_configured"]),
        should("REQ-8", "a port that was given back is nobody's for 120 s, or as an administrator says").part(
            "this is so of port blocks and, as nothing moves, of deterministic ports; a port that is given alone is \
             taken again at random",
        ),
        must("REQ-9", "subscribers control their mappings by a protocol: PCP"),
        should("REQ-10", "it is manageable").also(&["pieces_add_up"]),
        must("REQ-11", "without a mapping the packet is dropped, and no mapping ends for it"),
        should("REQ-11b", "its sender is told with host unreachable").gap("the packet is dropped in silence, and counted"),
        should("REQ-11c", "the management is told").also(&["an_exhausted_pool_is_told_with_who_found_it_so"]),
        should("REQ-12", "destinations are not recorded unless asked for").also(&[
            "nobody_is_told_of_sessions_who_has_not_asked",
        ]),
        should("REQ-13", "every port is usable"),
        should("REQ-14", "few records"),
        should("REQ-15", "ports are hard to guess"),
    ],
};
