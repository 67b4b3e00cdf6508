package backup_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/backup"
	"github.com/anteroom/anteroom/retention/journal"
	"github.com/anteroom/anteroom/store"
)

// told is a word that no file has but those that have the text.
func told(what string) string { return "canary-" + what + "-" + uuid.NewString() }

// lives are messages whose lives go on after the backup.
type lives struct {
	due, superseded, newest, retracted, edited, stays, held string
	now                                                     time.Time
}

// gone are the texts that may be nowhere any more, once all is swept.
func (l *lives) gone() []string {
	return []string{l.due + " in the thread", l.due + " as a copy", l.superseded + " as a copy", l.retracted + " in the thread", l.edited + " in the thread"}
}

// begin keeps messages and makes a backup of them.
func (p *place) begin(name string) *lives {
	p.t.Helper()
	l := &lives{
		due: told("due"), superseded: told("superseded"), newest: told("newest"), retracted: told("retracted"), edited: told("edited"), stays: told("stays"),
		held: told("held"), now: noon.Add(48 * time.Hour),
	}
	dueMeeting := uuid.MustParse("11111111-0000-8000-8000-000000000003")
	p.periods = []period{
		{Class: "thread", Meeting: meeting},
		{Class: "copy", Meeting: meeting, Resource: resource, Days: 30},
		{Class: "thread", Meeting: dueMeeting, Days: 30},
		{Class: "copy", Meeting: dueMeeting, Resource: resource, Days: 30},
		{Class: "thread", Meeting: heldMeeting, Days: 30},
	}
	p.decide()
	p.say(dueMeeting, 1, noon, l.due, true)
	p.say(meeting, 2, noon, l.superseded, true)
	p.say(meeting, 3, noon.Add(time.Second), l.retracted, false)
	p.say(meeting, 4, noon.Add(2*time.Second), l.edited, false)
	p.say(meeting, 5, noon.Add(3*time.Second), l.stays, false)
	p.say(heldMeeting, 6, noon, l.held, false)
	if n := p.sweep(noon.Add(time.Minute)); n != 0 {
		p.t.Errorf("%d things were purged too early", n)
	}
	p.settle()
	p.make(name)
	return l
}

// goOn lets time pass: what was to go goes, and is proven.
func (p *place) goOn(l *lives) {
	p.t.Helper()
	dueMeeting := p.periods[2].Meeting
	p.periods[2].Days, p.periods[3].Days = 1, 1
	p.periods[4].Days, p.periods[4].Held = 1, true
	p.decide()
	p.say(meeting, 7, noon.Add(time.Hour), l.newest, true)
	p.retract(meeting, 3, noon.Add(time.Hour))
	p.text("thread", meeting, message(4), noon.Add(2*time.Second), noon.Add(time.Hour), l.edited+" anew")
	p.sweep(l.now)
	p.settle()
	p.fsck()
	// Periods get longer again, and holds are released: what was hidden stays so.
	p.periods[2].Days, p.periods[3].Days, p.periods[4].Days = 0, 3650, 3650
	p.decide()
	p.follow()
	if got := append(p.readable(dueMeeting, l.now), p.readable(heldMeeting, l.now)...); len(got) > 0 {
		p.t.Errorf("before the loss %q can be read", got)
	}
	if got := p.found(p.data, l.gone()...); len(got) > 0 {
		p.t.Errorf("before the loss there are bytes of %q", got)
	}
}

// after wants what was gone to be gone after a restore, and the rest as it was when the backup began.
func (p *place) after(l *lives, evidence map[[32]byte]string) {
	p.t.Helper()
	p.start()
	p.settle()
	p.fsck()
	if got := append(p.readable(p.periods[2].Meeting, l.now), p.readable(heldMeeting, l.now)...); len(got) > 0 {
		p.t.Errorf("%q can be read again", got)
	}
	// The newest copy's text, and that of the edit, came after the backup; so did the copy's head, but what it replaced is known to be gone.
	want := []string{l.superseded + " in the thread", l.stays + " in the thread"}
	if diff := cmp.Diff(want, p.readable(meeting, l.now)); diff != "" {
		p.t.Errorf("readable (-want +got):\n%s", diff)
	}
	if got := p.found(p.data, l.gone()...); len(got) > 0 {
		p.t.Errorf("there are bytes of %q", got)
	}
	if got := p.found(p.data, l.held+" in the thread", l.stays+" in the thread"); len(got) != 2 {
		p.t.Errorf("the search finds %q only", got)
	}
	if diff := cmp.Diff(evidence, p.evidence()); diff != "" {
		p.t.Errorf("evidence (-before +after):\n%s", diff)
	}
	if n := p.sql.Count("SELECT toUInt64(count() - uniqExact(copy_id)) FROM evidence"); n > 0 {
		p.t.Errorf("%d rows of evidence are double", n)
	}
	if n := p.sql.Count("SELECT count() FROM hidden"); n != 1 { // what is held
		p.t.Errorf("%d things are hidden, want 1", n)
	}
	// Released, it goes.
	p.periods[4].Held = false
	p.decide()
	if n := p.sweep(l.now); n != 1 {
		p.t.Errorf("%d things were purged after the release", n)
	}
	p.settle()
	p.fsck()
}

func (p *place) lose() {
	p.t.Helper()
	p.stop()
	system := p.cfg
	system.Database = "system"
	s, err := store.Open(system)
	if err != nil {
		p.t.Fatal(err)
	}
	defer s.Close()
	p.sql.Exec("DROP DATABASE " + p.cfg.Database + " SYNC")
}

// TestRule_R6_NothingComesBackByARestore: the tables are lost, and restored from before what was deleted, hidden, replaced and held.
func TestRule_R6_NothingComesBackByARestore(t *testing.T) {
	p := newPlace(t)
	l := p.begin("before")
	if got := p.found(p.backups, l.gone()...); len(got) != len(l.gone()) {
		t.Fatalf("the search finds %q only in the backup", got)
	}
	p.goOn(l)
	evidence := p.evidence()
	p.lose()
	restored, err := backup.Restore(t.Context(), p.from(l.now), "before", false)
	if err != nil {
		t.Fatal(err)
	}
	if restored.Returned == 0 || restored.Purged != 0 {
		t.Errorf("%+v", restored)
	}
	t.Logf("%+v", restored)
	p.after(l, evidence)
}

// TestRestoreIsContinuedWhereverItWasKilled kills the process that restores at each of its steps: the region stays out of service until one succeeds.
func TestRestoreIsContinuedWhereverItWasKilled(t *testing.T) {
	p := newPlace(t)
	l := p.begin("before")
	p.goOn(l)
	evidence := p.evidence()
	p.stop()
	if _, err := backup.Restore(t.Context(), p.from(l.now), "before", false); !errors.Is(err, store.ErrNotEmpty) {
		t.Fatalf("over rows: %v", err)
	}
	s := p.setup()
	s.Now = l.now
	steps := 1
	for ; !p.killed(s, steps); steps++ {
		if _, err := store.MigrationStatus(t.Context(), p.cfg); err == nil && steps > 2 || err != nil && !errors.Is(err, store.ErrRestoring) {
			t.Errorf("killed at step %d: %v", steps, err)
		}
	}
	if steps < 8 {
		t.Errorf("it was killed at %d steps only", steps-1)
	}
	p.after(l, evidence)
}

func TestRestoreRefusesWhatItCantMakeSafe(t *testing.T) {
	p := newPlace(t)
	p.begin("good")
	p.stop()
	f := p.from(noon)
	want := func(what string, want error, f backup.From, name string) {
		t.Helper()
		if _, err := backup.Restore(t.Context(), f, name, true); !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	want("another name", store.ErrNoBackup, f, "bad")
	other := f
	other.Name = "amer"
	want("another region", backup.ErrOtherRegion, other, "good")
	other = f
	other.Ledger = func(context.Context) (uint64, error) { return 0, nil }
	want("an older ledger", backup.ErrLedger, other, "good")
	other = f
	other.Journal = t.TempDir()
	want("no journal", backup.ErrJournal, other, "good")
	j, err := journal.Open(other.Journal, journal.Deps{Store: p.store, Region: region})
	if err != nil {
		t.Fatal(err)
	}
	want("another journal", backup.ErrJournal, other, "good")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	busy := errors.New("somebody ingests")
	other = f
	other.Steps.Idle = func(context.Context) error { return busy }
	want("ingest", busy, other, "good")
	if j, err = journal.Open(p.journalDir(), journal.Deps{Store: p.store, Region: region}); err != nil {
		t.Fatal(err)
	}
	want("the role retention", journal.ErrLocked, f, "good")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(p.journalDir(), "*.rows"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(files[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	want("a damaged journal", journal.ErrDamaged, f, "good")
	if _, err := store.MigrationStatus(t.Context(), p.cfg); err != nil {
		t.Errorf("what was refused has changed something: %v", err)
	}
}

// TestExpiredBackupsGo: they are called gone once ClickHouse doesn't find them, and not before.
func TestExpiredBackupsGo(t *testing.T) {
	p := newPlace(t)
	r := p.region()
	r.Keep = time.Hour
	for i, name := range []string{"a", "b"} {
		r.Now = func() time.Time { return noon.Add(time.Duration(i) * time.Hour) }
		if _, err := backup.Make(t.Context(), r, name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := backup.Make(t.Context(), r, "a"); !errors.Is(err, store.ErrBackupExists) {
		t.Errorf("a name twice: %v", err)
	}
	r.Now = func() time.Time { return noon.Add(90 * time.Minute) }
	wants := func(remove func(string) error, gone, overdue int) {
		t.Helper()
		got, err := backup.Prune(t.Context(), r, remove)
		if err != nil || len(got.Gone) != gone || len(got.Overdue) != overdue {
			t.Errorf("%+v, %v", got, err)
		}
	}
	wants(nil, 0, 1)
	remove := func(name string) error { return os.RemoveAll(filepath.Join(p.backups, name)) }
	wants(remove, 1, 0)
	wants(remove, 0, 0)
	last, err := p.store.LastBackup(t.Context(), time.Time{})
	if err != nil || last.Name != "b" {
		t.Errorf("last %+v, %v", last, err)
	}
	// The name is free again, and the new backup isn't taken for the old one.
	r.Keep = 100 * time.Hour
	if _, err := backup.Make(t.Context(), r, "a"); err != nil {
		t.Fatal(err)
	}
	r.Now = func() time.Time { return noon.Add(50 * time.Hour) }
	wants(remove, 1, 0) // b
	if last, err = p.store.LastBackup(t.Context(), time.Time{}); err != nil || last.Name != "a" {
		t.Errorf("last %+v, %v", last, err)
	}
}
