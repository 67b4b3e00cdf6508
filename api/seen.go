package api

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/anteroom/anteroom/analytics"
	"github.com/anteroom/anteroom/quality"
	"github.com/anteroom/anteroom/store"
)

const (
	// maxSeen is how many judged calls are remembered.
	maxSeen = 64
	// maxAge is for how long: a replica that was asked may have lagged behind the one that counts.
	maxAge = 10 * time.Second
)

// judged remembers calls as they were judged: the page of a call asks for it half a dozen times. How often rows of a call arrived tells whether what is
// remembered is still the call, so that nothing is shown that has become another.
type judged struct {
	mu     sync.Mutex
	calls  map[judgedKey]*list.Element // guarded by mu: elements of recent
	recent list.List                   // guarded by mu: of *judgedCall, asked for last in front
}

type judgedKey struct {
	store.CallKey
	profile string
}

type judgedCall struct {
	judgedKey
	changed store.CallChanges
	call    *analytics.Call
	at      time.Time
}

// get is the call as remembered, if it has not changed since.
func (j *judged) get(key judgedKey, changed store.CallChanges) *analytics.Call {
	j.mu.Lock()
	defer j.mu.Unlock()
	at, ok := j.calls[key]
	if !ok {
		return nil
	}
	c := at.Value.(*judgedCall) //nolint:forcetypeassert // the list has nothing else
	if c.changed != changed || time.Since(c.at) > maxAge {
		return nil
	}
	j.recent.MoveToFront(at)
	return c.call
}

func (j *judged) put(c *judgedCall) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.calls == nil {
		j.calls = make(map[judgedKey]*list.Element)
	}
	if at, ok := j.calls[c.judgedKey]; ok {
		j.recent.Remove(at)
	} else if j.recent.Len() >= maxSeen {
		last := j.recent.Back()
		delete(j.calls, j.recent.Remove(last).(*judgedCall).judgedKey) //nolint:forcetypeassert // the list has nothing else
	}
	j.calls[c.judgedKey] = j.recent.PushFront(c)
}

// judgedOf reads and judges a call of an organisation, or remembers it. Nobody changes what it returns. Nil for a call that there isn't.
func (h *handlers) judgedOf(ctx context.Context, p *quality.Profile, key store.CallKey) (*analytics.Call, error) {
	// Read before the call is: what arrives in between makes it another.
	changed, err := h.reader.Changes(ctx, key)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	began, of := time.Now(), judgedKey{key, p.Name()}
	keys := []store.CallKey{key}
	if changed.Batches > 0 {
		if c := h.judged.get(of, changed); c != nil {
			return c, nil
		}
	} else if keys, err = h.reader.FindCall(ctx, key.CallID, key.Org); err != nil || len(keys) != 1 { // only samples speak of it, or it is none
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	records, err := h.reader.Load(ctx, keys)
	if err != nil || records[0] == nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	c := analytics.Judge(p, records[0])
	if changed.Batches > 0 {
		h.judged.put(&judgedCall{of, changed, c, began})
	}
	return c, nil
}
