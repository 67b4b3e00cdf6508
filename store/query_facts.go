package store

import (
	"context"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// CallFacts is what is known of a call. "" and nil are not known.
type CallFacts struct {
	CallKey
	Region string
	Source SourceKind
	// Kind is "unknown", "group", "p2p" or "meeting".
	Kind      string
	MeetingID string
	StartedAt *time.Time
	EndedAt   *time.Time
	EndReason string
	// FirstSeen is StartedAt or, where that is not known, the earliest instant anything of the call is known.
	FirstSeen time.Time
}

// ParticipantFacts is what is known of a participant. "" and nil are not known.
type ParticipantFacts struct {
	ID uuid.UUID
	// Identity is 0 where nothing is known of who it is.
	Identity Identity
	// UserID, DisplayName and Network are those of a proven org user, else empty.
	UserID         string
	DisplayName    string
	Network        string
	EndpointType   string
	ClientFamily   string
	ClientVersion  string
	OSFamily       string
	JoinedAt       *time.Time
	LeftAt         *time.Time
	EndCode        string
	EndSubCode     string
	ResultCategory string
}

// Record is all that a call is judged by.
type Record struct {
	CallFacts
	// Participants in order of arrival; also those that only other tables speak of.
	Participants []ParticipantFacts
	// Streams in order of participant, medium, direction and id.
	Streams []StreamFacts
	// Marks are the timeline's diagnostics and surveys, and the operations that failed; oldest first.
	Marks []TimelineEntry
	// Recorded: a recording was made of it.
	Recorded bool
}

// Load reads the records of calls, in the order of keys. A key that nothing speaks of gives nil.
func (r *Reader) Load(ctx context.Context, keys []CallKey) ([]*Record, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	found := make(map[CallKey]*Record, len(keys))
	record := func(k CallKey) *Record {
		if found[k] == nil {
			found[k] = &Record{CallFacts: CallFacts{CallKey: k, Kind: "unknown"}}
		}
		return found[k]
	}
	// All tables at once: what a page of one call waits for is answers, and not work.
	shared := *r
	shared.rows = new(sync.Mutex)
	group, ctx := errgroup.WithContext(ctx)
	for _, load := range []func(context.Context, []CallKey, func(CallKey) *Record) error{
		shared.loadCalls, shared.loadParticipants, shared.loadStreams, shared.loadMarks,
	} {
		group.Go(func() error { return load(ctx, keys, record) })
	}
	if err := group.Wait(); err != nil {
		return nil, err //nolint:wrapcheck // each says what it did
	}
	out := make([]*Record, len(keys))
	for i, k := range keys {
		if found[k] != nil {
			found[k].complete()
			out[i] = found[k]
		}
	}
	return out, nil
}

// loadCalls reads the facts of the calls, and what the timeline says of when and where they were.
func (r *Reader) loadCalls(ctx context.Context, keys []CallKey, record func(CallKey) *Record) error {
	sql := `SELECT org, call_id, max(toString(region)), max(source), ` + knownEnum("kind") + ", " + knownText("meeting_id") + ", " + known("started_at") + ", " +
		known("ended_at") + ", " + knownText("end_reason") + `, min(seen) FROM (
		SELECT org, call_id, region, toInt8(source_kind) AS source, revision, observed_at, _offset, _index, toInt8(kind) AS kind, meeting_id, started_at, ended_at,
			toString(end_reason) AS end_reason, observed_at AS seen FROM calls WHERE ` + keysIn(keys) + `
		UNION ALL SELECT org, call_id, region, toInt8(source_kind) AS source, toUInt32(0) AS revision, observed_at, toInt64(0) AS _offset, toUInt32(0) AS _index,
			toInt8(0) AS kind, '' AS meeting_id, CAST(NULL AS Nullable(DateTime64(6, 'UTC'))) AS started_at,
			CAST(NULL AS Nullable(DateTime64(6, 'UTC'))) AS ended_at, '' AS end_reason, observed_at AS seen
		FROM timeline WHERE ` + keysIn(keys) + ` AND ` + ofCall + `
	) GROUP BY org, call_id`
	return r.query(ctx, "load calls", sql, keyArgs(keys), func(rows driver.Rows) error {
		var key CallKey
		var f CallFacts
		var region string
		var source, kind int8
		var seen time.Time
		if err := rows.Scan(&key.Org, &key.CallID, &region, &source, &kind, &f.MeetingID, &f.StartedAt, &f.EndedAt, &f.EndReason, &seen); err != nil {
			return err
		}
		to := record(key)
		to.Kind, to.MeetingID, to.EndReason = name(kind, "unknown", "group", "p2p", "meeting"), f.MeetingID, f.EndReason
		to.StartedAt, to.EndedAt = utc(f.StartedAt), utc(f.EndedAt)
		to.spokenOf(region, SourceKind(source), seen)
		return nil
	})
}

// spokenOf notes that a row speaks of the call, and of when it does.
func (r *Record) spokenOf(region string, source SourceKind, seen time.Time) {
	r.Region, r.Source = max(r.Region, region), max(r.Source, source)
	if r.FirstSeen.IsZero() || seen.Before(r.FirstSeen) {
		r.FirstSeen = seen.UTC()
	}
}

func (r *Reader) loadParticipants(ctx context.Context, keys []CallKey, record func(CallKey) *Record) error {
	sql := "SELECT org, call_id, participant_id, toInt8(ifNull(argMax(CAST(identity AS Nullable(Int8)), " + newest + "), 0))"
	for _, column := range []string{
		"user_id", "display_name", "endpoint_type", "client_family", "client_version", "os_family", "end_code", "end_sub_code", "result_category",
		"network",
	} {
		sql += ", " + knownText(column)
	}
	sql += ", " + known("joined_at") + ", " + known("left_at") + ", max(toString(region)), max(toInt8(source_kind)), " +
		"min(least(observed_at, ifNull(participants.joined_at, observed_at))) FROM participants WHERE " + keysIn(keys) + " GROUP BY org, call_id, participant_id"
	return r.query(ctx, "load participants", sql, keyArgs(keys), func(rows driver.Rows) error {
		var key CallKey
		var p ParticipantFacts
		var region string
		var identity, source int8
		var seen time.Time
		if err := rows.Scan(&key.Org, &key.CallID, &p.ID, &identity, &p.UserID, &p.DisplayName, &p.EndpointType, &p.ClientFamily, &p.ClientVersion,
			&p.OSFamily, &p.EndCode, &p.EndSubCode, &p.ResultCategory, &p.Network, &p.JoinedAt, &p.LeftAt, &region, &source, &seen); err != nil {
			return err
		}
		p.Identity = Identity(identity)
		if p.Identity != OrgUser {
			p.UserID, p.DisplayName, p.Network = "", "", ""
		}
		p.JoinedAt, p.LeftAt = utc(p.JoinedAt), utc(p.LeftAt)
		to := record(key)
		to.Participants = append(to.Participants, p)
		to.spokenOf(region, SourceKind(source), seen)
		return nil
	})
}
