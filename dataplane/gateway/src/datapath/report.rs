//! What the engine tells, in the contract's words.

use std::fmt::Write as _;

use pinhole_dataplane::alg::{CloseReason, OpaqueReason, Refusal};
use pinhole_dataplane::engine::{DropReason, EndReason, Engine, Event};
use pinhole_dataplane::nat::PortBlock;
use pinhole_dataplane::tuple::Flow;
use pinhole_proto::v1;

use crate::config::message::protocol_message;
use crate::export::Outlets;

/// Packets that the gateway itself dropped or delivered, beside the engine's counters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Given to the host.
    pub(crate) delivered: u64,
    /// Their header from the TUN device made no sense.
    pub(crate) bad_header: u64,
    /// The kernel did not take them.
    pub(crate) write_failed: u64,
    /// Perhaps the host's, but too many questions were asked at that time.
    pub(crate) delivery_limited: u64,
}

/// Returns all counters; reasons that never happened are left out.
pub(crate) fn counters(engine: &Engine, tally: &Tally, outlets: &Outlets) -> v1::Counters {
    let stats = engine.stats();
    let own = [
        ("bad_tun_header", tally.bad_header),
        ("write_failed", tally.write_failed),
        ("delivery_limited", tally.delivery_limited),
    ];
    let engines = DropReason::ALL.iter().map(|reason| (reason.label(), stats.drops(*reason)));
    let drops_by_reason = engines.chain(own).filter(|(_, count)| *count > 0);
    v1::Counters {
        sessions: u64::try_from(engine.session_count()).unwrap_or(u64::MAX),
        pinholes: u64::try_from(engine.pinhole_count()).unwrap_or(u64::MAX),
        packets_forwarded: stats.forwarded.saturating_add(stats.transmitted),
        packets_dropped: own.iter().fold(stats.dropped(), |sum, (_, count)| sum.saturating_add(*count)),
        packets_delivered: tally.delivered,
        drops_by_reason: drops_by_reason.map(|(name, count)| (name.to_owned(), count)).collect(),
        exports: outlets.counters(),
    }
}

/// Returns an event's message, `None` for what is of no use to a controller.
pub(crate) fn event(event: Event) -> Option<v1::event::Event> {
    Some(match event {
        Event::AlgRewrite { protocol, control, message, before, after } => {
            v1::event::Event::AlgRewrite(v1::AlgRewrite {
                protocol: protocol_message(protocol).into(),
                control: Some(flow(&control)),
                message: message.to_owned(),
                before: printable(&before),
                after: printable(&after),
            })
        }
        Event::AlgRefusal { protocol, control, message, reason } => {
            v1::event::Event::AlgRefusal(v1::AlgRefusal {
                protocol: protocol_message(protocol).into(),
                control: Some(flow(&control)),
                message: message.to_owned(),
                reason: refusal(reason).to_owned(),
            })
        }
        Event::AlgOpaque { protocol, control, reason } => v1::event::Event::AlgOpaque(v1::AlgOpaque {
            protocol: protocol_message(protocol).into(),
            control: Some(flow(&control)),
            reason: opaque(reason).to_owned(),
        }),
        Event::PinholeOpened { id, protocol, control, message, peer, outside, inside, lifetime, .. } => {
            v1::event::Event::PinholeOpened(v1::PinholeOpened {
                pinhole_id: id.0,
                protocol: protocol_message(protocol).into(),
                control: Some(flow(&control)),
                message: message.to_owned(),
                peer: peer.to_string(),
                outside: outside.to_string(),
                inside: inside.to_string(),
                lifetime_ms: u32::try_from(lifetime.as_millis()).unwrap_or(u32::MAX),
            })
        }
        Event::PinholeClosed { id, protocol, outside, inside, reason, .. } => {
            v1::event::Event::PinholeClosed(v1::PinholeClosed {
                pinhole_id: id.0,
                protocol: protocol_message(protocol).into(),
                outside: outside.to_string(),
                inside: inside.to_string(),
                reason: close_name(reason).to_owned(),
            })
        }
        Event::PortBlockAllocated(block) => v1::event::Event::PortBlockAllocated(port_block(&block)),
        Event::PortBlockReleased(block) => v1::event::Event::PortBlockReleased(port_block(&block)),
        Event::SessionEnded { session, reason: EndReason::Killed } => {
            v1::event::Event::SessionEnded(v1::SessionEnded {
                session: Some(flow(&session.first())),
                reason: "killed".to_owned(),
            })
        }
        // There may be as many as sessions.
        Event::SessionOpened(_)
        | Event::SessionEnded {
            reason: EndReason::Policy | EndReason::Expired | EndReason::Closed | EndReason::Evicted,
            ..
        }
        | Event::LeaseGiven(_)
        | Event::LeaseEnded { .. }
        | Event::LimitReached(_) => return None,
    })
}

fn flow(flow: &Flow) -> v1::Flow {
    v1::Flow {
        protocol: flow.protocol.name().to_owned(),
        source: flow.source.to_string(),
        destination: flow.destination.to_string(),
    }
}

fn port_block(block: &PortBlock) -> v1::PortBlock {
    let ports = v1::PortRange { first: block.ports.first().into(), last: block.ports.last().into() };
    v1::PortBlock {
        subscriber: block.subscriber.to_string(),
        outside: block.outside.to_string(),
        ports: Some(ports),
    }
}

/// Shows printable ASCII as it is, a backslash doubled, and any other byte as `\xNN`.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            0x20..=0x7e => text.push(char::from(*byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(text, "\\x{byte:02x}")),
        }
    }
    text
}

const fn refusal(reason: Refusal) -> &'static str {
    match reason {
        Refusal::ForeignAddress => "foreign_address",
        Refusal::PrivilegedPort => "privileged_port",
        Refusal::UnusableAddress => "unusable_address",
        Refusal::Limit => "limit",
        Refusal::NoPort => "no_port",
        Refusal::Disabled => "disabled",
        Refusal::Malformed => "malformed",
        Refusal::OutOfTurn => "out_of_turn",
    }
}

const fn opaque(reason: OpaqueReason) -> &'static str {
    match reason {
        OpaqueReason::NotTheProtocol => "not_the_protocol",
        OpaqueReason::Encrypted => "encrypted",
        OpaqueReason::TooLong => "too_long",
        OpaqueReason::HeldTooLong => "held_too_long",
        OpaqueReason::Stream => "stream",
        OpaqueReason::Disabled => "disabled",
    }
}

/// Returns the name of why a pinhole closed.
pub(crate) const fn close_name(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Used => "used",
        CloseReason::Expired => "expired",
        CloseReason::Replaced => "replaced",
        CloseReason::RefusedByPeer => "refused_by_peer",
        CloseReason::ControlEnded => "control_ended",
        CloseReason::Policy => "policy",
        CloseReason::Removed => "removed",
        CloseReason::Evicted => "evicted",
    }
}

#[cfg(test)]
mod tests;
