//! Updates to Network Address Translation Behavioral Requirements.

use crate::row::{Document, may, must, should};

pub(crate) const RFC7857: Document = Document {
    rfc: 7857,
    title: "updates to the NAT behavioral requirements",
    rows: &[
        must("2.1", "a connection that is opening or closing lives four minutes without a packet")
            .also(&["rfc5382_req_5_a_connection_that_opens_or_closes_lives_four_minutes"]),
        should("2.2", "only a reset that its receiver would obey ends a connection")
            .also(&["rfc5961_section_3_only_an_exact_rst_closes", "a_blind_rst_does_not_end_a_session"]),
        may("3", "an outside endpoint may stand for two inside ones towards different destinations")
            .otherwise(
                "who is refused for want of a port is told so; nobody's mapping changes its kind under load",
            ),
        should("4", "a host whose address has no port left is refused rather than given a second address")
            .also(&["rfc6888_req_11_without_a_port_the_packet_is_dropped_and_no_mapping_ends"]),
        must("5", "mappings of TCP and of UDP are independent of each other by default"),
        must("6", "filtering of TCP and of UDP is independent of each other by default"),
        should("7", "whether packets from outside refresh a mapping can be configured")
            .otherwise("they never do for UDP: who is outside could keep a dead mapping for ever"),
        must("7.1", "an ICMP error from inside does not refresh a mapping")
            .also(&["rfc5508_req_6_an_error_neither_refreshes_nor_ends_what_it_quotes"]),
        may("8", "port parity may be given up where there is no port of it")
            .also(&["rfc4787_req_4_a_port_of_the_other_parity_is_better_than_none"]),
        should("9", "ports are chosen at random")
            .also(&["rfc6888_req_15_neither_blocks_nor_ports_come_in_an_order"]),
        should("10", "identifications of translated packets are unique as RFC 6864 wants")
            .also(&[
                "rfc6864_section_5_3_1_hosts_that_share_an_address_do_not_share_identifications",
                "rfc6864_section_5_3_1_no_two_datagrams_leave_with_one_identification",
                "rfc6864_section_5_3_1_what_was_put_together_leaves_with_an_identification_of_its_own",
            ])
            .part("what comes whole and may be cut later keeps the one that its sender chose"),
        may("11", "a query's mapping ends with its last session")
            .also(&["rfc5508_req_2_a_query_session_lives_60_seconds"]),
        must("12", "hairpinned ICMP queries and errors pass")
            .also(&["rfc5508_req_7_pings_between_hosts_with_addresses_of_their_own_turn_back"]),
    ],
};
