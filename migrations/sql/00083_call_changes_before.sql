-- +goose Up
-- Calls from before there were summaries have changed once. Repeating it costs one more look at each.
INSERT INTO {{local "call_changes"}} (org, call_id, batches, turns)
SELECT org, call_id, 1, 1 FROM (
    SELECT org, call_id FROM {{local "calls"}}
    UNION ALL SELECT org, call_id FROM {{local "participants"}}
    UNION ALL SELECT org, call_id FROM {{local "streams"}}
    UNION ALL SELECT org, call_id FROM {{local "timeline"}}
) GROUP BY org, call_id;
