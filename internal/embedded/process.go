package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
)

// process is an engine running as a child. It lives as long as its standard
// input, whose other end this process holds open.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	output *tail
	// term ends the child cleanly; nil if the end of standard input does.
	term func() error
	done chan struct{}

	mu      sync.Mutex
	closing bool  // guarded by mu: the end was asked for
	err     error // guarded by mu: why the child ended by itself
}

// startProcess starts cmd with a terminal as its standard input (why: see the
// package comment) and reaps it when it ends. All happens on one goroutine
// locked to its thread, since the parent-death signal follows the thread that
// started the child, not the process.
func startProcess(cmd *exec.Cmd) (*process, error) {
	ours, theirs, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("open terminal for ClickHouse: %w", err)
	}
	defer theirs.Close() // the child has its own copy; ours would keep the terminal alive
	p := &process{cmd: cmd, stdin: ours, output: &tail{}, done: make(chan struct{})}
	cmd.Stdin, cmd.Stderr = theirs, p.output // standard output is the console's chatter: nobody needs it
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, after the child
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		err = cmd.Wait()
		p.mu.Lock()
		if !p.closing {
			p.err = fmt.Errorf("the ClickHouse process ended by itself: %w%s", orExited(err), p.output.quote())
		}
		p.mu.Unlock()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	return p, nil
}

// close asks the child to end, waits up to patience, kills it then, and returns
// when it has been reaped.
func (p *process) close(patience time.Duration) error {
	p.mu.Lock()
	p.closing = true
	ownEnd := p.err
	p.mu.Unlock()
	_ = p.stdin.Close()
	if p.term != nil {
		if err := p.term(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop ClickHouse: %w", err)
		}
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return ownEnd
	case <-timer.C:
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop ClickHouse: %w", err)
	}
	<-p.done
	return fmt.Errorf("stop ClickHouse: it did not end within %s and was killed", patience)
}

func (p *process) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *process) signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

func orExited(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// tail keeps the last output of a child, for the error when it fails. A healthy
// engine writes next to nothing there; its log goes to a file.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

const tailBytes = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - tailBytes; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

var (
	// escapes are what a program sends to a terminal to move the cursor and change colours.
	escapes = regexp.MustCompile(`\x1b(\[[0-9;?]*[A-Za-z]|[=>78c])|[\x00-\x08\x0b-\x1f\x7f]`)
	// chatter are the lines that tell of no trouble.
	chatter = regexp.MustCompile(`^(Logging (\w+) to |Processing configuration file|ClickHouse local version|Query id: |Ok\.$|Bye\.$|:\)|SYSTEM START LISTEN|\d+ rows? in set)`)
)

// quotedLines is how much of a child's output an error repeats.
const quotedLines = 8

// quote gives the last lines that tell something, without escape codes.
func (t *tail) quote() string {
	t.mu.Lock()
	text := escapes.ReplaceAllString(string(t.text), "")
	t.mu.Unlock()
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" && !chatter.MatchString(line) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "; it said: " + strings.Join(lines[max(0, len(lines)-quotedLines):], "; ")
}

// has tells whether the child has said something.
func (t *tail) has(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Contains(t.text, []byte(text))
}
