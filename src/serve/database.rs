//! The database: a private one, or the one of DATABASE_URL; migrated and prepared.

use std::time::Duration;

use anyhow::Context as _;
use pinhole::access::seal::SecretKey;
use pinhole::app::bootstrap::{self, FirstLogin, Started};
use pinhole::clock::SystemClock;
use pinhole::error::Error;
use pinhole::store::postgres::{Cluster, ClusterSettings, DATABASE, Durability};
use pinhole::store::{self, Store};
use sqlx::postgres::PgConnectOptions;
use tokio::time::sleep;

use crate::settings::DatabaseSettings;

/// Connections to a private Postgres: this program's, and room for an administrator's own.
const PRIVATE_CONNECTIONS: u16 = 40;
/// The pauses before a database that does not answer is tried again: doubled each time up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A database to work with.
#[derive(Debug)]
pub(crate) struct Database {
    /// How to connect to it as the owner of its tables.
    pub(crate) options: PgConnectOptions,
    private: Option<Cluster>,
}

impl Database {
    /// Takes the database of DATABASE_URL, which may not answer yet, or starts a private one.
    pub(crate) async fn open(settings: &DatabaseSettings) -> anyhow::Result<Self> {
        if let Some(options) = settings.url()? {
            return Ok(Self { options, private: None });
        }
        let cluster = Cluster::start(ClusterSettings {
            directory: settings.data_dir()?.join("postgres"),
            durability: Durability::Durable,
            max_connections: PRIVATE_CONNECTIONS,
        });
        let cluster = cluster.await?;
        Ok(Self { options: cluster.options(DATABASE), private: Some(cluster) })
    }

    /// Brings the schema up to date, waiting for a database that does not answer.
    pub(crate) async fn migrate(&self) -> anyhow::Result<()> {
        until_it_answers(async || store::migrate(&self.options).await).await
    }

    /// Migrates and prepares it, waiting for a database that does not answer.
    pub(crate) async fn prepare(
        &self,
        store: &Store,
        secret_key: &SecretKey,
        announce: impl Fn(&FirstLogin) -> std::io::Result<()>,
    ) -> anyhow::Result<Started> {
        self.migrate().await?;
        until_it_answers(async || bootstrap::start(store, &SystemClock, secret_key, &announce).await).await
    }

    /// Stops a private one.
    pub(crate) async fn close(self) {
        if let Some(cluster) = self.private {
            cluster.stop().await;
        }
    }
}

/// Tries until the database answers. An outage is one line in the log, however many attempts it takes.
async fn until_it_answers<T>(attempt: impl AsyncFn() -> pinhole::error::Result<T>) -> anyhow::Result<T> {
    let mut pause = FIRST_PAUSE;
    let mut told = false;
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(Error::Unavailable(reason)) => {
                if !told {
                    tracing::warn!(reason, "the database does not answer; trying again until it does");
                    told = true;
                }
            }
            Err(error) => return Err(error).context("the database cannot be used"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
