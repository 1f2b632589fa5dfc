//! What is said with the issuer behind the browser's back: the code for tokens, and what those say.

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AdditionalClaims, AuthType, AuthorizationCode, ClaimsVerificationError, Client,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdToken, IdTokenFields,
    IdTokenVerifier, Nonce, PkceCodeVerifier, RedirectUrl, RequestTokenError, StandardErrorResponse,
    StandardTokenResponse, SubjectIdentifier, UserInfoClaims, UserInfoError,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::issuer::Metadata;
use super::settings::Settings;
use super::{CALLBACK_PATH, Fault, Outcome, RelyingParty, unacceptable};
use crate::access::grants::Claims;
use crate::clock::Timestamp;
use crate::error::SignInFailure;

/// How far the issuer's clock may be from ours.
const CLOCK_SKEW: chrono::Duration = chrono::Duration::seconds(60);
/// How old an ID token may be that was made for this sign-in just now.
const MAX_TOKEN_AGE: chrono::Duration = chrono::Duration::minutes(10);
/// Signatures by public keys. Never `none`, and no HMAC: its key would be the client secret, or a public key.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Claims beyond those that the library knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OtherClaims {
    #[serde(flatten)]
    all: Claims,
}

impl AdditionalClaims for OtherClaims {}

pub(super) type Fields = IdTokenFields<
    OtherClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
pub(super) type Token =
    IdToken<OtherClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
pub(super) type RelyingClient = Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What the token endpoint answers.
pub(super) type Answer = StandardTokenResponse<Fields, CoreTokenType>;

impl RelyingParty {
    pub(super) async fn exchange(
        &self,
        metadata: &Metadata,
        code: String,
        verifier: String,
    ) -> Outcome<Answer> {
        let client = self.client(metadata)?;
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| Fault::Unavailable("it has no token endpoint".to_owned()))?;
        let answer = request
            .set_pkce_verifier(PkceCodeVerifier::new(verifier))
            .request_async(self.0.issuer.web())
            .await;
        answer.map_err(|error| match error {
            RequestTokenError::Request(error) => error.into(),
            RequestTokenError::ServerResponse(refusal) => {
                Fault::Failed(SignInFailure::IssuerRefused, refusal.error().to_string())
            }
            // Without the answer, which may have tokens in it.
            RequestTokenError::Parse(error, _) => unacceptable(&format!("at {}", error.path())),
            RequestTokenError::Other(text) => unacceptable(&text),
        })
    }

    /// Checks an ID token as OpenID Connect Core section 3.1.3.7 has it, and answers all claims of it.
    pub(super) fn verify(
        &self,
        token: &Token,
        metadata: &Metadata,
        nonce: &Nonce,
        now: Timestamp,
    ) -> std::result::Result<Claims, ClaimsVerificationError> {
        let Settings { client_id, issuer, .. } = &self.0.settings;
        let verifier =
            IdTokenVerifier::new_public_client(client_id.clone(), issuer.clone(), metadata.jwks().clone())
                .set_allowed_algs(ALGORITHMS)
                .set_time_fn(move || now - CLOCK_SKEW)
                .set_issue_time_verifier_fn(move |issued| {
                    if (now - MAX_TOKEN_AGE..=now + CLOCK_SKEW).contains(&issued) {
                        Ok(())
                    } else {
                        Err("it was not made just now".to_owned())
                    }
                });
        let claims = token.claims(&verifier, nonce)?;
        // Steps 4 and 5, which the library leaves to its users. Of several audiences it has refused all but us.
        if claims.authorized_party().is_some_and(|party| party != client_id) {
            let text = "it was made for another party".to_owned();
            return Err(ClaimsVerificationError::InvalidAudience(text));
        }
        Ok(flat(claims))
    }

    pub(super) async fn user_info(
        &self,
        metadata: &Metadata,
        token: AccessToken,
        subject: &str,
    ) -> Outcome<Claims> {
        let client = self.client(metadata)?;
        let subject = SubjectIdentifier::new(subject.to_owned());
        let Ok(request) = client.user_info(token, Some(subject)) else {
            // There is no such endpoint.
            return Ok(Claims::new());
        };
        let answer: std::result::Result<UserInfoClaims<OtherClaims, CoreGenderClaim>, _> =
            request.request_async(self.0.issuer.web()).await;
        match answer {
            Ok(claims) => Ok(flat(&claims)),
            Err(UserInfoError::Request(error)) => Err(error.into()),
            Err(error) => Err(unacceptable(&format!("user info: {error}"))),
        }
    }

    pub(super) fn client(&self, metadata: &Metadata) -> Outcome<RelyingClient> {
        let Settings { client_id, client_secret, .. } = &self.0.settings;
        let redirect = RedirectUrl::new(format!("{}{CALLBACK_PATH}", self.0.origin));
        let redirect = redirect.map_err(|error| Fault::Unavailable(error.to_string()))?;
        let client =
            RelyingClient::from_provider_metadata(metadata.clone(), client_id.clone(), client_secret.clone());
        // RFC 8414 section 2: basic, where nothing is said.
        let methods = metadata.token_endpoint_auth_methods_supported();
        let basic = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let auth = if basic && client_secret.is_some() { AuthType::BasicAuth } else { AuthType::RequestBody };
        Ok(client.set_auth_type(auth).set_redirect_uri(redirect))
    }
}

/// All claims as the object that they were sent as.
fn flat(claims: &impl Serialize) -> Claims {
    match serde_json::to_value(claims) {
        Ok(Value::Object(claims)) => claims,
        Ok(_) | Err(_) => Claims::new(),
    }
}
