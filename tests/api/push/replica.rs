//! A controller's listener for gateways.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use pinhole::app::AppState;
use pinhole::push::{Push, PushSettings};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::PATIENCE;

/// How long the certificates of gateways are good for.
pub(super) const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// A replica of the controller: its listener for gateways, and the API beside it.
pub(super) struct Replica {
    pub(super) address: SocketAddr,
    pub(super) router: Router,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Replica {
    /// The replica that a state is of.
    pub(super) async fn of(state: &AppState, heartbeat_interval: Duration, poll_interval: Duration) -> Self {
        let settings =
            PushSettings { poll_interval, ..PushSettings::new(heartbeat_interval, CERTIFICATE_LIFETIME) };
        Self::with(state, settings).await
    }

    /// The same with other settings.
    pub(super) async fn with(state: &AppState, settings: PushSettings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let push = Push::new(
            state.store.clone(),
            state.clock.clone(),
            state.authority.clone(),
            state.gateways.clone(),
            state.signals.clone(),
            settings,
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            push.serve(listener, stopped).await.unwrap();
        });
        Self { address, router: pinhole::http::router(state.clone()), stop, task }
    }

    /// Where gateways reach it.
    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Ends it as a signal does.
    pub(super) async fn stop(self) {
        drop(self.stop);
        tokio::time::timeout(PATIENCE, self.task).await.expect("it does not end").unwrap();
    }

    /// Ends it as a crash does: it says nothing more to anybody.
    pub(super) fn crash(self) {
        self.task.abort();
    }
}
