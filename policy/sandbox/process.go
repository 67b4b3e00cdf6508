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
	out    *bufio.Reader
	stderr *tail
	limits Limits
	log    *slog.Logger
	done   chan struct{} // closed when the process has ended
	// killed is why the parent ended it, once it has.
	killed func() string
	kill   func(why string)
}

// start starts a child; the context ends it.
func (c *Client) start(ctx context.Context) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	limits := c.cfg.Limits
	cmd := exec.Command(program, childArg)
	cmd.Dir = "/"
	// Nothing of the service's surroundings; the runtime says one line when it fails.
	cmd.Env = []string{"GOTRACEBACK=none"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &process{cmd: cmd, stderr: &tail{}, limits: limits, log: c.log, done: make(chan struct{})}
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
	p.out = bufio.NewReaderSize(&limited{from: read, left: int64(limits.OutputMB) << 20}, 1<<16)
	p.watch(ctx, read)
	if err := p.send(hello{Policy: c.policy, Limits: limits, Builtins: c.builtins}); err != nil {
		p.end()
		return nil, p.why(ctx, err)
	}
	if _, err := p.receive(); err != nil {
		defer p.end()
		return nil, p.why(ctx, err)
	}
	return p, nil
}

// watch ends the child with the context, or when it has used too much memory, and waits for its end.
func (p *process) watch(ctx context.Context, out io.Closer) {
	var mu sync.Mutex
	var killed string
	p.killed = func() string {
		mu.Lock()
		defer mu.Unlock()
		return killed
	}
	p.kill = func(why string) {
		mu.Lock()
		defer mu.Unlock()
		select {
		case <-p.done:
			return
		default:
		}
		if killed == "" {
			killed = why
		}
		// The group: a child starts none of its own, but nothing may be left.
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	go func() {
		_ = p.cmd.Wait()
		mu.Lock()
		close(p.done)
		mu.Unlock()
	}()
	go func() {
		defer func() { _ = out.Close() }()
		ticker := time.NewTicker(watchInterval)
		defer ticker.Stop()
		for {
			select {
			case <-p.done:
				return
			case <-ctx.Done():
				p.kill(WhyTime)
				return
			case <-ticker.C:
				if resident(p.cmd.Process.Pid) > uint64(p.limits.MemoryMB)<<20 {
					p.kill(WhyMemory)
					return
				}
			}
		}
	}()
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
}

// why is the error that tells why a child gave no answer.
func (p *process) why(ctx context.Context, err error) error {
	if errors.Is(err, errTooLong) {
		return &Killed{WhyOutput, fmt.Sprintf("the answer is longer than %d MiB", p.limits.OutputMB)}
	}
	// A child that is done for has ended, or is about to.
	select {
	case <-p.done:
	case <-ctx.Done():
	}
	cause := context.Cause(ctx)
	if cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	p.kill(WhyTime)
	<-p.done
	return p.verdict(cause)
}

func (p *process) verdict(cause error) error {
	state := p.cmd.ProcessState
	used := state.UserTime() + state.SystemTime()
	said := p.stderr.String()
	memory := &Killed{WhyMemory, fmt.Sprintf("the policy used more than %d MiB of memory and was ended", p.limits.MemoryMB)}
	late := &Killed{WhyTime, fmt.Sprintf("the policy took longer than %s and was ended", min(p.limits.Wall, p.limits.CPU))}
	switch {
	case p.killed() == WhyMemory, state.ExitCode() == exitMemory, strings.Contains(said, "out of memory"):
		return memory
	case state.ExitCode() == exitTime, cause != nil, used >= p.limits.CPU:
		return late
	}
	p.log.Error("policy sandbox crashed", slog.String("state", state.String()), slog.String("said", oneLine(said)))
	return &Killed{WhyCrash, "the policy made the evaluator crash"}
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
