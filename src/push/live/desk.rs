//! Answers what other replicas ask of the gateways whose streams this one holds.

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Answered, answer_here};
use crate::error::{ApplianceFault, Error, Result};
use crate::push::{Core, limits, took_too_long};
use crate::store::push::{self as store, Inquiry};

/// Answers for ever, some questions at a time.
pub(in crate::push) async fn serve(core: Core) {
    let mut answering = JoinSet::new();
    loop {
        tokio::select! {
            () = core.signals.wait_for_inquiries(), if answering.len() < limits::MAX_INQUIRERS => {}
            Some(_) = answering.join_next() => continue,
        }
        let room = limits::MAX_INQUIRERS.saturating_sub(answering.len());
        let taken = timeout(limits::DATABASE_TIMEOUT, take(&core, room)).await;
        match taken.unwrap_or_else(|_| Err(took_too_long())) {
            Ok(inquiries) => {
                if inquiries.len() == room {
                    // There may be more than were taken.
                    core.signals.inquiries();
                }
                for inquiry in inquiries {
                    answering.spawn(answer(core.clone(), inquiry));
                }
            }
            Err(error) => tracing::debug!(%error, "what other replicas ask is not answered"),
        }
    }
}

async fn take(core: &Core, most: usize) -> Result<Vec<Inquiry>> {
    core.transaction(async |tx| store::take_inquiries(tx, core.replica, most).await).await
}

async fn answer(core: Core, inquiry: Inquiry) {
    let answered = match serde_json::from_slice(&inquiry.question) {
        Ok(question) => {
            answer_here(&core.registry, inquiry.appliance, &question, limits::INQUIRY_PATIENCE).await
        }
        // Of another version of this program.
        Err(_) => Err(ApplianceFault::Unable),
    };
    if let Err(error) = reply(&core, &inquiry, &answered).await {
        tracing::debug!(%error, "an answer for another replica is not written");
    }
}

async fn reply(core: &Core, inquiry: &Inquiry, answered: &Answered) -> Result<()> {
    let answer = serde_json::to_vec(answered).map_err(|error| Error::Internal(error.to_string()))?;
    core.transaction(async |tx| store::answer(tx, inquiry.id, &answer).await).await
}
