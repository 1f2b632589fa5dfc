//! The sending side of a stream, and how it ends.

use std::time::Duration;

use pinhole_proto::v1;
use pinhole_proto::v1::controller_message::Message as ToGateway;
use tokio::sync::mpsc;
use tonic::Status;

use super::message::Violation;
use super::service::status_of;
use crate::error::Error;

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("the gateway closed it")]
    Left,
    #[error("it broke: {}", .0.message())]
    Broken(Box<Status>),
    #[error("the gateway was silent for too long")]
    Silent,
    #[error("the gateway did not answer a configuration in time")]
    Unanswered,
    #[error("the gateway takes no messages")]
    Stalled,
    #[error("the gateway broke the contract: {0}")]
    Violation(#[from] Violation),
    #[error("the gateway has opened a newer one")]
    Replaced,
    #[error("the certificate is not valid any more")]
    Revoked,
    #[error("there are too many gateways")]
    Full,
    #[error("the controller ends")]
    Shutdown,
    #[error(transparent)]
    Error(#[from] Error),
}

impl End {
    /// What the gateway is told, if it is still there.
    fn status(&self) -> Option<Status> {
        match self {
            Self::Left | Self::Stalled => None,
            // Also what the library refuses, for example a message that is too large.
            Self::Broken(status) => Some(Status::new(status.code(), status.message())),
            Self::Silent | Self::Unanswered => Some(Status::deadline_exceeded(self.to_string())),
            Self::Violation(violation) => Some(Status::invalid_argument(violation.to_string())),
            Self::Replaced => Some(Status::aborted(self.to_string())),
            Self::Revoked => Some(Status::unauthenticated(self.to_string())),
            Self::Full => Some(Status::resource_exhausted(self.to_string())),
            Self::Shutdown => Some(Status::unavailable(self.to_string())),
            Self::Error(error) => Some(status_of(error)),
        }
    }
}

/// A message on its way, or why there are no more. In a box, as a channel has room for 32 wherever it has room for one.
pub(super) type Parcel = Box<Result<v1::ControllerMessage, Status>>;

/// The sending side.
#[derive(Debug)]
pub(super) struct Outbox {
    sender: mpsc::Sender<Parcel>,
    /// How long a message may wait for the network.
    patience: Duration,
}

impl Outbox {
    pub(super) fn new(sender: mpsc::Sender<Parcel>, patience: Duration) -> Self {
        Self { sender, patience }
    }

    pub(super) async fn send(&self, message: ToGateway) -> Result<(), End> {
        let message = v1::ControllerMessage { message: Some(message) };
        self.sender.send_timeout(Box::new(Ok(message)), self.patience).await.map_err(|_| End::Stalled)
    }

    /// Says why the stream ends, if there is somebody to listen.
    pub(super) async fn close(self, end: &End) {
        if let Some(status) = end.status() {
            // Whoever does not take it notices anyway.
            let _ = self.sender.send_timeout(Box::new(Err(status)), self.patience).await;
        }
    }
}

pub(super) fn broken(status: Status) -> End {
    End::Broken(Box::new(status))
}
