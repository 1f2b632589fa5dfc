//! The gRPC service: lets gateways in.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::Map;
use pinhole_proto::v1;
use pinhole_proto::v1::gateway_control_server::GatewayControl;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::end::{Outbox, Parcel};
use super::{Core, limits, stream};
use crate::access::authority::Fingerprint;
use crate::error::Error;
use crate::store::push::Credential;

/// The service.
#[derive(Debug)]
pub(super) struct Service {
    core: Core,
}

impl Service {
    pub(super) fn new(core: Core) -> Self {
        Self { core }
    }
}

#[tonic::async_trait]
impl GatewayControl for Service {
    type AttachStream = Map<ReceiverStream<Parcel>, fn(Parcel) -> Result<v1::ControllerMessage, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<v1::GatewayMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let peer = request.remote_addr();
        let credential = authenticate(&self.core, &request).await.inspect_err(|status| {
            tracing::info!(?peer, reason = status.message(), "a gateway was not let in");
        })?;
        let (sender, receiver) = mpsc::channel(limits::OUTBOX);
        let (core, alive) = (self.core.clone(), Alive::new(&self.core));
        tokio::spawn(async move {
            let outbox = Outbox::new(sender, core.settings.send_timeout);
            stream::run(core, credential, request.into_inner(), outbox).await;
            drop(alive);
        });
        Ok(Response::new(ReceiverStream::new(receiver).map(|parcel| *parcel)))
    }
}

/// Finds whose gateway this is, by its certificate. Whatever is wrong with that, the answer is the same.
pub(super) async fn authenticate<T>(core: &Core, request: &Request<T>) -> Result<Credential, Status> {
    let refused = || Status::unauthenticated("the certificate is not valid");
    let certificates = request.peer_certs().ok_or_else(refused)?;
    let certificate = Fingerprint::of(certificates.first().ok_or_else(refused)?);
    let found = core.queues.authenticate.ask(certificate).await;
    found.map_err(|error| status_of(&error))?.ok_or_else(refused)
}

/// What a gateway is told of an error of this side; the log is told more.
pub(super) fn status_of(error: &Error) -> Status {
    if matches!(error, Error::Unavailable(_)) {
        tracing::debug!(%error, "a gateway has to come back later");
        Status::unavailable("the controller's database does not answer; try again")
    } else {
        tracing::error!(%error, "a gateway could not be served");
        Status::internal("an error on the controller's side")
    }
}

/// Counts a stream as long as it lives.
struct Alive(Arc<watch::Sender<usize>>);

impl Alive {
    fn new(core: &Core) -> Self {
        core.alive.send_modify(|alive| *alive = alive.saturating_add(1));
        Self(Arc::clone(&core.alive))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.send_modify(|alive| *alive = alive.saturating_sub(1));
    }
}
