package embedded

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// loopback is the only address the engines ever listen on.
const loopback = "127.0.0.1"

// FreePorts returns n different loopback TCP ports that were free a moment ago.
// Nothing reserves them: take them for engines that must know each other's
// ports before they start (ClickHouseConfig.Cluster), and start soon.
func FreePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return nil, fmt.Errorf("find free port: %w", err)
		}
		defer l.Close() //nolint:gocritic // all are held until the end, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// listenRemembered listens on loopback on the port noted in the file, or on any
// free one if there is no note or its port is taken, and notes what it got.
func listenRemembered(file string) (net.Listener, error) {
	if raw, err := os.ReadFile(file); err == nil {
		port, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 16)
		if err == nil && port > 0 {
			l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.FormatUint(port, 10)))
			if err == nil {
				return l, nil
			}
		}
	}
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return nil, fmt.Errorf("listen on loopback: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := writeFile(file, strconv.Itoa(port)+"\n"); err != nil {
		l.Close()
		return nil, fmt.Errorf("remember port: %w", err)
	}
	return l, nil
}

// writeFile replaces path by content in one step, mode 0600.
func writeFile(path, content string) error {
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.WriteFile(tmp, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
