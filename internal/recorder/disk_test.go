package recorder_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/internal/faulttest"
	"github.com/anteroom/anteroom/internal/recorder"
)

// TestADiskOfTheBrokerThatIsFull fills it while events are recorded: what was acknowledged is there when the broker is started anew, and what is recorded when
// there is room again is taken.
func TestADiskOfTheBrokerThatIsFull(t *testing.T) {
	disk := faulttest.NewDisk(t, 8<<20)
	r := startIn(t, recorder.Config{Timeout: 300 * time.Millisecond}, disk.Dir)
	acknowledged, n := map[string]bool{}, 0
	record := func() bool {
		n++
		call := fmt.Sprint("call-", n)
		if r.rec.Record(t.Context(), joined(call)) != nil {
			return false
		}
		acknowledged[call] = true
		return true
	}
	for _, left := range []int64{0, 1000, 5000, 20_000} {
		for range 20 {
			if !record() {
				t.Fatal("an event is refused although there is room")
			}
		}
		disk.Fill(left)
		for deadline := time.Now().Add(time.Minute); record(); {
			if time.Now().After(deadline) {
				t.Fatalf("with %d bytes left all is acknowledged", left)
			}
		}
		for range 3 {
			record()
		}
		disk.Free()
		for deadline := time.Now().Add(time.Minute); !record(); {
			if time.Now().After(deadline) {
				t.Fatal("nothing is taken although there is room again")
			}
		}
	}
	r.end()
	if err := r.broker.Close(); err != nil {
		t.Error(err)
	}
	var err error
	if r.broker, err = embedded.StartBroker(t.Context(), embedded.DefaultBrokerConfig(r.dir)); err != nil {
		t.Fatal(err)
	}
	written := map[string]int{}
	for _, e := range r.written() {
		written[e.CallId]++
	}
	for call := range acknowledged {
		if written[call] == 0 {
			t.Errorf("%s was acknowledged, and is not there", call)
		}
	}
	t.Logf("%d of %d events were acknowledged, %d are there", len(acknowledged), n, len(written))
}
