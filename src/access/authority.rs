//! The installation's certificate authority: it certifies gateways, by which they are known, and controllers, which
//! all have the one name that gateways look for.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SerialNumber,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use sha2::{Digest as _, Sha256};

use super::token::Secret;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::ids::ObjectId;

/// How long a join token is good for.
pub const JOIN_TOKEN_LIFETIME: Duration = Duration::hours(24);
/// How long the certificate of a controller is good for; each makes a new one when half of that is over.
pub const SERVER_LIFETIME: Duration = Duration::days(30);

/// What gateways look for in a controller's certificate, wherever they reach it.
const SERVER_NAME: &str = "controller.pinhole.internal";
/// What a join token begins with.
const TOKEN_PREFIX: &str = "pinhole-join";
const AUTHORITY_LIFETIME: Duration = Duration::days(20 * 365);
/// How far back certificates begin, for clocks that are slow.
const CLOCK_SKEW: Duration = Duration::minutes(10);
/// The most bytes of a certification request that are looked at.
const MAX_REQUEST_BYTES: usize = 16 << 10;
/// RFC 5280, section 4.1.2.2 has at most 20, without a sign.
const SERIAL_BYTES: usize = 16;

/// The SHA-256 of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// That of a certificate, DER.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    /// One that was computed elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An authority with its private key, as it is stored when that is sealed.
#[derive(Clone)]
pub struct StoredAuthority {
    /// X.509, DER.
    pub certificate: Vec<u8>,
    /// PKCS #8, DER.
    pub private: Vec<u8>,
}

impl fmt::Debug for StoredAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredAuthority(...)")
    }
}

impl StoredAuthority {
    /// Makes a new one.
    ///
    /// # Errors
    /// [`Error::Internal`], which would be a defect.
    pub fn generate(now: Timestamp) -> Result<Self> {
        let key = KeyPair::generate().map_err(defect)?;
        let mut params = params("Pinhole gateway authority", now, AUTHORITY_LIFETIME);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(defect)?;
        Ok(Self { certificate: certificate.der().to_vec(), private: key.serialize_der() })
    }
}

/// The authority at work. Cheap to clone.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    certificate: CertificateDer<'static>,
    fingerprint: Fingerprint,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authority").field(&self.0.fingerprint).finish()
    }
}

/// A gateway's certificate.
#[derive(Debug, Clone)]
pub struct Issued {
    /// X.509, DER.
    pub certificate: Vec<u8>,
    /// By which it is known.
    pub fingerprint: Fingerprint,
    /// When it begins to count, for the administrator.
    pub issued_at: Timestamp,
    /// When it stops being good.
    pub expires_at: Timestamp,
}

/// A certification request, whose sender has the key that it names.
#[derive(Debug)]
pub struct Request(rcgen::PublicKey);

/// A text is no certification request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the certification request is not one, or is not signed with its key")]
pub struct NoRequest;

impl Request {
    /// Reads a request, PKCS #10, DER. Only its key counts; who it is for the controller knows better.
    ///
    /// # Errors
    /// [`NoRequest`].
    pub fn parse(der: &[u8]) -> std::result::Result<Self, NoRequest> {
        if der.len() > MAX_REQUEST_BYTES {
            return Err(NoRequest);
        }
        let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der));
        request.map(|request| Self(request.public_key)).map_err(|_| NoRequest)
    }

    /// The hash of the key.
    #[must_use]
    pub fn key_hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.der_bytes()).into()
    }
}

impl Authority {
    /// Takes a stored authority.
    ///
    /// # Errors
    /// [`Error::Internal`] when it does not parse.
    pub fn load(stored: StoredAuthority) -> Result<Self> {
        let certificate = CertificateDer::from(stored.certificate);
        let key = KeyPair::try_from(stored.private.as_slice()).map_err(defect)?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(defect)?;
        let fingerprint = Fingerprint::of(&certificate);
        Ok(Self(Arc::new(Inner { certificate, fingerprint, issuer })))
    }

    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.0.certificate
    }

    /// Makes a token that names this authority, so that who gets it knows whom to trust.
    #[must_use]
    pub fn join_token(&self) -> Secret {
        let fingerprint = URL_SAFE_NO_PAD.encode(self.0.fingerprint.as_bytes());
        Secret::presented(&format!("{TOKEN_PREFIX}.{}.{fingerprint}", Secret::generate().reveal()))
    }

    /// Certifies the gateway of an appliance.
    ///
    /// # Errors
    /// [`Error::Internal`], which would be a defect.
    pub fn certify_gateway(
        &self,
        request: &Request,
        appliance: ObjectId,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Issued> {
        let mut params = params(&appliance.to_string(), now, lifetime);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&request.0, &self.0.issuer).map_err(defect)?;
        let certificate = certificate.der().to_vec();
        let fingerprint = Fingerprint::of(&certificate);
        Ok(Issued { certificate, fingerprint, issued_at: now, expires_at: now + lifetime })
    }

    /// Makes a key and a certificate for a controller: both DER, the key PKCS #8.
    ///
    /// # Errors
    /// [`Error::Internal`], which would be a defect.
    pub fn certify_controller(&self, now: Timestamp) -> Result<(CertificateDer<'static>, Vec<u8>)> {
        let key = KeyPair::generate().map_err(defect)?;
        let mut params = params(SERVER_NAME, now, SERVER_LIFETIME);
        let name = SERVER_NAME.try_into().map_err(defect)?;
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.0.issuer).map_err(defect)?;
        Ok((certificate.der().clone(), key.serialize_der()))
    }
}

/// What all certificates have.
fn params(name: &str, now: Timestamp, lifetime: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    params.not_before = SystemTime::from(now - CLOCK_SKEW).into();
    params.not_after = SystemTime::from(now + lifetime).into();
    let mut serial: [u8; SERIAL_BYTES] = rand::random();
    // Positive, and no zero in front, which DER would leave out.
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.use_authority_key_identifier_extension = true;
    params
}

fn defect(error: rcgen::Error) -> Error {
    Error::Internal(format!("certificates: {error}"))
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    fn request() -> (KeyPair, Vec<u8>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["controller.pinhole.internal".to_owned()]).unwrap();
        params.is_ca = IsCa::NoCa;
        let der = params.serialize_request(&key).unwrap().der().to_vec();
        (key, der)
    }

    #[test]
    fn a_stored_authority_certifies_again() {
        let stored = StoredAuthority::generate(Utc::now()).unwrap();
        let authority = Authority::load(stored.clone()).unwrap();
        let (_, der) = request();
        let request = Request::parse(&der).unwrap();
        let certify = |authority: &Authority| {
            authority.certify_gateway(&request, ObjectId::generate(), Utc::now(), Duration::hours(1)).unwrap()
        };
        let (one, other) = (certify(&authority), certify(&Authority::load(stored).unwrap()));
        assert_ne!(one.fingerprint, other.fingerprint);
        // What the request asks for does not count.
        let name = b"controller.pinhole.internal";
        assert!(!one.certificate.windows(name.len()).any(|window| window == name));
        assert!(authority.join_token().reveal().len() < 128);
        assert!(!format!("{authority:?}").contains("private"));
    }

    #[test]
    fn a_request_proves_its_key_and_has_bounds() {
        let (_, der) = request();
        let mut forged = der.clone();
        let last = forged.len() - 1;
        forged[last] ^= 1;
        let long = vec![0x30; MAX_REQUEST_BYTES + 1];
        for wrong in [&forged, &der[..last], &b""[..], b"\x30\x80", &long] {
            assert_eq!(Request::parse(wrong).map(|request| request.key_hash()), Err(NoRequest));
        }
        let hash = Request::parse(&der).unwrap().key_hash();
        assert_eq!(hash, Request::parse(&der).unwrap().key_hash());
    }
}
