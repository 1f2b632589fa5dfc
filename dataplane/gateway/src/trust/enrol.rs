//! Connections to the controller, and the two calls that give certificates.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use pinhole_proto::v1;
use pinhole_proto::v1::gateway_enrolment_client::GatewayEnrolmentClient;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::{Der, Identity, JoinToken, TrustError, tls, unix_time_ms};
use crate::control::chain;

/// How long the controller may take to give a certificate.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// The port of a URL that names none.
const DEFAULT_PORT: u16 = 443;

/// Gets an identity with a join token, for a new key.
///
/// # Errors
/// [`TrustError`].
pub async fn enrol(controller: &str, token: &JoinToken) -> Result<Identity, TrustError> {
    let endpoint =
        crate::control::endpoint(controller).map_err(|error| TrustError::Connect(error.to_string()))?;
    let key = KeyPair::generate().map_err(unusable_key)?;
    enrol_with(&endpoint, token, &key).await
}

/// Connects to the controller with an identity.
///
/// # Errors
/// [`TrustError`].
pub async fn connect(controller: &str, identity: &Identity) -> Result<Channel, TrustError> {
    let endpoint =
        crate::control::endpoint(controller).map_err(|error| TrustError::Connect(error.to_string()))?;
    connect_enrolled(&endpoint, identity).await
}

/// Connects to an endpoint with an identity.
pub(crate) async fn connect_enrolled(
    endpoint: &Endpoint,
    identity: &Identity,
) -> Result<Channel, TrustError> {
    dial(endpoint, tls::enrolled(identity)?).await
}

/// Gets an identity with a join token, for a key.
pub(crate) async fn enrol_with(
    endpoint: &Endpoint,
    token: &JoinToken,
    key: &KeyPair,
) -> Result<Identity, TrustError> {
    let channel = dial(endpoint, tls::joining(token)?).await?;
    let mut request = tonic::Request::new(v1::EnrolRequest {
        join_token: token.text.clone(),
        certification_request: certification_request(key)?,
    });
    request.set_timeout(ANSWER_TIMEOUT);
    let answer =
        GatewayEnrolmentClient::new(channel).enrol(request).await.map_err(|status| refused(&status))?;
    identity(answer.into_inner(), key, token.hash())
}

/// Gets another certificate, for a new key, over a connection with an identity.
pub(crate) async fn renew(channel: Channel, current: &Identity) -> Result<Identity, TrustError> {
    let key = KeyPair::generate().map_err(unusable_key)?;
    let mut request =
        tonic::Request::new(v1::RenewRequest { certification_request: certification_request(&key)? });
    request.set_timeout(ANSWER_TIMEOUT);
    let answer =
        GatewayEnrolmentClient::new(channel).renew(request).await.map_err(|status| refused(&status))?;
    identity(answer.into_inner(), &key, current.token_hash.clone())
}

fn identity(answer: v1::Enrolled, key: &KeyPair, token_hash: Vec<u8>) -> Result<Identity, TrustError> {
    let identity = Identity {
        key: key.serialized_der().to_vec(),
        certificate: answer.certificate,
        authorities: answer.authorities.into_iter().map(Der).collect(),
        obtained_at_ms: unix_time_ms(),
        lifetime_ms: answer.lifetime_ms,
        token_hash,
    };
    // What could not be used must not take the place of what can.
    tls::enrolled(&identity)?;
    Ok(identity)
}

fn certification_request(key: &KeyPair) -> Result<Vec<u8>, TrustError> {
    let mut params = CertificateParams::default();
    // The controller decides what the certificate says.
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(key).map_err(unusable_key)?;
    Ok(request.der().to_vec())
}

fn unusable_key(error: rcgen::Error) -> TrustError {
    TrustError::Key(error.to_string())
}

fn refused(status: &Status) -> TrustError {
    let message = status.message().to_owned();
    if matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied | Code::InvalidArgument) {
        TrustError::Refused(message)
    } else {
        TrustError::Failed(format!("{}: {message}", status.code()))
    }
}

async fn dial(endpoint: &Endpoint, config: ClientConfig) -> Result<Channel, TrustError> {
    let connector = TlsConnector::from(Arc::new(config));
    let connect = tower::service_fn(move |uri: tonic::transport::Uri| {
        let connector = connector.clone();
        async move {
            let host = uri.host().ok_or_else(|| io::Error::other("the URL names no host"))?;
            // A literal IPv6 address stands in brackets.
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(DEFAULT_PORT))).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(tls::SERVER_NAME).map_err(io::Error::other)?;
            Ok::<_, io::Error>(TokioIo::new(connector.connect(name, stream).await?))
        }
    });
    endpoint.connect_with_connector(connect).await.map_err(|error| TrustError::Connect(chain(&error)))
}
