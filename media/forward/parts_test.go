package forward

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

func TestConfigNamesWhatCantWork(t *testing.T) {
	if err := (Config{}).Validate(); err != nil {
		t.Errorf("the zero value: %v", err)
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	bad := Config{
		Listen: []string{"here"}, PublicAddresses: []string{"there"}, UDPPort: 70000, TCPPort: -2, LastNVideo: -1, SocketBuffer: 1,
		STUNURLs: []string{"http://x"}, TURNURLs: []string{"turn:x"}, ReportInterval: time.Millisecond, KeyframeInterval: -1,
	}
	err := bad.Validate()
	for _, field := range []string{
		"listen[0]", "public_addresses[0]", "udp_port", "tcp_port", "last_n_video", "socket_buffer_bytes", "stun_urls[0]", "turn.password",
		"report_interval", "keyframe_interval",
	} {
		if err == nil || !strings.Contains(err.Error(), field+": ") {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
	if _, err := New(bad); err == nil {
		t.Error("a server of it is made")
	}
}

func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		name, mime string
		payload    []byte
		key        bool
		height     int
		ids        frameIDs
	}{
		{"VP8 key frame", mimeVP8, vp8(300, true, 100), true, 360, frameIDs{pictureAt: 2, tl0At: 4, long: true, picture: 300, tl0: 44}},
		{"VP8 delta frame", mimeVP8, vp8(300, false, 100), false, 0, frameIDs{pictureAt: 2, tl0At: 4, long: true, picture: 300, tl0: 44}},
		{"VP8 short picture id", mimeVP8, []byte{0x90, 0x80, 0x05, 0x00}, true, 0, frameIDs{pictureAt: 2, picture: 5}},
		{"VP8 later packet of a frame", mimeVP8, []byte{0x80, 0x80, 0x05, 0x00}, false, 0, frameIDs{pictureAt: 2, picture: 5}},
		{"VP8 cut off", mimeVP8, []byte{0x90, 0x80, 0x85}, false, 0, frameIDs{}},
		{"VP9 key frame with sizes", mimeVP9, []byte{0x8a, 0x81, 0x02, 0x10, 0x05, 0x00, 0x02, 0xd0}, true, 720, frameIDs{pictureAt: 1, long: true, picture: 0x102}},
		{"VP9 delta frame", mimeVP9, []byte{0xc8, 0x07, 0x00}, false, 0, frameIDs{pictureAt: 1, picture: 7}},
		{"VP9 cut off", mimeVP9, []byte{0xa0}, false, 0, frameIDs{}},
		{"H.264 parameter set", mimeH264, []byte{0x67, 0x42}, true, 0, frameIDs{}},
		{"H.264 STAP-A with one", mimeH264, []byte{0x78, 0, 1, 0x09, 0, 1, 0x67}, true, 0, frameIDs{}},
		{"H.264 start of IDR", mimeH264, []byte{0x7c, 0x85}, true, 0, frameIDs{}},
		{"H.264 end of IDR", mimeH264, []byte{0x7c, 0x45}, false, 0, frameIDs{}},
		{"H.264 slice", mimeH264, []byte{0x41, 0x9a}, false, 0, frameIDs{}},
		{"AV1 new sequence", mimeAV1, []byte{0x18, 0x0a}, true, 0, frameIDs{}},
		{"AV1 frame", mimeAV1, []byte{0x10, 0x32}, false, 0, frameIDs{}},
		{"empty", mimeVP8, nil, false, 0, frameIDs{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, height, ids := describe(c.mime, c.payload)
			if key != c.key || height != c.height || ids != c.ids {
				t.Errorf("got %v, %d, %+v, want %v, %d, %+v", key, height, ids, c.key, c.height, c.ids)
			}
		})
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add([]byte{0x90, 0x80, 0x85, 0x01, 0x10, 0, 0, 0x9d})
	f.Add([]byte{0xaa, 0x81, 0x02, 0x10, 0x05, 0x00, 0x02, 0xd0})
	f.Add([]byte{0x78, 0, 1, 0x09, 0, 1, 0x67})
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, mime := range []string{mimeVP8, mimeVP9, mimeH264, mimeAV1} {
			_, _, ids := describe(mime, payload)
			if ids.pictureAt > 0 && int(ids.pictureAt) >= len(payload) || ids.tl0At > 0 && int(ids.tl0At) >= len(payload) ||
				ids.long && int(ids.pictureAt)+1 >= len(payload) {
				t.Errorf("%s: numbers beyond the payload", mime)
			}
		}
		red := append([]byte{}, payload...)
		redPayloadTypes(red, 111)
		if _, err := unpad(&rtp.Header{Padding: true}, payload); err == nil && len(payload) == 0 {
			t.Error("an empty packet has padding")
		}
	})
}

func FuzzReadOffer(f *testing.F) {
	f.Add("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n")
	f.Fuzz(func(_ *testing.T, text string) {
		_, sections, err := readOffer(text)
		if err == nil {
			_, _ = readIntents([]Intent{{Mid: "0", Kind: Audio}}, sections)
		}
	})
}

func TestMissingIsAskedForWithinBounds(t *testing.T) {
	var m missing
	now := time.Unix(1000, 0)
	for _, seq := range []uint16{65533, 65534, 1, 3} { // 65535, 0 and 2 are missing
		m.arrived(seq, now)
	}
	if due := m.due(now, 0); due != nil {
		t.Errorf("asked for %v before they may be late", due)
	}
	now = now.Add(reorderWait)
	if diff := cmp.Diff([]uint16{65535, 0, 2}, m.due(now, 0)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if due := m.due(now, 0); due != nil {
		t.Errorf("asked for %v again at once", due)
	}
	m.arrived(0, now)
	now = now.Add(minAskAgain)
	if diff := cmp.Diff([]uint16{65535, 2}, m.due(now, 0)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	asks := 2
	for range 100 {
		now = now.Add(minAskAgain)
		if len(m.due(now, 0)) > 0 {
			asks++
		}
	}
	if asks != maxAsks || len(m.holes) != 0 {
		t.Errorf("asked %d times, %d left; want %d, 0", asks, len(m.holes), maxAsks)
	}
	m.arrived(3+2*maxMissing, now)
	if len(m.holes) != 0 {
		t.Errorf("%d missing after a jump, want none: the sender began anew", len(m.holes))
	}
}

func TestFullQueueDropsAndNeverWaits(t *testing.T) {
	q := newQueue(16)
	taken := 0
	for range 100 {
		if q.put(item{pkt: &packet{}}) {
			taken++
		}
	}
	if taken != 16 {
		t.Errorf("took %d, want 16", taken)
	}
	if got := len(q.take(nil)); got != 16 {
		t.Errorf("gave %d, want 16", got)
	}
	q.close()
	if q.put(item{}) || q.take(nil) != nil {
		t.Error("a closed queue goes on")
	}
}

func TestReorderWindow(t *testing.T) {
	var r reorder
	var got []uint16
	write := func(p *rtp.Packet, _ time.Time) { got = append(got, p.SequenceNumber) }
	at := time.Unix(1000, 0)
	for _, seq := range []uint16{65534, 0, 65535, 65535, 3, 2, 5} { // 1 and 4 never come
		r.add(&rtp.Packet{Header: rtp.Header{SequenceNumber: seq}}, at, write)
	}
	if diff := cmp.Diff([]uint16{65534, 65535, 0}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	r.flush(at.Add(time.Second), write)
	r.add(&rtp.Packet{Header: rtp.Header{SequenceNumber: 1}}, at, write)
	if diff := cmp.Diff([]uint16{65534, 65535, 0, 2, 3, 5}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// feed tells the estimate of packets of 1200 bytes, rate bit/s, over a path whose queue grows when more than capacity comes.
func feed(b *bandwidth, from time.Time, lasting time.Duration, rate, capacity float64) time.Time {
	const size = 1200
	gap := time.Duration(size * 8 / rate * float64(time.Second))
	takes := time.Duration(size * 8 / capacity * float64(time.Second))
	var free time.Time
	now := from
	for now.Before(from.Add(lasting)) {
		feedback := rtcp.TransportLayerCC{ReferenceTime: uint32(now.UnixMicro()/64000) & 0xffffff}
		last := int64(feedback.ReferenceTime) * 64000
		var symbols []uint16
		for i := range 10 {
			seq := b.sent(size, now)
			if i == 0 {
				feedback.BaseSequenceNumber = seq
			}
			if free.Before(now) {
				free = now
			}
			free = free.Add(takes)
			at := free.Add(20*time.Millisecond).UnixMicro() - from.UnixMicro()/64000/(1<<24)*(1<<24)*64000
			feedback.RecvDeltas = append(feedback.RecvDeltas, &rtcp.RecvDelta{Type: rtcp.TypeTCCPacketReceivedLargeDelta, Delta: at - last})
			last = at
			symbols = append(symbols, rtcp.TypeTCCPacketReceivedLargeDelta)
			now = now.Add(gap)
		}
		feedback.PacketStatusCount = uint16(len(symbols))
		feedback.PacketChunks = []rtcp.PacketStatusChunk{&rtcp.StatusVectorChunk{SymbolSize: 1, SymbolList: symbols[:7]}, &rtcp.StatusVectorChunk{SymbolSize: 1, SymbolList: symbols[7:]}}
		b.feedback(&feedback, now.Add(40*time.Millisecond))
	}
	return now
}

func TestBandwidthFallsWithAQueueAndGrowsWithout(t *testing.T) {
	b := newBandwidth()
	now := time.Unix(1000, 0)
	now = feed(b, now, 3*time.Second, 2_000_000, 1_000_000)
	low := b.estimate(now)
	if low > 1_000_000 || low < 500_000 {
		t.Errorf("estimate %d on a path of 1 Mbit/s that is asked to carry 2", low)
	}
	now = feed(b, now.Add(time.Second), 20*time.Second, 600_000, 5_000_000)
	if high := b.estimate(now); high < low*3/2 {
		t.Errorf("estimate %d after 20 s without a queue, %d before", high, low)
	} else if high > 600_000*beyond+spare {
		t.Errorf("estimate %d is far beyond what is sent", high)
	}
}

func TestLossLowersTheEstimateWithoutFeedback(t *testing.T) {
	b := newBandwidth()
	now := time.Unix(1000, 0)
	for range 10 {
		now = now.Add(time.Second)
		b.loss(0.3, now)
	}
	if got := b.estimate(now); got > startBits/3 {
		t.Errorf("estimate %d after ten reports of 30 %% loss", got)
	}
	b.limit(200_000, now)
	if got := b.estimate(now); got > 200_000 {
		t.Errorf("estimate %d above the subscriber's own", got)
	}
}

func TestLayersFitTheRoom(t *testing.T) {
	of := func(bits int64) *layer { l := &layer{}; l.bits.Store(bits); return l }
	layers := []*layer{of(150_000), of(500_000), of(1_500_000)}
	for _, c := range []struct {
		name string
		room float64
		most int
		want int
	}{
		{"no room", -1000, 2, 0},
		{"room for the middle one", 500_000, 2, 1},
		{"room for all", 2_000_000, 2, 2},
		{"no larger than the screen", 2_000_000, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := &choice{sub: &subscription{}, layers: layers, most: c.most}
			spend([]*choice{one}, c.room)
			if one.at != c.want {
				t.Errorf("layer %d, want %d", one.at, c.want)
			}
		})
	}
}

func TestClockKeepsTheQuickestReport(t *testing.T) {
	var c clock
	at := time.Unix(1000, 0)
	if _, ok := c.here(at); ok {
		t.Error("known before a report")
	}
	c.observe(at, at.Add(5*time.Second+30*time.Millisecond))
	c.observe(at, at.Add(5*time.Second+10*time.Millisecond))
	c.observe(at, at.Add(5*time.Second+50*time.Millisecond))
	here, _ := c.here(at)
	if got := here.Sub(at) - 5*time.Second; got < 10*time.Millisecond || got > 11*time.Millisecond {
		t.Errorf("offset beyond 5 s is %s, want about 10 ms", got)
	}
}

func TestNTPTimesComeBack(t *testing.T) {
	want := time.Date(2026, 3, 4, 5, 6, 7, 500_000_000, time.UTC)
	if got := fromNTP(uint64(want.Unix()+2208988800)<<32 | 1<<31); !got.Equal(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}
