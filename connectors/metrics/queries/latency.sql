-- How long people wait. The way to the first sentence has four parts that add up: the vendor (opening to first
-- token), the window (until the sentence is whole), moderation (what it held), delivery (until the desktop
-- confirmed it). Percentiles are exact; those of the parts do not add up, their shares do.

CREATE OR REPLACE VIEW first_sentences AS
SELECT
    t.session_id,                               -- the session, as its caller named it
    t.turn,                                     -- the LLM answer in the session, from 0
    t.started_at,                               -- when the turn was opened
    t.hour,                                     -- its UTC hour
    t.tenant,                                   -- the tenant; null if none was named
    t.vendor,                                   -- the vendor's gateway
    t.model,                                    -- the model; null if none was named
    t.outcome,                                  -- how the turn ended
    t.time_to_first_token_ms AS first_token_ms,        -- milliseconds from opening to the first token
    t.time_to_first_message_ms AS first_sentence_ms,   -- milliseconds from opening to the first message
    t.time_to_first_message_ms + f.delivery_ms AS on_desktop_ms,  -- milliseconds until a desktop confirmed that
    CASE WHEN f.turn IS NOT NULL THEN t.time_to_first_token_ms END
        AS vendor_ms,                           -- part 1: milliseconds until the vendor's first token
    t.time_to_first_message_ms - t.time_to_first_token_ms - f.hold_ms
        AS window_ms,                           -- part 2: milliseconds until the sentence was whole
    f.hold_ms AS moderation_ms,                 -- part 3: milliseconds that moderation held it
    f.delivery_ms                               -- part 4: milliseconds until a desktop confirmed it, at least 0
FROM turns AS t
LEFT JOIN (
    SELECT
        m.session_id, m.turn, coalesce(m.hold_ms, 0) AS hold_ms,
        CASE WHEN d.confirmed_at IS NOT NULL
            THEN greatest(0, (epoch_us(d.confirmed_at) - epoch_us(m.released_at)) // 1000) END AS delivery_ms
    FROM messages AS m
    LEFT JOIN (
        SELECT session_id, turn, min(confirmed_at) AS confirmed_at
        FROM deliveries WHERE seq = 0 AND how NOT IN ('dropped', 'unknown') GROUP BY ALL
    ) AS d ON d.session_id = m.session_id AND d.turn = m.turn AND d.confirmed_at IS NOT NULL
    WHERE m.seq = 0 AND m.chars > 0
) AS f ON f.session_id = t.session_id AND f.turn = t.turn
    AND t.time_to_first_token_ms IS NOT NULL AND t.time_to_first_message_ms IS NOT NULL;
COMMENT ON VIEW first_sentences IS 'The way to each turn''s first sentence, in its parts; null where no token came';

CREATE OR REPLACE VIEW latency_daily AS
SELECT
    p.day,                                      -- UTC day on which the turns were opened
    p.tenant,                                   -- the tenant; null if none was named
    p.vendor,                                   -- the vendor's gateway
    p.model,                                    -- the model; null if none was named
    p.turns,                                    -- turns that ended
    p.first_token[1] AS first_token_p50_ms,           -- milliseconds from opening to the first token, median
    p.first_token[2] AS first_token_p95_ms,           -- the same, 95th percentile
    p.first_token[3] AS first_token_p99_ms,           -- the same, 99th percentile
    p.first_sentence[1] AS first_sentence_p50_ms,     -- milliseconds from opening to the first sentence, median
    p.first_sentence[2] AS first_sentence_p95_ms,     -- the same, 95th percentile
    p.first_sentence[3] AS first_sentence_p99_ms,     -- the same, 99th percentile
    p.on_desktop[1] AS on_desktop_p50_ms,             -- milliseconds until the desktop confirmed it, median
    p.on_desktop[2] AS on_desktop_p95_ms,             -- the same, 95th percentile
    p.on_desktop[3] AS on_desktop_p99_ms              -- the same, 99th percentile
FROM (
    SELECT
        utc_day(f.hour) AS day, f.tenant, f.vendor, f.model, count(*) AS turns,
        percentiles(f.first_token_ms) AS first_token,
        percentiles(f.first_sentence_ms) AS first_sentence,
        percentiles(f.on_desktop_ms) AS on_desktop
    FROM first_sentences AS f
    GROUP BY ALL
) AS p;
COMMENT ON VIEW latency_daily IS
    'Time to first token, to first sentence and to its arrival, per day, tenant, vendor and model';

CREATE OR REPLACE MACRO latency(since := NULL, until := NULL, of_tenant := NULL) AS TABLE
SELECT p.measure, p.turns, p.q[1] AS p50_ms, p.q[2] AS p95_ms, p.q[3] AS p99_ms
FROM (
    SELECT u.measure, count(*) AS turns, percentiles(u.ms) AS q
    FROM (
        SELECT
            unnest(['first_token', 'first_sentence', 'on_desktop']) AS measure,
            unnest([f.first_token_ms, f.first_sentence_ms, f.on_desktop_ms]) AS ms
        FROM first_sentences AS f
        WHERE (since IS NULL OR f.started_at >= since) AND (until IS NULL OR f.started_at < until)
            AND (of_tenant IS NULL OR f.tenant = of_tenant)
    ) AS u
    WHERE u.ms IS NOT NULL
    GROUP BY u.measure
) AS p
ORDER BY list_position(['first_token', 'first_sentence', 'on_desktop'], p.measure);
COMMENT ON MACRO TABLE latency IS
    'p50, p95 and p99 to first token, first sentence and its arrival; for a window of time and a tenant';

CREATE OR REPLACE VIEW latency_shares_daily AS
SELECT
    p.day,                                      -- UTC day on which the turns were opened
    p.vendor,                                   -- the vendor's gateway
    p.part,                                     -- vendor, window, moderation or delivery
    p.turns,                                    -- turns in which the part is known
    p.q[1] AS p50_ms,                           -- milliseconds, median
    p.q[2] AS p95_ms,                           -- milliseconds, 95th percentile
    p.q[3] AS p99_ms,                           -- milliseconds, 99th percentile
    p.ms::BIGINT AS total_ms,                   -- milliseconds, the sum over the turns
    p.ms / nullif(sum(p.ms) OVER (PARTITION BY p.day, p.vendor), 0) AS share  -- the part's share in all of the time
FROM (
    SELECT u.day, u.vendor, u.part, count(*) AS turns, percentiles(u.ms) AS q, sum(u.ms) AS ms
    FROM (
        SELECT
            utc_day(f.hour) AS day, f.vendor,
            unnest(['vendor', 'window', 'moderation', 'delivery']) AS part,
            unnest([f.vendor_ms, f.window_ms, f.moderation_ms, f.delivery_ms]) AS ms
        FROM first_sentences AS f
    ) AS u
    WHERE u.ms IS NOT NULL
    GROUP BY ALL
) AS p;
COMMENT ON VIEW latency_shares_daily IS 'What the time to the first sentence was spent on, per day and vendor';

CREATE OR REPLACE MACRO latency_shares(since := NULL, until := NULL, of_tenant := NULL) AS TABLE
SELECT
    p.vendor, p.part, p.turns, p.q[1] AS p50_ms, p.q[2] AS p95_ms, p.q[3] AS p99_ms,
    p.ms::BIGINT AS total_ms, p.ms / nullif(sum(p.ms) OVER (PARTITION BY p.vendor), 0) AS share
FROM (
    SELECT u.vendor, u.part, count(*) AS turns, percentiles(u.ms) AS q, sum(u.ms) AS ms
    FROM (
        SELECT
            f.vendor,
            unnest(['vendor', 'window', 'moderation', 'delivery']) AS part,
            unnest([f.vendor_ms, f.window_ms, f.moderation_ms, f.delivery_ms]) AS ms
        FROM first_sentences AS f
        WHERE (since IS NULL OR f.started_at >= since) AND (until IS NULL OR f.started_at < until)
            AND (of_tenant IS NULL OR f.tenant = of_tenant)
    ) AS u
    WHERE u.ms IS NOT NULL
    GROUP BY u.vendor, u.part
) AS p
ORDER BY p.vendor, list_position(['vendor', 'window', 'moderation', 'delivery'], p.part);
COMMENT ON MACRO TABLE latency_shares IS
    'What the time to the first sentence was spent on, per vendor; for a window of time and a tenant';

CREATE OR REPLACE VIEW windows_daily AS
SELECT
    p.day,                                      -- UTC day on which the messages left the flow
    p.vendor,                                   -- the vendor's gateway
    p.closed_by, -- what ended the window: sentence, clause, paragraph, token, timeout, max_chars, end, error
    p.messages,                                 -- messages
    p.tokens / p.messages AS tokens_per_message,       -- vendor tokens in a message, mean
    p.chars / p.messages AS chars_per_message,         -- characters in a message, mean
    p.window_q[1] AS window_p50_ms,             -- milliseconds from first token to close, median
    p.window_q[2] AS window_p95_ms,             -- the same, 95th percentile
    p.window_q[3] AS window_p99_ms,             -- the same, 99th percentile
    p.hold_q[1] AS hold_p50_ms,                 -- milliseconds that moderation held it, median
    p.hold_q[2] AS hold_p95_ms,                 -- the same, 95th percentile
    p.hold_q[3] AS hold_p99_ms                  -- the same, 99th percentile
FROM (
    SELECT
        utc_day(m.hour) AS day, m.vendor, m.closed_by, count(*) AS messages, sum(m.tokens) AS tokens,
        sum(m.chars) AS chars, percentiles(m.window_ms) AS window_q, percentiles(m.hold_ms) AS hold_q
    FROM messages AS m
    GROUP BY ALL
) AS p;
COMMENT ON VIEW windows_daily IS
    'What ended the windows, how long they took and how large they were, per day and vendor';

CREATE OR REPLACE MACRO windows(since := NULL, until := NULL, of_tenant := NULL) AS TABLE
SELECT
    p.closed_by, p.messages, p.tokens / p.messages AS tokens_per_message, p.chars / p.messages AS chars_per_message,
    p.window_q[1] AS window_p50_ms, p.window_q[2] AS window_p95_ms, p.window_q[3] AS window_p99_ms,
    p.hold_q[1] AS hold_p50_ms, p.hold_q[2] AS hold_p95_ms, p.hold_q[3] AS hold_p99_ms
FROM (
    SELECT
        m.closed_by, count(*) AS messages, sum(m.tokens) AS tokens, sum(m.chars) AS chars,
        percentiles(m.window_ms) AS window_q, percentiles(m.hold_ms) AS hold_q
    FROM messages AS m
    WHERE (since IS NULL OR m.released_at >= since) AND (until IS NULL OR m.released_at < until)
        AND (of_tenant IS NULL OR m.tenant = of_tenant)
    GROUP BY m.closed_by
) AS p
ORDER BY p.messages DESC, p.closed_by;
COMMENT ON MACRO TABLE windows IS
    'What ended the windows, how long they took and how large they were; for a window of time and a tenant';

CREATE OR REPLACE VIEW deliveries_daily AS
SELECT
    p.day,                                      -- UTC day on which the messages were sent
    p.desktop,                                  -- the agent desktop, by its name in the settings
    p.how,                                      -- what confirmed them: ack, pong; or unconfirmed, skipped, dropped, unknown
    p.messages,                                 -- messages
    p.q[1] AS confirmation_p50_ms,              -- milliseconds from sending to confirmation, median
    p.q[2] AS confirmation_p95_ms,              -- the same, 95th percentile
    p.q[3] AS confirmation_p99_ms               -- the same, 99th percentile
FROM (
    SELECT
        utc_day(d.hour) AS day, d.desktop, d.how, count(*) AS messages,
        percentiles((epoch_us(d.confirmed_at) - epoch_us(d.sent_at)) / 1000) AS q
    FROM deliveries AS d
    GROUP BY ALL
) AS p;
COMMENT ON VIEW deliveries_daily IS 'How messages reached the desktops, and how fast they were confirmed, per day';
