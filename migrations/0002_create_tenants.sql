CREATE TABLE tenants (
    id          uuid PRIMARY KEY,
    -- The provider of an enterprise; NULL for the provider itself.
    parent_id   uuid REFERENCES tenants (id),
    name        text NOT NULL,
    name_key    text NOT NULL GENERATED ALWAYS AS (lower(name)) STORED,
    description text NOT NULL DEFAULT '',
    version     bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at  timestamptz NOT NULL,
    created_by  jsonb,
    updated_at  timestamptz NOT NULL,
    updated_by  jsonb,
    CONSTRAINT tenants_name_taken UNIQUE (name_key)
);

-- One provider per installation.
CREATE UNIQUE INDEX tenants_one_provider ON tenants ((parent_id IS NULL)) WHERE parent_id IS NULL;
CREATE INDEX tenants_parent ON tenants (parent_id, name_key);

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants TO pinhole_app;
GRANT SELECT, INSERT ON tenants TO pinhole_system;
CREATE POLICY tenants_see ON tenants FOR SELECT TO pinhole_app
    USING (id = home_tenant() OR parent_id = home_tenant());
CREATE POLICY tenants_insert ON tenants FOR INSERT TO pinhole_app WITH CHECK (parent_id = home_tenant());
CREATE POLICY tenants_update ON tenants FOR UPDATE TO pinhole_app
    USING (id = home_tenant() OR parent_id = home_tenant())
    WITH CHECK (id = home_tenant() OR parent_id = home_tenant());
CREATE POLICY tenants_delete ON tenants FOR DELETE TO pinhole_app USING (parent_id = home_tenant());
CREATE POLICY tenants_system ON tenants TO pinhole_system USING (true) WITH CHECK (true);

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    tenant_id     uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    username      text NOT NULL,
    -- Unique in the whole installation: sign-in names no tenant.
    username_key  text NOT NULL GENERATED ALWAYS AS (lower(username)) STORED,
    email         text,
    role          text NOT NULL CHECK (role IN ('service_provider_administrator', 'service_provider_operator',
                                                'enterprise_administrator', 'enterprise_operator')),
    -- PHC string, argon2id.
    password_hash text NOT NULL,
    version       bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at    timestamptz NOT NULL,
    created_by    jsonb,
    updated_at    timestamptz NOT NULL,
    updated_by    jsonb,
    CONSTRAINT users_name_taken UNIQUE (username_key)
);
CREATE INDEX users_tenant ON users (tenant_id, username_key);

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON users TO pinhole_app;
GRANT SELECT, INSERT, UPDATE ON users TO pinhole_system;
CREATE POLICY users_tenant ON users TO pinhole_app
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY users_system ON users TO pinhole_system USING (true) WITH CHECK (true);
