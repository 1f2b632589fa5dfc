//! Published objects to what one gateway enforces. Pure: equal objects give equal bytes, in whatever order they
//! come, and so an equal hash.

mod alg;
mod describe;
mod hash;
mod nat;
mod resolve;

use pinhole_proto::v1;
use thiserror::Error;

use crate::domain::appliance::Appliance;
use crate::domain::kind::Kind;
use crate::domain::revision::ConfigHash;
use crate::ids::ObjectId;

pub use self::describe::{Change, Hidden, changes, describe};
pub use self::resolve::Inputs;

/// A compiled configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    /// The configuration.
    pub config: v1::GatewayConfig,
    /// The configuration encoded, as it is stored and sent.
    pub bytes: Vec<u8>,
    /// The SHA-256 of `bytes`.
    pub hash: ConfigHash,
}

/// Why an appliance has no configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CompileError {
    /// Its NAT settings are not set.
    #[error("the NAT settings are not set")]
    NatUnset,
    /// It refers, directly or not, to an object that the inputs do not hold. What is referred to cannot be deleted,
    /// so the objects were read at different moments, or this is a defect.
    #[error("the {} {id} is missing", .kind.title())]
    Missing {
        /// The object's kind.
        kind: Kind,
        /// The object.
        id: ObjectId,
    },
}

/// The policy that an appliance would be given now; `None` when no profile gives it one.
///
/// # Errors
/// [`CompileError::Missing`].
pub fn policy_of(appliance: &Appliance, inputs: &Inputs) -> Result<Option<ObjectId>, CompileError> {
    Ok(resolve::policy_of(appliance, inputs)?.map(|resolved| resolved.id))
}

/// Compiles what an appliance is to run.
///
/// # Errors
/// [`CompileError`].
pub fn compile(appliance: &Appliance, inputs: &Inputs) -> Result<Compiled, CompileError> {
    let settings = appliance.nat.as_ref().ok_or(CompileError::NatUnset)?;
    let policy = resolve::policy_of(appliance, inputs)?;
    let config = v1::GatewayConfig {
        nat: Some(nat::compile(settings)),
        algs: alg::compile(policy.as_ref(), inputs)?,
        ipv6: None,
        exports: settings.exports.iter().map(nat::export).collect(),
    };
    let (bytes, hash) = hash::encode(&config);
    Ok(Compiled { config, bytes, hash })
}

#[cfg(test)]
mod tests;
