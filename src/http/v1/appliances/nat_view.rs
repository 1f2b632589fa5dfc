//! How an appliance's NAT settings look in bodies and answers.

use std::num::NonZeroU32;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::nat::translation::Allocation;
use crate::domain::nat::{NatSettings, texts_of};

/// The interfaces and addresses of an appliance; while all lists are empty, nothing can be published to it.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = NatSettings)]
pub(in crate::http) struct Nat {
    /// Interfaces of the subscribers' side.
    #[schema(example = json!(["in0"]))]
    inside: Vec<String>,
    /// Interfaces of the Internet's side.
    #[schema(example = json!(["out0"]))]
    outside: Vec<String>,
    /// Prefixes of the subscribers.
    #[schema(example = json!(["10.0.0.0/24"]))]
    inside_prefixes: Vec<String>,
    /// Outside addresses: single ones, prefixes, or ranges `first-last`, each in its shortest form.
    #[schema(example = json!(["203.0.113.1"]))]
    pool: Vec<String>,
    /// `null`: a subscriber gets any port of its outside address, at random.
    #[schema(required = true)]
    port_block: Option<PortBlock>,
    limits: Limits,
}

/// Ports are given to subscribers in blocks, each to one at a time, and only this is reported.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PortBlockSettings)]
struct PortBlock {
    /// Ports of a block.
    #[schema(example = 512)]
    size: u16,
    /// Blocks of one subscriber at most.
    #[schema(example = 4)]
    per_subscriber: u16,
    /// How long a block that was given back is kept from other subscribers.
    #[schema(example = 120)]
    hold_seconds: u64,
}

/// What one subscriber may hold at most; `null` is no limit. At a limit new sessions are refused, and those that are
/// there stay.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = SubscriberLimits)]
struct Limits {
    /// Outside ports and ICMP identifiers.
    #[schema(required = true, example = 2048)]
    ports_per_subscriber: Option<u32>,
    #[schema(required = true, example = 4096)]
    sessions_per_subscriber: Option<u32>,
    /// As many may come at once after a second of rest.
    #[schema(required = true, example = 100)]
    new_sessions_per_second: Option<u32>,
}

impl From<&NatSettings> for Nat {
    fn from(settings: &NatSettings) -> Self {
        let limits = &settings.translation.limits;
        Self {
            inside: texts_of(&settings.inside),
            outside: texts_of(&settings.outside),
            inside_prefixes: texts_of(&settings.inside_prefixes),
            pool: texts_of(&settings.pool),
            port_block: match settings.translation.allocation {
                Allocation::Random => None,
                Allocation::Blocks(rule) => Some(PortBlock {
                    size: rule.size.ports(),
                    per_subscriber: rule.per_subscriber,
                    hold_seconds: rule.hold.as_secs(),
                }),
            },
            limits: Limits {
                ports_per_subscriber: limits.ports.map(NonZeroU32::get),
                sessions_per_subscriber: limits.sessions.map(NonZeroU32::get),
                new_sessions_per_second: limits.new_sessions_per_second.map(NonZeroU32::get),
            },
        }
    }
}

/// The interfaces and addresses of an appliance to be.
#[derive(Debug, ToSchema)]
#[schema(as = NatSettingsInput)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) struct NatInput {
    /// Interfaces of the subscribers' side.
    #[schema(nullable = false, max_items = 64, example = json!(["in0"]))]
    inside: Option<Vec<String>>,
    /// Interfaces of the Internet's side.
    #[schema(nullable = false, max_items = 64, example = json!(["out0"]))]
    outside: Option<Vec<String>>,
    /// Prefixes of the subscribers, which do not overlap.
    #[schema(nullable = false, max_items = 1024, example = json!(["10.0.0.0/24"]))]
    inside_prefixes: Option<Vec<String>>,
    /// Outside addresses: single ones, prefixes, or ranges `first-last`; 4,096 addresses at most.
    #[schema(nullable = false, max_items = 256, example = json!(["203.0.113.1", "203.0.113.16/28"]))]
    pool: Option<Vec<String>>,
    /// `null`: a subscriber gets any port of its outside address, at random.
    port_block: Option<PortBlockInput>,
    /// What one subscriber may hold at most.
    #[schema(nullable = false)]
    limits: Option<LimitsInput>,
}

/// Ports are to be given to subscribers in blocks.
#[derive(Debug, ToSchema)]
#[schema(as = PortBlockSettingsInput)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
struct PortBlockInput {
    /// Ports of a block: a power of two; 512 if left out.
    #[schema(nullable = false, minimum = 64, maximum = 4096, example = 512)]
    size: Option<u16>,
    /// Blocks of one subscriber at most; 4 if left out.
    #[schema(nullable = false, minimum = 1, maximum = 64, example = 4)]
    per_subscriber: Option<u16>,
    /// How long a block that was given back is kept from other subscribers; 120 if left out.
    #[schema(nullable = false, maximum = 86400, example = 120)]
    hold_seconds: Option<u32>,
}

/// What one subscriber is to hold at most; what is `null` or left out is no limit.
#[derive(Debug, ToSchema)]
#[schema(as = SubscriberLimitsInput)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
struct LimitsInput {
    /// Outside ports and ICMP identifiers.
    #[schema(minimum = 1, maximum = 10_000_000, example = 2048)]
    ports_per_subscriber: Option<u32>,
    #[schema(minimum = 1, maximum = 10_000_000, example = 4096)]
    sessions_per_subscriber: Option<u32>,
    /// As many may come at once after a second of rest.
    #[schema(minimum = 1, maximum = 10_000_000, example = 100)]
    new_sessions_per_second: Option<u32>,
}
