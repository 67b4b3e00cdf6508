package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// What the scripts can't see: the exit code itself.
func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want int
	}{
		{"done", []string{"version"}, 0},
		{"help", []string{"help"}, 0},
		{"unknown subcommand", []string{"nonsense"}, exitUsage},
		{"unknown flag", []string{"run", "--nonsense"}, exitUsage},
		{"unusable configuration", []string{"run", "--listen", "0.0.0.0:1"}, exitUsage},
		{"unreadable configuration", []string{"check-config", "--config", "none.yaml"}, exitUsage},
		{"nobody there", []string{"import", "rtcstats", "--server", "http://127.0.0.1:1", "run_test.go"}, exitFailed},
		{"server with a path", []string{"import", "rtcstats", "--server", "http://127.0.0.1:1/xyz", "run_test.go"}, exitUsage},
		{"server with a query", []string{"import", "rtcstats", "--server", "http://127.0.0.1:1?a=b", "run_test.go"}, exitUsage},
		{"server with a fragment", []string{"import", "rtcstats", "--server", "http://127.0.0.1:1/#a", "run_test.go"}, exitUsage},
		{"no organisation", []string{"import", "rtcstats", "--org", "Bad Org", "run_test.go"}, exitUsage},
		{"missing file", []string{"import", "rtcstats", "none.dump"}, exitFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			got := run(context.Background(), tt.args, nil, strings.NewReader(""), &stdout, &stderr)
			if got != tt.want {
				t.Errorf("exit code %d, want %d; stderr: %s", got, tt.want, stderr.String())
			}
			if (got != 0) != (stderr.Len() > 0) {
				t.Errorf("exit code %d with stderr %q", got, stderr.String())
			}
		})
	}
}
