-- Who asked for what is wanted, and what happened so far. Of what is there already nobody knows.
ALTER TABLE event
    ADD COLUMN asked_by jsonb NOT NULL DEFAULT '"bridge"',
    ADD COLUMN history jsonb NOT NULL DEFAULT '[]';
ALTER TABLE event ALTER COLUMN asked_by DROP DEFAULT, ALTER COLUMN history DROP DEFAULT;

-- Lists: one owner's, and everybody's. An event's times stand in the index of its owner, so that no row
-- is read of what lies outside a range.
CREATE INDEX event_owner ON event (owner, created, id) INCLUDE (starts_at, over_at);
CREATE INDEX event_created ON event (created, id);
