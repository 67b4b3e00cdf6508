package api

import (
	"container/list"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits bound what can be asked without saying who asks.
type limits struct{ joinPage, lookups, calls *limiter }

// maxRemembered bounds how many addresses a limiter knows at once, so that memory stays bounded. When it is full, the one that has not asked for the
// longest time is forgotten, and no other.
const maxRemembered = 20_000

// limiter lets each address, or each resource, ask so often, and all together a hundred times that.
type limiter struct {
	perKey  rate.Limit
	burst   int
	overall *rate.Limiter

	mu     sync.Mutex
	known  map[string]*list.Element // guarded by mu: elements of recent
	recent *list.List               // guarded by mu: of *remembered, who asked last in front
}

// remembered is how often one address, or resource, may ask just now.
type remembered struct {
	key string
	*rate.Limiter
}

// newLimiter takes how often a minute. A minute's worth may come at once.
func newLimiter(perMinute int) *limiter {
	return &limiter{
		perKey: rate.Limit(float64(perMinute) / 60), burst: perMinute,
		overall: rate.NewLimiter(rate.Limit(float64(perMinute)/60*100), perMinute*100), known: make(map[string]*list.Element), recent: list.New(),
	}
}

// allow counts one request of an address or a name. IPv6 addresses count by their network of 64 bits, which one machine may have whole.
func (l *limiter) allow(address netip.Addr, name string) bool {
	return l.of(keyOf(address, name)).Allow() && l.overall.Allow()
}

// take counts one request, and tells how long to wait instead if it is one too many. Limiters of it have no overall.
func (l *limiter) take(address netip.Addr, name string) time.Duration {
	reserved := l.of(keyOf(address, name)).Reserve()
	if wait := reserved.Delay(); wait > 0 {
		reserved.Cancel()
		return wait
	}
	return 0
}

// wait tells how long to wait until take would count, and counts nothing.
func (l *limiter) wait(address netip.Addr) time.Duration {
	one := l.of(keyOf(address, ""))
	if left := one.Tokens(); left < 1 {
		return time.Duration((1 - left) / float64(l.perKey) * float64(time.Second))
	}
	return 0
}

// keyOf is what is counted by: the name, or the address's network.
func keyOf(address netip.Addr, name string) string {
	if !address.IsValid() {
		return name
	}
	if prefix, err := address.Prefix(64); err == nil && address.Is6() {
		return prefix.String()
	}
	return address.String()
}

// of is what is remembered of a key.
func (l *limiter) of(key string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if place, ok := l.known[key]; ok {
		l.recent.MoveToFront(place)
		return place.Value.(*remembered).Limiter //nolint:forcetypeassert // the list has nothing else
	}
	if len(l.known) >= maxRemembered {
		last := l.recent.Back()
		delete(l.known, l.recent.Remove(last).(*remembered).key) //nolint:forcetypeassert // the list has nothing else
	}
	one := &remembered{key, rate.NewLimiter(l.perKey, l.burst)}
	l.known[key] = l.recent.PushFront(one)
	return one.Limiter
}

// proxies are the networks of Config.TrustedProxies.
type proxies []netip.Prefix

// newProxies takes what Validate has let through.
func newProxies(networks []string) proxies {
	out := make(proxies, 0, len(networks))
	for _, network := range networks {
		if prefix, err := netip.ParsePrefix(network); err == nil {
			out = append(out, prefix)
		}
	}
	return out
}

// client is the address that a request comes from: the last one in X-Forwarded-For that no trusted proxy has, if a trusted one sent the request.
// What stands before it in the header anybody may have written.
func (p proxies) client(r *http.Request) netip.Addr {
	if r == nil {
		return netip.Addr{}
	}
	address := remoteOf(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.trust(address); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = hop.Unmap().WithZone("")
	}
	return address
}

func (p proxies) trust(address netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(address) })
}
