//! The firewall for IPv6, as a message has it.

use pinhole_dataplane::config::ipv6::{Ipv6Draft, Ipv6Filtering, Ipv6Opening, parse_address};
use pinhole_proto::v1;

use super::translation::{located, parse, read_range};
use super::{list, read_transport, report};
use crate::config::Problem;

/// Reads the settings; `None` when something of them was reported.
pub(super) fn read(ipv6: &v1::Ipv6, problems: &mut Vec<Problem<String>>) -> Option<Ipv6Draft<String>> {
    let before = problems.len();
    let draft = Ipv6Draft {
        inside_prefixes: Some(list("ipv6.inside_prefixes", &ipv6.inside_prefixes)),
        filtering: read_filtering(ipv6.filtering, problems),
        ipsec: Some(!ipv6.refuse_ipsec),
        openings: located("ipv6.openings", &ipv6.openings, |path, opening| {
            read_opening(path, opening, problems)
        }),
    };
    (problems.len() == before).then_some(draft)
}

fn read_filtering(number: i32, problems: &mut Vec<Problem<String>>) -> Option<Ipv6Filtering> {
    match v1::Ipv6Filtering::try_from(number) {
        Ok(v1::Ipv6Filtering::Unspecified) => None,
        Ok(v1::Ipv6Filtering::EndpointIndependent) => Some(Ipv6Filtering::Independent),
        Ok(v1::Ipv6Filtering::AddressDependent) => Some(Ipv6Filtering::Address),
        Ok(v1::Ipv6Filtering::AddressAndPortDependent) => Some(Ipv6Filtering::AddressAndPort),
        Ok(v1::Ipv6Filtering::Open) => Some(Ipv6Filtering::Open),
        Err(_) => {
            report(problems, "ipv6.filtering", format!("{number} is no kind of filtering known here"));
            None
        }
    }
}

fn read_opening(
    path: &str,
    opening: &v1::Ipv6Opening,
    problems: &mut Vec<Problem<String>>,
) -> Option<Ipv6Opening> {
    let transport = read_transport(path, opening.protocol, problems);
    let inside = parse(&format!("{path}.address"), &opening.address, parse_address, problems);
    let ports = read_range(&format!("{path}.ports"), opening.ports, problems);
    Some(Ipv6Opening { transport: transport?.into(), inside: inside?, ports: ports? })
}
