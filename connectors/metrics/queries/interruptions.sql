-- What went wrong on the vendor's side and how it ended, and the turns that kept people waiting too long.
-- An interruption is a row of `errors`, so that a turn with two shows both and sums over kinds are true. A turn that
-- did not finish although nothing went wrong (cancelled, say) stands beside them with the kind none.

CREATE OR REPLACE VIEW turn_errors AS
SELECT
    e.session_id,                               -- the session, as its caller named it
    e.turn,                                     -- the LLM answer in the session, from 0
    e.number,                                   -- the interruption in the turn, from 1; null where the kind is none
    e.occurred_at,                              -- when it happened; where the kind is none: when the turn was opened
    e.hour,                                     -- its UTC hour
    e.tenant,                                   -- the tenant; null if none was named
    e.vendor,                                   -- the vendor's gateway
    t.model,                                    -- the model; null if none was named, or while the turn is open
    coalesce(e.kind, 'unknown') AS kind,        -- disconnected, ended, rate_limited, …; none: nothing went wrong
    e.status,                                   -- the HTTP status, or the WebSocket's close code; null without one
    coalesce(e.number <= t.restarts, e.number < e.of_turn)
        AS retried,                             -- the turn was begun anew after it, from nothing or by continuation
    e.number = e.of_turn AND f.turn IS NOT NULL
        AS fallback,                            -- a text of ours was shown, and it was the turn's last
    t.outcome                                   -- how the turn ended; null while it is open
FROM (
    SELECT
        *,
        row_number() OVER (PARTITION BY session_id, turn ORDER BY occurred_at, restart, kind, status) AS number,
        count(*) OVER (PARTITION BY session_id, turn) AS of_turn
    FROM errors
) AS e
LEFT JOIN turns AS t ON t.session_id = e.session_id AND t.turn = e.turn
LEFT JOIN (SELECT DISTINCT session_id, turn FROM messages WHERE fallback) AS f
    ON f.session_id = e.session_id AND f.turn = e.turn
UNION ALL
SELECT
    t.session_id, t.turn, NULL, t.started_at, t.hour, t.tenant, t.vendor, t.model, 'none', NULL, false,
    f.turn IS NOT NULL, t.outcome
FROM turns AS t
LEFT JOIN (SELECT DISTINCT session_id, turn FROM messages WHERE fallback) AS f
    ON f.session_id = t.session_id AND f.turn = t.turn
WHERE t.outcome <> 'finished'
    AND NOT EXISTS (SELECT 1 FROM errors AS e WHERE e.session_id = t.session_id AND e.turn = t.turn);
COMMENT ON VIEW turn_errors IS
    'Each interruption and what came of it; and each turn that did not finish although nothing went wrong';

CREATE OR REPLACE VIEW interrupted_turns AS
SELECT
    t.session_id,                               -- the session, as its caller named it
    t.turn,                                     -- the LLM answer in the session, from 0
    t.started_at,                               -- when the turn was opened
    t.hour,                                     -- its UTC hour
    t.tenant,                                   -- the tenant; null if none was named
    t.vendor,                                   -- the vendor's gateway
    t.model,                                    -- the model; null if none was named
    i.kinds,                                    -- what went wrong, in order: rate_limited, disconnected, …; or none
    t.outcome,                                  -- how the turn ended
    i.interruptions,                            -- drops, refusals and time-outs
    t.restarts,                                 -- attempts after the first
    t.tokens_repeated,                          -- tokens dropped as repetitions after a continuation
    i.fallback                                  -- a text of ours was shown
FROM turns AS t
JOIN (
    SELECT
        session_id, turn, string_agg(kind, ', ' ORDER BY number) AS kinds, count(number) AS interruptions,
        bool_or(fallback) AS fallback
    FROM turn_errors
    GROUP BY session_id, turn
) AS i ON i.session_id = t.session_id AND i.turn = t.turn;
COMMENT ON VIEW interrupted_turns IS 'Ended turns that were interrupted or did not finish';

CREATE OR REPLACE VIEW interruptions_daily AS
SELECT
    utc_day(i.hour) AS day,                     -- UTC day on which they happened
    i.tenant,                                   -- the tenant; null if none was named
    i.vendor,                                   -- the vendor's gateway
    i.kind,                                     -- disconnected, ended, rate_limited, …; none: nothing went wrong
    i.status,                                   -- the HTTP status, or the WebSocket's close code; null without one
    i.outcome,                                  -- how their turns ended; null while they are open
    count(i.number) AS interruptions,           -- drops, refusals and time-outs
    count(*) FILTER (i.retried) AS retries,     -- those after which the turn was begun anew
    count(*) FILTER (i.fallback) AS fallbacks,  -- those that were a turn's last, and a text of ours was shown
    count(DISTINCT (i.session_id, i.turn)) AS turns     -- turns that they were in
FROM turn_errors AS i
GROUP BY ALL;
COMMENT ON VIEW interruptions_daily IS
    'Interruptions and how they ended, per day, tenant, vendor, kind and status. A turn with two kinds counts in both';

CREATE OR REPLACE MACRO interruptions(since := NULL, until := NULL, of_tenant := NULL) AS TABLE
SELECT
    i.kind,
    i.status,
    i.outcome,
    count(i.number) AS interruptions,
    count(*) FILTER (i.retried) AS retries,
    count(*) FILTER (i.fallback) AS fallbacks,
    count(DISTINCT (i.session_id, i.turn)) AS turns
FROM turn_errors AS i
WHERE (since IS NULL OR i.occurred_at >= since) AND (until IS NULL OR i.occurred_at < until)
    AND (of_tenant IS NULL OR i.tenant = of_tenant)
GROUP BY i.kind, i.status, i.outcome
ORDER BY interruptions DESC, turns DESC, i.kind, i.status, i.outcome;
COMMENT ON MACRO TABLE interruptions IS
    'Interruptions and how they ended, per kind and status; for a window of time and a tenant';

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
