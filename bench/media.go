package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/media/load"
)

// contenderRelay is pion's relay as a process of its own.
const contenderRelay = "pion-relay"

// The contenders of the media comparison.
const (
	mediaAnteroom = "anteroom"
	mediaRelay    = "relay"
	mediaLiveKit  = "livekit"
)

// mediaNames are how the result calls them.
var mediaNames = map[string]string{mediaAnteroom: "Anteroom", mediaRelay: "pion relay", mediaLiveKit: "LiveKit"}

// mediaOptions are the flags of the media comparison.
type mediaOptions struct {
	// Anteroom is the binary that serves, and that has the load's clients.
	Anteroom string
	Rounds   int
	Duration time.Duration
	Bitrate  int
	// OnePort: the relay has all media on one UDP socket, as Anteroom does.
	OnePort bool
	// LiveKit is the folder of the module that builds LiveKit's server and puts load on it; "" leaves it out.
	LiveKit string
}

// mediaLoad is one load.
type mediaLoad struct{ Publishers, Subscribers int }

func (l mediaLoad) String() string { return fmt.Sprintf("%d × %d", l.Publishers, l.Subscribers) }

// mediaResult is what was found, by load and contender, a result per round.
type mediaResult struct {
	options mediaOptions
	machine string
	date    time.Time
	loads   []mediaLoad
	rounds  map[mediaLoad]map[string][]load.Result
}

// measureMedia has the servers carry each load, in turns. Server and clients are processes of their own; Anteroom and the relay meet the same clients.
func measureMedia(ctx context.Context, o mediaOptions, log io.Writer) (*mediaResult, error) {
	contenders := []string{mediaAnteroom, mediaRelay}
	if o.LiveKit != "" {
		built, err := buildLiveKit(ctx, o.LiveKit, log)
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(built) }()
		o.LiveKit, contenders = built, append(contenders, mediaLiveKit)
	}
	res := &mediaResult{
		options: o, machine: machine(), date: time.Now().UTC(), loads: []mediaLoad{{1, 40}, {10, 10}}, rounds: map[mediaLoad]map[string][]load.Result{},
	}
	for round := range o.Rounds {
		for _, l := range res.loads {
			for i := range contenders {
				contender := contenders[(round+i)%len(contenders)]
				got, err := mediaTurn(ctx, o, contender, l, log)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", contender, l, err)
				}
				if res.rounds[l] == nil {
					res.rounds[l] = map[string][]load.Result{}
				}
				res.rounds[l][contender] = append(res.rounds[l][contender], got)
				fmt.Fprintf(log, "round %d  %-8s %-8s %6.2f µs/packet  %6.0f packets/s  lost %d  streams %d of %d  load average %s\n", round+1, l, contender,
					*got.ServerUsPerPkt, got.PacketsPerSecond, got.Lost, got.Streams, got.StreamsWanted, got.LoadAverage)
			}
		}
	}
	return res, nil
}

// mediaTurn starts a server, puts the load on it, and stops it.
func mediaTurn(ctx context.Context, o mediaOptions, contender string, l mediaLoad, log io.Writer) (got load.Result, err error) {
	dir, err := os.MkdirTemp("", "anteroom-bench-media-")
	if err != nil {
		return got, fmt.Errorf("make a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	load := []string{"--publishers", fmt.Sprint(l.Publishers), "--subscribers", fmt.Sprint(l.Subscribers), "--video-bitrate", fmt.Sprint(o.Bitrate), "--duration", o.Duration.String()}
	if contender == mediaLiveKit {
		return putLoad(ctx, filepath.Join(o.LiveKit, "load"), append(load, "--server", filepath.Join(o.LiveKit, "server")), log)
	}
	server := &mediaServer{options: o, folder: filepath.Join(dir, "data"), log: log}
	link, stop, err := server.start(ctx, contender)
	if err != nil {
		return got, err
	}
	defer func() { err = firstOf(err, stop()) }()
	tokens := filepath.Join(dir, "tokens")
	args := append([]string{"load", "--json", "--meeting", link, "--data", server.folder}, load...)
	if contender == mediaRelay { // which asks for none
		if err := os.WriteFile(tokens, []byte("any"), 0o600); err != nil {
			return got, fmt.Errorf("write tokens: %w", err)
		}
		args = append(args, "--token-file", tokens)
	}
	return putLoad(ctx, o.Anteroom, args, log)
}

// putLoad runs a program that puts load on a server and tells what it found.
func putLoad(ctx context.Context, program string, args []string, log io.Writer) (got load.Result, err error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = log
	out, err := cmd.Output()
	if err != nil {
		return got, fmt.Errorf("put load on: %w", err)
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return got, fmt.Errorf("read result of the load: %w", err)
	}
	if got.ServerUsPerPkt == nil || got.Streams != got.StreamsWanted || got.Joined != got.Clients {
		return got, fmt.Errorf("the load was not carried:\n%s", got)
	}
	return got, nil
}

// buildLiveKit builds LiveKit's server, and what puts load on it, into a folder of their own.
func buildLiveKit(ctx context.Context, module string, log io.Writer) (string, error) {
	dir, err := os.MkdirTemp("", "anteroom-bench-livekit-")
	if err != nil {
		return "", fmt.Errorf("make a folder: %w", err)
	}
	fmt.Fprintln(log, "Building LiveKit's server …")
	for name, of := range map[string]string{"load": ".", "server": "github.com/livekit/livekit-server/cmd/server"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-C", module, "-o", filepath.Join(dir, name), of)
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Run(); err != nil {
			return "", errors.Join(fmt.Errorf("build LiveKit (-media-livekit= leaves it out): %w", err), os.RemoveAll(dir))
		}
	}
	return dir, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// mediaServer is the process that carries the load.
type mediaServer struct {
	options mediaOptions
	folder  string
	log     io.Writer
}

// start returns the link of a meeting.
func (s *mediaServer) start(ctx context.Context, contender string) (link string, stop func() error, err error) {
	if contender == mediaRelay {
		c, err := startChild(ctx, plan{Contender: contenderRelay, Folder: s.folder, OnePort: s.options.OnePort}, s.log)
		if err != nil {
			return "", nil, err
		}
		stop = func() error { c.end(); _, err := c.wait(); return err }
		url, err := awaitServer(ctx, s.folder)
		return url + "/join/meeting#secret", stop, firstOf(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	// Without the demonstration, which would be played meanwhile.
	cmd := exec.CommandContext(ctx, s.options.Anteroom, "run", "--no-demo", "--json", "--data", s.folder, "--listen", "127.0.0.1:0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Env = append(os.Environ(), "ANTEROOM_LOG_LEVEL=error")
	cmd.Stderr = s.log
	lines, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return "", nil, fmt.Errorf("start anteroom: %w", err)
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return "", nil, fmt.Errorf("start anteroom: %w", err)
	}
	stop = func() error { cancel(); _ = cmd.Wait(); return nil }
	var ready struct {
		URL string `json:"url"`
	}
	if err := json.NewDecoder(lines).Decode(&ready); err != nil {
		_ = stop()
		return "", nil, fmt.Errorf("wait for anteroom: %w", err)
	}
	link, err = s.meeting(ctx, ready.URL)
	if err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return link, stop, nil
}

// meeting makes an organisation of the name that the load's users have, and a meeting of it, and returns the meeting's link.
func (s *mediaServer) meeting(ctx context.Context, url string) (string, error) {
	var made struct {
		JoinURL string `json:"join_url"`
	}
	for _, step := range []struct{ role, path, body string }{
		{"operator", "/v1/organizations", `{"id": "demo", "name": "Bench", "region": "emea"}`},
		{"org_user", "/v1/meetings", `{"title": "Bench"}`},
	} {
		token, err := exec.CommandContext(ctx, s.options.Anteroom, "token", "--data", s.folder, "--role", step.role).Output()
		if err != nil {
			return "", fmt.Errorf("ask for a token: %w", err)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+step.path, strings.NewReader(step.body))
		if err != nil {
			return "", fmt.Errorf("make a meeting: %w", err)
		}
		req.Header = http.Header{"Authorization": {"Bearer " + strings.TrimSpace(string(token))}, "Content-Type": {"application/json"}}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", fmt.Errorf("make a meeting: %w", err)
		}
		answer, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil && resp.StatusCode == http.StatusCreated {
			err = json.Unmarshal(answer, &made)
		}
		if err != nil || resp.StatusCode != http.StatusCreated {
			return "", fmt.Errorf("make a meeting: %s: %s: %s: %w", step.path, resp.Status, answer, err)
		}
	}
	return made.JoinURL, nil
}

// awaitServer waits until a server that locks its folder listens.
func awaitServer(ctx context.Context, folder string) (string, error) {
	for {
		url, err := embedded.RunningURL(folder)
		if err == nil {
			return url, nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return "", err
		}
	}
}

// each is a figure of all rounds.
func (r *mediaResult) each(l mediaLoad, contender string, figure func(load.Result) float64) (all []float64) {
	for _, got := range r.rounds[l][contender] {
		all = append(all, figure(got))
	}
	return all
}

// markdown is the result as the page on benchmarks shows it.
func (r *mediaResult) markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	o := r.options
	sockets := "one UDP socket, as Anteroom has"
	if !o.OnePort {
		sockets = "a UDP socket for each connection"
	}
	line("Measured on %s with `go run ./bench -only media -media-rounds %d -media-duration %s -media-bitrate %d`: %s, %d processors (%s/%s), %s, all on this one machine;",
		r.date.Format("2 January 2006"), o.Rounds, o.Duration, o.Bitrate, r.machine, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	line("%d rounds, servers in turns. The relay has %s. Ratios are to the relay's CPU in the same round.", o.Rounds, sockets)
	line("")
	line("| publishers × subscribers | server | CPU µs/packet, median | min–max | packets/s per core, median | ratio of CPU, median | min–max | packets/s | lost | load average |")
	line("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, l := range r.loads {
		relay := r.each(l, mediaRelay, cpuPerPacket)
		for _, contender := range []string{mediaAnteroom, mediaRelay, mediaLiveKit} {
			us := r.each(l, contender, cpuPerPacket)
			if len(us) == 0 {
				continue
			}
			ratios := make([]float64, len(us))
			for i := range us {
				ratios[i] = us[i] / relay[i]
			}
			ratio, spread := fmt.Sprintf("%.2f", median(ratios)), fmt.Sprintf("%.2f–%.2f", slices.Min(ratios), slices.Max(ratios))
			if contender == mediaRelay {
				ratio, spread = "1", ""
			}
			var lost, delivered uint64
			var averages []float64
			for _, got := range r.rounds[l][contender] {
				average, _ := strconv.ParseFloat(got.LoadAverage, 64) // 0 where the system doesn't tell
				lost, delivered, averages = lost+got.Lost, delivered+got.Delivered, append(averages, average)
			}
			rates := r.each(l, contender, func(got load.Result) float64 { return got.PacketsPerSecond })
			line("| %s | %s | %.2f | %.2f–%.2f | %.0f | %s | %s | %.0f | %d of %d | %.1f–%.1f |", l, mediaNames[contender], median(us), slices.Min(us), slices.Max(us), 1e6/median(us),
				ratio, spread, median(rates), lost, lost+delivered, slices.Min(averages), slices.Max(averages))
		}
	}
	return b.String()
}

func cpuPerPacket(got load.Result) float64 { return *got.ServerUsPerPkt }
