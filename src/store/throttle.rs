//! Sign-ins that failed lately.

use super::tx::SystemTx;
use crate::access::throttle::{Counter, MEMORY};
use crate::clock::Timestamp;
use crate::error::Result;

/// The longest that an attempt may have to wait, in seconds.
const MAX_WAIT_S: i64 = 900;

/// Whether an attempt is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is, and counts as failed until [`succeeded`] says otherwise.
    Now,
    /// Not before that time; what was counted of it is to be rolled back.
    At(Timestamp),
}

/// Counts an attempt before anything is compared, so that no number of them at once gets around it.
///
/// # Errors
/// The database does not answer.
pub async fn attempt(tx: &mut SystemTx, counters: &[Counter], now: Timestamp) -> Result<Turn> {
    let keys: Vec<&[u8]> = counters.iter().map(|counter| counter.key.as_slice()).collect();
    sqlx::query("DELETE FROM login_failures WHERE last_at < $1 AND blocked_until < $2")
        .bind(now - MEMORY)
        .bind(now)
        .execute(tx.connection())
        .await?;
    // In one order, so that attempts at the same time do not wait for each other in a circle.
    let counted = sqlx::query(
        // What blocks nothing lies in the past for everybody, also for who read the clock a little earlier.
        "INSERT INTO login_failures AS f (key, failures, last_at, blocked_until)
         SELECT key, 1, $3, 'epoch' FROM unnest($1::bytea[]) AS counter (key) ORDER BY key
         ON CONFLICT (key) DO UPDATE SET failures = f.failures + 1, last_at = $3,
             blocked_until = (
                 SELECT CASE WHEN f.failures + 1 < free THEN 'epoch'
                             ELSE $3 + interval '1 s' * least($4, pow(2, least(20, f.failures + 1 - free))) END
                 FROM unnest($1::bytea[], $2::bigint[]) AS counter (key, free) WHERE counter.key = f.key)
             WHERE f.blocked_until <= $3",
    )
    .bind(&keys)
    .bind(counters.iter().map(|counter| counter.free).collect::<Vec<_>>())
    .bind(now)
    .bind(MAX_WAIT_S)
    .execute(tx.connection())
    .await?;
    if counted.rows_affected() == u64::try_from(counters.len()).unwrap_or(u64::MAX) {
        return Ok(Turn::Now);
    }
    let until: Option<Timestamp> =
        sqlx::query_scalar("SELECT max(blocked_until) FROM login_failures WHERE key = ANY($1)")
            .bind(&keys)
            .fetch_one(tx.connection())
            .await?;
    Ok(Turn::At(until.unwrap_or(now)))
}

/// Notes that an attempt succeeded: the first counter, the account's at the address, begins anew, and the others forget
/// this attempt.
///
/// # Errors
/// The database does not answer.
pub async fn succeeded(tx: &mut SystemTx, counters: &[Counter]) -> Result<()> {
    for (index, counter) in counters.iter().enumerate() {
        let forget = if index == 0 {
            "DELETE FROM login_failures WHERE key = $1"
        } else {
            "UPDATE login_failures SET failures = greatest(1, failures - 1), blocked_until = 'epoch' WHERE key = $1"
        };
        sqlx::query(forget).bind(counter.key.as_slice()).execute(tx.connection()).await?;
    }
    Ok(())
}
