-- +goose Up
-- What policy decided, without who asked and without what it was decided on. A decision may be about a guest, so none is shown before its call has ended.
-- Who is refused where no call ever begins leaves no call that ends: these are shown after an hour, which is longer than anybody may wait in a lobby.
CREATE VIEW IF NOT EXISTS analytics_decisions
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT org, region, call_id, observed_at, name AS action, value AS effect,
    arrayFilter(x -> x != '', splitByChar(',', attributes['reasons'])) AS reasons, attributes['policy_revision'] AS revision
FROM timeline
WHERE kind = 'decision'
    AND (org, call_id) {{if sharded}}GLOBAL {{end}}NOT IN (SELECT org, call_id FROM calls GROUP BY org, call_id HAVING max(ended_at) IS NULL)
    AND (observed_at < now() - INTERVAL 1 HOUR OR (org, call_id) {{if sharded}}GLOBAL {{end}}IN (SELECT org, call_id FROM calls WHERE ended_at IS NOT NULL));
