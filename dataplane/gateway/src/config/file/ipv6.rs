//! The firewall for IPv6, as a file has it.

use pinhole_dataplane::config::ServiceTransport;
use pinhole_dataplane::config::ipv6::{Ipv6Draft, Ipv6Opening, parse_address};
use pinhole_dataplane::config::nat::Located;

use crate::config::ServiceProtocol;
use crate::config::file::Span;
use crate::config::file::reader::{Reader, Table};
use crate::config::file::translation::{one_range, required};
use crate::config::ports::PortSet;

/// Reads the table `[ipv6]`.
pub(super) fn read(reader: &mut Reader<'_>, table: &Table<'_>) -> Ipv6Draft<Span> {
    reader.only_keys(table, &["inside_prefixes", "filtering", "ipsec", "openings"]);
    let openings = reader.tables(table, "openings");
    Ipv6Draft {
        inside_prefixes: reader.required_strings(table, "inside_prefixes"),
        filtering: reader.parsed(table, "filtering"),
        ipsec: reader.boolean(table, "ipsec"),
        openings: openings.iter().filter_map(|table| read_opening(reader, table)).collect(),
    }
}

fn read_opening(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Located<Ipv6Opening, Span>> {
    reader.only_keys(table, &["protocol", "address", "port"]);
    let protocol: Option<ServiceProtocol> = reader.required_parsed(table, "protocol");
    let inside = required(reader, table, "address", parse_address);
    let ports: Option<PortSet> = reader.required_parsed(table, "port");
    let ports = ports.and_then(|ports| one_range(reader, table, "port", &ports));
    let value = Ipv6Opening { inside: inside?, transport: ServiceTransport::from(protocol?), ports: ports? };
    Some(Located { value, at: table.at.clone() })
}
