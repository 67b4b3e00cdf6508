package sandbox

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
)

func TestMain(m *testing.M) {
	ChildMain()
	os.Exit(m.Run())
}

const header = "package anteroom.organization\n\n"

func client(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg, policy.DefaultConfig(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func content(rules string) author.Content {
	return author.Content{Files: map[string]string{"own.rego": header + rules + "\n"}}
}

func TestChildChecks(t *testing.T) {
	c := client(t, Config{})
	got, err := c.Check(context.Background(), content(`deny contains "x" if input.participant.knid == "guest"`))
	if err != nil {
		t.Fatal(err)
	}
	base, err := policy.NewBase(policy.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	want := author.Check(context.Background(), base, content(`deny contains "x" if input.participant.knid == "guest"`))
	if diff := cmp.Diff(want, got); diff != "" || len(got.Diagnostics) != 1 {
		t.Errorf("(-here +child):\n%s", diff)
	}
}

func BenchmarkCheck(b *testing.B) {
	c := client(b, Config{})
	for b.Loop() {
		if _, err := c.Check(context.Background(), content(`deny contains "x" if input.participant.kind == "guest"`)); err != nil {
			b.Fatal(err)
		}
	}
}
