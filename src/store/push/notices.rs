//! Hears when a transaction changed what gateways should run.

use sqlx::postgres::PgListener;

use crate::error::Result;
use crate::store::{PUSH_CHANNEL, Store};

/// A connection that listens.
#[derive(Debug)]
pub struct Notices(PgListener);

impl Notices {
    /// Begins to listen.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn listen(store: &Store) -> Result<Self> {
        let mut listener = PgListener::connect_with(store.pool()).await?;
        listener.listen(PUSH_CHANNEL).await?;
        Ok(Self(listener))
    }

    /// Waits until there may be something new: a notice came, or may have been missed while the connection was lost
    /// and made again.
    ///
    /// # Errors
    /// The connection was lost and cannot be made again now.
    pub async fn next(&mut self) -> Result<()> {
        self.0.try_recv().await?;
        Ok(())
    }
}
