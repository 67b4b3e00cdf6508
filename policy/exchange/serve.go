package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/policy"
)

const (
	// maxLog is the largest log as it is sent, maxLogText as it is read, bytes.
	maxLog, maxLogText = 8 << 20, 64 << 20
	maxQuestion        = 256 << 10
	// maxStatusText is the largest status as it is read: it has the agent's metrics.
	maxStatusText = 2 << 20
	// bodyTime is how long a body may take to come, answerTime an answer to be taken.
	bodyTime, answerTime = 30 * time.Second, time.Minute
	// logsAtOnce are taken in at a time, logsOfEach of one organisation; one takes up to 150 MiB. Others wait for logPatience.
	logsAtOnce, logsOfEach, logPatience = 4, 2, 10 * time.Second
	// waitersOfEach organisation are let wait for a change; more of them are answered at once, and ask again.
	waitersOfEach = 100
	// lookEvery is how often it is looked whether a policy changed for which an agent waits.
	lookEvery = 500 * time.Millisecond
	// longPollType says that the server lets agents wait.
	longPollType = "application/vnd.openpolicyagent.bundles"
)

// bundle hands out the organisation's bundle: at once, or when it has changed, if the agent lets itself wait.
func (e *Exchange) bundle(w http.ResponseWriter, r *http.Request, org string) error {
	if name := strings.TrimSuffix(r.PathValue("name"), ".tar.gz"); name != org {
		return &refusal{http.StatusNotFound, "not_found", "The bundle of an organisation has the organisation's short name, and its token is good for no other."}
	}
	if e.deps.Key == nil {
		return &refusal{http.StatusServiceUnavailable, "bundles_unavailable", "This process has no key to sign bundles with; ask one that has, or set bundles.key_file."}
	}
	wait, waits := waitOf(r)
	name, full, err := e.changed(r, org, min(wait, e.cfg.LongPoll))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/gzip")
	if waits && !full { // Who isn't let wait is to come again later, and not at once.
		w.Header().Set("Content-Type", longPollType)
	}
	w.Header().Set("ETag", e.tag(name))
	if matches(r.Header.Get("If-None-Match"), e.tag(name)) {
		e.metrics.bundles.WithLabelValues("unchanged").Inc()
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	found, err := e.build(r.Context(), org, name)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", e.tag(found.name)) // it may have changed in between
	e.metrics.bundles.WithLabelValues("sent").Inc()
	w.Header().Set("Content-Length", strconv.Itoa(len(found.body)))
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
	_, _ = w.Write(found.body) // an agent that left asks again
	return nil
}

// changed is the name of what is active, once it isn't one of the tags that the agent has any more or the time is over.
// full: too many wait already.
func (e *Exchange) changed(r *http.Request, org string, wait time.Duration) (name string, full bool, err error) {
	ctx, tags := r.Context(), r.Header.Get("If-None-Match")
	name, err = e.deps.Policies.ActiveName(ctx, org)
	if err != nil || wait <= 0 || !matches(tags, e.tag(name)) {
		return name, false, err //nolint:wrapcheck // it says what it did
	}
	if !e.waiters.come(org) {
		return name, true, nil
	}
	defer e.waiters.leave(org)
	over := time.NewTimer(wait)
	defer over.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for waiting := true; waiting; {
		select {
		case <-look.C:
		case <-over.C:
			waiting = false
		case <-e.stopped:
			waiting = false
		case <-ctx.Done():
			return "", false, ctx.Err() //nolint:wrapcheck // the agent left
		}
		if name, err = e.look(ctx, org); err != nil || !matches(tags, e.tag(name)) {
			break
		}
	}
	if err == nil {
		name, err = e.deps.Policies.ActiveName(ctx, org)
	}
	if err == nil {
		// The token may have been revoked meanwhile.
		_, err = e.prove(r)
	}
	return name, false, err //nolint:wrapcheck // it says what it did
}

// look is ActiveName for all who wait: one of them asks.
func (e *Exchange) look(ctx context.Context, org string) (string, error) {
	now := time.Now()
	e.mu.Lock()
	known, ok := e.looked[org]
	if ok && now.Sub(known.at) < lookEvery/2 {
		e.mu.Unlock()
		return known.name, nil
	}
	if ok { // Who comes while this one asks goes by what was found last.
		e.looked[org] = seen{known.name, now}
	}
	e.mu.Unlock()
	name, err := e.deps.Policies.ActiveName(ctx, org)
	if err != nil {
		return "", err //nolint:wrapcheck // it says what it did
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.looked) >= maxBuilt {
		clear(e.looked)
	}
	e.looked[org] = seen{name, now}
	return name, nil
}

// build makes the bundle, or remembers it.
func (e *Exchange) build(ctx context.Context, org, name string) (built, error) {
	e.mu.Lock()
	known, ok := e.built[org]
	e.mu.Unlock()
	if ok && known.name == name {
		return known, nil
	}
	active, err := e.deps.Policies.Active(ctx, org)
	if err != nil {
		return built{}, err //nolint:wrapcheck // it says what it did
	}
	body, err := Build(e.deps.Base, active.Revision, active.Name, e.deps.Key)
	if err != nil {
		return built{}, err
	}
	made := built{active.Name, body}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.built) >= maxBuilt {
		clear(e.built)
	}
	e.built[org] = made
	return made, nil
}

// tag names a bundle: what is in it and who signed it.
func (e *Exchange) tag(name string) string {
	sum := sha256.Sum256([]byte(name + "\x00" + e.deps.Key.ID))
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// matches tells whether a list of tags has one (RFC 9110).
func matches(list, tag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
			return true
		}
	}
	return false
}

// waitOf is how long an agent lets itself wait (Prefer: modes=snapshot;wait=30), and whether it knows of waiting.
func waitOf(r *http.Request) (wait time.Duration, waits bool) {
	for _, header := range r.Header.Values("Prefer") {
		for part := range strings.FieldsFuncSeq(header, func(c rune) bool { return c == ';' || c == ',' }) {
			key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch strings.ToLower(key) {
			case "modes":
				waits = true
			case "wait":
				if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
					wait, waits = time.Duration(min(seconds, 3600))*time.Second, true
				}
			}
		}
	}
	return wait, waits
}

// body is the text of a request that has to come in time: the connection is an agent's that waits for changes, and has no deadline of its own.
func (e *Exchange) body(w http.ResponseWriter, r *http.Request, most, mostText int64) (io.Reader, error) {
	control := http.NewResponseController(w)
	if err := errors.Join(control.SetReadDeadline(time.Now().Add(e.bodyTime)), control.SetWriteDeadline(time.Now().Add(e.bodyTime+answerTime))); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, fmt.Errorf("limit the time of a request: %w", err)
	}
	return text(w, r, most, mostText)
}

// logs takes a decision log in: a JSON list of events, gzip or plain. The same log sent again changes nothing.
func (e *Exchange) logs(w http.ResponseWriter, r *http.Request, org string) error {
	leave, err := e.taking.enter(r.Context(), org)
	if err != nil {
		return err
	}
	defer leave()
	body, err := e.body(w, r, maxLog, maxLogText)
	if err != nil {
		return err
	}
	list, taken, err := readLog(body, org, time.Now().UTC())
	if err != nil {
		return badBody(err)
	}
	if err := keep(r.Context(), e.deps.Store, list, &taken); err != nil {
		return err
	}
	for result, n := range map[string]int{"stored": taken.Stored, "known": taken.Known, "ignored": taken.Ignored, "without_input": taken.WithoutInput} {
		e.metrics.entries.WithLabelValues(result).Add(float64(n))
	}
	e.write(w, r, http.StatusOK, taken)
	return nil
}

// status takes an agent's status in: a bundle that it could not load is told in the log and counted.
func (e *Exchange) status(w http.ResponseWriter, r *http.Request, org string) error {
	body, err := e.body(w, r, maxQuestion, maxStatusText)
	if err != nil {
		return err
	}
	var said struct {
		Bundles map[string]struct {
			Code string `json:"code"`
		} `json:"bundles"`
	}
	if err := json.NewDecoder(body).Decode(&said); err != nil {
		return badBody(errors.Join(errors.New("the body is no status"), err))
	}
	result, failed := "ok", 0
	for _, b := range said.Bundles {
		if b.Code != "" {
			failed++
		}
	}
	if failed > 0 {
		result = "failed"
		e.deps.Log.WarnContext(r.Context(), "an agent could not load its bundles", "organization", org, "own", said.Bundles[org].Code != "", "failed", failed)
	}
	e.metrics.statuses.WithLabelValues(result).Inc()
	e.write(w, r, http.StatusOK, struct{}{})
	return nil
}

// data answers what an agent with the bundle would: the decision on an input.
func (e *Exchange) data(w http.ResponseWriter, r *http.Request, org string) error {
	body, err := e.body(w, r, maxQuestion, maxQuestion)
	if err != nil {
		return err
	}
	var question struct {
		Input json.RawMessage `json:"input"`
	}
	if err := json.NewDecoder(body).Decode(&question); err != nil {
		return badBody(errors.Join(errors.New("the body is no JSON object with an input"), err))
	}
	path := strings.Trim(r.PathValue("path"), "/")
	if path != policy.DecisionPath && path != "anteroom/decision/allow" {
		e.write(w, r, http.StatusOK, struct{}{}) // undefined, as an agent says it
		return nil
	}
	in, err := policy.ParseInput(question.Input)
	if err != nil {
		return badBody(err)
	}
	d := e.deps.Decider.Decide(r.Context(), org, in)
	out := map[string]any{"decision_id": uuid.NewString()}
	if out["result"] = d.Allowed(); path == policy.DecisionPath {
		out["result"] = answerOf(d)
	}
	e.write(w, r, http.StatusOK, out)
	return nil
}

// answerOf is a decision as data.anteroom.decision.answer has it.
func answerOf(d policy.Decision) map[string]any {
	reasons, rules, obligations := []policy.Reason{}, []string{}, []policy.Obligation{}
	return map[string]any{
		"effect": d.Effect, "reasons": append(reasons, d.Reasons...), "rules": append(rules, d.Rules...), "obligations": append(obligations, d.Obligations...),
	}
}
