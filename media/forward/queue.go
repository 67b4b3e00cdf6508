package forward

import "sync"

// item is one thing for a peer's writer to do.
type item struct {
	sub *subscription
	// pkt to send, or asked: sequence numbers to send again.
	pkt   *packet
	asked []uint16
}

// queue is what waits for one subscriber. Whoever puts never waits: what is above the bound is dropped and counted.
type queue struct {
	wake chan struct{}
	max  int

	mu     sync.Mutex
	items  []item
	closed bool
}

func newQueue(maximum int) *queue { return &queue{wake: make(chan struct{}, 1), max: maximum} }

// put tells whether there was room.
func (q *queue) put(i item) bool {
	q.mu.Lock()
	n := len(q.items)
	if q.closed || n >= q.max {
		q.mu.Unlock()
		return false
	}
	q.items = append(q.items, i)
	q.mu.Unlock()
	if n == 0 {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// take swaps what waits for an emptied slice; it waits until there is something, and returns nil once closed.
func (q *queue) take(empty []item) []item {
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return nil
		}
		if len(q.items) > 0 {
			full := q.items
			q.items = empty
			q.mu.Unlock()
			return full
		}
		q.mu.Unlock()
		<-q.wake
	}
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed, q.items = true, nil
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
