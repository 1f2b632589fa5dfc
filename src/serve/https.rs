//! The REST API over TLS: a certificate from files, which may be replaced while the controller runs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Handshakes that are under way at the same time, and how long one may take.
const MAX_HANDSHAKES: usize = 256;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing is accepted after the system had no room for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often the files are looked at without a signal.
const RELOAD_INTERVAL: Duration = Duration::from_secs(60);
/// Browsers come back with TLS for a year (RFC 6797).
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The files of a certificate.
#[derive(Debug, Clone)]
pub(super) struct Files {
    /// The chain, PEM, the server's own first.
    pub(super) certificate: PathBuf,
    /// The key, PEM.
    pub(super) key: PathBuf,
}

impl Files {
    fn load(&self) -> anyhow::Result<CertifiedKey> {
        let shown = |path: &Path| path.display().to_string();
        let unusable = || format!("cannot use the certificates in {}", shown(&self.certificate));
        let chain = CertificateDer::pem_file_iter(&self.certificate).with_context(unusable)?;
        let chain = chain.collect::<Result<Vec<_>, _>>().with_context(unusable)?;
        let key = PrivateKeyDer::from_pem_file(&self.key);
        let key = key.with_context(|| format!("cannot use the key in {}", shown(&self.key)))?;
        CertifiedKey::from_der(chain, key, &ring::default_provider()).with_context(|| {
            format!("{} and {} do not belong together", shown(&self.certificate), shown(&self.key))
        })
    }
}

/// The certificate that is presented. Cheap to clone; all clones have the same.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    files: Files,
    current: Arc<RwLock<Arc<CertifiedKey>>>,
}

impl Certificate {
    /// Reads a certificate.
    pub(super) fn load(files: Files) -> anyhow::Result<Self> {
        let current = Arc::new(RwLock::new(Arc::new(files.load()?)));
        Ok(Self { files, current })
    }

    /// Reads the files again at SIGHUP, and from time to time. What cannot be used takes no other's place.
    pub(super) async fn keep(self) -> std::io::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = hangup.recv() => {}
                () = sleep(RELOAD_INTERVAL) => {}
            }
            let certificate = self.clone();
            let loaded = tokio::task::spawn_blocking(move || certificate.files.load()).await;
            match loaded.map_err(anyhow::Error::from).flatten() {
                Ok(loaded) => self.replace(loaded),
                Err(error) => tracing::warn!("the TLS certificate stays as it is: {error:#}"),
            }
        }
    }

    fn replace(&self, loaded: CertifiedKey) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.cert != loaded.cert {
            *current = Arc::new(loaded);
            tracing::info!("there is another TLS certificate");
        }
    }

    fn config(&self) -> anyhow::Result<Arc<ServerConfig>> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions()?.with_no_client_auth();
        let mut config = config.with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Connections whose handshake is done.
#[derive(Debug)]
pub(super) struct Https {
    address: SocketAddr,
    accepted: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl Https {
    /// Accepts connections and shakes hands, with many at once, so that one that is slow keeps no other out.
    pub(super) fn accept(listener: TcpListener, certificate: &Certificate) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(certificate.config()?);
        let (sender, accepted) = mpsc::channel(1);
        tokio::spawn(async move {
            let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
            loop {
                let Ok(turn) = Arc::clone(&handshakes).acquire_owned().await else { return };
                let connection = tokio::select! {
                    connection = listener.accept() => connection,
                    () = sender.closed() => return,
                };
                let Ok((stream, peer)) = connection else {
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                tokio::spawn(async move {
                    match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            drop(turn);
                            // Nobody takes it when the server has ended.
                            let _ = sender.send((stream, peer)).await;
                        }
                        Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS with a client"),
                        Err(_) => tracing::debug!(%peer, "a client took too long for TLS"),
                    }
                });
            }
        });
        Ok(Self { address, accepted })
    }
}

impl Listener for Https {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, Https>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Https>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// The service behind TLS: it knows its clients as the one without knows them, and has browsers come back with TLS.
pub(super) fn secured(router: Router) -> Router {
    router.layer(from_fn(secure))
}

async fn secure(mut request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(Peer(address))) = request.extensions().get::<ConnectInfo<Peer>>().copied() {
        request.extensions_mut().insert(ConnectInfo(address));
    }
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    response
}
