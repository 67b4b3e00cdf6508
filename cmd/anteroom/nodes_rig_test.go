package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom/anteroom/media/protocol"

	"github.com/anteroom/anteroom/internal/embedded"
)

// fleet are several processes of `anteroom serve` on engines of their own, with one address in front that leads each connection to the next of the media
// nodes that listens.
type fleet struct {
	*rig
	t       *testing.T
	environ []string
	nodes   []*process
	others  []*process

	mu   sync.Mutex
	next int // guarded by mu
}

// process is one of them, killed and started again as a test likes.
type process struct {
	t       *testing.T
	name    string
	args    []string
	environ []string
	listen  string
	stderr  *buffer
	cmd     *exec.Cmd
}

// newFleet starts engines, a process that ingests, and so many media nodes.
func newFleet(t *testing.T, media int, environ ...string) *fleet {
	t.Helper()
	dir := t.TempDir()
	f := &fleet{t: t, rig: &rig{data: filepath.Join(dir, "home"), stderr: new(buffer)}}
	_, developers := issuers(t, dir)
	f.issuer = developers.provider
	broker, clickhouse := engines(t, f.data)
	f.environ = append(wideLimits(
		"ANTEROOM_LABELLING_KEY="+strings.Repeat("k", 32), "ANTEROOM_IDENTITY_DEVELOPMENT_ISSUER="+developers.url,
		"ANTEROOM_IDENTITY_MASTER_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "ANTEROOM_SEALING_DIR="+filepath.Join(dir, "keys"),
	), append(environOf(broker, clickhouse), environ...)...)
	f.url = f.balance()
	ingester := f.process("ingest", dir, "serve", "--roles=ingest", "--migrate")
	f.others = append(f.others, ingester)
	ingester.start()
	f.awaitTables()
	for i := range media {
		node := f.process(fmt.Sprint("media-", i), dir, "serve", "--roles=media")
		f.nodes = append(f.nodes, node)
		node.start()
	}
	for _, node := range f.nodes {
		node.awaitReady()
	}
	return f
}

// environOf says where engines are.
func environOf(broker *embedded.Broker, clickhouse *embedded.ClickHouse) []string {
	return []string{
		"ANTEROOM_KAFKA_BROKERS=" + broker.Addr(), "ANTEROOM_KAFKA_SASL_MECHANISM=" + broker.Mechanism(),
		"ANTEROOM_KAFKA_SASL_USERNAME=" + broker.User(), "ANTEROOM_KAFKA_SASL_PASSWORD=" + broker.Password(),
		"ANTEROOM_CLICKHOUSE_ADDRESSES=" + clickhouse.Addr(), "ANTEROOM_CLICKHOUSE_USERNAME=" + clickhouse.User(),
		"ANTEROOM_CLICKHOUSE_PASSWORD=" + clickhouse.Password(),
	}
}

// awaitTables waits until the process that makes the tables has.
func (f *fleet) awaitTables() {
	f.t.Helper()
	eventually(f.t, "the tables are there", func() (bool, string) {
		said := f.others[0].stderr.String()
		return strings.Contains(said, "msg=ready"), lastLines(said, 20)
	})
}

// process makes one; it doesn't start it.
func (f *fleet) process(name, dir string, args ...string) *process {
	f.t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	listen := free.Addr().String()
	if err := free.Close(); err != nil {
		f.t.Fatal(err)
	}
	p := &process{t: f.t, name: name, args: append([]string{"anteroom"}, args...), listen: listen, stderr: new(buffer)}
	p.environ = append(slices.Clone(f.environ), "ANTEROOM_LISTEN="+listen, "ANTEROOM_NODES_URL=http://"+listen,
		"ANTEROOM_IDENTITY_STATE_FOLDER="+filepath.Join(dir, name))
	f.t.Cleanup(func() {
		if p.cmd != nil {
			p.signal(syscall.SIGCONT)
			p.stop()
		}
		if f.t.Failed() {
			f.t.Logf("%s said at last:\n%s", name, lastLines(p.stderr.String(), 40))
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	program, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	p.cmd = exec.Command(program)
	p.cmd.Args, p.cmd.Env, p.cmd.Stderr = p.args, append(os.Environ(), p.environ...), p.stderr
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) url() string { return "http://" + p.listen }

func (p *process) awaitReady() {
	p.t.Helper()
	within(p.t, 2*time.Minute, p.name+" is ready", func() (bool, string) {
		resp, err := http.Get(p.url() + "/readyz")
		if err != nil {
			return false, err.Error()
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode == http.StatusOK, string(body)
	})
}

func (p *process) signal(s syscall.Signal) {
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

// kill is sudden.
func (p *process) kill() { p.end(syscall.SIGKILL) }

// stop is orderly.
func (p *process) stop() { p.end(syscall.SIGTERM) }

func (p *process) end(s syscall.Signal) {
	p.signal(s)
	if err := p.cmd.Wait(); err != nil && s == syscall.SIGTERM {
		p.t.Errorf("the stop of %s: %v\n%s", p.name, err, lastLines(p.stderr.String(), 40))
	}
	p.cmd = nil
}

// balance is the address in front; it knows nothing of meetings.
func (f *fleet) balance() string {
	f.t.Helper()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = front.Close() })
	go func() {
		for {
			client, err := front.Accept()
			if err != nil {
				return
			}
			go f.lead(client)
		}
	}()
	return "http://" + front.Addr().String()
}

func (f *fleet) lead(client net.Conn) {
	defer client.Close()
	for range len(f.nodes) {
		f.mu.Lock()
		node := f.nodes[f.next%len(f.nodes)]
		f.next++
		f.mu.Unlock()
		if far, err := net.Dial("tcp", node.listen); err == nil {
			couple(client, far)
			return
		}
	}
}

// couple hands on what comes on two connections until one of them is over, which ends the other.
func couple(client, far net.Conn) {
	defer far.Close()
	go func() {
		defer client.Close()
		defer far.Close()
		_, _ = io.Copy(client, far)
	}()
	_, _ = io.Copy(far, client)
}

// owner is the node that has a meeting.
func (f *fleet) owner(meeting string) *process {
	f.t.Helper()
	url := strings.TrimSpace(string(query(f.t, f.data, "SELECT url FROM media_nodes FINAL WHERE node = (SELECT argMax(owner, epoch) FROM media_claims WHERE kind = 'meeting' AND id = '"+
		meeting+"') FORMAT TSVRaw")))
	for _, node := range f.nodes {
		if node.url() == url {
			return node
		}
	}
	f.t.Fatalf("meeting %s is at %q", meeting, url)
	return nil
}

// comeBack reconnects as clients do: at once, then with growing pauses. It returns how long it took.
func (p *person) comeBack() (protocol.Joined, time.Duration) {
	p.t.Helper()
	began := time.Now()
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 4*time.Second) {
		time.Sleep(pause / 2)
		joined, err := p.Reconnect(p.soon())
		if err == nil {
			return joined, time.Since(began)
		}
		if outcome(err) == refused && told(err) != "" && !strings.HasPrefix(told(err), protocol.ReasonShuttingDown) && !strings.HasPrefix(told(err), protocol.ReasonUnavailable) {
			p.t.Fatalf("%s can't come back: %s", p.name, told(err))
		}
		if time.Since(began) > rigPatience {
			p.t.Fatalf("%s can't come back: %v", p.name, err)
		}
	}
}

// without has the address in front lead nobody to a node meanwhile, as one that checks its nodes would.
func (f *fleet) without(node *process, do func()) {
	f.mu.Lock()
	all := f.nodes
	f.nodes = slices.DeleteFunc(slices.Clone(all), func(p *process) bool { return p == node })
	f.mu.Unlock()
	do()
	f.mu.Lock()
	f.nodes = all
	f.mu.Unlock()
}

// metric is a node's, without labels.
func (f *fleet) metric(t *testing.T, node *process, name string) float64 {
	t.Helper()
	at := *f.rig
	at.url = node.url()
	got := at.ask(t, "", http.MethodGet, "/metrics", nil)
	for line := range strings.Lines(string(got.body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			var n float64
			if _, err := fmt.Sscan(strings.TrimSpace(value), &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("%s: no metric %s", node.name, name)
	return 0
}

// know waits until all nodes know an application that was just registered.
func (f *fleet) know(h *house, app *application) {
	f.t.Helper()
	m := h.meeting(nil)
	for _, node := range f.nodes {
		at := *f.rig
		at.url = node.url()
		eventually(f.t, node.name+" knows the application", func() (bool, string) {
			p := at.dial(f.t, "first guest")
			defer p.Close()
			_, err := p.Join(p.soon(), m.guestJoin(app, "Fritz"))
			return err == nil, told(err)
		})
	}
}
