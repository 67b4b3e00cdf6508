package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// KeptKey is what one retention decision is about: all things of a class of a meeting and, for copies, of a resource's guests.
type KeptKey struct {
	Org       string
	MeetingID uuid.UUID
	// Class is "thread", "copy", "recording", "notice" or "decision".
	Class string
	// ResourceID is zero for what is no copy.
	ResourceID uuid.UUID
}

// RetentionDecision is how long the things of a key are kept.
type RetentionDecision struct {
	KeptKey
	// PeriodS is seconds from sending; nil: for good.
	PeriodS *int64
	// Held: a hold covers them. ReleasedAt is when the last hold that did was released; nil if none ever was.
	Held       bool
	ReleasedAt *time.Time
	// RuleID and what follows: as proof.AppliedAs has it.
	RuleID           string
	RuleVersion      uint64
	Reason, Revision string
	// Basis is a digest of what was decided; never 0.
	Basis     uint64
	DecidedAt time.Time
	// Seq orders the decisions of a key; the highest counts.
	Seq uint64
}

// Decided is what is known of the newest decision of a key; zero for none.
type Decided struct {
	KeptKey
	Basis, Seq uint64
}

// chunk is how many meetings one query names.
const chunk = 1000

// PutRetentionDecisions stores decisions. They count as soon as it returns.
func (s *Store) PutRetentionDecisions(ctx context.Context, list []RetentionDecision) error {
	const action = "store retention decisions"
	if len(list) == 0 {
		return nil
	}
	batch, err := s.conn.PrepareBatch(clickhouse.Context(ctx, clickhouse.WithSettings(repeated(settings()))), `INSERT INTO retention_decisions
		(org, meeting_id, class, resource_id, period_s, held, released_at, rule_id, rule_version, reason, revision, basis, decided_at, seq)`)
	if err != nil {
		return wrap(action, err)
	}
	for i := range list {
		d := &list[i]
		err := batch.Append(d.Org, d.MeetingID, d.Class, d.ResourceID, d.PeriodS, d.Held, d.ReleasedAt, d.RuleID, d.RuleVersion, d.Reason, d.Revision,
			d.Basis, d.DecidedAt, d.Seq)
		if err != nil {
			_ = batch.Abort()
			return fmt.Errorf("%s: %w", action, err)
		}
	}
	return wrap(action, batch.Send())
}

// EachDecided calls do once for each key of an organisation that was decided on and, if kept is set, for each of which things are kept besides. With
// meetings, of those only.
func (s *Store) EachDecided(ctx context.Context, org string, meetings []uuid.UUID, kept bool, do func(Decided) error) error {
	return inChunks(meetings, func(some []uuid.UUID) error {
		where, args := ofMeetings(org, some)
		query := `SELECT meeting_id, class, resource_id, argMax(basis, seq) AS was, max(seq) AS newest FROM retention_decisions WHERE ` + where + `
			GROUP BY meeting_id, class, resource_id`
		if kept {
			query = `SELECT meeting_id, class, resource_id, max(was), max(newest) FROM (` + query + `
				UNION ALL SELECT meeting_id, class, resource_id, 0 AS was, 0 AS newest FROM retained WHERE ` + where + ` GROUP BY meeting_id, class, resource_id
			) GROUP BY meeting_id, class, resource_id`
		}
		d := Decided{KeptKey: KeptKey{Org: org}}
		return s.scan(ctx, "read what is decided", query, func(rows driver.Rows) error {
			if err := rows.Scan(&d.MeetingID, &d.Class, &d.ResourceID, &d.Basis, &d.Seq); err != nil {
				return err
			}
			return do(d)
		}, args...)
	})
}

// KeptOrgs lists the organisations of which things are kept, or were decided on.
func (s *Store) KeptOrgs(ctx context.Context) ([]string, error) {
	var orgs []string
	err := s.scan(ctx, "list organisations with things", `
		SELECT DISTINCT org FROM (SELECT DISTINCT org FROM retained UNION ALL SELECT DISTINCT org FROM retention_decisions) ORDER BY org`,
		func(rows driver.Rows) error {
			var org string
			err := rows.Scan(&org)
			orgs = append(orgs, org)
			return err
		})
	return orgs, err
}

// KeptSince lists the keys of things that came since a moment, by the server's clock.
func (s *Store) KeptSince(ctx context.Context, since time.Time) ([]KeptKey, error) {
	var keys []KeptKey
	err := s.scan(ctx, "look for new things", `
		SELECT DISTINCT org, meeting_id, class, resource_id FROM retained WHERE inserted_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')`,
		func(rows driver.Rows) error {
			var k KeptKey
			err := rows.Scan(&k.Org, &k.MeetingID, &k.Class, &k.ResourceID)
			keys = append(keys, k)
			return err
		}, clickhouse.Named("since", micros(since)))
	return keys, err
}

// Attended is that a user of an organisation was in a meeting.
type Attended struct {
	Org       string
	MeetingID uuid.UUID
	UserID    string
}

// AttendedSince lists who was in which meeting, as far as it came to be known since a moment, by the server's clock. Of the home region.
func (s *Store) AttendedSince(ctx context.Context, since time.Time) ([]Attended, error) {
	var out []Attended
	err := s.scan(ctx, "look for new attendance", `
		SELECT DISTINCT org, meeting_id, user_id FROM attendance WHERE inserted_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')`,
		func(rows driver.Rows) error {
			var a Attended
			err := rows.Scan(&a.Org, &a.MeetingID, &a.UserID)
			out = append(out, a)
			return err
		}, clickhouse.Named("since", micros(since)))
	return out, err
}

// EachAttendance calls do for each meeting of an organisation, once, with the users of the organisation who were ever in it, in order. With meetings, for
// those of them only that any user was in. do must not keep users. Of the home region.
func (s *Store) EachAttendance(ctx context.Context, org string, meetings []uuid.UUID, do func(meeting uuid.UUID, users []string) error) error {
	return inChunks(meetings, func(some []uuid.UUID) error {
		where, args := ofMeetings(org, some)
		var meeting uuid.UUID
		var users []string
		return s.scan(ctx, "read attendance", `
			SELECT meeting_id, arraySort(groupUniqArray(user_id)) FROM attendance WHERE `+where+` GROUP BY meeting_id`,
			func(rows driver.Rows) error {
				if err := rows.Scan(&meeting, &users); err != nil {
					return err
				}
				return do(meeting, users)
			}, args...)
	})
}

// MeetingsOfUsers lists the meetings that any of some users of an organisation was ever in. Of the home region.
func (s *Store) MeetingsOfUsers(ctx context.Context, org string, users []string) ([]uuid.UUID, error) {
	var out []uuid.UUID
	err := s.scan(ctx, "find meetings of users", `
		SELECT DISTINCT meeting_id FROM attendance WHERE org = {org:String} AND user_id IN {users:Array(String)}`,
		func(rows driver.Rows) error {
			var id uuid.UUID
			err := rows.Scan(&id)
			out = append(out, id)
			return err
		}, clickhouse.Named("org", org), clickhouse.Named("users", users))
	return out, err
}

// ofMeetings is the condition that a row is of one of some meetings of an organisation; none means all.
func ofMeetings(org string, meetings []uuid.UUID) (string, []any) {
	if len(meetings) == 0 {
		return "org = {org:String}", []any{clickhouse.Named("org", org)}
	}
	ids := make([]string, len(meetings))
	for i, id := range meetings {
		ids[i] = id.String()
	}
	return "org = {org:String} AND meeting_id IN {meetings:Array(UUID)}",
		[]any{clickhouse.Named("org", org), clickhouse.Named("meetings", ids)}
}

// inChunks calls do with some meetings at a time; once with none if there are none, which means all.
func inChunks(meetings []uuid.UUID, do func([]uuid.UUID) error) error {
	if len(meetings) == 0 {
		return do(nil)
	}
	for some := range slices.Chunk(meetings, chunk) {
		if err := do(some); err != nil {
			return err
		}
	}
	return nil
}
