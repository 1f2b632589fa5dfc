-- A credential of the gateway program on an appliance, by hash.
CREATE TABLE gateway_tokens (
    id           uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL,
    appliance_id uuid NOT NULL,
    -- SHA-256 of the token.
    token_hash   bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    created_at   timestamptz NOT NULL,
    created_by   jsonb,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    FOREIGN KEY (tenant_id, appliance_id) REFERENCES objects (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX gateway_tokens_appliance ON gateway_tokens (appliance_id);

-- What an appliance is to run: compiled, immutable.
CREATE TABLE revisions (
    id           uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL,
    appliance_id uuid NOT NULL,
    -- The encoded pinhole.v1.GatewayConfig and its SHA-256.
    config       bytea NOT NULL,
    hash         bytea NOT NULL CHECK (octet_length(hash) = 32),
    created_at   timestamptz NOT NULL,
    created_by   jsonb,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, appliance_id) REFERENCES objects (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX revisions_appliance ON revisions (appliance_id, created_at);
CREATE INDEX revisions_hash ON revisions (appliance_id, hash);

-- What an appliance runs and should run.
CREATE TABLE appliance_states (
    appliance_id        uuid PRIMARY KEY,
    tenant_id           uuid NOT NULL,
    -- What it should run, and a number that grows with each publication to it.
    desired_revision_id uuid,
    desired_version     bigint NOT NULL DEFAULT 0,
    running_revision_id uuid,
    running_hash        bytea,
    connected           boolean NOT NULL DEFAULT false,
    last_seen_at        timestamptz,
    software_version    text,
    instance_id         text,
    last_error          text,
    FOREIGN KEY (tenant_id, appliance_id) REFERENCES objects (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, desired_revision_id) REFERENCES revisions (tenant_id, id)
);
CREATE INDEX appliance_states_tenant ON appliance_states (tenant_id);

CREATE TABLE publications (
    id          uuid PRIMARY KEY,
    tenant_id   uuid NOT NULL REFERENCES tenants (id),
    state       text NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled')),
    created_at  timestamptz NOT NULL,
    created_by  jsonb,
    finished_at timestamptz,
    UNIQUE (tenant_id, id)
);
CREATE INDEX publications_tenant ON publications (tenant_id, created_at);
CREATE INDEX publications_running ON publications (state) WHERE state = 'running';

CREATE TABLE publication_appliances (
    publication_id uuid NOT NULL,
    tenant_id      uuid NOT NULL,
    appliance_id   uuid NOT NULL,
    revision_id    uuid NOT NULL,
    -- The appliance's desired_version that this publication set.
    version        bigint NOT NULL,
    status         text NOT NULL CHECK (status IN ('pending', 'applied', 'rejected', 'unreachable')),
    reason         text,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (publication_id, appliance_id),
    FOREIGN KEY (tenant_id, publication_id) REFERENCES publications (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, appliance_id) REFERENCES objects (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, revision_id) REFERENCES revisions (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX publication_appliances_appliance ON publication_appliances (appliance_id, version);

DO $$
DECLARE
    relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['gateway_tokens', 'revisions', 'appliance_states', 'publications',
                                    'publication_appliances'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', relation);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', relation);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO pinhole_app, pinhole_system', relation);
        EXECUTE format('CREATE POLICY %I ON %I TO pinhole_app USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', relation || '_tenant', relation);
        EXECUTE format('CREATE POLICY %I ON %I TO pinhole_system USING (true) WITH CHECK (true)',
                       relation || '_system', relation);
    END LOOP;
END
$$;
