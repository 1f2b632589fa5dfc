-- Sign-ins that failed lately, by what they have in common: an address, or an account as an address tried it. Never
-- an account alone, or anybody could keep its owner out.
CREATE TABLE login_failures (
    -- SHA-256 of what they have in common.
    key           bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    failures      bigint NOT NULL CHECK (failures > 0),
    last_at       timestamptz NOT NULL,
    -- Until when no other attempt is looked at.
    blocked_until timestamptz NOT NULL
);
CREATE INDEX login_failures_last ON login_failures (last_at);

ALTER TABLE login_failures ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_failures FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON login_failures TO pinhole_system;
CREATE POLICY login_failures_system ON login_failures TO pinhole_system USING (true) WITH CHECK (true);
