package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
)

// patience is how long something may take before a line says what is being waited for, and every how long the line is repeated.
const (
	patience      = 2 * time.Second
	patienceAfter = 10 * time.Second
)

// progress says on stderr what is being done if it takes longer than two seconds, and again every ten. The function that it
// returns ends that.
func (c *cli) progress(what string) func() {
	began := time.Now()
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		for {
			select {
			case <-done:
				return
			case <-timer.C:
			}
			if waited := time.Since(began); waited < patienceAfter {
				fmt.Fprintf(c.stderr, "%s …\n", what)
			} else {
				fmt.Fprintf(c.stderr, "%s … (%s)\n", what, waited.Round(time.Second))
			}
			timer.Reset(patienceAfter)
		}
	})
	return sync.OnceFunc(func() {
		close(done)
		wg.Wait() // nothing is written once it has ended
	})
}

// steps shows how far a look at something large is: a bar for each step on a terminal, elsewhere a line for what takes longer than two seconds.
type steps struct {
	bars  progress.Writer // nil without a terminal
	step  string
	bar   *progress.Tracker
	done  chan struct{}
	quiet func()
}

func (c *cli) newSteps(message string) *steps {
	if !isTerminal(c.stderr) {
		return &steps{quiet: c.progress(message)}
	}
	s := &steps{bars: progress.NewWriter(), done: make(chan struct{})}
	s.bars.SetOutputWriter(c.stderr)
	s.bars.SetStyle(progress.StyleBlocks)
	s.bars.SetTrackerPosition(progress.PositionRight)
	s.bars.SetMessageLength(40)
	s.bars.Log("%s", message)
	go func() {
		defer close(s.done)
		s.bars.Render()
	}()
	return s
}

// at tells how far a step is; a total of 0 is not known.
func (s *steps) at(step string, done, total uint64) {
	if s.bars == nil {
		return
	}
	if s.bar == nil || step != s.step {
		if s.bar != nil {
			s.bar.MarkAsDone()
		}
		s.step, s.bar = step, &progress.Tracker{Message: step, Total: int64(total)}
		s.bars.AppendTracker(s.bar)
	}
	s.bar.SetValue(int64(done))
}

func (s *steps) end(err error) {
	if s.bars == nil {
		s.quiet()
		return
	}
	switch {
	case s.bar == nil:
	case err != nil:
		s.bar.MarkAsErrored()
	default:
		s.bar.MarkAsDone()
	}
	s.bars.Stop()
	<-s.done
}
