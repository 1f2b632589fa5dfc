//! The gRPC service: lets gateways in.

use std::sync::Arc;

use pinhole_proto::v1;
use pinhole_proto::v1::gateway_control_server::GatewayControl;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::stream::{self, Outbox};
use super::{Push, limits};
use crate::access::token::Secret;
use crate::error::Error;
use crate::store::push::{self as store, Credential};

/// The service.
#[derive(Debug)]
pub(super) struct Service {
    push: Push,
}

impl Service {
    pub(super) fn new(push: Push) -> Self {
        Self { push }
    }

    /// Finds whose gateway this is. Whatever is wrong with the credential, the answer is the same.
    async fn authenticate(&self, metadata: &MetadataMap) -> Result<Credential, Status> {
        let refused = || Status::unauthenticated("the token is not valid");
        let token = bearer(metadata).ok_or_else(refused)?;
        let (hash, now) = (Secret::presented(token).hash(), self.push.clock.now());
        let found = self.push.database(async |tx| store::authenticate(tx, hash, now).await).await;
        found.map_err(|error| status_of(&error))?.ok_or_else(refused)
    }
}

#[tonic::async_trait]
impl GatewayControl for Service {
    type AttachStream = ReceiverStream<Result<v1::ControllerMessage, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<v1::GatewayMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let peer = request.remote_addr();
        let credential = self.authenticate(request.metadata()).await.inspect_err(|status| {
            tracing::info!(?peer, reason = status.message(), "a gateway was not let in");
        })?;
        let (sender, receiver) = mpsc::channel(limits::OUTBOX);
        let (push, alive) = (self.push.clone(), Alive::new(&self.push));
        tokio::spawn(async move {
            stream::run(push, credential, request.into_inner(), Outbox::new(sender)).await;
            drop(alive);
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// The bearer token, RFC 6750, if there is exactly one.
fn bearer(metadata: &MetadataMap) -> Option<&str> {
    let mut values = metadata.get_all("authorization").iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    let fits = scheme.eq_ignore_ascii_case("bearer") && token.len() <= limits::MAX_TOKEN_BYTES;
    fits.then_some(token)
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
    fn new(push: &Push) -> Self {
        push.alive.send_modify(|alive| *alive = alive.saturating_add(1));
        Self(Arc::clone(&push.alive))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.send_modify(|alive| *alive = alive.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bearer_token_is_taken() {
        let read = |values: &[&'static str]| {
            let mut metadata = MetadataMap::new();
            for value in values {
                metadata.append("authorization", value.parse().unwrap());
            }
            bearer(&metadata).map(str::to_owned)
        };
        assert_eq!(read(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(read(&["bearer  abc "]).as_deref(), Some("abc"));
        let long: &'static str = Box::leak(format!("Bearer {}", "x".repeat(2_000)).into_boxed_str());
        for wrong in [&[][..], &["abc"], &["Basic abc"], &["Bearer a", "Bearer b"], &[long]] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
