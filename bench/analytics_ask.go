package main

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/anteroom/anteroom/quality"
)

// question is asked of the API and, for the same answer, by SQL that somebody would write by hand for it.
type question struct {
	name string
	// page: it is asked to show one call.
	page bool
	// at gives the n-th path and statements, which differ in what they ask for, so that nothing is answered from a cache alone.
	at func(n int) (path string, sql []string, args []any)
}

const handWhere = "org = {org:String} AND profile = {profile:String} AND NOT gone AND at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')"

// over is a question about a window that ends a little earlier each time.
func (b *analyticsBench) over(name, route string, window time.Duration, query string, sql ...string) question {
	return question{name: name, at: func(n int) (string, []string, []any) {
		to := b.until.Add(-time.Duration(n) * time.Minute)
		from := to.Add(-window)
		q := "from=" + url.QueryEscape(from.Format(time.RFC3339)) + "&to=" + url.QueryEscape(to.Format(time.RFC3339))
		if query != "" {
			q += "&" + query
		}
		return route + "?" + q, sql, append(b.handArgs(), clickhouse.Named("from", from.UnixMicro()), clickhouse.Named("to", to.UnixMicro()))
	}}
}

func (*analyticsBench) handArgs() []any {
	return []any{clickhouse.Named("org", organisation), clickhouse.Named("profile", quality.CallDiagnostics)}
}

const handRow = `at, call_id, region, source, kind, meeting_id, started_at, ended_at, duration_ms, end_reason, state, recorded, participants, anonymous, people.participant_id,
	people.user_id, people.label, people.client, people.client_version, people.site, setup_failures, drops, rating, rating_score, verdict, good, poor, unknown, issues,
	bad_operations, unexpected_ends, reasons, sides, top_metric, side, judgement`

func (b *analyticsBench) questions() []question {
	const (
		day     = 24 * time.Hour
		calls   = "/v1/calls"
		figures = `count(), countIf(verdict = 'poor'), sum(good), sum(poor), sum(unknown), sum(participants), sum(setup_failures), sum(drops), countIf(duration_ms < 60000),
			countIf(duration_ms <= 5000), countIf(rating = 'good'), countIf(rating = 'average'), countIf(rating = 'poor'), countIf(rating = 'unknown')`
		total   = "SELECT " + figures + " FROM call_summaries FINAL WHERE " + handWhere
		verdict = "countIf(v = 'good'), countIf(v = 'poor'), countIf(v = 'unknown')"
		joined  = " FROM call_summaries FINAL ARRAY JOIN streams.verdict AS v, streams.counted AS counted"
	)
	list := func(where, order string) string {
		return "SELECT " + handRow + " FROM call_summaries FINAL WHERE " + handWhere + where + " ORDER BY " + order + " LIMIT 51"
	}
	out := []question{
		b.over("calls of a day, newest first", calls, day, "", list("", "at DESC, call_id")),
		b.over("poor calls of 30 days by a reason", calls, benchDays*day, "verdict=poor&reason=loss_ratio", list(" AND verdict = 'poor' AND has(reasons, 'loss_ratio')", "at DESC, call_id")),
		b.over("calls of 30 days with the most poor streams", calls, benchDays*day, "sort=-poor_streams", list("", "poor DESC, at DESC, call_id")),
		b.over("a user's calls of 30 days", "/v1/users/u77/calls", benchDays*day, "", list(" AND has(people.user_id, 'u77')", "at DESC, call_id")),
		b.over("quality of 30 days", "/v1/analytics/quality", benchDays*day, "", total),
		b.over("quality of 30 days by media", "/v1/analytics/quality", benchDays*day, "group_by=media", total,
			"SELECT m, uniqExact(call_id), uniqExactIf(call_id, v = 'poor'), "+verdict+joined+", streams.media AS m WHERE counted AND "+handWhere+" GROUP BY m ORDER BY m"),
		b.over("quality of 30 days by hour", "/v1/analytics/quality", benchDays*day, "group_by=hour", total,
			"SELECT toStartOfHour(at) AS h, "+figures+" FROM call_summaries FINAL WHERE "+handWhere+" GROUP BY h ORDER BY h"),
		b.over("quality of 7 days by client and version", "/v1/analytics/quality", 7*day, "group_by=client_version", total,
			"SELECT c, n, uniqExact(call_id), uniqExactIf(call_id, v = 'poor'), "+verdict+joined+", streams.client AS c, streams.client_version AS n WHERE counted AND "+handWhere+" GROUP BY c, n ORDER BY c, n"),
		b.over("heat map of 30 days, hour × client", "/v1/analytics/heatmap", benchDays*day, "y=client",
			"SELECT toHour(at) AS h, c, uniqExact(call_id), uniqExactIf(call_id, v = 'poor'), "+verdict+joined+", streams.client AS c WHERE counted AND "+handWhere+" GROUP BY h, c ORDER BY h, c"),
		b.over("quantiles of jitter, 7 days by hour", "/v1/analytics/quantiles", 7*day, "step=hour", `SELECT hour, quantilesTDigestMerge(0.5, 0.75, 0.9, 0.95, 0.99)(jitter_ms), sum(samples)
			FROM rollup_hour WHERE org = {org:String} AND hour >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND hour < fromUnixTimestamp64Micro({to:Int64}, 'UTC') GROUP BY hour ORDER BY hour`),
		b.over("quantiles of loss, 30 days by day", "/v1/analytics/quantiles", benchDays*day, "step=day&metric=loss_ratio", `SELECT toDate(hour) AS d, quantilesTDigestMerge(0.5, 0.75, 0.9, 0.95, 0.99)(loss_ratio),
			sum(samples) FROM rollup_hour WHERE org = {org:String} AND hour >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND hour < fromUnixTimestamp64Micro({to:Int64}, 'UTC') GROUP BY d ORDER BY d`),
		b.compareQuestion(total), b.codeQuestion(),
	}
	return append(out, b.pageQuestions()...)
}

func (b *analyticsBench) compareQuestion(total string) question {
	return question{name: "comparison of two weeks", at: func(n int) (string, []string, []any) {
		to := b.until.Add(-time.Duration(n) * time.Minute)
		q, week := url.Values{}, 7*24*time.Hour
		for name, at := range map[string]time.Time{"a_from": to.Add(-2 * week), "a_to": to.Add(-week), "b_from": to.Add(-week), "b_to": to} {
			q.Set(name, at.Format(time.RFC3339))
		}
		second := strings.NewReplacer("{from:", "{from2:", "{to:", "{to2:").Replace(total)
		return "/v1/analytics/compare?" + q.Encode(), []string{total, second}, append(b.handArgs(), clickhouse.Named("from", to.Add(-2*week).UnixMicro()),
			clickhouse.Named("to", to.Add(-week).UnixMicro()), clickhouse.Named("from2", to.Add(-week).UnixMicro()), clickhouse.Named("to2", to.UnixMicro()))
	}}
}

// callAt is a call and one of its participants, another one each time.
func (b *analyticsBench) callAt(n int) (call, participant string) {
	c := (n*7919 + 13) % b.calls()
	return b.ids[c%len(b.ids)][0], b.ids[c%len(b.ids)][1]
}

func (b *analyticsBench) codeQuestion() question {
	return question{name: "the call of a support code", at: func(n int) (string, []string, []any) {
		call, participant := b.callAt(n)
		return "/v1/calls?q=" + url.QueryEscape(call+"/"+participant), []string{"SELECT " + handRow + ` FROM call_summaries FINAL WHERE org = {org:String} AND profile = {profile:String}
			AND NOT gone AND call_id = {call:String} AND has(people.participant_id, {participant:UUID})`}, append(b.handArgs(), clickhouse.Named("call", call), clickhouse.Named("participant", participant))
	}}
}

// pageQuestions are those that the page of a call asks.
func (b *analyticsBench) pageQuestions() []question {
	const key = " WHERE org = {org:String} AND call_id = {call:String}"
	// What judging a call takes, at the least: its facts of all tables.
	facts := []string{"SELECT * FROM calls" + key, "SELECT * FROM participants" + key, "SELECT * FROM streams" + key, "SELECT * FROM timeline" + key + " AND kind IN ('diagnostic', 'survey', 'recording', 'operation')"}
	page := func(name, route string, sql ...string) question {
		return question{name: name, page: true, at: func(n int) (string, []string, []any) {
			call, _ := b.callAt(n)
			return fmt.Sprintf(route, call), append(slices.Clone(facts), sql...), append(b.handArgs(), clickhouse.Named("call", call))
		}}
	}
	return []question{
		page("call page: overview", "/v1/calls/%s"),
		page("call page: participants", "/v1/calls/%s/participants"),
		page("call page: streams", "/v1/calls/%s/streams"),
		page("call page: issues", "/v1/calls/%s/issues"),
		page("call page: timeline", "/v1/calls/%s/timeline", "SELECT * FROM timeline"+key+" ORDER BY observed_at LIMIT 501"),
		page("call page: presence", "/v1/calls/%s/presence", "SELECT * FROM timeline"+key+" ORDER BY observed_at"),
		page("call page: samples of all streams", "/v1/calls/%s/samples", `SELECT participant_id, stream_id, direction, intDiv(toUnixTimestamp(observed_at), 4) AS step, avg(jitter_ms), max(jitter_ms),
			avg(loss_ratio), avg(rtt_ms), max(rtt_ms), avg(bitrate_bps) FROM samples`+key+" GROUP BY participant_id, stream_id, direction, step ORDER BY stream_id, step"),
	}
}

// analyticsResult is what was found.
type analyticsResult struct {
	options             analyticsOptions
	machine, clickHouse string
	date                time.Time
	load                string
	filled, summing     time.Duration
	summed              int
	answers             []analyticsAnswer
}

type analyticsAnswer struct {
	name         string
	page         bool
	ours, theirs []time.Duration
	// cost and handCost are the processor time of all of them, of this process and of ClickHouse.
	cost, handCost time.Duration
}

// percentile is the p-th of durations in milliseconds, by the nearest rank.
func percentile(list []time.Duration, p float64) float64 {
	if len(list) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(list))
	return float64(sorted[max(0, int(math.Ceil(p/100*float64(len(sorted))))-1)].Microseconds()) / 1000
}

// markdown is the result as the page on benchmarks shows it.
func (r *analyticsResult) markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("Measured on %s with `go run ./bench -only analytics -samples %d -times %d`: %s, ClickHouse %s (embedded engine), load average %s when it began and %s when it ended.",
		r.date.Format("2 January 2006"), r.options.Samples, r.options.Times, r.machine, r.clickHouse, r.load, loadAverage())
	line("%d samples of %d streams of %d calls over %d days, inserted in %.0f s; %d calls summed up under four profiles in %.0f s (%.0f a second).", r.options.Samples,
		r.options.Samples/samplesPerStream, r.options.Samples/samplesPerStream/streamsPerCall, benchDays, r.filled.Seconds(), r.summed, r.summing.Seconds(),
		float64(r.summed)/r.summing.Seconds())
	line("")
	line("| question | p50, ms | p95, ms | by hand: p50, ms | p95, ms | p50 ratio | processor time, ms | by hand | ratio |")
	line("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, a := range r.answers {
		each := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(max(len(a.ours), 1)) }
		line("| %s | %.1f | %.1f | %.1f | %.1f | %.2f | %.1f | %.1f | %.2f |", a.name, percentile(a.ours, 50), percentile(a.ours, 95), percentile(a.theirs, 50), percentile(a.theirs, 95),
			percentile(a.ours, 50)/percentile(a.theirs, 50), each(a.cost), each(a.handCost), float64(a.cost)/float64(a.handCost))
	}
	return b.String()
}
