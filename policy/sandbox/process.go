package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one child, as its parent has it.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	read   io.Closer
	out    *bufio.Reader
	stderr *tail
	limits Limits
	log    *slog.Logger
	// done is closed when the process has ended.
	done chan struct{}
	// ended is told of the end, for tests.
	ended func(*os.ProcessState)

	// mu guards killed, which is why the parent ended it, once it has.
	mu     sync.Mutex
	killed string
}

// start starts a child and waits until it has read the base; the context ends it until then.
func (c *Client) start(ctx context.Context) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	cmd := exec.Command(program, childArg)
	cmd.Dir = "/"
	// Nothing of the service's surroundings; the runtime says one line when it fails.
	cmd.Env = []string{"GOTRACEBACK=none"}
	// A group of its own: an interrupt typed at the terminal is the parent's matter.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &process{cmd: cmd, stderr: &tail{}, limits: c.cfg.Limits, log: c.log, done: make(chan struct{})}
	cmd.Stderr = p.stderr
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	// A pipe of our own: Wait closes those of the command, and what a child wrote before its end is still to be read.
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	cmd.Stdout = write
	err = cmd.Start()
	_ = write.Close()
	if err != nil {
		_ = read.Close()
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	p.read, p.ended = read, c.ended
	p.out = bufio.NewReaderSize(&limited{from: read, left: int64(p.limits.OutputMB) << 20}, 1<<16)
	go p.wait()
	defer context.AfterFunc(ctx, func() { p.kill(WhyTime) })()
	err = p.send(hello{Policy: c.policy, Limits: p.limits, Builtins: c.builtins})
	if err == nil {
		_, err = p.receive()
	}
	if err != nil {
		defer p.end()
		return nil, p.why(ctx, err)
	}
	return p, nil
}

// wait waits for the child's end.
func (p *process) wait() {
	_ = p.cmd.Wait()
	close(p.done)
	if p.ended != nil {
		p.ended(p.cmd.ProcessState)
	}
}

// watchMemory ends the child when it has too much memory, in case it can't do so itself.
func (p *process) watchMemory() {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-ticker.C:
			if resident(p.cmd.Process.Pid) > uint64(p.limits.MemoryMB)<<20 {
				p.kill(WhyMemory)
				return
			}
		}
	}
}

// kill ends the child. Why counts if nothing ended it before.
func (p *process) kill(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed == "" {
		p.killed = why
	}
	_ = p.cmd.Process.Kill()
}

// send writes a line.
func (p *process) send(line any) error {
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("ask the sandbox: %w", err)
	}
	_, err = p.in.Write(append(text, '\n'))
	return err
}

// receive reads a line.
func (p *process) receive() (reply, error) {
	var r reply
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return r, err
	}
	err = json.Unmarshal(line, &r)
	return r, err
}

// end ends the child, if it hasn't ended, and waits for it.
func (p *process) end() {
	_ = p.in.Close()
	p.kill("")
	<-p.done
	_ = p.read.Close()
}

// alive tells whether the child can still be asked.
func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// why is the error that tells why a child gave no answer.
func (p *process) why(ctx context.Context, err error) error {
	if errors.Is(err, errTooLong) {
		return &Killed{WhyOutput, fmt.Sprintf("the answer is longer than %d MiB", p.limits.OutputMB)}
	}
	// What can't be written to or read from has ended, or is about to.
	select {
	case <-p.done:
	case <-ctx.Done():
		p.kill(WhyTime)
		<-p.done
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	p.mu.Lock()
	killed := p.killed
	p.mu.Unlock()
	state := p.cmd.ProcessState
	switch {
	case killed == WhyMemory, state.ExitCode() == exitMemory, p.outOfMemory():
		return &Killed{WhyMemory, fmt.Sprintf("the policy used more than %d MiB of memory and was ended", p.limits.MemoryMB)}
	case state.ExitCode() == exitTime, state.UserTime()+state.SystemTime() >= p.limits.CPU:
		return &Killed{WhyTime, fmt.Sprintf("the policy took longer than %s of processor time and was ended", p.limits.CPU)}
	case killed == WhyTime: // A policy never waits: it was not given the time.
		p.log.WarnContext(ctx, "policy sandbox was given too little time", slog.Duration("used", state.UserTime()+state.SystemTime()), slog.Duration("within", p.limits.Wall))
		return ErrBusy
	}
	p.log.ErrorContext(ctx, "policy sandbox crashed", slog.String("state", state.String()), slog.String("said", oneLine(p.stderr.String())))
	return &Killed{WhyCrash, "the policy made the evaluator crash"}
}

// outOfMemory tells whether the child has crashed because the kernel gave it no more.
func (p *process) outOfMemory() bool {
	said := p.stderr.String()
	if strings.Contains(said, "out of memory") || strings.Contains(said, "cannot allocate memory") {
		return true
	}
	return peakMemory(p.cmd.ProcessState) > uint64(p.limits.MemoryMB)<<20
}

// oneLine is the first line of what a child said at its end.
func oneLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

var errTooLong = errors.New("the answer is too long")

// limited reads until a limit, and then fails.
type limited struct {
	from io.Reader
	left int64
}

func (l *limited) Read(into []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLong
	}
	n, err := l.from.Read(into[:min(int64(len(into)), l.left)])
	l.left -= int64(n)
	return n, err
}

// tail keeps the beginning of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(text []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := 4<<10 - len(t.text); room > 0 {
		t.text = append(t.text, text[:min(room, len(text))]...)
	}
	return len(text), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
