//! What the push reads and writes: which gateway holds which stream, what it runs, and what it should run.
//!
//! Times that replicas compare are the database's, since their own clocks may differ.

mod answers;
mod enrolment;
mod inquiries;
mod notices;
mod reflect;
mod replicas;
mod standing;
mod streams;

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use super::tx::SystemTx;
use crate::access::authority::Fingerprint;
use crate::clock::Timestamp;
use crate::domain::name::Name;
use crate::domain::revision::ConfigHash;
use crate::error::{Error, Result};
use crate::ids::{CertificateId, ObjectId, RevisionId, TenantId};

pub use self::answers::{Answer, Recorded, Records, Verdict, record};
pub use self::enrolment::{add_certificate, redeem};
pub use self::inquiries::{
    Asking, Inquiry, answer, ask, expire_inquiries, link, take_answer, take_inquiries, withdraw,
};
pub use self::notices::{Notice, Notices};
pub use self::reflect::{finish, finish_publications, reflect_connections};
pub use self::replicas::{Beat, beat, expire, renew};
pub use self::standing::{Desired, Held, Standing, changed, standings};
pub use self::streams::{NewStream, attach, detach};

/// Whose gateway a client certificate is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The certificate's id.
    pub certificate: CertificateId,
    /// The tenant of the appliance.
    pub tenant: TenantId,
    /// The appliance.
    pub appliance: ObjectId,
    /// The appliance's name.
    pub name: String,
}

/// Whether a gateway is connected to any replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It is.
    Up,
    /// It is not.
    Down,
}

/// Finds whose gateway each client certificate is of; those that are unknown, revoked or expired are left out, without
/// saying which it is.
///
/// # Errors
/// The database does not answer.
pub async fn authenticate(
    tx: &mut SystemTx,
    certificates: &[Fingerprint],
    now: Timestamp,
) -> Result<HashMap<Fingerprint, Credential>> {
    let rows: Vec<(Vec<u8>, CertificateId, TenantId, ObjectId, String)> = sqlx::query_as(
        "SELECT c.fingerprint, c.id, c.tenant_id, c.appliance_id, o.name
         FROM gateway_certificates c JOIN objects o ON o.id = c.appliance_id
         WHERE c.fingerprint = ANY($1) AND c.expires_at > $2",
    )
    .bind(certificates.iter().map(Fingerprint::as_bytes).collect::<Vec<_>>())
    .bind(now)
    .fetch_all(tx.connection())
    .await?;
    let known = rows.into_iter().map(|(fingerprint, certificate, tenant, appliance, name)| {
        let fingerprint = <[u8; 32]>::try_from(fingerprint);
        let broken = |_| Error::Internal("a stored fingerprint is none".to_owned());
        let fingerprint = Fingerprint::from_bytes(fingerprint.map_err(broken)?);
        Ok((fingerprint, Credential { certificate, tenant, appliance, name }))
    });
    known.collect()
}

/// Finds an appliance by name, and whether its gateway is connected.
///
/// # Errors
/// The database does not answer.
pub async fn find_appliance(
    tx: &mut SystemTx,
    tenant: TenantId,
    name: &Name,
) -> Result<Option<(ObjectId, Link)>> {
    let row: Option<(ObjectId, bool)> = sqlx::query_as(
        "SELECT o.id, coalesce(s.connected AND r.lease_until > now(), false)
         FROM objects o LEFT JOIN appliance_states s ON s.appliance_id = o.id
              LEFT JOIN replicas r ON r.id = s.replica_id
         WHERE o.tenant_id = $1 AND o.kind = 'appliance' AND o.name_key = $2",
    )
    .bind(tenant)
    .bind(name.key())
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.map(|(id, connected)| (id, if connected { Link::Up } else { Link::Down })))
}

/// The encoded configurations of revisions; those that are no more are left out.
///
/// # Errors
/// The database does not answer.
pub async fn configs(tx: &mut SystemTx, revisions: &[RevisionId]) -> Result<HashMap<RevisionId, Vec<u8>>> {
    let rows: Vec<(RevisionId, Vec<u8>)> =
        sqlx::query_as("SELECT id, config FROM revisions WHERE id = ANY($1)")
            .bind(uuids(revisions.iter().map(|revision| revision.as_uuid())))
            .fetch_all(tx.connection())
            .await?;
    Ok(rows.into_iter().collect())
}

/// What a statement is given of many things at once.
fn uuids(ids: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
    ids.collect()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn stored_hash(bytes: &[u8]) -> Result<ConfigHash> {
    ConfigHash::from_stored(bytes).ok_or_else(|| Error::Internal("a stored hash is none".to_owned()))
}
