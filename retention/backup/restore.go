package backup

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/migrations"
	"github.com/anteroom/anteroom/retention/journal"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// Steps are what other parts do with the restored tables, which in names, before anybody else may see them.
type Steps struct {
	// Idle fails while anybody ingests into the region.
	Idle func(context.Context) error
	// Ingest has the region's ingest begin at positions, and returns once all that Kafka had then is stored; and what Kafka had no more.
	Ingest func(ctx context.Context, in store.Config, from []store.Position) ([]Lost, error)
	// Decide makes the decisions about periods anew.
	Decide func(ctx context.Context, in store.Config) error
	// Sweep hides and purges all that has to be gone, and fails unless it is; it returns how many things were purged.
	Sweep func(ctx context.Context, in store.Config, j *journal.Journal) (uint64, error)
	// Told is called with what is being done. May be nil.
	Told func(what string)
}

// Lost are records that Kafka dropped before they were restored.
type Lost struct {
	store.Position
	Records int64 `json:"records"`
}

// From is what a restore works with.
type From struct {
	Region
	// Journal is the folder of the region's journal.
	Journal string
	// Ledger tells the region's ledger: how many leaves its log has.
	Ledger func(context.Context) (uint64, error)
	// IDKey makes things' ids (proof.ThingID).
	IDKey []byte
	Steps Steps
}

// Restored is what came of a restore.
type Restored struct {
	Region string    `json:"region"`
	Name   string    `json:"name"`
	MadeAt time.Time `json:"made_at"`
	// Journal is how many rows came from the journal, by table.
	Journal map[string]uint64 `json:"journal_rows"`
	// Returned are things that had come back and were gone before; Purged is what the sweep purged, those among them.
	Returned uint64 `json:"returned"`
	Purged   uint64 `json:"purged"`
	// Lost are records that Kafka had no more.
	Lost []Lost `json:"lost"`
}

var (
	// ErrJournal: the journal doesn't reach back to the backup.
	ErrJournal = errors.New("the journal in the ledger's folder can't tell what was deleted since the backup")
	// ErrOtherRegion: the backup is of another region or database.
	ErrOtherRegion = errors.New("the backup is of another region")
	// ErrLedger: the ledger is older than the backup.
	ErrLedger = errors.New("the ledger is older than the backup: bring back the newest copy of its folder")
)

// Restore replaces the region's tables by those of a backup, and by what came since. Until it has succeeded the region is out of service; where it failed or
// was cut short, call it again. Rows that are there are lost only if replace says so: else it fails with store.ErrNotEmpty, before it changes anything.
func Restore(ctx context.Context, f From, name string, replace bool) (Restored, error) {
	if f.Steps.Told == nil {
		f.Steps.Told = func(string) {}
	}
	r := &restore{From: f, out: Restored{Region: f.Name, Name: name, Journal: map[string]uint64{}, Lost: []Lost{}}}
	err := r.run(ctx, name, replace)
	if err != nil {
		err = fmt.Errorf("restore region %s: %w", f.Name, err)
	}
	return r.out, err
}

// restore is one go.
type restore struct {
	From
	manifest Manifest
	out      Restored
	// store has the restored tables.
	store   *store.Store
	journal *journal.Journal
}

func (r *restore) run(ctx context.Context, name string, replace bool) (err error) {
	if err := r.check(ctx, name); err != nil {
		return err
	}
	if r.store, err = store.Open(r.ClickHouse.Restored()); err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	defer r.store.Close()
	if err := r.takeJournal(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.journal.Close()) }()
	r.Steps.Told("taking the region out of service")
	if err := store.BeginRestore(ctx, r.ClickHouse, replace); err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	for _, step := range []struct {
		told string
		do   func(context.Context) error
	}{
		{"restoring tables", func(ctx context.Context) error { return store.RestoreTables(ctx, r.ClickHouse, r.Destination, name) }},
		{"updating tables", r.migrate},
		{"reading the journal", r.replay},
		{"ingesting what Kafka has since", r.ingest},
		{"looking for what came back", r.bury},
		{"deciding about periods", func(ctx context.Context) error { return r.Steps.Decide(ctx, r.ClickHouse.Restored()) }},
		{"deleting what has to be gone", r.sweep},
	} {
		r.Steps.Told(step.told)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.told, err)
		}
	}
	if err := r.store.Close(); err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	r.Steps.Told("putting the region into service")
	return store.EndRestore(ctx, r.ClickHouse) //nolint:wrapcheck // the store says what it did
}

// check makes sure of all that can be known before anything is changed.
func (r *restore) check(ctx context.Context, name string) error {
	if err := r.Steps.Idle(ctx); err != nil {
		return err
	}
	row, err := store.ReadBackup(ctx, r.ClickHouse, r.Destination, name)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	if r.manifest, err = parseManifest(row.Manifest); err != nil {
		return err
	}
	m := r.manifest
	r.out.MadeAt = m.StartedAt
	if m.Region != r.Name || m.Database != r.ClickHouse.Database {
		return fmt.Errorf("%w: %s, database %s", ErrOtherRegion, m.Region, m.Database)
	}
	newest, err := migrations.Newest()
	if err != nil {
		return err //nolint:wrapcheck // it says what it did
	}
	if m.SchemaVersion > newest {
		return fmt.Errorf("%w: its tables are at version %d, the program knows up to %d", migrations.ErrAhead, m.SchemaVersion, newest)
	}
	about, err := journal.ReadAbout(r.Journal)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrJournal, err)
	case about.ID != m.Journal:
		return fmt.Errorf("%w: the backup was made with journal %s, in %s is %s", ErrJournal, m.Journal, r.Journal, about.ID)
	case about.Begins.After(m.StartedAt):
		return fmt.Errorf("%w: it begins at %s, the backup at %s; backups that have expired can't be restored", ErrJournal,
			about.Begins.Format(time.RFC3339), m.StartedAt.Format(time.RFC3339))
	}
	size, err := r.Ledger(ctx)
	if err != nil {
		return fmt.Errorf("look at the ledger: %w", err)
	}
	if size < m.Ledger {
		return fmt.Errorf("%w: it has %d leaves, the backup knows of %d", ErrLedger, size, m.Ledger)
	}
	// All of it can be read, before anything depends on it.
	return journal.Read(r.Journal, r.since(), func(store.RowText) error { return nil }) //nolint:wrapcheck // it says what it did
}

// since is from when the journal has what the backup may not have. The clocks of who writes the two may differ.
func (r *restore) since() time.Time { return r.manifest.StartedAt.Add(-time.Hour) }

// takeJournal keeps others from writing the journal, and has it take over what is in the tables that are to be replaced, if they are there.
func (r *restore) takeJournal(ctx context.Context) (err error) {
	old, err := store.Open(r.ClickHouse)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	defer old.Close()
	if old.Ping(ctx) == nil {
		j, err := journal.Open(r.Journal, journal.Deps{Store: old, Region: r.Name, Log: r.Log, Alone: true})
		if err != nil {
			return err //nolint:wrapcheck // it says what it did
		}
		// What fails is no reason to stop: perhaps the tables are to be replaced because they can't be read.
		if err := errors.Join(j.Follow(ctx), j.Hidden(ctx)); err != nil {
			r.log().WarnContext(ctx, "what came last into the tables that are to be replaced is not in the journal", "region", r.Name, "error", err)
		}
		if err := j.Close(); err != nil {
			return err //nolint:wrapcheck // it says what it did
		}
	}
	r.journal, err = journal.Open(r.Journal, journal.Deps{Store: r.store, Region: r.Name, Log: r.Log, Alone: true})
	return err //nolint:wrapcheck // it says what it did
}

func (r *restore) migrate(ctx context.Context) error {
	_, err := store.Migrate(ctx, r.ClickHouse.Restored())
	return err //nolint:wrapcheck // the store says what it did
}

// replay puts the journal's rows into the tables, and makes both agree.
func (r *restore) replay(ctx context.Context) error {
	err := journal.Read(r.Journal, r.since(), func(rows store.RowText) error {
		added, err := r.store.PutCopied(ctx, rows)
		r.out.Journal[rows.Table] += added
		return err //nolint:wrapcheck // the store says what it did
	})
	if err != nil {
		return err //nolint:wrapcheck // it says what it did
	}
	if _, err := r.store.GiveUpProven(ctx); err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	if err := r.store.DropUnproven(ctx); err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	if err := r.store.EndSweeper(ctx); err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	return r.store.KeepReplacedTexts(ctx) //nolint:wrapcheck // the store says what it did
}

func (r *restore) ingest(ctx context.Context) (err error) {
	from, err := r.store.Cut(ctx, r.manifest.Positions, r.manifest.StartedAt)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	r.out.Lost, err = r.Steps.Ingest(ctx, r.ClickHouse.Restored(), from)
	if r.out.Lost == nil {
		r.out.Lost = []Lost{}
	}
	return err
}

// buryAtOnce is how many things are in memory at once, about.
const buryAtOnce = 1_000_000

// bury writes tombstones of all that has evidence: whatever came back, by the backup or out of Kafka, is unreadable with that, and goes.
func (r *restore) bury(ctx context.Context) error {
	days, err := r.store.DaysKept(ctx)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	for _, of := range days {
		parts := of.Rows/buryAtOnce + 1
		for part := range parts {
			n, err := r.buryDay(ctx, of.Day, func(id proof.Hash) bool { return binary.BigEndian.Uint64(id[:8])%parts == part })
			r.out.Returned += n
			if err != nil {
				return err
			}
		}
	}
	return r.store.DropStrayHidden(ctx) //nolint:wrapcheck // the store says what it did
}

// buryDay buries what was sent on a day, of the things of some ids.
func (r *restore) buryDay(ctx context.Context, day time.Time, ids func(proof.Hash) bool) (uint64, error) {
	now := r.now()
	kept := map[proof.Hash]store.Tombstone{}
	err := r.store.EachArrived(ctx, time.Time{}, day, func(t *store.Thing) error {
		id := proof.ThingID(r.IDKey, proof.Class(t.Class), r.Name, t.Org, t.CallID, t.ItemID, t.HolderID)
		if ids(id) {
			kept[id] = store.Tombstone{Class: t.Class, Org: t.Org, CallID: t.CallID, ItemID: t.ItemID, HolderID: t.HolderID, SentAt: t.SentAt, BuriedAt: now}
		}
		return nil
	})
	if err != nil {
		return 0, err //nolint:wrapcheck // the store says what it did
	}
	var stones []store.Tombstone
	err = r.store.EachEvidence(ctx, store.ThingFilter{From: day, To: day.AddDate(0, 0, 1)}, func(e *store.Evidence) error {
		if stone, ok := kept[e.CopyID]; ok {
			stones = append(stones, stone)
		}
		return nil
	})
	if err != nil {
		return 0, err //nolint:wrapcheck // the store says what it did
	}
	return uint64(len(stones)), r.store.PutTombstones(ctx, stones) //nolint:wrapcheck // the store says what it did
}

func (r *restore) sweep(ctx context.Context) (err error) {
	r.out.Purged, err = r.Steps.Sweep(ctx, r.ClickHouse.Restored(), r.journal)
	return err
}
