-- +goose Up
-- Samples of those who are in their call's summary, which has no guests while the call runs. Of a call that runs, what org users sent alone: what they
-- received, a guest may have made. Ask for one call.
CREATE OR REPLACE VIEW analytics_samples
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT s.org AS org, s.call_id AS call_id, s.participant_id AS participant_id, s.stream_id AS stream_id, s.observed_at AS observed_at,
    s.interval_ms AS interval_ms, s.media AS media, s.direction AS direction, s.codec AS codec, s.packets AS packets, s.packets_lost AS packets_lost,
    s.jitter_ms AS jitter_ms, s.rtt_ms AS rtt_ms, s.jitter_buffer_ms AS jitter_buffer_ms, s.healed_ratio AS healed_ratio, s.frame_rate AS frame_rate,
    s.frame_height AS frame_height, s.freeze_ms AS freeze_ms, s.bitrate_bps AS bitrate_bps, s.available_bitrate_bps AS available_bitrate_bps,
    s.loss_ratio AS loss_ratio
FROM samples AS s
{{if sharded}}GLOBAL {{end}}INNER JOIN (
    SELECT org, call_id, participant_id, max(state = 'running') AS runs FROM call_summaries FINAL ARRAY JOIN people.participant_id AS participant_id
    WHERE NOT gone GROUP BY org, call_id, participant_id
) AS shown ON shown.org = s.org AND shown.call_id = s.call_id AND shown.participant_id = s.participant_id
WHERE NOT shown.runs OR s.direction = 'outbound';
