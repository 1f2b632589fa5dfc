//! What streams should run: many at once in one statement, and only those that something was changed for.

use std::collections::HashMap;

use sqlx::FromRow;

use super::{stored_hash, uuids};
use crate::clock::Timestamp;
use crate::domain::revision::ConfigHash;
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::ids::{CertificateId, ObjectId, RevisionId, StreamId};
use crate::store::tx::{Mark, SystemTx};

/// A stream that a replica holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Whose it is.
    pub appliance: ObjectId,
    /// Its id.
    pub stream: StreamId,
    /// The certificate that it was opened with.
    pub certificate: CertificateId,
}

/// What an appliance should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Grows with each publication to it.
    pub version: Version,
    /// The revision.
    pub revision: RevisionId,
    /// The hash of its configuration.
    pub hash: ConfigHash,
    /// Whether a publication still waits to hear of this version.
    pub awaited: bool,
    /// Whether this instance of the gateway has refused this version.
    pub refused: bool,
}

/// How the database sees a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is its appliance's only one; `None` when nothing was ever published to that.
    Current(Option<Desired>),
    /// The same, but another replica has said that the gateway is gone.
    Lost(Option<Desired>),
    /// The gateway has opened a newer one, perhaps to another replica.
    Replaced,
    /// Its certificate was revoked or has expired, or its appliance was deleted.
    Revoked,
}

#[derive(Debug, FromRow)]
struct StandingRow {
    stream_id: StreamId,
    newest: bool,
    connected: bool,
    authorized: bool,
    desired_version: Option<i64>,
    desired_revision_id: Option<RevisionId>,
    hash: Option<Vec<u8>>,
    awaited: bool,
    refused: bool,
}

/// Says how the database sees streams.
///
/// # Errors
/// The database does not answer.
pub async fn standings(
    tx: &mut SystemTx,
    held: &[Held],
    now: Timestamp,
) -> Result<HashMap<StreamId, Standing>> {
    let rows: Vec<StandingRow> = sqlx::query_as(
        "SELECT held.stream_id,
                coalesce(s.stream_id = held.stream_id, false) AS newest,
                coalesce(s.connected, false) AS connected,
                coalesce(c.expires_at > $4, false) AS authorized,
                s.desired_version, s.desired_revision_id, r.hash,
                EXISTS (SELECT FROM publication_appliances p
                        WHERE p.appliance_id = s.appliance_id AND p.version = s.desired_version
                          AND p.status IN ('pending', 'unreachable')) AS awaited,
                coalesce(s.rejected_version = s.desired_version, false) AS refused
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS held (appliance_id, stream_id, certificate_id)
         LEFT JOIN appliance_states s ON s.appliance_id = held.appliance_id
         LEFT JOIN gateway_certificates c
             ON c.id = held.certificate_id AND c.appliance_id = held.appliance_id
         LEFT JOIN revisions r ON r.id = s.desired_revision_id",
    )
    .bind(uuids(held.iter().map(|held| held.appliance.as_uuid())))
    .bind(uuids(held.iter().map(|held| held.stream.as_uuid())))
    .bind(uuids(held.iter().map(|held| held.certificate.as_uuid())))
    .bind(now)
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(|row| Ok((row.stream_id, row.try_into()?))).collect()
}

impl TryFrom<StandingRow> for Standing {
    type Error = Error;

    fn try_from(row: StandingRow) -> Result<Self> {
        if !row.authorized {
            return Ok(Self::Revoked);
        }
        if !row.newest {
            return Ok(Self::Replaced);
        }
        let version = row.desired_version.and_then(Version::new);
        let desired = match (version, row.desired_revision_id, row.hash) {
            (Some(version), Some(revision), Some(hash)) => {
                let hash = stored_hash(&hash)?;
                Some(Desired { version, revision, hash, awaited: row.awaited, refused: row.refused })
            }
            _ => None,
        };
        Ok(if row.connected { Self::Current(desired) } else { Self::Lost(desired) })
    }
}

/// The appliances that something was changed for by transactions that were not over at a mark: what they are to run, or
/// which stream is their newest.
///
/// # Errors
/// The database does not answer.
pub async fn changed(tx: &mut SystemTx, since: Mark) -> Result<Vec<ObjectId>> {
    Ok(sqlx::query_scalar("SELECT appliance_id FROM appliance_states WHERE changed_by >= $1::text::xid8")
        .bind(since.to_string())
        .fetch_all(tx.connection())
        .await?)
}
