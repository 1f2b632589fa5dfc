//! A fleet: thousands of gateways played in one process, each with a TLS connection, an HTTP/2 stream and a certificate of its own.
//!
//! They do what a gateway does on its control stream and no more: apply whatever they are sent, say so, send
//! heartbeats, and come back by the next controller when theirs is gone, after a jittered pause that grows.

mod gateway;
mod wire;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

pub use self::wire::Wire;

/// Connections that are being made at once; else the listener's backlog would decide in seconds who comes first.
const MAX_DIALS: usize = 256;
/// Answers that nobody counts.
const ANY: usize = Semaphore::MAX_PERMITS;

/// What gateways get in with. They share one key, since making ten thousand is the client's business only; to the
/// controller each has a certificate of its own.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Credentials {
    /// The authority's certificate, DER.
    pub authority: Vec<u8>,
    /// PKCS #8, DER.
    pub key: Vec<u8>,
    /// Of each gateway, DER.
    pub certificates: Vec<Vec<u8>>,
}

impl Credentials {
    /// How one of the gateways connects.
    ///
    /// # Errors
    /// There is no such gateway, or what it has cannot be used.
    pub fn config(&self, index: usize) -> anyhow::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.authority.as_slice()).into_owned())?;
        let certificate = self.certificates.get(index).context("there is no such gateway")?;
        let certificate = CertificateDer::from(certificate.clone());
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate], PrivatePkcs8KeyDer::from(self.key.clone()).into())?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A gateway makes a new configuration for each connection, too.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// How far a fleet is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Gateways that are welcome now.
    pub connected: usize,
    /// How often one was welcomed.
    pub welcomes: usize,
    /// Answers that were sent.
    pub answers: usize,
}

/// Running gateways. They end when this value is dropped.
#[derive(Debug)]
pub struct Fleet {
    shared: Arc<Shared>,
    _gateways: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    controllers: Vec<SocketAddr>,
    credentials: Credentials,
    seed: u64,
    dials: Semaphore,
    answers: Semaphore,
    tally: watch::Sender<Tally>,
    /// The revision that each gateway runs.
    running: Mutex<Vec<Option<String>>>,
}

impl Fleet {
    /// Starts a gateway for each certificate, the first by the first controller, the second by the second, and so on.
    /// They send so many answers to configurations; the rest waits for [`Self::release`].
    #[must_use]
    pub fn start(
        controllers: Vec<SocketAddr>,
        credentials: Credentials,
        seed: u64,
        answers: Option<usize>,
    ) -> Self {
        let count = credentials.certificates.len();
        let shared = Arc::new(Shared {
            controllers,
            credentials,
            seed,
            dials: Semaphore::new(MAX_DIALS),
            answers: Semaphore::new(answers.unwrap_or(ANY)),
            tally: watch::Sender::new(Tally::default()),
            running: Mutex::new(vec![None; count]),
        });
        let mut gateways = JoinSet::new();
        for index in 0..count {
            gateways.spawn(gateway::live(Arc::clone(&shared), index));
        }
        Self { shared, _gateways: gateways }
    }

    /// Lets all answers go.
    pub fn release(&self) {
        self.shared.answers.close();
    }

    /// Waits until the fleet is as wanted.
    pub async fn until(&self, wanted: impl FnMut(&Tally) -> bool) -> Tally {
        let mut tally = self.shared.tally.subscribe();
        // The sender is in `self`.
        tally.wait_for(wanted).await.map_or_else(|_| Tally::default(), |tally| *tally)
    }

    /// The id of the revision that each gateway runs.
    #[must_use]
    pub fn running(&self) -> Vec<Option<String>> {
        self.shared.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
