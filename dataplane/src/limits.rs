//! Every bound of the engine, in one place.

use std::time::Duration;

use crate::time::Tick;

/// Longest IPv4 packet (RFC 791, total length).
pub const MAX_PACKET: usize = 65_535;
/// Most extension headers of an IPv6 packet before its transport header (RFC 9098, section 5).
pub const MAX_EXTENSION_HEADERS: usize = 8;
/// Most bytes of an IPv6 packet's extension headers.
pub const MAX_EXTENSION_BYTES: usize = 256;
/// Most prefixes of IPv6 inside.
pub const MAX_IPV6_PREFIXES: usize = 1_024;
/// Most endpoints of IPv6 that may be reached from outside.
pub const MAX_IPV6_OPENINGS: usize = 1_024;
/// How long a connection from outside waits for its inside end before it is refused (RFC 6092, REC-34).
pub const REFUSAL_DELAY: Duration = Duration::from_secs(6);
/// Connections that wait so; further ones are not answered.
pub const MAX_REFUSALS: usize = 1_024;
/// ICMPv6 errors of the engine's own in a second (RFC 4443, section 2.4 f).
pub const ICMP_ERRORS_PER_SECOND: u32 = 100;
/// Lowest port that a subscriber's announced session may use (RFC 2577, section 3).
pub const FIRST_UNPRIVILEGED_PORT: u16 = 1_024;
/// Most entries one timer call expires, so that no packet waits long for it.
pub const EXPIRIES_PER_CALL: usize = 64;
/// Most sessions and pinholes that one timer call holds against a new configuration.
pub const JUDGED_PER_CALL: usize = 128;
/// Most places for 64 sessions each that one timer call looks through for them.
pub const PLACES_PER_CALL: usize = 4_096;
/// Most buckets of an index that is made while packets flow that are made at a time.
pub const BUCKETS_PER_CALL: usize = 1_024;
/// A session that nobody answers is active, and passed over when one has to go, if its last packet came within this time.
pub const ACTIVE: Duration = Duration::from_secs(1);
/// Most active sessions that are passed over each time.
pub const PASSED_OVER: usize = 8;
/// Most interfaces on one side.
pub const MAX_INTERFACES: usize = 64;
/// Most entries of a pool.
pub const MAX_POOL_RANGES: usize = 256;
/// Most addresses in a pool.
pub const MAX_POOL_ADDRESSES: usize = 4_096;
/// Most inside prefixes.
pub const MAX_INSIDE_PREFIXES: usize = 1_024;
/// Most static forwards.
pub const MAX_FORWARDS: usize = 1_024;
/// Most destinations that are exempt from translation.
pub const MAX_EXEMPTIONS: usize = 256;
/// Most user-defined services of one ALG.
pub const MAX_SERVICES_PER_ALG: usize = 256;
/// Most port ranges of one service and side.
pub const MAX_RANGES_PER_SERVICE: usize = 64;
/// Most prefixes and ports that a mapping is limited to which a subscriber asked for by name.
pub const MAX_FILTERS_PER_LEASE: usize = 8;
/// How long nobody is told again that a subscriber has reached a limit.
pub const LIMIT_NOTICE_INTERVAL: Duration = Duration::from_secs(60);
/// Most such notices in that time.
pub const LIMIT_NOTICES: usize = 1_024;

/// Bytes of one direction of a control session that its receiver has not acknowledged; one packet more is taken.
pub const MAX_UNACKNOWLEDGED: usize = 65_536;
/// Bytes of one direction of a control session that came before those that precede them.
pub const MAX_LATE_BYTES: usize = 16_384;
/// Segments of one direction of a control session that came early.
pub const MAX_LATE_SEGMENTS: usize = 32;
/// Replaced spans of one direction of a control session that its receiver has not acknowledged.
pub const MAX_SPLICES: usize = 128;
/// How long an incomplete message is held back after its last byte. People type commands by hand, so it is long.
pub const CONTROL_HOLD: Duration = Duration::from_secs(30);
/// After this time bytes that were acknowledged on the receiver's behalf are sent again (RFC 6298, section 2.1).
pub const CONTROL_REPEAT_FIRST: Duration = Duration::from_secs(1);
/// The longest time between two such repetitions (RFC 6298, section 2.5).
pub const CONTROL_REPEAT_MOST: Duration = Duration::from_secs(60);
/// Longest FTP command that is read, line end included.
pub const MAX_FTP_COMMAND: usize = 512;
/// Longest line of an FTP reply that is read, line end included.
pub const MAX_FTP_REPLY: usize = 2_048;
/// FTP commands whose replies have not come.
pub const MAX_FTP_PENDING: usize = 256;
/// How long an FTP data connection may take to come.
pub const FTP_PINHOLE_LIFETIME: Duration = Duration::from_secs(60);
/// Calls of one PPTP control connection that are translated.
pub const MAX_PPTP_CALLS: usize = 256;
/// How long a PPTP call may take to be answered, and then to carry its first packet.
pub const PPTP_CALL_LIFETIME: Duration = Duration::from_secs(60);
/// Longest TFTP request that is read (RFC 1350, section 2: a block).
pub const MAX_TFTP_REQUEST: usize = 512;
/// Requests of one client port to one TFTP server that may be answered at a time.
pub const TFTP_REQUESTS: usize = 8;
/// How long a TFTP server may take to answer a request.
pub const TFTP_ANSWER: Duration = Duration::from_secs(30);
/// Payload that fits any path, for what the engine cuts itself (RFC 9293, 3.7.1).
pub const SAFE_SEGMENT: usize = 536;

/// Fragments of one datagram: the longest has 45 where packets of 1,500 bytes pass.
pub const MAX_FRAGMENTS: usize = 64;
/// How long the fragments of a datagram may take to come (RFC 791, section 3.2, suggests 15 s). Shorter than hosts wait,
/// since identifications are soon used again (RFC 4963).
pub const FRAGMENT_LIFETIME: Duration = Duration::from_secs(15);
/// Bytes of fragments that wait on one side for others.
pub const FRAGMENT_BYTES: usize = 4 << 20;
/// One part in so many of the datagrams that are followed on a side is for those whose first fragment has not come.
pub const FRAGMENT_SHARE_OF_UNKNOWN: u32 = 4;
/// One part in so many of what there is on a side is for one source.
pub const FRAGMENT_SHARE_OF_SOURCE: u32 = 16;
/// How long an answered session of a protocol that is not read lives without a packet.
pub const OTHER_IDLE: Duration = Duration::from_secs(600);

/// The sizes of the engine's tables, fixed when it starts; all memory of the tables is taken then.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Sessions in all.
    pub sessions: u32,
    /// Inside hosts with sessions, pinholes or blocks of ports.
    pub subscribers: u32,
    /// TCP connections whose handshake is under way, in all; at the limit the oldest one goes.
    pub half_open: u32,
    /// TCP connections whose handshake is under way, of one inside host, whoever began them; at the limit its oldest one
    /// goes.
    pub half_open_per_subscriber: u32,
    /// Pinholes waiting for their session, in all.
    pub pinholes: u32,
    /// Pinholes waiting for their session, of one control session.
    pub pinholes_per_master: u32,
    /// Pinholes waiting for their session, of one inside address.
    pub pinholes_per_subscriber: u32,
    /// Mappings that inside hosts asked for by name, in all.
    pub leases: u32,
    /// Of these, of one inside address.
    pub leases_per_subscriber: u32,
    /// Control sessions that an ALG follows.
    pub control_streams: u32,
    /// Datagrams of which not every fragment has come: a third for those from inside, a third for those from outside, and
    /// a third for those between inside hosts.
    pub fragmented_datagrams: u32,
    /// Events waiting to be fetched; further ones are counted as lost.
    pub events: usize,
    /// Packets of the engine's own waiting to be fetched; further ones are counted and dropped.
    pub transmits: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 262_144,
            subscribers: 65_536,
            half_open: 65_536,
            half_open_per_subscriber: 4_096,
            pinholes: 8_192,
            pinholes_per_master: 8,
            pinholes_per_subscriber: 256,
            leases: 16_384,
            leases_per_subscriber: 128,
            control_streams: 16_384,
            fragmented_datagrams: 3_072,
            events: 4_096,
            transmits: 1_024,
        }
    }
}

/// Idle times after which a session is forgotten.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// TCP, both directions seen and open (RFC 5382, REQ-5: at least 2 h 4 min).
    pub tcp_established: Duration,
    /// TCP, opening or closing (RFC 5382, REQ-5: at least 4 min).
    pub tcp_transitory: Duration,
    /// UDP, both directions seen (RFC 4787, REQ-5: default 5 min).
    pub udp: Duration,
    /// UDP, one direction seen.
    pub udp_one_way: Duration,
    /// ICMP queries (RFC 5508, REQ-2: at least 60 s).
    pub icmp: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp_established: Duration::from_secs(7_440),
            tcp_transitory: Duration::from_secs(240),
            udp: Duration::from_secs(300),
            udp_one_way: Duration::from_secs(60),
            icmp: Duration::from_secs(60),
        }
    }
}

/// [`Timeouts`] in the grain of the session table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IdleTicks {
    /// TCP, open.
    pub tcp_established: Tick,
    /// TCP, opening or closing.
    pub tcp_transitory: Tick,
    /// UDP, answered.
    pub udp: Tick,
    /// UDP, not answered.
    pub udp_one_way: Tick,
    /// ICMP queries.
    pub icmp: Tick,
    /// Protocols that are not read, answered.
    pub other: Tick,
}

impl From<&Timeouts> for IdleTicks {
    fn from(timeouts: &Timeouts) -> Self {
        Self {
            tcp_established: Tick::after(timeouts.tcp_established),
            tcp_transitory: Tick::after(timeouts.tcp_transitory),
            udp: Tick::after(timeouts.udp),
            udp_one_way: Tick::after(timeouts.udp_one_way),
            icmp: Tick::after(timeouts.icmp),
            other: Tick::after(OTHER_IDLE),
        }
    }
}
