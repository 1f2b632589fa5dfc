-- Two database roles besides the owner of the tables (the user of DATABASE_URL, who runs the migrations).
--
--   pinhole_app     every request: sees one tenant at a time, through row-level security
--   pinhole_system  sign-in, gateway authentication, the push reconciler and first start: across tenants,
--                   and only in the tables granted to it
--
-- Roles belong to the cluster, so another database of the same cluster may have made them already. A
-- DATABASE_URL user without CREATEROLE works too when an administrator has created both roles (NOLOGIN) and
-- granted them to that user.
DO $$
DECLARE
    wanted text;
    usable boolean;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['pinhole_app', 'pinhole_system'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- a migration in another database was faster
            END;
        END IF;
        -- Since PostgreSQL 16 the creator of a role may administer it but not SET ROLE to it.
        IF current_setting('server_version_num')::int >= 160000 THEN
            EXECUTE format('SELECT pg_has_role(current_user, %L, ''SET'')', wanted) INTO usable;
        ELSE
            usable := pg_has_role(current_user, wanted, 'MEMBER');
        END IF;
        IF NOT usable THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', wanted);
        EXECUTE format('GRANT SELECT ON _sqlx_migrations TO %I', wanted);
    END LOOP;
END
$$;

-- The tenant that the transaction acts on. NULL, and so no row at all, when the transaction did not say.
CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('pinhole.tenant_id', true), '')::uuid;

-- The tenant that the signed-in user belongs to.
CREATE FUNCTION home_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('pinhole.home_tenant_id', true), '')::uuid;
