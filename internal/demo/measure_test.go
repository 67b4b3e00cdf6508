package demo

import (
	"encoding/json"
	"maps"
	"testing"
)

// report is one getStats report, numbers as float64.
type report map[string]any

func (r report) number(name string) (float64, bool) {
	n, ok := r[name].(float64)
	return n, ok
}

func (r report) text(name string) string {
	s, _ := r[name].(string)
	return s
}

// average is a plain mean over the samples that had the value.
type average struct{ sum, n float64 }

func (a *average) add(value float64, ok bool) {
	if ok {
		a.sum += value
		a.n++
	}
}

func (a average) value() float64 {
	if a.n == 0 {
		return 0
	}
	return a.sum / a.n
}

// measured is what the whole call says about one stream; times in seconds as getStats has them.
type measured struct {
	ssrc, packets, lost         float64
	jitter, rtt, fps, height    average
	freeze, bufferDelay, healed float64
	bytes, firstBytes           float64
	first, last                 float64 // milliseconds
}

func (m *measured) seconds() float64 { return (m.last - m.first) / 1000 }

// reasons names the thresholds of the default profile (call-diagnostics) that the stream crosses.
func (m *measured) reasons(name string) []string {
	var reasons []string
	poor := func(reason string, crossed bool) {
		if crossed {
			reasons = append(reasons, reason)
		}
	}
	inbound, media := name[:2] == "in", name[len(name)-5:]
	total := m.packets
	if inbound {
		total += m.lost
	}
	poor("jitter", m.jitter.value() > 0.030)
	poor("jitter buffer", m.bufferDelay > 0.200)
	poor("loss", m.lost > 0.1*total)
	poor("rtt", m.rtt.value() > 0.500)
	poor("healed", m.healed > 0.1)
	if media == "audio" {
		return reasons
	}
	minFPS, minHeight, maxFreeze := 7.0, 240.0, 6.0
	if media == "creen" {
		minFPS, minHeight, maxFreeze = 1, 768, 25
	}
	poor("frame rate", m.fps.value() < minFPS)
	poor("height", inbound && m.height.value() < minHeight)
	poor("freeze", m.freeze/(m.seconds()/60) > maxFreeze)
	poor("bitrate", 8*(m.bytes-m.firstBytes)/m.seconds() < 150_000)
	return reasons
}

// measure expands the deltas and sums up each RTP stream, keyed by direction and media.
func measure(t *testing.T, lines []line) map[string]*measured {
	t.Helper()
	streams := map[string]*measured{}
	previous := map[string]report{}
	for _, l := range lines {
		if l.method != "getstats" {
			continue
		}
		current := reportsOf(t, l)
		now := topTimestamp(t, l)
		for id, delta := range current {
			whole := maps.Clone(previous[id])
			if whole == nil {
				whole = report{}
			}
			maps.Copy(whole, delta)
			current[id] = whole
		}
		for _, r := range current {
			observe(streams, current, r, now)
		}
		previous = current
	}
	return streams
}

func topTimestamp(t *testing.T, l line) float64 {
	t.Helper()
	var value struct{ Timestamp float64 }
	if err := json.Unmarshal(l.value, &value); err != nil || value.Timestamp == 0 {
		t.Fatalf("getstats without a timestamp of its own: %v", err)
	}
	return value.Timestamp
}

func observe(streams map[string]*measured, all map[string]report, r report, now float64) {
	direction := map[string]string{"inbound-rtp": "inbound", "outbound-rtp": "outbound"}[r.text("type")]
	if direction == "" {
		return
	}
	media := r.text("kind")
	if r.text("contentType") == "screenshare" {
		media = "screen"
	}
	name := direction + " " + media
	m, ok := streams[name]
	if !ok {
		m = &measured{first: now}
		m.firstBytes, _ = r.number("bytes" + map[string]string{"inbound": "Received", "outbound": "Sent"}[direction])
		streams[name] = m
	}
	m.last = now
	m.ssrc, _ = r.number("ssrc")
	m.fps.add(r.number("framesPerSecond"))
	m.height.add(r.number("frameHeight"))
	if direction == "inbound" {
		m.inbound(r)
		return
	}
	m.packets, _ = r.number("packetsSent")
	m.bytes, _ = r.number("bytesSent")
	if remote, ok := all[r.text("remoteId")]; ok {
		m.lost, _ = remote.number("packetsLost")
		m.jitter.add(remote.number("jitter"))
		m.rtt.add(remote.number("roundTripTime"))
	}
}

func (m *measured) inbound(r report) {
	m.packets, _ = r.number("packetsReceived")
	m.lost, _ = r.number("packetsLost")
	m.bytes, _ = r.number("bytesReceived")
	m.freeze, _ = r.number("totalFreezesDuration")
	m.jitter.add(r.number("jitter"))
	if emitted, ok := r.number("jitterBufferEmittedCount"); ok && emitted > 0 {
		delay, _ := r.number("jitterBufferDelay")
		m.bufferDelay = delay / emitted
	}
	if samples, ok := r.number("totalSamplesReceived"); ok && samples > 0 {
		concealed, _ := r.number("concealedSamples")
		silent, _ := r.number("silentConcealedSamples")
		m.healed = (concealed - silent) / samples
	}
}
