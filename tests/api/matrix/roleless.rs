//! What the matrix leaves out, and why.

/// Operations that no role is refused, because they need no role: signing in, and what is one's own. May only shrink.
pub(super) const WITHOUT_ROLES: [&str; 11] = [
    "post /v1/auth/token",
    "get /v1/auth/oidc",
    "get /v1/auth/oidc/start",
    "get /v1/auth/oidc/callback",
    "get /v1/auth/me",
    "post /v1/auth/invitations",
    "put /v1/auth/password",
    "get /.well-known/jwks.json",
    "get /v1/tenants",
    "get /healthz",
    "get /readyz",
];
