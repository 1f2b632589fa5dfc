//! How addresses and ports are given to subscribers, as a message has it.

use std::fmt::Display;

use pinhole_dataplane::config::PortRange;
use pinhole_dataplane::config::nat::{
    self, Dependence, DeterministicDraft, Exemption, Forward, LimitsDraft, Located, Mode, OtherProtocols,
    PortBlockDraft, TranslationDraft,
};
use pinhole_proto::v1;

use super::{read_ports, read_transport, report};
use crate::config::Problem;
use crate::config::ports::{PortSet, port_range};

/// Reads what of the NAT settings is about it; `None` when something of it was reported.
pub(super) fn read(nat: &v1::Nat, problems: &mut Vec<Problem<String>>) -> Option<TranslationDraft<String>> {
    let before = problems.len();
    let draft = TranslationDraft {
        mode: read_mode(nat.mode, problems),
        mapping: read_dependence("nat.mapping", nat.mapping, problems),
        filtering: read_dependence("nat.filtering", nat.filtering, problems),
        other_protocols: Some(read_other_protocols(nat.other_protocols, problems)),
        tcp_mss: (nat.tcp_mss > 0).then(|| number("nat.tcp_mss", nat.tcp_mss)),
        port_block: nat.port_blocks.as_ref().map(read_blocks),
        deterministic: nat.deterministic.as_ref().map(|deterministic| DeterministicDraft {
            at: "nat.deterministic".to_owned(),
            ports_per_subscriber: Some(number(
                "nat.deterministic.ports_per_subscriber",
                deterministic.ports_per_subscriber,
            )),
        }),
        forwards: located("nat.forwards", &nat.forwards, |path, forward| {
            read_forward(path, forward, problems)
        }),
        exempt: located("nat.exempt_destinations", &nat.exempt_destinations, |path, exemption| {
            read_exemption(path, exemption, problems)
        }),
        limits: nat.limits.as_ref().map(read_limits).unwrap_or_default(),
    };
    (problems.len() == before).then_some(draft)
}

fn number(path: &str, value: u32) -> Located<i64, String> {
    Located { value: value.into(), at: path.to_owned() }
}

pub(super) fn located<M, T>(
    path: &str,
    messages: &[M],
    mut read: impl FnMut(&str, &M) -> Option<T>,
) -> Vec<Located<T, String>> {
    let read = |(index, message)| {
        let at = format!("{path}[{index}]");
        read(&at, message).map(|value| Located { value, at })
    };
    messages.iter().enumerate().filter_map(read).collect()
}

fn read_other_protocols(number: i32, problems: &mut Vec<Problem<String>>) -> OtherProtocols {
    match v1::OtherProtocols::try_from(number) {
        Ok(v1::OtherProtocols::Unspecified | v1::OtherProtocols::Refuse) => OtherProtocols::Refuse,
        Ok(v1::OtherProtocols::Translate) => OtherProtocols::Translate,
        Err(_) => {
            report(problems, "nat.other_protocols", format!("{number} is no choice known here"));
            OtherProtocols::default()
        }
    }
}

fn read_mode(number: i32, problems: &mut Vec<Problem<String>>) -> Mode {
    match v1::NatMode::try_from(number) {
        Ok(v1::NatMode::Unspecified | v1::NatMode::PortTranslation) => Mode::PortTranslation,
        Ok(v1::NatMode::OneToOne) => Mode::OneToOne,
        Ok(v1::NatMode::None) => Mode::None,
        Err(_) => {
            report(problems, "nat.mode", format!("{number} is no mode known here"));
            Mode::default()
        }
    }
}

fn read_dependence(path: &str, number: i32, problems: &mut Vec<Problem<String>>) -> Option<Dependence> {
    match v1::Dependence::try_from(number) {
        Ok(v1::Dependence::Unspecified) => None,
        Ok(v1::Dependence::EndpointIndependent) => Some(Dependence::Independent),
        Ok(v1::Dependence::AddressDependent) => Some(Dependence::Address),
        Ok(v1::Dependence::AddressAndPortDependent) => Some(Dependence::AddressAndPort),
        Err(_) => {
            report(problems, path, format!("{number} is no dependence known here"));
            None
        }
    }
}

fn read_blocks(blocks: &v1::PortBlocks) -> PortBlockDraft<String> {
    PortBlockDraft {
        at: "nat.port_blocks".to_owned(),
        size: Some(number("nat.port_blocks.size", blocks.size)),
        per_subscriber: Some(number("nat.port_blocks.per_subscriber", blocks.per_subscriber)),
        hold_seconds: Some(number("nat.port_blocks.hold_seconds", blocks.hold_seconds)),
    }
}

fn read_limits(limits: &v1::SubscriberLimits) -> LimitsDraft<String> {
    let limit = |name: &str, value: u32| (value > 0).then(|| number(&format!("nat.limits.{name}"), value));
    LimitsDraft {
        ports: limit("ports", limits.ports),
        sessions: limit("sessions", limits.sessions),
        new_sessions_per_second: limit("new_sessions_per_second", limits.new_sessions_per_second),
    }
}

fn read_forward(path: &str, forward: &v1::Forward, problems: &mut Vec<Problem<String>>) -> Option<Forward> {
    let transport = read_transport(path, forward.protocol, problems);
    let outside =
        parse(&format!("{path}.outside_address"), &forward.outside_address, nat::parse_address, problems);
    let outside_ports = read_range(&format!("{path}.outside_ports"), forward.outside_ports, problems);
    let inside =
        parse(&format!("{path}.inside_address"), &forward.inside_address, nat::parse_address, problems);
    let inside_ports = read_range(&format!("{path}.inside_ports"), forward.inside_ports, problems);
    Some(Forward {
        transport: transport?.into(),
        outside: outside?,
        outside_ports: outside_ports?,
        inside: inside?,
        inside_ports: inside_ports?,
    })
}

fn read_exemption(
    path: &str,
    exemption: &v1::Exemption,
    problems: &mut Vec<Problem<String>>,
) -> Option<Exemption> {
    let destination = parse(&format!("{path}.prefix"), &exemption.prefix, nat::parse_prefix, problems);
    let ports = read_ports(&format!("{path}.ports"), &exemption.ports, problems).ok()?;
    let ports = ports.as_ref().map(PortSet::ranges).unwrap_or_default().to_vec();
    Some(Exemption { destination: destination?, ports })
}

pub(super) fn parse<T, E: Display>(
    path: &str,
    text: &str,
    parse: fn(&str) -> Result<T, E>,
    problems: &mut Vec<Problem<String>>,
) -> Option<T> {
    parse(text).inspect_err(|error| report(problems, path, error.to_string())).ok()
}

pub(super) fn read_range(
    path: &str,
    range: Option<v1::PortRange>,
    problems: &mut Vec<Problem<String>>,
) -> Option<PortRange> {
    let range = range.unwrap_or_default();
    port_range(range.first, range.last).inspect_err(|error| report(problems, path, error.to_string())).ok()
}
