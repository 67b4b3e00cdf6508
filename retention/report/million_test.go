package report

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom/anteroom/retention/verify"
)

// rowsEnv says of how many rows the report is that is measured.
const rowsEnv = "ANTEROOM_TEST_REPORT_ROWS"

// TestManyRows makes a report of many rows and says what it took: 20,000, or as many as the environment asks for.
func TestManyRows(t *testing.T) {
	n := 20_000
	if text := os.Getenv(rowsEnv); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t)
	things := make([]thing, n)
	step := (25 * 24 * time.Hour / time.Duration(n)).Truncate(time.Microsecond)
	for i := range things {
		things[i] = copyOf("contoso", i, day().Add(time.Duration(i)*step))
	}
	const inBatch = 10_000
	gone := n * 7 / 10
	for i := 0; i < n; i += inBatch {
		w.tell(things[i:min(i+inBatch, n)]...)
	}
	for i := 0; i < gone; i += inBatch {
		w.bury(true, "policy-1", time.Minute, things[i:min(i+inBatch, gone)]...)
	}
	w.keep(things[gone:]...)
	things = nil //nolint:wastedassign // its memory is not the report's
	w.published()
	w.makes()
	runtime.GC()
	debug.FreeOSMemory()
	base, peak := heapInUse(), watchHeap()
	r := asked()
	r.Formats = Formats()
	began, before := time.Now(), cpu()
	job := w.ask(r)
	var made Job
	for made = job; !made.State.ended(); time.Sleep(20 * time.Millisecond) {
		var err error
		if made, err = w.Get(t.Context(), "contoso", job.ID); err != nil {
			t.Fatal(err)
		}
	}
	took, worked := time.Since(began), cpu()-before
	most := peak()
	if made.State != Done || made.Rows() != int64(n) {
		t.Fatalf("%s: %d rows, %s", made.State, made.Rows(), made.Failure())
	}
	size := int64(0)
	for _, f := range made.AllFiles() {
		size += f.Bytes
		t.Logf("%-24s %11d bytes", f.Name, f.Bytes)
	}
	t.Logf("%d rows in %v (%v of the processor), heap %d MiB at most, %d MiB of it before", n, took.Round(time.Millisecond), worked, most>>20, base>>20)

	runtime.GC()
	peak, began, before = watchHeap(), time.Now(), cpu()
	path := filepath.Join(w.dir, job.ID, made.Parts["emea"].Folder, bundleFile)
	result, err := verify.Bundle(t.Context(), path, verify.Options{Key: w.ledger.VerifierKey()})
	if err != nil || !result.OK {
		t.Errorf("verify: %+v, %v", result.Findings, err)
	}
	t.Logf("verified in %v (%v of the processor), heap %d MiB at most", time.Since(began).Round(time.Millisecond), cpu()-before, peak()>>20)
}

// cpu is how long this process, which the database is none of, has had a processor.
func cpu() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Round(time.Millisecond)
}

// watchHeap looks at the heap until the function that it returns is called, which tells the most that it was.
func watchHeap() func() uint64 {
	var most uint64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				most = max(most, heapInUse())
			}
		}
	}()
	return func() uint64 {
		close(done)
		<-ended
		return most
	}
}

// heapInUse is what the program's own objects take just now, dead ones that weren't collected yet among them.
func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
