// Package kafkatest runs a real Apache Kafka (one KRaft node on loopback, or several) for tests and the benchmark.
//
// It owns fetching the broker from Maven artifacts (once, into the user's cache folder), its configuration and its
// process. It needs Java 17 or newer, and Maven for the first run. Where one of them is missing, [Start] skips the
// test with the reason; under CI=true it fails instead. The broker never outlives the process that started it, even
// when that process is killed: it hangs on a pipe which the kernel closes then.
//
// A [Cluster] is not safe for concurrent use, its brokers are.
package kafkatest

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

// startLimit bounds one start; a cold JVM on a busy two-core machine takes about ten seconds.
const startLimit = 2 * time.Minute

// Require skips the test where Java or Maven is missing, and fails it then under CI=true.
func Require(t testing.TB) {
	t.Helper()
	_, err := findJava(t.Context())
	if err == nil {
		_, err = libraries(t.Context(), os.Stderr)
	}
	skipOrFail(t, err)
}

// Start runs a cluster in the test's temporary folder and stops it when the test ends. With a failed test the
// broker's own log is printed.
func Start(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), fetchLimit+startLimit)
	defer cancel()
	c, err := New(ctx, t.TempDir(), opts...)
	skipOrFail(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the broker's log:\n%s", c.logTail())
		}
		c.Kill()
	})
	if err := c.Start(ctx); err != nil {
		t.Fatalf("start apache kafka: %v", err)
	}
	return c
}

func skipOrFail(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case !errors.Is(err, ErrMissingTool):
		t.Fatalf("prepare apache kafka: %v", err)
	case os.Getenv("CI") == "true":
		t.Fatalf("apache kafka is mandatory under CI=true: %v", err)
	default:
		t.Skipf("apache kafka is not available here: %v", err)
	}
}
