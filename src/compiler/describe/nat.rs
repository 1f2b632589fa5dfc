//! How addresses and ports are given to subscribers.

use pinhole_proto::v1;
use serde_json::{Value, json};

use super::{ports_text, transport_word};
use crate::domain::nat::translation::{Dependence, Mode, OtherProtocols, Translation};

pub(super) fn describe(nat: &v1::Nat) -> impl Iterator<Item = (String, Value)> {
    let default = Translation::default();
    let port_block = nat.port_blocks.as_ref().map(|blocks| {
        json!({
            "size": blocks.size,
            "per_subscriber": blocks.per_subscriber,
            "hold_seconds": blocks.hold_seconds,
        })
    });
    let deterministic = nat
        .deterministic
        .as_ref()
        .map(|deterministic| json!({ "ports_per_subscriber": deterministic.ports_per_subscriber }));
    let limits = nat.limits.unwrap_or_default();
    let limit = |number: u32| json!((number > 0).then_some(number));
    let values = [
        ("mode", json!(mode_word(nat.mode()))),
        ("mapping", json!(dependence_word(nat.mapping(), default.mapping))),
        ("filtering", json!(dependence_word(nat.filtering(), default.filtering))),
        ("other_protocols", json!(other_protocols_word(nat.other_protocols()))),
        ("tcp_mss", limit(nat.tcp_mss)),
        ("port_block", port_block.unwrap_or(Value::Null)),
        ("deterministic", deterministic.unwrap_or(Value::Null)),
        ("forwards", nat.forwards.iter().map(forward).collect()),
        ("exempt_destinations", nat.exempt_destinations.iter().map(exemption).collect()),
        ("pcp", nat.pcp.as_ref().map_or(Value::Null, pcp)),
        ("limits/ports_per_subscriber", limit(limits.ports)),
        ("limits/sessions_per_subscriber", limit(limits.sessions)),
        ("limits/new_sessions_per_second", limit(limits.new_sessions_per_second)),
    ];
    values.into_iter().map(|(name, value)| (format!("/nat/{name}"), value))
}

const fn mode_word(mode: v1::NatMode) -> &'static str {
    match mode {
        v1::NatMode::Unspecified | v1::NatMode::PortTranslation => Mode::PortTranslation.name(),
        v1::NatMode::OneToOne => Mode::OneToOne.name(),
        v1::NatMode::None => Mode::None.name(),
    }
}

const fn dependence_word(value: v1::Dependence, default: Dependence) -> &'static str {
    match value {
        v1::Dependence::Unspecified => default.name(),
        v1::Dependence::EndpointIndependent => Dependence::Independent.name(),
        v1::Dependence::AddressDependent => Dependence::Address.name(),
        v1::Dependence::AddressAndPortDependent => Dependence::AddressAndPort.name(),
    }
}

const fn other_protocols_word(other: v1::OtherProtocols) -> &'static str {
    match other {
        v1::OtherProtocols::Unspecified | v1::OtherProtocols::Refuse => OtherProtocols::Refuse.name(),
        v1::OtherProtocols::Translate => OtherProtocols::Translate.name(),
    }
}

fn forward(forward: &v1::Forward) -> Value {
    let ports = |range: Option<v1::PortRange>| range.and_then(|range| ports_text(&[range]));
    json!({
        "protocol": transport_word(forward.protocol),
        "outside_address": forward.outside_address,
        "outside_port": ports(forward.outside_ports),
        "inside_address": forward.inside_address,
        "inside_port": ports(forward.inside_ports),
    })
}

fn pcp(pcp: &v1::Pcp) -> Value {
    json!({
        "nat_pmp": pcp.nat_pmp,
        "third_party": pcp.third_party,
        "min_lifetime_seconds": pcp.min_lifetime_seconds,
        "max_lifetime_seconds": pcp.max_lifetime_seconds,
    })
}

/// To whom events are exported, each by its name.
pub(super) fn export(export: &v1::Export) -> (String, Value) {
    let enterprise = (export.enterprise > 0).then_some(export.enterprise);
    let value = json!({
        "format": export.format,
        "to": export.to,
        "events": export.events,
        "queue": export.queue,
        "domain": export.domain,
        "enterprise": enterprise,
    });
    (format!("/nat/export/{}", export.name), value)
}

fn exemption(exemption: &v1::Exemption) -> Value {
    json!({ "prefix": exemption.prefix, "port": ports_text(&exemption.ports) })
}
