//! How addresses and ports are given to subscribers, as JSON has it.

use std::fmt::Display;
use std::num::NonZeroU32;
use std::str::FromStr;

use pinhole_dataplane::config::nat::{
    DeterministicDraft, LimitsDraft, Located, NatError, PortBlockDraft, TranslationDraft, parse_address,
    parse_prefix,
};
use pinhole_dataplane::config::{PortRange, ServiceTransport};
use serde_json::{Map, Value, json};

use super::number;
use crate::domain::input::{self, Code, Fields, Report};
use crate::domain::port::PortSet;
use crate::domain::service::ServiceProtocol;

pub use pinhole_dataplane::config::nat::{
    Allocation, Dependence, Exemption, Forward, Mode, Mss, OtherProtocols, PortBlocks, SubscriberLimits,
    Translation,
};

/// The most items of a list that are read at all; the rules of each list are stricter.
const MAX_ITEMS: usize = 4096;

/// Reads the fields of settings that say it; `None` when one does not read.
pub(super) fn decode(fields: &mut Fields<'_>, report: &mut Report) -> Option<TranslationDraft<String>> {
    let mode = fields.or_default("mode", report, word::<Mode>);
    let mapping = fields.optional("mapping", report, word::<Dependence>);
    let filtering = fields.optional("filtering", report, word::<Dependence>);
    let other_protocols = fields.optional("other_protocols", report, word::<OtherProtocols>);
    let tcp_mss = fields.nullable("tcp_mss", report, number);
    let port_block = fields.nullable("port_block", report, port_block);
    let deterministic = fields.nullable("deterministic", report, deterministic);
    let forwards = fields.or_default("forwards", report, |value, report| items(value, report, forward));
    let exempt =
        fields.or_default("exempt_destinations", report, |value, report| items(value, report, exemption));
    let limits = fields.optional("limits", report, limits);
    Some(TranslationDraft {
        mode: mode?,
        mapping: mapping?,
        filtering: filtering?,
        other_protocols: other_protocols?,
        tcp_mss: tcp_mss?,
        port_block: port_block?,
        deterministic: deterministic?,
        forwards: forwards?,
        exempt: exempt?,
        limits: limits?.unwrap_or_default(),
    })
}

/// Whether nothing is said but defaults.
pub(super) fn is_default(draft: &TranslationDraft<String>) -> bool {
    let TranslationDraft {
        mode,
        mapping,
        filtering,
        other_protocols,
        tcp_mss,
        port_block,
        deterministic,
        forwards,
        exempt,
        limits,
    } = draft;
    let LimitsDraft { ports, sessions, new_sessions_per_second } = limits;
    let default = Translation::default();
    *mode == Mode::default()
        && mapping.is_none_or(|mapping| mapping == default.mapping)
        && filtering.is_none_or(|filtering| filtering == default.filtering)
        && other_protocols.is_none_or(|other| other == default.other_protocols)
        && tcp_mss.is_none()
        && port_block.is_none()
        && deterministic.is_none()
        && forwards.is_empty()
        && exempt.is_empty()
        && [ports, sessions, new_sessions_per_second].iter().all(|limit| limit.is_none())
}

/// The lists are sets: in order, so that equal settings are equal.
pub(super) fn canonical(mut translation: Translation) -> Translation {
    translation.forwards.sort_unstable_by_key(|forward| {
        (forward.outside, forward.outside_ports, forward.transport, forward.inside)
    });
    translation.exempt.sort_unstable();
    translation.exempt.dedup();
    translation
}

fn word<T>(value: &Value, report: &mut Report) -> Option<T>
where
    T: FromStr,
    T::Err: Display,
{
    let word = input::string(value, report)?;
    word.parse().inspect_err(|error: &T::Err| report.error(Code::UnknownValue, error.to_string())).ok()
}

fn port_block(value: &Value, report: &mut Report) -> Option<PortBlockDraft<String>> {
    let mut fields = Fields::open(value, report)?;
    let size = fields.optional("size", report, number);
    let per_subscriber = fields.optional("per_subscriber", report, number);
    let hold_seconds = fields.optional("hold_seconds", report, number);
    fields.finish(report);
    let at = report.pointer().to_owned();
    Some(PortBlockDraft { at, size: size?, per_subscriber: per_subscriber?, hold_seconds: hold_seconds? })
}

fn deterministic(value: &Value, report: &mut Report) -> Option<DeterministicDraft<String>> {
    let mut fields = Fields::open(value, report)?;
    let ports_per_subscriber = fields.optional("ports_per_subscriber", report, number);
    fields.finish(report);
    let at = report.pointer().to_owned();
    Some(DeterministicDraft { at, ports_per_subscriber: ports_per_subscriber? })
}

fn limits(value: &Value, report: &mut Report) -> Option<LimitsDraft<String>> {
    let mut fields = Fields::open(value, report)?;
    let ports = fields.nullable("ports_per_subscriber", report, number);
    let sessions = fields.nullable("sessions_per_subscriber", report, number);
    let rate = fields.nullable("new_sessions_per_second", report, number);
    fields.finish(report);
    Some(LimitsDraft { ports: ports?, sessions: sessions?, new_sessions_per_second: rate? })
}

fn items<T>(
    value: &Value,
    report: &mut Report,
    decode: fn(&mut Fields<'_>, &mut Report) -> Option<T>,
) -> Option<Vec<Located<T, String>>> {
    input::array(value, MAX_ITEMS, report, |value, report| {
        let mut fields = Fields::open(value, report)?;
        let value = decode(&mut fields, report);
        fields.finish(report);
        Some(Located { value: value?, at: report.pointer().to_owned() })
    })
}

fn forward(fields: &mut Fields<'_>, report: &mut Report) -> Option<Forward> {
    let protocol = fields.required("protocol", report, ServiceProtocol::decode);
    let outside =
        fields.required("outside_address", report, |value, report| text(value, report, parse_address));
    let outside_ports = fields.required("outside_port", report, one_range);
    let inside =
        fields.required("inside_address", report, |value, report| text(value, report, parse_address));
    let inside_ports = fields.nullable("inside_port", report, one_range);
    let outside_ports = outside_ports?;
    Some(Forward {
        transport: match protocol? {
            ServiceProtocol::Tcp => ServiceTransport::Tcp,
            ServiceProtocol::Udp => ServiceTransport::Udp,
            ServiceProtocol::TcpUdp => ServiceTransport::TcpUdp,
        },
        outside: outside?,
        outside_ports,
        inside: inside?,
        inside_ports: inside_ports?.unwrap_or(outside_ports),
    })
}

fn exemption(fields: &mut Fields<'_>, report: &mut Report) -> Option<Exemption> {
    let destination = fields.required("prefix", report, |value, report| text(value, report, parse_prefix));
    let ports = fields.nullable("port", report, PortSet::decode)?;
    let ranges = ports.iter().flat_map(PortSet::ranges);
    let ports = ranges.filter_map(|range| PortRange::new(range.first(), range.last())).collect();
    Some(Exemption { destination: destination?, ports })
}

fn text<T>(value: &Value, report: &mut Report, parse: fn(&str) -> Result<T, NatError>) -> Option<T> {
    let text = input::string(value, report)?;
    parse(text).inspect_err(|error| report.error(Code::Format, error.to_string())).ok()
}

fn one_range(value: &Value, report: &mut Report) -> Option<PortRange> {
    let ports = PortSet::decode(value, report)?;
    if let &[range] = ports.ranges() {
        return PortRange::new(range.first(), range.last());
    }
    report.error(Code::Format, "is to be one port or one range of ports");
    None
}

/// The fields that [`decode`] reads, every default said.
pub(super) fn encode(translation: &Translation) -> Map<String, Value> {
    let mut port_block = Value::Null;
    let mut deterministic = Value::Null;
    match translation.allocation {
        Allocation::Random | Allocation::OneToOne | Allocation::Untranslated => {}
        Allocation::Blocks(rule) => {
            port_block = json!({
                "size": rule.size.ports(),
                "per_subscriber": rule.per_subscriber,
                "hold_seconds": rule.hold.as_secs(),
            });
        }
        Allocation::Deterministic(ports) => deterministic = json!({ "ports_per_subscriber": ports }),
    }
    let limits = json!({
        "ports_per_subscriber": translation.limits.ports.map(NonZeroU32::get),
        "sessions_per_subscriber": translation.limits.sessions.map(NonZeroU32::get),
        "new_sessions_per_second": translation.limits.new_sessions_per_second.map(NonZeroU32::get),
    });
    let fields = [
        ("mode", json!(translation.allocation.mode().name())),
        ("mapping", json!(translation.mapping.name())),
        ("filtering", json!(translation.filtering.name())),
        ("other_protocols", json!(translation.other_protocols.name())),
        ("tcp_mss", json!(translation.tcp_mss.map(Mss::bytes))),
        ("port_block", port_block),
        ("deterministic", deterministic),
        ("forwards", translation.forwards.iter().map(encode_forward).collect()),
        ("exempt_destinations", translation.exempt.iter().map(encode_exemption).collect()),
        ("limits", limits),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn encode_forward(forward: &Forward) -> Value {
    json!({
        "protocol": protocol_of(forward.transport).as_str(),
        "outside_address": forward.outside,
        "outside_port": forward.outside_ports.to_string(),
        "inside_address": forward.inside,
        "inside_port": forward.inside_ports.to_string(),
    })
}

fn encode_exemption(exemption: &Exemption) -> Value {
    json!({ "prefix": exemption.destination.to_string(), "port": ports_of(exemption) })
}

/// The transport of a forward, in the words of services.
#[must_use]
pub const fn protocol_of(transport: ServiceTransport) -> ServiceProtocol {
    match transport {
        ServiceTransport::Tcp => ServiceProtocol::Tcp,
        ServiceTransport::Udp => ServiceProtocol::Udp,
        ServiceTransport::TcpUdp => ServiceProtocol::TcpUdp,
    }
}

/// The ports of an exemption as text; `None` is any.
#[must_use]
pub fn ports_of(exemption: &Exemption) -> Option<String> {
    let ranges: Vec<String> = exemption.ports.iter().map(ToString::to_string).collect();
    (!ranges.is_empty()).then(|| ranges.join(","))
}
