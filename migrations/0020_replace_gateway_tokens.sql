-- Gateways attach with client certificates of the installation's own authority, which they get for a join token.
-- The bearer tokens that they attached with before are over: each gateway has to be enrolled once.
DROP TABLE gateway_tokens;

-- Who signs the certificates of gateways and controllers: the newest one.
CREATE TABLE authorities (
    -- SHA-256 of the certificate.
    fingerprint bytea PRIMARY KEY CHECK (octet_length(fingerprint) = 32),
    -- X.509, DER.
    certificate bytea NOT NULL,
    -- PKCS #8, sealed with the installation's secret key.
    private     bytea NOT NULL,
    created_at  timestamptz NOT NULL
);

ALTER TABLE authorities ENABLE ROW LEVEL SECURITY;
ALTER TABLE authorities FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON authorities TO pinhole_system;
CREATE POLICY authorities_system ON authorities TO pinhole_system USING (true) WITH CHECK (true);

-- One-time tokens that give a gateway its first certificate, by hash.
CREATE TABLE join_tokens (
    -- SHA-256 of the token.
    token_hash   bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    tenant_id    uuid NOT NULL,
    appliance_id uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    created_by   jsonb,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz,
    -- SHA-256 of the public key that it was used for: with that, and no other, it may be used again.
    key_hash     bytea CHECK (octet_length(key_hash) = 32),
    FOREIGN KEY (tenant_id, appliance_id) REFERENCES objects (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX join_tokens_appliance ON join_tokens (appliance_id);

-- Client certificates of gateways that are good. One that is revoked is removed.
CREATE TABLE gateway_certificates (
    id           uuid PRIMARY KEY,
    -- SHA-256 of the certificate.
    fingerprint  bytea NOT NULL UNIQUE CHECK (octet_length(fingerprint) = 32),
    tenant_id    uuid NOT NULL,
    appliance_id uuid NOT NULL,
    issued_at    timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, appliance_id) REFERENCES objects (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX gateway_certificates_appliance ON gateway_certificates (appliance_id, issued_at);

DO $$
DECLARE
    relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['join_tokens', 'gateway_certificates'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', relation);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', relation);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO pinhole_system', relation);
        EXECUTE format('CREATE POLICY %I ON %I TO pinhole_app USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', relation || '_tenant', relation);
        EXECUTE format('CREATE POLICY %I ON %I TO pinhole_system USING (true) WITH CHECK (true)',
                       relation || '_system', relation);
    END LOOP;
END
$$;

-- A request of an administrator makes and removes tokens, and removes certificates; it never makes one.
GRANT SELECT, INSERT, DELETE ON join_tokens TO pinhole_app;
GRANT SELECT, DELETE ON gateway_certificates TO pinhole_app;

-- Signing keys are sealed with the installation's secret key from now on. Those that were not are over: clients get
-- tokens of the new one with their refresh tokens.
ALTER TABLE signing_keys NO FORCE ROW LEVEL SECURITY;
DELETE FROM signing_keys;
ALTER TABLE signing_keys FORCE ROW LEVEL SECURITY;
COMMENT ON COLUMN signing_keys.private IS 'PKCS #8, sealed with the installation''s secret key';
