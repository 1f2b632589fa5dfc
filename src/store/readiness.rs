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

/// The SQLSTATE of a table that does not exist.
const UNDEFINED_TABLE: &str = "42P01";

/// Asks the database.
///
/// # Errors
/// It does not answer.
pub async fn check(store: &Store) -> Result<Readiness> {
    let asked = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success");
    let newest: Option<i64> = match asked.fetch_one(store.pool()).await {
        Ok(newest) => newest,
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE) => None,
        Err(error) => return Err(error.into()),
    };
    let wanted = MIGRATOR.iter().map(|migration| migration.version).max();
    Ok(if newest >= wanted { Readiness::Ready } else { Readiness::Behind })
}
