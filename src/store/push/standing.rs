//! All streams of one replica at once: one statement, however many gateways there are.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::FromRow;

use super::{millis, stored_hash};
use crate::clock::Timestamp;
use crate::domain::revision::{ConfigHash, Running};
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::ids::{CertificateId, ObjectId, RevisionId, StreamId};
use crate::store::tx::SystemTx;

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

/// A sign of life of a gateway.
#[derive(Debug, Clone, Copy)]
pub struct Beat {
    /// Its stream.
    pub held: Held,
    /// How long ago it was.
    pub age: Duration,
    /// What it says it enforces.
    pub running: Option<Running>,
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
    /// The gateway has opened a newer one, perhaps to another replica.
    Replaced,
    /// Its certificate was revoked or has expired, or its appliance was deleted.
    Revoked,
}

#[derive(Debug, FromRow)]
struct StandingRow {
    stream_id: StreamId,
    newest: bool,
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
    .bind(held.iter().map(|held| held.appliance.as_uuid()).collect::<Vec<_>>())
    .bind(held.iter().map(|held| held.stream.as_uuid()).collect::<Vec<_>>())
    .bind(held.iter().map(|held| held.certificate.as_uuid()).collect::<Vec<_>>())
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
        let (Some(version), Some(revision), Some(hash)) = (version, row.desired_revision_id, row.hash) else {
            return Ok(Self::Current(None));
        };
        let hash = stored_hash(&hash)?;
        let desired = Desired { version, revision, hash, awaited: row.awaited, refused: row.refused };
        Ok(Self::Current(Some(desired)))
    }
}

/// Notes signs of life, and promises to be there for `lease` from now on.
///
/// # Errors
/// The database does not answer.
pub async fn beat(tx: &mut SystemTx, beats: &[Beat], lease: Duration) -> Result<()> {
    let running = |beat: &Beat| beat.running.map(|running| running.revision.as_uuid());
    let hash = |beat: &Beat| beat.running.map(|running| running.hash.as_bytes().to_vec());
    sqlx::query(
        // Locked in the order in which publishing locks them, so that neither waits for the other in a circle.
        "WITH locked AS MATERIALIZED (
             SELECT appliance_id FROM appliance_states
             WHERE appliance_id = ANY($1) ORDER BY appliance_id FOR UPDATE)
         UPDATE appliance_states s
         SET connected = true, last_seen_at = now() - beat.age_ms * interval '1 ms',
             lease_until = now() + $6 * interval '1 ms',
             running_revision_id = beat.revision_id, running_hash = beat.hash
         FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::bytea[])
              AS beat (appliance_id, stream_id, age_ms, revision_id, hash)
              JOIN locked ON locked.appliance_id = beat.appliance_id
         WHERE s.appliance_id = beat.appliance_id AND s.stream_id = beat.stream_id",
    )
    .bind(beats.iter().map(|beat| beat.held.appliance.as_uuid()).collect::<Vec<_>>())
    .bind(beats.iter().map(|beat| beat.held.stream.as_uuid()).collect::<Vec<_>>())
    .bind(beats.iter().map(|beat| millis(beat.age)).collect::<Vec<_>>())
    .bind(beats.iter().map(running).collect::<Vec<_>>())
    .bind(beats.iter().map(hash).collect::<Vec<_>>())
    .bind(millis(lease))
    .execute(tx.connection())
    .await?;
    Ok(())
}
