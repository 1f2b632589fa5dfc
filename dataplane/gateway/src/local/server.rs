//! The end that answers.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::stream::{self, Stream};
use pinhole_proto::v1;
use pinhole_proto::v1::local_control_server::{LocalControl, LocalControlServer};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tonic::{Request, Response, Status as Refusal};

use crate::datapath::worker::WorkerHandle;
use crate::live;
use crate::options::{Link, Running, Status};

/// Who may read and write the socket: its owner.
const MODE: u32 = 0o600;

/// The socket; it ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Listens for the gateway of a namespace, whose lock the caller's gateway has: what an earlier one has left is
    /// removed.
    pub(crate) fn start(
        run_dir: &Path,
        identity: &str,
        worker: WorkerHandle,
        status: Arc<watch::Sender<Status>>,
    ) -> io::Result<Self> {
        let path = super::path(run_dir, identity);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(MODE))?;
        let service = LocalControlServer::new(Service { worker, status });
        let serving =
            tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming(listener));
        let task = tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::warn!(error = crate::control::chain(&error), "the local socket has ended");
            }
        });
        Ok(Self { path, task })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        // A file that stays is removed by the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// Returns the connections of those who may have one: root, and who runs this process.
fn incoming(listener: UnixListener) -> impl Stream<Item = io::Result<UnixStream>> {
    stream::unfold(listener, |listener| async {
        loop {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            let trusted = accepted.as_ref().map_or(true, is_trusted);
            if trusted {
                return Some((accepted, listener));
            }
            tracing::debug!("somebody who may not use the local socket has tried to");
        }
    })
}

/// The file's mode is set after the socket is there, so in between anybody may have connected.
fn is_trusted(stream: &UnixStream) -> bool {
    let own = nix::unistd::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

struct Service {
    worker: WorkerHandle,
    status: Arc<watch::Sender<Status>>,
}

#[tonic::async_trait]
impl LocalControl for Service {
    async fn ask(&self, request: Request<v1::Inquiry>) -> Result<Response<v1::Findings>, Refusal> {
        Ok(Response::new(live::answer(&self.worker, request.into_inner()).await))
    }

    async fn status(
        &self,
        _request: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusReport>, Refusal> {
        let counters = self.worker.counters().await;
        let status = self.status.borrow().clone();
        let revision_id = match &status.running {
            Some(Running::Revision(revision)) => revision.revision_id.clone(),
            Some(Running::Fixed) | None => String::new(),
        };
        let link = match status.link {
            Link::None => "none",
            Link::Disconnected => "disconnected",
            Link::Connected => "connected",
        };
        Ok(Response::new(v1::StatusReport {
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            running: status.running(),
            revision_id,
            link: link.to_owned(),
            fault: status.fault.unwrap_or_default(),
            counters,
        }))
    }
}
