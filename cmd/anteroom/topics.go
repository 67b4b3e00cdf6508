package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/kafka"
)

// topicsOf are the topics of a region, as they are wanted.
func topicsOf(cfg ingest.Config, region string, home bool) []kafka.Topic {
	if home {
		return ingest.Topics(cfg)
	}
	return ingest.CopiesTopics(cfg, region)
}

// topicsLook is how old a look at topics may be: somebody may ask for /readyz every second.
const topicsLook = 5 * time.Second

// topicsCheck tells where a region's topics are less safe than wanted, or refuse what is written. It is safe for concurrent use.
type topicsCheck struct {
	client *kafka.Client
	topics []kafka.Topic

	mu     sync.Mutex
	looked time.Time // guarded by mu
	found  error     // guarded by mu
}

func (c *topicsCheck) check(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < topicsLook {
		return c.found
	}
	names := make([]string, len(c.topics))
	for i, t := range c.topics {
		names[i] = t.Name
	}
	seen, err := c.client.Inspect(ctx, names...)
	if err == nil {
		if unsafe := seen.Unsafe(c.topics...); len(unsafe) > 0 {
			err = errors.New(strings.Join(unsafe, "; ") + "; anteroom doctor says what to do")
		}
	}
	c.looked, c.found = time.Now(), err
	return err
}
