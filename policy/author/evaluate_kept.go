package author

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/anteroom/anteroom/policy"
)

// KeptEvaluation is how long something would be kept.
type KeptEvaluation struct {
	// Class is "copy" where the input names an application, and "thread" otherwise.
	Class string `json:"class"`
	policy.KeptAnswer
	// HouseDays are those by the rules of the house alone; nil: for good.
	HouseDays *int `json:"house_days"`
}

// isOfKept tells an input that has the field kept, right or wrong.
func isOfKept(text json.RawMessage) bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal(text, &fields) == nil && fields["kept"] != nil
}

// readKept takes exactly what the schema has as input.kept.
func readKept(text json.RawMessage) (policy.KeptInput, error) {
	var in struct {
		Kept policy.KeptInput `json:"kept"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return in.Kept, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return in.Kept, errors.New("there is more after the input")
	}
	for i, p := range in.Kept.Policies {
		switch {
		case !slices.Contains([]string{"delete", "retain", "retain_then_delete"}, p.Action):
			return in.Kept, fmt.Errorf("kept.policies[%d].action: is not delete, retain or retain_then_delete", i)
		case p.Days < 1:
			return in.Kept, fmt.Errorf("kept.policies[%d].days: is not 1 or more", i)
		}
	}
	return in.Kept, nil
}

// keep decides how long something is kept, by the house's rules and the content's.
func (e *Evaluation) keep(ctx context.Context, base *policy.Base, c Content, request EvaluateRequest) error {
	e.Effect = ""
	in, err := readKept(request.Input)
	if err != nil {
		return fmt.Errorf("the input can't be decided on: %w", err)
	}
	value, err := in.Value()
	if err != nil {
		return fmt.Errorf("the input can't be decided on: %w", err)
	}
	pairs, took, err := keptPair(ctx, base, c, in)
	if err != nil {
		return err
	}
	e.Kept = &KeptEvaluation{classOf(in), pairs[1], pairs[0].Days}
	e.TookUs = took.Microseconds()
	if rule := pairs[1].Rule; rule != "" {
		e.Rules = append(e.Rules, rule)
	}
	if reason := pairs[1].Reason; reason != "" {
		e.Reasons = append(e.Reasons, string(reason))
	}
	err = e.trace(ctx, base, c, traced{value, policy.KeepPackage, func(p parsed) []string {
		if !policy.Shortens(p.modules) {
			return nil
		}
		return []string{"data." + policy.KeepPackage + ".shorten"}
	}}, strings.TrimSpace(request.Query))
	if failed := pairs[1].Failed; failed != "" {
		err = errors.Join(fmt.Errorf("the rules on periods fail (%s): those of the house decide alone", failed), err)
	}
	return err
}

func classOf(in policy.KeptInput) string {
	if in.Resource == "" {
		return "thread"
	}
	return "copy"
}

// keptPair are the answers of the house's rules alone, and with those of a content.
func keptPair(ctx context.Context, base *policy.Base, c Content, in policy.KeptInput) (pair [2]policy.KeptAnswer, took time.Duration, err error) {
	asked := policy.RetentionInput{Class: classOf(in), Resource: in.Resource, Policies: in.Policies}
	for i, content := range []Content{{}, c} {
		by, err := keptBy(base, content)
		if err != nil {
			return pair, 0, err
		}
		began := time.Now()
		if pair[i], err = by.Answer(ctx, asked); err != nil {
			return pair, 0, failure(base, err)
		}
		took = time.Since(began)
	}
	return pair, took, nil
}
