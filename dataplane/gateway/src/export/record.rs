//! What is exported, whatever the format: one event at a wall-clock time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::engine::{EndReason, Event, Lease, LimitReached, Owner, SessionRecord};
use pinhole_dataplane::nat::PortBlock;
use pinhole_dataplane::tuple::Protocol;
use pinhole_dataplane::wire::PROTOCOL_ICMPV6;

use crate::config::alg_name;
use crate::datapath::report::close_name;
use pinhole_dataplane::config::nat::export::EventKind;

/// One event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Record {
    /// When it came out of the engine, in milliseconds since the Unix epoch.
    pub(crate) at_ms: u64,
    /// What happened.
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum What {
    SessionOpened(Flow),
    SessionEnded {
        flow: Flow,
        packets_out: u64,
        packets_in: u64,
        reason: EndReason,
    },
    BlockAllocated(Block),
    BlockReleased(Block),
    PinholeOpened(Binding),
    PinholeClosed {
        binding: Binding,
        reason: &'static str,
    },
    MappingOpened(Binding),
    MappingClosed {
        binding: Binding,
        reason: &'static str,
    },
    LimitReached(LimitReached),
    /// So many records before this one were not sent.
    RecordsLost(u64),
}

/// A session's three endpoints.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Flow {
    pub(crate) protocol: Protocol,
    pub(crate) originator: Realm,
    pub(crate) inside: SocketAddr,
    /// What stands for it outside.
    pub(crate) outside: SocketAddr,
    pub(crate) remote: SocketAddr,
}

/// A block of ports, of every protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Block {
    pub(crate) subscriber: IpAddr,
    pub(crate) outside: IpAddr,
    pub(crate) first: u16,
    pub(crate) last: u16,
}

/// An outside endpoint that leads to an inside one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Binding {
    /// Its number among the pinholes, or the explicit mappings, of this run of the gateway.
    pub(crate) id: u64,
    /// What opened it: an ALG's name, or the protocol by which the inside host asked for it.
    pub(crate) origin: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) inside: SocketAddr,
    pub(crate) outside: SocketAddr,
    /// Who is admitted, port 0 for any.
    pub(crate) peer: SocketAddr,
}

impl From<&SessionRecord> for Flow {
    fn from(session: &SessionRecord) -> Self {
        Self {
            protocol: session.protocol(),
            originator: session.originator,
            inside: session.inside().into(),
            outside: session.outside().into(),
            remote: session.remote().into(),
        }
    }
}

impl From<&PortBlock> for Block {
    fn from(block: &PortBlock) -> Self {
        Self {
            subscriber: block.subscriber.into(),
            outside: block.outside.into(),
            first: block.ports.first(),
            last: block.ports.last(),
        }
    }
}

impl From<&Lease> for Binding {
    fn from(lease: &Lease) -> Self {
        let anybody = (Ipv4Addr::UNSPECIFIED, 0);
        Self {
            id: lease.id.0,
            origin: owner_name(lease.owner),
            protocol: lease.key.protocol,
            inside: lease.key.inside.into(),
            outside: lease.outside.into(),
            peer: lease.key.peer.unwrap_or(anybody).into(),
        }
    }
}

/// Returns the protocol by which an owner asks.
pub(crate) const fn owner_name(owner: Owner) -> &'static str {
    match owner {
        Owner::Nonce(_) => "pcp",
        Owner::Host => "nat_pmp",
    }
}

impl What {
    /// Returns what an event is in records, and its kind; `None` for what is not exported.
    pub(crate) fn of(event: &Event) -> Option<(EventKind, Self)> {
        Some(match event {
            Event::SessionOpened(session) => (EventKind::Sessions, Self::SessionOpened(session.into())),
            Event::SessionEnded { session, reason } => {
                let (packets_out, packets_in) = (session.packets_out, session.packets_in);
                let ended =
                    Self::SessionEnded { flow: session.into(), packets_out, packets_in, reason: *reason };
                (EventKind::Sessions, ended)
            }
            Event::PortBlockAllocated(block) => (EventKind::Blocks, Self::BlockAllocated(block.into())),
            Event::PortBlockReleased(block) => (EventKind::Blocks, Self::BlockReleased(block.into())),
            Event::PinholeOpened { id, protocol, transport, peer, outside, inside, .. } => {
                let binding = Binding {
                    id: id.0,
                    origin: alg_name(*protocol),
                    protocol: *transport,
                    inside: (*inside).into(),
                    outside: (*outside).into(),
                    peer: (*peer).into(),
                };
                (EventKind::Pinholes, Self::PinholeOpened(binding))
            }
            Event::PinholeClosed { id, protocol, transport, peer, outside, inside, reason } => {
                let binding = Binding {
                    id: id.0,
                    origin: alg_name(*protocol),
                    protocol: *transport,
                    inside: (*inside).into(),
                    outside: (*outside).into(),
                    peer: (*peer).into(),
                };
                (EventKind::Pinholes, Self::PinholeClosed { binding, reason: close_name(*reason) })
            }
            Event::LeaseGiven(lease) => (EventKind::Pinholes, Self::MappingOpened(lease.into())),
            Event::LeaseEnded { lease, reason } => {
                (EventKind::Pinholes, Self::MappingClosed { binding: lease.into(), reason: reason.name() })
            }
            Event::LimitReached(limit) => (EventKind::Quota, Self::LimitReached(*limit)),
            Event::AlgRewrite { .. } | Event::AlgRefusal { .. } | Event::AlgOpaque { .. } => return None,
        })
    }

    /// Returns the event's name.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::SessionOpened(_) => "session_opened",
            Self::SessionEnded { .. } => "session_ended",
            Self::BlockAllocated(_) => "port_block_allocated",
            Self::BlockReleased(_) => "port_block_released",
            Self::PinholeOpened(_) => "pinhole_opened",
            Self::PinholeClosed { .. } => "pinhole_closed",
            Self::MappingOpened(_) => "mapping_opened",
            Self::MappingClosed { .. } => "mapping_closed",
            Self::LimitReached(_) => "limit_reached",
            Self::RecordsLost(_) => "records_lost",
        }
    }
}

/// Returns a side's name.
pub(crate) const fn realm_name(realm: Realm) -> &'static str {
    match realm {
        Realm::Inside => "inside",
        Realm::Outside => "outside",
    }
}

/// Returns the protocol's number in IP headers; that of one without ports stands in their place.
pub(crate) fn protocol_number(protocol: Protocol, port: u16) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::IcmpEcho => 1,
        Protocol::UdpLite => 136,
        Protocol::Gre => 47,
        Protocol::Other => u8::try_from(port).unwrap_or(u8::MAX),
    }
}

/// Returns the protocol's number in IPv6 headers, where ICMP has another one.
pub(crate) fn ipv6_protocol_number(protocol: Protocol, port: u16) -> u8 {
    match protocol {
        Protocol::IcmpEcho => PROTOCOL_ICMPV6,
        Protocol::Tcp | Protocol::Udp | Protocol::UdpLite | Protocol::Gre | Protocol::Other => {
            protocol_number(protocol, port)
        }
    }
}

/// Returns milliseconds since the Unix epoch by the wall clock.
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
