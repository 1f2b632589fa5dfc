-- Users of a suspended enterprise cannot sign in, and what they signed in with does not count. Its gateways keep what they have.
ALTER TABLE tenants
    ADD COLUMN suspended_at timestamptz CHECK (suspended_at IS NULL OR parent_id IS NOT NULL);
