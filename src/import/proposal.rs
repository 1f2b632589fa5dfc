//! What is proposed, while it is put together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::domain::alg_protocol::AlgProtocol;
use crate::domain::service::Transport;

/// The most characters of a line that are shown.
const MAX_SHOWN: usize = 160;

/// A proposal.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// Services and a policy, as `pinhole apply` reads them.
    pub document: Value,
    /// The lines about ALGs that are not in it.
    pub skipped: Vec<Skipped>,
}

/// A line that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its number, counted from 1.
    pub line: usize,
    /// Why.
    pub reason: String,
    /// The line itself, or its beginning.
    pub text: String,
}

/// A proposal that is not complete.
#[derive(Debug, Default)]
pub(super) struct Draft {
    enabled: BTreeMap<AlgProtocol, bool>,
    /// The ports that each ALG listens on beyond its own, as they stand in the configuration.
    services: BTreeMap<AlgProtocol, BTreeSet<(Transport, u16, u16)>>,
    skipped: Vec<Skipped>,
}

impl Draft {
    /// A draft in which these protocols are on unless the configuration says otherwise.
    pub(super) fn with_default(on: &[AlgProtocol]) -> Self {
        let enabled = AlgProtocol::ALL.into_iter().map(|protocol| (protocol, on.contains(&protocol)));
        Self { enabled: enabled.collect(), ..Self::default() }
    }

    /// Says of a line that it is not taken over.
    pub(super) fn skip(&mut self, line: usize, text: &str, reason: impl Into<String>) {
        let text = text.trim().chars().take(MAX_SHOWN);
        let text = text.map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        self.skipped.push(Skipped { line, reason: reason.into(), text });
    }

    /// Turns an ALG on or off.
    pub(super) fn enable(&mut self, protocol: AlgProtocol, on: bool) {
        self.enabled.insert(protocol, on);
    }

    /// Has an ALG listen on ports, the last one included.
    ///
    /// # Errors
    /// Why that cannot be.
    pub(super) fn listen(
        &mut self,
        protocol: AlgProtocol,
        transport: Transport,
        (first, last): (u16, u16),
    ) -> Result<(), String> {
        if !protocol.uses(transport) {
            return Err(format!("{protocol} does not use this transport"));
        }
        if first == last && protocol.well_known_ports().contains(&first) {
            return Ok(());
        }
        let meets =
            |(other, from, to): &(Transport, u16, u16)| *other == transport && *from <= last && first <= *to;
        for other in AlgProtocol::ALL {
            let own = other.uses(transport)
                && other.well_known_ports().iter().any(|port| (first..=last).contains(port));
            let taken = self.services.get(&other).is_some_and(|services| services.iter().any(meets));
            if other != protocol && (own || taken) {
                return Err(format!("{other} listens on these ports already"));
            }
        }
        self.services.entry(protocol).or_default().insert((transport, first, last));
        Ok(())
    }

    /// The proposal.
    ///
    /// # Errors
    /// Nothing was found.
    pub(super) fn finish(self, name: &str) -> Result<Proposal, &'static str> {
        if self.enabled.is_empty() && self.services.is_empty() && self.skipped.is_empty() {
            return Err("there is nothing about ALGs in it");
        }
        let mut services = Vec::new();
        let mut protocols = Map::new();
        for protocol in AlgProtocol::ALL {
            let mut references = Vec::new();
            for (transport, first, last) in self.services.get(&protocol).into_iter().flatten() {
                let transport = match transport {
                    Transport::Tcp => "tcp",
                    Transport::Udp => "udp",
                };
                let ports = if first == last { first.to_string() } else { format!("{first}-{last}") };
                let service = format!("{}-{transport}-{ports}", protocol.as_str());
                references.push(Value::from(format!("name:{service}")));
                services.push(json!({ "name": service, "protocol": transport, "destination_port": ports }));
            }
            let enabled = self.enabled.get(&protocol).copied().unwrap_or(false);
            protocols
                .insert(protocol.as_str().to_owned(), json!({ "enabled": enabled, "services": references }));
        }
        let document =
            json!({ "services": services, "alg_policies": [{ "name": name, "protocols": protocols }] });
        Ok(Proposal { document, skipped: self.skipped })
    }
}

/// Reads `21` or `5000-5010`.
pub(super) fn ports(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some((first, last))
}
