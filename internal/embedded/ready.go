package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// readyPoll is the pause between two looks at a starting engine.
const readyPoll = 20 * time.Millisecond

// addressInUse is what the engine says when it can't listen.
const addressInUse = "Address already in use"

// awaitReady waits until the engine answers the service user. The password is
// sent only to a server that shows the nonce of the configuration file, which
// nobody else can read: another process may have taken the port.
func (c *ClickHouse) awaitReady(ctx context.Context, nonce string) error {
	client := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}, Timeout: 5 * time.Second}
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		ready, err := c.ready(ctx, client, nonce)
		if err != nil || ready {
			return err
		}
		if c.process.output.has(addressInUse) { // the library's console goes on after that
			return fmt.Errorf("%w%s", errPortTaken, c.process.output.quote())
		}
		select {
		case <-tick.C:
		case <-c.Done():
			if c.process.output.has(addressInUse) {
				return fmt.Errorf("%w: %w", errPortTaken, c.Err())
			}
			return c.Err()
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w%s", context.Cause(ctx), c.process.output.quote())
		}
	}
}

// ready reports whether the engine is up; an error means that it never will be.
func (c *ClickHouse) ready(ctx context.Context, client *http.Client, nonce string) (bool, error) {
	body, _, err := c.get(ctx, client, "/", false)
	if err != nil {
		return false, nil //nolint:nilerr // not listening yet
	}
	if strings.TrimSpace(body) != nonce {
		return false, fmt.Errorf("%s: %w", c.HTTPAddr(), errPortTaken)
	}
	var status int
	body, status, err = c.get(ctx, client, "/?query=SELECT+1", true)
	if err != nil {
		return false, nil //nolint:nilerr // not answering yet
	}
	if status == http.StatusOK && strings.TrimSpace(body) == "1" {
		return true, nil
	}
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return false, errors.New("the engine refuses its own service user: " + strings.TrimSpace(body))
	}
	return false, nil
}

func (c *ClickHouse) get(ctx context.Context, client *http.Client, path string, login bool) (string, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.HTTPAddr()+path, nil)
	if err != nil {
		return "", 0, err
	}
	if login {
		req.Header.Set("X-ClickHouse-User", c.User())
		req.Header.Set("X-ClickHouse-Key", c.Password())
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return string(body), resp.StatusCode, err
}
