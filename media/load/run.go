package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/anteroom/anteroom/media/protocol"
)

// run is one run.
type run struct {
	cfg  Config
	join Joiner
	over chan struct{} // closed when members are about to leave
	wg   sync.WaitGroup

	mu      sync.Mutex
	members []*member      // guarded by mu: who is in
	refused map[string]int // guarded by mu: by reason
	first   error          // guarded by mu: the first that failed
}

// Run does what cfg says and returns what it found. Clients that fail are part of the result; an error is returned when nobody could join, or ctx
// ended before the measurement did.
func Run(ctx context.Context, cfg Config, join Joiner) (Result, error) {
	if err := cfg.Validate(); err != nil {
		return Result{}, err
	}
	r := &run{cfg: cfg, join: join, over: make(chan struct{}), refused: map[string]int{}}
	began := time.Now()
	r.enterAll(ctx)
	defer r.leaveAll()
	res := r.joined(time.Since(began))
	if res.Joined == 0 {
		return res, fmt.Errorf("nobody could join: %w", r.first)
	}
	if err := r.start(ctx); err != nil {
		return res, err
	}
	r.settle(ctx)
	res.Refused = r.refused // Publishing may have been refused, too.
	r.measure(ctx, &res)
	return res, ctx.Err()
}

// enterAll has all clients join, spread over the ramp.
func (r *run) enterAll(ctx context.Context) {
	var joins sync.WaitGroup
	defer joins.Wait()
	n := r.cfg.Clients()
	began := time.Now()
	for i := range n {
		due := time.Duration(0)
		if n > 1 {
			due = r.cfg.Ramp * time.Duration(i) / time.Duration(n-1)
		}
		if !pause(ctx, due-time.Since(began)) {
			return
		}
		joins.Go(func() {
			m, err := r.enter(ctx, i)
			r.mu.Lock()
			defer r.mu.Unlock()
			if err != nil {
				r.failed(err)
				return
			}
			r.members = append(r.members, m)
		})
	}
}

// failed counts; r.mu is held.
func (r *run) failed(err error) {
	r.refused[reasonOf(err)]++
	if r.first == nil {
		r.first = err
	}
}

// pause waits, and tells whether the run goes on.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// start has publishers publish, and subscribers ask for every camera, which are more than everybody gets unasked.
func (r *run) start(ctx context.Context) error {
	var all sync.WaitGroup
	for _, m := range r.members {
		if !m.publisher {
			continue
		}
		all.Go(func() {
			if err := m.publish(ctx, r.cfg); err != nil {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.failed(err)
			}
		})
	}
	all.Wait()
	var want []protocol.ReceiveTrack
	for _, m := range r.members {
		for _, p := range m.pubs {
			if p.Source.Height > 0 {
				want = append(want, protocol.ReceiveTrack{TrackID: p.TrackID(), MaxHeight: p.Source.Height})
			}
		}
	}
	if len(want) > 0 {
		for _, m := range r.members {
			if !m.publisher {
				all.Go(func() {
					ctx, cancel := context.WithTimeout(ctx, requestTimeout)
					defer cancel()
					_ = m.Receive(ctx, want...)
				})
			}
		}
		all.Wait()
	}
	return ctx.Err()
}

// settle waits until every subscriber receives every track, or until no more come for a while.
func (r *run) settle(ctx context.Context) {
	const idle = 6 * time.Second
	want := r.wantedStreams()
	deadline, changed, last := time.Now().Add(r.cfg.Settle), time.Now(), 0
	for {
		now, _ := r.delivered()
		if now != last {
			last, changed = now, time.Now()
		}
		if now >= want || time.Now().After(deadline) || (last > 0 && time.Since(changed) > idle) || !pause(ctx, 100*time.Millisecond) {
			break
		}
	}
	// Bandwidth estimates and key frames have calmed down by then.
	pause(ctx, 2*time.Second)
}

// wantedStreams are the tracks that were published, once for each subscriber.
func (r *run) wantedStreams() int {
	tracks, subscribers := 0, 0
	for _, m := range r.members {
		tracks += len(m.pubs)
		if !m.publisher {
			subscribers++
		}
	}
	return tracks * subscribers
}

// delivered is what all have received so far, and over how many streams.
func (r *run) delivered() (streams int, sum counts) {
	for _, m := range r.members {
		n, c := m.counts()
		streams += n
		sum.expected += c.expected
		sum.received += c.received
	}
	return streams, sum
}

func (r *run) sent() (packets uint64) {
	for _, m := range r.members {
		for _, p := range m.pubs {
			n, _ := p.Sent()
			packets += n
		}
	}
	return packets
}

// measure looks at everything before and after the duration.
func (r *run) measure(ctx context.Context, res *Result) {
	server0, own0 := UsageOf(r.cfg.ServerPid), UsageOf(os.Getpid())
	_, before := r.delivered()
	sent0, began := r.sent(), time.Now()
	pause(ctx, r.cfg.Duration)
	res.Seconds = time.Since(began).Seconds()
	streams, after := r.delivered()
	server, own := UsageOf(r.cfg.ServerPid), UsageOf(os.Getpid())
	res.Sent = r.sent() - sent0
	res.StreamsWanted, res.Streams = r.wantedStreams(), streams
	res.Delivered = after.received - before.received
	if expected := after.expected - before.expected; expected > res.Delivered {
		res.Lost = expected - res.Delivered
	}
	for _, m := range r.members {
		select {
		case <-m.Disconnected():
			res.Disconnected++
		default:
		}
	}
	res.LoadAverage = LoadAverage()
	res.LoadCPUSeconds = (own.CPU - own0.CPU).Seconds()
	if server0.Known && server.Known {
		cpu := (server.CPU - server0.CPU).Seconds()
		res.ServerCPUSeconds, res.ServerMemory = &cpu, &server.Resident
	}
	res.figure()
}

// leaveAll ends all stays, many at once.
func (r *run) leaveAll() {
	close(r.over)
	var all sync.WaitGroup
	limit := make(chan struct{}, 64)
	for _, m := range r.members {
		limit <- struct{}{}
		all.Go(func() {
			defer func() { <-limit }()
			ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
			defer cancel()
			if err := m.Leave(ctx); errors.Is(err, context.DeadlineExceeded) {
				m.Drop()
			}
			m.Close()
		})
	}
	all.Wait()
	r.wg.Wait()
}
