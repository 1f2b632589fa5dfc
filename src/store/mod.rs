//! Postgres. SQL stands here and nowhere else.
//!
//! Requests run in a [`tx::TenantTx`], as a database role that owns nothing and sees one tenant; sign-in, gateway
//! authentication, the reconciler and first start run in a [`tx::SystemTx`]. What changes something takes a
//! [`crate::access::permit::Permit`]; what reads objects takes a [`crate::access::matrix::Viewer`] and leaves out
//! what is hidden, unless its name says otherwise.

pub mod appliances;
pub mod audit;
pub mod authorities;
pub mod credentials;
mod error;
pub mod idempotency;
pub mod identities;
pub mod objects;
pub mod once;
pub mod postgres;
pub mod publications;
pub mod push;
pub mod readiness;
pub mod revisions;
pub mod sessions;
pub mod signing_keys;
pub mod tenants;
pub mod throttle;
pub mod tx;
pub mod users;

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};

use crate::error::{Error, Result};

/// The migrations, embedded into the program.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// The channels on which all replicas are told that there is something to do. A notice carries nothing: what is to be
/// done stands in the tables.
///
/// Appliances are to run something else.
const PUSH_CHANNEL: &str = "pinhole_push";
/// Certificates or appliances are no more; all streams are to be looked at.
const TRUST_CHANNEL: &str = "pinhole_trust";
/// Something became of publications.
const PUBLICATIONS_CHANNEL: &str = "pinhole_publications";

/// Replicas ask each other something of gateways.
const INQUIRIES_CHANNEL: &str = "pinhole_inquiries";
/// Replicas have answered.
const ANSWERS_CHANNEL: &str = "pinhole_answers";

/// Connections of one process.
const MAX_CONNECTIONS: u32 = 16;
/// How long a request waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a statement may run, and wait for a lock, before Postgres ends it.
const STATEMENT_TIMEOUT: &str = "10s";
const LOCK_TIMEOUT: &str = "5s";
const IDLE_TRANSACTION_TIMEOUT: &str = "30s";

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// A store that connects when it is first used, and again whenever it has to.
    #[must_use]
    pub fn connect_lazily(options: PgConnectOptions) -> Self {
        let options = options.application_name("pinhole").options([
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("lock_timeout", LOCK_TIMEOUT),
            ("idle_in_transaction_session_timeout", IDLE_TRANSACTION_TIMEOUT),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute("SET ROLE pinhole_app").await?;
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        Self { pool }
    }

    /// The connections, each in the role `pinhole_app`.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}

/// Brings the database's schema up to date. Any number of replicas may do so at once: one does, the others wait.
///
/// Needs the tables' owner, so it does not go through a [`Store`].
///
/// # Errors
/// [`Error::Unavailable`] when the database does not answer, [`Error::Internal`] when a migration fails.
pub async fn migrate(options: &PgConnectOptions) -> Result<()> {
    let mut connection = PgConnection::connect_with(options).await?;
    let outcome = MIGRATOR.run(&mut connection).await;
    connection.close().await?;
    outcome.map_err(|error| Error::Internal(format!("migration: {error}")))
}
