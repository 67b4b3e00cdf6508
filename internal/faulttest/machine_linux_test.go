package faulttest_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/anteroom/anteroom/internal/faulttest"
)

func TestASmallDiskIsFullAndHasRoomAgain(t *testing.T) {
	d := faulttest.NewDisk(t, 1<<20)
	write := func() error { return os.WriteFile(filepath.Join(d.Dir, "file"), make([]byte, 100<<10), 0o600) }
	if err := write(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(d.Dir, "file")); err != nil {
		t.Fatal(err)
	}
	d.Fill(50 << 10)
	if err := write(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("on a full disk: %v", err)
	}
	d.Free()
	if err := write(); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// What is within reaches this machine, doesn't while the network is parted, and does again.
func TestANetworkIsParted(t *testing.T) {
	n := faulttest.NewNetwork(t)
	to, _ := echo(t)
	p := faulttest.NewProxyOn(t, n.Host())
	p.To(to)
	host, port, _ := strings.Cut(p.Addr(), ":")
	ask := func() (string, error) {
		line := append(n.Inside(), "bash", "-c", "exec 3<>/dev/tcp/"+host+"/"+port+"; echo hello >&3; read -t 5 line <&3; echo $line")
		cmd := exec.Command("timeout", append([]string{"2"}, line...)...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		return strings.TrimSpace(out.String()), err
	}
	for _, parted := range []bool{false, true, false} {
		if parted {
			n.Part(true)
		}
		got, err := ask()
		if reached := err == nil && got == "hello"; reached == parted {
			t.Errorf("parted %v: %q, %v", parted, got, err)
		}
		if parted {
			n.Part(false)
		}
	}
}
