-- Whoever watches a publication does so for minutes. That a sign-in has ended is news for those who watch, so that they are
-- let go at once.
CREATE FUNCTION tell_of_ended_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('pinhole_publications', '');
    RETURN NULL;
END
$$;
CREATE TRIGGER sessions_end AFTER UPDATE OF revoked_at ON sessions
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_ended_sessions();
