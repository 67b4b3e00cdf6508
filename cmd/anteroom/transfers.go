package main

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/progress"
)

// transfers shows how far things are: bars on a terminal, elsewhere a line for what takes longer than two seconds.
type transfers struct {
	cli  *cli
	bars progress.Writer // nil without a terminal
	done chan struct{}
}

func (c *cli) newTransfers() *transfers {
	t := &transfers{cli: c}
	if !isTerminal(c.stderr) {
		return t
	}
	t.bars = progress.NewWriter()
	t.bars.SetOutputWriter(c.stderr)
	t.bars.SetStyle(progress.StyleBlocks)
	t.bars.SetTrackerPosition(progress.PositionRight)
	t.bars.SetMessageLength(40)
	t.done = make(chan struct{})
	go func() {
		defer close(t.done)
		t.bars.Render()
	}()
	return t
}

// stop ends the drawing, so that what is written next stands below it.
func (t *transfers) stop() {
	if t.bars == nil {
		return
	}
	t.bars.Stop()
	<-t.done
}

// transfer is one thing on its way.
type transfer struct {
	cli     *cli
	tracker *progress.Tracker // nil without a terminal
	bars    progress.Writer
	quiet   func() // ends the lines of one without
}

// begin shows one more: on a bar by its name, elsewhere by what is being done. Its total is in bytes, or in percent.
func (t *transfers) begin(name, doing string, total int64, bytes bool) *transfer {
	out := &transfer{cli: t.cli, bars: t.bars}
	if t.bars == nil {
		out.quiet = t.cli.progress(doing)
		return out
	}
	out.tracker = &progress.Tracker{Message: name, Total: total}
	if bytes {
		out.tracker.Units = progress.UnitsBytes
	}
	t.bars.AppendTracker(out.tracker)
	return out
}

// set tells how far it is.
func (t *transfer) set(value int64) {
	if t.tracker != nil {
		t.tracker.SetValue(value)
	}
}

// Write counts what goes through it.
func (t *transfer) Write(p []byte) (int, error) {
	if t.tracker != nil {
		t.tracker.Increment(int64(len(p)))
	}
	return len(p), nil
}

// say tells something once.
func (t *transfer) say(text string) {
	if t.bars != nil {
		t.bars.Log("%s", text)
		return
	}
	fmt.Fprintln(t.cli.stderr, text)
}

func (t *transfer) end(err error) {
	switch {
	case t.tracker == nil:
		t.quiet()
	case err != nil:
		t.tracker.MarkAsErrored()
	default:
		t.tracker.MarkAsDone()
	}
}
