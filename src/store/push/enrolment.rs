//! Join tokens that are used, and the certificates that are given.

use crate::access::authority::Issued;
use crate::access::token::SecretHash;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ids::{CertificateId, ObjectId, TenantId};
use crate::store::tx::SystemTx;

/// Certificates of one appliance that are good at the same time: the one that its gateway has, and those whose giving
/// it may have missed.
const LIVE_CERTIFICATES: i64 = 4;

/// Uses a join token up for a key, and says whose gateway gets a certificate; `None` if the token is unknown, has
/// expired, or was used for another key.
///
/// # Errors
/// The database does not answer.
pub async fn redeem(
    tx: &mut SystemTx,
    token: SecretHash,
    key_hash: [u8; 32],
    now: Timestamp,
) -> Result<Option<(TenantId, ObjectId)>> {
    Ok(sqlx::query_as(
        "UPDATE join_tokens SET used_at = coalesce(used_at, $3), key_hash = $2
         WHERE token_hash = $1 AND expires_at > $3 AND (used_at IS NULL OR key_hash = $2)
         RETURNING tenant_id, appliance_id",
    )
    .bind(token.as_bytes())
    .bind(key_hash)
    .bind(now)
    .fetch_optional(tx.connection())
    .await?)
}

/// Adds a certificate of an appliance's gateway. Those of the appliance that have expired go, and of the others the
/// oldest, so that [`LIVE_CERTIFICATES`] stay. One that is being replaced
/// stays, too: that the gateway could not keep the new one must not put it out.
///
/// # Errors
/// The database does not answer.
pub async fn add_certificate(
    tx: &mut SystemTx,
    tenant: TenantId,
    appliance: ObjectId,
    issued: &Issued,
    replaces: Option<CertificateId>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO gateway_certificates (id, fingerprint, tenant_id, appliance_id, issued_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(CertificateId::generate())
    .bind(issued.fingerprint.as_bytes())
    .bind(tenant)
    .bind(appliance)
    .bind(issued.issued_at)
    .bind(issued.expires_at)
    .execute(tx.connection())
    .await?;
    sqlx::query(
        "DELETE FROM gateway_certificates
         WHERE appliance_id = $1
           AND (expires_at <= $2
                OR id IS DISTINCT FROM $4
                   AND id NOT IN (SELECT id FROM gateway_certificates WHERE appliance_id = $1
                              ORDER BY issued_at DESC, id DESC LIMIT $3))",
    )
    .bind(appliance)
    .bind(issued.issued_at)
    .bind(LIVE_CERTIFICATES)
    .bind(replaces)
    .execute(tx.connection())
    .await?;
    Ok(())
}
