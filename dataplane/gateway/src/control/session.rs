//! One control stream from Hello to its end.

use std::time::Duration;

use pinhole_proto::v1;
use pinhole_proto::v1::gateway_control_client::GatewayControlClient;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

use crate::config::message;
use crate::control::{Control, StreamError};
use crate::live;
use crate::options::{Link, Running};
use crate::store::MAX_CONFIG_BYTES;
use crate::trust::{self, Identity, Keeper};

/// Heartbeats until the controller says how often it wants them, and the bounds on what it may say.
const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(5);
const HEARTBEAT_LEAST: Duration = Duration::from_millis(50);
const HEARTBEAT_MOST: Duration = Duration::from_secs(60);
/// The room around a configuration in its message.
const MESSAGE_OVERHEAD: usize = 4096;
/// Messages that wait for the network.
const OUTBOX: usize = 16;
/// How long they may wait before the stream counts as broken.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// At most this many events in one message.
const EVENT_BATCH: usize = 128;
/// How long to wait after a certificate could not be renewed, at least and at most.
const RENEWAL_PAUSE_LEAST: Duration = Duration::from_millis(100);
const RENEWAL_PAUSE_MOST: Duration = Duration::from_secs(10 * 60);
/// The longest reason in a NACK, in characters.
const MAX_REASON: usize = 1000;

/// Optional features of this gateway.
const CAPABILITIES: [&str; 3] = ["nat44", "alg.ftp", "live"];

/// The sending side of a stream.
struct Outbox(mpsc::Sender<v1::GatewayMessage>);

impl Outbox {
    async fn send(&self, message: v1::gateway_message::Message) -> Result<(), StreamError> {
        let message = v1::GatewayMessage { message: Some(message) };
        self.0.send_timeout(message, SEND_TIMEOUT).await.map_err(|_| StreamError::Stalled)
    }
}

impl Control {
    /// Opens a stream and serves it; returns why it ended.
    pub(super) async fn attach(&mut self, endpoint: &Endpoint) -> StreamError {
        match self.serve(endpoint).await {
            Ok(()) => StreamError::Ended,
            Err(error) => error,
        }
    }

    async fn serve(&mut self, endpoint: &Endpoint) -> Result<(), StreamError> {
        let identity = self.identity(endpoint).await?;
        let channel = trust::connect_enrolled(endpoint, &identity).await?;
        let mut renewal = JoinSet::new();
        renewal.spawn(renew(channel.clone(), identity, self.keeper.clone()));
        let mut client =
            GatewayControlClient::new(channel).max_decoding_message_size(MAX_CONFIG_BYTES + MESSAGE_OVERHEAD);
        let (sender, receiver) = mpsc::channel(OUTBOX);
        let outbox = Outbox(sender);
        outbox.send(v1::gateway_message::Message::Hello(self.hello())).await?;
        let request = Request::new(ReceiverStream::new(receiver));
        let mut inbound = client.attach(request).await.map_err(|status| stream_error(&status))?.into_inner();

        let mut heartbeat = tokio::time::interval(HEARTBEAT_DEFAULT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = inbound.message() => {
                    let Some(message) = message.map_err(|status| stream_error(&status))? else { return Ok(()) };
                    match message.message {
                        Some(v1::controller_message::Message::Welcome(welcome)) => {
                            heartbeat = self.welcome(&welcome);
                        }
                        Some(v1::controller_message::Message::Config(config)) => {
                            let answer = self.take_config(config).await;
                            outbox.send(answer).await?;
                        }
                        Some(v1::controller_message::Message::Inquiry(inquiry)) => {
                            let findings = live::answer(&self.worker, inquiry).await;
                            outbox.send(v1::gateway_message::Message::Findings(findings)).await?;
                        }
                        // A newer controller's message: what it asks is not among this gateway's capabilities.
                        None => tracing::debug!("a message of the controller is not understood"),
                    }
                }
                _ = renewal.join_next() => return Err(StreamError::Renewed),
                _ = heartbeat.tick() => {
                    let counters = self.worker.counters().await;
                    let beat = v1::Heartbeat { running: self.running(), counters };
                    outbox.send(v1::gateway_message::Message::Heartbeat(beat)).await?;
                }
                events = self.events.take(EVENT_BATCH) => {
                    // No more will come once the datapath has ended, and with it this task soon.
                    if events.events.is_empty() {
                        std::future::pending::<()>().await;
                    }
                    let sent = outbox.send(v1::gateway_message::Message::Events(events.clone())).await;
                    sent.inspect_err(|_| self.events.count_lost(&events))?;
                }
            }
        }
    }

    fn hello(&self) -> v1::Hello {
        v1::Hello {
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            instance_id: self.instance_id.clone(),
            running: self.running(),
            capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
        }
    }

    /// Notes that the controller has accepted this gateway; returns the timer of its heartbeats.
    fn welcome(&self, welcome: &v1::Welcome) -> tokio::time::Interval {
        self.set_link(Link::Connected);
        tracing::info!(
            controller = self.options.endpoint,
            appliance = welcome.appliance_name,
            "attached to the controller"
        );
        let period = match welcome.heartbeat_interval_ms {
            0 => HEARTBEAT_DEFAULT,
            period => Duration::from_millis(u64::from(period)).clamp(HEARTBEAT_LEAST, HEARTBEAT_MOST),
        };
        let mut heartbeat = tokio::time::interval_at(Instant::now(), period);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat
    }

    /// Enforces a configuration, or says why not.
    async fn take_config(&self, config: v1::Config) -> v1::gateway_message::Message {
        let nonce = config.nonce.clone();
        match self.enforce(config).await {
            Ok(running) => v1::gateway_message::Message::Ack(v1::Ack { nonce, running: Some(running) }),
            Err(reason) => {
                tracing::warn!(reason, "refused a configuration of the controller");
                let reason = reason.chars().take(MAX_REASON).collect();
                v1::gateway_message::Message::Nack(v1::Nack { nonce, reason, running: self.running() })
            }
        }
    }

    async fn enforce(&self, message: v1::Config) -> Result<v1::RunningConfig, String> {
        let (config, running) = open(&message)?;
        if self.running().as_ref() != Some(&running) {
            let name = Running::Revision(running.clone());
            self.supervisor.apply(config, name).await.map_err(|error| error.to_string())?;
            tracing::info!(
                revision = running.revision_id,
                version = message.version,
                "enforces a new revision"
            );
        }
        // It is in force, so the controller is told so; only the next start without it would be poorer.
        let store = self.store.clone();
        // The disk may be slow, and this thread serves others.
        let saved =
            tokio::task::spawn_blocking(move || store.save(&v1::Config { nonce: String::new(), ..message }));
        if let Ok(Err(error)) = saved.await {
            tracing::error!(%error, "the configuration is in force, but will not survive a restart");
        }
        Ok(running)
    }
}

/// Checks a configuration message and what it carries.
pub(crate) fn open(message: &v1::Config) -> Result<(crate::config::Config, v1::RunningConfig), String> {
    let hash = Sha256::digest(&message.config);
    if hash.as_slice() != message.hash {
        return Err("the configuration does not match its hash".to_owned());
    }
    let decoded = v1::GatewayConfig::decode(message.config.as_slice())
        .map_err(|error| format!("the configuration does not decode: {error}"))?;
    let config = message::parse(&decoded).map_err(|error| error.to_string())?;
    let running = v1::RunningConfig { revision_id: message.revision_id.clone(), hash: message.hash.clone() };
    Ok((config, running))
}

/// Returns once the certificate is renewed and the new one kept.
async fn renew(channel: Channel, identity: Identity, keeper: Keeper) {
    tokio::time::sleep(identity.renewal_in()).await;
    loop {
        let renewed = trust::renew(channel.clone(), &identity).await;
        let kept = renewed.and_then(|renewed| Ok(keeper.save(&renewed)?));
        match kept {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "the certificate of this gateway could not be renewed yet"),
        }
        let pause = (identity.left() / 10).clamp(RENEWAL_PAUSE_LEAST, RENEWAL_PAUSE_MOST);
        tokio::time::sleep(pause).await;
    }
}

fn stream_error(status: &tonic::Status) -> StreamError {
    if matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied) {
        StreamError::Refused(status.message().to_owned())
    } else {
        StreamError::Stream(format!("{}: {}", status.code(), status.message()))
    }
}
