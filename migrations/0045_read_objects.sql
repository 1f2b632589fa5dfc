-- Who calls, and on which tenant: what `enter_tenant` answers. Without a role there is no such caller, without a tenant none that the
-- caller can see.
CREATE TYPE entered AS (username text, role text, tenant tenants);

-- Has the transaction see the rows of a tenant, if a caller may act on it, and tells the caller and the tenant as they are now: a
-- sign-in that has ended, a user who is disabled and a tenant that is suspended count at once. The tenant is named by id or by key.
-- Row-level security decides what the caller's own tenant sees; the rights are the caller's role's, which owns nothing.
CREATE FUNCTION enter_tenant(home uuid, caller uuid, sign_in uuid, moment timestamptz, wanted uuid, wanted_key text)
    RETURNS entered LANGUAGE plpgsql AS $$
DECLARE
    it entered;
    visible text;
BEGIN
    visible := set_config('pinhole.home_tenant_id', home::text, true);
    visible := set_config('pinhole.tenant_id', home::text, true);
    SELECT u.username, u.role, t INTO it.username, it.role, it.tenant
    FROM users u
    JOIN tenants t ON t.id = u.tenant_id
    JOIN sessions s ON s.user_id = u.id
    WHERE u.id = caller AND u.disabled_at IS NULL AND t.suspended_at IS NULL
      AND s.id = sign_in AND s.revoked_at IS NULL AND s.expires_at > moment;
    IF NOT FOUND OR wanted = home OR wanted_key = (it.tenant).name_key THEN
        RETURN it;
    END IF;
    -- Two statements, each with the one index that serves it.
    IF wanted IS NOT NULL THEN
        SELECT t INTO it.tenant FROM tenants t WHERE t.id = wanted;
    ELSE
        SELECT t INTO it.tenant FROM tenants t WHERE t.name_key = wanted_key;
    END IF;
    visible := set_config('pinhole.tenant_id', coalesce((it.tenant).id, home)::text, true);
    RETURN it;
END
$$;

-- A row of what `read_object` answers. `part` says what it tells of:
--   caller     the caller and the tenant; always there when there is such a caller, and first
--   object     the object
--   reference  an object that it refers to
--   use        an object that refers to it, by kind, id and name alone
--   first_use  the same, when there are many: the first by kind and name, and how many there are
-- The columns of what the caller may not see are NULL.
CREATE TYPE reading AS (
    part text, role text, defaults jsonb, tenant_id uuid, parent_id uuid, own_defaults jsonb, enterprise_defaults jsonb,
    id uuid, kind text, name text, description text, tags text[], spec jsonb, permissions jsonb, version bigint,
    created_at timestamptz, created_by jsonb, updated_at timestamptz, updated_by jsonb, total bigint);

-- Everything that a GET of an object needs, in one statement: the caller, the tenant, the object, what it refers to and who refers to
-- it. `built_in` is what roles may do where no tenant says otherwise, {"<role>": {"<kind>": "<permission>"}}; what it comes to for the
-- caller is answered in `defaults`, so that whoever decides such things can hold it against its own judgement.
CREATE FUNCTION read_object(
    home uuid, caller uuid, sign_in uuid, moment timestamptz, wanted uuid, wanted_key text,
    of_kind text, of_id uuid, of_key text, built_in jsonb, most_uses bigint
) RETURNS SETOF reading LANGUAGE plpgsql ROWS 4 AS $$
DECLARE
    who entered := enter_tenant(home, caller, sign_in, moment, wanted, wanted_key);
    its_role text := who.role;
    tenant uuid := (who.tenant).id;
    inherited jsonb := built_in -> its_role;
    told bigint;
BEGIN
    IF its_role IS NULL THEN
        RETURN;
    END IF;
    IF (who.tenant).own_defaults <> '{}' OR (who.tenant).enterprise_defaults <> '{}' THEN
        SELECT jsonb_object_agg(k.kind, coalesce(
            (who.tenant).own_defaults -> k.kind ->> its_role,
            CASE WHEN (who.tenant).parent_id IS NOT NULL THEN (who.tenant).enterprise_defaults -> k.kind ->> its_role END,
            k.permission))
        INTO inherited FROM jsonb_each_text(inherited) k (kind, permission);
    END IF;
    RETURN NEXT ROW('caller', its_role, inherited, tenant, (who.tenant).parent_id, (who.tenant).own_defaults,
                    (who.tenant).enterprise_defaults, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                    NULL)::reading;
    IF tenant IS NULL THEN
        RETURN;
    END IF;
    IF of_id IS NULL THEN
        SELECT o.id INTO of_id FROM objects o WHERE o.tenant_id = tenant AND o.kind = of_kind AND o.name_key = of_key;
    END IF;
    RETURN QUERY
        SELECT place.part, NULL, NULL::jsonb, NULL::uuid, NULL::uuid, NULL::jsonb, NULL::jsonb,
               o.id, o.kind, o.name, o.description, o.tags, o.spec, o.permissions, o.version,
               o.created_at, o.created_by, o.updated_at, o.updated_by, NULL::bigint
        FROM (SELECT 'object' AS part, of_id AS id
              UNION ALL
              SELECT 'reference', l.to_id FROM object_links l WHERE l.from_id = of_id
              UNION ALL
              (SELECT 'use', l.from_id FROM object_links l WHERE l.tenant_id = tenant AND l.to_id = of_id LIMIT most_uses + 1)
             ) place
        -- By id, one at a time, whatever statistics there are.
        LEFT JOIN LATERAL (
            SELECT t.* FROM objects t
            WHERE t.tenant_id = tenant AND t.id = place.id AND (t.kind = of_kind OR place.part <> 'object')
              AND coalesce(t.permissions ->> its_role, inherited ->> t.kind) <> 'hide'
            LIMIT 1) o ON true;
    GET DIAGNOSTICS told = ROW_COUNT;
    IF told > most_uses THEN
        RETURN QUERY
            SELECT 'first_use', NULL, NULL::jsonb, NULL::uuid, NULL::uuid, NULL::jsonb, NULL::jsonb,
                   o.id, o.kind, o.name, NULL, NULL::text[], NULL::jsonb, NULL::jsonb, NULL::bigint,
                   NULL::timestamptz, NULL::jsonb, NULL::timestamptz, NULL::jsonb, count(*) OVER ()
            FROM objects o
            WHERE o.tenant_id = tenant
              AND o.id IN (SELECT l.from_id FROM object_links l WHERE l.tenant_id = tenant AND l.to_id = of_id)
              AND coalesce(o.permissions ->> its_role, inherited ->> o.kind) <> 'hide'
            ORDER BY o.kind COLLATE "C", o.name_key COLLATE "C" LIMIT most_uses;
    END IF;
END
$$;

REVOKE EXECUTE ON FUNCTION enter_tenant, read_object FROM PUBLIC;
GRANT EXECUTE ON FUNCTION enter_tenant, read_object TO pinhole_app;
