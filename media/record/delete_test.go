package record_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/record"
)

func TestDeleteRemovesOneRecordingAndNothingElse(t *testing.T) {
	r, dir := recorder(t, nil)
	kept := start(t, r)
	_, keptManifest := stop(t, r, kept)
	gone := start(t, r)
	if err := r.Delete(t.Context(), "contoso", call, gone.ID()); !errors.Is(err, record.ErrLive) {
		t.Errorf("while it runs: %v", err)
	}
	_, m := stop(t, r, gone)
	for range 2 { // again: it is gone already
		if err := r.Delete(t.Context(), m.Organization, m.CallID, m.RecordingID); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, m.Organization, m.CallID.String(), m.RecordingID.String())); !os.IsNotExist(err) {
			t.Errorf("its folder: %v", err)
		}
	}
	if _, err := r.Manifest(keptManifest.Organization, keptManifest.CallID, keptManifest.RecordingID); err != nil {
		t.Errorf("the other recording: %v", err)
	}
	if err := r.Delete(t.Context(), "../outside", uuid.New(), uuid.New()); err != nil {
		t.Errorf("of an organisation that no folder can be named for: %v", err)
	}
}

// A link in the place of a folder leads nowhere.
func TestDeleteFollowsNoLinkOutside(t *testing.T) {
	r, dir := recorder(t, nil)
	call, id := uuid.New(), uuid.New()
	outside := t.TempDir()
	inside := filepath.Join(outside, id.String())
	if err := os.MkdirAll(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "org"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "org", call.String())); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(t.Context(), "org", call, id); err == nil {
		t.Error("a link to elsewhere was followed")
	}
	if _, err := os.Stat(inside); err != nil {
		t.Errorf("what is elsewhere: %v", err)
	}
}
