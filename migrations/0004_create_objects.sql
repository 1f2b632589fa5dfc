-- What a tenant configures: services, ALG policies, profiles, appliances. What they have in common is a column;
-- what is a kind's own is in `spec`, which the application parses into the kind's type.
CREATE TABLE objects (
    id          uuid PRIMARY KEY,
    tenant_id   uuid NOT NULL REFERENCES tenants (id),
    kind        text NOT NULL CHECK (kind IN ('service', 'alg_policy', 'sub_profile', 'master_profile', 'appliance')),
    name        text NOT NULL,
    name_key    text NOT NULL GENERATED ALWAYS AS (lower(name)) STORED,
    description text NOT NULL,
    tags        text[] NOT NULL,
    spec        jsonb NOT NULL CHECK (jsonb_typeof(spec) = 'object'),
    -- {"<role>": "edit" | "read" | "hide"}: only what is set on this object; a role that is absent has its default.
    permissions jsonb NOT NULL CHECK (jsonb_typeof(permissions) = 'object'),
    version     bigint NOT NULL CHECK (version > 0),
    created_at  timestamptz NOT NULL,
    created_by  jsonb,
    updated_at  timestamptz NOT NULL,
    updated_by  jsonb,
    CONSTRAINT objects_name_taken UNIQUE (tenant_id, kind, name_key),
    CONSTRAINT objects_tenant_id UNIQUE (tenant_id, id)
);
CREATE INDEX objects_updated ON objects (tenant_id, kind, updated_at);
CREATE INDEX objects_tags ON objects USING gin (tags);

ALTER TABLE objects ENABLE ROW LEVEL SECURITY;
ALTER TABLE objects FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON objects TO pinhole_app;
GRANT SELECT, INSERT ON objects TO pinhole_system;
CREATE POLICY objects_tenant ON objects TO pinhole_app
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY objects_system ON objects TO pinhole_system USING (true) WITH CHECK (true);

-- Who refers to whom, kept with `spec` in the same transaction. An object that is referred to cannot be deleted,
-- and a reference cannot leave its tenant.
CREATE TABLE object_links (
    tenant_id uuid NOT NULL,
    from_id   uuid NOT NULL,
    -- Where in `from` the reference stands, for example "ftp" or "alg_policy".
    slot      text NOT NULL,
    to_id     uuid NOT NULL,
    PRIMARY KEY (from_id, slot, to_id),
    FOREIGN KEY (tenant_id, from_id) REFERENCES objects (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT object_links_in_use FOREIGN KEY (tenant_id, to_id) REFERENCES objects (tenant_id, id)
);
CREATE INDEX object_links_to ON object_links (tenant_id, to_id);

ALTER TABLE object_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE object_links FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON object_links TO pinhole_app;
GRANT SELECT, INSERT ON object_links TO pinhole_system;
CREATE POLICY object_links_tenant ON object_links TO pinhole_app
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY object_links_system ON object_links TO pinhole_system USING (true) WITH CHECK (true);

-- Every version that an object ever had, this one included.
CREATE TABLE object_versions (
    tenant_id   uuid NOT NULL,
    object_id   uuid NOT NULL,
    version     bigint NOT NULL,
    name        text NOT NULL,
    description text NOT NULL,
    tags        text[] NOT NULL,
    spec        jsonb NOT NULL,
    permissions jsonb NOT NULL,
    saved_at    timestamptz NOT NULL,
    saved_by    jsonb,
    PRIMARY KEY (object_id, version),
    FOREIGN KEY (tenant_id, object_id) REFERENCES objects (tenant_id, id) ON DELETE CASCADE
);

ALTER TABLE object_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE object_versions FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON object_versions TO pinhole_app, pinhole_system;
CREATE POLICY object_versions_tenant ON object_versions TO pinhole_app
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY object_versions_system ON object_versions TO pinhole_system USING (true) WITH CHECK (true);
