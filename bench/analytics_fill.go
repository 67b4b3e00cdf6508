package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func (b *analyticsBench) calls() int { return b.options.Samples / samplesPerStream / streamsPerCall }

// benchCalls makes the calls of a range of numbers: spread over the days, a thousand seconds long, a fifth of them with bad networks, ids as those of own
// media, which begin with the time.
func (b *analyticsBench) benchCalls(from, n int) string {
	return fmt.Sprintf(`SELECT number + %d AS c, fromUnixTimestamp64Micro(%d + toInt64(intDiv(c * %d, %d)) * 1000, 'UTC') AS begun, addSeconds(begun, 1000) AS ended,
		leftPad(lower(hex(toUInt64(toUnixTimestamp64Milli(begun)))), 12, '0') AS ms, lower(hex(sipHash128(c, 'call'))) AS noise,
		concat(substring(ms, 1, 8), '-', substring(ms, 9, 4), '-7', substring(noise, 1, 3), '-8', substring(noise, 4, 3), '-', substring(noise, 7, 12)) AS call_id,
		sipHash64(c, 'bad') %% 5 = 0 AS bad FROM numbers(%d)`,
		from, b.until.Add(-benchDays*24*time.Hour).UnixMicro(), benchDays*86_400_000-2_000_000, b.calls(), n)
}

const (
	benchPerson = "reinterpretAsUUID(sipHash128(c, 'person', p))"
	benchStream = "reinterpretAsUUID(sipHash128(c, 'stream', s))"
	// Streams go round among the people; half are audio, and half each way.
	benchStreams = "arrayJoin(range(10)) AS s, s % 4 AS p"
	benchOrigin  = "'bench', 0, toInt64(c), "
)

// fill inserts the facts of all calls, and that they changed.
func (b *analyticsBench) fill(ctx context.Context) error {
	const chunk = 2000
	for from := 0; from < b.calls(); from += chunk {
		n := min(chunk, b.calls()-from)
		if err := b.fillSome(ctx, b.benchCalls(from, n), from == 0); err != nil {
			return err
		}
		fmt.Fprintf(b.log, "\r%d of %d calls", from, b.calls())
	}
	fmt.Fprintln(b.log)
	return nil
}

// fillSome inserts some calls. Those that are to be summed up by the service have changed; the others get their summaries here.
func (b *analyticsBench) fillSome(ctx context.Context, calls string, changed bool) error {
	envelope := "'" + organisation + "', 'emea', call_id, 'media', "
	statements := []string{
		`INSERT INTO calls (org, region, call_id, source_kind, observed_at, kind, started_at, ended_at, end_reason, _topic, _partition, _offset, _index)
			SELECT ` + envelope + `if(e, ended, begun), if(e, 'unknown', 'meeting'), if(e, NULL, begun), if(e, ended, NULL), if(e, 'ended', ''), ` + benchOrigin + `e
			FROM (SELECT *, arrayJoin([0, 1]) AS e FROM (` + calls + `))`,
		`INSERT INTO participants (org, region, call_id, source_kind, observed_at, participant_id, identity, user_id, display_name, client_family, client_version, network,
				joined_at, left_at, result_category, _topic, _partition, _offset, _index)
			SELECT ` + envelope + `if(e, ended, begun), ` + benchPerson + `, if(e, NULL, if(p < 2, 'org_user', 'guest')), if(e OR p >= 2, '', user), if(e OR p >= 2, '', concat('Person ', user)),
				if(e, '', ['Chrome', 'Firefox', 'Edge', 'Safari'][1 + sipHash64(c, p) % 4]), if(e, '', toString(130 + sipHash64(c, p, 'v') % 12)),
				if(e OR p >= 2, '', concat('10.0.', toString(sipHash64(user) % 40), '.0/24')), if(e, NULL, begun), if(e, ended, NULL),
				if(e, if(bad AND p = 3, 'UnexpectedClientError', 'Success'), ''), ` + benchOrigin + `p * 2 + e
			FROM (SELECT *, arrayJoin([0, 1]) AS e, arrayJoin(range(4)) AS p, concat('u', toString(sipHash64(c, p, 'who') % 2000)) AS user FROM (` + calls + `))`,
		`INSERT INTO streams (org, region, call_id, source_kind, observed_at, participant_id, stream_id, observed_by, direction, media, codec, started_at, ended_at, packets,
				packets_lost, bytes, loss_ratio, jitter_ms_avg, jitter_ms_max, rtt_ms_avg, rtt_ms_max, bitrate_avg, likely_side, _topic, _partition, _offset, _index)
			SELECT ` + envelope + `ended, ` + benchPerson + `, ` + benchStream + `, 'server', if(s % 2, 'inbound', 'outbound'), if(s < 5, 'audio', 'video'), if(s < 5, 'opus', 'VP8'),
				begun, ended, 50000, 100, 8000000, if(bad AND s = 3, 0.15, 0.002), if(bad AND s IN (4, 7), 45, 5 + s), 60, 40 + s, 90, if(s < 5, 40000, 900000),
				if(bad AND s = 3, 'receiver_downlink', 'none'), ` + benchOrigin + `s
			FROM (SELECT *, ` + benchStreams + ` FROM (` + calls + `))`,
		`INSERT INTO samples (org, region, call_id, source_kind, observed_at, participant_id, stream_id, interval_ms, direction, media, codec, packets, packets_lost, bytes,
				jitter_ms, rtt_ms, bitrate_bps, _topic, _partition, _offset, _index)
			SELECT ` + envelope + `addSeconds(begun, 10 * i + 10), ` + benchPerson + `, ` + benchStream + `, 10000, if(s % 2, 'inbound', 'outbound'), if(s < 5, 'audio', 'video'),
				if(s < 5, 'opus', 'VP8'), 500, if(bad AND s = 3, 80, 1), if(s < 5, 50000, 1100000), (if(bad AND s IN (4, 7), 45, 5 + s)) * (0.5 + (sipHash64(c, s, i) % 1000) / 1000),
				40 + sipHash64(c, i) % 60, if(s < 5, 40000, 900000) * (0.9 + (sipHash64(i, c, s) % 200) / 1000), ` + benchOrigin + `s * 100 + i
			FROM (SELECT *, ` + benchStreams + `, arrayJoin(range(100)) AS i FROM (` + calls + `))`,
		`INSERT INTO timeline (org, region, call_id, source_kind, observed_at, participant_id, lane, kind, name, value, operation_id, _topic, _partition, _offset, _index)
			SELECT ` + envelope + `addSeconds(begun, 100 * e + 60), ` + benchPerson + `, 'network', 'diagnostic', 'networkReceiveQuality', if(e, 'Good', 'Bad'), ` + benchPerson + `, ` + benchOrigin + `e
			FROM (SELECT *, arrayJoin([0, 1]) AS e, 3 AS p FROM (` + calls + `)) WHERE bad`,
	}
	if changed {
		statements = append(statements, `INSERT INTO call_changes (org, call_id, batches, turns) SELECT '`+organisation+`', call_id, 1, 1 FROM (`+calls+`)`)
	} else {
		statements = append(statements, benchSummaries(calls))
	}
	for _, statement := range statements {
		if err := b.conn.Exec(ctx, statement+" SETTINGS max_partitions_per_insert_block = 0"); err != nil {
			return fmt.Errorf("fill in: %w", err)
		}
	}
	return nil
}

// benchSummaries are the rows that the service would make of the calls, in the form in which it makes them.
func benchSummaries(calls string) string {
	const reason = `{"metric":"loss_ratio","value":0.15,"comparison":">","threshold":0.1,"unit":"ratio","source":"call-diagnostics","media":"audio","direction":"inbound"}`
	user := func(then, otherwise string) string { return "if(p < 2, " + then + ", " + otherwise + ")" }
	people := func(of string) string { return "arrayMap(p -> " + of + ", range(4))" }
	streams := func(of string) string { return "arrayMap(s -> " + of + ", range(10))" }
	const (
		who      = "concat('u', toString(sipHash64(c, p, 'who') % 2000))"
		client   = "['Chrome', 'Firefox', 'Edge', 'Safari'][1 + sipHash64(c, %s) %% 4]"
		streamOf = "toUInt8(s % 4)"
		poor     = "bad AND s IN (3, 4, 7)"
	)
	version := func(p string) string { return "toString(130 + sipHash64(c, " + p + ", 'v') % 12)" }
	return `INSERT INTO call_summaries (org, profile, at, call_id, version, region, source, kind, started_at, ended_at, duration_ms, end_reason, state, participants, anonymous,
			people.participant_id, people.user_id, people.label, people.client, people.client_version, people.os, people.network, people.site, drops, verdict, good, poor, issues,
			bad_operations, unexpected_ends, reasons, sides, top_metric, side, judgement, streams.stream_id, streams.participant_id, streams.media, streams.direction, streams.verdict,
			streams.counted, streams.reason, streams.side, streams.client, streams.client_version, streams.site, streams.loss_ratio, streams.jitter_ms, streams.rtt_ms, streams.bitrate_bps)
		SELECT '` + organisation + `', arrayJoin(['call-diagnostics', 'cqd', 'real-time', 'insights']), begun, call_id, toUnixTimestamp64Micro(ended), 'emea', 'media', 'meeting', begun, ended,
			1000000, 'ended', 'complete', 4, 2, ` + people(benchPerson) + `, ` + people(user(who, "''")) + `, ` + people(user("concat('Person ', "+who+")", "'Anonymous'")) + `,
			` + people(fmt.Sprintf(client, "p")) + `, ` + people(version("p")) + `, ` + people("''") + `,
			` + people(user("concat('10.0.', toString(sipHash64("+who+") % 40), '.0/24')", "''")) + `, ` + people("''") + `, bad, if(bad, 'poor', 'good'), if(bad, 7, 10), if(bad, 3, 0), if(bad, 5, 0),
			bad, bad, if(bad, ['jitter_ms_avg', 'loss_ratio', 'networkReceiveQuality'], []), if(bad, ['receiver_downlink'], []), if(bad, 'loss_ratio', ''), if(bad, 'receiver_downlink', ''),
			if(bad, '{"reasons":[` + reason + `,` + reason + `],"top":` + reason + `}', '{}'),
			` + streams(benchStream) + `, ` + streams("reinterpretAsUUID(sipHash128(c, 'person', "+streamOf+"))") + `, ` + streams("if(s < 5, 'audio', 'video')") + `,
			` + streams("if(s % 2, 'inbound', 'outbound')") + `, ` + streams("if("+poor+", 'poor', 'good')") + `, ` + streams("true") + `,
			` + streams("if("+poor+", if(s = 3, 'loss_ratio', 'jitter_ms_avg'), '')") + `, ` + streams("if("+poor+", 'receiver_downlink', '')") + `,
			` + streams(fmt.Sprintf(client, streamOf)) + `, ` + streams(version(streamOf)) + `, ` + streams("''") + `, ` + streams("toFloat32(if(bad AND s = 3, 0.15, 0.002))") + `,
			` + streams("toFloat32(if(bad AND s IN (4, 7), 45, 5 + s))") + `, ` + streams("toFloat32(40 + s)") + `, ` + streams("toFloat32(if(s < 5, 40000, 900000))") + `
		FROM (` + calls + `)`
}

// rollUp makes the roll-ups of all hours from their samples at once, with the states that questions ask for.
func (b *analyticsBench) rollUp(ctx context.Context) error {
	const state = "quantilesTDigestState(0.5, 0.75, 0.9, 0.95, 0.99)"
	for day := b.until.Add(-benchDays * 24 * time.Hour); day.Before(b.until); day = day.Add(24 * time.Hour) {
		err := b.conn.Exec(ctx, `INSERT INTO rollup_hour (org, region, source_kind, media, direction, hour, rebuilt_at, samples, jitter_ms, rtt_ms, loss_ratio)
			SELECT org, region, source_kind, media, direction, toStartOfHour(observed_at) AS hour, now(), count(), `+state+`(s.jitter_ms), `+state+`(s.rtt_ms),
				`+state+`(toFloat32(coalesce(s.loss_ratio, packets_lost / nullIf(toFloat64(packets + packets_lost), 0)))) FROM samples AS s
			WHERE observed_at >= {from:DateTime} AND observed_at < {to:DateTime} GROUP BY org, region, source_kind, media, direction, hour`,
			clickhouse.Named("from", day.Format(time.DateTime)), clickhouse.Named("to", day.Add(24*time.Hour).Format(time.DateTime)))
		if err != nil {
			return fmt.Errorf("roll up: %w", err)
		}
	}
	return nil
}
