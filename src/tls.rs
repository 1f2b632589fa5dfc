//! TLS of outgoing connections: rustls on ring, the system's roots, and what an administrator adds to them.

use std::path::Path;

use reqwest::redirect::Policy;
use reqwest::{Certificate, ClientBuilder};
use rustls::crypto::ring;

/// A file is no list of certificates.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// It cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(String, std::io::Error),
    /// It has no certificate in it, or one that does not parse.
    #[error("{0} is no list of PEM certificates")]
    Malformed(String),
}

/// A client that trusts the system's roots and follows no redirect. Its other limits are the caller's to set.
pub fn client_builder() -> ClientBuilder {
    // The first one in a process counts, and they are all the same.
    let _ = ring::default_provider().install_default();
    reqwest::Client::builder().redirect(Policy::none())
}

/// Reads certificates to trust beside the system's, PEM.
///
/// # Errors
/// [`RootsError`].
pub fn roots(path: &Path) -> Result<Vec<Certificate>, RootsError> {
    let shown = path.display().to_string();
    let pem = std::fs::read(path).map_err(|error| RootsError::Unreadable(shown.clone(), error))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        Ok(_) | Err(_) => Err(RootsError::Malformed(shown)),
    }
}
