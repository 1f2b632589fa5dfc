//! What Postgres and the connection to it report, as the program's errors.

use sqlx::Error as SqlxError;
use sqlx::error::DatabaseError;

use crate::domain::role::Role;
use crate::error::{Error, Result};

/// SQLSTATE classes and codes that pass by themselves: connection trouble, no resources, shutting down or
/// starting up, lost to a deadlock or a lock that took too long, cancelled by a timeout, failed over to a standby, a
/// database that is not made yet.
const TRANSIENT: [&str; 10] =
    ["08", "53", "57P", "40001", "40P01", "55P03", "57014", "25006", "25P03", "3D000"];

/// The role that a word from the database stands for.
pub(super) fn known_role(word: &str) -> Result<Role> {
    Role::parse(word).ok_or_else(|| Error::Internal(format!("there is no role {word}")))
}

impl From<SqlxError> for Error {
    fn from(error: SqlxError) -> Self {
        if is_transient(&error) {
            Self::Unavailable(error.to_string())
        } else {
            Self::Internal(error.to_string())
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enum is open, and whatever else it holds is a defect"
)]
fn is_transient(error: &SqlxError) -> bool {
    match error {
        SqlxError::Database(error) => {
            error.code().is_some_and(|code| TRANSIENT.iter().any(|transient| code.starts_with(transient)))
        }
        SqlxError::Io(_)
        | SqlxError::Tls(_)
        | SqlxError::PoolTimedOut
        | SqlxError::PoolClosed
        | SqlxError::WorkerCrashed
        | SqlxError::BeginFailed => true,
        _ => false,
    }
}

/// Whether a statement failed on the constraint of that name.
pub(super) fn violates(error: &SqlxError, constraint: &str) -> bool {
    error.as_database_error().and_then(DatabaseError::constraint) == Some(constraint)
}
