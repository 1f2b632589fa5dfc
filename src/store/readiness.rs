//! Whether the database answers and has the schema that this program was built with.

use super::{MIGRATOR, Store};
use crate::error::Result;

/// What the database is ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It has every migration of this program.
    Ready,
    /// Migrations are missing.
    Behind,
}

/// Asks the database.
///
/// # Errors
/// It does not answer.
pub async fn check(store: &Store) -> Result<Readiness> {
    let newest: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
        .fetch_one(store.pool())
        .await?;
    let wanted = MIGRATOR.iter().map(|migration| migration.version).max();
    Ok(if newest >= wanted { Readiness::Ready } else { Readiness::Behind })
}
