package embedded

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// childArg is the hidden first argument that makes this binary a ClickHouse.
// It is an argument and not an environment variable, so that no grandchild
// inherits it.
const childArg = "__embedded-clickhouse"

// ChildMain turns the process into the ClickHouse engine if it was started as
// one, and never returns then. Otherwise it returns at once. Call it first in
// main and in TestMain of every test binary that starts an engine (or use
// embeddedtest.Main): the engine's process is a second run of the same binary.
func ChildMain() {
	if len(os.Args) < 3 || os.Args[1] != childArg {
		return
	}
	if err := runLibrary(os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// runLibrary loads libchdb.so and runs it as `clickhouse local` with args. It
// returns when the engine has ended, which is when standard input has.
func runLibrary(library string, args []string) error {
	runtime.LockOSThread() // the engine keeps thread-local state on its main thread
	handle, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return fmt.Errorf("load ClickHouse engine: %w", err)
	}
	var run func(argc int32, argv unsafe.Pointer) uintptr
	purego.RegisterLibFunc(&run, handle, "chdb_query_cmdline")
	var resultError func(result uintptr) string
	purego.RegisterLibFunc(&resultError, handle, "chdb_result_error")

	// argv[1] must not be "clickhouse": the engine would take it for the
	// multi-call binary's name and drop it.
	argv := append([]string{"clickhouse"}, args...)
	var pinner runtime.Pinner
	defer pinner.Unpin()
	pointers := make([]*byte, len(argv)+1) // C wants a closing NULL
	for i, arg := range argv {
		text := append([]byte(arg), 0)
		pointers[i] = &text[0]
		pinner.Pin(pointers[i])
	}
	pinner.Pin(&pointers[0])
	result := run(int32(len(argv)), unsafe.Pointer(&pointers[0]))
	if result == 0 {
		return fmt.Errorf("run ClickHouse engine: no result")
	}
	if text := resultError(result); text != "" {
		return fmt.Errorf("run ClickHouse engine: %s", text)
	}
	return nil
}
