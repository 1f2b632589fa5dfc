//! How addresses and ports are given to subscribers, as a file has it.

use std::fmt::Display;

use pinhole_dataplane::config::nat::{
    self, DeterministicDraft, Exemption, Forward, LimitsDraft, Located, PortBlockDraft, TranslationDraft,
};
use pinhole_dataplane::config::{PortRange, ServiceTransport};

use crate::config::ServiceProtocol;
use crate::config::file::Span;
use crate::config::file::reader::{Reader, Table};
use crate::config::ports::PortSet;

/// The keys that are read here, of the table `[nat]`.
pub(super) const KEYS: [&str; 10] = [
    "mode",
    "mapping",
    "filtering",
    "other_protocols",
    "tcp_mss",
    "port_block",
    "deterministic",
    "limits",
    "forwards",
    "exempt_destinations",
];

pub(super) fn read(reader: &mut Reader<'_>, nat: &Table<'_>) -> TranslationDraft<Span> {
    let port_block = reader.table(nat, "port_block").map(|table| {
        reader.only_keys(&table, &["size", "per_subscriber", "hold_seconds"]);
        PortBlockDraft {
            at: table.at.clone(),
            size: reader.number(&table, "size"),
            per_subscriber: reader.number(&table, "per_subscriber"),
            hold_seconds: reader.number(&table, "hold_seconds"),
        }
    });
    let deterministic = reader.table(nat, "deterministic").map(|table| {
        reader.only_keys(&table, &["ports_per_subscriber"]);
        let ports_per_subscriber = reader.number(&table, "ports_per_subscriber");
        DeterministicDraft { at: table.at.clone(), ports_per_subscriber }
    });
    let forwards = reader.tables(nat, "forwards");
    let exempt = reader.tables(nat, "exempt_destinations");
    TranslationDraft {
        mode: reader.parsed(nat, "mode").unwrap_or_default(),
        mapping: reader.parsed(nat, "mapping"),
        filtering: reader.parsed(nat, "filtering"),
        other_protocols: reader.parsed(nat, "other_protocols"),
        tcp_mss: reader.number(nat, "tcp_mss"),
        port_block,
        deterministic,
        forwards: forwards.iter().filter_map(|table| read_forward(reader, table)).collect(),
        exempt: exempt.iter().filter_map(|table| read_exemption(reader, table)).collect(),
        limits: read_limits(reader, nat).unwrap_or_default(),
    }
}

fn read_limits(reader: &mut Reader<'_>, nat: &Table<'_>) -> Option<LimitsDraft<Span>> {
    let table = reader.table(nat, "limits")?;
    let keys = ["ports_per_subscriber", "sessions_per_subscriber", "new_sessions_per_second"];
    reader.only_keys(&table, &keys);
    let [ports, sessions, new_sessions_per_second] = keys.map(|key| reader.number(&table, key));
    Some(LimitsDraft { ports, sessions, new_sessions_per_second })
}

fn read_forward(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Located<Forward, Span>> {
    let keys = ["protocol", "outside_address", "outside_port", "inside_address", "inside_port"];
    reader.only_keys(table, &keys);
    let protocol: Option<ServiceProtocol> = reader.required_parsed(table, "protocol");
    let outside = required(reader, table, "outside_address", nat::parse_address);
    let outside_ports: Option<PortSet> = reader.required_parsed(table, "outside_port");
    let inside = required(reader, table, "inside_address", nat::parse_address);
    let before = reader.problem_count();
    let inside_ports: Option<PortSet> = reader.parsed(table, "inside_port");
    let wrong = reader.problem_count() > before;
    let outside_ports = outside_ports.and_then(|ports| one_range(reader, table, "outside_port", &ports));
    let inside_ports = match inside_ports {
        Some(ports) => one_range(reader, table, "inside_port", &ports),
        None => outside_ports.filter(|_| !wrong),
    };
    let value = Forward {
        transport: ServiceTransport::from(protocol?),
        outside: outside?,
        outside_ports: outside_ports?,
        inside: inside?,
        inside_ports: inside_ports?,
    };
    Some(Located { value, at: table.at.clone() })
}

pub(super) fn required<T, E: Display>(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    key: &str,
    parse: fn(&str) -> Result<T, E>,
) -> Option<T> {
    let text = reader.required_string(table, key)?;
    parse(&text.value).inspect_err(|error| reader.report(&text.at, error.to_string())).ok()
}

pub(super) fn one_range(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    key: &str,
    ports: &PortSet,
) -> Option<PortRange> {
    if let &[range] = ports.ranges() {
        return Some(range);
    }
    let at = reader.span_of(table, key);
    reader.report(&at, format!("the ports {ports} are more than one range"));
    None
}

fn read_exemption(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Located<Exemption, Span>> {
    reader.only_keys(table, &["prefix", "port"]);
    let destination = required(reader, table, "prefix", nat::parse_prefix);
    let before = reader.problem_count();
    let ports: Option<PortSet> = reader.parsed(table, "port");
    if reader.problem_count() > before {
        return None;
    }
    let ports = ports.as_ref().map(PortSet::ranges).unwrap_or_default().to_vec();
    Some(Located { value: Exemption { destination: destination?, ports }, at: table.at.clone() })
}
