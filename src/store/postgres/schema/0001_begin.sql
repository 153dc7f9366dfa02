-- Times are nanoseconds since 1970, so that none loses a digit; ids, digests and envelopes are their
-- bytes; the owner of what is the application's own is ''.

-- The store itself: a single row.
CREATE TABLE store (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    instance bytea NOT NULL,
    canary bytea,
    index_key bytea
);

CREATE TABLE event (
    id bytea PRIMARY KEY,
    owner text COLLATE "C" NOT NULL,
    connection bytea NOT NULL,
    calendar bigint NOT NULL,
    created bigint NOT NULL,
    job bytea NOT NULL,
    revision bigint NOT NULL,
    present boolean NOT NULL,
    fingerprint bytea NOT NULL,
    since bigint NOT NULL,
    over_at bigint NOT NULL,
    google_id bytea NOT NULL,
    generation bigint NOT NULL,
    applied bigint NOT NULL,
    copy jsonb NOT NULL,
    meet jsonb NOT NULL,
    version bigint NOT NULL,
    links bytea,
    touched xid8 NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01);
CREATE INDEX event_touched ON event (touched);
CREATE INDEX event_over ON event (over_at, id);
CREATE INDEX event_tombstone ON event (since, id) WHERE NOT present;

-- Apart from the event, so that the end of a run rewrites no content.
CREATE TABLE event_content (
    id bytea PRIMARY KEY,
    content bytea NOT NULL
);

CREATE TABLE request (
    key bytea PRIMARY KEY,
    body bytea NOT NULL,
    expires bigint NOT NULL,
    event bytea NOT NULL
);
CREATE INDEX request_expires ON request (expires, key);

CREATE SEQUENCE fence;

CREATE TABLE job (
    id bytea PRIMARY KEY,
    kind text NOT NULL,
    -- What the job is about, and once more if that is an event.
    thing bytea NOT NULL,
    event bytea,
    class smallint NOT NULL,
    owner text COLLATE "C" NOT NULL,
    -- '' for what only the leading node does.
    connection bytea NOT NULL,
    calendar bigint NOT NULL,
    created bigint NOT NULL,
    due bigint NOT NULL,
    spent bigint NOT NULL,
    tries bigint NOT NULL,
    failing_since bigint,
    state text NOT NULL,
    ended bigint,
    cause jsonb,
    -- The newest claim, while it is neither settled nor void.
    fence bigint,
    leased_until bigint
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE UNIQUE INDEX job_live ON job (kind, thing) WHERE state = 'live';
CREATE INDEX job_line ON job (connection, class, owner, calendar, due, id) WHERE state = 'live';
CREATE INDEX job_leased ON job (connection, event) WHERE fence IS NOT NULL;
CREATE INDEX job_ended ON job (state, ended, id) WHERE state <> 'live';

CREATE TABLE job_payload (
    job bytea PRIMARY KEY REFERENCES job ON DELETE CASCADE,
    payload bytea NOT NULL
);

-- How many jobs there are, kept by the trigger below. Each count is the sum of several rows, so that
-- transactions beside each other need not wait for one.
CREATE TABLE job_count (
    state text NOT NULL,
    slot integer NOT NULL,
    jobs bigint NOT NULL,
    PRIMARY KEY (state, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
CREATE TABLE owner_count (
    owner text COLLATE "C" NOT NULL,
    slot integer NOT NULL,
    live bigint NOT NULL,
    PRIMARY KEY (owner, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);

CREATE TABLE connection (
    id bytea PRIMARY KEY,
    owner text COLLATE "C" NOT NULL,
    account bytea NOT NULL,
    -- The OAuth client that the grant counts for; NULL where a service account acts.
    client bytea,
    state jsonb NOT NULL,
    version bigint NOT NULL,
    profile bytea NOT NULL,
    token bytea,
    linked bigint NOT NULL,
    touched xid8 NOT NULL
);
CREATE INDEX connection_owner ON connection (owner, linked, id);
CREATE INDEX connection_account ON connection (account, id);
CREATE INDEX connection_touched ON connection (touched);

-- Apart from the connection, whose versions it is no part of.
CREATE TABLE connection_refresh (
    connection bytea PRIMARY KEY,
    at bigint NOT NULL
);

CREATE TABLE api_key (
    id bytea PRIMARY KEY,
    name text NOT NULL,
    scopes jsonb NOT NULL,
    source text NOT NULL,
    secret bytea NOT NULL,
    created bigint NOT NULL,
    expires bigint,
    revoked bigint
);

CREATE TABLE ticket (
    kind smallint NOT NULL,
    digest bytea NOT NULL,
    created bigint NOT NULL,
    expires bigint NOT NULL,
    payload bytea,
    PRIMARY KEY (kind, digest)
);
CREATE INDEX ticket_expires ON ticket (expires, kind, digest);

-- Who did what: a chain that only grows.
CREATE TABLE audit (
    seq bigint PRIMARY KEY,
    at bigint NOT NULL,
    actor text NOT NULL,
    actor_id bytea,
    action text NOT NULL,
    subject text,
    subject_id bytea,
    "row" bytea,
    detail bytea,
    tag bytea NOT NULL,
    previous bytea NOT NULL,
    digest bytea NOT NULL
);

-- Its end: a single row. Whoever appends holds it, so that no number is left out or given twice.
CREATE TABLE audit_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq bigint NOT NULL DEFAULT 0,
    digest bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    frozen boolean NOT NULL DEFAULT false,
    frozen_by bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO audit_head DEFAULT VALUES;

-- What recurs, and when it does next.
CREATE TABLE period (
    name text PRIMARY KEY,
    next_at bigint NOT NULL
);

-- Calls to Google, by day.
CREATE TABLE tally (
    day date PRIMARY KEY,
    calls bigint NOT NULL
);

-- The processes on this store, and until when they are taken to live.
CREATE TABLE node (
    id bytea PRIMARY KEY,
    until bigint NOT NULL
);

-- Which node works for a connection. Who holds the connection '' leads.
CREATE TABLE holding (
    connection bytea PRIMARY KEY,
    node bytea
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);

-- Who looks for changes later must find those of transactions that ended meanwhile.
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.touched := pg_current_xact_id();
    RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON event FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON connection FOR EACH ROW EXECUTE FUNCTION touch();

CREATE FUNCTION count_up(states text[], owners text[], step integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO job_count
        SELECT state, pg_backend_pid() % 16, step * count(*)
            FROM unnest(states) state GROUP BY state ORDER BY state
        ON CONFLICT (state, slot) DO UPDATE SET jobs = job_count.jobs + excluded.jobs;
    INSERT INTO owner_count
        SELECT owner, pg_backend_pid() % 16, step * count(*)
            FROM unnest(states, owners) job (state, owner) WHERE state = 'live'
            GROUP BY owner ORDER BY owner
        ON CONFLICT (owner, slot) DO UPDATE SET live = owner_count.live + excluded.live;
$$;

CREATE FUNCTION count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM count_up(array_agg(state), array_agg(owner), 1) FROM after HAVING count(*) > 0;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM count_up(array_agg(state), array_agg(owner), -1) FROM before HAVING count(*) > 0;
    ELSE
        PERFORM count_up(array_agg(b.state), array_agg(b.owner), -1),
                count_up(array_agg(a.state), array_agg(a.owner), 1)
            FROM before b JOIN after a USING (id) WHERE a.state <> b.state HAVING count(*) > 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_in AFTER INSERT ON job REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION count_jobs();
CREATE TRIGGER count_out AFTER DELETE ON job REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION count_jobs();
CREATE TRIGGER count_over AFTER UPDATE ON job
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION count_jobs();

-- The lines of these connections that have live jobs: from one in the index to the next, so that
-- their jobs are not read.
CREATE FUNCTION lines_of(connections bytea[])
    RETURNS TABLE (connection bytea, class smallint, owner text, calendar bigint)
    LANGUAGE sql STABLE AS $$
    WITH RECURSIVE line AS (
        SELECT f.connection, f.class, f.owner, f.calendar
            FROM unnest(connections) c CROSS JOIN LATERAL (
                SELECT j.connection, j.class, j.owner, j.calendar FROM job j
                WHERE j.state = 'live' AND j.connection = c
                ORDER BY j.class, j.owner, j.calendar LIMIT 1) f
        UNION ALL
        SELECT n.connection, n.class, n.owner, n.calendar
            FROM line l CROSS JOIN LATERAL (
                SELECT j.connection, j.class, j.owner, j.calendar FROM job j
                WHERE j.state = 'live' AND j.connection = l.connection
                  AND (j.class, j.owner, j.calendar) > (l.class, l.owner, l.calendar)
                ORDER BY j.class, j.owner, j.calendar LIMIT 1) n)
    SELECT * FROM line
$$;
