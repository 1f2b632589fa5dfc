//! The end that asks.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use pinhole_proto::v1;
use pinhole_proto::v1::local_control_client::LocalControlClient;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

use crate::host::namespace::{self, NamespaceError};
use crate::options::NetworkNamespace;

/// How long a gateway may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a gateway of this host was not asked.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Its namespace cannot be used.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// Nobody answers at its socket.
    #[error("no gateway answers at {}: {source}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not answer as it should.
    #[error("the gateway does not answer: {0}")]
    Failed(String),
}

/// A connection to the gateway of a namespace.
#[derive(Debug)]
pub struct Client(LocalControlClient<Channel>);

impl Client {
    /// Connects to the gateway that works in a namespace and has this directory.
    pub async fn connect(run_dir: &Path, namespace: NetworkNamespace) -> Result<Self, LocalError> {
        // A thread of its own, as a thread that has entered a namespace does not come back.
        let thread = std::thread::spawn(move || {
            namespace::enter(&namespace)?;
            namespace::identity()
        });
        let ended = |_| LocalError::Failed("its namespace cannot be told".to_owned());
        let identity = thread.join().map_err(ended)??;
        let path = super::path(run_dir, &identity);
        let mut stream = UnixStream::connect(&path)
            .await
            .map(|stream| Some(TokioIo::new(stream)))
            .map_err(|source| LocalError::Unreachable { path, source })?;
        let connector = tower::service_fn(move |_| {
            let stream = stream.take().ok_or(io::ErrorKind::NotConnected);
            async move { stream.map_err(io::Error::from) }
        });
        let endpoint = Endpoint::from_static("http://gateway.local").timeout(ANSWER_TIMEOUT);
        let channel = endpoint
            .connect_with_connector(connector)
            .await
            .map_err(|error| LocalError::Failed(crate::control::chain(&error)))?;
        Ok(Self(LocalControlClient::new(channel)))
    }

    /// Puts a question about what goes through the gateway, or has something ended.
    pub async fn ask(
        &mut self,
        question: v1::inquiry::Question,
    ) -> Result<v1::findings::Outcome, LocalError> {
        let inquiry = v1::Inquiry { id: 0, question: Some(question) };
        let findings = self.0.ask(inquiry).await.map_err(failed)?.into_inner();
        findings.outcome.ok_or_else(|| LocalError::Failed("the answer is none".to_owned()))
    }

    /// Returns how the gateway is.
    pub async fn status(&mut self) -> Result<v1::StatusReport, LocalError> {
        Ok(self.0.status(v1::StatusRequest {}).await.map_err(failed)?.into_inner())
    }
}

fn failed(status: tonic::Status) -> LocalError {
    LocalError::Failed(format!("{}: {}", status.code(), status.message()))
}
