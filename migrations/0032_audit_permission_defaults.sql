-- What becomes of an enterprise stands in its provider's chain. Its permission defaults are its own administrators' to know as well.
CREATE FUNCTION audit_defaults() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM audit_append(
        NEW.id, nullif(current_setting('pinhole.actor', true), '')::jsonb, 'change_permission_defaults', 'tenant', NEW.id,
        NEW.name,
        jsonb_build_object('own_defaults', OLD.own_defaults, 'enterprise_defaults', OLD.enterprise_defaults),
        jsonb_build_object('own_defaults', NEW.own_defaults, 'enterprise_defaults', NEW.enterprise_defaults));
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION audit_defaults FROM PUBLIC;

CREATE CONSTRAINT TRIGGER audit_defaults AFTER UPDATE ON tenants DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW
    WHEN (NEW.parent_id IS NOT NULL
          AND (OLD.own_defaults <> NEW.own_defaults OR OLD.enterprise_defaults <> NEW.enterprise_defaults))
    EXECUTE FUNCTION audit_defaults();
