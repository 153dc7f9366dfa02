-- When an entry begins, what it is filed under, what it was made for, and which occurrence of a series
-- it stands for. Of what is there already it is known that it begins between its making and its end.
ALTER TABLE event
    ADD COLUMN starts_at bigint,
    ADD COLUMN category bytea,
    ADD COLUMN source jsonb NOT NULL DEFAULT '"api"',
    ADD COLUMN instance jsonb;
UPDATE event SET starts_at = least(created, over_at);
ALTER TABLE event ALTER COLUMN starts_at SET NOT NULL, ALTER COLUMN source DROP DEFAULT;
