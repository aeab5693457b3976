-- Volume, usage and cost. A cost is that of the price on the UTC day on which the turn was opened, exact to a
-- billionth; it is null where `prices` has none, so look at unpriced_turns before you believe a sum.

CREATE OR REPLACE VIEW turn_costs AS
SELECT
    t.session_id,                               -- the session, as its caller named it
    t.turn,                                     -- the LLM answer in the session, from 0
    t.started_at,                               -- when the turn was opened
    t.hour,                                     -- its UTC hour
    t.tenant,                                   -- the tenant; null if none was named
    t.vendor,                                   -- the vendor's gateway
    t.model,                                    -- the model; null if none was named
    t.prompt_tokens,                            -- tokens of the prompt, for billing
    t.completion_tokens,                        -- tokens of the answer, for billing
    t.usage_estimated,                          -- the vendor reported no usage: characters / 4
    (t.prompt_tokens * p.prompt_price_per_1000 * 0.001::DECIMAL(4, 3)
     + t.completion_tokens * p.completion_price_per_1000 * 0.001::DECIMAL(4, 3))::DECIMAL(38, 9)
        AS cost,                                -- what the turn cost; null without a price
    p.currency                                  -- the currency of the cost
FROM turns AS t
LEFT JOIN prices AS p
    ON p.model = t.model
    AND utc_day(t.hour) >= p.valid_from AND (p.valid_until IS NULL OR utc_day(t.hour) < p.valid_until);
COMMENT ON VIEW turn_costs IS 'What each turn used and cost';

CREATE OR REPLACE VIEW usage_daily AS
SELECT
    utc_day(c.hour) AS day,                     -- UTC day on which the turns were opened
    c.tenant,                                   -- the tenant; null if none was named
    c.vendor,                                   -- the vendor's gateway
    c.model,                                    -- the model; null if none was named
    count(DISTINCT c.session_id) AS sessions,   -- sessions with such turns
    count(*) AS turns,                          -- turns that ended
    sum(c.prompt_tokens)::BIGINT AS prompt_tokens,             -- tokens of the prompts, for billing
    sum(c.completion_tokens)::BIGINT AS completion_tokens,     -- tokens of the answers, for billing
    count(*) FILTER (c.usage_estimated) AS estimated_turns,    -- turns whose usage is characters / 4
    count(*) FILTER (c.cost IS NULL) AS unpriced_turns,        -- turns that the cost leaves out
    sum(c.cost) AS cost,                        -- what the priced turns cost; null if none is priced
    c.currency                                  -- the currency of the cost
FROM turn_costs AS c
GROUP BY ALL;
COMMENT ON VIEW usage_daily IS 'Usage and cost per day, tenant, vendor, model and currency';

CREATE OR REPLACE MACRO usage(since := NULL, until := NULL, of_tenant := NULL) AS TABLE
SELECT
    c.tenant,
    c.vendor,
    c.model,
    count(DISTINCT c.session_id) AS sessions,
    count(*) AS turns,
    sum(c.prompt_tokens)::BIGINT AS prompt_tokens,
    sum(c.completion_tokens)::BIGINT AS completion_tokens,
    count(*) FILTER (c.usage_estimated) AS estimated_turns,
    count(*) FILTER (c.cost IS NULL) AS unpriced_turns,
    sum(c.cost) AS cost,
    c.currency
FROM turn_costs AS c
WHERE (since IS NULL OR c.started_at >= since) AND (until IS NULL OR c.started_at < until)
    AND (of_tenant IS NULL OR c.tenant = of_tenant)
GROUP BY ALL;
COMMENT ON MACRO TABLE usage IS
    'Usage and cost per tenant, vendor, model and currency; for a window of time and a tenant';

CREATE OR REPLACE VIEW reduction_daily AS
SELECT
    utc_day(t.hour) AS day,                     -- UTC day on which the turns were opened
    t.tenant,                                   -- the tenant; null if none was named
    t.vendor,                                   -- the vendor's gateway
    t.model,                                    -- the model; null if none was named
    sum(t.tokens_received)::BIGINT AS tokens,   -- tokens received: messages if each token were one
    sum(t.messages)::BIGINT AS messages,        -- messages that left the flow
    1 - sum(t.messages) / nullif(sum(t.tokens_received), 0) AS reduction  -- the share of messages saved
FROM turns AS t
GROUP BY ALL;
COMMENT ON VIEW reduction_daily IS
    'How many messages windows saved against one message a token, per day, tenant, vendor and model';

CREATE OR REPLACE MACRO reduction(since := NULL, until := NULL, of_tenant := NULL) AS TABLE
SELECT
    t.tenant,
    t.vendor,
    t.model,
    sum(t.tokens_received)::BIGINT AS tokens,
    sum(t.messages)::BIGINT AS messages,
    1 - sum(t.messages) / nullif(sum(t.tokens_received), 0) AS reduction
FROM turns AS t
WHERE (since IS NULL OR t.started_at >= since) AND (until IS NULL OR t.started_at < until)
    AND (of_tenant IS NULL OR t.tenant = of_tenant)
GROUP BY ALL;
COMMENT ON MACRO TABLE reduction IS 'Messages saved against one message a token; for a window of time and a tenant';
