package forward

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/anteroom/anteroom/event/eventpb"
)

// BenchmarkRelay forwards the same load through this package and through pion's TrackLocalStaticRTP with the default interceptors, in turn, and
// reports CPU time of the process per delivered packet and their ratio. Publishers and subscribers are in the process too. With feedback, those
// of this package do more: they give transport-wide feedback on what they get, which the relay never asks for, and the ratio has that in it;
// without, clients do the same for both.
func BenchmarkRelay(b *testing.B) {
	for _, load := range []struct {
		publishers, subscribers int
		feedback                bool
	}{{1, 40, false}, {10, 10, false}, {1, 40, true}, {10, 10, true}} {
		b.Run(fmt.Sprintf("%dx%d/feedback=%v", load.publishers, load.subscribers, load.feedback), func(b *testing.B) {
			var ours, theirs, oursN, theirsN float64
			for range b.N {
				for range 2 {
					cpu, n := relayPion(b, benchAPI(b, load.feedback), load.publishers, load.subscribers)
					theirs, theirsN = theirs+cpu, theirsN+n
					cpu, n = relayOurs(b, benchAPI(b, load.feedback), load.publishers, load.subscribers)
					ours, oursN = ours+cpu, oursN+n
				}
			}
			b.ReportMetric(ours/oursN*1e6, "us/packet")
			b.ReportMetric(theirs/theirsN*1e6, "pion-us/packet")
			b.ReportMetric(ours/oursN/(theirs/theirsN), "ratio")
			b.ReportMetric(oursN/theirsN, "delivered-ratio")
		})
	}
}

// Load of one publisher: packets of 1100 bytes, every 10 ms two of them.
const (
	benchTick    = 10 * time.Millisecond
	benchBurst   = 2
	benchPayload = 1100
	benchFor     = 4 * time.Second
)

// cpuSeconds of the process so far.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

// runLoad writes to the tracks for a while and returns CPU seconds and delivered packets.
func runLoad(tracks []*webrtc.TrackLocalStaticRTP, delivered *atomic.Int64, ready func() bool, b *testing.B) (float64, float64) {
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for _, track := range tracks {
		writers.Go(func() {
			tick := time.NewTicker(benchTick)
			defer tick.Stop()
			var seq, frame uint16
			var ts uint32
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				payload := vp8(frame, frame%100 == 0, benchPayload)
				frame++
				ts += 900
				for i := range benchBurst {
					if i > 0 {
						payload[0] = 0x80
					}
					_ = track.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: ts, Marker: i == benchBurst-1}, Payload: payload})
					seq++
				}
			}
		})
	}
	deadline := time.Now().Add(patience)
	for !ready() && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	if !ready() {
		b.Error("not all tracks flow")
	}
	time.Sleep(500 * time.Millisecond)
	runtime.GC()
	n0, cpu0 := delivered.Load(), cpuSeconds()
	time.Sleep(benchFor)
	cpu, n := cpuSeconds()-cpu0, delivered.Load()-n0
	close(stop)
	writers.Wait()
	return cpu, float64(n)
}

// benchClient is a subscriber that counts.
type benchClient struct {
	b         *testing.B
	api       *webrtc.API
	peer      *Peer
	delivered *atomic.Int64
	flowing   *atomic.Int64

	mu sync.Mutex
	pc *webrtc.PeerConnection
}

func (c *benchClient) SubscribeOffer(version uint64, sdp string, _ []Subscribed) {
	go func() {
		answer := c.answer(sdp)
		if err := c.peer.Answer(c.b.Context(), version, answer); err != nil {
			c.b.Error(err)
		}
	}()
}

// answer makes the connection if need be, and counts what comes.
func (c *benchClient) answer(offer string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pc == nil {
		pc, err := c.api.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			c.b.Error(err)
			return ""
		}
		pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
			go func() {
				buffer := make([]byte, 1500)
				for {
					if _, _, err := receiver.Read(buffer); err != nil {
						return
					}
				}
			}()
			c.flowing.Add(1)
			buffer := make([]byte, 1500)
			for {
				if _, _, err := remote.Read(buffer); err != nil {
					return
				}
				c.delivered.Add(1)
			}
		})
		c.pc = pc
	}
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		c.b.Error(err)
	}
	answer, err := c.pc.CreateAnswer(nil)
	if err != nil {
		c.b.Error(err)
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(answer); err != nil {
		c.b.Error(err)
	}
	<-gathered
	return c.pc.LocalDescription().SDP
}

func (c *benchClient) Candidate(Side, Candidate)                     {}
func (c *benchClient) TrackStarted(Track)                            {}
func (c *benchClient) TrackEnded(Track, string)                      {}
func (c *benchClient) ConnectionChanged(Side, string)                {}
func (c *benchClient) Report(time.Duration, []*eventpb.StreamSample) {}
func (c *benchClient) StreamEnded(*eventpb.StreamEnded)              {}
func (c *benchClient) Diagnostic(string, string, eventpb.Lane)       {}

// benchAPI is the clients', the same for both servers. Feedback is transport-wide.
func benchAPI(b *testing.B, feedback bool) *webrtc.API {
	if feedback {
		return newClientAPI(b, clientOptions{})
	}
	return newClientAPI(b, clientOptions{interceptors: func(m *webrtc.MediaEngine, r *interceptor.Registry) error {
		if err := webrtc.ConfigureNack(m, r); err != nil {
			return err
		}
		return webrtc.ConfigureRTCPReports(r)
	}})
}

func relayOurs(b *testing.B, api *webrtc.API, publishers, subscribers int) (float64, float64) {
	server := newServer(b, func(c *Config) { c.LastNVideo = 100 })
	defer func() { _ = server.Close() }()
	room := server.NewRoom(&roomEvents{})
	var delivered, flowing atomic.Int64
	var tracks []*webrtc.TrackLocalStaticRTP
	var pcs []*webrtc.PeerConnection
	var members []*benchClient
	clients := max(publishers, subscribers)
	if publishers == 1 {
		clients = subscribers + 1
	}
	want := 0
	for i := range clients {
		c := &benchClient{b: b, api: api, delivered: &delivered, flowing: &flowing}
		peer, err := room.Join(uuid.New(), c)
		if err != nil {
			b.Fatal(err)
		}
		c.peer = peer
		peer.AllowSend(true, true, true)
		peer.AllowReceive(true)
		if i < publishers {
			m := &member{t: b, api: api, peer: peer}
			track := newLocal(b, webrtc.MimeTypeVP8)
			m.publish(map[Kind]*webrtc.TrackLocalStaticRTP{Video: track})
			tracks, pcs = append(tracks, track), append(pcs, m.pub)
			want += clients - 1
		}
		members = append(members, c)
	}
	cpu, n := runLoad(tracks, &delivered, func() bool { return flowing.Load() == int64(want) }, b)
	_ = server.Close() // before the clients, or it offers them what they lost
	for _, c := range members {
		if c.pc != nil {
			pcs = append(pcs, c.pc)
		}
	}
	for _, pc := range pcs {
		_ = pc.Close()
	}
	return cpu, n
}

// relayPion is the plainest relay there is: what is read of a publisher is written to a TrackLocalStaticRTP that all subscribers share.
func relayPion(b *testing.B, clientAPI *webrtc.API, publishers, subscribers int) (float64, float64) {
	cfg := DefaultConfig().withDefaults()
	sockets, err := listen(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = sockets.close() }()
	media := &webrtc.MediaEngine{}
	registry := &interceptor.Registry{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		b.Fatal(err)
	}
	if err := webrtc.RegisterDefaultInterceptors(media, registry); err != nil {
		b.Fatal(err)
	}
	settings := webrtc.SettingEngine{LoggerFactory: quiet()}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetICEUDPMux(sockets.udp)
	serverAPI := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings))
	var delivered, flowing atomic.Int64
	clients := max(publishers, subscribers)
	if publishers == 1 {
		clients = subscribers + 1
	}
	var tracks, relays []*webrtc.TrackLocalStaticRTP
	var pcs []*webrtc.PeerConnection
	defer func() {
		for _, pc := range pcs {
			_ = pc.Close()
		}
	}()
	for range publishers {
		relay, track := newLocal(b, webrtc.MimeTypeVP8), newLocal(b, webrtc.MimeTypeVP8)
		client, err := clientAPI.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			b.Fatal(err)
		}
		server, err := serverAPI.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			b.Fatal(err)
		}
		pcs = append(pcs, client, server)
		sender, err := client.AddTrack(track)
		if err != nil {
			b.Fatal(err)
		}
		go drain(sender)
		server.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
			go func() {
				buffer := make([]byte, 1500)
				for {
					if _, _, err := receiver.Read(buffer); err != nil {
						return
					}
				}
			}()
			buffer := make([]byte, 1500)
			for {
				n, _, err := remote.Read(buffer)
				if err != nil {
					return
				}
				_, _ = relay.Write(buffer[:n])
			}
		})
		connect(b, client, server)
		tracks, relays = append(tracks, track), append(relays, relay)
	}
	want := 0
	for i := range clients {
		server, err := serverAPI.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			b.Fatal(err)
		}
		for j, relay := range relays {
			if i == j {
				continue
			}
			sender, err := server.AddTrack(relay)
			if err != nil {
				b.Fatal(err)
			}
			go drain(sender)
			want++
		}
		if len(server.GetSenders()) == 0 {
			_ = server.Close()
			continue
		}
		c := &benchClient{b: b, api: clientAPI, delivered: &delivered, flowing: &flowing}
		offer, err := server.CreateOffer(nil)
		if err != nil {
			b.Fatal(err)
		}
		gathered := webrtc.GatheringCompletePromise(server)
		if err := server.SetLocalDescription(offer); err != nil {
			b.Fatal(err)
		}
		<-gathered
		answer := c.answer(server.LocalDescription().SDP)
		if err := server.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
			b.Fatal(err)
		}
		pcs = append(pcs, server, c.pc)
	}
	return runLoad(tracks, &delivered, func() bool { return flowing.Load() == int64(want) }, b)
}

// connect negotiates between two connections of this process.
func connect(b *testing.B, offerer, answerer *webrtc.PeerConnection) {
	b.Helper()
	offer, err := offerer.CreateOffer(nil)
	if err != nil {
		b.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(offerer)
	if err := offerer.SetLocalDescription(offer); err != nil {
		b.Fatal(err)
	}
	<-gathered
	if err := answerer.SetRemoteDescription(*offerer.LocalDescription()); err != nil {
		b.Fatal(err)
	}
	answer, err := answerer.CreateAnswer(nil)
	if err != nil {
		b.Fatal(err)
	}
	gathered = webrtc.GatheringCompletePromise(answerer)
	if err := answerer.SetLocalDescription(answer); err != nil {
		b.Fatal(err)
	}
	<-gathered
	if err := offerer.SetRemoteDescription(*answerer.LocalDescription()); err != nil {
		b.Fatal(err)
	}
}
