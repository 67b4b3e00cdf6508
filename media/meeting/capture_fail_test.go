package meeting

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
)

// A recording that can't be written any more is stopped, everybody is told, and the record says why.
func TestRecordingThatFailsIsStopped(t *testing.T) {
	tape := &tapes{}
	bubble(t, func(k *kit) {
		tape.broken = make(chan error, 1)
		u := k.user("uma")
		g := k.admitted("Gina", u)
		u.must(protocol.TypeStartRecording, nil)
		u.clear()
		g.clear()
		tape.broken <- errors.New("no space left on device")
		synctest.Wait()
		for _, p := range []*person{u, g} {
			if diff := cmp.Diff([]string{"recording_stopped"}, kinds(take[protocol.Notice](p.screen, protocol.TypeNotice))); diff != "" {
				t.Errorf("%s: %s", p.entrant.DisplayName, diff)
			}
		}
		u.refused(protocol.TypeStopRecording, nil, protocol.ReasonNotFound)
		recordings := of(k.notes, (*eventpb.Event).GetRecording)
		if len(recordings) != 1 || recordings[0].EndReason != EndedWriteFailed || tape.stopped != 1 {
			t.Errorf("recorded %v, stopped %d times", recordings, tape.stopped)
		}
		late := k.user("vera")
		if len(late.joined.Notices) != 0 {
			t.Errorf("joined with %v", late.joined.Notices)
		}

		// The next one is one of its own, and ends as it is asked to.
		u.must(protocol.TypeStartRecording, nil)
		u.must(protocol.TypeStopRecording, nil)
		synctest.Wait()
		if recordings := of(k.notes, (*eventpb.Event).GetRecording); len(recordings) != 2 || recordings[1].EndReason != "stopped" {
			t.Errorf("recorded %v", recordings)
		}
		tape.facts.Truncated = "max_bytes"
		u.must(protocol.TypeStartRecording, nil)
		u.must(protocol.TypeStopRecording, nil)
		synctest.Wait()
		if recordings := of(k.notes, (*eventpb.Event).GetRecording); len(recordings) != 3 || recordings[2].EndReason != "max_bytes" {
			t.Errorf("recorded %v", recordings)
		}
	}, withTapes(t, tape)...)
}
