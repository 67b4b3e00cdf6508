package store_test

import (
	"strings"
	"testing"

	"github.com/anteroom/anteroom/store/storetest"
)

// What a mutation has replaced counts as long as it is on the disk, and a server keeps it for eight minutes unless a table says otherwise: a purge would
// wait for that, and everything else with it.
func TestTablesThatArePurgedKeepNoOldParts(t *testing.T) {
	_, cfg := storetest.NewConfig(t)
	sql := storetest.NewSQL(t, cfg)
	for _, table := range []string{"texts", "timeline", "decisions", "retained", "hidden", "purge_sets"} {
		made := sql.Texts("SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = '" + table + "'")
		if len(made) != 1 || !strings.Contains(made[0], "old_parts_lifetime = 1,") || !strings.Contains(made[0], "fsync_part_directory = 1") {
			t.Errorf("%s: %q", table, made)
		}
	}
}
