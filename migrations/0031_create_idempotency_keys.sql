-- What a request with an Idempotency-Key was answered with, for a day.
CREATE TABLE idempotency_keys (
    -- The tenant that the caller belongs to.
    tenant_id    uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    user_id      uuid NOT NULL,
    key          text NOT NULL,
    -- SHA-256 of method, path, query and body.
    request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
    claimed_at   timestamptz NOT NULL,
    -- NULL while the request is under way.
    status       smallint,
    -- {"<name>": "<value>"}
    headers      jsonb,
    -- NULL when the answer was a secret, or too long to be kept.
    body         bytea,
    PRIMARY KEY (tenant_id, user_id, key)
);

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO pinhole_app;
CREATE POLICY idempotency_keys_tenant ON idempotency_keys TO pinhole_app
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
