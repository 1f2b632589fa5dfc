//! What streams ask of the database, each of it for many streams at once.

use tokio::task::JoinSet;

use super::batch::{self, Asked, Queue, Statement};
use super::{Core, reconciler};
use crate::access::authority::Fingerprint;
use crate::error::Result;
use crate::ids::RevisionId;
use crate::store::push::{self as store, Answer, Beat, Credential, NewStream, Recorded, Standing};

/// Whose gateway a certificate is of.
#[derive(Debug)]
pub(super) enum Authenticate {}

impl Statement for Authenticate {
    type Input = Fingerprint;
    type Output = Option<Credential>;

    async fn execute(core: &Core, certificates: &[Fingerprint]) -> Result<Vec<Option<Credential>>> {
        let now = core.clock.now();
        let known = core.transaction(async |tx| store::authenticate(tx, certificates, now).await).await?;
        Ok(certificates.iter().map(|certificate| known.get(certificate).cloned()).collect())
    }
}

/// Makes a stream its appliance's only one, and says how it stands then.
#[derive(Debug)]
pub(super) enum Attach {}

impl Statement for Attach {
    type Input = NewStream;
    type Output = Option<Standing>;

    async fn execute(core: &Core, streams: &[NewStream]) -> Result<Vec<Option<Standing>>> {
        let now = core.clock.now();
        let held: Vec<_> = streams.iter().map(|stream| stream.held).collect();
        let lease = reconciler::lease(core.settings.poll_interval);
        let attached = core.transaction(async |tx| {
            // Else another replica could say of the first gateways that they are gone.
            store::renew(tx, core.replica, lease).await?;
            store::attach(tx, core.replica, streams, now).await?;
            store::standings(tx, &held, now).await
        });
        let mut standings = attached.await?;
        Ok(held.iter().map(|held| standings.remove(&held.stream)).collect())
    }
}

/// The configuration of a revision.
#[derive(Debug)]
pub(super) enum Config {}

impl Statement for Config {
    type Input = RevisionId;
    type Output = Option<Vec<u8>>;

    async fn execute(core: &Core, revisions: &[RevisionId]) -> Result<Vec<Option<Vec<u8>>>> {
        let configs = core.transaction(async |tx| store::configs(tx, revisions).await).await?;
        Ok(revisions.iter().map(|revision| configs.get(revision).cloned()).collect())
    }
}

/// Writes down what a gateway answers.
#[derive(Debug)]
pub(super) enum Record {}

impl Statement for Record {
    type Input = Answer;
    type Output = Recorded;

    async fn execute(core: &Core, answers: &[Answer]) -> Result<Vec<Recorded>> {
        let now = core.clock.now();
        let records = core.transaction(async |tx| store::record(tx, answers, now).await).await?;
        let publications = &records.publications;
        if !publications.is_empty() {
            let finished = core.transaction(async |tx| store::finish(tx, publications, now).await).await;
            if let Err(error) = finished {
                tracing::debug!(%error, "a publication may have ended, which is not written yet");
                core.signals.everything();
            }
        }
        Ok(answers.iter().map(|answer| records.of(answer.held.stream)).collect())
    }
}

/// Writes down that a stream has ended.
#[derive(Debug)]
pub(super) enum Detach {}

impl Statement for Detach {
    type Input = Beat;
    type Output = ();

    async fn execute(core: &Core, ended: &[Beat]) -> Result<Vec<()>> {
        let now = core.clock.now();
        core.transaction(async |tx| store::detach(tx, ended, now).await).await?;
        Ok(vec![(); ended.len()])
    }
}

/// Where streams ask.
#[derive(Debug, Clone)]
pub(super) struct Queues {
    pub(super) authenticate: Queue<Authenticate>,
    pub(super) attach: Queue<Attach>,
    pub(super) config: Queue<Config>,
    pub(super) record: Queue<Record>,
    pub(super) detach: Queue<Detach>,
}

/// The other ends.
pub(super) struct Desk {
    authenticate: Asked<Authenticate>,
    attach: Asked<Attach>,
    config: Asked<Config>,
    record: Asked<Record>,
    detach: Asked<Detach>,
}

/// The queues and their other ends.
pub(super) fn queues() -> (Queues, Desk) {
    let (authenticate, asked_authenticate) = batch::queue();
    let (attach, asked_attach) = batch::queue();
    let (config, asked_config) = batch::queue();
    let (record, asked_record) = batch::queue();
    let (detach, asked_detach) = batch::queue();
    let desk = Desk {
        authenticate: asked_authenticate,
        attach: asked_attach,
        config: asked_config,
        record: asked_record,
        detach: asked_detach,
    };
    (Queues { authenticate, attach, config, record, detach }, desk)
}

impl Desk {
    /// Answers all queues as long as the tasks are let run.
    pub(super) fn serve(self, core: &Core, tasks: &mut JoinSet<()>) {
        tasks.spawn(batch::serve(core.clone(), self.authenticate));
        tasks.spawn(batch::serve(core.clone(), self.attach));
        tasks.spawn(batch::serve(core.clone(), self.config));
        tasks.spawn(batch::serve(core.clone(), self.record));
        tasks.spawn(batch::serve(core.clone(), self.detach));
    }
}
