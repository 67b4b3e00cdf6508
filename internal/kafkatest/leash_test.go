package kafkatest_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/internal/kafkatest"
)

// holderEnv makes this test binary start a broker in the folder it names, print its address and wait to be killed.
const holderEnv = "ANTEROOM_TEST_KAFKA_HOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holderEnv); dir != "" {
		fmt.Println(hold(dir))
		select {}
	}
	os.Exit(m.Run())
}

func hold(dir string) string {
	c, err := kafkatest.New(context.Background(), dir)
	if err == nil {
		err = c.Start(context.Background())
	}
	if err != nil {
		return err.Error()
	}
	return "listening " + c.Brokers[0]
}

func TestBrokerDiesWithAKilledTestProcess(t *testing.T) {
	ctx := testContext(t)
	kafkatest.Require(t)
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), holderEnv+"="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening ")
	if err != nil || !ok {
		t.Fatalf("start a broker in another process: %v: %s", err, line)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatalf("the broker doesn't listen: %v", err)
	}
	conn.Close()

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	for {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		conn.Close()
		select {
		case <-ctx.Done():
			t.Fatal("the broker outlives the process that started it")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
