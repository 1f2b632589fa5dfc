//! Where the two differ, and why ours is right.

/// One step that the engine and the kernel see differently.
pub(crate) struct Difference {
    /// The scenario and its step.
    pub(crate) place: &'static str,
    pub(crate) ours: &'static str,
    pub(crate) theirs: &'static str,
    /// The clause, or what else makes ours right.
    pub(crate) why: &'static str,
}

const NOTHING: &str = "nothing leaves";

pub(crate) const DIFFERENCES: [Difference; 14] = [
    Difference {
        place: "two hosts with one source port: a third host, to another server",
        ours: "out: udp POOL:C -> 198.51.100.66:53 ttl 63",
        theirs: "out: udp POOL:A -> 198.51.100.66:53 ttl 63",
        why: "RFC 4787, REQ-3: no outside endpoint stands for two inside ones, whomever they send to",
    },
    Difference {
        place: "checksums: a datagram with a wrong one",
        ours: "out: udp POOL:B -> 198.51.100.5:53 ttl 63, wrong checksum",
        theirs: NOTHING,
        why: "RFC 1624: a checksum is corrected by what has changed, so a wrong one stays wrong, and its receiver drops the datagram",
    },
    Difference {
        place: "checksums: a SYN with a wrong one",
        ours: "out: tcp flags 02 POOL:C -> 198.51.100.5:80 ttl 63, wrong checksum",
        theirs: NOTHING,
        why: "RFC 1624, as for a datagram; control sessions, which are rewritten, are verified",
    },
    Difference {
        place: "connections that do not begin: ACK from inside",
        ours: NOTHING,
        theirs: "out: tcp flags 10 POOL:A -> 198.51.100.5:80 ttl 63",
        why: "RFC 5382, REQ-2: valid sequences begin with a SYN; of a connection that is picked up in its middle no window is known",
    },
    Difference {
        place: "resets and windows: SYN in the open connection",
        ours: "in: tcp flags 02 198.51.100.5:80 -> 10.0.0.2:40000 ttl 63",
        theirs: NOTHING,
        why: "RFC 5961, section 4.2: its receiver challenges it, which whoever has restarted depends on; no state changes",
    },
    Difference {
        place: "echoes: a timestamp request",
        ours: NOTHING,
        theirs: "out: icmp 13 203.0.113.1:0 -> 198.51.100.5:0 ttl 63",
        why: "RFC 5508, REQ-10 and REQ-11: of the queries only echo must be supported",
    },
    Difference {
        place: "headers: the last hop",
        ours: NOTHING,
        theirs: "in: error 11/0 about [udp 10.0.0.2:40000 -> 198.51.100.5:53] 10.0.0.1:0 -> 10.0.0.2:0 ttl 64",
        why: "RFC 1812, section 4.3.3.4: under a gateway it is the host's kernel that counts the hop and reports this",
    },
    Difference {
        place: "headers: source port 0",
        ours: NOTHING,
        theirs: "out: udp 203.0.113.1:0 -> 198.51.100.5:53 ttl 63",
        why: "RFC 6335, section 6: port 0 is reserved; the kernel even shows it outside, where it is everybody's",
    },
    Difference {
        place: "headers: destination port 0",
        ours: NOTHING,
        theirs: "out: udp POOL:B -> 198.51.100.5:0 ttl 63",
        why: "RFC 6335, section 6: port 0 is reserved",
    },
    Difference {
        place: "fragments: and what is missing of it",
        ours: NOTHING,
        theirs: "out: tcp flags 02 POOL:B -> 198.51.100.5:80 ttl 63",
        why: "RFC 1858, section 3: a first fragment without the whole of the TCP header is an attack",
    },
    Difference {
        place: "other protocols and addresses: GRE",
        ours: NOTHING,
        theirs: "out: protocol 47 203.0.113.1:0 -> 198.51.100.5:0 ttl 63",
        why: "`other_protocols`: without ports nothing tells the hosts behind an address apart, so this is refused unless chosen",
    },
    Difference {
        place: "other protocols and addresses: ESP",
        ours: NOTHING,
        theirs: "out: protocol 50 203.0.113.1:0 -> 198.51.100.5:0 ttl 63",
        why: "`other_protocols`: without ports nothing tells the hosts behind an address apart, so this is refused unless chosen",
    },
    Difference {
        place: "other protocols and addresses: AH",
        ours: NOTHING,
        theirs: "out: protocol 51 203.0.113.1:0 -> 198.51.100.5:0 ttl 63",
        why: "RFC 4302, section 3.3.3: it authenticates the addresses, so its receiver drops what was translated",
    },
    Difference {
        place: "other protocols and addresses: an unknown protocol",
        ours: NOTHING,
        theirs: "out: protocol 200 203.0.113.1:0 -> 198.51.100.5:0 ttl 63",
        why: "`other_protocols`: without ports nothing tells the hosts behind an address apart, so this is refused unless chosen",
    },
];
