//! NAT Behavioral Requirements for ICMP.

use crate::row::{Document, may, must, should};

pub(crate) const RFC5508: Document = Document {
    rfc: 5508,
    title: "NAT behavior for ICMP",
    rows: &[
        must("REQ-1", "queries from inside pass, and so do their answers"),
        should("REQ-1a", "an identifier's mapping is independent of the destination"),
        must("REQ-2", "a query session lives 60 s at least"),
        should("REQ-2a", "that time can be configured").part("no setting of a gateway leads to the engine's"),
        should("REQ-3", "an error with a wrong checksum is dropped"),
        should("REQ-3a", "an error that quotes a header with a wrong checksum is dropped")
            .also(&["icmp_checksum_types_and_quotes"]),
        must("REQ-3b", "options of the quoted header are passed over"),
        should("REQ-3c", "the quoted transport checksum is not looked at"),
        must("REQ-3d", "ICMP extensions are no part of the quoted packet"),
        must("REQ-4", "an error from outside about a mapping arrives with the quoted packet as it was sent"),
        must(
            "REQ-5",
            "an error from inside about a mapping leaves with the quoted packet as it was received",
        ),
        must("REQ-6", "an error neither refreshes nor ends the session that it quotes"),
        must("REQ-7", "hairpinned queries under 1:1 translation, and hairpinned errors, pass")
            .also(&["rfc4787_req_9_inside_hosts_reach_each_other_by_their_outside_endpoints"]),
        should("REQ-8", "who can have no session is told with destination unreachable, code 13")
            .gap("the packet is dropped in silence, and counted"),
        may("REQ-9", "policy may stop ICMP towards an interface")
            .otherwise("nobody has asked for such a policy"),
        must("REQ-10", "destination unreachable, time exceeded, echo and echo reply are supported").also(&[
            "icmp_errors_are_translated_with_the_packet_they_quote",
            "tcp_udp_and_echo_go_out_and_answers_come_back",
        ]),
        may("REQ-11", "messages that are neither queries nor errors are dropped, or handled")
            .also(&["icmp_checksum_types_and_quotes"]),
    ],
};
