//! NAT Behavioral Requirements for TCP.

use crate::row::{Document, must, should};

pub(crate) const RFC5382: Document = Document {
    rfc: 5382,
    title: "NAT behavior for TCP",
    rows: &[
        must("REQ-1", "endpoint-independent mapping"),
        must(
            "REQ-2",
            "every valid sequence of segments of connections from inside, and of allowed ones from outside",
        ),
        must("REQ-2a", "simultaneous open").also(&["rfc5382_req_2_simultaneous_open"]),
        should("REQ-3", "endpoint-independent filtering for transparency, address-dependent for strictness")
            .otherwise(
                "the default is address-and-port-dependent, the strictest; both of these can be chosen",
            ),
        must("REQ-4", "an unsolicited SYN from outside is not answered for six seconds"),
        should("REQ-4, later", "then it is answered with port unreachable").otherwise(
            "REQ-4a allows silence where policy wants it, and the firewall is silent to strangers",
        ),
        must("REQ-5", "an open connection lives 2 h 4 min without a packet, another one 4 min"),
        should("REQ-6", "ALGs but that for FTP are off")
            .otherwise("what an administrator has not turned off is on: the product is about ALGs"),
        must("REQ-7", "no outside endpoint stands for two inside ones at once"),
        must("REQ-8", "hairpinning, with the sender's outside endpoint as source"),
        should("REQ-9", "destination unreachable is translated"),
        must("REQ-10", "no ICMP message ends a mapping or a connection"),
    ],
};
