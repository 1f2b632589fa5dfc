//! One stream from Hello to its end.

use std::time::Duration;

use pinhole_proto::v1;
use pinhole_proto::v1::controller_message::Message as ToGateway;
use pinhole_proto::v1::gateway_message::Message as FromGateway;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tonic::Streaming;

use super::end::{End, Outbox, broken};
use super::live::{Asked, Waiting};
use super::message::{self, Hello, Violation};
use super::registry::{Missed, Order, Refusal};
use super::{Core, event, limits};
use crate::domain::revision::Running;
use crate::domain::version::Version;
use crate::ids::StreamId;
use crate::store::push::{Answer, Beat, Credential, Desired, Held, NewStream, Recorded, Standing, Verdict};

/// A configuration that the gateway has not answered yet.
#[derive(Debug)]
struct Outstanding {
    nonce: String,
    version: Version,
    running: Running,
    deadline: Instant,
}

#[derive(Debug)]
struct Stream {
    core: Core,
    held: Held,
    outbox: Outbox,
    heard: Instant,
    running: Option<Running>,
    outstanding: Option<Outstanding>,
    /// The newest version that the gateway has applied, and the one that it has refused, on this stream.
    applied: Option<Version>,
    refused: Option<Version>,
    /// What was sent last, and when.
    sent: Option<(Version, Instant)>,
    /// Questions that the gateway has not answered.
    waiting: Waiting,
}

/// What comes to a stream from this side.
struct Mail {
    orders: watch::Receiver<Order>,
    inquiries: mpsc::Receiver<Asked>,
}

/// Serves a gateway whose credential is good. What it does now and then is in a box of its own, since there are ten
/// thousand of these, and nearly all of them wait.
pub(super) async fn run(
    core: Core,
    credential: Credential,
    mut inbound: Streaming<v1::GatewayMessage>,
    outbox: Outbox,
) {
    let (appliance, name) = (credential.appliance, credential.name.as_str());
    let end = match Box::pin(open(&core, &credential, &mut inbound)).await {
        Ok((held, running, mail)) => {
            tracing::info!(appliance.id = %appliance, appliance.name = name, stream.id = %held.stream, "a gateway has attached");
            let mut stream = Stream::new(core.clone(), held, outbox, running);
            let end = stream.serve(&credential, &mut inbound, mail).await.err().unwrap_or(End::Left);
            forget(&core, core.registry.remove(held)).await;
            tracing::info!(appliance.id = %appliance, appliance.name = name, stream.id = %held.stream, reason = %end, "a gateway's stream has ended");
            stream.outbox.close(&end).await;
            return;
        }
        Err(end) => end,
    };
    tracing::info!(appliance.id = %appliance, appliance.name = name, reason = %end, "a gateway has not attached");
    outbox.close(&end).await;
}

/// Writes that a stream has ended.
async fn forget(core: &Core, beat: Beat) {
    if let Err(error) = core.queues.detach.ask(beat).await {
        tracing::debug!(%error, "that a gateway has left is written later");
        core.registry.keep_ended(&beat);
    }
}

/// Reads Hello and makes the stream its appliance's only one.
async fn open(
    core: &Core,
    credential: &Credential,
    inbound: &mut Streaming<v1::GatewayMessage>,
) -> Result<(Held, Option<Running>, Mail), End> {
    let first = timeout(core.settings.hello_timeout, inbound.message()).await.map_err(|_| End::Silent)?;
    let hello = Hello::parse(first.map_err(broken)?.ok_or(End::Left)?)?;
    let held = Held {
        appliance: credential.appliance,
        stream: StreamId::generate(),
        certificate: credential.certificate,
    };
    let running = hello.running;
    let stream = NewStream {
        held,
        tenant: credential.tenant,
        instance: hello.instance,
        software_version: hello.software_version,
        running,
    };
    let (line, inquiries) = mpsc::channel(limits::INQUIRY_QUEUE);
    let line = hello.live.then_some(line);
    let since = core.registry.looks();
    let attached = core.queues.attach.ask(stream).await;
    let taken = attached.map_err(End::from).and_then(|standing| {
        let first = match standing {
            Some(Standing::Current(desired) | Standing::Lost(desired)) => Order::Serve(desired),
            Some(Standing::Replaced) => return Err(End::Replaced),
            Some(Standing::Revoked) | None => return Err(End::Revoked),
        };
        core.registry.insert(held, running, first, line, since).map_err(|refusal| match refusal {
            Refusal::Full => End::Full,
            Refusal::Closed => End::Shutdown,
        })
    });
    match taken {
        Ok((orders, missed)) => {
            if missed == Missed::Perhaps {
                core.signals.deliveries();
            }
            Ok((held, running, Mail { orders, inquiries }))
        }
        // It may have been written, also when nobody could say so.
        Err(end) => {
            forget(core, Beat { held, age: Duration::ZERO, running }).await;
            Err(end)
        }
    }
}

impl Stream {
    fn new(core: Core, held: Held, outbox: Outbox, running: Option<Running>) -> Self {
        let heard = Instant::now();
        Self {
            core,
            held,
            outbox,
            heard,
            running,
            outstanding: None,
            applied: None,
            refused: None,
            sent: None,
            waiting: Waiting::default(),
        }
    }

    async fn serve(
        &mut self,
        credential: &Credential,
        inbound: &mut Streaming<v1::GatewayMessage>,
        mail: Mail,
    ) -> Result<(), End> {
        let Mail { mut orders, mut inquiries } = mail;
        let interval = self.core.settings.heartbeat_interval;
        self.outbox
            .send(ToGateway::Welcome(v1::Welcome {
                appliance_id: credential.appliance.to_string(),
                appliance_name: credential.name.clone(),
                heartbeat_interval_ms: u32::try_from(interval.as_millis()).unwrap_or(u32::MAX),
            }))
            .await?;
        loop {
            let order = orders.borrow_and_update().clone();
            match order {
                Order::Serve(Some(desired)) => Box::pin(self.send_if_missing(&desired)).await?,
                Order::Serve(None) => {}
                Order::Replaced => return Err(End::Replaced),
                Order::Revoked => return Err(End::Revoked),
                Order::Shutdown => return Err(End::Shutdown),
            }
            let answer_due = self.outstanding.as_ref().map(|outstanding| outstanding.deadline);
            tokio::select! {
                message = inbound.message() => match message.map_err(broken)? {
                    Some(message) => Box::pin(self.handle(message)).await?,
                    None => return Ok(()),
                },
                Some(asked) = inquiries.recv() => Box::pin(self.ask(asked)).await?,
                // The sender goes when a newer stream has taken this one's place.
                changed = orders.changed() => changed.map_err(|_| End::Replaced)?,
                () = sleep_until(self.heard + silence(interval)) => return Err(End::Silent),
                () = until(answer_due) => return Err(End::Unanswered),
            }
        }
    }

    /// Passes a question on, unless the gateway has enough of them.
    async fn ask(&mut self, asked: Asked) -> Result<(), End> {
        if let Some(inquiry) = self.waiting.ask(asked) {
            self.outbox.send(ToGateway::Inquiry(inquiry)).await?;
        }
        Ok(())
    }

    /// Whether the gateway is to be sent a configuration now.
    fn misses(&self, desired: &Desired) -> bool {
        let version = desired.version;
        if desired.refused || self.refused == Some(version) {
            return false;
        }
        if self.outstanding.as_ref().is_some_and(|outstanding| outstanding.version == version) {
            return false;
        }
        let wanted = Running { revision: desired.revision, hash: desired.hash };
        if self.running == Some(wanted) {
            // It may have applied it and its answer got lost; it says so again.
            return desired.awaited && self.applied != Some(version);
        }
        // One that says it applied a configuration and then runs another is not sent it at every heartbeat.
        let pause = self.core.settings.poll_interval;
        self.sent.is_none_or(|(sent, when)| sent != version || when.elapsed() >= pause)
    }

    async fn send_if_missing(&mut self, desired: &Desired) -> Result<(), End> {
        if !self.misses(desired) {
            return Ok(());
        }
        let (version, revision) = (desired.version, desired.revision);
        let config = self.core.queues.config.ask(revision).await?;
        let Some(config) = config else {
            // Deleted since; the next activation knows more.
            return Ok(());
        };
        let nonce = format!("{:032x}", rand::random::<u128>());
        let message = v1::Config {
            version: u64::try_from(version.number()).unwrap_or_default(),
            nonce: nonce.clone(),
            revision_id: revision.to_string(),
            config,
            hash: desired.hash.as_bytes().to_vec(),
        };
        self.outbox.send(ToGateway::Config(message)).await?;
        let now = Instant::now();
        let running = Running { revision, hash: desired.hash };
        self.sent = Some((version, now));
        // An answer to an earlier one says nothing any more: what it was about was superseded.
        self.outstanding =
            Some(Outstanding { nonce, version, running, deadline: now + self.core.settings.answer_timeout });
        Ok(())
    }

    async fn handle(&mut self, message: v1::GatewayMessage) -> Result<(), End> {
        self.heard = Instant::now();
        self.core.registry.heard(self.held);
        match message.message {
            Some(FromGateway::Hello(_)) => Err(Violation::SecondHello.into()),
            Some(FromGateway::Ack(ack)) => self.handle_ack(ack).await,
            Some(FromGateway::Nack(nack)) => self.handle_nack(nack).await,
            Some(FromGateway::Heartbeat(heartbeat)) => {
                self.note_running(message::running(heartbeat.running)?);
                if let Some(counters) = heartbeat.counters {
                    let counters = event::counters(counters);
                    self.core.registry.count(self.held, counters, self.core.clock.now());
                }
                Ok(())
            }
            Some(FromGateway::Events(events)) => {
                self.core.registry.add_events(self.held, events, self.core.clock.now());
                Ok(())
            }
            Some(FromGateway::Findings(findings)) => {
                self.waiting.answer(findings);
                Ok(())
            }
            // A newer gateway's message, which this controller can do without.
            None => Ok(()),
        }
    }

    async fn handle_ack(&mut self, ack: v1::Ack) -> Result<(), End> {
        let reported = message::running(ack.running)?;
        let Some(answered) = self.answered(&ack.nonce) else {
            self.note_running(reported);
            return Ok(());
        };
        if reported != Some(answered.running) {
            self.note_running(reported);
            let reason = "the gateway acknowledged the revision and says that it runs another one";
            return self.reject(answered.version, reason).await;
        }
        self.applied = Some(answered.version);
        self.record(answered.version, Verdict::Applied, reported).await?;
        // Only now: else a sign of life could show it as running beside the error of the one before.
        self.running = reported;
        self.core.registry.runs_as_written(self.held, reported);
        Ok(())
    }

    async fn handle_nack(&mut self, nack: v1::Nack) -> Result<(), End> {
        self.note_running(message::running(nack.running)?);
        let Some(answered) = self.answered(&nack.nonce) else { return Ok(()) };
        self.reject(answered.version, &message::reason(&nack.reason)).await
    }

    async fn reject(&mut self, version: Version, reason: &str) -> Result<(), End> {
        tracing::warn!(appliance.id = %self.held.appliance, version = %version, reason, "a gateway refuses a revision");
        self.refused = Some(version);
        self.record(version, Verdict::Rejected(reason.to_owned()), self.running).await
    }

    /// Writes an answer down.
    async fn record(&self, version: Version, verdict: Verdict, running: Option<Running>) -> Result<(), End> {
        let answer = Answer { held: self.held, version, verdict, running };
        match self.core.queues.record.ask(answer).await? {
            Recorded::Yes => Ok(()),
            Recorded::Replaced => Err(End::Replaced),
        }
    }

    /// Takes the configuration that an answer is about; `None` for an answer to something older, or to nothing.
    fn answered(&mut self, nonce: &str) -> Option<Outstanding> {
        let answered = self.outstanding.take_if(|outstanding| outstanding.nonce == nonce);
        if answered.is_none() {
            tracing::debug!(appliance.id = %self.held.appliance, "a gateway's answer is about nothing that waits for one");
        }
        answered
    }

    fn note_running(&mut self, running: Option<Running>) {
        if self.running != running {
            self.running = running;
            self.core.registry.runs(self.held, running);
        }
    }
}

/// How long a gateway may be silent.
fn silence(heartbeat_interval: Duration) -> Duration {
    heartbeat_interval.saturating_mul(limits::MISSED_HEARTBEATS)
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
