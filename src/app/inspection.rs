//! Which ALG inspects a flow on an appliance, and why: what was published to it, asked by the gateway's own reader and
//! the engine's own rule.

use std::num::NonZeroU16;

use pinhole_dataplane::alg::{AlgProtocol as EngineProtocol, Transport as EngineTransport};
use pinhole_dataplane::config::AlgConfig;
use pinhole_dataplane::config::dispatch::{FlowPorts, dispatch};
use pinhole_gateway::config::message;
use pinhole_proto::v1;

use super::scope::Scope;
use super::{compilation, objects};
use crate::compiler::{self, Hidden, Inputs};
use crate::domain::alg_protocol::AlgProtocol;
use crate::domain::flow::Flow;
use crate::domain::kind::Kind;
use crate::domain::reference::ObjectRef;
use crate::domain::service::Transport;
use crate::error::{Named, Result};
use crate::ids::{ObjectId, RevisionId};
use crate::store::tx::Finish;
use crate::store::{objects as store, revisions};

/// What happens to a flow on an appliance, and by whose word.
#[derive(Debug)]
pub struct Inspection {
    /// What happens.
    pub verdict: Verdict,
    /// The revision that was looked at: what was published last.
    pub revision: Option<RevisionId>,
    /// The policy that the revision was compiled from, with the name it had then.
    pub policy: Option<Named>,
    /// The profile that gives the appliance that policy; `None` when by now it would give it another one.
    pub master_profile: Option<Named>,
}

/// Whether an ALG inspects a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// One does.
    Inspected(AlgProtocol, Reason),
    /// One would, and is off.
    Disabled(AlgProtocol),
    /// None listens on these ports.
    Unclaimed,
    /// Nothing was published to the appliance yet.
    Unpublished,
    /// A gateway does not take the revision, for this reason.
    Unusable(String),
}

/// Why an ALG inspects a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The destination is the protocol's own port.
    WellKnownPort,
    /// A service that the ALG listens on; `None` is one that the caller may not see.
    Service(Option<String>),
}

/// Says which ALG inspects a flow on an appliance.
///
/// # Errors
/// [`crate::error::Error::NotFound`].
pub async fn explain(mut scope: Scope, appliance: &ObjectRef, flow: Flow) -> Result<Inspection> {
    let appliance = objects::find(&mut scope, Kind::Appliance, appliance).await?;
    let Some(revision) = revisions::published(&mut scope.tx, &[appliance.id]).await?.remove(&appliance.id)
    else {
        scope.tx.finish(Finish::Commit).await?;
        let verdict = Verdict::Unpublished;
        return Ok(Inspection { verdict, revision: None, policy: None, master_profile: None });
    };
    let related = store::references(&mut scope.tx, &scope.viewer, &[&appliance]).await?;
    let inputs: Inputs =
        store::reachable_regardless(&mut scope.tx, &[appliance.id]).await?.into_iter().collect();
    let hidden = compilation::hidden(&mut scope).await?;
    scope.tx.finish(Finish::Commit).await?;

    let config = compilation::open(appliance.id, &revision.config)?;
    let policy = policy_of(&config);
    // An object that was deleted meanwhile gives nothing any more.
    let now = compiler::policy_of(compilation::appliance(&appliance)?, &inputs).unwrap_or_default();
    let given = now == policy.as_ref().map(|policy| policy.id);
    let profile = related.into_values().find(|_| given);
    Ok(Inspection {
        verdict: judge(&config, flow, &hidden),
        revision: Some(revision.id),
        policy: policy.filter(|policy| !hidden.policies.contains(&policy.id.to_string())),
        master_profile: profile.map(|profile| Named {
            kind: Kind::MasterProfile,
            id: profile.id,
            name: profile.draft.name.to_string(),
        }),
    })
}

/// The policy of a configuration: all five settings come from the same.
fn policy_of(config: &v1::GatewayConfig) -> Option<Named> {
    let alg = config.algs.first()?;
    let id: ObjectId = alg.policy_id.parse().ok()?;
    Some(Named { kind: Kind::AlgPolicy, id, name: alg.policy_name.clone() })
}

fn judge(config: &v1::GatewayConfig, flow: Flow, hidden: &Hidden) -> Verdict {
    let config = match message::parse(config) {
        Ok(config) => config,
        Err(error) => return Verdict::Unusable(error.to_string()),
    };
    let ports = FlowPorts {
        transport: match flow.transport {
            Transport::Tcp => EngineTransport::Tcp,
            Transport::Udp => EngineTransport::Udp,
        },
        source: flow.source_port.map_or(0, NonZeroU16::get),
        destination: flow.destination_port.get(),
    };
    let mut algs: Vec<AlgConfig> = config.algs.iter().map(AlgConfig::from).collect();
    if let Some((protocol, found)) = dispatch(&algs, ports) {
        let reason = match found.service() {
            Some(service) => {
                let shown = !hidden.services.contains(&service.name);
                Reason::Service(shown.then(|| service.name.clone()))
            }
            None => Reason::WellKnownPort,
        };
        return Verdict::Inspected(protocol_of(protocol), reason);
    }
    for alg in &mut algs {
        alg.enabled = true;
    }
    dispatch(&algs, ports)
        .map_or(Verdict::Unclaimed, |(protocol, _)| Verdict::Disabled(protocol_of(protocol)))
}

fn protocol_of(protocol: EngineProtocol) -> AlgProtocol {
    match protocol {
        EngineProtocol::Ftp => AlgProtocol::Ftp,
        EngineProtocol::IkeEsp => AlgProtocol::IkeEsp,
        EngineProtocol::Pptp => AlgProtocol::Pptp,
        EngineProtocol::Sip => AlgProtocol::Sip,
        EngineProtocol::Tftp => AlgProtocol::Tftp,
    }
}
