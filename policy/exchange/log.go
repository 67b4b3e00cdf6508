package exchange

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/store"
)

// What an entry of an agent's log may be.
const (
	maxEntries = 50_000
	// maxAhead is how far an agent's clock may be ahead, maxBehind how old an entry may be.
	maxAhead  = 5 * time.Minute
	maxBehind = 31 * 24 * time.Hour
)

// entry is what is read of OPA's EventV1. Labels, addresses and names of who asked are not.
type entry struct {
	DecisionID string `json:"decision_id"`
	Revision   string `json:"revision"`
	Bundles    map[string]struct {
		Revision string `json:"revision"`
	} `json:"bundles"`
	Path      string             `json:"path"`
	Input     json.RawMessage    `json:"input"`
	Result    json.RawMessage    `json:"result"`
	Erased    []string           `json:"erased"`
	Masked    []string           `json:"masked"`
	Error     json.RawMessage    `json:"error"`
	Timestamp time.Time          `json:"timestamp"`
	Metrics   map[string]float64 `json:"metrics"`
}

// Taken says what became of a log.
type Taken struct {
	// Stored are new; Known were there already.
	Stored int `json:"stored"`
	Known  int `json:"known"`
	// Ignored answer another question than policy.DecisionPath, or are of no time that can be.
	Ignored int `json:"ignored"`
	// WithoutInput are those stored whose input was masked, or is not what a policy here may see.
	WithoutInput int `json:"without_input"`
}

// errLog: the log can't be read.
var errLog = errors.New("the body is no list of decision events")

// readLog reads a decision log for an organisation.
func readLog(body io.Reader, org string, now time.Time) (list []store.DecisionInput, taken Taken, err error) {
	metered := &entries{from: body}
	metered.next(0)
	decoder := json.NewDecoder(metered)
	if token, err := decoder.Token(); err != nil || token != json.Delim('[') {
		return nil, taken, errors.Join(errLog, err)
	}
	seen := map[uuid.UUID]bool{}
	for n := 0; decoder.More(); n++ {
		var e entry
		metered.next(decoder.InputOffset())
		if err := decoder.Decode(&e); err != nil {
			return nil, taken, errors.Join(errLog, err)
		}
		if n >= maxEntries {
			return nil, taken, fmt.Errorf("%w: it has more than %d entries", errLog, maxEntries)
		}
		d, ok := e.decision(org, now)
		switch {
		case !ok:
			taken.Ignored++
		case seen[d.DecisionID]:
			taken.Known++
		default:
			seen[d.DecisionID] = true
			if d.Input == "" {
				taken.WithoutInput++
			}
			list = append(list, d)
		}
	}
	metered.next(decoder.InputOffset())
	if _, err := decoder.Token(); err != nil {
		return nil, taken, errors.Join(errLog, err)
	}
	return list, taken, nil
}

// decision is the entry as it is kept; false if it isn't.
func (e *entry) decision(org string, now time.Time) (d store.DecisionInput, ok bool) {
	at := e.Timestamp.UTC()
	if strings.Trim(e.Path, "/") != policy.DecisionPath || e.DecisionID == "" || at.After(now.Add(maxAhead)) || at.Before(now.Add(-maxBehind)) {
		return d, false
	}
	d = store.DecisionInput{
		DecisionID: idOf(org, e.DecisionID), At: at, Revision: e.revision(org), Took: tookOf(e.Metrics["timer_server_handler_ns"]),
		Source: store.DecidedByAgent, Effect: string(policy.Deny),
	}
	if took := e.Metrics["timer_rego_query_eval_ns"]; took > 0 {
		d.Took = tookOf(took)
	}
	d.KeptIn, d.SentAt = store.AgentsDay(org, at)
	d.Action = "join"
	if len(e.Erased)+len(e.Masked) == 0 {
		if in, err := policy.ParseInput(e.Input); err == nil {
			d.Input, d.Action = canonical(in)
		}
	}
	if d.Input == "" {
		// Without an input it isn't known what was asked.
		d.Action = ""
	}
	e.answer(&d)
	return d, true
}

// maxTook is more than any agent lets a decision take.
const maxTook = time.Hour

// tookOf is a time that an agent measured, nanoseconds, within what can be.
func tookOf(ns float64) time.Duration { return time.Duration(min(max(ns, 0), float64(maxTook))) }

// answer reads the effect: whatever isn't an answer is one that no policy gave.
func (e *entry) answer(d *store.DecisionInput) {
	var answer struct {
		Effect  policy.Effect `json:"effect"`
		Reasons []string      `json:"reasons"`
		Rules   []string      `json:"rules"`
	}
	known := func() bool {
		return json.Unmarshal(e.Result, &answer) == nil && slices.Contains([]policy.Effect{policy.Allow, policy.Lobby, policy.Deny}, answer.Effect) &&
			!slices.ContainsFunc(answer.Reasons, func(r string) bool { return !word.MatchString(r) }) &&
			!slices.ContainsFunc(answer.Rules, func(r string) bool { return len(r) > 64 })
	}
	switch {
	case len(e.Error) > 0 && !bytes.Equal(e.Error, []byte("null")):
		d.Error = string(policy.FailedError)
	case len(e.Result) == 0 || bytes.Equal(e.Result, []byte("null")):
		d.Error = string(policy.FailedUndefined)
	case !known():
		d.Error = string(policy.FailedError)
	default:
		d.Effect, d.Reasons, d.Rules = string(answer.Effect), answer.Reasons, answer.Rules
		return
	}
	d.Reasons = []string{string(policy.PolicyFailed)}
}

var (
	word     = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
	revision = regexp.MustCompile(`^[A-Za-z0-9@+#._:/-]{1,200}$`)
)

// revision that decided: that of the organisation's bundle, or of the only one.
func (e *entry) revision(org string) string {
	text := e.Revision
	for name, b := range e.Bundles {
		if name == org || len(e.Bundles) == 1 {
			text = b.Revision
		}
	}
	if !revision.MatchString(text) {
		return ""
	}
	return text
}

// canonical is an input as meetings' decisions have it, with what was asked.
func canonical(in policy.Input) (text, action string) {
	plain, err := json.Marshal(in)
	if err != nil {
		return "", ""
	}
	var tree any
	if json.Unmarshal(plain, &tree) != nil {
		return "", ""
	}
	sorted, err := json.Marshal(tree)
	if err != nil {
		return "", ""
	}
	action = string(in.Action)
	if in.Capability != "" {
		action += ":" + string(in.Capability)
	}
	return string(sorted), action
}

// idOf is the id of a decision: OPA's own, which are UUIDs, or one made of whatever text an agent uses.
func idOf(org, text string) uuid.UUID {
	if id, err := uuid.Parse(text); err == nil {
		return id
	}
	sum := sha256.Sum256([]byte("decision\x00" + org + "\x00" + text))
	return uuid.NewHash(sha256.New(), uuid.Nil, sum[:], 8)
}

// keep stores those of a log that aren't there yet.
func keep(ctx context.Context, s *store.Store, list []store.DecisionInput, taken *Taken) error {
	stored, err := s.InsertAgentDecisions(ctx, list)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	taken.Stored, taken.Known = stored, taken.Known+len(list)-stored
	return nil
}
