//! The templates (RFC 7011, section 3.4), and each record's values in their order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::engine::{EndReason, LimitReached, Scarce};

use crate::export::record::{Binding, Block, Flow, Record, What, ipv6_protocol_number, protocol_number};

/// An information element of IANA's registry and its length in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field(pub(super) u16, pub(super) u16);

const PROTOCOL: Field = Field(4, 1);
const SOURCE_PORT: Field = Field(7, 2);
const SOURCE_V4: Field = Field(8, 4);
const DESTINATION_PORT: Field = Field(11, 2);
const DESTINATION_V4: Field = Field(12, 4);
const SOURCE_V6: Field = Field(27, 16);
const DESTINATION_V6: Field = Field(28, 16);
const FLOW_END_REASON: Field = Field(136, 1);
const OBSERVATION_DOMAIN: Field = Field(149, 4);
const NOT_SENT_FLOWS: Field = Field(165, 8);
const POST_NAT_SOURCE_V4: Field = Field(225, 4);
const POST_NAT_DESTINATION_V4: Field = Field(226, 4);
const POST_NAPT_SOURCE_PORT: Field = Field(227, 2);
const POST_NAPT_DESTINATION_PORT: Field = Field(228, 2);
const ORIGINATING_REALM: Field = Field(229, 1);
const NAT_EVENT: Field = Field(230, 1);
const FIREWALL_EVENT: Field = Field(233, 1);
const INITIATOR_PACKETS: Field = Field(298, 8);
const RESPONDER_PACKETS: Field = Field(299, 8);
const TIME_MS: Field = Field(323, 8);
const PORT_RANGE_START: Field = Field(361, 2);
const PORT_RANGE_END: Field = Field(362, 2);
const QUOTA_EVENT: Field = Field(466, 4);
const MAX_SESSIONS: Field = Field(471, 4);
const MAX_PER_USER: Field = Field(473, 4);
const MAX_SUBSCRIBERS: Field = Field(474, 4);

/// A template. One with scope fields, which come first, is an options template (RFC 7011, section 3.4.2.2).
#[derive(Debug)]
pub(super) struct Template {
    pub(super) id: u16,
    pub(super) scope: u16,
    pub(super) fields: &'static [Field],
}

const fn template(id: u16, fields: &'static [Field]) -> Template {
    Template { id, scope: 0, fields }
}

static SESSION_OPENED: Template = template(
    256,
    &[
        TIME_MS,
        PROTOCOL,
        SOURCE_V4,
        SOURCE_PORT,
        POST_NAT_SOURCE_V4,
        POST_NAPT_SOURCE_PORT,
        DESTINATION_V4,
        DESTINATION_PORT,
        POST_NAT_DESTINATION_V4,
        POST_NAPT_DESTINATION_PORT,
        ORIGINATING_REALM,
        NAT_EVENT,
    ],
);
static SESSION_ENDED: Template = template(
    257,
    &[
        TIME_MS,
        PROTOCOL,
        SOURCE_V4,
        SOURCE_PORT,
        POST_NAT_SOURCE_V4,
        POST_NAPT_SOURCE_PORT,
        DESTINATION_V4,
        DESTINATION_PORT,
        POST_NAT_DESTINATION_V4,
        POST_NAPT_DESTINATION_PORT,
        ORIGINATING_REALM,
        NAT_EVENT,
        INITIATOR_PACKETS,
        RESPONDER_PACKETS,
        FLOW_END_REASON,
    ],
);
static BLOCK: Template =
    template(258, &[TIME_MS, SOURCE_V4, POST_NAT_SOURCE_V4, PORT_RANGE_START, PORT_RANGE_END, NAT_EVENT]);
static BINDING: Template = template(
    259,
    &[
        TIME_MS,
        PROTOCOL,
        SOURCE_V4,
        SOURCE_PORT,
        POST_NAT_SOURCE_V4,
        POST_NAPT_SOURCE_PORT,
        DESTINATION_V4,
        DESTINATION_PORT,
        NAT_EVENT,
    ],
);
static USER_QUOTA: Template = template(260, &[TIME_MS, NAT_EVENT, QUOTA_EVENT, MAX_PER_USER, SOURCE_V4]);
static SESSION_QUOTA: Template = template(261, &[TIME_MS, NAT_EVENT, QUOTA_EVENT, MAX_SESSIONS, SOURCE_V4]);
static SUBSCRIBER_QUOTA: Template =
    template(262, &[TIME_MS, NAT_EVENT, QUOTA_EVENT, MAX_SUBSCRIBERS, SOURCE_V4]);
static PORTS_EXHAUSTED: Template =
    template(263, &[TIME_MS, NAT_EVENT, POST_NAT_SOURCE_V4, PROTOCOL, SOURCE_V4]);
static ADDRESSES_EXHAUSTED: Template = template(264, &[TIME_MS, NAT_EVENT, PROTOCOL, SOURCE_V4]);
static FLOW_OPENED_V6: Template = template(
    265,
    &[
        TIME_MS,
        PROTOCOL,
        SOURCE_V6,
        SOURCE_PORT,
        DESTINATION_V6,
        DESTINATION_PORT,
        ORIGINATING_REALM,
        FIREWALL_EVENT,
    ],
);
static FLOW_ENDED_V6: Template = template(
    266,
    &[
        TIME_MS,
        PROTOCOL,
        SOURCE_V6,
        SOURCE_PORT,
        DESTINATION_V6,
        DESTINATION_PORT,
        ORIGINATING_REALM,
        FIREWALL_EVENT,
        INITIATOR_PACKETS,
        RESPONDER_PACKETS,
        FLOW_END_REASON,
    ],
);
static RECORDS_LOST: Template =
    Template { id: 267, scope: 1, fields: &[OBSERVATION_DOMAIN, TIME_MS, NOT_SENT_FLOWS] };

/// Every template, in the order of their numbers.
pub(super) static ALL: [&Template; 12] = [
    &SESSION_OPENED,
    &SESSION_ENDED,
    &BLOCK,
    &BINDING,
    &USER_QUOTA,
    &SESSION_QUOTA,
    &SUBSCRIBER_QUOTA,
    &PORTS_EXHAUSTED,
    &ADDRESSES_EXHAUSTED,
    &FLOW_OPENED_V6,
    &FLOW_ENDED_V6,
    &RECORDS_LOST,
];

/// What a NAT does (RFC 8158, section 5.2).
#[derive(Clone, Copy)]
enum NatEvent {
    AddressesExhausted = 3,
    SessionCreate = 4,
    SessionDelete = 5,
    BindingCreate = 8,
    BindingDelete = 9,
    PortsExhausted = 12,
    QuotaExceeded = 13,
    BlockAllocated = 16,
    BlockReleased = 17,
}

/// Whose quota is exceeded (RFC 8158, section 5.4).
#[derive(Clone, Copy)]
enum QuotaEvent {
    Sessions = 1,
    PerUser = 3,
    Subscribers = 4,
}

/// What a firewall does (IANA, firewallEvent).
#[derive(Clone, Copy)]
enum FirewallEvent {
    Created = 1,
    Deleted = 2,
}

/// The values of a record.
#[derive(Default)]
struct Values(Vec<u8>);

impl Values {
    fn of_time(at_ms: u64) -> Self {
        Self(at_ms.to_be_bytes().to_vec())
    }

    fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    fn word(mut self, value: u16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn number(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn count(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn v4(mut self, address: Ipv4Addr) -> Self {
        self.0.extend(address.octets());
        self
    }

    fn v6(mut self, address: Ipv6Addr) -> Self {
        self.0.extend(address.octets());
        self
    }
}

/// Returns a record's template and values; `None` for what has no form in IPFIX.
pub(super) fn data(record: &Record, domain: u32) -> Option<(&'static Template, Vec<u8>)> {
    let time = Values::of_time(record.at_ms);
    let (template, values) = match record.what {
        What::SessionOpened(flow) => match translated(&flow) {
            Some(addresses) => {
                let values = session(time, &flow, addresses, NatEvent::SessionCreate);
                (&SESSION_OPENED, values)
            }
            None => (&FLOW_OPENED_V6, untranslated(time, &flow, FirewallEvent::Created)?),
        },
        What::SessionEnded { flow, packets_out, packets_in, reason } => {
            let (template, values) = match translated(&flow) {
                Some(addresses) => (&SESSION_ENDED, session(time, &flow, addresses, NatEvent::SessionDelete)),
                None => (&FLOW_ENDED_V6, untranslated(time, &flow, FirewallEvent::Deleted)?),
            };
            let (initiator, responder) = match flow.originator {
                Realm::Inside => (packets_out, packets_in),
                Realm::Outside => (packets_in, packets_out),
            };
            (template, values.count(initiator).count(responder).byte(flow_end_reason(reason)))
        }
        What::BlockAllocated(of) => (&BLOCK, block(time, &of, NatEvent::BlockAllocated)?),
        What::BlockReleased(of) => (&BLOCK, block(time, &of, NatEvent::BlockReleased)?),
        What::PinholeOpened(of) | What::MappingOpened(of) => {
            (&BINDING, binding(time, &of, NatEvent::BindingCreate)?)
        }
        What::PinholeClosed { binding: of, .. } | What::MappingClosed { binding: of, .. } => {
            (&BINDING, binding(time, &of, NatEvent::BindingDelete)?)
        }
        What::LimitReached(reached) => limit(time, &reached)?,
        What::RecordsLost(count) => {
            (&RECORDS_LOST, Values::default().number(domain).count(record.at_ms).count(count))
        }
    };
    Some((template, values.0))
}

/// Returns the inside, outside and remote addresses of a session whose addresses are IPv4.
const fn translated(flow: &Flow) -> Option<[Ipv4Addr; 3]> {
    match (flow.inside.ip(), flow.outside.ip(), flow.remote.ip()) {
        (IpAddr::V4(inside), IpAddr::V4(outside), IpAddr::V4(remote)) => Some([inside, outside, remote]),
        _ => None,
    }
}

fn session(time: Values, flow: &Flow, [inside, outside, remote]: [Ipv4Addr; 3], event: NatEvent) -> Values {
    time.byte(protocol_number(flow.protocol, flow.inside.port()))
        .v4(inside)
        .word(flow.inside.port())
        .v4(outside)
        .word(flow.outside.port())
        .v4(remote)
        .word(flow.remote.port())
        // The other end is what it is on both sides.
        .v4(remote)
        .word(flow.remote.port())
        .byte(originating_realm(flow.originator))
        .byte(event as u8)
}

/// An IPv6 session, whose addresses are the same on both sides.
fn untranslated(time: Values, flow: &Flow, event: FirewallEvent) -> Option<Values> {
    let (IpAddr::V6(inside), IpAddr::V6(remote)) = (flow.inside.ip(), flow.remote.ip()) else { return None };
    let values = time
        .byte(ipv6_protocol_number(flow.protocol, flow.inside.port()))
        .v6(inside)
        .word(flow.inside.port())
        .v6(remote)
        .word(flow.remote.port())
        .byte(originating_realm(flow.originator))
        .byte(event as u8);
    Some(values)
}

fn block(time: Values, block: &Block, event: NatEvent) -> Option<Values> {
    let (IpAddr::V4(subscriber), IpAddr::V4(outside)) = (block.subscriber, block.outside) else {
        return None;
    };
    Some(time.v4(subscriber).v4(outside).word(block.first).word(block.last).byte(event as u8))
}

fn binding(time: Values, binding: &Binding, event: NatEvent) -> Option<Values> {
    let (IpAddr::V4(inside), IpAddr::V4(outside), IpAddr::V4(peer)) =
        (binding.inside.ip(), binding.outside.ip(), binding.peer.ip())
    else {
        return None;
    };
    let values = time
        .byte(protocol_number(binding.protocol, binding.inside.port()))
        .v4(inside)
        .word(binding.inside.port())
        .v4(outside)
        .word(binding.outside.port())
        .v4(peer)
        .word(binding.peer.port())
        .byte(event as u8);
    Some(values)
}

fn limit(time: Values, reached: &LimitReached) -> Option<(&'static Template, Values)> {
    let (template, event, most) = match reached.scarce {
        Scarce::Sessions(most) => (&SESSION_QUOTA, QuotaEvent::Sessions, most),
        Scarce::Subscribers(most) => (&SUBSCRIBER_QUOTA, QuotaEvent::Subscribers, most),
        Scarce::SubscriberPorts(most) | Scarce::SubscriberSessions(most) => {
            (&USER_QUOTA, QuotaEvent::PerUser, most)
        }
        // A rate is no number of entries, and RFC 8158 has no event for it.
        Scarce::SubscriberRate(_) => return None,
        Scarce::Ports(outside) => {
            let values = time.byte(NatEvent::PortsExhausted as u8).v4(outside);
            let values = values.byte(protocol_number(reached.protocol, u16::MAX)).v4(reached.subscriber);
            return Some((&PORTS_EXHAUSTED, values));
        }
        Scarce::Addresses => {
            let values = time.byte(NatEvent::AddressesExhausted as u8);
            let values = values.byte(protocol_number(reached.protocol, u16::MAX)).v4(reached.subscriber);
            return Some((&ADDRESSES_EXHAUSTED, values));
        }
    };
    let values = time.byte(NatEvent::QuotaExceeded as u8).number(event as u32).number(most);
    Some((template, values.v4(reached.subscriber)))
}

const fn originating_realm(realm: Realm) -> u8 {
    match realm {
        Realm::Inside => 1,
        Realm::Outside => 2,
    }
}

/// RFC 5102, section 5.11.3.
const fn flow_end_reason(reason: EndReason) -> u8 {
    match reason {
        EndReason::Expired => 1,
        EndReason::Closed => 3,
        EndReason::Policy | EndReason::Killed => 4,
        // Lack of resources.
        EndReason::Evicted => 5,
    }
}
