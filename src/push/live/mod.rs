//! Asks gateways what they do now, and has them end what they should not do, whichever replica holds their streams.
//!
//! The replica that is asked either holds the stream and asks on it, or writes the question to the database for the one
//! that does ([`desk`]), which writes the answer beside it. In the same way a replica reads the events and counters that
//! another one has heard. Nobody waits longer than some seconds.

mod answer;
mod asked;
pub(super) mod desk;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use super::journal::{CounterReading, EventPage};
use super::limits;
use super::registry::{Line, Registry};
use super::signals::Signals;
use crate::domain::live::{Listing, LiveId};
use crate::error::{ApplianceFault, Error, Result};
use crate::ids::{ObjectId, TenantId};
use crate::store::Store;
use crate::store::push as store;
use crate::store::tx::Finish;

pub use self::answer::{Announcement, Mapping, Page, Pinhole, Session, Side};
pub(super) use self::asked::{Asked, Waiting};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// Which sessions are there?
    Sessions(Listing),
    /// Which pinholes?
    Pinholes(Listing),
    /// Which mappings?
    Mappings(Listing),
    /// End this session.
    EndSession(LiveId),
    /// Close this pinhole.
    ClosePinhole(LiveId),
    /// Which events were heard after a number, at most so many? The gateway is not asked.
    Events(Option<u64>, usize),
    /// What were the last counters? The gateway is not asked.
    Counters,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Sessions.
    Sessions(Page<Session>),
    /// Pinholes.
    Pinholes(Page<Pinhole>),
    /// Mappings.
    Mappings(Page<Mapping>),
    /// It was there, and has ended.
    Ended,
    /// It is not there.
    Absent,
    /// Events.
    Events(EventPage),
    /// Counters, if any were heard.
    Counters(Option<CounterReading>),
}

type Answered = Result<Answer, ApplianceFault>;

/// Asks gateways. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Inquirer {
    store: Store,
    gateways: Registry,
    signals: Signals,
    patience: Duration,
    places: Arc<Semaphore>,
}

impl Inquirer {
    /// One that asks the streams of `gateways`, and other replicas.
    #[must_use]
    pub fn new(store: Store, gateways: Registry, signals: Signals) -> Self {
        let places = Arc::new(Semaphore::new(limits::MAX_INQUIRERS));
        Self { store, gateways, signals, patience: limits::INQUIRY_PATIENCE, places }
    }

    /// The same, and an answer may take so long.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Asks about an appliance of a tenant.
    ///
    /// # Errors
    /// [`Error::Appliance`] when there is no answer, [`Error::TooMany`] when too many wait for one.
    pub async fn ask(&self, tenant: TenantId, appliance: ObjectId, question: Question) -> Result<Answer> {
        let _place = self.places.try_acquire().map_err(|_| Error::TooMany)?;
        let answered = match self.gateways.line(appliance) {
            Line::Open(_) | Line::Unable => {
                answer_here(&self.gateways, appliance, &question, self.patience).await
            }
            Line::Absent => match self.ask_elsewhere(tenant, appliance, &question).await? {
                // What was heard stays when the gateway goes.
                Err(ApplianceFault::NotConnected)
                    if matches!(question, Question::Events(..) | Question::Counters) =>
                {
                    answer_here(&self.gateways, appliance, &question, self.patience).await
                }
                answered => answered,
            },
        };
        Ok(answered?)
    }

    /// Has the replica that holds the stream answer, if there is one.
    async fn ask_elsewhere(
        &self,
        tenant: TenantId,
        appliance: ObjectId,
        question: &Question,
    ) -> Result<Answered> {
        let deadline = Instant::now() + self.patience;
        let id = Uuid::now_v7();
        // From before it is asked, so that no answer is missed.
        let mut news = self.signals.answers();
        let question = serde_json::to_vec(question).map_err(|error| Error::Internal(error.to_string()))?;
        let mut tx = self.store.tenant_tx(tenant).await?;
        let asked = store::ask(&mut tx, id, appliance, &question).await?;
        tx.finish_part(Finish::Commit).await?;
        match asked {
            store::Asking::Asked => {}
            store::Asking::NobodyThere => return Ok(Err(ApplianceFault::NotConnected)),
            store::Asking::TooMany => return Err(Error::TooMany),
        }
        loop {
            let mut tx = self.store.tenant_tx(tenant).await?;
            let answer = store::take_answer(&mut tx, id).await?;
            if answer.is_none() && Instant::now() >= deadline {
                store::withdraw(&mut tx, id).await?;
            }
            tx.finish_part(Finish::Commit).await?;
            if let Some(answer) = answer {
                let read = serde_json::from_slice(&answer);
                return read.map_err(|error| Error::Internal(format!("an answer of a replica: {error}")));
            }
            if Instant::now() >= deadline {
                return Ok(Err(ApplianceFault::Silent));
            }
            // A notice may be lost, so a look now and then is taken without one.
            let look = deadline.min(Instant::now() + limits::ANSWER_LOOK);
            let _ = timeout_at(look, news.changed()).await;
        }
    }
}

/// Answers from what this replica has heard, or by its stream of the appliance.
async fn answer_here(
    gateways: &Registry,
    appliance: ObjectId,
    question: &Question,
    patience: Duration,
) -> Answered {
    let message = match question {
        Question::Events(after, limit) => {
            return Ok(Answer::Events(gateways.events(appliance, *after, *limit)));
        }
        Question::Counters => return Ok(Answer::Counters(gateways.counters(appliance))),
        Question::Sessions(_)
        | Question::Pinholes(_)
        | Question::Mappings(_)
        | Question::EndSession(_)
        | Question::ClosePinhole(_) => asked::message(question),
    };
    let line = match gateways.line(appliance) {
        Line::Open(line) => line,
        Line::Unable => return Err(ApplianceFault::Unable),
        Line::Absent => return Err(ApplianceFault::NotConnected),
    };
    let (asked, heard) = Asked::new(message);
    let heard = async {
        line.send(asked).await.map_err(|_| ApplianceFault::NotConnected)?;
        // Nothing is heard when the stream ends before.
        heard.await.unwrap_or(Err(ApplianceFault::NotConnected))
    };
    let outcome = timeout(patience, heard).await.unwrap_or(Err(ApplianceFault::Silent))?;
    answer::parse(question, outcome)
}
