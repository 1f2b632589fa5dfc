//! What gateways tell of their traffic.

use std::collections::BTreeMap;

use chrono::DateTime;
use pinhole_proto::v1;
use serde::{Deserialize, Serialize};

use super::limits;
use super::text::clean;
use crate::clock::Timestamp;
use crate::domain::alg_protocol::AlgProtocol;

/// An event of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Grows by one with each event of the appliance, lost ones included.
    pub sequence: u64,
    /// When it happened, by the gateway's clock.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// A session as its originator sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// The transport.
    pub protocol: String,
    /// The client's address and port.
    pub source: String,
    /// The server's address and port.
    pub destination: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the contract's, whose file documents them")]
pub enum EventKind {
    /// A control message was rewritten.
    AlgRewrite { protocol: AlgProtocol, control: Flow, message: String, before: String, after: String },
    /// A control message was refused.
    AlgRefusal { protocol: AlgProtocol, control: Flow, message: String, reason: String },
    /// A control session is passed without being read from now on.
    AlgOpaque { protocol: AlgProtocol, control: Flow, reason: String },
    /// A pinhole was opened.
    PinholeOpened {
        pinhole_id: u64,
        protocol: AlgProtocol,
        control: Flow,
        message: String,
        peer: String,
        outside: String,
        inside: String,
        lifetime_ms: u32,
    },
    /// A pinhole was closed.
    PinholeClosed { pinhole_id: u64, protocol: AlgProtocol, outside: String, inside: String, reason: String },
    /// A subscriber was given a block of ports.
    PortBlockAllocated(PortBlock),
    /// A subscriber gave a block of ports back.
    PortBlockReleased(PortBlock),
    /// A session was ended before its time.
    SessionEnded { session: Flow, reason: String },
}

/// A block of ports, of every protocol, and whose it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortBlock {
    /// The inside address.
    pub subscriber: String,
    /// The outside address.
    pub outside: String,
    /// The ports, first and last.
    pub ports: (u32, u32),
}

/// Counters of a gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Sessions now.
    pub sessions: u64,
    /// Pinholes now.
    pub pinholes: u64,
    /// Packets that were forwarded since the gateway started.
    pub packets_forwarded: u64,
    /// Packets that were given to the gateway's own host.
    pub packets_delivered: u64,
    /// Packets that were dropped.
    pub packets_dropped: u64,
    /// Dropped packets by reason.
    pub drops_by_reason: BTreeMap<String, u64>,
}

/// Reads an event without its number; `None` for one that this program does not know.
pub(super) fn parse(event: v1::Event, received: Timestamp) -> Option<(Timestamp, EventKind)> {
    use v1::event::Event as Message;
    let at = DateTime::from_timestamp_millis(event.at_ms).unwrap_or(received);
    let kind = match event.event? {
        Message::AlgRewrite(event) => EventKind::AlgRewrite {
            protocol: protocol(event.protocol())?,
            control: flow(event.control),
            message: text(&event.message),
            before: text(&event.before),
            after: text(&event.after),
        },
        Message::AlgRefusal(event) => EventKind::AlgRefusal {
            protocol: protocol(event.protocol())?,
            control: flow(event.control),
            message: text(&event.message),
            reason: text(&event.reason),
        },
        Message::AlgOpaque(event) => EventKind::AlgOpaque {
            protocol: protocol(event.protocol())?,
            control: flow(event.control),
            reason: text(&event.reason),
        },
        Message::PinholeOpened(event) => EventKind::PinholeOpened {
            pinhole_id: event.pinhole_id,
            protocol: protocol(event.protocol())?,
            control: flow(event.control),
            message: text(&event.message),
            peer: text(&event.peer),
            outside: text(&event.outside),
            inside: text(&event.inside),
            lifetime_ms: event.lifetime_ms,
        },
        Message::PinholeClosed(event) => EventKind::PinholeClosed {
            pinhole_id: event.pinhole_id,
            protocol: protocol(event.protocol())?,
            outside: text(&event.outside),
            inside: text(&event.inside),
            reason: text(&event.reason),
        },
        Message::PortBlockAllocated(block) => EventKind::PortBlockAllocated(port_block(&block)),
        Message::PortBlockReleased(block) => EventKind::PortBlockReleased(port_block(&block)),
        Message::SessionEnded(event) => {
            EventKind::SessionEnded { session: flow(event.session), reason: text(&event.reason) }
        }
    };
    Some((at, kind))
}

/// Reads counters.
pub(super) fn counters(counters: v1::Counters) -> Counters {
    let drops = counters.drops_by_reason.into_iter().take(limits::MAX_DROP_REASONS);
    Counters {
        sessions: counters.sessions,
        pinholes: counters.pinholes,
        packets_forwarded: counters.packets_forwarded,
        packets_delivered: counters.packets_delivered,
        packets_dropped: counters.packets_dropped,
        drops_by_reason: drops
            .map(|(reason, count)| (clean(&reason, limits::MAX_NAME_CHARS), count))
            .collect(),
    }
}

/// Reads the ALG of a message; `None` for none, and for one that this program does not know.
pub(super) fn protocol(protocol: v1::AlgProtocol) -> Option<AlgProtocol> {
    match protocol {
        v1::AlgProtocol::Unspecified => None,
        v1::AlgProtocol::Ftp => Some(AlgProtocol::Ftp),
        v1::AlgProtocol::IkeEsp => Some(AlgProtocol::IkeEsp),
        v1::AlgProtocol::Pptp => Some(AlgProtocol::Pptp),
        v1::AlgProtocol::Sip => Some(AlgProtocol::Sip),
        v1::AlgProtocol::Tftp => Some(AlgProtocol::Tftp),
    }
}

fn flow(flow: Option<v1::Flow>) -> Flow {
    flow.map_or_else(Flow::default, |flow| Flow {
        protocol: text(&flow.protocol),
        source: text(&flow.source),
        destination: text(&flow.destination),
    })
}

fn port_block(block: &v1::PortBlock) -> PortBlock {
    let ports = block.ports.unwrap_or_default();
    PortBlock {
        subscriber: text(&block.subscriber),
        outside: text(&block.outside),
        ports: (ports.first, ports.last),
    }
}

fn text(text: &str) -> String {
    clean(text, limits::MAX_EVENT_TEXT_CHARS)
}
