//! How an appliance's NAT settings look in bodies and answers.

use std::num::NonZeroU32;

use serde::Serialize;
use utoipa::ToSchema;

use super::export_view::{Export, ExportInput, Pcp, PcpInput};
use crate::domain::nat::translation::{self, Allocation};
use crate::domain::nat::{NatSettings, texts_of};
use crate::domain::service::ServiceProtocol;

/// The interfaces and addresses of an appliance; while all lists are empty, nothing can be published to it.
#[derive(Debug, Serialize, ToSchema)]
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
    /// In the mode `none` the pool is empty.
    mode: NatMode,
    /// What of the destination the outside endpoint of an inside one depends on (RFC 4787, section 4.1).
    mapping: Dependence,
    /// What of its sender it depends on whether a packet from outside comes in (RFC 4787, section 5).
    #[schema(example = "address_and_port_dependent")]
    filtering: Dependence,
    /// What becomes of SCTP, GRE, ESP and other protocols whose ports are not translated, in the mode `port_translation`.
    other_protocols: OtherProtocols,
    /// The largest TCP segment that hosts are told they may send, where they would say more; `null` leaves it to them.
    #[schema(required = true, example = 1452)]
    tcp_mss: Option<u16>,
    /// `null`: ports are not given out in blocks.
    #[schema(required = true)]
    port_block: Option<PortBlock>,
    /// `null`: ports are given out as they are needed.
    #[schema(required = true, example = json!(null))]
    deterministic: Option<Deterministic>,
    /// Who sends to one of these outside endpoints reaches the inside one.
    forwards: Vec<Forward>,
    /// Towards these nothing is translated.
    exempt_destinations: Vec<Exemption>,
    limits: Limits,
    /// `null`: inside hosts cannot ask for mappings of their own.
    #[schema(required = true, example = json!(null))]
    pcp: Option<Pcp>,
    /// To whom the gateway sends its events.
    export: Vec<Export>,
}

/// What is translated.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum NatMode {
    /// Addresses and ports: subscribers share the outside addresses.
    PortTranslation,
    /// Addresses: each inside address has an outside address of its own, and ports stay.
    OneToOne,
    /// Nothing: the gateway is a firewall.
    None,
}

/// What of the other end's address and port something depends on.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = EndpointDependence)]
#[serde(rename_all = "snake_case")]
enum Dependence {
    /// Nothing.
    EndpointIndependent,
    /// The address.
    AddressDependent,
    /// Both.
    AddressAndPortDependent,
}

/// What becomes of protocols without ports where subscribers share outside addresses.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OtherProtocols {
    /// They are dropped.
    Refuse,
    /// The address is translated: one host behind an outside address at a time has a protocol with an address outside.
    Translate,
}

/// Each subscriber has ports of its own by a formula (RFC 7422), so that nothing has to be recorded about whose they are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeterministicSettings)]
struct Deterministic {
    #[schema(example = 1008)]
    ports_per_subscriber: u16,
}

/// A static forward.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StaticForward)]
struct Forward {
    protocol: ServiceProtocol,
    /// An address of the pool.
    #[schema(example = "203.0.113.1")]
    outside_address: String,
    /// A port or a range of ports.
    #[schema(example = "8080-8089")]
    outside_port: String,
    /// An address of the inside prefixes.
    #[schema(example = "10.0.0.9")]
    inside_address: String,
    /// As many ports as there are outside ports, which lead to them in their order.
    #[schema(example = "80-89")]
    inside_port: String,
}

/// Destinations towards which nothing is translated.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExemptDestination)]
struct Exemption {
    #[schema(example = "192.0.2.0/24")]
    prefix: String,
    /// TCP and UDP ports; `null` is any, and ICMP.
    #[schema(required = true, example = "53,5000-5009")]
    port: Option<String>,
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
#[derive(Debug, Serialize, ToSchema)]
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

impl Nat {
    /// The view of settings; `None` is an appliance that has none yet.
    pub(super) fn new(settings: Option<&NatSettings>) -> Self {
        let translation = settings.map(|settings| settings.translation.clone()).unwrap_or_default();
        let (mut port_block, mut deterministic) = (None, None);
        match translation.allocation {
            Allocation::Random | Allocation::OneToOne | Allocation::Untranslated => {}
            Allocation::Blocks(rule) => {
                port_block = Some(PortBlock {
                    size: rule.size.ports(),
                    per_subscriber: rule.per_subscriber,
                    hold_seconds: rule.hold.as_secs(),
                });
            }
            Allocation::Deterministic(ports) => {
                deterministic = Some(Deterministic { ports_per_subscriber: ports.get() });
            }
        }
        Self {
            inside: settings.map(|settings| texts_of(&settings.inside)).unwrap_or_default(),
            outside: settings.map(|settings| texts_of(&settings.outside)).unwrap_or_default(),
            inside_prefixes: settings.map(|settings| texts_of(&settings.inside_prefixes)).unwrap_or_default(),
            pool: settings.map(|settings| texts_of(&settings.pool)).unwrap_or_default(),
            mode: translation.allocation.mode().into(),
            mapping: translation.mapping.into(),
            filtering: translation.filtering.into(),
            other_protocols: translation.other_protocols.into(),
            tcp_mss: translation.tcp_mss.map(translation::Mss::bytes),
            port_block,
            deterministic,
            forwards: translation.forwards.iter().map(Forward::from).collect(),
            exempt_destinations: translation.exempt.iter().map(Exemption::from).collect(),
            limits: Limits {
                ports_per_subscriber: translation.limits.ports.map(NonZeroU32::get),
                sessions_per_subscriber: translation.limits.sessions.map(NonZeroU32::get),
                new_sessions_per_second: translation.limits.new_sessions_per_second.map(NonZeroU32::get),
            },
            pcp: settings.and_then(|settings| settings.pcp.as_ref()).map(Pcp::from),
            export: settings
                .map(|settings| settings.exports.iter().map(Export::from).collect())
                .unwrap_or_default(),
        }
    }
}

impl From<translation::Mode> for NatMode {
    fn from(mode: translation::Mode) -> Self {
        match mode {
            translation::Mode::PortTranslation => Self::PortTranslation,
            translation::Mode::OneToOne => Self::OneToOne,
            translation::Mode::None => Self::None,
        }
    }
}

impl From<translation::Dependence> for Dependence {
    fn from(dependence: translation::Dependence) -> Self {
        match dependence {
            translation::Dependence::Independent => Self::EndpointIndependent,
            translation::Dependence::Address => Self::AddressDependent,
            translation::Dependence::AddressAndPort => Self::AddressAndPortDependent,
        }
    }
}

impl From<translation::OtherProtocols> for OtherProtocols {
    fn from(other: translation::OtherProtocols) -> Self {
        match other {
            translation::OtherProtocols::Refuse => Self::Refuse,
            translation::OtherProtocols::Translate => Self::Translate,
        }
    }
}

impl From<&translation::Forward> for Forward {
    fn from(forward: &translation::Forward) -> Self {
        Self {
            protocol: translation::protocol_of(forward.transport),
            outside_address: forward.outside.to_string(),
            outside_port: forward.outside_ports.to_string(),
            inside_address: forward.inside.to_string(),
            inside_port: forward.inside_ports.to_string(),
        }
    }
}

impl From<&translation::Exemption> for Exemption {
    fn from(exemption: &translation::Exemption) -> Self {
        Self { prefix: exemption.destination.to_string(), port: translation::ports_of(exemption) }
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
    /// What is translated; `port_translation` if left out. In the mode `none` the pool is empty.
    #[schema(nullable = false)]
    mode: Option<NatMode>,
    /// What of the destination the outside endpoint of an inside one depends on; `endpoint_independent` if left out.
    #[schema(nullable = false)]
    mapping: Option<Dependence>,
    /// What of its sender it depends on whether a packet from outside comes in; `address_and_port_dependent` if left
    /// out. `endpoint_independent` lets anybody reach what an inside host sends from.
    #[schema(nullable = false)]
    filtering: Option<Dependence>,
    /// What becomes of SCTP, GRE, ESP and other protocols whose ports are not translated, in the mode
    /// `port_translation`; `refuse` if left out.
    #[schema(nullable = false)]
    other_protocols: Option<OtherProtocols>,
    /// The largest TCP segment that hosts are to be told they may send, where they would say more; `null` leaves it to
    /// them. For a path whose packets are shorter than its ends know.
    #[schema(minimum = 536, maximum = 65495, example = 1452)]
    tcp_mss: Option<u16>,
    /// `null`: ports are not given out in blocks.
    port_block: Option<PortBlockInput>,
    /// `null`: ports are given out as they are needed. Not together with `port_block`.
    deterministic: Option<DeterministicInput>,
    /// At most 1,024, no two of which have an endpoint in common; only in the mode `port_translation`.
    #[schema(nullable = false, max_items = 1024)]
    forwards: Option<Vec<ForwardInput>>,
    /// At most 256.
    #[schema(nullable = false, max_items = 256)]
    exempt_destinations: Option<Vec<ExemptionInput>>,
    /// What one subscriber may hold at most.
    #[schema(nullable = false)]
    limits: Option<LimitsInput>,
    /// `null`: inside hosts cannot ask for mappings of their own. Only with an endpoint-independent mapping.
    pcp: Option<PcpInput>,
    /// At most eight.
    #[schema(nullable = false, max_items = 8)]
    export: Option<Vec<ExportInput>>,
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

/// Each subscriber is to have ports of its own by a formula.
#[derive(Debug, ToSchema)]
#[schema(as = DeterministicSettingsInput)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
struct DeterministicInput {
    /// The pool has to have room for all addresses of the inside prefixes; 1,008 if left out, which is 64 to an address.
    #[schema(nullable = false, minimum = 1, maximum = 64512, example = 1008)]
    ports_per_subscriber: Option<u16>,
}

/// A static forward to be.
#[derive(Debug, ToSchema)]
#[schema(as = StaticForwardInput)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
struct ForwardInput {
    protocol: ServiceProtocol,
    /// An address of the pool.
    #[schema(example = "203.0.113.1")]
    outside_address: String,
    /// A port or a range of ports.
    #[schema(example = "8080-8089")]
    outside_port: String,
    /// An address of the inside prefixes.
    #[schema(example = "10.0.0.9")]
    inside_address: String,
    /// As many ports as there are outside ports; the same ones if left out.
    #[schema(example = "80-89")]
    inside_port: Option<String>,
}

/// Destinations towards which nothing is to be translated.
#[derive(Debug, ToSchema)]
#[schema(as = ExemptDestinationInput)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
struct ExemptionInput {
    #[schema(example = "192.0.2.0/24")]
    prefix: String,
    /// TCP and UDP ports: a port, a range of ports, or a comma list of both; `null` is any, and ICMP.
    #[schema(example = "53,5000-5009")]
    port: Option<String>,
}
