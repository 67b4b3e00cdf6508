package faulttest_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/internal/faulttest"
)

// echo answers each line with itself, and tells what it has read.
func echo(t *testing.T) (addr string, heard <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	lines := make(chan string, 100)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				scanner := bufio.NewScanner(c)
				for scanner.Scan() {
					lines <- scanner.Text()
					fmt.Fprintln(c, scanner.Text())
				}
			}()
		}
	}()
	return listener.Addr().String(), lines
}

// Of a request that is chosen the server hears, and the client hears nothing; other connections, and the next ones, aren't touched.
func TestAnAnswerIsCut(t *testing.T) {
	to, heard := echo(t)
	p := faulttest.NewProxy(t)
	p.To(to)
	connect := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	say := func(c net.Conn, line string) error {
		t.Helper()
		if _, err := fmt.Fprintln(c, line); err != nil {
			t.Fatal(err)
		}
		if got := <-heard; got != line {
			t.Fatalf("the server heard %q, want %q", got, line)
		}
		got, err := bufio.NewReader(c).ReadString('\n')
		if err == nil && got != line+"\n" {
			t.Fatalf("the answer is %q, want %q", got, line)
		}
		return err
	}
	one, other := connect(), connect()
	p.CutAnswer(func(sent []byte) bool { return strings.HasPrefix(string(sent), "insert") })
	for _, c := range []net.Conn{one, other} {
		if err := say(c, "hello"); err != nil {
			t.Fatal(err)
		}
	}
	if err := say(one, "insert"); !errors.Is(err, io.EOF) && !strings.Contains(fmt.Sprint(err), "reset") {
		t.Errorf("the answer to what was to be cut: %v", err)
	}
	if err := say(other, "insert"); err != nil {
		t.Errorf("the next one: %v", err)
	}
	if err := say(connect(), "insert"); err != nil {
		t.Errorf("a new connection: %v", err)
	}
	if n := p.Cuts(); n != 1 {
		t.Errorf("%d connections were cut", n)
	}

	p.Still(true)
	if _, err := fmt.Fprintln(other, "later"); err != nil {
		t.Fatal(err)
	}
	select {
	case line := <-heard:
		t.Errorf("%q got through while everything stands still", line)
	case <-time.After(100 * time.Millisecond):
	}
	p.Still(false)
	if got := <-heard; got != "later" {
		t.Errorf("the server heard %q", got)
	}
}
