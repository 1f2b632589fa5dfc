//! A gateway, played message by message.

use std::net::SocketAddr;

use pinhole_gateway::trust::{Identity, connect};
use pinhole_proto::v1;
use pinhole_proto::v1::controller_message::Message as FromController;
use pinhole_proto::v1::findings::Outcome;
use pinhole_proto::v1::gateway_control_client::GatewayControlClient;
use pinhole_proto::v1::gateway_message::Message as ToController;
use pinhole_proto::v1::inquiry::Question;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use super::PATIENCE;

/// A gateway's end of a stream.
#[derive(Debug)]
pub(super) struct Peer {
    outbound: mpsc::Sender<v1::GatewayMessage>,
    inbound: Streaming<v1::ControllerMessage>,
}

impl Peer {
    /// Opens a stream with an identity, or tells why not.
    pub(super) async fn attach(
        address: SocketAddr,
        identity: &Identity,
        first: v1::GatewayMessage,
    ) -> Result<Self, Status> {
        let channel = connect(&format!("https://{address}"), identity).await.unwrap();
        Self::attach_on(channel, first).await
    }

    /// Opens a stream on a connection, or tells why not.
    pub(super) async fn attach_on(channel: Channel, first: v1::GatewayMessage) -> Result<Self, Status> {
        let mut client = GatewayControlClient::new(channel);
        let (outbound, receiver) = mpsc::channel(64);
        outbound.send(first).await.unwrap();
        let request = Request::new(ReceiverStream::new(receiver));
        let inbound = client.attach(request).await?.into_inner();
        Ok(Self { outbound, inbound })
    }

    /// Opens a stream and says hello, and is welcomed.
    pub(super) async fn welcomed(
        address: SocketAddr,
        identity: &Identity,
        instance: &str,
        running: Option<v1::RunningConfig>,
    ) -> Self {
        let mut peer = Self::attach(address, identity, hello(instance, running)).await.unwrap();
        peer.welcome().await;
        peer
    }

    pub(super) async fn send(&self, message: ToController) {
        // A stream that the controller has ended takes nothing; the test sees that in what it receives.
        let _ = self.outbound.send(v1::GatewayMessage { message: Some(message) }).await;
    }

    async fn receive(&mut self) -> Result<Option<FromController>, Status> {
        let message =
            timeout(PATIENCE, self.inbound.message()).await.expect("the controller says nothing")?;
        Ok(message.map(|message| message.message.unwrap()))
    }

    pub(super) async fn welcome(&mut self) -> v1::Welcome {
        match self.receive().await.unwrap() {
            Some(FromController::Welcome(welcome)) => welcome,
            other => panic!("no welcome, but {other:?}"),
        }
    }

    /// Takes the next configuration, which has to be whole.
    pub(super) async fn config(&mut self) -> v1::Config {
        match self.receive().await.unwrap() {
            Some(FromController::Config(config)) => {
                assert_eq!(Sha256::digest(&config.config).to_vec(), config.hash);
                let decoded = v1::GatewayConfig::decode(config.config.as_slice()).unwrap();
                assert_eq!(decoded.algs.len(), 5);
                config
            }
            other => panic!("no configuration, but {other:?}"),
        }
    }

    /// Takes the stream's end, before which nothing else comes.
    pub(super) async fn end(&mut self) -> Status {
        match self.receive().await {
            Err(status) => status,
            other => panic!("the stream did not end, but {other:?}"),
        }
    }

    /// Takes the next question, before which nothing else comes.
    pub(super) async fn inquiry(&mut self) -> v1::Inquiry {
        match self.receive().await.unwrap() {
            Some(FromController::Inquiry(inquiry)) => inquiry,
            other => panic!("no question, but {other:?}"),
        }
    }

    /// Answers the next question, and tells what it was.
    pub(super) async fn answer(&mut self, outcome: Outcome) -> Question {
        let v1::Inquiry { id, question } = self.inquiry().await;
        self.send(ToController::Findings(v1::Findings { id, outcome: Some(outcome) })).await;
        question.unwrap()
    }

    pub(super) async fn ack(&self, config: &v1::Config) {
        let (nonce, running) = (config.nonce.clone(), Some(running(config)));
        self.send(ToController::Ack(v1::Ack { nonce, running })).await;
    }

    pub(super) async fn nack(&self, config: &v1::Config, reason: &str) {
        let (nonce, reason) = (config.nonce.clone(), reason.to_owned());
        self.send(ToController::Nack(v1::Nack { nonce, reason, running: None })).await;
    }

    pub(super) async fn heartbeat(&self, running: Option<v1::RunningConfig>, counters: Option<v1::Counters>) {
        self.send(ToController::Heartbeat(v1::Heartbeat { running, counters })).await;
    }

    /// Closes the stream.
    pub(super) fn leave(self) {}
}

/// What a gateway that enforces a configuration says.
pub(super) fn running(config: &v1::Config) -> v1::RunningConfig {
    v1::RunningConfig { revision_id: config.revision_id.clone(), hash: config.hash.clone() }
}

pub(super) fn hello(instance: &str, running: Option<v1::RunningConfig>) -> v1::GatewayMessage {
    let hello = v1::Hello {
        software_version: "0.1.0".to_owned(),
        instance_id: instance.to_owned(),
        running,
        capabilities: ["nat44", "alg.ftp", "live"].map(str::to_owned).to_vec(),
    };
    v1::GatewayMessage { message: Some(ToController::Hello(hello)) }
}
