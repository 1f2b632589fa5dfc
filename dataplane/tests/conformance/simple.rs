//! Recommended Simple Security Capabilities in IPv6 gateways.

use crate::row::{Document, may, must, should};

pub(crate) const RFC6092: Document = Document {
    rfc: 6092,
    title: "simple security for IPv6",
    rows: &[
        must("REC-1", "multicast sources are not forwarded"),
        must("REC-2", "multicast destinations of narrow scope are not forwarded"),
        must("REC-3", "addresses that are forbidden on the public Internet are not forwarded"),
        must("REC-4", "deprecated extension headers, source routes above all, are not forwarded"),
        must("REC-5", "only sources of the configured prefixes leave"),
        must("REC-6", "sources of the inside prefixes do not come from outside"),
        should("REC-7", "unique local addresses neither leave nor come in"),
        must("REC-8", "no integrated DNS resolver answers queries from outside").moot("there is none"),
        must("REC-9", "no integrated DHCPv6 server answers requests from outside").moot("there is none"),
        should("REC-10", "errors that quote no packet of a session are not forwarded"),
        should("REC-11", "filtering of unknown protocols is endpoint-independent or address-dependent"),
        must("REC-12", "state of unknown protocols lives two minutes at least"),
        should("REC-13", "firmware can be updated conveniently").moot("the distribution's packages do that"),
        must("REC-14", "state of UDP lives two minutes at least, five by default"),
        may("REC-15", "state of well-known UDP ports may live shorter"),
        must("REC-16", "state of UDP is refreshed from inside"),
        should("REC-17", "filtering of UDP is endpoint-independent or address-dependent"),
        must("REC-18", "unreachable and too big about a UDP flow pass"),
        must("REC-19", "no ICMPv6 message ends state of UDP"),
        should("REC-20", "UDP-Lite is handled as UDP, apart from it"),
        must("REC-21", "AH is not prohibited by default"),
        must("REC-22", "ESP is not prohibited by default"),
        must("REC-23", "unreachable and too big about an ESP flow pass"),
        must("REC-24", "IKE is not prohibited by default"),
        should("REC-25", "state of ESP is found by both addresses, not by its index"),
        must("REC-26", "HIP is not prohibited by default"),
        must("REC-27", "type 2 routing headers pass in flows of mobile hosts"),
        must("REC-28", "mobility headers of outbound and permitted flows pass")
            .also(&["rfc6092_rec_11_filtering_of_unknown_protocols_is_by_address"])
            .part("they are known by their addresses, their sequence is not followed"),
        must("REC-29", "what is tunnelled with a mobility flow passes")
            .gap("a tunnel is a flow of its own, which its inside end begins"),
        must("REC-30", "unreachable and too big about a mobility flow pass")
            .also(&["rfc6092_rec_23_esp_errors_pass"]),
        must("REC-31", "TCP's handshake and simultaneous open pass"),
        must("REC-32", "windows are not enforced where scaling was not seen")
            .moot("state begins with a SYN, so it always is"),
        should("REC-33", "filtering of TCP is endpoint-independent or address-dependent"),
        must("REC-34", "unsolicited SYNs are refused with code 1 after six seconds"),
        must("REC-35", "TCP state lives 2 h 4 min, or 4 min while it opens or closes, at least"),
        must("REC-36", "unreachable and too big about a TCP flow pass"),
        must("REC-37", "no ICMPv6 message ends state of TCP"),
        must("REC-38", "SCTP's association and simultaneous open pass"),
        must("REC-39", "unsolicited INITs are refused with code 1 after six seconds"),
        must("REC-40", "state of SCTP lives as long as that of TCP"),
        must("REC-41", "unreachable and too big about an association pass"),
        must("REC-42", "no ICMPv6 message ends state of SCTP"),
        must("REC-43", "DCCP passes from inside"),
        must("REC-44", "state of DCCP lives 2 h 4 min, or 8 min while it opens or closes, at least"),
        must("REC-45", "unreachable and too big about a DCCP flow pass"),
        must("REC-46", "no ICMPv6 message ends state of DCCP"),
        must("REC-47", "Shim6 headers pass in outbound and permitted flows"),
        should("REC-48", "applications can ask for inbound traffic by a protocol")
            .gap("PCP (RFC 6887) is such a protocol"),
        must("REC-49", "a transparent mode can be chosen"),
        must("REC-50", "management is not offered outside").moot("the gateway listens nowhere"),
    ],
};
