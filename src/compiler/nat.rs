//! NAT settings, which are in canonical order already.

use std::num::NonZeroU32;

use pinhole_dataplane::config::PortRange;
use pinhole_dataplane::config::nat::export::ExportSettings;
use pinhole_dataplane::config::nat::pcp::PcpSettings;
use pinhole_proto::v1;

use crate::domain::nat::export::numbers_of;
use crate::domain::nat::translation::{
    Allocation, Dependence, Exemption, Forward, Mode, OtherProtocols, SubscriberLimits, Translation,
    protocol_of,
};
use crate::domain::nat::{NatSettings, texts_of};

pub(super) fn compile(settings: &NatSettings) -> v1::Nat {
    let (translation, default) = (&settings.translation, Translation::default());
    v1::Nat {
        inside_interfaces: texts_of(&settings.inside),
        outside_interfaces: texts_of(&settings.outside),
        inside_prefixes: texts_of(&settings.inside_prefixes),
        pool: texts_of(&settings.pool),
        port_blocks: port_blocks(translation.allocation),
        limits: limits(&translation.limits),
        mode: mode(translation.allocation).into(),
        deterministic: deterministic(translation.allocation),
        mapping: dependence(translation.mapping, default.mapping).into(),
        filtering: dependence(translation.filtering, default.filtering).into(),
        forwards: translation.forwards.iter().map(forward).collect(),
        exempt_destinations: translation.exempt.iter().map(exemption).collect(),
        other_protocols: other_protocols(translation.other_protocols).into(),
        tcp_mss: translation.tcp_mss.map_or(0, |mss| mss.bytes().into()),
        pcp: settings.pcp.map(pcp),
    }
}

fn pcp(settings: PcpSettings) -> v1::Pcp {
    v1::Pcp {
        nat_pmp: settings.nat_pmp,
        third_party: settings.third_party,
        min_lifetime_seconds: settings.min_lifetime,
        max_lifetime_seconds: settings.max_lifetime,
    }
}

pub(super) fn export(settings: &ExportSettings) -> v1::Export {
    let (domain, enterprise) = numbers_of(settings.format);
    v1::Export {
        name: settings.name.clone(),
        format: settings.format.name().to_owned(),
        to: settings.target.to_string(),
        events: settings.events.iter().map(|kind| kind.name().to_owned()).collect(),
        queue: settings.queue,
        domain,
        enterprise: enterprise.unwrap_or_default(),
    }
}

// What is as by default is absent, so that a configuration from before there was a choice has the same bytes.

fn mode(allocation: Allocation) -> v1::NatMode {
    match allocation.mode() {
        Mode::PortTranslation => v1::NatMode::Unspecified,
        Mode::OneToOne => v1::NatMode::OneToOne,
        Mode::None => v1::NatMode::None,
    }
}

fn port_blocks(allocation: Allocation) -> Option<v1::PortBlocks> {
    match allocation {
        Allocation::Random
        | Allocation::Deterministic(_)
        | Allocation::OneToOne
        | Allocation::Untranslated => None,
        Allocation::Blocks(rule) => Some(v1::PortBlocks {
            size: rule.size.ports().into(),
            per_subscriber: rule.per_subscriber.into(),
            hold_seconds: u32::try_from(rule.hold.as_secs()).unwrap_or(u32::MAX),
        }),
    }
}

fn deterministic(allocation: Allocation) -> Option<v1::Deterministic> {
    match allocation {
        Allocation::Random | Allocation::Blocks(_) | Allocation::OneToOne | Allocation::Untranslated => None,
        Allocation::Deterministic(ports) => {
            Some(v1::Deterministic { ports_per_subscriber: ports.get().into() })
        }
    }
}

fn dependence(value: Dependence, default: Dependence) -> v1::Dependence {
    match value {
        value if value == default => v1::Dependence::Unspecified,
        Dependence::Independent => v1::Dependence::EndpointIndependent,
        Dependence::Address => v1::Dependence::AddressDependent,
        Dependence::AddressAndPort => v1::Dependence::AddressAndPortDependent,
    }
}

const fn other_protocols(other: OtherProtocols) -> v1::OtherProtocols {
    match other {
        OtherProtocols::Refuse => v1::OtherProtocols::Unspecified,
        OtherProtocols::Translate => v1::OtherProtocols::Translate,
    }
}

fn forward(forward: &Forward) -> v1::Forward {
    v1::Forward {
        protocol: super::alg::transport_number(protocol_of(forward.transport)).into(),
        outside_address: forward.outside.to_string(),
        outside_ports: Some(range(forward.outside_ports)),
        inside_address: forward.inside.to_string(),
        inside_ports: Some(range(forward.inside_ports)),
    }
}

fn exemption(exemption: &Exemption) -> v1::Exemption {
    v1::Exemption {
        prefix: exemption.destination.to_string(),
        ports: exemption.ports.iter().copied().map(range).collect(),
    }
}

fn range(range: PortRange) -> v1::PortRange {
    v1::PortRange { first: range.first().into(), last: range.last().into() }
}

fn limits(limits: &SubscriberLimits) -> Option<v1::SubscriberLimits> {
    let number = |limit: Option<NonZeroU32>| limit.map_or(0, NonZeroU32::get);
    (*limits != SubscriberLimits::default()).then(|| v1::SubscriberLimits {
        ports: number(limits.ports),
        sessions: number(limits.sessions),
        new_sessions_per_second: number(limits.new_sessions_per_second),
    })
}
