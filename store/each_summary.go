package store

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// EachSummary calls do for each call of a filter, with its streams, in order of when it began; what do gets is made anew for each.
func (s *Store) EachSummary(ctx context.Context, f SummaryFilter, do func(*CallSummary) error) error {
	where, args := f.where()
	sql := "SELECT toInt64(0), " + summaryReadColumns + `, '', CAST(people.os AS Array(String)),
			streams.stream_id, streams.participant_id, arrayMap(x -> toString(x), streams.media), arrayMap(x -> toString(x), streams.direction),
			arrayMap(x -> toString(x), streams.verdict), streams.counted, CAST(streams.reason AS Array(String)), CAST(streams.side AS Array(String)),
			CAST(streams.client AS Array(String)), CAST(streams.client_version AS Array(String)), CAST(streams.site AS Array(String)),
			CAST(streams.loss_ratio AS Array(Nullable(Float64))), CAST(streams.jitter_ms AS Array(Nullable(Float64))),
			CAST(streams.rtt_ms AS Array(Nullable(Float64))), CAST(streams.bitrate_bps AS Array(Nullable(Float64)))
		FROM call_summaries FINAL WHERE ` + where + " ORDER BY at, call_id"
	return s.scan(clickhouse.Context(ctx, clickhouse.WithSettings(settings())), "list summaries", sql, func(rows driver.Rows) error {
		c := CallSummary{CallKey: CallKey{Org: f.Org}, Profile: f.Profile}
		more := summaryArrays{}
		var value int64
		if err := c.scan(wider{rows, more.into()}, &value); err != nil {
			return err
		}
		more.fill(&c)
		return do(&c)
	}, args...)
}

// wider has rows scanned into more than the reader of a summary knows of.
type wider struct {
	driver.Rows
	more []any
}

func (w wider) Scan(into ...any) error { return w.Rows.Scan(append(into, w.more...)...) }

// summaryArrays are the columns that lists leave out.
type summaryArrays struct {
	os                                  []string
	ids, participants                   []uuid.UUID
	media, direction, verdict           []string
	counted                             []bool
	reason, side, client, version, site []string
	loss, jitter, rtt, bitrate          []*float64
}

func (a *summaryArrays) into() []any {
	return []any{
		&a.os, &a.ids, &a.participants, &a.media, &a.direction, &a.verdict, &a.counted, &a.reason, &a.side, &a.client, &a.version, &a.site,
		&a.loss, &a.jitter, &a.rtt, &a.bitrate,
	}
}

func (a *summaryArrays) fill(c *CallSummary) {
	for i := range c.People {
		c.People[i].OS = a.os[i]
	}
	for i := range a.ids {
		c.Streams = append(c.Streams, SummaryStream{
			ID: a.ids[i], ParticipantID: a.participants[i], Media: a.media[i], Direction: a.direction[i], Verdict: a.verdict[i], Counted: a.counted[i],
			Reason: a.reason[i], Side: a.side[i], Client: a.client[i], ClientVersion: a.version[i], Site: a.site[i],
			LossRatio: a.loss[i], JitterMs: a.jitter[i], RTTMs: a.rtt[i], BitrateBps: a.bitrate[i],
		})
	}
}
