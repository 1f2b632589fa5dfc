//! How tokens and the caller look.

use serde::Serialize;
use utoipa::ToSchema;

use crate::access::actor::Actor;
use crate::app::auth::Tokens;
use crate::domain::role::Role;
use crate::domain::tenant::Tenant;
use crate::ids::{TenantId, UserId};
use crate::oidc::RelyingParty;

/// Where a sign-in with an outside issuer begins.
const START_PATH: &str = "/v1/auth/oidc/start";

/// A grant, as a form.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the schema of a form, which the handler reads field by field")]
pub(super) struct GrantInput {
    grant_type: GrantType,
    /// With `password`.
    #[schema(nullable = false)]
    username: Option<String>,
    /// With `password`.
    #[schema(nullable = false, format = Password)]
    password: Option<String>,
    /// With `refresh_token`.
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    /// With `client_credentials`.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// With `client_credentials`.
    #[schema(nullable = false, format = Password)]
    client_secret: Option<String>,
    /// With `authorization_code`: what `/v1/auth/oidc/callback` sent the browser on with.
    #[schema(nullable = false)]
    code: Option<String>,
    /// With `authorization_code`: whose SHA-256 was the `code_challenge` (RFC 7636).
    #[schema(nullable = false, min_length = 43, max_length = 128)]
    code_verifier: Option<String>,
}

/// What accepts an invitation.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the schema of a body")]
pub(super) struct InvitationAcceptance {
    /// The invitation, as the administrator was answered it.
    invitation: String,
    #[schema(min_length = 8, max_length = 128, format = Password)]
    password: String,
}

/// A change of one's own password.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the schema of a body")]
pub(super) struct PasswordChange {
    #[schema(format = Password)]
    current_password: String,
    #[schema(min_length = 8, max_length = 128, format = Password)]
    new_password: String,
}

/// The grants that there are.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "the schema of a form, which the handler reads field by field")]
pub(super) enum GrantType {
    Password,
    RefreshToken,
    ClientCredentials,
    AuthorizationCode,
}

/// The ways to sign in with an outside issuer: none, or one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignIns {
    #[schema(max_items = 1)]
    items: Vec<SignInView>,
}

/// A way to sign in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignIn)]
struct SignInView {
    #[schema(example = "https://login.example.com")]
    issuer: String,
    /// What people call it.
    #[schema(example = "Example Corp")]
    title: String,
    /// Where a browser is sent, with `code_challenge` and `code_challenge_method`.
    #[schema(example = "/v1/auth/oidc/start")]
    start: &'static str,
}

impl SignIns {
    /// The view of what there is.
    pub(super) fn new(party: Option<&RelyingParty>) -> Self {
        let view = |party: &RelyingParty| SignInView {
            issuer: party.issuer().to_owned(),
            title: party.title().to_owned(),
            start: START_PATH,
        };
        Self { items: party.into_iter().map(view).collect() }
    }
}

/// Tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tokens)]
pub(super) struct TokenView {
    /// A JWT, to be sent as `Authorization: Bearer ...`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: i64,
    /// Good for one refresh. Presenting it a second time ends the sign-in. A service account gets none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refresh_token: Option<String>,
}

impl TokenView {
    /// The tokens in the clear.
    pub(super) fn new(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access_token,
            token_type: "Bearer",
            expires_in: tokens.expires_in_s,
            refresh_token: tokens.refresh_token.map(|token| token.reveal().to_owned()),
        }
    }
}

/// The caller.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    id: UserId,
    username: String,
    tenant: TenantRef,
    role: Role,
    can_act_on: Reach,
}

/// A tenant by id and name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TenantReference)]
pub(super) struct TenantRef {
    id: TenantId,
    name: String,
}

/// The tenants that a user can act on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reach {
    /// The user's own.
    Own,
    /// The provider and every enterprise of it.
    AllEnterprises,
}

impl Me {
    /// The view of the caller.
    pub(super) fn new(actor: &Actor, home: &Tenant) -> Self {
        Self {
            id: actor.user,
            username: actor.username.clone(),
            tenant: TenantRef { id: home.id, name: home.draft.name.to_string() },
            role: actor.role,
            can_act_on: if actor.acts_on_enterprises() { Reach::AllEnterprises } else { Reach::Own },
        }
    }
}

/// A JSON Web Key Set.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the schema of what the library serializes")]
pub(super) struct KeySet {
    keys: Vec<serde_json::Map<String, serde_json::Value>>,
}
