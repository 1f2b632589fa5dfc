//! Appliances: how their gateways get in, and how they are put out.

use super::AppState;
use super::objects::find;
use super::scope::Scope;
use crate::access::authority::JOIN_TOKEN_LIFETIME;
use crate::access::matrix;
use crate::access::token::Secret;
use crate::clock::Timestamp;
use crate::domain::kind::Kind;
use crate::domain::reference::ObjectRef;
use crate::error::Result;
use crate::store::tx::Finish;
use crate::store::{appliances as store, publications};

/// Where the command that is answered expects the token and keeps what it has to remember.
const TOKEN_FILE: &str = "/etc/pinhole-gateway/join-token";
const STATE_DIR: &str = "/var/lib/pinhole-gateway";

/// What makes a gateway an appliance's. To be shown once.
#[derive(Debug)]
pub struct Joining {
    /// The token, good once; `None` when nothing was stored.
    pub token: Option<Secret>,
    /// When it stops being good.
    pub expires_at: Timestamp,
    /// The command that starts the gateway once the token is in its file.
    pub command: String,
}

/// Makes a token that an appliance's gateway enrols with, once. It takes the place of one that was not used.
///
/// # Errors
/// [`crate::error::Error::NotFound`], [`crate::error::Error::Forbidden`].
pub async fn join(
    state: &AppState,
    mut scope: Scope,
    appliance: &ObjectRef,
    finish: Finish,
) -> Result<Joining> {
    scope.tx.serialize_writes().await?;
    let appliance = find(&mut scope, Kind::Appliance, appliance).await?;
    let permit = matrix::authorize_administer(scope.actor.role)?;
    let token = state.authority.join_token();
    let (stamp, expires_at) = (scope.stamp(), scope.now + JOIN_TOKEN_LIFETIME);
    store::add_join_token(&mut scope.tx, &permit, appliance.id, token.hash(), &stamp, expires_at).await?;
    scope.tx.finish(finish).await?;
    let url = &state.gateway_url;
    let command = format!(
        "pinhole-gateway run --controller {url} --join-token-file {TOKEN_FILE} --state-dir {STATE_DIR}"
    );
    Ok(Joining { token: (finish == Finish::Commit).then_some(token), expires_at, command })
}

/// Revokes what an appliance's gateway gets in with: its certificates and its join token. An open stream ends at once,
/// whichever replica holds it.
///
/// # Errors
/// [`crate::error::Error::NotFound`], [`crate::error::Error::Forbidden`].
pub async fn revoke(state: &AppState, mut scope: Scope, appliance: &ObjectRef, finish: Finish) -> Result<()> {
    scope.tx.serialize_writes().await?;
    let appliance = find(&mut scope, Kind::Appliance, appliance).await?;
    let permit = matrix::authorize_administer(scope.actor.role)?;
    store::revoke(&mut scope.tx, &permit, appliance.id).await?;
    publications::announce(&mut scope.tx).await?;
    scope.tx.finish(finish).await?;
    tracing::info!(appliance.id = %appliance.id, "the certificates of a gateway are revoked");
    state.signals.everything();
    Ok(())
}
