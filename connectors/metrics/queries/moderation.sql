-- What moderation found, and what was done about it. Findings name rules and places, never text.

CREATE OR REPLACE VIEW moderation_daily AS
SELECT
    utc_day(m.hour) AS day,                     -- UTC day on which the messages left the flow
    m.tenant,                                   -- the tenant; null if none was named
    m.vendor,                                   -- the vendor's gateway
    m.model,                                    -- the model; null if none was named
    count(*) AS messages,                       -- messages that left the flow
    count(*) FILTER (m.findings > 0) AS messages_with_findings,       -- those of them with a finding
    sum(m.findings)::BIGINT AS findings,                              -- findings in them
    count(*) FILTER (m.findings > 0) / count(*) AS finding_rate       -- the share of messages with a finding
FROM messages AS m
GROUP BY ALL;
COMMENT ON VIEW moderation_daily IS 'How many messages had findings, per day, tenant, vendor and model';

CREATE OR REPLACE MACRO moderation(since := NULL, until := NULL, of_tenant := NULL) AS TABLE
SELECT
    m.tenant,
    m.vendor,
    m.model,
    count(*) AS messages,
    count(*) FILTER (m.findings > 0) AS messages_with_findings,
    sum(m.findings)::BIGINT AS findings,
    count(*) FILTER (m.findings > 0) / count(*) AS finding_rate
FROM messages AS m
WHERE (since IS NULL OR m.released_at >= since) AND (until IS NULL OR m.released_at < until)
    AND (of_tenant IS NULL OR m.tenant = of_tenant)
GROUP BY ALL;
COMMENT ON MACRO TABLE moderation IS 'How many messages had findings; for a window of time and a tenant';

CREATE OR REPLACE VIEW rules_daily AS
SELECT
    utc_day(f.hour) AS day,                     -- UTC day on which the findings were made
    f.category,                                 -- what was found
    f.rule,                                     -- the detector or pattern that found it
    f.action,                                   -- what was done: redact, replace, drop, flag, end
    count(*) AS findings,                       -- findings
    count(DISTINCT (f.session_id, f.turn)) AS turns    -- turns that they were in
FROM findings AS f
GROUP BY ALL;
COMMENT ON VIEW rules_daily IS 'Which rules found what, and what was done, per day';

CREATE OR REPLACE MACRO top_rules(since := NULL, until := NULL, of_tenant := NULL, most := 20) AS TABLE
SELECT
    f.category, f.rule, f.action, count(*) AS findings, count(DISTINCT (f.session_id, f.turn)) AS turns,
    count(*) / sum(count(*)) OVER () AS share
FROM findings AS f
WHERE (since IS NULL OR f.found_at >= since) AND (until IS NULL OR f.found_at < until)
    AND (of_tenant IS NULL OR EXISTS (
        SELECT 1 FROM turns AS t
        WHERE t.session_id = f.session_id AND t.turn = f.turn AND t.tenant = of_tenant))
GROUP BY f.category, f.rule, f.action
ORDER BY findings DESC, f.category, f.rule, f.action
LIMIT most;
COMMENT ON MACRO TABLE top_rules IS 'The rules with most findings; for a window of time and a tenant (of ended turns)';
