//! What is known of the issuer: its endpoints and its keys, asked for when they are needed, and not too often.

use std::sync::Arc;

use chrono::Duration;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, DiscoveryError, IssuerUrl, ProviderMetadata};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::settings::Settings;
use super::web::{Web, WebError};
use super::{Fault, Outcome};
use crate::clock::Timestamp;

/// How long what is known counts.
const LIFETIME: Duration = Duration::hours(1);
/// How soon after the last time keys are asked for again because of one that is not known.
const KEY_PAUSE: Duration = Duration::seconds(10);
/// How long nobody asks again after an issuer that did not answer.
const FAILURE_PAUSE: Duration = Duration::seconds(1);

/// What this program reads of a discovery document beyond what the library knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Announced {
    /// RFC 9207 section 3.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Announced {}

/// A discovery document with the keys that it names.
pub(super) type Metadata = ProviderMetadata<
    Announced,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What somebody needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need<'a> {
    /// What is known will do.
    Any,
    /// A key that was not in this.
    NewerThan(&'a Arc<Metadata>),
}

/// The issuer.
#[derive(Debug)]
pub(super) struct Issuer {
    url: IssuerUrl,
    web: Web,
    /// Held while the issuer is asked, so that one asks for all.
    known: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    asked_at: Timestamp,
    answer: Result<Arc<Metadata>, String>,
}

impl Issuer {
    /// The issuer of an installation's settings. It is not asked yet.
    ///
    /// # Errors
    /// TLS does not work on this system.
    pub(super) fn new(settings: &Settings) -> Outcome<Self> {
        let web = Web::new(&settings.roots, settings.is_secure())?;
        Ok(Self { url: settings.issuer.clone(), web, known: Mutex::default() })
    }

    /// The way to it.
    pub(super) fn web(&self) -> &Web {
        &self.web
    }

    /// Its metadata.
    ///
    /// # Errors
    /// [`Fault::Unavailable`].
    pub(super) async fn metadata(&self, need: Need<'_>, now: Timestamp) -> Outcome<Arc<Metadata>> {
        let mut known = self.known.lock().await;
        if let Some(Known { asked_at, answer }) = &*known {
            let age = now - *asked_at;
            match (answer, need) {
                (Ok(metadata), Need::Any) if age < LIFETIME => return Ok(Arc::clone(metadata)),
                (Ok(metadata), Need::NewerThan(old)) if !Arc::ptr_eq(metadata, old) || age < KEY_PAUSE => {
                    return Ok(Arc::clone(metadata));
                }
                (Err(reason), _) if age < FAILURE_PAUSE => return Err(Fault::Unavailable(reason.clone())),
                (Ok(_) | Err(_), Need::Any | Need::NewerThan(_)) => {}
            }
        }
        let answer = self.discover().await.map(Arc::new);
        *known = Some(Known { asked_at: now, answer: answer.clone() });
        answer.map_err(Fault::Unavailable)
    }

    async fn discover(&self) -> Result<Metadata, String> {
        let metadata = Metadata::discover_async(self.url.clone(), &self.web).await.map_err(explain)?;
        if metadata.token_endpoint().is_none() {
            return Err("it has no token endpoint".to_owned());
        }
        Ok(metadata)
    }
}

/// Without what the issuer sent, which may be anything.
#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is open")]
fn explain(error: DiscoveryError<WebError>) -> String {
    match error {
        DiscoveryError::Request(error) => error.to_string(),
        DiscoveryError::Parse(error) => format!("what it publishes does not parse at {}", error.path()),
        DiscoveryError::Response(status, ..) => format!("answers {status}"),
        DiscoveryError::UrlParse(error) => error.to_string(),
        DiscoveryError::Validation(_) => "what it publishes is another issuer's".to_owned(),
        other => other.to_string(),
    }
}
