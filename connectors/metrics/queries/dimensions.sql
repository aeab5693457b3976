-- What the facts are about: vendors, tenants, models. `prices` and `slo` are tables of the settings (dimensions.py);
-- script.py puts in the vendors.

CREATE OR REPLACE MACRO utc_day(moment) AS
    DATE '1970-01-01' + (epoch_us(moment) // 86400000000)::INTEGER;
COMMENT ON MACRO utc_day IS 'The UTC day of a moment, whatever time zone the session shows; fast over the column hour';

CREATE OR REPLACE MACRO percentiles(ms) AS
    quantile_cont(ms, [0.5, 0.95, 0.99]);
COMMENT ON MACRO percentiles IS 'p50, p95 and p99 of a duration, exact, as a list; null where there is none';

CREATE OR REPLACE VIEW vendors AS
SELECT
    v.vendor,                                   -- the name in every other table
    v.title,                                    -- the name that people know it by
    v.transport,                                -- what its answers come over
    v.continues                                 -- an interrupted answer can be continued where it broke
FROM (VALUES {vendors}) AS v(vendor, title, transport, continues);
COMMENT ON VIEW vendors IS 'The vendors whose gateways tokenweir speaks to';

CREATE OR REPLACE VIEW tenants AS
SELECT
    t.tenant,                                   -- the tenant; null for turns that named none
    min(t.started_at) AS first_turn_at,         -- when its first turn was opened
    max(t.started_at) AS last_turn_at,          -- when its newest turn was opened
    count(DISTINCT t.session_id) AS sessions,   -- sessions with at least one ended turn
    count(*) AS turns                           -- turns that ended
FROM turns AS t
GROUP BY t.tenant;
COMMENT ON VIEW tenants IS 'Every tenant that was ever measured';

CREATE OR REPLACE VIEW models AS
SELECT
    t.model,                                    -- the model; null for turns that named none
    min(t.started_at) AS first_turn_at,         -- when its first turn was opened
    max(t.started_at) AS last_turn_at,          -- when its newest turn was opened
    count(*) AS turns,                          -- turns that ended
    count(p.model) AS priced_turns              -- those of them that `prices` has a price for
FROM turns AS t
LEFT JOIN prices AS p
    ON p.model = t.model
    AND utc_day(t.hour) >= p.valid_from AND (p.valid_until IS NULL OR utc_day(t.hour) < p.valid_until)
GROUP BY t.model;
COMMENT ON VIEW models IS 'Every model that was ever measured, and whether it has a price';
