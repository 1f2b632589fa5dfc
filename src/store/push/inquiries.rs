//! What one replica asks of a gateway whose stream another one holds, and what that one answers.

use sqlx::FromRow;
use uuid::Uuid;

use super::Link;
use crate::error::Result;
use crate::ids::{ObjectId, ReplicaId};
use crate::store::tx::{SystemTx, TenantTx};
use crate::store::{ANSWERS_CHANNEL, INQUIRIES_CHANNEL};

/// Questions of one tenant that may wait at a time; more find nobody there, as when a gateway is gone.
const MAX_WAITING: i64 = 64;

/// Whether a question was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// It was, and some replica is to answer it.
    Asked,
    /// No replica holds a stream of the appliance.
    NobodyThere,
    /// Too many of the tenant's wait already.
    TooMany,
}

/// A question that waits for an answer.
#[derive(Debug, FromRow)]
pub struct Inquiry {
    /// Its id.
    pub id: Uuid,
    /// The appliance that it is about.
    #[sqlx(rename = "appliance_id")]
    pub appliance: ObjectId,
    /// The question, as whoever asks has encoded it.
    pub question: Vec<u8>,
}

/// Asks the replica that holds the stream of an appliance.
///
/// # Errors
/// The database does not answer.
pub async fn ask(tx: &mut TenantTx, id: Uuid, appliance: ObjectId, question: &[u8]) -> Result<Asking> {
    let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM inquiries WHERE tenant_id = $1")
        .bind(tx.tenant())
        .fetch_one(tx.connection())
        .await?;
    if waiting >= MAX_WAITING {
        return Ok(Asking::TooMany);
    }
    let asked = sqlx::query(
        "INSERT INTO inquiries (id, tenant_id, appliance_id, replica_id, question)
         SELECT $1, s.tenant_id, s.appliance_id, s.replica_id, $3
         FROM appliance_states s JOIN replicas r ON r.id = s.replica_id
         WHERE s.appliance_id = $2 AND s.connected AND r.lease_until > now()",
    )
    .bind(id)
    .bind(appliance)
    .bind(question)
    .execute(tx.connection())
    .await?;
    if asked.rows_affected() == 0 {
        return Ok(Asking::NobodyThere);
    }
    sqlx::query("SELECT pg_notify($1, '')").bind(INQUIRIES_CHANNEL).execute(tx.connection()).await?;
    Ok(Asking::Asked)
}

/// Takes the answer to a question, which is then no more, if it is there.
///
/// # Errors
/// The database does not answer.
pub async fn take_answer(tx: &mut TenantTx, id: Uuid) -> Result<Option<Vec<u8>>> {
    let answer =
        sqlx::query_scalar("DELETE FROM inquiries WHERE id = $1 AND answer IS NOT NULL RETURNING answer");
    Ok(answer.bind(id).fetch_optional(tx.connection()).await?)
}

/// Gives up a question.
///
/// # Errors
/// The database does not answer.
pub async fn withdraw(tx: &mut TenantTx, id: Uuid) -> Result<()> {
    sqlx::query("DELETE FROM inquiries WHERE id = $1").bind(id).execute(tx.connection()).await?;
    Ok(())
}

/// Whether a gateway of an appliance is connected to any replica.
///
/// # Errors
/// The database does not answer.
pub async fn link(tx: &mut TenantTx, appliance: ObjectId) -> Result<Link> {
    let connected: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM appliance_states s JOIN replicas r ON r.id = s.replica_id
                        WHERE s.appliance_id = $1 AND s.connected AND r.lease_until > now())",
    )
    .bind(appliance)
    .fetch_one(tx.connection())
    .await?;
    Ok(if connected { Link::Up } else { Link::Down })
}

/// Takes questions that a replica is to answer, oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn take_inquiries(tx: &mut SystemTx, replica: ReplicaId, most: usize) -> Result<Vec<Inquiry>> {
    Ok(sqlx::query_as(
        "UPDATE inquiries SET taken = true
         WHERE id IN (SELECT id FROM inquiries WHERE replica_id = $1 AND NOT taken
                      ORDER BY asked_at LIMIT $2 FOR UPDATE SKIP LOCKED)
         RETURNING id, appliance_id, question",
    )
    .bind(replica)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(tx.connection())
    .await?)
}

/// Answers a question, if somebody still waits for that.
///
/// # Errors
/// The database does not answer.
pub async fn answer(tx: &mut SystemTx, id: Uuid, answer: &[u8]) -> Result<()> {
    sqlx::query("UPDATE inquiries SET answer = $2 WHERE id = $1")
        .bind(id)
        .bind(answer)
        .execute(tx.connection())
        .await?;
    sqlx::query("SELECT pg_notify($1, '')").bind(ANSWERS_CHANNEL).execute(tx.connection()).await?;
    Ok(())
}

/// Forgets questions of replicas that are gone: nobody waits for a minute.
///
/// # Errors
/// The database does not answer.
pub async fn expire_inquiries(tx: &mut SystemTx) -> Result<()> {
    sqlx::query("DELETE FROM inquiries WHERE asked_at < now() - interval '1 minute'")
        .execute(tx.connection())
        .await?;
    Ok(())
}
