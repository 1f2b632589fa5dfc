-- The provider's object that an object was copied from, also when that is gone: a copy that is made again finds its object by it.
ALTER TABLE objects ADD COLUMN source_id uuid;
CREATE UNIQUE INDEX objects_source ON objects (tenant_id, source_id) WHERE source_id IS NOT NULL;
