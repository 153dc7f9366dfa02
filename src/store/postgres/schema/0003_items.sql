-- What is kept beside events.
CREATE TABLE item (
    id bytea PRIMARY KEY,
    noun text NOT NULL,
    owner text COLLATE "C" NOT NULL,
    -- Who finds it besides its owner; NULL for nobody.
    shared text COLLATE "C",
    created bigint NOT NULL,
    version bigint NOT NULL,
    state smallint NOT NULL,
    at bigint,
    event bytea,
    category bytea,
    gone bigint,
    sealed bytea
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01);
CREATE INDEX item_owner ON item (noun, owner, created, id) WHERE gone IS NULL;
CREATE INDEX item_shared ON item (noun, shared, created, id) WHERE gone IS NULL AND shared IS NOT NULL;
CREATE INDEX item_gone ON item (gone, id) WHERE gone IS NOT NULL;
