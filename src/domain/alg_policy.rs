//! ALG policies: which protocols' ALGs are on, and which services they listen on besides their well-known ports.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::alg_protocol::AlgProtocol;
use super::input::{self, Code, Fields, Report};
use crate::ids::ObjectId;

/// The most services that one protocol of a policy listens on.
pub const MAX_SERVICES: usize = 64;

/// What a policy says about one protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolPolicy {
    /// Whether the ALG is on.
    pub enabled: bool,
    /// The services that it listens on too.
    pub services: BTreeSet<ObjectId>,
}

impl Default for ProtocolPolicy {
    /// On, without services.
    fn default() -> Self {
        Self { enabled: true, services: BTreeSet::new() }
    }
}

/// What a policy says about all five protocols.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlgPolicy {
    /// FTP.
    pub ftp: ProtocolPolicy,
    /// IKE and ESP.
    pub ike_esp: ProtocolPolicy,
    /// PPTP.
    pub pptp: ProtocolPolicy,
    /// SIP.
    pub sip: ProtocolPolicy,
    /// TFTP.
    pub tftp: ProtocolPolicy,
}

impl AlgPolicy {
    /// What it says about one protocol.
    #[must_use]
    pub fn protocol(&self, protocol: AlgProtocol) -> &ProtocolPolicy {
        match protocol {
            AlgProtocol::Ftp => &self.ftp,
            AlgProtocol::IkeEsp => &self.ike_esp,
            AlgProtocol::Pptp => &self.pptp,
            AlgProtocol::Sip => &self.sip,
            AlgProtocol::Tftp => &self.tftp,
        }
    }

    /// What it says about one protocol, to be changed.
    pub fn protocol_mut(&mut self, protocol: AlgProtocol) -> &mut ProtocolPolicy {
        match protocol {
            AlgProtocol::Ftp => &mut self.ftp,
            AlgProtocol::IkeEsp => &mut self.ike_esp,
            AlgProtocol::Pptp => &mut self.pptp,
            AlgProtocol::Sip => &mut self.sip,
            AlgProtocol::Tftp => &mut self.tftp,
        }
    }

    /// All five protocols in order.
    pub fn protocols(&self) -> impl Iterator<Item = (AlgProtocol, &ProtocolPolicy)> {
        AlgProtocol::ALL.into_iter().map(|protocol| (protocol, self.protocol(protocol)))
    }

    /// Reads the fields that a policy has besides those of every object.
    pub fn decode(fields: &mut Fields<'_>, report: &mut Report) -> Option<Self> {
        fields.or_default("protocols", report, |value, report| {
            let mut fields = Fields::open(value, report)?;
            let mut policy = Self::default();
            let mut complete = true;
            for protocol in AlgProtocol::ALL {
                match fields.or_default(protocol.as_str(), report, decode_protocol) {
                    Some(decoded) => *policy.protocol_mut(protocol) = decoded,
                    None => complete = false,
                }
            }
            fields.finish(report);
            complete.then_some(policy)
        })
    }

    /// The fields that [`AlgPolicy::decode`] reads.
    #[must_use]
    pub fn encode(&self) -> Value {
        let protocols: Map<String, Value> = self
            .protocols()
            .map(|(protocol, policy)| {
                let value = json!({"enabled": policy.enabled, "services": policy.services, "options": {}});
                (protocol.as_str().to_owned(), value)
            })
            .collect();
        json!({ "protocols": protocols })
    }
}

fn decode_protocol(value: &Value, report: &mut Report) -> Option<ProtocolPolicy> {
    let mut fields = Fields::open(value, report)?;
    let enabled = fields.optional("enabled", report, input::boolean);
    let services = fields.or_default("services", report, decode_services);
    // Strictness, timers and limits; no protocol has an option yet.
    let options = fields.or_default("options", report, |value, report| {
        Fields::open(value, report)?.finish(report);
        Some(())
    });
    fields.finish(report);
    options?;
    Some(ProtocolPolicy { enabled: enabled?.unwrap_or(true), services: services? })
}

fn decode_services(value: &Value, report: &mut Report) -> Option<BTreeSet<ObjectId>> {
    let mut services = BTreeSet::new();
    input::array(value, MAX_SERVICES, report, |value, report| {
        let id = decode_id(value, report)?;
        if !services.insert(id) {
            report.error(Code::Repeated, "the service stands in the list twice");
            return None;
        }
        Some(())
    })?;
    Some(services)
}

/// Decodes a reference to another object, once names have been replaced by ids.
pub fn decode_id(value: &Value, report: &mut Report) -> Option<ObjectId> {
    let id = input::string(value, report)?.parse().ok();
    if id.is_none() {
        report.error(Code::Format, "is to be an id, or a name as in \"name:example\"");
    }
    id
}
