package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// changedKinds are the control rows whose changes are told: what decides how long things are kept and who may see them, and who had them exported.
func changedKinds() []string {
	return []string{evidence.KindPolicy, evidence.KindHold, "organization", "resource", KindExport, KindAccess}
}

// changeRow is one change: who, what, before, after.
type changeRow struct {
	What    string    `parquet:"what,dict"`
	ID      string    `parquet:"id"`
	Version int64     `parquet:"version"`
	Action  string    `parquet:"action,dict"`
	By      string    `parquet:"by,dict"`
	At      time.Time `parquet:"at,timestamp(microsecond)"`
	Before  *string   `parquet:"before"`
	After   *string   `parquet:"after"`
}

func (r *changeRow) value() ([]byte, error) {
	raw := func(s *string) json.RawMessage {
		if s == nil {
			return nil
		}
		return json.RawMessage(*s)
	}
	return compact(struct {
		Schema  int             `json:"schema"`
		What    string          `json:"what"`
		ID      string          `json:"id"`
		Version int64           `json:"version"`
		Action  string          `json:"action"`
		By      string          `json:"by"`
		At      proof.Time      `json:"at"`
		Before  json.RawMessage `json:"before"`
		After   json.RawMessage `json:"after"`
	}{proof.Schema, r.What, r.ID, r.Version, r.Action, r.By, proof.Time(r.At), raw(r.Before), raw(r.After)})
}

// toldLeaf is a value that was put into the log, by the id of its leaf.
type toldLeaf struct {
	id    string
	value []byte
}

// changeLog gathers changes, which are few, so that the log can be written from the first that it has a leaf of.
type changeLog struct {
	rows   []*changeRow
	leaves []toldLeaf
	seen   map[string]bool
}

// changes writes the changes of policies, holds, settings and exports, and what the log has of them.
func (d *draft) changes(ctx context.Context) error {
	q := &d.job.Request
	found := changeLog{seen: make(map[string]bool)}
	err := d.region.Home.EachChange(ctx, d.job.Org, changedKinds(), q.From, q.To, func(c *store.Change) error { return found.add(c, d.region.Name) })
	if err != nil {
		return fmt.Errorf("read changes: %w", err)
	}
	indices, err := d.indices(ctx, found.leaves)
	if err != nil {
		return err
	}
	first := d.m.Log.Size
	for _, index := range indices {
		first = min(first, index)
	}
	if err := d.writeLog(ctx, first, nil); err != nil {
		return err
	}
	t, err := newTable[changeRow](d)
	if err != nil {
		return err
	}
	for _, row := range found.rows {
		value, err := row.value()
		if err == nil {
			err = t.add(value, nil, row)
		}
		if err != nil {
			t.abandon()
			return err
		}
	}
	for _, leaf := range found.leaves {
		var index *uint64
		if at, ok := indices[leaf.id]; ok {
			index = &at
		}
		if err := t.line(leaf.value, index); err != nil {
			t.abandon()
			return err
		}
	}
	return t.done()
}

// add takes a change.
func (l *changeLog) add(c *store.Change, region string) error {
	if err := l.addLeaves(c, region); err != nil {
		return err
	}
	if c.Author == Service {
		return nil // how far a job is, is no change that anybody made
	}
	row, err := newChangeRow(c)
	if err != nil {
		return err
	}
	l.rows = append(l.rows, row)
	return nil
}

// addLeaves takes what the region's log has of a change.
func (l *changeLog) addLeaves(c *store.Change, region string) error {
	if change, ok := evidence.Change(&c.Control); ok {
		value, err := change.Canonical()
		l.leaves = append(l.leaves, toldLeaf{change.LeafID(), value})
		return err //nolint:wrapcheck // it says what it did
	}
	if c.Kind != KindExport || c.Deleted {
		return nil
	}
	job, err := parseJob(c.Control)
	if err != nil {
		return err
	}
	part := job.Parts[region]
	if part == nil || part.Approval == nil || l.seen[part.Approval.ID] {
		return nil
	}
	l.seen[part.Approval.ID] = true
	l.leaves = append(l.leaves, toldLeaf{part.Approval.ID, part.Approval.Value})
	return nil
}

// indices finds where leaves are in the log, as far as the checkpoint covers them.
func (d *draft) indices(ctx context.Context, leaves []toldLeaf) (map[string]uint64, error) {
	out := make(map[string]uint64, len(leaves))
	for some := range slices.Chunk(leaves, idsAtOnce) {
		ids := make([]string, len(some))
		for i, leaf := range some {
			ids[i] = leaf.id
		}
		found, err := d.region.Store.LedgerEntries(ctx, ids)
		if err != nil {
			return nil, fmt.Errorf("find leaves: %w", err)
		}
		for id, entry := range found {
			if entry.Index < d.m.Log.Size {
				out[id] = entry.Index
			}
		}
	}
	return out, nil
}

func newChangeRow(c *store.Change) (*changeRow, error) {
	row := &changeRow{What: c.Kind, ID: c.ID, Version: int64(c.Version), By: c.Author, At: c.At, Action: "changed"} //nolint:gosec // versions count from 1
	var err error
	if len(c.Before) > 0 {
		row.Before, err = shown(c.Before)
	} else {
		row.Action = "made"
	}
	if err != nil {
		return nil, err
	}
	if c.Deleted {
		row.Action = "deleted"
		return row, nil
	}
	row.After, err = shown(c.Value)
	return row, err
}

// hiddenFields never leave a control row.
func hiddenFields() []string {
	return []string{"secret", "password", "token", "private_key", "client_secret"}
}

// shown is a control row's value without secrets, compact.
func shown(value json.RawMessage) (*string, error) {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("read control row: %w", err)
	}
	text, err := compact(withoutSecrets(v))
	if err != nil {
		return nil, err
	}
	out := string(text)
	return &out, nil
}

func withoutSecrets(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if text, ok := inner.(string); ok && text != "" && slices.Contains(hiddenFields(), name) {
				v[name] = "(hidden)"
				continue
			}
			v[name] = withoutSecrets(inner)
		}
	case []any:
		for i := range v {
			v[i] = withoutSecrets(v[i])
		}
	}
	return v
}
