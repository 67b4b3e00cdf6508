package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// AgentsDay is where decisions of an organisation's agents are kept, which are of no call: all of a day (UTC) together, so that they go together when
// their period is over. The period runs from the day's beginning.
func AgentsDay(org string, at time.Time) (KeptIn, time.Time) {
	day := at.UTC().Truncate(24 * time.Hour)
	return KeptIn{Org: org, CallID: "opa-" + day.Format(time.DateOnly)}, day
}

// InsertAgentDecisions stores decisions that agents tell of, of one organisation, without those that are there already, and returns how many it stored. Two
// that store the same at once may store it twice: what reads them counts it once.
func (s *Store) InsertAgentDecisions(ctx context.Context, list []DecisionInput) (int, error) {
	if len(list) == 0 {
		return 0, nil
	}
	there := map[uuid.UUID]bool{}
	ids, calls := make([]string, len(list)), map[string]bool{}
	for i := range list {
		ids[i], calls[list[i].CallID] = list[i].DecisionID.String(), true
	}
	var of []string
	for call := range calls {
		of = append(of, call)
	}
	err := s.scan(ctx, "look for decisions", `SELECT decision_id FROM decisions
		WHERE org = {org:String} AND call_id IN {calls:Array(String)} AND decision_id IN {ids:Array(UUID)}`, func(rows driver.Rows) error {
		var id uuid.UUID
		err := rows.Scan(&id)
		there[id] = true
		return err
	}, clickhouse.Named("org", list[0].Org), clickhouse.Named("calls", of), clickhouse.Named("ids", ids))
	if err != nil {
		return 0, err
	}
	batch := NewBatch()
	batch.Reset("", 0)
	kept := map[string]bool{}
	for i := range list {
		d := &list[i]
		if there[d.DecisionID] {
			continue
		}
		if !kept[d.CallID] {
			kept[d.CallID] = true
			batch.Kept.Add(Origin{Offset: -1}, Kept{KeptIn: d.KeptIn, Class: ClassDecision, SentAt: d.SentAt})
		}
		batch.Decisions.Add(Origin{Offset: -1}, *d)
	}
	if batch.Len() == 0 {
		return 0, nil
	}
	// Nobody else has the token: what is there is known by its id.
	return batch.Decisions.Len(), s.Insert(ctx, batch, "agents:"+uuid.NewString())
}
