//! Hears when a transaction changed something that other replicas, or those who watch, want to know.

use sqlx::postgres::PgListener;

use crate::error::Result;
use crate::store::{
    ANSWERS_CHANNEL, INQUIRIES_CHANNEL, PUBLICATIONS_CHANNEL, PUSH_CHANNEL, Store, TRUST_CHANNEL,
};

/// What there may be news of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// What appliances are to run.
    Push,
    /// What became of publications.
    Publications,
    /// What replicas ask each other.
    Inquiries,
    /// What replicas answer each other.
    Answers,
    /// Anything.
    Anything,
}

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
        let channels =
            [PUSH_CHANNEL, TRUST_CHANNEL, PUBLICATIONS_CHANNEL, INQUIRIES_CHANNEL, ANSWERS_CHANNEL];
        listener.listen_all(channels).await?;
        Ok(Self(listener))
    }

    /// Waits until there may be something new: a notice came, or may have been missed while the connection was lost
    /// and made again.
    ///
    /// # Errors
    /// The connection was lost and cannot be made again now.
    pub async fn next(&mut self) -> Result<Notice> {
        let Some(heard) = self.0.try_recv().await? else { return Ok(Notice::Anything) };
        Ok(match heard.channel() {
            PUSH_CHANNEL => Notice::Push,
            PUBLICATIONS_CHANNEL => Notice::Publications,
            INQUIRIES_CHANNEL => Notice::Inquiries,
            ANSWERS_CHANNEL => Notice::Answers,
            _ => Notice::Anything,
        })
    }
}
