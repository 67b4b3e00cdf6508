package main

import (
	"fmt"
	"sync"
	"time"
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
