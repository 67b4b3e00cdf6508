package faulttest

import (
	"os"
	"testing"
)

// cannot ends a test that this machine can't run.
func cannot(t testing.TB, what string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s: %v; it is mandatory under CI=true", what, err)
	}
	t.Skipf("can't %s here: %v", what, err)
}
