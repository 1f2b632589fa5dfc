-- Finds what contains a text by an index, which row-level security keeps pattern operators and arrays off: they might tell of rows that
-- are not to be seen.
--
-- The index has, of each object, every two and three characters that follow each other in what a search looks at, hashed together with
-- the tenant: looking for one tenant's text touches no entry of another's, whatever those have.
CREATE FUNCTION search_grams(tenant uuid, value text) RETURNS int[] LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10000
    RETURN (SELECT coalesce(array_agg(DISTINCT hashtext(tenant::text || gram)), '{}')
            FROM (SELECT unnest(ARRAY[c || lead(c) OVER w, c || lead(c) OVER w || lead(c, 2) OVER w]) AS gram
                  FROM unnest(string_to_array(value, NULL)) WITH ORDINALITY AS characters (c, place)
                  WINDOW w AS (ORDER BY place)) grams
            WHERE gram IS NOT NULL);

-- Written at once: a search would have to read through what is put off.
CREATE INDEX objects_grams ON objects USING gin (search_grams(tenant_id, search_key)) WITH (fastupdate = off);

-- The objects of some kinds, of the tenant that the transaction sees and no other, that contain a text in small letters. NULL when there
-- are more than `most`, or when the text is too short for the index: then it is no slower to look at all of them.
--
-- It runs as the owner of the tables, past row-level security, so that it may use the index. It takes no tenant, tells nothing but ids of
-- the transaction's own, and knows no roles: whoever calls it looks at those objects again, under row-level security, and leaves out
-- what is hidden.
CREATE FUNCTION search_candidates(kinds text[], needle text, most int) RETURNS uuid[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    tenant uuid := current_tenant();
    wanted int[] := search_grams(tenant, needle);
    found uuid[];
BEGIN
    IF tenant IS NULL OR wanted = '{}' THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(c.id) INTO found
    FROM (SELECT o.id
          -- OFFSET 0 has the index looked up first, and the rest only of what that finds.
          FROM (SELECT * FROM objects WHERE search_grams(tenant_id, search_key) @> wanted OFFSET 0) o
          WHERE o.tenant_id = tenant AND o.kind = ANY (kinds) AND strpos(o.search_key, needle) > 0
          LIMIT most + 1) c;
    RETURN CASE WHEN found IS NULL THEN '{}'::uuid[] WHEN cardinality(found) <= most THEN found END;
END
$$;

REVOKE EXECUTE ON FUNCTION search_candidates FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_candidates TO pinhole_app;
