//! What gateways answer, many at once.

use std::collections::{BTreeSet, HashSet};

use super::streams::announce;
use super::{Held, uuids};
use crate::clock::Timestamp;
use crate::domain::revision::Running;
use crate::domain::version::Version;
use crate::error::Result;
use crate::ids::{ObjectId, PublicationId, StreamId};
use crate::store::tx::SystemTx;

/// What became of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The gateway enforces it.
    Applied,
    /// It cannot, for this reason, which is not empty.
    Rejected(String),
}

/// A gateway's answer to what it was sent.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The stream that it came on.
    pub held: Held,
    /// What it is about.
    pub version: Version,
    /// What became of that.
    pub verdict: Verdict,
    /// What the gateway enforces now.
    pub running: Option<Running>,
}

/// Whether something about a stream was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It was.
    Yes,
    /// The stream is not its appliance's newest any more, so it was not.
    Replaced,
}

/// What became of answers.
#[derive(Debug, Default)]
pub struct Records {
    /// Whose were written.
    written: HashSet<StreamId>,
    /// The publications that may have nothing on its way any more.
    pub publications: Vec<PublicationId>,
}

impl Records {
    /// Whether the answer on a stream was written.
    #[must_use]
    pub fn of(&self, stream: StreamId) -> Recorded {
        if self.written.contains(&stream) { Recorded::Yes } else { Recorded::Replaced }
    }
}

/// Writes answers down, one of each stream: the rows of their versions are `applied` or `rejected` now. A row that is
/// decided already stays as it is.
///
/// # Errors
/// The database does not answer.
pub async fn record(tx: &mut SystemTx, answers: &[Answer], now: Timestamp) -> Result<Records> {
    let running = |answer: &&Answer| answer.running.map(|running| running.revision.as_uuid());
    let hash = |answer: &&Answer| answer.running.map(|running| running.hash.as_bytes().to_vec());
    let all: Vec<&Answer> = answers.iter().collect();
    let written: Vec<(ObjectId, StreamId)> = sqlx::query_as(
        // In the order in which publishing locks them.
        "WITH locked AS MATERIALIZED (
             SELECT s.appliance_id, answer.version, answer.reason, answer.revision_id, answer.hash
             FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::uuid[], $6::bytea[])
                  AS answer (appliance_id, stream_id, version, reason, revision_id, hash)
                  JOIN appliance_states s ON s.appliance_id = answer.appliance_id AND s.stream_id = answer.stream_id
             ORDER BY s.appliance_id FOR UPDATE OF s)
         UPDATE appliance_states s
         SET running_revision_id = locked.revision_id, running_hash = locked.hash, last_error = locked.reason,
             rejected_version = CASE WHEN locked.reason IS NOT NULL THEN locked.version END
         FROM locked WHERE s.appliance_id = locked.appliance_id
         RETURNING s.appliance_id, s.stream_id",
    )
    .bind(uuids(all.iter().map(|answer| answer.held.appliance.as_uuid())))
    .bind(uuids(all.iter().map(|answer| answer.held.stream.as_uuid())))
    .bind(all.iter().map(|answer| answer.version.number()).collect::<Vec<_>>())
    .bind(all.iter().map(reason).collect::<Vec<_>>())
    .bind(all.iter().map(running).collect::<Vec<_>>())
    .bind(all.iter().map(hash).collect::<Vec<_>>())
    .fetch_all(tx.connection())
    .await?;
    let written: HashSet<StreamId> = written.into_iter().map(|(_, stream)| stream).collect();
    let counted: Vec<&Answer> =
        all.into_iter().filter(|answer| written.contains(&answer.held.stream)).collect();
    let publications = decide(tx, &counted, now).await?;
    Ok(Records { written, publications })
}

/// Decides the rows that answers are about, and says whose they are.
async fn decide(tx: &mut SystemTx, answers: &[&Answer], now: Timestamp) -> Result<Vec<PublicationId>> {
    let decided: Vec<PublicationId> = sqlx::query_scalar(
        "UPDATE publication_appliances p
         SET status = CASE WHEN answer.reason IS NULL THEN 'applied' ELSE 'rejected' END, reason = answer.reason,
             updated_at = $4, changed_by = pg_current_xact_id()
         FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS answer (appliance_id, version, reason)
         WHERE p.appliance_id = answer.appliance_id AND p.version = answer.version
           AND p.status IN ('pending', 'unreachable')
         RETURNING p.publication_id",
    )
    .bind(uuids(answers.iter().map(|answer| answer.held.appliance.as_uuid())))
    .bind(answers.iter().map(|answer| answer.version.number()).collect::<Vec<_>>())
    .bind(answers.iter().map(reason).collect::<Vec<_>>())
    .bind(now)
    .fetch_all(tx.connection())
    .await?;
    let publications: BTreeSet<PublicationId> = decided.into_iter().collect();
    announce(tx, publications.len().try_into().unwrap_or(u64::MAX)).await?;
    Ok(publications.into_iter().collect())
}

fn reason<'a>(answer: &&'a Answer) -> Option<&'a str> {
    match &answer.verdict {
        Verdict::Applied => None,
        Verdict::Rejected(reason) => Some(reason),
    }
}
