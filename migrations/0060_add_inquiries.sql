-- What one replica asks of a gateway whose stream another one holds. It is asked, answered and gone within seconds: unlogged,
-- as after a crash nobody waits for an answer any more.
CREATE UNLOGGED TABLE inquiries (
    id           uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL,
    appliance_id uuid NOT NULL,
    -- Who held the gateway's stream when it was asked.
    replica_id   uuid NOT NULL,
    question     bytea NOT NULL CHECK (octet_length(question) <= 4096),
    asked_at     timestamptz NOT NULL DEFAULT now(),
    -- Whether that replica has begun to answer.
    taken        boolean NOT NULL DEFAULT false,
    answer       bytea CHECK (octet_length(answer) <= 4194304),
    FOREIGN KEY (tenant_id, appliance_id) REFERENCES objects (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX inquiries_waiting ON inquiries (replica_id, asked_at) WHERE NOT taken;
CREATE INDEX inquiries_appliance ON inquiries (tenant_id, appliance_id);
CREATE INDEX inquiries_asked ON inquiries (asked_at);
ALTER TABLE inquiries ENABLE ROW LEVEL SECURITY;
ALTER TABLE inquiries FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, DELETE ON inquiries TO pinhole_app;
GRANT SELECT, UPDATE, DELETE ON inquiries TO pinhole_system;
CREATE POLICY inquiries_tenant ON inquiries TO pinhole_app
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY inquiries_system ON inquiries TO pinhole_system USING (true) WITH CHECK (true);

-- That somebody has a gateway end something changes no row. It is written down before the gateway is asked, so that nothing
-- ends without an entry.
CREATE FUNCTION audit_kill(appliance uuid, action text, target text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    object objects;
BEGIN
    IF action NOT IN ('kill_session', 'close_pinhole') THEN
        RAISE EXCEPTION 'no such action' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT o.* INTO object FROM objects o
        WHERE o.id = appliance AND o.kind = 'appliance' AND o.tenant_id = current_tenant();
    IF object.id IS NULL THEN
        RAISE EXCEPTION 'no such appliance' USING ERRCODE = 'no_data_found';
    END IF;
    PERFORM audit_append(object.tenant_id, nullif(current_setting('pinhole.actor', true), '')::jsonb, action,
                         'appliance', object.id, object.name, NULL, jsonb_build_object('target', target));
END
$$;
REVOKE EXECUTE ON FUNCTION audit_kill FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_kill TO pinhole_app;
