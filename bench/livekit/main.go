// Command livekit puts onto LiveKit's server the load that `anteroom load` puts onto Anteroom, and prints what it found in the same form. It is a
// module of its own, so that Anteroom doesn't depend on what LiveKit does. The server is LiveKit's own program as its development mode has it, but with
// all media on one UDP socket, as Anteroom has; clients are those of LiveKit's Go SDK, which are pion's, as Anteroom's are.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	lklog "github.com/livekit/protocol/logger"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

// options are the flags.
type options struct {
	server                  string
	publishers, subscribers int
	bitrate                 int
	duration                time.Duration
}

// result has the names of media/load's Result.
type result struct {
	Clients          int     `json:"clients"`
	Joined           int     `json:"joined"`
	Streams          int     `json:"streams"`
	StreamsWanted    int     `json:"streams_wanted"`
	Seconds          float64 `json:"seconds"`
	Delivered        uint64  `json:"delivered_packets"`
	Lost             uint64  `json:"lost_packets"`
	PacketsPerSecond float64 `json:"packets_per_second"`
	ServerCPUSeconds float64 `json:"server_cpu_seconds"`
	ServerUsPerPkt   float64 `json:"server_cpu_us_per_packet"`
	PacketsPerCore   float64 `json:"packets_per_second_per_core"`
	LoadAverage      string  `json:"load_average"`
}

func main() {
	var o options
	flag.StringVar(&o.server, "server", "", "LiveKit's server")
	flag.IntVar(&o.publishers, "publishers", 1, "clients that send video and audio")
	flag.IntVar(&o.subscribers, "subscribers", 40, "clients that receive all of it")
	flag.IntVar(&o.bitrate, "video-bitrate", 1_000_000, "bits per second of each publisher's video")
	flag.DurationVar(&o.duration, "duration", 10*time.Second, "how long to measure")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), o.duration+2*time.Minute)
	defer cancel()
	lksdk.SetLogger(lklog.GetDiscardLogger())
	got, err := run(ctx, o)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(got)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "livekit:", err)
		os.Exit(1) //nolint:gocritic // all that was deferred in run is done
	}
}

func run(ctx context.Context, o options) (result, error) {
	s, err := startServer(ctx, o.server)
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	l := &load{options: o, server: s}
	defer l.leave()
	return l.measure(ctx)
}

// server is a process of LiveKit's.
type server struct {
	cmd *exec.Cmd
	url string
}

// Names that the server's development mode has.
const key, secret, room = "devkey", "secret", "bench"

func startServer(ctx context.Context, program string) (*server, error) {
	ports, err := freePorts()
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("port: %d\nlogging: {level: error}\nrtc: {tcp_port: %d, udp_port: %d, use_external_ip: false, enable_loopback_candidate: true}\n", ports[0], ports[1], ports[2])
	s := &server{url: fmt.Sprintf("ws://127.0.0.1:%d", ports[0])}
	s.cmd = exec.CommandContext(ctx, program, "--dev", "--bind", "127.0.0.1", "--node-ip", "127.0.0.1", "--config-body", config)
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(os.Interrupt) }
	s.cmd.WaitDelay = 10 * time.Second
	said := new(bytes.Buffer)
	s.cmd.Stdout, s.cmd.Stderr = said, said
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start LiveKit: %w", err)
	}
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(s.url, "ws://"))
		if err == nil {
			return s, conn.Close()
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			s.stop()
			return nil, fmt.Errorf("wait for LiveKit: %w: %s", ctx.Err(), said)
		}
	}
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait()
}

// freePorts are two of TCP and one of UDP.
func freePorts() (ports [3]int, err error) {
	for i := range ports {
		if i == 2 {
			c, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				return ports, err
			}
			defer c.Close()
			ports[i] = c.LocalAddr().(*net.UDPAddr).Port
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return ports, err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// load is the clients.
type load struct {
	options
	server  *server
	rooms   []*lksdk.Room
	stop    context.CancelFunc
	streams atomic.Int64
	// received counts packets; expected what sequence numbers say.
	received, expected atomic.Uint64
}

func (l *load) leave() {
	if l.stop != nil {
		l.stop()
	}
	for _, r := range l.rooms {
		r.Disconnect()
	}
}

func (l *load) enter(ctx context.Context) error {
	for i := range l.publishers + l.subscribers {
		callback := lksdk.NewRoomCallback()
		callback.OnTrackSubscribed = func(track *webrtc.TrackRemote, _ *lksdk.RemoteTrackPublication, _ *lksdk.RemoteParticipant) {
			go l.receive(track)
		}
		r, err := lksdk.ConnectToRoom(l.server.url, lksdk.ConnectInfo{APIKey: key, APISecret: secret, RoomName: room, ParticipantIdentity: strconv.Itoa(i)},
			callback, lksdk.WithAutoSubscribe(i >= l.publishers))
		if err != nil {
			return fmt.Errorf("join as %d: %w", i, err)
		}
		l.rooms = append(l.rooms, r)
	}
	for _, r := range l.rooms[:l.publishers] {
		if err := l.publish(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// receive counts as `anteroom load` does: what was repaired is delivered.
func (l *load) receive(track *webrtc.TrackRemote) {
	started, last := false, uint16(0)
	for {
		p, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		l.received.Add(1)
		if !started {
			started = true
			l.streams.Add(1)
			l.expected.Add(1)
			last = p.SequenceNumber
			continue
		}
		if ahead := int16(p.SequenceNumber - last); ahead > 0 { //nolint:gosec // wraps as intended
			l.expected.Add(uint64(ahead))
			last = p.SequenceNumber
		}
	}
}

// The frames of `anteroom load`: Opus of 32 kbit/s in 20 ms each, VP8 at 30 frames a second with a key frame of four times the size every ten seconds.
const (
	audioFrame = 80
	frameRate  = 30
	keyEvery   = 10 * frameRate
	keyTimes   = 4
)

func (l *load) publish(ctx context.Context, r *lksdk.Room) error {
	var wantKey atomic.Bool
	audio, err := lksdk.NewLocalTrack(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2})
	if err != nil {
		return fmt.Errorf("make audio: %w", err)
	}
	video, err := lksdk.NewLocalTrack(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}, lksdk.WithRTCPHandler(func(p rtcp.Packet) {
		if _, ok := p.(*rtcp.PictureLossIndication); ok {
			wantKey.Store(true)
		}
	}))
	if err != nil {
		return fmt.Errorf("make video: %w", err)
	}
	for name, track := range map[string]*lksdk.LocalTrack{"audio": audio, "video": video} {
		if _, err := r.LocalParticipant.PublishTrack(track, &lksdk.TrackPublicationOptions{Name: name, VideoWidth: 640, VideoHeight: 360, DisableDTX: true}); err != nil {
			return fmt.Errorf("publish %s: %w", name, err)
		}
	}
	go pump(ctx, audio, 20*time.Millisecond, func(int) []byte { return append([]byte{0xf8}, make([]byte, audioFrame-1)...) })
	size := l.bitrate / 8 / frameRate
	go pump(ctx, video, time.Second/frameRate, func(n int) []byte {
		if n%keyEvery == 0 || wantKey.Swap(false) {
			frame := make([]byte, size*keyTimes)
			copy(frame, []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01})
			return frame
		}
		return append([]byte{0x11}, make([]byte, size-1)...)
	})
	return nil
}

// pump sends frames at their times, and catches up when it is late.
func pump(ctx context.Context, track *lksdk.LocalTrack, each time.Duration, frame func(n int) []byte) {
	ticker := time.NewTicker(each)
	defer ticker.Stop()
	began, n := time.Time{}, 0
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if !track.IsBound() {
				continue
			}
			if began.IsZero() {
				began = now
			}
			for ; n <= int(now.Sub(began)/each); n++ {
				_ = track.WriteSample(media.Sample{Data: frame(n), Duration: each}, nil)
			}
		}
	}
}

func (l *load) measure(ctx context.Context) (result, error) {
	ctx, l.stop = context.WithCancel(ctx)
	if err := l.enter(ctx); err != nil {
		return result{}, err
	}
	got := result{Clients: l.publishers + l.subscribers, Joined: len(l.rooms), StreamsWanted: 2 * l.publishers * l.subscribers}
	for settle := time.Now().Add(30 * time.Second); int(l.streams.Load()) < got.StreamsWanted && time.Now().Before(settle); {
		time.Sleep(100 * time.Millisecond)
	}
	// Bandwidth estimates and key frames have calmed down by then.
	time.Sleep(2 * time.Second)
	cpu0, err := cpuOf(l.server.cmd.Process.Pid)
	if err != nil {
		return got, err
	}
	received0, expected0, began := l.received.Load(), l.expected.Load(), time.Now()
	select {
	case <-time.After(l.duration):
	case <-ctx.Done():
		return got, ctx.Err()
	}
	cpu, err := cpuOf(l.server.cmd.Process.Pid)
	if err != nil {
		return got, err
	}
	got.Seconds = time.Since(began).Seconds()
	got.Streams, got.Delivered = int(l.streams.Load()), l.received.Load()-received0
	if expected := l.expected.Load() - expected0; expected > got.Delivered {
		got.Lost = expected - got.Delivered
	}
	if got.Delivered == 0 {
		return got, errors.New("nothing came")
	}
	got.PacketsPerSecond = float64(got.Delivered) / got.Seconds
	got.ServerCPUSeconds = (cpu - cpu0).Seconds()
	got.ServerUsPerPkt = got.ServerCPUSeconds / float64(got.Delivered) * 1e6
	got.PacketsPerCore = float64(got.Delivered) / got.ServerCPUSeconds
	raw, _ := os.ReadFile("/proc/loadavg")
	got.LoadAverage, _, _ = strings.Cut(string(raw), " ")
	return got, nil
}

// cpuOf is the user and system time of a process so far, from /proc.
func cpuOf(pid int) (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("ask for the server's CPU time: %w", err)
	}
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, err //nolint:wrapcheck // /proc's own form
}
