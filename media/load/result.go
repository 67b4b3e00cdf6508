package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Result is what a run found. Packets are media packets that reached clients; what was repaired counts as delivered.
type Result struct {
	Clients int `json:"clients"`
	Joined  int `json:"joined"`
	// Refused are the clients that did not get in, and publishers that could not publish, by reason.
	Refused map[string]int `json:"refused"`
	// Disconnected are those who were in and were cut.
	Disconnected int `json:"disconnected"`
	// JoinMs are from dialling to being let in, of those who were.
	JoinP50Ms      float64 `json:"join_p50_ms"`
	JoinP99Ms      float64 `json:"join_p99_ms"`
	JoinsPerSecond float64 `json:"joins_per_second"`
	// Streams that reached a subscriber, of those that were wanted: tracks × subscribers.
	Streams       int `json:"streams"`
	StreamsWanted int `json:"streams_wanted"`
	// Seconds that were measured, and in them:
	Seconds   float64 `json:"seconds"`
	Sent      uint64  `json:"sent_packets"`
	Delivered uint64  `json:"delivered_packets"`
	Lost      uint64  `json:"lost_packets"`
	// LossRatio is lost of delivered and lost together.
	LossRatio        float64 `json:"loss_ratio"`
	PacketsPerSecond float64 `json:"packets_per_second"`
	// The server's, null where unknown. CPU is the time of its process, whatever it did meanwhile; memory its resident bytes at the end.
	ServerCPUSeconds *float64 `json:"server_cpu_seconds"`
	ServerUsPerPkt   *float64 `json:"server_cpu_us_per_packet"`
	PacketsPerCore   *float64 `json:"packets_per_second_per_core"`
	ServerMemory     *int64   `json:"server_memory_bytes"`
	// LoadCPUSeconds is what the load itself took; LoadAverage the machine's, for one minute.
	LoadCPUSeconds float64 `json:"load_cpu_seconds"`
	LoadAverage    string  `json:"load_average"`
}

// joined makes a result of the joins.
func (r *run) joined(took time.Duration) Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := Result{Clients: r.cfg.Clients(), Joined: len(r.members), Refused: r.refused}
	times := make([]time.Duration, 0, len(r.members))
	for _, m := range r.members {
		times = append(times, m.joinTook)
	}
	slices.Sort(times)
	res.JoinP50Ms, res.JoinP99Ms = quantile(times, 0.5), quantile(times, 0.99)
	if took > 0 {
		res.JoinsPerSecond = float64(res.Joined) / took.Seconds()
	}
	return res
}

// quantile of sorted times, in milliseconds: the smallest that a share q of them doesn't exceed.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := int(q*float64(len(sorted))+0.999999) - 1
	return float64(sorted[max(0, min(at, len(sorted)-1))].Microseconds()) / 1000
}

// figure fills what follows from the rest.
func (r *Result) figure() {
	if r.Seconds > 0 {
		r.PacketsPerSecond = float64(r.Delivered) / r.Seconds
	}
	if all := r.Delivered + r.Lost; all > 0 {
		r.LossRatio = float64(r.Lost) / float64(all)
	}
	if r.ServerCPUSeconds == nil || r.Delivered == 0 || *r.ServerCPUSeconds == 0 {
		return
	}
	each := *r.ServerCPUSeconds / float64(r.Delivered)
	us, perCore := each*1e6, 1/each
	r.ServerUsPerPkt, r.PacketsPerCore = &us, &perCore
}

// String is the result for people.
func (r Result) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-22s "+format+"\n", append([]any{name}, args...)...)
	}
	line("joined", "%d of %d, %.1f a second; took %.0f ms (median), %.0f ms (99 %%)", r.Joined, r.Clients, r.JoinsPerSecond, r.JoinP50Ms, r.JoinP99Ms)
	for _, reason := range slices.Sorted(maps.Keys(r.Refused)) {
		line("  not: "+reason, "%d", r.Refused[reason])
	}
	if r.Disconnected > 0 {
		line("cut meanwhile", "%d", r.Disconnected)
	}
	line("streams delivered", "%d of %d", r.Streams, r.StreamsWanted)
	line("packets delivered", "%d in %.1f s: %.0f a second", r.Delivered, r.Seconds, r.PacketsPerSecond)
	line("packets lost", "%d (%.4f %%)", r.Lost, 100*r.LossRatio)
	if r.ServerUsPerPkt == nil {
		line("server's CPU", "unknown")
	} else {
		line("server's CPU", "%.1f s: %.2f µs per packet, %.0f packets a second per core", *r.ServerCPUSeconds, *r.ServerUsPerPkt, *r.PacketsPerCore)
	}
	if r.ServerMemory != nil {
		line("server's memory", "%d MiB", *r.ServerMemory>>20)
	}
	line("the load's own CPU", "%.1f s; load average %s", r.LoadCPUSeconds, r.LoadAverage)
	return b.String()
}
