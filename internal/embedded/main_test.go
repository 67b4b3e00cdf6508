package embedded_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/anteroom/anteroom/internal/embedded"
)

func TestMain(m *testing.M) {
	embedded.ChildMain()
	if os.Getenv(victimEnv) != "" {
		victimMain()
	}
	os.Exit(m.Run())
}

// newOf returns a pointer that a value of the column can be scanned into.
func newOf(column driver.ColumnType) any { return reflect.New(column.ScanType()).Interface() }

func deref(pointer any) string { return fmt.Sprint(reflect.ValueOf(pointer).Elem().Interface()) }

func remove(t *testing.T, path ...string) {
	t.Helper()
	if err := os.Remove(filepath.Join(path...)); err != nil {
		t.Fatal(err)
	}
}

// occupy listens on addr until the test ends.
func occupy(t *testing.T, addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
}
