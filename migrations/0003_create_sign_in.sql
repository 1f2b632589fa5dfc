-- A sign-in: lives until it expires, is revoked, or its user is deleted.
CREATE TABLE sessions (
    id           uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_tenant ON sessions (tenant_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
GRANT SELECT, UPDATE, DELETE ON sessions TO pinhole_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO pinhole_system;
CREATE POLICY sessions_tenant ON sessions TO pinhole_app
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY sessions_system ON sessions TO pinhole_system USING (true) WITH CHECK (true);

-- Every refresh token of a session that was ever handed out, by hash: one that comes back used revokes the session.
CREATE TABLE refresh_tokens (
    -- SHA-256 of the token.
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    issued_at  timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

ALTER TABLE refresh_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE refresh_tokens FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON refresh_tokens TO pinhole_system;
CREATE POLICY refresh_tokens_system ON refresh_tokens TO pinhole_system USING (true) WITH CHECK (true);

-- Keys that sign access tokens. The newest one signs; all that are not retired verify.
CREATE TABLE signing_keys (
    -- RFC 7638 thumbprint of the public key.
    kid        text PRIMARY KEY,
    algorithm  text NOT NULL CHECK (algorithm = 'EdDSA'),
    -- PKCS #8, DER.
    private    bytea NOT NULL,
    created_at timestamptz NOT NULL,
    retired_at timestamptz
);

ALTER TABLE signing_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE signing_keys FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE ON signing_keys TO pinhole_system;
CREATE POLICY signing_keys_system ON signing_keys TO pinhole_system USING (true) WITH CHECK (true);
