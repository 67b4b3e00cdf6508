-- +goose Up
-- What was deleted, when and by which rule: the evidence without the ids of what and of whose it was. Of calls that ended, since copies are guests'.
CREATE VIEW IF NOT EXISTS analytics_deletions
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT class, org, sent_at, due_at, hidden_at, purged_at, why, born, held, lateness_ms, attempts, rule_id, rule_version, reason, revision
FROM evidence
WHERE (org, call_id) {{if sharded}}GLOBAL {{end}}NOT IN (SELECT org, call_id FROM calls GROUP BY org, call_id HAVING max(ended_at) IS NULL);
