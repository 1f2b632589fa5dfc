//! Network Address Translation Behavioral Requirements for Unicast UDP.

use crate::row::{Document, may, must, should};

pub(crate) const RFC4787: Document = Document {
    rfc: 4787,
    title: "NAT behavior for unicast UDP",
    rows: &[
        must("REQ-1", "endpoint-independent mapping"),
        should("REQ-2", "paired pooling: one outside address for all sessions of a host"),
        must("REQ-3", "no outside endpoint stands for two inside ones at once"),
        should("REQ-3a", "privileged ports stay privileged, others do not become so").part(
            "privileged source ports get unprivileged ones: a port below 1024 of a shared address is nobody's to take",
        ).also(&["rfc4787_req_3_no_outside_endpoint_means_two_inside_endpoints"]),
        should("REQ-4", "even ports stay even, odd ones odd"),
        must("REQ-5", "a mapping lives two minutes at least; five are recommended"),
        must("REQ-6", "what is sent from inside keeps a mapping alive"),
        may("REQ-6a", "what comes from outside keeps it alive, too").otherwise(
            "who is outside could keep a dead mapping for ever",
        ).also(&["rfc4787_req_6_only_what_is_sent_from_inside_keeps_a_mapping"]),
        must("REQ-7", "inside and outside addresses do not conflict, or both are reached"),
        should("REQ-8", "endpoint-independent filtering for transparency, address-dependent for strictness").otherwise(
            "the default is address-and-port-dependent, the strictest; both of these can be chosen",
        ),
        must("REQ-9", "hairpinning"),
        must("REQ-9a", "a hairpinned packet has its sender's outside endpoint as source").also(&[
            "rfc4787_req_9_inside_hosts_reach_each_other_by_their_outside_endpoints",
        ]),
        should("REQ-10", "ALGs for protocols over UDP are off").otherwise(
            "what an administrator has not turned off is on: the product is about ALGs",
        ),
        should("REQ-10a", "each ALG can be turned on and off by itself").also(&[
            "an_alg_that_is_off_reads_nothing",
            "turned_off_nothing_new_opens_and_what_waited_closes",
        ]),
        must("REQ-11", "translation and filtering are the same at any time and under any load"),
        must("REQ-12", "no ICMP message ends a mapping"),
        should("REQ-12a", "ICMP messages are not filtered by their source").also(&[
            "rfc4787_req_12_no_icmp_message_ends_a_mapping",
        ]),
        should("REQ-12b", "destination unreachable is supported").also(&[
            "icmp_errors_are_translated_with_the_packet_they_quote",
        ]),
        must("REQ-13", "a packet that is too long and must not be cut is answered with fragmentation needed")
            .also(&["the_hosts_kernel_tells_a_subscriber_of_a_smaller_link"]),
        must("REQ-13a", "a packet that is too long and may be cut is fragmented"),
        must("REQ-14", "fragments are received in and out of order"),
        must("REQ-14a", "a flood of fragments harms neither whole packets nor fragments in order"),
    ],
};
