package forward

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// bandwidth estimates what a subscriber's connection carries.
type bandwidth struct {
	mu   sync.Mutex
	next uint16
}

func newBandwidth() *bandwidth { return &bandwidth{} }

// sent numbers a packet of so many bytes.
func (b *bandwidth) sent(size int, now time.Time) uint16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	return b.next
}

func (b *bandwidth) feedback(f *rtcp.TransportLayerCC, now time.Time) {}
func (b *bandwidth) limit(bits int64, now time.Time)                  {}
func (b *bandwidth) loss(fraction float64, now time.Time)             {}
