-- What roles may do with objects on which nothing is set: {"<kind>": {"<role>": "edit" | "read" | "hide"}}. What is absent is as the
-- provider says for all its enterprises, and otherwise as built in.
ALTER TABLE tenants
    -- What the tenant says for itself.
    ADD COLUMN own_defaults jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(own_defaults) = 'object'),
    -- What the provider says for its enterprises: kept on each of them as well, since an enterprise does not see the provider's row.
    ADD COLUMN enterprise_defaults jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(enterprise_defaults) = 'object'),
    ADD COLUMN defaults_version bigint NOT NULL DEFAULT 1 CHECK (defaults_version > 0);

-- An object's editors may no longer hang on defaults alone once an administrator's permission is set on it: whoever inherits edit there
-- is written down.
UPDATE objects o
SET permissions = (SELECT o.permissions || coalesce(jsonb_object_agg(role, 'edit'), '{}')
                   FROM unnest(ARRAY['service_provider_administrator', 'enterprise_administrator']) role
                   WHERE NOT o.permissions ? role)
WHERE (o.permissions ? 'service_provider_administrator' OR o.permissions ? 'enterprise_administrator')
  AND NOT jsonb_path_exists(o.permissions, '$.* ? (@ == "edit")');
