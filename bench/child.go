package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// childArg is the hidden first argument that makes this binary a contender.
const childArg = "__bench-contender"

// plan is what a contender's process is to do. It comes on its standard input, whose end ends the process.
type plan struct {
	Contender string
	Brokers   []string
	Region    string
	Group     string
	Target    target
	Rows      int
	// ClickHousePid and KafkaPid are the engines'.
	ClickHousePid, KafkaPid int
	Profile                 string
	// Folder and OnePort are the relay's of media.
	Folder  string
	OnePort bool
}

// outcome is how it went.
type outcome struct {
	Usage usage
	// Inserts is how many of rows of samples were made, 0 if not known.
	Inserts int
	// PeakMemory is the process's largest resident size, in bytes.
	PeakMemory int64
	Error      string `json:",omitempty"`
}

// childMain turns the process into a contender if it was started as one, and never returns then.
func childMain() {
	if len(os.Args) != 2 || os.Args[1] != childArg {
		return
	}
	input := json.NewDecoder(os.Stdin)
	var p plan
	if err := input.Decode(&p); err != nil {
		fmt.Fprintln(os.Stderr, "bench: read plan:", err)
		os.Exit(1)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, io.MultiReader(input.Buffered(), os.Stdin))
		cancel()
	}()
	out, err := p.run(ctx)
	if err != nil {
		out.Error = err.Error()
	}
	out.PeakMemory = peakMemory()
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

func (p plan) run(ctx context.Context) (outcome, error) {
	switch p.Contender {
	case contenderIngest:
		return p.catchUp(ctx)
	case contenderServe:
		return p.serve(ctx)
	case contenderColumns, contenderRows, contenderStore:
		return p.raw(ctx)
	case contenderRelay:
		return outcome{}, serveRelay(ctx, p.Folder, p.OnePort)
	}
	return outcome{}, fmt.Errorf("no contender is called %q", p.Contender)
}

// child is a contender's process.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   strings.Builder
}

// startChild starts a contender in a process of its own, which ends with the context.
func startChild(ctx context.Context, p plan, log io.Writer) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	c := &child{cmd: exec.CommandContext(ctx, program, childArg)}
	c.cmd.Stdout, c.cmd.Stderr = &c.out, log
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Contender, err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Contender, err)
	}
	if err := json.NewEncoder(c.stdin).Encode(p); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", p.Contender, err), c.cmd.Wait())
	}
	return c, nil
}

// end asks the contender to end, if it has not.
func (c *child) end() { _ = c.stdin.Close() }

// wait waits for the contender's own end.
func (c *child) wait() (outcome, error) {
	var out outcome
	waited := c.cmd.Wait()
	if err := json.Unmarshal([]byte(c.out.String()), &out); err != nil {
		return out, errors.Join(waited, fmt.Errorf("read outcome: %w", err))
	}
	if out.Error != "" {
		return out, errors.New(out.Error)
	}
	return out, nil
}
