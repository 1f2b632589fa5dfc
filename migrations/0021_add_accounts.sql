-- Service accounts are users of another kind: they have a secret in place of a password, and names of their tenant.
-- A user who was invited has no password yet; a disabled one keeps everything and can do nothing.
ALTER TABLE users
    ADD COLUMN kind text NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'service_account')),
    ADD COLUMN disabled_at timestamptz,
    -- SHA-256 of a service account's secret.
    ADD COLUMN secret_hash bytea CHECK (octet_length(secret_hash) = 32),
    -- SHA-256 of the token that an invited user chooses a password with.
    ADD COLUMN invitation_hash bytea UNIQUE CHECK (octet_length(invitation_hash) = 32),
    ADD COLUMN invitation_expires_at timestamptz,
    ALTER COLUMN password_hash DROP NOT NULL,
    ADD CONSTRAINT users_credential CHECK (CASE kind
        WHEN 'service_account' THEN secret_hash IS NOT NULL AND password_hash IS NULL AND invitation_hash IS NULL
        ELSE secret_hash IS NULL AND num_nonnulls(password_hash, invitation_hash) = 1 END),
    ADD CONSTRAINT users_invitation CHECK ((invitation_hash IS NULL) = (invitation_expires_at IS NULL)),
    DROP CONSTRAINT users_name_taken;
CREATE UNIQUE INDEX users_name_taken ON users (username_key) WHERE kind = 'person';
CREATE UNIQUE INDEX users_account_taken ON users (tenant_id, username_key) WHERE kind = 'service_account';
