package migrations_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/migrations"
)

var update = flag.Bool("update", false, "write the golden files")

// TestStatements keeps the statements of each layout as golden files: what Replicated tables look like can't be run where there is no
// Keeper, and a migration that was released must not change.
func TestStatements(t *testing.T) {
	for name, layout := range map[string]migrations.Layout{
		"single":     {},
		"cluster":    {Cluster: "anteroom"},
		"replicated": {Cluster: "anteroom", Replicated: true},
	} {
		t.Run(name, func(t *testing.T) {
			rendered, err := migrations.Render(layout)
			if err != nil {
				t.Fatal(err)
			}
			files, err := fs.Glob(rendered, "*.sql")
			if err != nil {
				t.Fatal(err)
			}
			if len(files) == 0 {
				t.Fatal("nothing is rendered")
			}
			slices.Sort(files)
			var all strings.Builder
			for _, file := range files {
				text, err := fs.ReadFile(rendered, file)
				if err != nil {
					t.Fatal(err)
				}
				all.WriteString("-- " + file + "\n" + strings.TrimSpace(withoutComments(string(text))) + "\n\n")
			}
			golden := filepath.Join("testdata", "golden", name+".sql")
			if *update {
				if err := os.WriteFile(golden, []byte(all.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v (write it with -update)", err)
			}
			if diff := cmp.Diff(string(want), all.String()); diff != "" {
				t.Errorf("the statements have changed (-want +got):\n%s", diff)
			}
		})
	}
}

// withoutComments leaves comments free to be mended.
func withoutComments(sql string) string {
	var kept []string
	for line := range strings.Lines(sql) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			kept = append(kept, strings.TrimRight(line, "\n"))
		}
	}
	return strings.Join(kept, "\n")
}
