-- People whom an outside issuer vouches for: users without a password, known by issuer and subject.
ALTER TABLE users
    ADD COLUMN identity_issuer text,
    ADD COLUMN identity_subject text,
    ADD CONSTRAINT users_identity CHECK ((identity_issuer IS NULL) = (identity_subject IS NULL)),
    DROP CONSTRAINT users_credential,
    ADD CONSTRAINT users_credential CHECK (CASE kind
        WHEN 'service_account' THEN
            secret_hash IS NOT NULL AND password_hash IS NULL AND invitation_hash IS NULL AND identity_subject IS NULL
        ELSE secret_hash IS NULL AND num_nonnulls(password_hash, invitation_hash, identity_subject) = 1 END);
CREATE UNIQUE INDEX users_identity_taken ON users (identity_issuer, identity_subject)
    WHERE identity_subject IS NOT NULL;
-- Who turns up in another tenant is another user there.
GRANT DELETE ON users TO pinhole_system;

-- Sign-ins that an issuer sent back. A browser keeps its own until then, so nobody fills this by beginning many.
CREATE TABLE sign_in_attempts (
    id              bytea PRIMARY KEY CHECK (octet_length(id) = 16),
    -- When the attempt itself is over, so that its row may go and nobody can use it a second time.
    ends_at         timestamptz NOT NULL,
    -- The one-time code that the browser was given: SHA-256, whose verifier it takes (RFC 7636), until when, and
    -- whom it signs in.
    code_hash       bytea UNIQUE CHECK (octet_length(code_hash) = 32),
    challenge       bytea CHECK (octet_length(challenge) = 32),
    code_expires_at timestamptz,
    code_used_at    timestamptz,
    user_id         uuid REFERENCES users (id) ON DELETE CASCADE,
    CHECK (num_nulls(code_hash, challenge, code_expires_at, user_id) IN (0, 4))
);
CREATE INDEX sign_in_attempts_end ON sign_in_attempts (ends_at);
CREATE INDEX sign_in_attempts_user ON sign_in_attempts (user_id);

ALTER TABLE sign_in_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_attempts FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON sign_in_attempts TO pinhole_system;
CREATE POLICY sign_in_attempts_system ON sign_in_attempts TO pinhole_system USING (true) WITH CHECK (true);
