package backup_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"

	"github.com/anteroom/anteroom/retention/backup"
)

// killed runs a process that restores, kills it when it begins a step, and tells whether it had succeeded before.
func (p *place) killed(s setup, step int) bool {
	p.t.Helper()
	s.Password = s.ClickHouse.Password // which configurations don't tell
	spec, err := json.Marshal(s)
	if err != nil {
		p.t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(p.t.Context(), exe)
	cmd.Env = append(os.Environ(), victimEnv+"="+string(spec))
	cmd.Stderr = p.t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; n < step && lines.Scan(); n++ {
		if n == step-1 {
			_ = cmd.Process.Kill()
		}
	}
	return cmd.Wait() == nil
}

// victim restores, and says each step before it begins it.
func victim(spec string) {
	err := func() error {
		var s setup
		if err := json.Unmarshal([]byte(spec), &s); err != nil {
			return err
		}
		s.ClickHouse.Password = s.Password
		f, err := s.from()
		if err != nil {
			return err
		}
		f.Steps.Told = func(what string) { fmt.Println(what) }
		_, err = backup.Restore(context.Background(), f, "before", true)
		return err
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
