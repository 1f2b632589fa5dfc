-- Who did what, when, from where: append-only, one hash chain for each tenant.
--
-- Entries are written by triggers when the transaction that makes a change commits, so nothing in the program can
-- change something and forget to say so, and a chain is locked for no longer than a commit takes. Nobody may write
-- them by hand: pinhole_app and pinhole_system only read.
CREATE TABLE audit_entries (
    tenant_id   uuid NOT NULL,
    -- 1, 2, ... in the tenant's chain, without gaps.
    seq         bigint NOT NULL CHECK (seq > 0),
    id          uuid NOT NULL UNIQUE,
    at          timestamptz NOT NULL,
    -- {"id", "name", "role"}; NULL is the installation itself.
    actor       json,
    -- The address that the request came from; NULL when there was none.
    client      text,
    request_id  text,
    action      text NOT NULL,
    kind        text NOT NULL,
    object_id   uuid,
    object_name text,
    -- The row before and after, without secrets. As `json`, which keeps the text that was hashed to the byte.
    before      json,
    after       json,
    previous    bytea NOT NULL CHECK (octet_length(previous) = 32),
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX audit_entries_object ON audit_entries (tenant_id, object_id, seq);
CREATE INDEX audit_entries_at ON audit_entries (tenant_id, at);

-- The end of each chain.
CREATE TABLE audit_heads (
    tenant_id uuid PRIMARY KEY,
    seq       bigint NOT NULL,
    hash      bytea NOT NULL CHECK (octet_length(hash) = 32)
);

DO $$
DECLARE
    relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['audit_entries', 'audit_heads'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', relation);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', relation);
        EXECUTE format('GRANT SELECT ON %I TO pinhole_app, pinhole_system', relation);
        EXECUTE format('CREATE POLICY %I ON %I FOR SELECT TO pinhole_app USING (tenant_id = current_tenant())',
                       relation || '_tenant', relation);
        EXECUTE format('CREATE POLICY %I ON %I FOR SELECT TO pinhole_system USING (true)',
                       relation || '_system', relation);
        -- The owner, as whom the triggers write.
        EXECUTE format('CREATE POLICY %I ON %I TO CURRENT_USER USING (true) WITH CHECK (true)',
                       relation || '_owner', relation);
    END LOOP;
END
$$;

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are never changed' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_entries_stay BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_entries_stay_all BEFORE TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- One field of what is hashed: "<bytes>:<text>", and "-" for NULL, so that no two entries have the same text.
CREATE FUNCTION audit_field(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(octet_length(value)::text || ':' || value, '-');

-- Adds an entry to a tenant's chain.
CREATE FUNCTION audit_append(
    tenant uuid, actor jsonb, action text, kind text, object_id uuid, object_name text, before jsonb, after jsonb
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    origin text[] := string_to_array(nullif(current_setting('pinhole.origin', true), ''), ' ');
    client text := nullif(origin[1], '-');
    request_id text := nullif(origin[2], '-');
    moment timestamptz := clock_timestamp();
    -- UUID version 7, RFC 9562 section 5.7.
    entry uuid := encode(
        set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
            PLACING substring(int8send(floor(extract(epoch FROM moment) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
            52, 1), 53, 1), 'hex')::uuid;
    head audit_heads;
    digest bytea;
BEGIN
    -- Keeps others off this chain until the transaction ends.
    INSERT INTO audit_heads AS h (tenant_id, seq, hash) VALUES (tenant, 1, decode(repeat('00', 32), 'hex'))
        ON CONFLICT (tenant_id) DO UPDATE SET seq = h.seq + 1
        RETURNING h.* INTO head;
    digest := sha256(head.hash || convert_to(concat(
        audit_field(tenant::text), audit_field(head.seq::text), audit_field(entry::text),
        audit_field(to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')),
        audit_field(actor::text), audit_field(client), audit_field(request_id),
        audit_field(action), audit_field(kind), audit_field(object_id::text), audit_field(object_name),
        audit_field(before::text), audit_field(after::text)), 'UTF8'));
    INSERT INTO audit_entries (tenant_id, seq, id, at, actor, client, request_id, action, kind, object_id,
                               object_name, before, after, previous, hash)
        VALUES (tenant, head.seq, entry, moment, actor, client, request_id, action, kind, object_id,
                object_name, before, after, head.hash, digest);
    UPDATE audit_heads h SET hash = digest WHERE h.tenant_id = tenant;
END
$$;
REVOKE EXECUTE ON FUNCTION audit_append FROM PUBLIC;

-- A row without secrets: whether they were set or changed is all that is said of them. They are known by the names of
-- their columns, so a column that is added is left out rather than shown.
CREATE FUNCTION audit_redact(document jsonb, former jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE
    RETURN (SELECT jsonb_object_agg(key, CASE
                WHEN key !~ 'hash|password|secret|private|token' OR value = 'null' THEN value
                WHEN former IS NOT NULL AND former -> key IS DISTINCT FROM value THEN '"(changed)"'::jsonb
                ELSE '"(set)"'::jsonb END)
            FROM jsonb_each(document) WHERE key !~ '_key$');

-- The trigger of a table. Arguments: the kind of object that a row is (NULL: the row's own column `kind`), and what
-- adding and changing one is called.
CREATE FUNCTION audit_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    former jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    latter jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    subject jsonb := coalesce(latter, former);
    actor jsonb := nullif(current_setting('pinhole.actor', true), '')::jsonb;
    tenant uuid := subject ->> 'tenant_id';
    kind text := coalesce(nullif(TG_ARGV[0], 'null'), subject ->> 'kind');
    object_id uuid := subject ->> 'id';
    object_name text := coalesce(subject ->> 'name', subject ->> 'username');
    action text := CASE TG_OP WHEN 'INSERT' THEN TG_ARGV[1] WHEN 'UPDATE' THEN TG_ARGV[2] ELSE 'delete' END;
    before jsonb;
    after jsonb;
BEGIN
    before := CASE WHEN former IS NOT NULL THEN audit_redact(former, NULL) END;
    after := CASE WHEN latter IS NOT NULL THEN audit_redact(latter, former) END;
    CASE TG_TABLE_NAME
    WHEN 'tenants' THEN
        -- What becomes of an enterprise is its provider's to know.
        tenant := coalesce(subject ->> 'parent_id', subject ->> 'id');
    WHEN 'objects' THEN
        IF TG_OP = 'UPDATE' AND former -> 'permissions' <> latter -> 'permissions'
           AND former - '{permissions,version,updated_at,updated_by}'::text[]
             = latter - '{permissions,version,updated_at,updated_by}'::text[] THEN
            action := 'change_permissions';
        END IF;
    WHEN 'sessions' THEN
        SELECT u.username, jsonb_build_object('id', u.id, 'name', u.username, 'role', u.role)
            INTO object_name, before FROM users u WHERE u.id = (subject ->> 'user_id')::uuid;
        actor := coalesce(actor, before);
        before := CASE WHEN former IS NOT NULL THEN audit_redact(former, NULL) END;
    WHEN 'join_tokens', 'gateway_certificates' THEN
        object_id := subject ->> 'appliance_id';
        SELECT o.name INTO object_name FROM objects o WHERE o.id = object_id;
    WHEN 'publications' THEN
        after := after || (
            SELECT jsonb_build_object('total', count(*),
                                      'appliances', coalesce(jsonb_agg(d.appliance_id) FILTER (WHERE d.place <= 1000), '[]'))
            FROM (SELECT p.appliance_id, row_number() OVER (ORDER BY p.appliance_id) AS place
                  FROM publication_appliances p WHERE p.publication_id = (subject ->> 'id')::uuid) d);
    ELSE
        NULL;
    END CASE;
    PERFORM audit_append(tenant, actor, action, kind, object_id, object_name, before, after);
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION audit_change FROM PUBLIC;

-- The trigger reads these under their policies, which say nothing of the owner.
CREATE POLICY users_audit ON users FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY objects_audit ON objects FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY tenants_audit ON tenants FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY publication_appliances_audit ON publication_appliances FOR SELECT TO CURRENT_USER USING (true);

-- Has every change of a table's rows audited.
CREATE FUNCTION audit_table(relation regclass, kind text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON %s DEFERRABLE INITIALLY DEFERRED '
        'FOR EACH ROW EXECUTE FUNCTION audit_change(%L, ''create'', ''update'')', relation, coalesce(kind, 'null'));
END
$$;
REVOKE EXECUTE ON FUNCTION audit_table FROM PUBLIC;

SELECT audit_table('tenants', 'tenant');
SELECT audit_table('users', 'user');
SELECT audit_table('objects', NULL);

-- Of the rest, what people do: not what expires, and not how a publication fares.
CREATE CONSTRAINT TRIGGER audit AFTER INSERT ON sessions DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION audit_change('session', 'sign_in', 'sign_out');
CREATE CONSTRAINT TRIGGER audit_end AFTER UPDATE ON sessions DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL)
    EXECUTE FUNCTION audit_change('session', 'sign_in', 'sign_out');
CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR DELETE ON join_tokens DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION audit_change('join_token', 'issue', 'enrol');
CREATE CONSTRAINT TRIGGER audit_end AFTER UPDATE ON join_tokens DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.used_at IS NULL AND NEW.used_at IS NOT NULL)
    EXECUTE FUNCTION audit_change('join_token', 'issue', 'enrol');
CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR DELETE ON gateway_certificates DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION audit_change('certificate', 'issue', 'change');
CREATE CONSTRAINT TRIGGER audit AFTER INSERT ON publications DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION audit_change('publication', 'publish', 'cancel');
CREATE CONSTRAINT TRIGGER audit_end AFTER UPDATE ON publications DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.state <> 'cancelled' AND NEW.state = 'cancelled')
    EXECUTE FUNCTION audit_change('publication', 'publish', 'cancel');

-- A sign-in that failed: in the chain of the user's tenant, or in the provider's when there is no such user (the name
-- is not kept, as it may be a password in the wrong field). At most so many in an hour, so that guessing fills no disk.
CREATE FUNCTION audit_failed_sign_in(failed uuid, most_per_hour bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    tenant uuid;
    username text;
    recent bigint;
BEGIN
    SELECT u.tenant_id, u.username INTO tenant, username FROM users u WHERE u.id = failed;
    IF tenant IS NULL THEN
        -- Nobody's: all such are counted as one, else each made-up id could leave its own entries.
        failed := NULL;
        SELECT t.id INTO tenant FROM tenants t WHERE t.parent_id IS NULL;
    END IF;
    SELECT count(*) INTO recent FROM audit_entries e
        WHERE e.tenant_id = tenant AND e.at > clock_timestamp() - interval '1 hour'
          AND e.action = 'sign_in_failed' AND e.object_id IS NOT DISTINCT FROM failed;
    IF tenant IS NOT NULL AND recent < most_per_hour THEN
        PERFORM audit_append(tenant, NULL, 'sign_in_failed', 'user', failed, username, NULL, NULL);
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION audit_failed_sign_in FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_failed_sign_in TO pinhole_system;
