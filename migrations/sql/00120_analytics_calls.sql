-- +goose Up
-- What Grafana reads: views that begin with analytics_, and nothing else (deploy/clickhouse/grafana.xml). They run with the rights of whoever makes the
-- tables, so that their reader needs none on these. Rules D2 and D3 are in them: no name, id, address, device or text of a guest, and nothing of a guest
-- before the call has ended. Summaries of calls that run know of no guest.
CREATE VIEW IF NOT EXISTS analytics_calls
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT org, profile, at, call_id, region, source, kind, meeting_id, started_at, ended_at, duration_ms, end_reason, state, recorded, participants, anonymous,
    setup_failures, drops, rating, rating_score, verdict, good, poor, unknown, issues, bad_operations, unexpected_ends, reasons, sides, top_metric, side,
    arrayDistinct(arrayFilter(x -> x != '', people.site)) AS sites
FROM call_summaries FINAL WHERE NOT gone;
