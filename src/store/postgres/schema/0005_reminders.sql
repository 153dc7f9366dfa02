-- What an item belongs to, and since when it may be forgotten, which for those that are there already is
-- when they were deleted.
ALTER TABLE item
    ADD COLUMN belongs_to bytea,
    ADD COLUMN over bigint;
UPDATE item SET over = gone WHERE gone IS NOT NULL;
DROP INDEX item_gone;
CREATE INDEX item_over ON item (over, id) WHERE over IS NOT NULL;
CREATE INDEX item_attached ON item (belongs_to, created, id)
    WHERE gone IS NULL AND belongs_to IS NOT NULL;
