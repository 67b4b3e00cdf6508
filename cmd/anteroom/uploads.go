package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/jedib0t/go-pretty/v6/progress"
)

// uploads shows how far imports are: bars on a terminal, elsewhere a line for what takes longer than two seconds.
type uploads struct {
	cli  *cli
	bars progress.Writer // nil without a terminal
	done chan struct{}
}

func (c *cli) newUploads() *uploads {
	u := &uploads{cli: c}
	if !isTerminal(c.stderr) {
		return u
	}
	u.bars = progress.NewWriter()
	u.bars.SetOutputWriter(c.stderr)
	u.bars.SetStyle(progress.StyleBlocks)
	u.bars.SetTrackerPosition(progress.PositionRight)
	u.bars.SetMessageLength(40)
	u.done = make(chan struct{})
	go func() {
		defer close(u.done)
		u.bars.Render()
	}()
	return u
}

// stop ends the drawing, so that what is written next stands below it.
func (u *uploads) stop() {
	if u.bars == nil {
		return
	}
	u.bars.Stop()
	<-u.done
}

// upload is one file on its way.
type upload struct {
	name    string
	tracker *progress.Tracker // nil without a terminal
	quiet   func()            // ends the lines of one without
}

func (u *uploads) begin(file string, size int64) *upload {
	name := filepath.Base(file)
	if file == "-" {
		name = "standard input"
	}
	if u.bars == nil {
		return &upload{name: name, quiet: u.cli.progress("Importing " + name)}
	}
	tracker := &progress.Tracker{Message: name, Total: max(size, 0), Units: progress.UnitsBytes}
	u.bars.AppendTracker(tracker)
	return &upload{name: name, tracker: tracker}
}

// count wraps a file so that the bar follows what was read of it.
func (u *upload) count(r io.Reader) io.Reader {
	if u.tracker == nil {
		return r
	}
	return &counting{r: r, upload: u}
}

func (u *upload) end(err error) {
	switch {
	case u.tracker == nil:
		u.quiet()
	case err != nil:
		u.tracker.MarkAsErrored()
	default:
		u.tracker.UpdateMessage(u.name)
		u.tracker.MarkAsDone()
	}
}

type counting struct {
	r      io.Reader
	upload *upload
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.upload.tracker.Increment(int64(n))
	if err == io.EOF {
		c.upload.tracker.UpdateMessage(fmt.Sprintf("%s: waiting for its rows", c.upload.name))
	}
	return n, err //nolint:wrapcheck // a reader hands its reader's errors on, io.EOF as it is
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
