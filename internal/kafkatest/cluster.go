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

// Cluster is one or several Apache Kafka nodes with their data folders. Stop or Kill them and Start them again: data and ports stay.
type Cluster struct {
	Brokers   []string    // addresses for clients; TLS with SASL PLAIN if asked for
	Plaintext []string    // addresses without TLS or SASL, always open
	TLS       *tls.Config // trusts the brokers' certificate; nil without [WithSASLPlain]

	dir       string
	java      string
	classpath string
	opts      options
	members   []*member
}

// member is one node of a cluster: a broker and a controller.
type member struct {
	id    int // from 1
	dir   string
	ports ports
	node  *node // nil while stopped
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
	if err := c.makeMembers(); err != nil {
		return nil, err
	}
	if c.secure() {
		if c.TLS, err = writeKeystore(dir); err != nil {
			return nil, err
		}
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	id[0] &= 0x7f        // an id may not begin with a dash
	for _, m := range c.members {
		if err := c.writeProperties(m); err != nil {
			return nil, err
		}
		if err := c.format(ctx, m, base64.RawURLEncoding.EncodeToString(id)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Cluster) secure() bool { return c.opts.username != "" }

// CAFile is a PEM file whose certificate authority a client has to trust, with [WithSASLPlain]. (It is the broker's keystore: the key in it
// is skipped by who looks for certificates.)
func (c *Cluster) CAFile() string { return c.file(keystoreFile) }

// makeMembers makes their folders and takes ports that are free now. All are held until all are chosen, so that they differ.
func (c *Cluster) makeMembers() error {
	for id := 1; id <= c.opts.brokers; id++ {
		m := &member{id: id, dir: filepath.Join(c.dir, strconv.Itoa(id))}
		if err := os.MkdirAll(m.dir, 0o700); err != nil {
			return fmt.Errorf("make a broker's folder: %w", err)
		}
		for _, port := range []*int{&m.ports.plain, &m.ports.controller, &m.ports.secure} {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return fmt.Errorf("find a free port: %w", err)
			}
			defer l.Close() //nolint:gocritic // a few listeners, all open until the last is chosen
			*port = l.Addr().(*net.TCPAddr).Port
		}
		c.members = append(c.members, m)
		c.Plaintext = append(c.Plaintext, net.JoinHostPort("127.0.0.1", strconv.Itoa(m.ports.plain)))
		if c.secure() {
			c.Brokers = append(c.Brokers, net.JoinHostPort("127.0.0.1", strconv.Itoa(m.ports.secure)))
		}
	}
	if !c.secure() {
		c.Brokers = c.Plaintext
	}
	return nil
}

func (c *Cluster) file(name string) string { return filepath.Join(c.dir, name) }

func (m *member) file(name string) string { return filepath.Join(m.dir, name) }

func (c *Cluster) writeProperties(m *member) error {
	if err := os.WriteFile(m.file("server.properties"), []byte(c.serverProperties(m)), 0o600); err != nil {
		return fmt.Errorf("write server.properties: %w", err)
	}
	return nil
}

// format makes the storage folder, which a KRaft node refuses to start without.
func (c *Cluster) format(ctx context.Context, m *member, cluster string) error {
	cmd := exec.CommandContext(ctx, c.java, c.javaArgs("kafka.tools.StorageTool", "format", "-t", cluster, "-c", m.file("server.properties"))...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format the storage folder: %w\n%s", err, out)
	}
	return nil
}

func (c *Cluster) javaArgs(class string, args ...string) []string {
	all := append([]string{"-Xmx" + c.opts.heap, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"}, c.opts.jvmFlags...)
	return append(append(all, "-cp", c.classpath, class), args...)
}

// Start runs all brokers and returns when each answers as a member of the whole cluster.
func (c *Cluster) Start(ctx context.Context) error {
	for _, m := range c.members {
		if err := c.launch(m); err != nil {
			return err
		}
	}
	for i := range c.members {
		if err := c.awaitMember(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// StartBroker runs one broker of several, counted from 0, and returns when it answers as a member of a cluster of those that run.
func (c *Cluster) StartBroker(ctx context.Context, i int) error {
	if err := c.launch(c.members[i]); err != nil {
		return err
	}
	return c.awaitMember(ctx, i)
}

func (c *Cluster) launch(m *member) error {
	if m.node != nil {
		return errors.New("the broker is running already")
	}
	n, err := launch(m.file("broker.log"), append([]string{c.java}, c.javaArgs("kafka.Kafka", m.file("server.properties"))...))
	if err != nil {
		return fmt.Errorf("launch the broker: %w", err)
	}
	m.node = n
	return nil
}

func (c *Cluster) awaitMember(ctx context.Context, i int) error {
	if err := c.waitReady(ctx, i); err != nil {
		c.Kill()
		return fmt.Errorf("wait for the broker: %w\n%s", err, c.logTail())
	}
	return nil
}

// waitReady waits until a broker knows all that run, and a leader of each partition.
func (c *Cluster) waitReady(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	running := 0
	for _, m := range c.members {
		if m.node != nil {
			running++
		}
	}
	// A transport answers metadata requests from its memory, so an older one would call a dead broker ready.
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(c.Plaintext[i]), Timeout: 5 * time.Second, Transport: transport}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, err := client.Metadata(ctx, &kafka.MetadataRequest{})
		if err == nil && len(answer.Brokers) >= running && led(answer.Topics) {
			return nil
		}
		select {
		case <-c.members[i].node.done:
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

// Stop ends all brokers in order (SIGTERM) and waits for them.
func (c *Cluster) Stop() { c.end(syscall.SIGTERM, c.members...) }

// Kill ends all brokers at once (SIGKILL), as a crash would. Killing stopped ones does nothing.
func (c *Cluster) Kill() { c.end(syscall.SIGKILL, c.members...) }

// KillBroker is Kill of one of several, counted from 0.
func (c *Cluster) KillBroker(i int) { c.end(syscall.SIGKILL, c.members[i]) }

// Pause freezes all brokers (SIGSTOP): connections stay open and nothing answers, as with a lost network.
func (c *Cluster) Pause() { c.signal(syscall.SIGSTOP) }

// Resume wakes paused brokers (SIGCONT).
func (c *Cluster) Resume() { c.signal(syscall.SIGCONT) }

func (c *Cluster) signal(s syscall.Signal) {
	for _, m := range c.members {
		m.node.signal(s)
	}
}

func (c *Cluster) end(s syscall.Signal, members ...*member) {
	for _, m := range members {
		if m.node != nil {
			m.node.signal(s)
		}
	}
	for _, m := range members {
		if m.node != nil {
			<-m.node.done
			m.node = nil
		}
	}
}

// logTail answers the last lines that the brokers logged (warnings and worse).
func (c *Cluster) logTail() string {
	const lines = 40
	var tails []string
	for _, m := range c.members {
		b, err := os.ReadFile(m.file("broker.log"))
		if err != nil {
			tails = append(tails, err.Error())
			continue
		}
		all := strings.Split(strings.TrimSpace(string(b)), "\n")
		tails = append(tails, strings.Join(all[max(0, len(all)-lines):], "\n"))
	}
	return strings.Join(tails, "\n")
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
