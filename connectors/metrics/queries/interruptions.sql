-- What went wrong on the vendor's side and how it ended, and the turns that kept people waiting too long.

CREATE OR REPLACE VIEW interrupted_turns AS
SELECT
    t.session_id,                               -- the session, as its caller named it
    t.turn,                                     -- the LLM answer in the session, from 0
    t.started_at,                               -- when the turn was opened
    t.hour,                                     -- its UTC hour
    t.tenant,                                   -- the tenant; null if none was named
    t.vendor,                                   -- the vendor's gateway
    t.model,                                    -- the model; null if none was named
    coalesce(t.error_kind, 'none') AS kind,     -- the last interruption: disconnected, …; none: there was none
    t.outcome,                                  -- how the turn ended
    t.interruptions,                            -- drops, refusals and time-outs
    t.restarts,                                 -- attempts after the first
    t.tokens_repeated,                          -- tokens dropped as repetitions after a continuation
    f.turn IS NOT NULL AS fallback              -- a text of ours was shown
FROM turns AS t
LEFT JOIN (SELECT DISTINCT session_id, turn FROM messages WHERE fallback) AS f
    ON f.session_id = t.session_id AND f.turn = t.turn
WHERE t.interruptions > 0 OR t.outcome <> 'finished';
COMMENT ON VIEW interrupted_turns IS 'Turns that were interrupted or did not finish';

CREATE OR REPLACE VIEW interruptions_daily AS
SELECT
    utc_day(i.hour) AS day,                     -- UTC day on which the turns were opened
    i.tenant,                                   -- the tenant; null if none was named
    i.vendor,                                   -- the vendor's gateway
    i.kind,                                     -- the last interruption of the turn
    i.outcome,                                  -- how the turn ended
    count(*) AS turns,                          -- turns
    sum(i.interruptions)::BIGINT AS interruptions,          -- drops, refusals and time-outs in them
    sum(i.restarts)::BIGINT AS restarts,                    -- attempts after the first
    sum(i.tokens_repeated)::BIGINT AS tokens_repeated,      -- tokens dropped as repetitions
    count(*) FILTER (i.fallback) AS fallbacks               -- turns in which a text of ours was shown
FROM interrupted_turns AS i
GROUP BY ALL;
COMMENT ON VIEW interruptions_daily IS 'Interruptions and how they ended, per day, tenant, vendor and kind';

CREATE OR REPLACE MACRO interruptions(since := NULL, until := NULL, of_tenant := NULL) AS TABLE
SELECT
    i.kind,
    i.outcome,
    count(*) AS turns,
    sum(i.interruptions)::BIGINT AS interruptions,
    sum(i.restarts)::BIGINT AS restarts,
    sum(i.tokens_repeated)::BIGINT AS tokens_repeated,
    count(*) FILTER (i.fallback) AS fallbacks
FROM interrupted_turns AS i
WHERE (since IS NULL OR i.started_at >= since) AND (until IS NULL OR i.started_at < until)
    AND (of_tenant IS NULL OR i.tenant = of_tenant)
GROUP BY ALL
ORDER BY turns DESC, i.kind, i.outcome;
COMMENT ON MACRO TABLE interruptions IS 'Interruptions and how they ended; for a window of time and a tenant';

CREATE OR REPLACE VIEW turn_slos AS
SELECT
    f.session_id,                               -- the session, as its caller named it
    f.turn,                                     -- the LLM answer in the session, from 0
    f.started_at,                               -- when the turn was opened
    f.hour,                                     -- its UTC hour
    f.tenant,                                   -- the tenant; null if none was named
    f.vendor,                                   -- the vendor's gateway
    f.model,                                    -- the model; null if none was named
    s.measure,                                  -- first_token, first_sentence or on_desktop
    s.target_ms,                                -- the most that it may take, in milliseconds
    CASE s.measure WHEN 'first_token' THEN f.first_token_ms WHEN 'first_sentence' THEN f.first_sentence_ms
        ELSE f.on_desktop_ms END AS took_ms,    -- what it took, in milliseconds; null: it never came
    coalesce(took_ms > s.target_ms, true) AS breached   -- it took longer, or never came
FROM first_sentences AS f
CROSS JOIN slo AS s
WHERE CASE s.measure WHEN 'first_token' THEN f.first_token_ms WHEN 'first_sentence' THEN f.first_sentence_ms
        ELSE f.on_desktop_ms END IS NOT NULL
    OR (s.measure <> 'on_desktop' AND f.outcome NOT IN ('finished', 'cancelled'));
COMMENT ON VIEW turn_slos IS
    'Each turn against each target. What a failed turn never gave is a breach; what no desktop confirmed is not judged';

CREATE OR REPLACE VIEW slo_breaches AS
SELECT
    b.session_id,                               -- the session, as its caller named it
    b.turn,                                     -- the LLM answer in the session, from 0
    b.started_at,                               -- when the turn was opened
    b.tenant,                                   -- the tenant; null if none was named
    b.vendor,                                   -- the vendor's gateway
    b.model,                                    -- the model; null if none was named
    b.measure,                                  -- first_token, first_sentence or on_desktop
    b.target_ms,                                -- the most that it may take, in milliseconds
    b.took_ms                                   -- what it took, in milliseconds; null: it never came
FROM turn_slos AS b
WHERE b.breached;
COMMENT ON VIEW slo_breaches IS 'Every breach of a target: the turn, what it took and what it may take';

CREATE OR REPLACE VIEW slo_daily AS
SELECT
    utc_day(b.hour) AS day,                     -- UTC day on which the turns were opened
    b.tenant,                                   -- the tenant; null if none was named
    b.vendor,                                   -- the vendor's gateway
    b.measure,                                  -- first_token, first_sentence or on_desktop
    b.target_ms,                                -- the most that it may take, in milliseconds
    count(*) AS turns,                          -- turns that were judged
    count(*) FILTER (b.breached) AS breaches,   -- those of them that took longer, or in which it never came
    1 - count(*) FILTER (b.breached) / count(*) AS met  -- the share of turns that met the target
FROM turn_slos AS b
GROUP BY ALL;
COMMENT ON VIEW slo_daily IS 'How many turns met each target, per day, tenant and vendor';

CREATE OR REPLACE MACRO slo_met(since := NULL, until := NULL, of_tenant := NULL) AS TABLE
SELECT
    b.measure,
    b.target_ms,
    count(*) AS turns,
    count(*) FILTER (b.breached) AS breaches,
    1 - count(*) FILTER (b.breached) / count(*) AS met
FROM turn_slos AS b
WHERE (since IS NULL OR b.started_at >= since) AND (until IS NULL OR b.started_at < until)
    AND (of_tenant IS NULL OR b.tenant = of_tenant)
GROUP BY b.measure, b.target_ms
ORDER BY b.target_ms, b.measure;
COMMENT ON MACRO TABLE slo_met IS 'How many turns met each target; for a window of time and a tenant';
