package retention_test

import (
	"testing"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
)

func TestMain(m *testing.M) {
	sweepVictimMain()
	embeddedtest.Main(m)
}
