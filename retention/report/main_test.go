package report

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
)

func TestMain(m *testing.M) {
	if plan := os.Getenv(victimEnv); plan != "" {
		var p victimPlan
		if err := json.Unmarshal([]byte(plan), &p); err != nil {
			panic(err)
		}
		p.run()
	}
	embeddedtest.Main(m)
}
