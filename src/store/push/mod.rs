//! What the push reads and writes: which gateway holds which stream, what it runs, and what it should run.
//!
//! Times that replicas compare are the database's, since their own clocks may differ.

mod enrolment;
mod notices;
mod reflect;
mod standing;

use std::time::Duration;

use super::tx::SystemTx;
use crate::access::authority::Fingerprint;
use crate::clock::Timestamp;
use crate::domain::name::Name;
use crate::domain::revision::{ConfigHash, Running};
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::ids::{CertificateId, ObjectId, RevisionId, StreamId, TenantId};

pub use self::enrolment::{add_certificate, redeem};
pub use self::notices::Notices;
pub use self::reflect::{expire, finish_publications, reflect_connections};
pub use self::standing::{Beat, Desired, Held, Standing, beat, standings};

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

/// A stream that is about to be an appliance's only one.
#[derive(Debug)]
pub struct NewStream<'a> {
    /// Its id.
    pub id: StreamId,
    /// Whose it is.
    pub credential: &'a Credential,
    /// Names the gateway's process.
    pub instance: &'a str,
    /// The gateway's version.
    pub software_version: &'a str,
    /// What it says it enforces.
    pub running: Option<Running>,
    /// For how long this replica promises to be there.
    pub lease: Duration,
}

/// Whether a gateway is connected to any replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It is.
    Up,
    /// It is not.
    Down,
}

/// Whether something about a stream was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It was.
    Yes,
    /// The stream is not its appliance's newest any more, so it was not.
    Replaced,
}

/// Finds whose gateway a client certificate is of; `None` if it is unknown, revoked or expired, without saying which.
///
/// # Errors
/// The database does not answer.
pub async fn authenticate(
    tx: &mut SystemTx,
    certificate: Fingerprint,
    now: Timestamp,
) -> Result<Option<Credential>> {
    let row: Option<(CertificateId, TenantId, ObjectId, String)> = sqlx::query_as(
        "SELECT c.id, c.tenant_id, c.appliance_id, o.name
         FROM gateway_certificates c JOIN objects o ON o.id = c.appliance_id
         WHERE c.fingerprint = $1 AND c.expires_at > $2",
    )
    .bind(certificate.as_bytes())
    .bind(now)
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.map(|(certificate, tenant, appliance, name)| Credential { certificate, tenant, appliance, name }))
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
        "SELECT o.id, coalesce(s.connected AND s.lease_until > now(), false)
         FROM objects o LEFT JOIN appliance_states s ON s.appliance_id = o.id
         WHERE o.tenant_id = $1 AND o.kind = 'appliance' AND o.name_key = $2",
    )
    .bind(tenant)
    .bind(name.key())
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.map(|(id, connected)| (id, if connected { Link::Up } else { Link::Down })))
}

/// Makes a stream its appliance's only one. A refusal by an earlier process of the gateway is forgotten: a new one
/// may be a newer version, or stand on a host that was put right.
///
/// # Errors
/// The database does not answer.
pub async fn attach(tx: &mut SystemTx, stream: &NewStream<'_>) -> Result<()> {
    sqlx::query(
        "INSERT INTO appliance_states AS s (appliance_id, tenant_id, stream_id, instance_id, software_version,
             running_revision_id, running_hash, connected, last_seen_at, lease_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, true, now(), now() + $8 * interval '1 ms')
         ON CONFLICT (appliance_id) DO UPDATE SET
             stream_id = excluded.stream_id, instance_id = excluded.instance_id,
             software_version = excluded.software_version, running_revision_id = excluded.running_revision_id,
             running_hash = excluded.running_hash, connected = true, last_seen_at = excluded.last_seen_at,
             lease_until = excluded.lease_until,
             rejected_version = CASE WHEN s.instance_id = excluded.instance_id THEN s.rejected_version END",
    )
    .bind(stream.credential.appliance)
    .bind(stream.credential.tenant)
    .bind(stream.id)
    .bind(stream.instance)
    .bind(stream.software_version)
    .bind(stream.running.map(|running| running.revision))
    .bind(stream.running.as_ref().map(|running| running.hash.as_bytes()))
    .bind(millis(stream.lease))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Notes that a gateway enforces what it was sent: the row of that version is `applied` now. A row that is decided
/// already stays as it is.
///
/// # Errors
/// The database does not answer.
pub async fn record_applied(
    tx: &mut SystemTx,
    appliance: ObjectId,
    stream: StreamId,
    version: Version,
    running: &Running,
    now: Timestamp,
) -> Result<Recorded> {
    let updated = sqlx::query(
        "UPDATE appliance_states
         SET running_revision_id = $3, running_hash = $4, last_error = NULL, rejected_version = NULL
         WHERE appliance_id = $1 AND stream_id = $2",
    )
    .bind(appliance)
    .bind(stream)
    .bind(running.revision)
    .bind(running.hash.as_bytes())
    .execute(tx.connection())
    .await?;
    if updated.rows_affected() == 0 {
        return Ok(Recorded::Replaced);
    }
    decide(tx, appliance, version, "applied", None, now).await?;
    Ok(Recorded::Yes)
}

/// Notes that a gateway cannot enforce what it was sent, and what it enforces instead: the row of that version is
/// `rejected` now.
///
/// # Errors
/// The database does not answer.
pub async fn record_rejected(
    tx: &mut SystemTx,
    appliance: ObjectId,
    stream: StreamId,
    version: Version,
    reason: &str,
    running: Option<&Running>,
    now: Timestamp,
) -> Result<Recorded> {
    let updated = sqlx::query(
        "UPDATE appliance_states
         SET running_revision_id = $3, running_hash = $4, last_error = $5, rejected_version = $6
         WHERE appliance_id = $1 AND stream_id = $2",
    )
    .bind(appliance)
    .bind(stream)
    .bind(running.map(|running| running.revision))
    .bind(running.map(|running| running.hash.as_bytes()))
    .bind(reason)
    .bind(version.number())
    .execute(tx.connection())
    .await?;
    if updated.rows_affected() == 0 {
        return Ok(Recorded::Replaced);
    }
    decide(tx, appliance, version, "rejected", Some(reason), now).await?;
    Ok(Recorded::Yes)
}

async fn decide(
    tx: &mut SystemTx,
    appliance: ObjectId,
    version: Version,
    status: &str,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "UPDATE publication_appliances SET status = $3, reason = $4, updated_at = $5
         WHERE appliance_id = $1 AND version = $2 AND status IN ('pending', 'unreachable')",
    )
    .bind(appliance)
    .bind(version.number())
    .bind(status)
    .bind(reason)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Notes that a stream has ended, if it is still its appliance's newest. A sign of life that is written later than
/// it was heard does not count any more then.
///
/// # Errors
/// The database does not answer.
pub async fn detach(tx: &mut SystemTx, appliance: ObjectId, stream: StreamId) -> Result<()> {
    sqlx::query(
        "UPDATE appliance_states SET connected = false, stream_id = NULL, lease_until = NULL
         WHERE appliance_id = $1 AND stream_id = $2",
    )
    .bind(appliance)
    .bind(stream)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The encoded configuration of a revision; `None` if there is none of that id.
///
/// # Errors
/// The database does not answer.
pub async fn config(tx: &mut SystemTx, revision: RevisionId) -> Result<Option<Vec<u8>>> {
    Ok(sqlx::query_scalar("SELECT config FROM revisions WHERE id = $1")
        .bind(revision)
        .fetch_optional(tx.connection())
        .await?)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn stored_hash(bytes: &[u8]) -> Result<ConfigHash> {
    ConfigHash::from_stored(bytes).ok_or_else(|| Error::Internal("a stored hash is none".to_owned()))
}
