package store

import (
	"context"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// LiveFilter says which calls are live.
type LiveFilter struct {
	Org string
	// Now is the instant that everything else counts from.
	Now time.Time
	// Ended is for how long a call stays after its end, and Open how long one that has not ended may have gone on: what began before is left over.
	Ended, Open time.Duration
	// Newest is the length of the window by which a running call is judged, and Long that of the window, up to its end, for one that has ended.
	Newest, Long time.Duration
	// Limit of calls, the newest first.
	Limit int
}

// LiveRecords are the calls of own media that run, or ended lately, with what samples say of them within their windows. They have org users only:
// a guest is in none of the rows that are read, nor is anything that an org user received, since a guest may have made it, and a call without an org user
// isn't here (rule D3). Streams are made of samples alone.
func (r *Reader) LiveRecords(ctx context.Context, f LiveFilter) ([]*Record, error) {
	keys, err := r.liveCalls(ctx, f)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	found := make(map[CallKey]*Record, len(keys))
	record := func(k CallKey) *Record {
		if found[k] == nil {
			found[k] = &Record{CallFacts: CallFacts{CallKey: k, Kind: "unknown"}}
		}
		return found[k]
	}
	for _, load := range []func(context.Context, []CallKey, func(CallKey) *Record) error{r.loadCalls, r.loadParticipants} {
		if err := load(ctx, keys, record); err != nil {
			return nil, err
		}
	}
	keys = slices.DeleteFunc(keys, func(k CallKey) bool {
		record(k).Participants = slices.DeleteFunc(record(k).Participants, func(p ParticipantFacts) bool { return p.Identity != OrgUser })
		return len(record(k).Participants) == 0
	})
	if len(keys) == 0 {
		return nil, nil
	}
	if err := r.loadLive(ctx, f, keys, found); err != nil {
		return nil, err
	}
	out := make([]*Record, len(keys))
	for i, k := range keys {
		out[i] = found[k]
		out[i].complete()
	}
	return out, nil
}

// liveCalls lists them, the newest first.
func (r *Reader) liveCalls(ctx context.Context, f LiveFilter) ([]CallKey, error) {
	sql := `SELECT call_id, ifNull(argMax(started_at, ` + newest + `), min(observed_at)) AS began, argMax(ended_at, ` + newest + `) AS ended
		FROM calls WHERE org = {org:String} AND source_kind = 'media' AND observed_at >= fromUnixTimestamp64Micro({open:Int64}, 'UTC')
		GROUP BY call_id
		HAVING ended IS NULL AND began >= fromUnixTimestamp64Micro({open:Int64}, 'UTC') OR ended >= fromUnixTimestamp64Micro({ended:Int64}, 'UTC')
		ORDER BY began DESC, call_id LIMIT {limit:UInt64}`
	var out []CallKey
	err := r.query(ctx, "list live calls", sql, []any{
		clickhouse.Named("org", f.Org), clickhouse.Named("open", micros(f.Now.Add(-f.Open))), clickhouse.Named("ended", micros(f.Now.Add(-f.Ended))),
		clickhouse.Named("limit", uint64(max(f.Limit, 0))),
	}, func(rows driver.Rows) error {
		key := CallKey{Org: f.Org}
		var began time.Time
		var ended *time.Time
		if err := rows.Scan(&key.CallID, &began, &ended); err != nil {
			return err
		}
		out = append(out, key)
		return nil
	})
	return out, err
}

// loadLive reads what samples say of what the participants that the records have sent, each call within its window.
func (r *Reader) loadLive(ctx context.Context, f LiveFilter, keys []CallKey, found map[CallKey]*Record) error {
	var calls, people []string
	var from, to []int64
	earliest := f.Now
	for _, k := range keys {
		begin, end := f.Now.Add(-f.Newest), f.Now
		if ended := found[k].EndedAt; ended != nil {
			begin, end = ended.Add(-f.Long), *ended
		}
		if begin.Before(earliest) {
			earliest = begin
		}
		calls, from, to = append(calls, k.CallID), append(from, micros(begin)), append(to, micros(end.Add(time.Minute)))
		for i := range found[k].Participants {
			people = append(people, found[k].Participants[i].ID.String())
		}
	}
	sql := `SELECT call_id, participant_id, stream_id, way, max(media_), max(codec_), min(at), max(at), sum(packets), sum(packets_lost), sum(bytes), ` + sampledFigures() + `
	FROM (SELECT call_id, participant_id, stream_id, toInt8(direction) AS way, observed_at AS at, max(toInt8(media)) AS media_,
			max(toString(codec)) AS codec_, greatest(interval_ms, 1) AS weight, ` + mergedSample + `
		FROM samples WHERE org = {org:String} AND call_id IN {calls:Array(String)} AND participant_id IN {people:Array(UUID)} AND direction = 'outbound'
			AND observed_at >= fromUnixTimestamp64Micro({earliest:Int64}, 'UTC')
			AND observed_at BETWEEN fromUnixTimestamp64Micro(transform(call_id, {calls:Array(String)}, {from:Array(Int64)}, toInt64(0)), 'UTC')
				AND fromUnixTimestamp64Micro(transform(call_id, {calls:Array(String)}, {to:Array(Int64)}, toInt64(0)), 'UTC')
		GROUP BY call_id, participant_id, stream_id, way, at)
	GROUP BY call_id, participant_id, stream_id, way`
	args := []any{
		clickhouse.Named("org", f.Org), clickhouse.Named("calls", calls), clickhouse.Named("people", people), clickhouse.Named("from", from),
		clickhouse.Named("to", to), clickhouse.Named("earliest", micros(earliest)),
	}
	return r.query(ctx, "load live streams", sql, args, func(rows driver.Rows) error {
		key := CallKey{Org: f.Org}
		s := StreamFacts{Partial: true, Counted: true}
		var direction, media int8
		var first, last time.Time
		var packets, bytes uint64
		var lost int64
		into := []any{&key.CallID, &s.ParticipantID, &s.ID, &direction, &media, &s.Codec, &first, &last, &packets, &lost, &bytes}
		if err := rows.Scan(s.scanFigures(into)...); err != nil {
			return err
		}
		to := found[key]
		// Ids of participants are random and of one call; that of another call's is nobody here.
		if to == nil || !to.has(s.ParticipantID) {
			return nil
		}
		s.setEnums(int8(to.Source), direction, media)
		s.StartedAt, s.EndedAt = utc(&first), utc(&last)
		s.Packets, s.PacketsLost, s.Bytes = &packets, &lost, &bytes
		to.Streams = append(to.Streams, s)
		return nil
	})
}

// has tells whether the record has a participant.
func (r *Record) has(id uuid.UUID) bool {
	return slices.ContainsFunc(r.Participants, func(p ParticipantFacts) bool { return p.ID == id })
}
