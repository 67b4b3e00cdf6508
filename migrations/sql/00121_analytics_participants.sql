-- +goose Up
-- Who was in a call: org users by name, everybody else as Anonymous.
CREATE VIEW IF NOT EXISTS analytics_participants
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT org, profile, at, call_id, state, participant_id, label, client, client_version, os, site
FROM call_summaries FINAL
ARRAY JOIN people.participant_id AS participant_id, people.label AS label, people.client AS client, people.client_version AS client_version,
    people.os AS os, people.site AS site
WHERE NOT gone;
