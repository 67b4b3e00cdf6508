package ledger_test

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/retention/evidence"
	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

const fsckLeaves = 302

// proven puts a batch of three things, which were stored and are gone, into tables and outbox.
func proven(t *testing.T, s *store.Store, raw driver.Conn, l *ledger.Ledger) {
	t.Helper()
	stored, deleted := uuid.UUID{1}, uuid.UUID{2}
	began := proof.NewBatch(proof.LeafStored, region, stored.String())
	ended := proof.NewBatch(proof.LeafDeleted, region, deleted.String())
	for i := range 3 {
		id := [32]byte{byte(i)}
		sent := startOfTime.Add(time.Duration(i) * time.Minute)
		do(t, raw, `INSERT INTO stored_things (copy_id, class, org, call_id, sent_at, batch_id, position)
			VALUES (unhex($1), 'copy', 'contoso', 'call', $2, $3, $4)`, proofHex(id), sent, stored, uint32(i))
		do(t, raw, `INSERT INTO evidence (copy_id, nonce, class, org, call_id, sent_at, hidden_at, purged_at, why, rule_id, batch_id)
			VALUES (unhex($1), unhex('000102030405060708090a0b0c0d0e0f'), 'copy', 'contoso', 'call', $2, $2, $2, 'due', 'default', $3)`, proofHex(id), sent, deleted)
		thing := evidence.Thing(region, &store.StoredThing{CopyID: id, Class: "copy", Org: "contoso", SentAt: sent})
		if err := began.Stored(&thing); err != nil {
			t.Fatal(err)
		}
	}
	err := s.EachEvidenceByBatch(t.Context(), func(e *store.Evidence) error {
		row := evidence.Row(region, e)
		return ended.Deleted(&row)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range []*proof.Batch{began, ended} {
		leaf, err := batch.Leaf(startOfTime)
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, &leaf)
	}
	putNamed(t, raw, "a", fsckLeaves-2)
	appendAll(t, l, s)
}

func proofHex(id [32]byte) string { return hex.EncodeToString(id[:]) }

// TestFsckFindsDamage plants one damage after the other.
func TestFsckFindsDamage(t *testing.T) {
	s, cfg := storetest.NewConfig(t)
	dir, raw := t.TempDir(), connect(t, cfg)
	l := open(t, dir, s)
	proven(t, s, raw, l)
	wantClean(t, l, fsckLeaves)

	for name, c := range map[string]struct {
		// file of the log is altered by change; nil removes it.
		file   string
		change func([]byte) []byte
		// do and undo are statements.
		do, undo string
		want     ledger.FindingKind
		// forgotten leaves are no damage.
		forgotten uint64
	}{
		"checkpoint altered":    {file: "checkpoint", change: flip(20), want: ledger.WrongCheckpoint},
		"checkpoint missing":    {file: "checkpoint", want: ledger.WrongCheckpoint},
		"checkpoint of another": {file: "checkpoint", change: func([]byte) []byte { return anothersCheckpoint(t) }, want: ledger.WrongCheckpoint},
		"leaf altered":          {file: "tile/entries/000", change: flip(100), want: ledger.WrongLeaf},
		"leaves cut off":        {file: "tile/entries/000", change: func(b []byte) []byte { return b[:1000] }, want: ledger.WrongTree},
		"leaves missing":        {file: "tile/entries/000", want: ledger.WrongTree},
		"hash altered":          {file: "tile/0/000", change: flip(1000), want: ledger.WrongTree},
		"hashes missing":        {file: "tile/0/000", want: ledger.WrongTree},
		"upper hash altered":    {file: "tile/1/000.p/1", change: flip(3), want: ledger.WrongTree},
		"entry at another index": {
			do:   "ALTER TABLE ledger_entries UPDATE log_index = 11 WHERE id = 'a3'",
			undo: "ALTER TABLE ledger_entries UPDATE log_index = 5 WHERE id = 'a3'", want: ledger.WrongEntry,
		},
		"entry with another hash": {
			do:   "ALTER TABLE ledger_entries UPDATE leaf_hash = unhex('ff') WHERE id = 'a3'",
			undo: "ALTER TABLE ledger_entries UPDATE leaf_hash = (SELECT leaf_hash FROM ledger_entries_kept WHERE id = 'a3') WHERE id = 'a3'", want: ledger.WrongEntry,
		},
		"entry beyond the log": {
			do:   "INSERT INTO ledger_entries VALUES ('x', 5000, unhex('ff'), now64(6))",
			undo: "ALTER TABLE ledger_entries DELETE WHERE id = 'x'", want: ledger.WrongEntry,
		},
		"entry missing": {
			do:   "ALTER TABLE ledger_entries DELETE WHERE id = 'a3'",
			undo: "INSERT INTO ledger_entries SELECT * FROM ledger_entries_kept WHERE id = 'a3'", want: ledger.WrongEntry,
		},
		"outbox leaf altered": {
			do:   "ALTER TABLE ledger_outbox UPDATE leaf = replaceOne(leaf, 'contoso', 'fabrikam') WHERE id = 'a3'",
			undo: "ALTER TABLE ledger_outbox UPDATE leaf = replaceOne(leaf, 'fabrikam', 'contoso') WHERE id = 'a3'", want: ledger.WrongOutbox,
		},
		"outbox leaf missing": {
			do:   "ALTER TABLE ledger_outbox DELETE WHERE id = 'a3'",
			undo: "INSERT INTO ledger_outbox SELECT * FROM ledger_outbox_kept WHERE id = 'a3'", forgotten: 1,
		},
		"evidence altered": {
			do:   "ALTER TABLE evidence UPDATE purged_at = purged_at + 1 WHERE copy_id = unhex('" + proofHex([32]byte{1}) + "')",
			undo: "ALTER TABLE evidence UPDATE purged_at = purged_at - 1 WHERE copy_id = unhex('" + proofHex([32]byte{1}) + "')", want: ledger.WrongBatch,
		},
		"evidence missing": {
			do:   "ALTER TABLE evidence DELETE WHERE copy_id = unhex('" + proofHex([32]byte{1}) + "')",
			undo: "INSERT INTO evidence SELECT * FROM evidence_kept WHERE copy_id = unhex('" + proofHex([32]byte{1}) + "')", want: ledger.WrongBatch,
		},
		"evidence of no leaf": {
			do: `INSERT INTO evidence (copy_id, nonce, class, org, call_id, sent_at, hidden_at, purged_at, why, batch_id)
				VALUES (unhex('ff'), unhex('00'), 'copy', 'contoso', 'call', now(), now(), now(), 'due', generateUUIDv4())`,
			undo: "ALTER TABLE evidence DELETE WHERE copy_id = toFixedString(unhex('ff'), 32)", want: ledger.WrongBatch,
		},
		"stored thing altered": {
			do:   "ALTER TABLE stored_things UPDATE class = 'thread' WHERE copy_id = unhex('" + proofHex([32]byte{2}) + "')",
			undo: "ALTER TABLE stored_things UPDATE class = 'copy' WHERE copy_id = unhex('" + proofHex([32]byte{2}) + "')", want: ledger.WrongBatch,
		},
		"stored batch missing": {
			do:   "ALTER TABLE stored_things DELETE WHERE 1",
			undo: "INSERT INTO stored_things SELECT * FROM stored_things_kept", want: ledger.WrongBatch,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.do != "" {
				for _, table := range []string{"ledger_entries", "ledger_outbox", "evidence", "stored_things"} {
					do(t, raw, "CREATE TABLE IF NOT EXISTS "+table+"_kept AS "+table)
					do(t, raw, "TRUNCATE TABLE "+table+"_kept")
					do(t, raw, "INSERT INTO "+table+"_kept SELECT * FROM "+table)
				}
				do(t, raw, c.do)
				defer do(t, raw, c.undo)
			} else {
				path := filepath.Join(dir, region, "log", c.file)
				content, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := os.WriteFile(path, content, 0o600); err != nil {
						t.Fatal(err)
					}
				}()
				if c.change == nil {
					err = os.Remove(path)
				} else {
					err = os.WriteFile(path, c.change(append([]byte(nil), content...)), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			checked, err := l.Fsck(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if checked.Forgotten != c.forgotten {
				t.Errorf("%d leaves are forgotten, want %d", checked.Forgotten, c.forgotten)
			}
			if c.want == "" && len(checked.Findings) == 0 {
				return
			}
			if len(checked.Findings) == 0 || checked.Findings[0].Kind != c.want {
				t.Errorf("findings are %v, want %s first", checked.Findings, c.want)
			}
		})
	}
	wantClean(t, l, fsckLeaves)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Fsck(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a look that was ended says %v", err)
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[at] ^= 1
		return b
	}
}

// anothersCheckpoint is a good one, of another log of the same name.
func anothersCheckpoint(t *testing.T) []byte {
	t.Helper()
	s := storetest.New(t)
	l := open(t, t.TempDir(), s)
	put(t, s, leaf("a"))
	appendAll(t, l, s)
	text, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return text
}
