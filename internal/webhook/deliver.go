package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// The headers of a delivery.
const (
	SignatureHeader = "Anteroom-Signature"
	EventHeader     = "Anteroom-Event"
	EventIDHeader   = "Anteroom-Event-Id"
)

// maxAnswer is how much of an answer is read, so that its connection can be used again.
const maxAnswer = 64 << 10

// Sign is the value of SignatureHeader for a body sent at an instant.
func Sign(secret string, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

type delivery struct {
	id, kind string
	body     []byte
}

// worker delivers to one target, one event after the other.
type worker struct {
	sender *Sender
	key    string
	target Target
	queue  chan delivery
}

// run delivers until the target is idle or ctx ends; requests go on until their own context ends.
func (w *worker) run(ctx, requests context.Context) {
	idle := time.NewTimer(w.sender.cfg.IdleTimeout)
	defer idle.Stop()
	for {
		select {
		case d := <-w.queue:
			w.deliver(ctx, requests, d)
			idle.Reset(w.sender.cfg.IdleTimeout)
		case <-idle.C:
			if w.sender.retire(w) {
				return
			}
			idle.Reset(w.sender.cfg.IdleTimeout)
		case <-ctx.Done():
			w.drain(requests)
			return
		}
	}
}

// drain tries what is left once each.
func (w *worker) drain(requests context.Context) {
	for {
		select {
		case d := <-w.queue:
			if err := w.attempt(requests, d); err != nil {
				w.sender.dropped.Inc()
			}
		default:
			return
		}
	}
}

// deliver tries an event until the target takes it or it was tried often enough.
func (w *worker) deliver(ctx, requests context.Context, d delivery) {
	cfg := w.sender.cfg
	pause := cfg.FirstPause
	for n := 1; ; n++ {
		err := w.attempt(requests, d)
		if err == nil {
			return
		}
		if n == cfg.Attempts || ctx.Err() != nil {
			w.sender.dropped.Inc()
			w.sender.log.WarnContext(requests, "webhook event given up", slog.String("event_id", d.id), slog.String("kind", d.kind), slog.Int("attempts", n))
			return
		}
		select {
		case <-time.After(pause + rand.N(pause/4+1)): //nolint:gosec // spreads load, keeps no secret
		case <-ctx.Done(): // One more attempt, then it is over.
		}
		pause = min(2*pause, cfg.MaxPause)
	}
}

// attempt makes one delivery. The error has no address in it: an address may carry a secret.
func (w *worker) attempt(ctx context.Context, d delivery) error {
	err := w.post(ctx, d)
	if err != nil {
		w.sender.failed.Inc()
		w.sender.log.DebugContext(ctx, "webhook attempt failed", slog.String("event_id", d.id), slog.String("kind", d.kind))
		return err
	}
	w.sender.delivered.Inc()
	return nil
}

func (w *worker) post(ctx context.Context, d delivery) error {
	ctx, cancel := context.WithTimeout(ctx, w.sender.cfg.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.target.URL, bytes.NewReader(d.body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	if request.URL.Scheme != "https" && !w.sender.cfg.AllowPrivate {
		return errNotHTTPS
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Anteroom-Webhook/1")
	request.Header.Set(EventHeader, d.kind)
	request.Header.Set(EventIDHeader, d.id)
	request.Header.Set(SignatureHeader, Sign(w.target.Secret, time.Now(), d.body))
	response, err := w.sender.client.Do(request)
	if err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer)
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("deliver: status %d: %w", response.StatusCode, errRefused)
	}
	return nil
}
