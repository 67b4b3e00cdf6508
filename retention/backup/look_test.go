package backup_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/store"
)

// fsck wants ledger and tables to agree.
func (p *place) fsck() {
	p.t.Helper()
	checked, err := p.ledger.Fsck(p.t.Context(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range checked.Findings {
		p.t.Errorf("fsck: %v", f)
	}
	if checked.Waiting > 0 {
		p.t.Errorf("fsck: %d leaves wait", checked.Waiting)
	}
}

// evidence is what is gone, by copy id: nonce and batch.
func (p *place) evidence() map[[32]byte]string {
	p.t.Helper()
	out := map[[32]byte]string{}
	err := p.store.EachEvidence(p.t.Context(), store.ThingFilter{}, func(e *store.Evidence) error {
		out[e.CopyID] = fmt.Sprintf("%x %s", e.Nonce, e.BatchID)
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// readable are the texts that can be read in the thread of a meeting, or as the guest's copy.
func (p *place) readable(in uuid.UUID, now time.Time) []string {
	p.t.Helper()
	r := store.NewReader(p.store, store.QueryLimits{})
	all, err := r.ThreadMessages(p.t.Context(), org, in, now, nil, 100)
	if err != nil {
		p.t.Fatal(err)
	}
	out := []string{}
	for _, m := range all {
		out = append(out, string(m.Content))
	}
	copied, err := r.Copy(p.t.Context(), store.HolderKey{CallKey: store.CallKey{Org: org, CallID: call}, MeetingID: in, HolderID: guest}, now)
	if err == nil {
		out = append(out, string(copied.Content))
	} else if !errors.Is(err, store.ErrNotFound) {
		p.t.Fatal(err)
	}
	return out
}

// found are those of some texts that a byte search finds in a folder's files.
func (p *place) found(folder string, words ...string) []string {
	p.t.Helper()
	out := []string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil //nolint:nilerr // the engine removes files meanwhile
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		for _, word := range words {
			if bytes.Contains(content, []byte(word)) && !slices.Contains(out, word) {
				out = append(out, word)
			}
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}
