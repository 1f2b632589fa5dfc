//! ICMPv6 errors of the engine's own: about what it drops, and about connections that nobody inside has met halfway.

use std::collections::VecDeque;
use std::net::Ipv6Addr;
use std::num::NonZeroU32;

use super::Context;
use crate::addr::Realm;
use crate::conntrack::ipv6::Ipv6Key;
use crate::emit::ipv6::{IcmpError, craft_error, quotation};
use crate::engine::{DropReason, Engine};
use crate::limits::{ICMP_ERRORS_PER_SECOND, MAX_REFUSALS, REFUSAL_DELAY};
use crate::parse::ipv6::Ipv6Body;
use crate::rate::Rate;
use crate::time::Timestamp;
use crate::wire::{self, ipv6, u8_at};

/// A connection from outside that waits for its inside end.
#[derive(Debug)]
struct Waiting {
    at: Timestamp,
    key: Ipv6Key,
    reporter: Ipv6Addr,
    /// What the refusal quotes.
    packet: Vec<u8>,
}

/// Connections from outside that nobody expected. Each is refused after a while, unless the inside end has opened one
/// to the same endpoint by then: both may be opening it at the same time (RFC 6092, REC-31 and REC-34).
#[derive(Debug, Default)]
pub(in crate::engine) struct Refusals {
    /// In the order of their times, as all wait equally long.
    waiting: VecDeque<Waiting>,
    errors: Rate,
}

impl Refusals {
    /// Returns when the next refusal is due.
    pub(in crate::engine) fn next_deadline(&self) -> Option<Timestamp> {
        self.waiting.front().map(|waiting| waiting.at)
    }

    /// Whether an error may be sent now.
    fn takes_turn(&mut self, now: Timestamp) -> bool {
        let Some(most) = NonZeroU32::new(ICMP_ERRORS_PER_SECOND) else { return false };
        let allowed = self.errors.allows(most, now);
        if allowed {
            self.errors.spend(most, now);
        }
        allowed
    }
}

impl Engine {
    /// Takes note of a packet from outside that is to be refused if nobody inside answers it: of one that would open a
    /// connection. Others are not answered.
    pub(super) fn refuse_later(&mut self, context: &Context<'_>, packet: &[u8], key: &Ipv6Key) {
        let Some(reporter) = context.rules.reporter() else { return };
        let Some(state) = &mut self.ipv6 else { return };
        let waiting = &mut state.refusals.waiting;
        if !opens_connection(context, packet)
            || waiting.len() >= MAX_REFUSALS
            || waiting.iter().rev().take(MAX_REPEATS).any(|other| other.key == *key)
        {
            return;
        }
        let at = context.now.saturating_add(REFUSAL_DELAY);
        waiting.push_back(Waiting { at, key: *key, reporter, packet: quotation(packet).to_vec() });
    }

    /// Refuses connections that have waited long enough.
    pub(in crate::engine) fn refuse_waiting(&mut self, now: Timestamp, budget: &mut usize) {
        while *budget > 0 {
            let Some(state) = &mut self.ipv6 else { return };
            let waiting = &mut state.refusals.waiting;
            if waiting.front().is_none_or(|waiting| waiting.at > now) {
                return;
            }
            *budget -= 1;
            let Some(Waiting { key, reporter, packet, .. }) = waiting.pop_front() else { return };
            if self.table.find_ipv6(&key).is_some() || !state.refusals.takes_turn(now) {
                continue;
            }
            let error = IcmpError {
                kind: ipv6::ICMP_UNREACHABLE,
                code: ipv6::CODE_PROHIBITED,
                source: reporter,
                destination: key.outside,
            };
            self.transmit(Realm::Outside, craft_error(&error, &packet));
        }
    }

    /// Tells a sender why its packet was dropped, where that helps it and nobody learns what is behind the firewall.
    pub(super) fn report_ipv6(&mut self, context: &Context<'_>, packet: &[u8], reason: DropReason) {
        let Some((kind, code)) = error_about(reason, context.realm) else { return };
        let source = context.parsed.flow.source;
        // RFC 4443, section 2.4 e: not about errors, and not to who cannot have sent the packet.
        let about_error = matches!(context.parsed.body, Ipv6Body::Error(_) | Ipv6Body::LinkLocal);
        if about_error || source.is_unspecified() || source.is_multicast() || source.is_loopback() {
            return;
        }
        let Some(reporter) = context.rules.reporter() else { return };
        let Some(state) = &mut self.ipv6 else { return };
        if !state.refusals.takes_turn(context.now) {
            return;
        }
        let error = IcmpError { kind, code, source: reporter, destination: source };
        self.transmit(context.realm, craft_error(&error, quotation(packet)));
    }
}

/// As many of the latest are looked at for a repeated first packet.
const MAX_REPEATS: usize = 32;

/// Whether a packet opens a connection: a SYN, or an INIT of SCTP (RFC 6092, REC-39).
fn opens_connection(context: &Context<'_>, packet: &[u8]) -> bool {
    const SCTP_CHUNK: usize = 12;
    const SCTP_INIT: u8 = 1;
    match context.parsed.flow.protocol {
        wire::PROTOCOL_TCP => true,
        wire::PROTOCOL_SCTP => u8_at(packet, context.parsed.span.transport_at() + SCTP_CHUNK) == SCTP_INIT,
        _ => false,
    }
}

/// Returns type and code of the error about a dropped packet, `None` for silence.
const fn error_about(reason: DropReason, from: Realm) -> Option<(u8, u8)> {
    match (reason, from) {
        (DropReason::TtlExceeded, _) => Some((ipv6::ICMP_TIME_EXCEEDED, 0)),
        (DropReason::SpoofedSource, Realm::Inside) => {
            Some((ipv6::ICMP_UNREACHABLE, ipv6::CODE_SOURCE_POLICY))
        }
        (
            DropReason::BadDestination
            | DropReason::SessionsFull
            | DropReason::SubscriberSessions
            | DropReason::SubscriberRate
            | DropReason::SubscribersFull,
            Realm::Inside,
        ) => Some((ipv6::ICMP_UNREACHABLE, ipv6::CODE_PROHIBITED)),
        _ => None,
    }
}
