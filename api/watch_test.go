package api

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anteroom/anteroom/analytics/live"
	"github.com/anteroom/anteroom/directory"
)

// watch opens a stream of events; what is read of it goes to the channel, which is closed with the stream.
func (s *service) watch(token string) <-chan string {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+"/v1/live", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("status %d", resp.StatusCode)
	}
	out := make(chan string, 100)
	go func() {
		defer close(out)
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if text := lines.Text(); text != "" {
				out <- text
			}
		}
	}()
	return out
}

// awaitLine waits for a line that begins so, and fails when the stream ends before.
func awaitLine(t *testing.T, lines <-chan string, begin string) string {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatalf("the stream ended before %q", begin)
			}
			if strings.HasPrefix(line, begin) {
				return line
			}
		case <-deadline:
			t.Fatalf("no line %q", begin)
		}
	}
}

func TestStreamsOfRunningCalls(t *testing.T) {
	s := start(t, func(_ *Config, d *Deps) {
		d.Live = live.Config{Interval: 20 * time.Millisecond, Alive: 50 * time.Millisecond, StreamsPerUser: 2}
	})
	admin := s.people.token("admin@contoso")
	first, second := s.watch(admin), s.watch(admin)
	for _, lines := range []<-chan string{first, second} {
		awaitLine(t, lines, "event: calls")
		if data := awaitLine(t, lines, "data: "); !strings.Contains(data, `"calls":[]`) {
			t.Errorf("the first picture: %s", data)
		}
		awaitLine(t, lines, "event: alive")
		awaitLine(t, lines, "event: alive")
	}
	// A user may not have more, another one may.
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Authorization", "Bearer "+admin)
	if code, _ := s.problem(s.do(request, "/v1/live")); code != string(CodeTooManyRequests) {
		t.Errorf("a third stream: %s", code)
	}
	other := s.watch(s.people.token("support:sue@contoso"))
	awaitLine(t, other, "event: calls")
	// All of them end when nobody of the organisation is signed in any more: it has another provider.
	changed, err := s.people.rows.Organizations.Get(t.Context(), "", "contoso")
	if err != nil {
		t.Fatal(err)
	}
	changed.Value.Issuer = &directory.Issuer{URL: "https://login.example", ClientID: "anteroom"}
	if _, err := s.people.rows.Organizations.Put(t.Context(), changed.Value, changed.Version, "test"); err != nil {
		t.Fatal(err)
	}
	for _, lines := range []<-chan string{first, second, other} {
		awaitLine(t, lines, "event: end")
		if data := awaitLine(t, lines, "data: "); !strings.Contains(data, "signed_out") {
			t.Errorf("the last word: %s", data)
		}
		for range lines {
		}
	}
}

// A stop waits for no stream.
func TestStreamsEndWithTheService(t *testing.T) {
	s := start(t, func(c *Config, _ *Deps) { c.StopTimeout = time.Minute })
	lines := s.watch(s.people.token("admin@contoso"))
	awaitLine(t, lines, "event: alive")
	s.stop()
	awaitLine(t, lines, "event: end")
	if data := awaitLine(t, lines, "data: "); !strings.Contains(data, "shutting_down") {
		t.Errorf("the last word: %s", data)
	}
}
