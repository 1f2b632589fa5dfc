//! How events and counters look in answers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::live::{CounterReading, Counters, Event, EventKind, EventPage, Flow, PortBlock};
use crate::domain::alg_protocol::AlgProtocol;

/// Some events of a gateway, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Events)]
pub(in crate::http) struct EventsView {
    items: Vec<EventView>,
    /// How many between `after` and the last of these are not there any more, or never came.
    lost: u64,
    /// The `after` of the next request.
    next: u64,
}

/// An event of a gateway.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
struct EventView {
    /// Grows with each event of the appliance.
    sequence: u64,
    /// When it happened, by the gateway's clock.
    at: DateTime<Utc>,
    #[serde(flatten)]
    kind: EventKindView,
}

/// What happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventKind)]
#[serde(tag = "type", rename_all = "snake_case")]
enum EventKindView {
    /// A control message was rewritten; both lines are escaped where they are not printable ASCII.
    AlgRewrite { protocol: AlgProtocol, control: FlowView, message: String, before: String, after: String },
    /// A control message was refused.
    AlgRefusal { protocol: AlgProtocol, control: FlowView, message: String, reason: String },
    /// A control session is passed without being read from here on.
    AlgOpaque { protocol: AlgProtocol, control: FlowView, reason: String },
    /// Who is announced may come in; the peer's port 0 is any.
    PinholeOpened {
        pinhole_id: u64,
        protocol: AlgProtocol,
        control: FlowView,
        message: String,
        peer: String,
        outside: String,
        inside: String,
        lifetime_ms: u32,
    },
    /// Nobody more may come in.
    PinholeClosed { pinhole_id: u64, protocol: AlgProtocol, outside: String, inside: String, reason: String },
    /// From here on the subscriber's sessions leave from these ports of the outside address, and nobody else's do.
    PortBlockAllocated(PortBlockView),
    /// From here on none of the subscriber's sessions does.
    PortBlockReleased(PortBlockView),
    /// A session was ended before its time.
    SessionEnded { session: FlowView, reason: String },
}

/// A block of ports, of every protocol, and whose it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PortBlock)]
struct PortBlockView {
    /// The inside address.
    #[schema(example = "10.0.0.2")]
    subscriber: String,
    /// The outside address.
    #[schema(example = "203.0.113.1")]
    outside: String,
    /// The lowest of the ports.
    #[schema(example = 1024)]
    first_port: u32,
    /// The highest of the ports.
    #[schema(example = 1535)]
    last_port: u32,
}

/// A session as its originator sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Flow)]
struct FlowView {
    /// The transport.
    protocol: String,
    /// The client's address and port.
    source: String,
    /// The server's address and port.
    destination: String,
}

/// The last counters of a gateway.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CounterReading)]
pub(in crate::http) struct CountersView {
    /// When they came; `null` if none did.
    #[schema(required = true)]
    at: Option<DateTime<Utc>>,
    /// What they were.
    #[schema(required = true)]
    counters: Option<GatewayCounters>,
}

/// Counters since the gateway started.
#[derive(Debug, Serialize, ToSchema)]
struct GatewayCounters {
    /// Sessions now.
    sessions: u64,
    /// Pinholes now.
    pinholes: u64,
    packets_forwarded: u64,
    /// Packets that no session expected and a socket of the gateway's own host took.
    packets_delivered: u64,
    packets_dropped: u64,
    drops_by_reason: BTreeMap<String, u64>,
}

impl From<EventPage> for EventsView {
    fn from(page: EventPage) -> Self {
        let items = page.events.into_iter().map(EventView::from).collect();
        Self { items, lost: page.lost, next: page.next }
    }
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        let kind = match event.kind {
            EventKind::AlgRewrite { protocol, control, message, before, after } => {
                EventKindView::AlgRewrite { protocol, control: control.into(), message, before, after }
            }
            EventKind::AlgRefusal { protocol, control, message, reason } => {
                EventKindView::AlgRefusal { protocol, control: control.into(), message, reason }
            }
            EventKind::AlgOpaque { protocol, control, reason } => {
                EventKindView::AlgOpaque { protocol, control: control.into(), reason }
            }
            EventKind::PinholeOpened {
                pinhole_id,
                protocol,
                control,
                message,
                peer,
                outside,
                inside,
                lifetime_ms,
            } => EventKindView::PinholeOpened {
                pinhole_id,
                protocol,
                control: control.into(),
                message,
                peer,
                outside,
                inside,
                lifetime_ms,
            },
            EventKind::PinholeClosed { pinhole_id, protocol, outside, inside, reason } => {
                EventKindView::PinholeClosed { pinhole_id, protocol, outside, inside, reason }
            }
            EventKind::PortBlockAllocated(block) => EventKindView::PortBlockAllocated(block.into()),
            EventKind::PortBlockReleased(block) => EventKindView::PortBlockReleased(block.into()),
            EventKind::SessionEnded { session, reason } => {
                EventKindView::SessionEnded { session: session.into(), reason }
            }
        };
        Self { sequence: event.sequence, at: event.at, kind }
    }
}

impl From<PortBlock> for PortBlockView {
    fn from(block: PortBlock) -> Self {
        let (first_port, last_port) = block.ports;
        Self { subscriber: block.subscriber, outside: block.outside, first_port, last_port }
    }
}

impl From<Flow> for FlowView {
    fn from(flow: Flow) -> Self {
        Self { protocol: flow.protocol, source: flow.source, destination: flow.destination }
    }
}

impl From<Option<CounterReading>> for CountersView {
    fn from(reading: Option<CounterReading>) -> Self {
        let Some(reading) = reading else { return Self { at: None, counters: None } };
        Self { at: Some(reading.at), counters: Some(reading.counters.into()) }
    }
}

impl From<Counters> for GatewayCounters {
    fn from(counters: Counters) -> Self {
        Self {
            sessions: counters.sessions,
            pinholes: counters.pinholes,
            packets_forwarded: counters.packets_forwarded,
            packets_delivered: counters.packets_delivered,
            packets_dropped: counters.packets_dropped,
            drops_by_reason: counters.drops_by_reason,
        }
    }
}
