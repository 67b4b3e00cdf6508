-- +goose Up
-- What happened in a call, of the same participants and of the call itself (participant all zero): diagnostics, operations, recordings.
CREATE VIEW IF NOT EXISTS analytics_marks
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT t.org AS org, t.call_id AS call_id, t.participant_id AS participant_id, t.observed_at AS observed_at, t.lane AS lane, t.kind AS kind,
    t.name AS name, t.value AS value, t.result AS result, t.result_code AS result_code, t.duration_ms AS duration_ms
FROM timeline AS t
{{if sharded}}GLOBAL {{end}}INNER JOIN (
    SELECT org, call_id, arrayJoin(arrayDistinct(arrayPushBack(groupArrayArray(people.participant_id), toUUID('00000000-0000-0000-0000-000000000000')))) AS participant_id
    FROM call_summaries FINAL WHERE NOT gone GROUP BY org, call_id
) AS shown ON shown.org = t.org AND shown.call_id = t.call_id AND shown.participant_id = t.participant_id
WHERE t.kind IN ('diagnostic', 'operation', 'recording');
