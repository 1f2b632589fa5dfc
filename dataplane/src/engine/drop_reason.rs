//! Why packets are dropped: one table, a row each.

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $label:literal,)+) => {
        /// Why a packet was dropped.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum DropReason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl DropReason {
            /// Every reason, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Returns the reason's name in metrics and reports.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)+
                }
            }

            /// Returns the reason's position in [`Self::ALL`].
            pub(crate) const fn position(self) -> usize {
                self as usize
            }
        }
    };
}

drop_reasons! {
    /// The packet is shorter than its headers say.
    Truncated = "truncated",
    /// The IP version is neither 4 nor 6.
    BadIpVersion = "bad_ip_version",
    /// The configuration says nothing about IPv6.
    Ipv6Off = "ipv6_off",
    /// The IPv6 extension headers are too many, too long, repeated or in the wrong place (RFC 8200, 4.1; RFC 7112).
    ExtensionHeaders = "extension_headers",
    /// The packet carries an IPv6 routing header that leads it around the firewall (RFC 5095).
    RoutingHeader = "routing_header",
    /// The IP header length and the total length contradict each other.
    BadIpHeader = "bad_ip_header",
    /// The IP header checksum is wrong.
    BadIpChecksum = "bad_ip_checksum",
    /// The packet carries a source route option (RFC 7126, sections 4.3 and 4.4).
    SourceRoute = "source_route",
    /// A fragment that no datagram can have: without payload, or of a length that fits no offset (RFC 791, section 3.2).
    FragmentMalformed = "fragment_malformed",
    /// The whole datagram would be longer than a packet can be.
    FragmentTooLong = "fragment_too_long",
    /// The transport header is not whole in the first fragment (RFC 1858, section 3; RFC 3128).
    FragmentTiny = "fragment_tiny",
    /// It covers what another fragment has covered, or ends the datagram elsewhere (RFC 1858, section 4; RFC 5722).
    FragmentOverlap = "fragment_overlap",
    /// It came twice.
    FragmentRepeated = "fragment_repeated",
    /// The datagram has more fragments than are followed.
    FragmentsTooMany = "fragments_too_many",
    /// As many datagrams or bytes wait for fragments as there is room for, of all or of this source.
    FragmentsFull = "fragments_full",
    /// The others have not come in time.
    FragmentTimeout = "fragment_timeout",
    /// The transport protocol has no ports that are translated, and outside addresses are shared.
    ProtocolUnsupported = "protocol_unsupported",
    /// The TCP data offset is impossible.
    BadTcpHeader = "bad_tcp_header",
    /// The TCP flags contradict each other (SYN with FIN or RST, or none at all).
    BadTcpFlags = "bad_tcp_flags",
    /// The TCP checksum of a control session is wrong.
    BadTcpChecksum = "bad_tcp_checksum",
    /// The UDP length contradicts the packet's.
    BadUdpLength = "bad_udp_length",
    /// The checksum of UDP-Lite is missing or covers what it cannot (RFC 3828, section 3.1).
    BadUdpLiteHeader = "bad_udp_lite_header",
    /// The authentication header covers the addresses, which are translated (RFC 4302, section 3.3.3).
    AuthenticatedHeader = "authenticated_header",
    /// A port is 0.
    PortZero = "port_zero",
    /// The ICMP checksum is wrong (RFC 5508, REQ-3).
    BadIcmpChecksum = "bad_icmp_checksum",
    /// The ICMP type is not translated (RFC 5508, REQ-11).
    IcmpTypeUnsupported = "icmp_type_unsupported",
    /// The packet that an ICMP error quotes is cut off, corrupt or of no translated protocol.
    BadQuotedPacket = "bad_quoted_packet",
    /// No session has sent what the ICMP error quotes (RFC 5508, REQ-4 and REQ-5).
    IcmpNoSession = "icmp_no_session",
    /// The ICMP error quotes a TCP segment that is not on its way (RFC 5927, section 4.1).
    IcmpSequence = "icmp_sequence",
    /// An echo reply or another answer that nobody asked for, or a first TCP segment without SYN.
    NoSession = "no_session",
    /// From outside, and no session, pinhole or socket of the host expects it.
    NotExpected = "not_expected",
    /// The source address cannot be on the side that the packet came from.
    SpoofedSource = "spoofed_source",
    /// The destination is no unicast address of the other side.
    BadDestination = "bad_destination",
    /// The packet does not fit the progress of its TCP session.
    TcpState = "tcp_state",
    /// A TCP segment that its receiver does not expect, or that acknowledges what it cannot (RFC 9293, section 3.10.7.4;
    /// RFC 5961).
    TcpWindow = "tcp_window",
    /// The session table is full.
    SessionsFull = "sessions_full",
    /// The subscriber's outside address has no free port (RFC 6888, REQ-11).
    NoPort = "no_port",
    /// The subscriber has as many outside ports as it may have (RFC 6888, REQ-4).
    SubscriberPorts = "subscriber_ports",
    /// The subscriber has as many sessions as it may have (RFC 6888, REQ-5).
    SubscriberSessions = "subscriber_sessions",
    /// The subscriber opens sessions faster than it may (RFC 6888, REQ-5).
    SubscriberRate = "subscriber_rate",
    /// The subscriber table is full.
    SubscribersFull = "subscribers_full",
    /// Both sides of another session already use these addresses and ports.
    TupleTaken = "tuple_taken",
    /// The time to live is used up.
    TtlExceeded = "ttl_exceeded",
    /// The ALG cannot take the segment now; its sender will repeat it.
    AlgBacklog = "alg_backlog",
    /// No configuration has been applied yet.
    NotConfigured = "not_configured",
}
