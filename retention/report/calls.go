package report

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// Rows of calls come from their summaries, in which guests are Anonymous (rule D2) and those of calls that run are left out (rule D3).

// callRow is one call.
type callRow struct {
	CallID        string     `json:"call_id" parquet:"call_id"`
	MeetingID     string     `json:"meeting" parquet:"meeting,dict"`
	Kind          string     `json:"call_kind" parquet:"call_kind,dict"`
	State         string     `json:"state" parquet:"state,dict"`
	Region        string     `json:"region" parquet:"region,dict"`
	StartedAt     *time.Time `json:"-" parquet:"started_at,timestamp(microsecond)"`
	EndedAt       *time.Time `json:"-" parquet:"ended_at,timestamp(microsecond)"`
	DurationMs    *int64     `json:"duration_ms" parquet:"duration_ms"`
	EndReason     string     `json:"end_reason" parquet:"end_reason,dict"`
	Participants  int64      `json:"participants" parquet:"participants"`
	Anonymous     int64      `json:"anonymous" parquet:"anonymous"`
	Verdict       string     `json:"verdict" parquet:"verdict,dict"`
	Reason        string     `json:"reason" parquet:"reason,dict"`
	Side          string     `json:"likely_side" parquet:"likely_side,dict"`
	Good          int64      `json:"good_streams" parquet:"good_streams"`
	Poor          int64      `json:"poor_streams" parquet:"poor_streams"`
	Unknown       int64      `json:"unknown_streams" parquet:"unknown_streams"`
	Issues        int64      `json:"issues" parquet:"issues"`
	SetupFailures int64      `json:"setup_failures" parquet:"setup_failures"`
	Drops         int64      `json:"drops" parquet:"drops"`
	Rating        string     `json:"rating" parquet:"rating,dict"`
	Recorded      bool       `json:"recorded" parquet:"recorded"`
}

func (r *callRow) value() ([]byte, error) {
	return compact(struct {
		Schema int `json:"schema"`
		*callRow
		StartedAt *proof.Time `json:"started_at"`
		EndedAt   *proof.Time `json:"ended_at"`
	}{proof.Schema, r, evidence.Moment(r.StartedAt), evidence.Moment(r.EndedAt)})
}

// participantRow is one participant of a call. UserID and Site are org users' only.
type participantRow struct {
	CallID        string `json:"call_id" parquet:"call_id"`
	ParticipantID string `json:"participant_id" parquet:"participant_id"`
	Participant   string `json:"participant" parquet:"participant"`
	UserID        string `json:"user_id" parquet:"user_id"`
	Client        string `json:"client" parquet:"client,dict"`
	ClientVersion string `json:"client_version" parquet:"client_version,dict"`
	OS            string `json:"os" parquet:"os,dict"`
	Site          string `json:"site" parquet:"site,dict"`
}

func (r *participantRow) value() ([]byte, error) {
	return compact(struct {
		Schema int `json:"schema"`
		*participantRow
	}{proof.Schema, r})
}

// streamRow is one stream of a call. What isn't known is null.
type streamRow struct {
	CallID        string   `json:"call_id" parquet:"call_id"`
	StreamID      string   `json:"stream_id" parquet:"stream_id"`
	ParticipantID string   `json:"participant_id" parquet:"participant_id"`
	Participant   string   `json:"participant" parquet:"participant"`
	Media         string   `json:"media" parquet:"media,dict"`
	Direction     string   `json:"direction" parquet:"direction,dict"`
	Counted       bool     `json:"counted" parquet:"counted"`
	Verdict       string   `json:"verdict" parquet:"verdict,dict"`
	Reason        string   `json:"reason" parquet:"reason,dict"`
	Side          string   `json:"likely_side" parquet:"likely_side,dict"`
	Client        string   `json:"client" parquet:"client,dict"`
	ClientVersion string   `json:"client_version" parquet:"client_version,dict"`
	Site          string   `json:"site" parquet:"site,dict"`
	LossRatio     *float64 `json:"loss_ratio" parquet:"loss_ratio"`
	JitterMs      *float64 `json:"jitter_ms" parquet:"jitter_ms"`
	RTTMs         *float64 `json:"rtt_ms" parquet:"rtt_ms"`
	BitrateBps    *float64 `json:"bitrate_bps" parquet:"bitrate_bps"`
}

func (r *streamRow) value() ([]byte, error) {
	return compact(struct {
		Schema int `json:"schema"`
		*streamRow
	}{proof.Schema, r})
}

// calls writes the rows of a report of calls, of their participants or of their streams.
func (d *draft) calls(ctx context.Context) error {
	switch d.job.Request.Kind {
	case Participants:
		return ofSummaries(ctx, d, func(c *store.CallSummary, add func(*participantRow) error) error {
			var errs []error
			for i := range c.People {
				p := &c.People[i]
				errs = append(errs, add(&participantRow{
					CallID: c.CallID, ParticipantID: evidence.ID(p.ID), Participant: p.Label, UserID: p.UserID, Client: p.Client, ClientVersion: p.ClientVersion,
					OS: p.OS, Site: p.Site,
				}))
			}
			return errors.Join(errs...)
		}, (*participantRow).value)
	case Streams:
		return ofSummaries(ctx, d, streamsOf, (*streamRow).value)
	}
	return ofSummaries(ctx, d, func(c *store.CallSummary, add func(*callRow) error) error {
		return add(&callRow{
			CallID: c.CallID, MeetingID: c.MeetingID, Kind: c.Kind, State: c.State, Region: c.Region, StartedAt: c.StartedAt, EndedAt: c.EndedAt,
			DurationMs: c.DurationMs, EndReason: c.EndReason, Participants: int64(c.Participants), Anonymous: int64(c.Anonymous), Verdict: c.Verdict,
			Reason: c.TopMetric, Side: c.Side, Good: int64(c.Good), Poor: int64(c.Poor), Unknown: int64(c.Unknown), Issues: int64(c.Issues),
			SetupFailures: int64(c.SetupFailures), Drops: int64(c.Drops), Rating: c.Rating, Recorded: c.Recorded,
		})
	}, (*callRow).value)
}

func streamsOf(c *store.CallSummary, add func(*streamRow) error) error {
	labels := make(map[string]string, len(c.People))
	for i := range c.People {
		labels[evidence.ID(c.People[i].ID)] = c.People[i].Label
	}
	var errs []error
	for i := range c.Streams {
		s := &c.Streams[i]
		who := evidence.ID(s.ParticipantID)
		label := labels[who]
		if label == "" { // known by its stream only
			label = "Anonymous"
		}
		errs = append(errs, add(&streamRow{
			CallID: c.CallID, StreamID: evidence.ID(s.ID), ParticipantID: who, Participant: label, Media: s.Media, Direction: s.Direction,
			Counted: s.Counted, Verdict: s.Verdict, Reason: s.Reason, Side: s.Side, Client: s.Client, ClientVersion: s.ClientVersion, Site: s.Site,
			LossRatio: s.LossRatio, JitterMs: s.JitterMs, RTTMs: s.RTTMs, BitrateBps: s.BitrateBps,
		}))
	}
	return errors.Join(errs...)
}

// ofSummaries writes a table of rows that are made of the calls that were asked for.
func ofSummaries[T any](ctx context.Context, d *draft, rows func(*store.CallSummary, func(*T) error) error, value func(*T) ([]byte, error)) error {
	filter, err := d.summaryFilter()
	if err != nil {
		return err
	}
	t, err := newTable[T](d)
	if err != nil {
		return err
	}
	err = d.region.Store.EachSummary(ctx, filter, func(c *store.CallSummary) error {
		return rows(c, func(row *T) error {
			text, err := value(row)
			if err != nil {
				return err
			}
			return t.add(text, nil, row)
		})
	})
	if err != nil {
		t.abandon()
		return fmt.Errorf("read calls: %w", err)
	}
	return t.done()
}

// summaryFilter is the request as call analytics takes it; it was checked when it was asked for.
func (d *draft) summaryFilter() (store.SummaryFilter, error) {
	q, f := &d.job.Request, d.job.Request.Filter
	out := store.SummaryFilter{
		Org: d.job.Org, From: q.From, To: q.To, MeetingID: q.Meeting, Profile: f.Profile, Source: store.ParseSourceKind(f.Source), Kind: f.CallKind, State: f.State,
		Verdict: f.Verdict, Reason: f.Reason, Side: f.Side, Client: f.Client, ClientVersion: f.ClientVersion, Region: f.Region, Site: f.Site, User: f.User,
		Label: f.Label, Text: f.Text, Tag: f.Tag, Recorded: f.Recorded, MinDuration: seconds(f.MinDurationS), MaxDuration: seconds(f.MaxDurationS),
		HourOfDay: f.HourOfDay, Weekday: f.Weekday, Zone: f.Zone,
	}
	if f.Subnet == "" {
		return out, nil
	}
	var err error
	if out.Subnet, err = store.ReadSubnet(f.Subnet); err != nil {
		return out, fmt.Errorf("read subnet: %w", err)
	}
	return out, nil
}

func seconds(n *int64) *time.Duration {
	if n == nil {
		return nil
	}
	out := time.Duration(*n) * time.Second
	return &out
}
