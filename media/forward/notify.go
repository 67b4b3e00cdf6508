package forward

import "sync"

// notifier calls a peer's Events in order, from one goroutine and with no lock held. Its queue has no bound: what comes in is bounded by tracks,
// connections and reports, and no caller may wait for a receiver that is busy.
type notifier struct {
	mu     sync.Mutex
	queue  []func()
	closed bool
	wake   chan struct{}
}

func newNotifier() *notifier { return &notifier{wake: make(chan struct{}, 1)} }

// tell queues a call. After close nothing is told.
func (n *notifier) tell(call func()) {
	n.mu.Lock()
	if !n.closed {
		n.queue = append(n.queue, call)
	}
	n.mu.Unlock()
	n.poke()
}

func (n *notifier) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// close lets run return when all that was told before has been called.
func (n *notifier) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.poke()
}

// run calls until close.
func (n *notifier) run() {
	for range n.wake {
		n.mu.Lock()
		calls, closed := n.queue, n.closed
		n.queue = nil
		n.mu.Unlock()
		for _, call := range calls {
			call()
		}
		if closed {
			return
		}
	}
}
