package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// harm is what must not happen, counted, with examples.
type harm struct {
	lost, doubled, early, held, resurrected int
	// late are what may still come or go: what was acknowledged and isn't there, and bytes of what is proven to be gone that nobody can read. A text that
	// was stored again by a replay is such bytes, until sweeps find it; after some time all of it is lost, and resurrected.
	late     int
	examples map[string][]string
}

func (h *harm) String() string {
	return fmt.Sprintf("lost %d, doubled %d, early %d, held %d, resurrected %d", h.lost, h.doubled, h.early, h.held, h.resurrected)
}

func (h *harm) any() bool { return h.lost+h.doubled+h.early+h.held+h.resurrected > 0 }

// forGood tells of harm that no waiting will mend.
func (h *harm) forGood() bool { return h.doubled+h.early+h.held > 0 || h.lost+h.resurrected > h.late }

// note counts one, and keeps it as an example if there are few yet.
func (h *harm) note(counter *int, of, format string, args ...any) {
	*counter++
	if len(h.examples[of]) < 5 {
		h.examples[of] = append(h.examples[of], fmt.Sprintf(format, args...))
	}
}

// regionNow is all that a region's tables have of an organisation.
type regionNow struct {
	name  string
	store *store.Store
	conn  driver.Conn
	key   []byte
	// retained are the things that are there, by proof.ThingID; evidence is of those that are gone.
	retained map[[32]byte]bool
	evidence map[[32]byte]store.Evidence
	// heads are the newest copies of guests, by guest.
	heads map[uuid.UUID]headNow
	texts map[string]map[uuid.UUID]bool // by class: messages that have a text
}

type headNow struct {
	message uuid.UUID
	sent    time.Time
}

// count looks at everything and compares it with what people were told. moment is the latest that anything was deleted for.
func (l *life) count(ctx context.Context, moment time.Time) (*harm, error) {
	h := &harm{examples: map[string][]string{}}
	home, err := l.regionNow(ctx, "emea", l.f.home)
	if err != nil {
		return nil, err
	}
	far, err := l.regionNow(ctx, "amer", l.f.far)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.countThread(h, home)
	for _, r := range []*regionNow{home, far} {
		l.countCopies(h, r)
		l.countEvidence(h, r, moment)
		if err := r.countDoubled(ctx, h); err != nil {
			return nil, err
		}
	}
	for _, look := range []func(context.Context, *harm, *regionNow) error{l.countEvents, l.countCollected, l.countReadable} {
		if err := look(ctx, h, home); err != nil {
			return nil, err
		}
	}
	h.late += h.lost
	return h, nil
}

func (l *life) regionNow(ctx context.Context, name string, cfg store.Config) (*regionNow, error) {
	conn, err := l.f.connect(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	ledgerConfig := ledger.DefaultConfig()
	ledgerConfig.Dir = l.f.dir + "/ledger"
	of, err := ledger.OpenExisting(ledgerConfig, name, ledger.Deps{})
	if err != nil {
		return nil, err
	}
	r := &regionNow{
		name: name, store: l.f.open(cfg), conn: l.f.connection(cfg), key: of.IDKey(), retained: map[[32]byte]bool{}, evidence: map[[32]byte]store.Evidence{}, heads: map[uuid.UUID]headNow{},
		texts: map[string]map[uuid.UUID]bool{"thread": {}, "copy": {}},
	}
	err = each(ctx, conn, "SELECT toString(class), call_id, item_id, holder_id FROM retained WHERE class IN ('thread', 'copy')", func(rows driver.Rows) error {
		var class, call string
		var item, holder uuid.UUID
		err := rows.Scan(&class, &call, &item, &holder)
		r.retained[r.thing(l.h.org, class, call, item, holder)] = true
		return err
	})
	err = errors.Join(err, each(ctx, conn, "SELECT holder_id, argMax(message_id, sent_at), max(sent_at) FROM copy_heads GROUP BY holder_id", func(rows driver.Rows) error {
		var holder uuid.UUID
		var head headNow
		err := rows.Scan(&holder, &head.message, &head.sent)
		r.heads[holder] = head
		return err
	}))
	err = errors.Join(err, each(ctx, conn, "SELECT DISTINCT toString(class), message_id FROM texts WHERE notEmpty(text)", func(rows driver.Rows) error {
		var class string
		var message uuid.UUID
		err := rows.Scan(&class, &message)
		r.texts[class][message] = true
		return err
	}))
	return r, errors.Join(err, r.store.EachEvidence(ctx, store.ThingFilter{}, func(e *store.Evidence) error { r.evidence[e.CopyID] = *e; return nil }))
}

func (r *regionNow) thing(org, class, call string, item, holder uuid.UUID) [32]byte {
	return proof.ThingID(r.key, proof.Class(class), r.name, org, call, item, holder)
}

// gone is the evidence of a thing; nil without.
func (r *regionNow) gone(thing [32]byte) *store.Evidence {
	if e, ok := r.evidence[thing]; ok {
		return &e
	}
	return nil
}

// countThread looks for each message that was acknowledged.
func (l *life) countThread(h *harm, home *regionNow) {
	for id, m := range l.said {
		thing := home.thing(l.h.org, "thread", m.call, id, uuid.Nil)
		gone := home.gone(thing)
		switch {
		case gone == nil && !home.retained[thing]:
			h.note(&h.lost, "lost", "message %s of %v, meeting %s, is neither in the thread nor gone", id, m.sentAt, m.meeting)
		case gone == nil && !home.texts["thread"][id] && !m.deleted:
			h.note(&h.lost, "lost", "message %s of %v has no text, and no evidence of why", id, m.sentAt)
		case gone != nil && home.texts["thread"][id]:
			h.note(&h.resurrected, "resurrected", "message %s of %v is proven to be gone (%s at %v), and its text is there", id, m.sentAt, gone.Why, gone.PurgedAt)
			h.late++
		case gone != nil && gone.Why == "retracted" && !m.deleted:
			h.note(&h.early, "early", "message %s of %v is gone as deleted by its author, who did no such thing", id, m.sentAt)
		}
	}
	for meeting, there := range l.held {
		for id := range there {
			if !home.texts["thread"][id] {
				h.note(&h.held, "held", "message %s of meeting %s was there when a hold had been placed, and its text isn't any more", id, meeting)
			}
		}
	}
}

// countCopies looks for the newest copy of each guest.
func (l *life) countCopies(h *harm, r *regionNow) {
	for holder, s := range l.shown {
		if s.region != r.name {
			continue
		}
		head, ok := r.heads[holder]
		if !ok || head.sent.Truncate(time.Millisecond).Before(s.last) {
			h.note(&h.lost, "lost", "a guest of meeting %s in %s was shown a message of %v, its newest copy is of %v", s.meeting, r.name, s.last, head.sent)
			continue
		}
		newest := r.thing(l.h.org, "copy", s.call, head.message, holder)
		if gone := r.gone(newest); gone == nil && !r.retained[newest] {
			h.note(&h.lost, "lost", "the newest copy (%v) of a guest of meeting %s in %s is neither there nor gone", head.sent, s.meeting, r.name)
		} else if gone != nil && gone.Why == "superseded" {
			h.note(&h.early, "early", "the newest copy (%v) of a guest of meeting %s in %s is gone as superseded", head.sent, s.meeting, r.name)
		}
	}
}

// countEvidence looks at what is gone: whether it had to be, and whether a hold covered it.
func (l *life) countEvidence(h *harm, r *regionNow, moment time.Time) {
	for _, e := range r.evidence {
		if e.Class != "thread" && e.Class != "copy" {
			continue
		}
		due := e.SentAt.Add(24 * time.Hour)
		// When it was purged says nothing: a batch that a killed sweep ahead of time had begun is ended by the service's own sweeper, by its clock of today.
		if e.Why == "due" && (due.After(moment) || e.DueAt == nil || !e.DueAt.Equal(due) || e.HiddenAt.Before(due)) {
			h.note(&h.early, "early", "a %s of %v in %s was due at %v, hidden at %v and purged at %v", e.Class, e.SentAt, r.name, e.DueAt, e.HiddenAt, e.PurgedAt)
		}
		if there, held := l.held[e.MeetingID.String()]; held && len(there) == 0 {
			h.note(&h.held, "held", "a %s of %v in %s of a meeting that was held from the start is gone", e.Class, e.SentAt, r.name)
		}
	}
}

// countDoubled looks for rows that are there more than once.
func (r *regionNow) countDoubled(ctx context.Context, h *harm) error {
	var errs []error
	for what, query := range map[string]string{
		"things":     "SELECT toInt64(count() - uniqExact(class, call_id, item_id, holder_id, revision_of)) FROM retained WHERE class IN ('thread', 'copy')",
		"texts":      "SELECT toInt64(count() - uniqExact(class, message_id, revised_at)) FROM texts",
		"evidence":   "SELECT toInt64(count()) FROM (SELECT copy_id FROM evidence GROUP BY copy_id HAVING uniqExact(batch_id) > 1)",
		"chat acts":  "SELECT toInt64(count() - uniqExact(call_id, operation_id, value)) FROM timeline WHERE kind = 'chat' AND value = 'sent'",
		"samples":    "SELECT toInt64(count() - uniqExact(call_id, stream_id, observed_at, direction)) FROM samples",
		"rows":       "SELECT toInt64(count() - uniqExact(_topic, _partition, _offset, _index)) FROM timeline",
		"joins":      "SELECT toInt64(count()) FROM (SELECT participant_id FROM participants WHERE joined_at IS NOT NULL GROUP BY call_id, participant_id HAVING uniqExact(joined_at) > 1)",
		"unreadable": "SELECT toInt64(count()) FROM dead_letters",
	} {
		var n int64
		if err := r.conn.QueryRow(ctx, query).Scan(&n); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", query, err))
		}
		if n > 0 {
			h.note(&h.doubled, "doubled", "%d %s in %s", n, what, r.name)
			h.doubled += int(n) - 1
		}
	}
	return errors.Join(errs...)
}

// countEvents looks for what analytics have to know: who was let in, and what was said (not what it was).
func (l *life) countEvents(ctx context.Context, h *harm, home *regionNow) error {
	joined, acts := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	err := errors.Join(
		each(ctx, home.conn, "SELECT DISTINCT participant_id FROM participants WHERE joined_at IS NOT NULL", keyInto(joined)),
		each(ctx, home.conn, "SELECT DISTINCT operation_id FROM timeline WHERE kind = 'chat' AND value = 'sent'", keyInto(acts)),
	)
	for id, call := range l.joined {
		if !joined[id] {
			h.note(&h.lost, "lost", "participant %s was let into call %s, and isn't known", id, call)
		}
	}
	for id, m := range l.said {
		if !acts[id] {
			h.note(&h.lost, "lost", "message %s of %v is in no timeline", id, m.sentAt)
		}
	}
	return err
}

// countCollected looks for the intervals of calls of other systems.
func (l *life) countCollected(ctx context.Context, h *harm, home *regionNow) error {
	samples := map[string]uint64{}
	err := each(ctx, home.conn, "SELECT call_id, count() FROM samples WHERE source_kind != 'media' GROUP BY call_id", func(rows driver.Rows) error {
		var call string
		var n uint64
		err := rows.Scan(&call, &n)
		samples[call] = n
		return err
	})
	for call := range l.collected {
		switch n := samples[call]; {
		case n < collectedSamples:
			h.note(&h.lost, "lost", "of call %s, which was told to be understood, %d of %d intervals are there", call, n, collectedSamples)
		case n > collectedSamples:
			h.note(&h.doubled, "doubled", "of call %s %d intervals are there, %d were sent", call, n, collectedSamples)
		}
	}
	return err
}

// countReadable reads threads as reports do: nothing that is proven to be gone may be among it.
func (l *life) countReadable(ctx context.Context, h *harm, home *regionNow) error {
	meetings := map[string]bool{}
	for _, m := range l.said {
		meetings[m.meeting] = true
	}
	reader := store.NewReader(home.store, store.QueryLimits{})
	for id := range meetings {
		list, err := reader.ThreadMessages(ctx, l.h.org, uuid.MustParse(id), time.Now(), nil, 1_000_000)
		if err != nil {
			return err
		}
		for i := range list {
			if gone := home.gone(home.thing(l.h.org, "thread", list[i].CallID, list[i].MessageID, uuid.Nil)); gone != nil {
				h.note(&h.resurrected, "resurrected", "message %s of %v is proven to be gone, and can be read", list[i].MessageID, list[i].SentAt)
			}
		}
	}
	return nil
}

func keyInto(into map[uuid.UUID]bool) func(driver.Rows) error {
	return func(rows driver.Rows) error {
		var id uuid.UUID
		err := rows.Scan(&id)
		into[id] = true
		return err
	}
}

// each calls do for each row of a query.
func each(ctx context.Context, conn driver.Conn, query string, do func(driver.Rows) error) error {
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := do(rows); err != nil {
			return fmt.Errorf("%s: %w", query, err)
		}
	}
	return rows.Err()
}

// connect connects to a region's database.
func (f *crew) connect(cfg store.Config) (driver.Conn, error) {
	return clickhouse.Open(&clickhouse.Options{Addr: cfg.Addresses, Auth: clickhouse.Auth{Database: cfg.Database, Username: cfg.Username, Password: cfg.Password}})
}

// connection is connect until the test ends.
func (f *crew) connection(cfg store.Config) driver.Conn {
	f.t.Helper()
	conn, err := f.connect(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// texts are the messages of a meeting's thread that have their text.
func (f *crew) texts(ctx context.Context, meeting string) (map[uuid.UUID]bool, error) {
	conn, err := f.connect(f.home)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	out := map[uuid.UUID]bool{}
	return out, each(ctx, conn, "SELECT DISTINCT message_id FROM texts WHERE class = 'thread' AND notEmpty(text) AND meeting_id = '"+meeting+"'", keyInto(out))
}

// report fails the test with examples of harm.
func (h *harm) report(t *testing.T) {
	t.Helper()
	for _, of := range slices.Sorted(maps.Keys(h.examples)) {
		t.Errorf("%s, such as:\n  %s", of, strings.Join(h.examples[of], "\n  "))
	}
}
