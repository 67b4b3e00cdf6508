package revisions_test

import (
	"os"
	"testing"

	"github.com/anteroom/anteroom/internal/embedded/embeddedtest"
	"github.com/anteroom/anteroom/policy/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.ChildMain()
	writeUntilKilled(os.Getenv(killedEnv))
	embeddedtest.Main(m)
}
