-- The control stream that an appliance's gateway holds open to one of the replicas.
ALTER TABLE appliance_states
    -- The newest one, NULL when it has ended. Whoever writes the state of a stream writes only while this is still its id, so a replica
    -- that has not noticed yet that its gateway went elsewhere overwrites nothing.
    ADD COLUMN stream_id uuid,
    -- Until when the replica that holds it has promised to be there. After that any other may say it is gone.
    ADD COLUMN lease_until timestamptz,
    -- The desired_version that this instance of the gateway refused; it is not sent to it again.
    ADD COLUMN rejected_version bigint;
CREATE INDEX appliance_states_lease ON appliance_states (lease_until) WHERE connected;

-- What publications still wait for: few, while the history grows.
CREATE INDEX publication_appliances_open ON publication_appliances (appliance_id)
    WHERE status IN ('pending', 'unreachable');
