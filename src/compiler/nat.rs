//! NAT settings, which are in canonical order already.

use std::num::NonZeroU32;

use pinhole_proto::v1;

use crate::domain::nat::translation::{Allocation, SubscriberLimits};
use crate::domain::nat::{NatSettings, texts_of};

pub(super) fn compile(settings: &NatSettings) -> v1::Nat {
    v1::Nat {
        inside_interfaces: texts_of(&settings.inside),
        outside_interfaces: texts_of(&settings.outside),
        inside_prefixes: texts_of(&settings.inside_prefixes),
        pool: texts_of(&settings.pool),
        port_blocks: port_blocks(settings.translation.allocation),
        limits: limits(&settings.translation.limits),
    }
}

// What is as by default is absent, so that a configuration from before there was a choice has the same bytes.

fn port_blocks(allocation: Allocation) -> Option<v1::PortBlocks> {
    match allocation {
        Allocation::Random => None,
        Allocation::Blocks(rule) => Some(v1::PortBlocks {
            size: rule.size.ports().into(),
            per_subscriber: rule.per_subscriber.into(),
            hold_seconds: u32::try_from(rule.hold.as_secs()).unwrap_or(u32::MAX),
        }),
    }
}

fn limits(limits: &SubscriberLimits) -> Option<v1::SubscriberLimits> {
    let number = |limit: Option<NonZeroU32>| limit.map_or(0, NonZeroU32::get);
    (*limits != SubscriberLimits::default()).then(|| v1::SubscriberLimits {
        ports: number(limits.ports),
        sessions: number(limits.sessions),
        new_sessions_per_second: number(limits.new_sessions_per_second),
    })
}
