//! The appliance of the gateway that runs inside the controller.

use super::AppState;
use super::bootstrap::name;
use crate::access::authority::{Fingerprint, JOIN_TOKEN_LIFETIME};
use crate::access::matrix::{self, Viewer};
use crate::access::token::Secret;
use crate::domain::appliance::Appliance;
use crate::domain::kind::Kind;
use crate::domain::name::{Description, Tags};
use crate::domain::object::{Draft, Object, Spec, Stamp};
use crate::domain::permission::Grants;
use crate::domain::role::Role;
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::ids::ObjectId;
use crate::store::push::{self, Link};
use crate::store::tx::{Finish, TenantTx};
use crate::store::{appliances, objects, tenants};

/// The appliance's name, in the provider's tenant.
pub const NAME: &str = "embedded";

/// Whose gateway the embedded one is.
#[derive(Debug)]
pub enum Claim {
    /// The appliance's that the certificate at hand is of, whatever it is called now.
    Known(ObjectId),
    /// That of an appliance which was given a join token.
    Joining(ObjectId, Secret),
    /// Nobody's: another controller on this database runs the embedded gateway.
    Taken,
}

/// Finds or makes the embedded gateway's appliance and a join token for it. Of several replicas that start
/// together, one gets it.
///
/// # Errors
/// The database does not answer, or has no provider yet.
pub async fn claim(state: &AppState, certificate: Option<Fingerprint>) -> Result<Claim> {
    let now = state.clock.now();
    let mut tx = state.store.system_tx().await?;
    tx.serialize_starts().await?;
    if let Some(certificate) = certificate
        && let Some(known) = push::authenticate(&mut tx, &[certificate], now).await?.remove(&certificate)
    {
        return Ok(Claim::Known(known.appliance));
    }
    let provider = tenants::provider(&mut tx).await?;
    let provider = provider.ok_or_else(|| Error::Internal("there is no provider".to_owned()))?;
    let found = push::find_appliance(&mut tx, provider, &name(NAME)?).await?;
    let mut tx = tx.into_tenant(provider).await?;
    let stamp = Stamp { at: now, by: None };
    let appliance = match found {
        Some((_, Link::Up)) => return Ok(Claim::Taken),
        Some((appliance, Link::Down)) => appliance,
        None => insert(&mut tx, &stamp).await?,
    };
    let permit = matrix::authorize_administer(Role::ServiceProviderAdministrator)?;
    let token = state.authority.join_token();
    let expires_at = now + JOIN_TOKEN_LIFETIME;
    appliances::add_join_token(&mut tx, &permit, appliance, token.hash(), &stamp, expires_at).await?;
    tx.finish(Finish::Commit).await?;
    Ok(Claim::Joining(appliance, token))
}

async fn insert(tx: &mut TenantTx, stamp: &Stamp) -> Result<ObjectId> {
    tx.serialize_writes().await?;
    let permit = matrix::authorize_create(&Viewer::installation(), Kind::Appliance)?;
    let appliance = Object {
        id: ObjectId::generate(),
        draft: Draft {
            name: name(NAME)?,
            description: Description::default(),
            tags: Tags::default(),
            spec: Spec::Appliance(Appliance::default()),
        },
        grants: Grants::default(),
        version: Version::FIRST,
        created: stamp.clone(),
        updated: stamp.clone(),
    };
    objects::insert(tx, &permit, &appliance).await?;
    appliances::insert_state(tx, appliance.id).await?;
    Ok(appliance.id)
}
