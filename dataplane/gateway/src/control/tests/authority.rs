//! A certificate authority that gives everybody with the right token a certificate.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pinhole_proto::v1;
use pinhole_proto::v1::gateway_enrolment_server::GatewayEnrolment;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, IsCa, KeyPair,
};
use sha2::{Digest as _, Sha256};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use tonic::{Request, Response, Status};

#[derive(Clone)]
pub(super) struct Authority(Arc<Inner>);

struct Inner {
    issuer: CertifiedIssuer<'static, KeyPair>,
    lifetime: Duration,
    given: Mutex<Vec<Vec<u8>>>,
}

impl Authority {
    pub(super) fn new(lifetime: Duration) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self(Arc::new(Inner { issuer, lifetime, given: Mutex::default() }))
    }

    /// A join token of it.
    pub(super) fn token(&self, secret: &str) -> String {
        let fingerprint = URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.issuer.der()));
        format!("pinhole-join.{secret}.{fingerprint}")
    }

    /// The certificates that it gave, in order.
    pub(super) fn given(&self) -> Vec<Vec<u8>> {
        self.0.given.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a controller of it presents and demands.
    pub(super) fn server(&self) -> ServerTlsConfig {
        let key = KeyPair::generate().unwrap();
        let name = "controller.pinhole.internal".to_owned();
        let certificate =
            CertificateParams::new(vec![name]).unwrap().signed_by(&key, &self.0.issuer).unwrap();
        let chain = [pem("CERTIFICATE", certificate.der()), pem("CERTIFICATE", self.0.issuer.der())].concat();
        ServerTlsConfig::new()
            .identity(Identity::from_pem(chain, pem("PRIVATE KEY", key.serialized_der())))
            .client_ca_root(Certificate::from_pem(pem("CERTIFICATE", self.0.issuer.der())))
            .client_auth_optional(true)
    }

    fn give(&self, request: &[u8]) -> Response<v1::Enrolled> {
        let request = CertificateSigningRequestParams::from_der(&request.into()).unwrap();
        let certificate = CertificateParams::default()
            .signed_by(&request.public_key, &self.0.issuer)
            .unwrap()
            .der()
            .to_vec();
        self.0.given.lock().unwrap_or_else(PoisonError::into_inner).push(certificate.clone());
        let authorities = vec![self.0.issuer.der().to_vec()];
        let lifetime_ms = u64::try_from(self.0.lifetime.as_millis()).unwrap();
        Response::new(v1::Enrolled { certificate, authorities, lifetime_ms })
    }
}

/// A free port of this host.
pub(super) fn any_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

#[tonic::async_trait]
impl GatewayEnrolment for Authority {
    async fn enrol(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::Enrolled>, Status> {
        let request = request.into_inner();
        if request.join_token.contains("used") {
            return Err(Status::unauthenticated("the join token is not valid"));
        }
        Ok(self.give(&request.certification_request))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::Enrolled>, Status> {
        let shown = request.peer_certs().unwrap().first().unwrap().to_vec();
        assert_eq!(self.given().last(), Some(&shown), "it renews the newest");
        Ok(self.give(&request.into_inner().certification_request))
    }
}
