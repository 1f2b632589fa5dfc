//! The control stream: keeps it open, answers configurations, reports counters and events. Whatever happens to
//! it, the datapath goes on with the last good configuration.

mod backoff;
pub(crate) mod session;

use std::sync::Arc;
use std::time::Duration;

use pinhole_proto::v1;
use rand::Rng;
use tokio::sync::{oneshot, watch};
use tonic::transport::Endpoint;

use crate::control::backoff::Backoff;
use crate::datapath::worker::WorkerHandle;
use crate::events::EventReceiver;
use crate::options::{ControllerOptions, Link, Status, TokenSource};
use crate::store::Store;
use crate::supervisor::{StartError, SupervisorHandle};

/// How long the controller may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a silent connection is checked, and how long an answer may take: a controller that vanished without
/// a word is noticed in their sum.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest token file that is read.
const MAX_TOKEN_BYTES: u64 = 16 << 10;

/// What the control stream works with.
pub(crate) struct Control {
    pub(crate) options: ControllerOptions,
    pub(crate) store: Store,
    pub(crate) supervisor: SupervisorHandle,
    pub(crate) worker: WorkerHandle,
    pub(crate) events: EventReceiver,
    pub(crate) status: Arc<watch::Sender<Status>>,
    pub(crate) instance_id: String,
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error("cannot read the token file: {0}")]
    TokenFile(std::io::Error),
    #[error("the token is not printable ASCII")]
    Token,
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("the controller refuses this gateway: {0}")]
    Refused(String),
    #[error("the stream failed: {0}")]
    Stream(String),
    #[error("the controller ended the stream")]
    Ended,
    #[error("the controller takes no more messages")]
    Stalled,
}

/// Parses the controller's URL.
pub(crate) fn endpoint(url: &str) -> Result<Endpoint, StartError> {
    let bad = || StartError::Endpoint(url.to_owned());
    if !url.starts_with("http://") {
        return Err(bad());
    }
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|_| bad())?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true))
}

/// Reads the token.
fn read_token(source: &TokenSource) -> Result<String, StreamError> {
    use std::io::Read as _;
    match source {
        TokenSource::Literal(token) => Ok(token.clone()),
        TokenSource::File(path) => {
            let mut token = String::new();
            let file = std::fs::File::open(path).map_err(StreamError::TokenFile)?;
            file.take(MAX_TOKEN_BYTES).read_to_string(&mut token).map_err(StreamError::TokenFile)?;
            Ok(token.trim().to_owned())
        }
    }
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
