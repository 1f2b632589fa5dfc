//! The control stream: keeps it open, answers configurations, reports counters and events. Whatever happens to
//! it, the datapath goes on with the last good configuration.

pub(crate) mod session;

use std::sync::Arc;
use std::time::Duration;

use pinhole_proto::v1;
use rand::Rng;
use tokio::sync::{oneshot, watch};
use tonic::transport::Endpoint;

use crate::backoff::Backoff;
use crate::datapath::worker::WorkerHandle;
use crate::events::EventReceiver;
use crate::options::{ControllerOptions, Link, Status};
use crate::store::Store;
use crate::supervisor::{StartError, SupervisorHandle};
use crate::trust::{self, Identity, Keeper, TrustError};

/// How long the controller may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a silent connection is checked, and how long an answer may take: a controller that vanished without
/// a word is noticed in their sum.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the control stream works with.
pub(crate) struct Control {
    pub(crate) options: ControllerOptions,
    pub(crate) store: Store,
    pub(crate) supervisor: SupervisorHandle,
    pub(crate) worker: WorkerHandle,
    pub(crate) events: EventReceiver,
    pub(crate) status: Arc<watch::Sender<Status>>,
    pub(crate) instance_id: String,
    pub(crate) keeper: Keeper,
    /// The hash of a join token that the controller did not take: asking again would be no use.
    pub(crate) refused_token: Option<Vec<u8>>,
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("the controller refuses this gateway: {0}")]
    Refused(String),
    #[error("the stream failed: {0}")]
    Stream(String),
    #[error("the controller ended the stream")]
    Ended,
    #[error("the controller takes no more messages")]
    Stalled,
    #[error("the certificate was renewed")]
    Renewed,
}

/// Parses the controller's URL.
pub(crate) fn endpoint(url: &str) -> Result<Endpoint, StartError> {
    let bad = || StartError::Endpoint(url.to_owned());
    let authority = url.strip_prefix("https://").ok_or_else(bad)?;
    // TLS is the connector's own, which tonic is not to look for.
    let endpoint = Endpoint::from_shared(format!("http://{authority}")).map_err(|_| bad())?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true))
}

/// An error with its causes: a transport error alone says only that it is one.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

impl Control {
    /// Keeps a stream to the controller until `stop` says so or is dropped.
    pub(crate) async fn run(mut self, endpoint: Endpoint, random: impl Rng, mut stop: oneshot::Receiver<()>) {
        let mut backoff = Backoff::new(random);
        let mut last_reason = None;
        loop {
            let ended = tokio::select! {
                _ = &mut stop => return,
                ended = self.attach(&endpoint) => ended,
            };
            if matches!(ended, StreamError::Renewed) {
                tracing::info!("the certificate of this gateway was renewed; attaching with it");
                continue;
            }
            let was_connected = self.set_link(Link::Disconnected) == Link::Connected;
            if was_connected {
                backoff.reset();
                last_reason = None;
            }
            // An outage is one line, however many attempts it takes.
            let reason = ended.to_string();
            if last_reason.as_ref() != Some(&reason) {
                tracing::warn!(
                    controller = self.options.endpoint,
                    reason,
                    "no control stream; the last configuration stays in force while this gateway tries again"
                );
                last_reason = Some(reason);
            }
            tokio::select! {
                _ = &mut stop => return,
                () = tokio::time::sleep(backoff.next()) => {}
            }
        }
    }

    /// Returns who this gateway is: from disk, or by a join token that was not used yet.
    async fn identity(&mut self, endpoint: &Endpoint) -> Result<Identity, TrustError> {
        let known = self.keeper.load()?;
        let file = self.options.join_token_file.as_deref();
        let token = file.map(trust::read_join_token).transpose()?.flatten();
        let fresh = token.filter(|token| {
            let used = known.as_ref().is_some_and(|known| known.is_of(token));
            !used && self.refused_token.as_ref() != Some(&token.hash())
        });
        let usable = known.as_ref().filter(|known| !known.expired());
        let Some(token) = fresh else {
            let reason = if known.is_some() { TrustError::Expired } else { TrustError::NotEnrolled };
            return usable.cloned().ok_or(reason);
        };
        let key = self.keeper.join_key()?;
        match trust::enrol_with(endpoint, &token, &key).await {
            Ok(identity) => {
                self.keeper.save(&identity)?;
                tracing::info!(controller = self.options.endpoint, "enrolled with a join token");
                Ok(identity)
            }
            Err(error) => {
                if matches!(error, TrustError::Refused(_)) && usable.is_some() {
                    tracing::warn!(%error, "the new join token is of no use; going on as before");
                    self.refused_token = Some(token.hash());
                }
                // With what was good before, if that is still good.
                usable.cloned().ok_or(error)
            }
        }
    }

    /// Notes the stream's state and returns the one before.
    fn set_link(&self, link: Link) -> Link {
        let mut before = link;
        self.status.send_if_modified(|status| {
            before = std::mem::replace(&mut status.link, link);
            before != link
        });
        before
    }

    /// Returns the name of what is enforced now.
    fn running(&self) -> Option<v1::RunningConfig> {
        match &self.status.borrow().running {
            Some(crate::options::Running::Revision(running)) => Some(running.clone()),
            Some(crate::options::Running::Fixed) | None => None,
        }
    }
}

#[cfg(test)]
mod tests;
