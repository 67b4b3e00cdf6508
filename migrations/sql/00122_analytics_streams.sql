-- +goose Up
-- The streams of calls. Those that are not counted were reported by both ends.
CREATE VIEW IF NOT EXISTS analytics_streams
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT org, profile, at, call_id, region, state, stream_id, participant_id, media, direction, verdict, counted, reason, side, client, client_version, site,
    loss_ratio, jitter_ms, rtt_ms, bitrate_bps
FROM (
    SELECT org, profile, at, call_id, region, state, streams.stream_id AS stream_id, streams.participant_id AS participant_id, streams.media AS media,
        streams.direction AS direction, streams.verdict AS verdict, streams.counted AS counted, streams.reason AS reason, streams.side AS side,
        streams.client AS client, streams.client_version AS client_version, streams.site AS site, streams.loss_ratio AS loss_ratio,
        streams.jitter_ms AS jitter_ms, streams.rtt_ms AS rtt_ms, streams.bitrate_bps AS bitrate_bps
    FROM call_summaries FINAL ARRAY JOIN streams WHERE NOT gone
);
