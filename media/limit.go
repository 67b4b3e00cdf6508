package media

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// AddressLimiter limits a rate per remote address, in bounded memory. It is safe for concurrent use.
//
// IPv6 addresses count by their /64, since one host has as many as it likes of it. When too many addresses are known, those that have been
// idle long enough to have their whole burst again are forgotten, which changes nothing for them; if there is none, any one is.
type AddressLimiter struct {
	limit rate.Limit
	burst int
	most  int

	mu    sync.Mutex
	known map[netip.Addr]*rate.Limiter // guarded by mu
}

// NewAddressLimiter allows perSecond with the given burst to each of at most most addresses.
func NewAddressLimiter(perSecond float64, burst, most int) *AddressLimiter {
	return &AddressLimiter{limit: rate.Limit(perSecond), burst: burst, most: most, known: make(map[netip.Addr]*rate.Limiter)}
}

// Allow takes one from the address's share. An address that isn't known (the zero Addr) has a share as well.
func (l *AddressLimiter) Allow(addr netip.Addr) bool { return l.allowAt(addr, time.Now()) }

func (l *AddressLimiter) allowAt(addr netip.Addr, now time.Time) bool {
	key := network(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter, ok := l.known[key]
	if !ok {
		if len(l.known) >= l.most {
			l.forget(now)
		}
		limiter = rate.NewLimiter(l.limit, l.burst)
		l.known[key] = limiter
	}
	return limiter.AllowN(now, 1)
}

// forgetAtOnce bounds how many entries one call looks at, so that a flood of addresses doesn't make each of them expensive.
const forgetAtOnce = 64

// forget makes room for one at least.
func (l *AddressLimiter) forget(now time.Time) {
	var (
		victim  netip.Addr
		looked  int
		removed bool
	)
	for addr, limiter := range l.known { // Go begins anywhere.
		if limiter.TokensAt(now) >= float64(l.burst) {
			delete(l.known, addr)
			removed = true
		}
		victim = addr
		if looked++; looked == forgetAtOnce {
			break
		}
	}
	if !removed {
		delete(l.known, victim)
	}
}

// network is what counts as one address.
func network(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return addr
}
