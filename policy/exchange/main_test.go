package exchange

import (
	"testing"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }
