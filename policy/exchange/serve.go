package exchange

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
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
	name, err := e.changed(r.Context(), org, r.Header.Get("If-None-Match"), min(wait, e.cfg.LongPoll))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/gzip")
	if waits {
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
	_, _ = w.Write(found.body) // an agent that left asks again
	return nil
}

// changed is the name of what is active, once it isn't one of the tags any more or the time is over.
func (e *Exchange) changed(ctx context.Context, org, tags string, wait time.Duration) (string, error) {
	over := time.After(wait)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		name, err := e.deps.Policies.ActiveName(ctx, org)
		if err != nil || wait <= 0 || !matches(tags, e.tag(name)) {
			return name, err //nolint:wrapcheck // it says what it did
		}
		select {
		case <-look.C:
		case <-over:
			return name, nil
		case <-e.stopped:
			return name, nil
		case <-ctx.Done():
			return "", ctx.Err() //nolint:wrapcheck // the agent left
		}
	}
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

// text is the body as it was before it was compressed, with an end.
func text(w http.ResponseWriter, r *http.Request, most, mostText int64) (io.ReadCloser, error) {
	body := http.MaxBytesReader(w, r.Body, most)
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "":
		return body, nil
	case "gzip":
		plain, err := gzip.NewReader(body)
		if err != nil {
			return nil, &refusal{http.StatusBadRequest, "invalid_parameter", "The body is not gzip as its Content-Encoding says."}
		}
		return http.MaxBytesReader(w, plain, mostText), nil
	}
	return nil, &refusal{http.StatusUnsupportedMediaType, "invalid_parameter", "The Content-Encoding must be gzip or none."}
}

// badBody says what is wrong with a body that can't be read.
func badBody(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &refusal{http.StatusRequestEntityTooLarge, "too_large", "The body is larger than what is taken: 8 MiB as sent, 64 MiB as read."}
	}
	return &refusal{http.StatusBadRequest, "invalid_parameter", err.Error() + "."}
}

// logs takes a decision log in: a JSON list of events, gzip or plain. The same log sent again changes nothing.
func (e *Exchange) logs(w http.ResponseWriter, r *http.Request, org string) error {
	body, err := text(w, r, maxLog, maxLogText)
	if err != nil {
		return err
	}
	list, taken, err := readLog(body, org, time.Now().UTC())
	if err != nil {
		if errors.Is(err, errLog) {
			var large *http.MaxBytesError
			if !errors.As(err, &large) {
				err = errLog
			}
		}
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
	body, err := text(w, r, maxQuestion, maxLog)
	if err != nil {
		return err
	}
	var said struct {
		Bundles map[string]struct {
			ActiveRevision string `json:"active_revision"`
			Code           string `json:"code"`
		} `json:"bundles"`
	}
	if err := json.NewDecoder(body).Decode(&said); err != nil {
		return badBody(errors.New("the body is no status"))
	}
	result := "ok"
	for name, b := range said.Bundles {
		if b.Code != "" {
			result = "failed"
			e.deps.Log.WarnContext(r.Context(), "an agent could not load its bundle", "organization", org, "own", name == org)
		}
	}
	e.metrics.statuses.WithLabelValues(result).Inc()
	e.write(w, r, http.StatusOK, struct{}{})
	return nil
}

// data answers what an agent with the bundle would: the decision on an input.
func (e *Exchange) data(w http.ResponseWriter, r *http.Request, org string) error {
	body, err := text(w, r, maxQuestion, maxQuestion)
	if err != nil {
		return err
	}
	var question struct {
		Input json.RawMessage `json:"input"`
	}
	if err := json.NewDecoder(body).Decode(&question); err != nil {
		return badBody(errors.New("the body is no JSON object with an input"))
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
