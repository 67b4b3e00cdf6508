// Command anteroom is the whole of Anteroom in one binary: `anteroom help` lists its subcommands, each in a file of its own.
//
// It is the only place that wires: rooms meet here and nowhere else. Exit codes: 0 done, 1 failed, 2 the command line or the
// configuration was not understood and nothing was begun. Commands that look for damage have one for each kind of it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/policy/sandbox"
)

// version is set by the linker: -X main.version=….
var version = ""

func main() {
	embedded.ChildMain() // the embedded ClickHouse is a second run of this program
	sandbox.ChildMain()  // and so is what tries authors' policies
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal begins the ordered stop; from then on a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
