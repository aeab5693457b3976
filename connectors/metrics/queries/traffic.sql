-- How much flows, over time. A turn counts where it was opened (once it has ended), a message where it left the flow.

CREATE OR REPLACE MACRO traffic(since := NULL, until := NULL, of_tenant := NULL, seconds := 3600) AS TABLE
SELECT
    to_timestamp(e.at_us // (seconds * 1000000::BIGINT) * seconds) AS begins_at,
    e.vendor,
    sum(e.turns)::BIGINT AS turns,
    sum(e.messages)::BIGINT AS messages,
    sum(e.tokens)::BIGINT AS tokens,
    sum(e.chars)::BIGINT AS chars
FROM (
    SELECT epoch_us(t.started_at) AS at_us, t.vendor, 1 AS turns, 0 AS messages, 0 AS tokens, 0 AS chars
    FROM turns AS t
    WHERE (since IS NULL OR t.started_at >= since) AND (until IS NULL OR t.started_at < until)
        AND (of_tenant IS NULL OR t.tenant = of_tenant)
    UNION ALL
    SELECT epoch_us(m.released_at), m.vendor, 0, 1, m.tokens, m.chars
    FROM messages AS m
    WHERE (since IS NULL OR m.released_at >= since) AND (until IS NULL OR m.released_at < until)
        AND (of_tenant IS NULL OR m.tenant = of_tenant)
) AS e
GROUP BY ALL;
COMMENT ON MACRO TABLE traffic IS
    'Turns, messages, tokens, characters per span of so many seconds and vendor; spans without any are left out';

CREATE OR REPLACE VIEW traffic_hourly AS
SELECT
    f.begins_at AS hour,                        -- the UTC hour
    f.vendor,                                   -- the vendor's gateway
    f.turns,                                    -- turns opened in it that have ended since
    f.messages,                                 -- messages that left the flow in it
    f.tokens,                                   -- vendor tokens in those messages
    f.chars                                     -- characters in those messages, as shown
FROM traffic() AS f;
COMMENT ON VIEW traffic_hourly IS 'Turns, messages, tokens and characters per hour and vendor';

CREATE OR REPLACE MACRO totals(since := NULL, until := NULL, of_tenant := NULL) AS TABLE
SELECT
    count(DISTINCT t.session_id) AS sessions,
    count(*) AS turns,
    count(*) FILTER (t.outcome = 'finished') AS finished_turns,
    count(*) FILTER (t.interruptions > 0) AS interrupted_turns,
    coalesce(sum(t.interruptions), 0)::BIGINT AS interruptions,
    coalesce(sum(t.tokens_received), 0)::BIGINT AS tokens,
    coalesce(sum(t.messages), 0)::BIGINT AS messages,
    1 - sum(t.messages) / nullif(sum(t.tokens_received), 0) AS reduction,
    coalesce(sum(t.moderation_blocks), 0)::BIGINT AS moderation_blocks,
    min(t.started_at) AS first_turn_at,
    max(t.ended_at) AS last_end_at
FROM turns AS t
WHERE (since IS NULL OR t.started_at >= since) AND (until IS NULL OR t.started_at < until)
    AND (of_tenant IS NULL OR t.tenant = of_tenant);
COMMENT ON MACRO TABLE totals IS 'Everything in one row; for a window of time and a tenant';

CREATE OR REPLACE VIEW sessions AS
SELECT
    t.session_id,                               -- the session, as its caller named it
    arg_max(t.tenant, t.turn) AS tenant,        -- the tenant
    arg_max(t.vendor, t.turn) AS vendor,        -- the vendor's gateway
    count(*) AS turns,                          -- turns that ended
    min(t.started_at) AS started_at,            -- when its first turn was opened
    max(t.ended_at) AS ended_at,                -- when its last turn ended
    (epoch_us(max(t.ended_at)) - epoch_us(min(t.started_at))) // 1000 AS duration_ms,  -- milliseconds between the two
    sum(t.duration_ms)::BIGINT AS answering_ms, -- milliseconds in which the vendor was answering
    arg_min(t.time_to_first_message_ms, t.turn)
        AS time_to_first_message_ms,            -- milliseconds to the first message of its first turn
    sum(t.tokens_received)::BIGINT AS tokens,   -- tokens received
    sum(t.messages)::BIGINT AS messages,        -- messages that left the flow
    sum(t.interruptions)::BIGINT AS interruptions,          -- drops, refusals and time-outs on the vendor's side
    sum(t.moderation_blocks)::BIGINT AS moderation_blocks,  -- findings that changed or withheld text
    arg_max(t.outcome, t.turn) AS outcome       -- how its last turn ended
FROM turns AS t
GROUP BY t.session_id;
COMMENT ON VIEW sessions IS 'Sessions: what their ended turns add up to';

CREATE OR REPLACE MACRO longest_sessions(since := NULL, until := NULL, of_tenant := NULL, most := 10) AS TABLE
SELECT s.*
FROM sessions AS s
WHERE (since IS NULL OR s.started_at >= since) AND (until IS NULL OR s.started_at < until)
    AND (of_tenant IS NULL OR s.tenant = of_tenant)
ORDER BY s.duration_ms DESC NULLS LAST, s.session_id
LIMIT most;
COMMENT ON MACRO TABLE longest_sessions IS
    'Sessions that took longest from first opening to last end, of those that began in a window of time';
