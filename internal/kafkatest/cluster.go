package kafkatest

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"
)

// Cluster is one Apache Kafka node with its data folder. Stop or Kill it and Start it again: data and ports stay.
type Cluster struct {
	Brokers   []string    // addresses for clients; TLS with SASL PLAIN if asked for
	Plaintext []string    // addresses without TLS or SASL, always open
	TLS       *tls.Config // trusts the broker's certificate; nil without [WithSASLPlain]

	dir       string
	java      string
	classpath string
	opts      options
	ports     ports
	node      *node // nil while stopped
}

// New fetches what is needed and formats an empty cluster in dir, which must exist. It starts no broker.
// A missing Java or Maven is [ErrMissingTool].
func New(ctx context.Context, dir string, opts ...Option) (*Cluster, error) {
	c := &Cluster{dir: dir, opts: defaults()}
	for _, o := range opts {
		o(&c.opts)
	}
	var err error
	if c.java, err = findJava(ctx); err != nil {
		return nil, err
	}
	jars, err := libraries(ctx, c.opts.progress)
	if err != nil {
		return nil, err
	}
	c.classpath = filepath.Join(jars, "*")
	if err := c.pickPorts(); err != nil {
		return nil, err
	}
	if c.secure() {
		if c.TLS, err = writeKeystore(dir); err != nil {
			return nil, err
		}
	}
	if err := c.writeProperties(); err != nil {
		return nil, err
	}
	if err := c.format(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Cluster) secure() bool { return c.opts.username != "" }

// CAFile is a PEM file whose certificate authority a client has to trust, with [WithSASLPlain]. (It is the broker's keystore: the key in it
// is skipped by who looks for certificates.)
func (c *Cluster) CAFile() string { return c.file(keystoreFile) }

// pickPorts takes ports that are free now. All are held until all are chosen, so that they differ.
func (c *Cluster) pickPorts() error {
	for _, port := range []*int{&c.ports.plain, &c.ports.controller, &c.ports.secure} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() //nolint:gocritic // three listeners, all open until the last is chosen
		*port = l.Addr().(*net.TCPAddr).Port
	}
	c.Plaintext = []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(c.ports.plain))}
	c.Brokers = c.Plaintext
	if c.secure() {
		c.Brokers = []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(c.ports.secure))}
	}
	return nil
}

func (c *Cluster) file(name string) string { return filepath.Join(c.dir, name) }

func (c *Cluster) writeProperties() error {
	if err := os.WriteFile(c.file("server.properties"), []byte(c.serverProperties()), 0o600); err != nil {
		return fmt.Errorf("write server.properties: %w", err)
	}
	return nil
}

// format makes the storage folder, which a KRaft node refuses to start without.
func (c *Cluster) format(ctx context.Context) error {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	id[0] &= 0x7f        // an id may not begin with a dash
	cmd := exec.CommandContext(ctx, c.java, c.javaArgs("kafka.tools.StorageTool", "format",
		"-t", base64.RawURLEncoding.EncodeToString(id), "-c", c.file("server.properties"))...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format the storage folder: %w\n%s", err, out)
	}
	return nil
}

func (c *Cluster) javaArgs(class string, args ...string) []string {
	all := append([]string{"-Xmx" + c.opts.heap, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"}, c.opts.jvmFlags...)
	return append(append(all, "-cp", c.classpath, class), args...)
}

// Start runs the broker and returns when it answers as a member of its own cluster.
func (c *Cluster) Start(ctx context.Context) error {
	if c.node != nil {
		return errors.New("the broker is running already")
	}
	n, err := launch(c.file("broker.log"), append([]string{c.java}, c.javaArgs("kafka.Kafka", c.file("server.properties"))...))
	if err != nil {
		return fmt.Errorf("launch the broker: %w", err)
	}
	c.node = n
	if err := c.waitReady(ctx); err != nil {
		c.Kill()
		return fmt.Errorf("wait for the broker: %w\n%s", err, c.logTail())
	}
	return nil
}

func (c *Cluster) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	// A transport answers metadata requests from its memory, so an older one would call a dead broker ready.
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(c.Plaintext...), Timeout: 5 * time.Second, Transport: transport}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, err := client.Metadata(ctx, &kafka.MetadataRequest{})
		if err == nil && len(answer.Brokers) == 1 && led(answer.Topics) {
			return nil
		}
		select {
		case <-c.node.done:
			return errors.New("the broker ended while starting")
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// led tells whether each partition has a leader: a broker that was started again answers before it leads what it has.
func led(topics []kafka.Topic) bool {
	for _, topic := range topics {
		if topic.Error != nil || slices.ContainsFunc(topic.Partitions, func(p kafka.Partition) bool { return p.Leader.Host == "" }) {
			return false
		}
	}
	return true
}

// Stop ends the broker in order (SIGTERM) and waits for it.
func (c *Cluster) Stop() { c.end(syscall.SIGTERM) }

// Kill ends the broker at once (SIGKILL), as a crash would. Killing a stopped one does nothing.
func (c *Cluster) Kill() { c.end(syscall.SIGKILL) }

// Pause freezes the broker (SIGSTOP): connections stay open and nothing answers, as with a lost network.
func (c *Cluster) Pause() { c.node.signal(syscall.SIGSTOP) }

// Resume wakes a paused broker (SIGCONT).
func (c *Cluster) Resume() { c.node.signal(syscall.SIGCONT) }

func (c *Cluster) end(s syscall.Signal) {
	if c.node == nil {
		return
	}
	c.node.signal(s)
	<-c.node.done
	c.node = nil
}

// logTail answers the last lines that the broker logged (warnings and worse).
func (c *Cluster) logTail() string {
	const lines = 40
	b, err := os.ReadFile(c.file("broker.log"))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// node is a running broker process.
type node struct {
	pid  int           // of the JVM
	done chan struct{} // closed when the JVM has ended
}

// leash runs the JVM and kills it when the leash's own standard input ends, which the kernel sees to if the test
// process dies. The first line it prints is the JVM's process id.
const leash = `log=$1; shift
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
jvm=$!
echo $jvm
( cat <&3 >/dev/null; kill -9 $jvm ) >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait $jvm
kill $watch 2>/dev/null
`

func launch(log string, command []string) (*node, error) {
	cmd := exec.Command("sh", append([]string{"-c", leash, "leash", log}, command...)...)
	// A group of its own: an interrupt typed at the terminal ends the test, and only through it the broker.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("open the leash: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("open the output: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run sh: %w", err)
	}
	n := &node{done: make(chan struct{})}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		n.pid, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the broker's process id: %w", err), stdin.Close(), cmd.Wait())
	}
	go func() {
		defer close(n.done)
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait() // how it ended is told by its log
		_ = stdin.Close()
	}()
	return n, nil
}

// signal is safe against a reused process id: the shell keeps the JVM's until done is about to close. A stopped
// broker takes no signals.
func (n *node) signal(s syscall.Signal) {
	if n == nil {
		return
	}
	select {
	case <-n.done:
	default:
		_ = syscall.Kill(n.pid, s)
	}
}
