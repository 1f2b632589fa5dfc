//! Configurations as paths and values that people read, and what changes from one to another.

mod nat;

use std::collections::{BTreeMap, BTreeSet};

use pinhole_proto::v1;
use serde_json::{Value, json};

/// What a reader is not to be told of.
#[derive(Debug, Clone, Default)]
pub struct Hidden {
    /// Policies, by id.
    pub policies: BTreeSet<String>,
    /// Services, by name: a configuration knows nothing else of them.
    pub services: BTreeSet<String>,
}

/// A difference between two configurations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where, for example `/algs/ftp/enabled`.
    pub path: String,
    /// The value before; `None` where there was nothing.
    pub before: Option<Value>,
    /// The value after; `None` where there is nothing any more.
    pub after: Option<Value>,
}

/// The values of a configuration by path, in the words of the REST API.
#[must_use]
pub fn describe(config: &v1::GatewayConfig, hidden: &Hidden) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    if let Some(nat) = &config.nat {
        values.insert("/nat/inside".to_owned(), json!(nat.inside_interfaces));
        values.insert("/nat/outside".to_owned(), json!(nat.outside_interfaces));
        values.insert("/nat/inside_prefixes".to_owned(), json!(nat.inside_prefixes));
        values.insert("/nat/pool".to_owned(), json!(nat.pool));
        values.extend(nat::describe(nat));
    }
    values.extend(config.exports.iter().map(nat::export));
    for alg in &config.algs {
        let path = format!("/algs/{}", protocol_word(alg.protocol));
        values.insert(format!("{path}/enabled"), json!(alg.enabled));
        let shown = !alg.policy_id.is_empty() && !hidden.policies.contains(&alg.policy_id);
        let policy = shown.then(|| json!({ "id": alg.policy_id, "name": alg.policy_name }));
        values.insert(format!("{path}/policy"), policy.unwrap_or(Value::Null));
        for service in alg.services.iter().filter(|service| !hidden.services.contains(&service.name)) {
            let value = json!({
                "protocol": transport_word(service.protocol),
                "source_port": ports_text(&service.source_ports),
                "destination_port": ports_text(&service.destination_ports),
            });
            values.insert(format!("{path}/services/{}", service.name), value);
        }
    }
    values
}

/// What changes from one description to another, in the order of paths.
#[must_use]
pub fn changes(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<Change> {
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    paths
        .into_iter()
        .map(|path| Change {
            path: path.clone(),
            before: before.get(path).cloned(),
            after: after.get(path).cloned(),
        })
        .filter(|change| change.before != change.after)
        .collect()
}

impl Change {
    /// The change as a line of text.
    #[must_use]
    pub fn line(&self) -> String {
        match (&self.before, &self.after) {
            (None, Some(after)) => format!("+ {} = {after}", self.path),
            (Some(before), None) => format!("- {} = {before}", self.path),
            (Some(before), Some(after)) => format!("~ {} = {before} -> {after}", self.path),
            (None, None) => format!("  {}", self.path),
        }
    }
}

fn protocol_word(number: i32) -> &'static str {
    match v1::AlgProtocol::try_from(number) {
        Ok(v1::AlgProtocol::Ftp) => "ftp",
        Ok(v1::AlgProtocol::IkeEsp) => "ike_esp",
        Ok(v1::AlgProtocol::Pptp) => "pptp",
        Ok(v1::AlgProtocol::Sip) => "sip",
        Ok(v1::AlgProtocol::Tftp) => "tftp",
        // Only what this compiler wrote is described, and it writes no other.
        Ok(v1::AlgProtocol::Unspecified) | Err(_) => "unknown",
    }
}

/// The transport of a service or forward as the REST API writes it.
fn transport_word(number: i32) -> &'static str {
    match v1::ServiceProtocol::try_from(number) {
        Ok(v1::ServiceProtocol::Tcp) => "tcp",
        Ok(v1::ServiceProtocol::Udp) => "udp",
        Ok(v1::ServiceProtocol::TcpUdp) => "tcp_udp",
        Ok(v1::ServiceProtocol::Unspecified) | Err(_) => "unknown",
    }
}

/// Ports as the REST API writes them; `None` is any.
fn ports_text(ranges: &[v1::PortRange]) -> Option<String> {
    let text = |range: &v1::PortRange| {
        if range.first == range.last {
            range.first.to_string()
        } else {
            format!("{}-{}", range.first, range.last)
        }
    };
    (!ranges.is_empty()).then(|| ranges.iter().map(text).collect::<Vec<_>>().join(","))
}
