//! TLS towards gateways: version 1.3, the controller's certificate by the installation's authority, and the
//! gateways' by the same one. A connection without a client certificate can enrol, and nothing else.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::ring;
use rustls::pki_types::{PrivatePkcs8KeyDer, UnixTime};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;

use super::{ServeError, limits};
use crate::access::authority::{Authority, SERVER_LIFETIME};
use crate::clock::{SharedClock, Timestamp};
use crate::error::{Error, Result};

const ALPN_HTTP2: &[u8] = b"h2";

/// Makes the configuration of the listener.
pub(super) fn config(authority: &Authority, clock: &SharedClock) -> Result<Arc<ServerConfig>, ServeError> {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone())?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()?;
    let presenter =
        Presenter { authority: authority.clone(), clock: clock.clone(), current: Mutex::default() };
    let time = Arc::new(Time(clock.clone()));
    let mut config = ServerConfig::builder_with_details(provider, time)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(presenter));
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
    // Gateways do not resume: they hold one connection, and a new one is to show its certificate again.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// Accepts connections and shakes hands, with many at once, so that one that is slow keeps no other out.
pub(super) fn accept(
    listener: TcpListener,
    config: Arc<ServerConfig>,
) -> ReceiverStream<std::io::Result<TlsStream<TcpStream>>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        let handshakes = Arc::new(Semaphore::new(limits::MAX_HANDSHAKES));
        loop {
            let Ok(turn) = Arc::clone(&handshakes).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = sender.closed() => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a gateway could not be accepted");
                    sleep(limits::ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (acceptor, sender) = (acceptor.clone(), sender.clone());
            tokio::spawn(async move {
                match timeout(limits::HANDSHAKE_TIMEOUT, shake_hands(&acceptor, stream)).await {
                    Ok(Ok(stream)) => {
                        drop(turn);
                        // Nobody takes it when the server has ended.
                        let _ = sender.send(Ok(stream)).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS with a gateway"),
                    Err(_) => tracing::debug!(%peer, "a gateway took too long for TLS"),
                }
            });
        }
    });
    ReceiverStream::new(receiver)
}

async fn shake_hands(acceptor: &TlsAcceptor, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
    stream.set_nodelay(true)?;
    acceptor.accept(stream).await
}

/// The controller's clock, for the certificates of gateways.
#[derive(Debug)]
struct Time(SharedClock);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let since = self.0.now().signed_duration_since(Timestamp::UNIX_EPOCH).to_std().ok()?;
        Some(UnixTime::since_unix_epoch(since))
    }
}

/// Presents a certificate, and makes a new one when half of its life is over.
#[derive(Debug)]
struct Presenter {
    authority: Authority,
    clock: SharedClock,
    /// The certificate, and until when it is presented.
    current: Mutex<Option<(Arc<CertifiedKey>, Timestamp)>>,
}

impl Presenter {
    fn present(&self) -> Result<Arc<CertifiedKey>> {
        let now = self.clock.now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((key, until)) = &*current
            && now < *until
        {
            return Ok(Arc::clone(key));
        }
        let (certificate, private) = self.authority.certify_controller(now)?;
        let chain = vec![certificate, self.authority.certificate().clone()];
        let key = CertifiedKey::from_der(
            chain,
            PrivatePkcs8KeyDer::from(private).into(),
            &ring::default_provider(),
        );
        let key = Arc::new(key.map_err(|error| Error::Internal(format!("TLS: {error}")))?);
        *current = Some((Arc::clone(&key), now + SERVER_LIFETIME / 2));
        Ok(key)
    }
}

impl ResolvesServerCert for Presenter {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.present().inspect_err(|error| tracing::error!(%error, "no certificate for gateways")).ok()
    }
}
