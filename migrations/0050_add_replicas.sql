-- A replica promises to be there for a while with one row, however many gateways it holds; before, it wrote that to the
-- row of each.
CREATE TABLE replicas (
    -- New at each start of the program.
    id          uuid PRIMARY KEY,
    -- Until when it has promised to be there. After that any other may say that its gateways are gone.
    lease_until timestamptz NOT NULL
);
ALTER TABLE replicas ENABLE ROW LEVEL SECURITY;
ALTER TABLE replicas FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON replicas TO pinhole_system;
GRANT SELECT ON replicas TO pinhole_app;
CREATE POLICY replicas_system ON replicas TO pinhole_system USING (true) WITH CHECK (true);
-- Whether a gateway is connected is its tenant's to know, and needs whether the replica is there.
CREATE POLICY replicas_app ON replicas FOR SELECT TO pinhole_app USING (true);

ALTER TABLE appliance_states
    DROP COLUMN lease_until,
    -- Who holds the stream.
    ADD COLUMN replica_id uuid,
    -- The transaction that last changed what concerns whoever holds the stream: what the appliance is to run, or that the
    -- gateway has opened a newer stream. A replica reads on from the oldest transaction that was under way when it
    -- last read, and so misses none however late one commits.
    ADD COLUMN changed_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
    -- Room for new versions of rows beside the old ones, as most of what is written is in no index.
    SET (fillfactor = 70);
CREATE INDEX appliance_states_connected ON appliance_states (replica_id) WHERE connected;
CREATE INDEX appliance_states_changed ON appliance_states (changed_by);

-- The same for the statuses of a publication, for whoever watches it.
ALTER TABLE publication_appliances ADD COLUMN changed_by xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX publication_appliances_changed ON publication_appliances (publication_id, changed_by);
