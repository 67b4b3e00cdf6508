package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// RetentionInput is all that a decision about a period depends on. It has no names and no users.
type RetentionInput struct {
	// Class is "thread", "copy", "recording", "notice" or "decision".
	Class string `json:"class"`
	// Resource whose guests hold the copies, UUID text; "" for what is no copy.
	Resource string `json:"resource"`
	// Policies that are on and have one of the organisation's users who were in the meeting in their scope, each once.
	Policies []RetentionPolicy `json:"policies"`
	// Holds on the meeting, on a user who was in it, and on the resource; released ones too.
	Holds []RetentionHold `json:"holds"`
	// Shorten is what the organisation's own rules wish. KeptBy.Decide asks them; whoever asks it leaves this empty.
	Shorten []shortening `json:"shorten"`
}

// RetentionPolicy is one that applies.
type RetentionPolicy struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	// Action is "delete", "retain" or "retain_then_delete"; Days at least 1.
	Action string `json:"action"`
	Days   int    `json:"days"`
	// Locked: what it has promised stays promised.
	Locked bool `json:"locked"`
	// Why are the ways that users who were in the meeting are in its scope: "organization", "adaptive", "group", "user"; at least one.
	Why []string `json:"why"`
}

// RetentionHold is one that may cover what is decided on.
type RetentionHold struct {
	ID string `json:"id"`
	// On is "meeting", "user" or "resource"; Resource is the resource it is on, "" for others.
	On       string `json:"on"`
	Resource string `json:"resource"`
	Released bool   `json:"released"`
}

// RetentionDecision is how long things are kept.
type RetentionDecision struct {
	// Days from sending; nil: for good.
	Days *int `json:"days"`
	// Rule is the id of the policy that decides, "default", "kept" for what nothing deletes, or ShortenPrefix and the id of the organisation's own rule.
	// Version is the policy's, 0 without one.
	Rule    string `json:"rule"`
	Version uint64 `json:"version"`
	// Reason of the closed set in the Rego's metadata.
	Reason Reason `json:"reason"`
	// Held: one of Holds, which don't let it be deleted. Released are holds that covered it.
	Held     bool     `json:"held"`
	Holds    []string `json:"holds"`
	Released []string `json:"released"`
}

// Period is the days as seconds from sending; nil: for good. A day is 24 hours, whatever the calendar says.
func (d *RetentionDecision) Period() *time.Duration {
	if d.Days == nil {
		return nil
	}
	period := time.Duration(*d.Days) * 24 * time.Hour
	return &period
}

// Retention decides about periods by the shipped Rego package anteroom.retention, and by organisations' own rules, which can only shorten. It is safe
// for concurrent use.
type Retention struct {
	snapshot *snapshot
	keepers
}

// NewRetention compiles the package with the operator's periods.
func NewRetention(cfg Config) (*Retention, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	b, err := loadRetention(cfg)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	prepare, err := b.preparer(ctx, b.modules, b.data)
	if err != nil {
		return nil, fmt.Errorf("retention policy: %w", err)
	}
	s := &snapshot{timeout: cfg.Timeout, revision: "retention@" + b.revision}
	if s.decide, err = prepare("base := data.anteroom.retention.decision"); err != nil {
		return nil, fmt.Errorf("retention policy: prepare decisions: %w", err)
	}
	r := &Retention{snapshot: s}
	if r.meeting, err = loadBase(cfg); err != nil {
		return nil, err
	}
	if _, err := r.Decide(ctx, RetentionInput{Class: "copy"}); err != nil {
		return nil, fmt.Errorf("retention policy: try a decision: %w", err)
	}
	return r, nil
}

func loadRetention(cfg Config) (*base, error) {
	return load(retentionFolder, "retention.json", "retention.schema.json", func(data map[string]any) {
		days, _ := data["days"].(map[string]any)
		days["recording"], days["notice"], days["decision"] = cfg.Retention.RecordingDays, cfg.Retention.NoticeDays, cfg.Retention.DecisionDays
	})
}

// Revision names the Rego and the operator's periods that decide.
func (r *Retention) Revision() string { return r.snapshot.revision }

var errRetentionForm = errors.New("the policy's answer has not the form of a decision about a period")

// Decide answers one question by the shipped package alone. On any error nothing is decided: whoever asked goes by what was decided before, and deletes nothing that hasn't been
// decided on.
func (r *Retention) Decide(ctx context.Context, in RetentionInput) (RetentionDecision, error) {
	text, err := json.Marshal(in.withoutNull())
	if err != nil {
		return RetentionDecision{}, fmt.Errorf("decide period: %w", err)
	}
	input, err := ast.ValueFromReader(bytes.NewReader(text))
	if err != nil {
		return RetentionDecision{}, fmt.Errorf("decide period: %w", err)
	}
	answer, err := r.snapshot.eval(ctx, &r.snapshot.decide, input)
	if err != nil {
		return RetentionDecision{}, fmt.Errorf("decide period: %w", err)
	}
	d, err := readRetention(answer.base)
	if err != nil {
		return RetentionDecision{}, fmt.Errorf("decide period: %w", err)
	}
	return d, nil
}

// withoutNull makes empty lists of missing ones: they are lists to the Rego.
func (in RetentionInput) withoutNull() RetentionInput {
	if in.Policies == nil {
		in.Policies = []RetentionPolicy{}
	}
	if in.Holds == nil {
		in.Holds = []RetentionHold{}
	}
	if in.Shorten == nil {
		in.Shorten = []shortening{}
	}
	return in
}

// readRetention takes nothing for granted: what isn't understood is no decision.
func readRetention(value ast.Value) (RetentionDecision, error) {
	answer, ok := value.(ast.Object)
	if !ok || answer.Len() != 7 {
		return RetentionDecision{}, errRetentionForm
	}
	rule, _ := get(answer, "rule").(ast.String)
	reason, _ := get(answer, "reason").(ast.String)
	version, isNumber := get(answer, "version").(ast.Number)
	held, isTruth := get(answer, "held").(ast.Boolean)
	d := RetentionDecision{Rule: string(rule), Reason: Reason(reason), Held: bool(held)}
	number, inRange := version.Int64()
	if !isNumber || !isTruth || !inRange || number < 0 || d.Rule == "" || !validReason(string(reason)) {
		return RetentionDecision{}, errRetentionForm
	}
	d.Version = uint64(number)
	switch days := get(answer, "days").(type) {
	case ast.Null:
	case ast.Number:
		n, ok := days.Int()
		if !ok || n < 1 || n > maxDays {
			return RetentionDecision{}, errRetentionForm
		}
		d.Days = &n
	default:
		return RetentionDecision{}, errRetentionForm
	}
	var errHolds, errReleased error
	d.Holds, errHolds = readIDs(get(answer, "holds"))
	d.Released, errReleased = readIDs(get(answer, "released"))
	if errHolds != nil || errReleased != nil || d.Held != (len(d.Holds) > 0) {
		return RetentionDecision{}, errRetentionForm
	}
	return d, nil
}

// readIDs reads a set of texts, in order. There may be any number of holds.
func readIDs(value ast.Value) ([]string, error) {
	set, ok := value.(ast.Set)
	if !ok {
		return nil, errRetentionForm
	}
	var ids []string
	err := set.Iter(func(term *ast.Term) error {
		id, ok := term.Value.(ast.String)
		if !ok {
			return errRetentionForm
		}
		ids = append(ids, string(id))
		return nil
	})
	slices.Sort(ids)
	return ids, err
}
