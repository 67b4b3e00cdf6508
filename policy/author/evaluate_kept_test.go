package author

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Rules on how long chat is kept are tried on what they see, beside the rules of the house.
func TestEvaluateKept(t *testing.T) {
	base := newBase(t)
	week := keepsFor("shorten.copy contains {\"days\": 7, \"rule\": \"a\", \"reason\": \"acme_week\"} if {\n\tprint(\"asked\", input.kept.resource)\n\tinput.kept.resource == \"clinic\"\n}")
	fails := keepsFor(`shorten.copy contains {"days": count(input.kept.policies), "rule": "a", "reason": "r"}`)
	retained := `,"policies":[{"id":"p","version":1,"action":"delete","days":90,"locked":false,"why":["user"]}]`
	for name, c := range map[string]struct {
		content                   Content
		input, query, want, wrong string
	}{
		"shortened":    {content: week, input: `{"kept":{"resource":"clinic"}}`, want: `copy [7,30] organization:a acme_week; value null; printed [keep.rego:4: asked clinic]`},
		"not theirs":   {content: week, input: `{"kept":{"resource":"other","policies":[]}}`, want: `copy [30,30] default default_period; value null; printed [keep.rego:4: asked other]`},
		"the thread":   {content: week, input: `{"kept":{}}`, want: "thread [null,null] kept"},
		"retained":     {content: week, input: `{"kept":{"resource":""` + retained + `}}`, want: `thread [90,90] p`},
		"the house":    {input: `{"kept":{"resource":"clinic"}}`, want: "copy [30,30] default"},
		"a query":      {content: week, input: `{"kept":{"resource":"clinic"}}`, query: "shorten.copy", want: `value [{"days":7,"reason":"acme_week","rule":"a"}]`},
		"fails":        {content: fails, input: `{"kept":{"resource":"clinic"}}`, want: "copy [30,30]", wrong: "the rules on periods fail (error)"},
		"a typo":       {content: week, input: `{"kept":{"resuorce":"clinic"}}`, wrong: "the input can't be decided on"},
		"something":    {content: week, input: `{"kept":{},"session":{}}`, wrong: "the input can't be decided on"},
		"wrong days":   {content: week, input: `{"kept":{"policies":[{"action":"retain"}]}}`, wrong: "kept.policies[0].days"},
		"wrong action": {content: week, input: `{"kept":{"policies":[{"action":"burn","days":1}]}}`, wrong: "kept.policies[0].action"},
		"a mistake":    {content: keepsFor("shorten.copy contains 7"), input: `{"kept":{}}`, wrong: "keep.rego:3"},
	} {
		t.Run(name, func(t *testing.T) {
			e := Evaluate(context.Background(), base, c.content, EvaluateRequest{Input: json.RawMessage(c.input), Query: c.query})
			var got string
			if k := e.Kept; k != nil {
				value, _ := json.Marshal(e.Value)
				days, _ := json.Marshal([]*int{k.Days, k.HouseDays})
				got = fmt.Sprintf("%s %s %s %s; value %s; printed %v", k.Class, days, k.Rule, k.Reason, value, e.Printed)
			}
			if !strings.Contains(got, c.want) || (c.want == "") != (got == "") || !strings.Contains(e.Error, c.wrong) || (c.wrong == "") != (e.Error == "") || e.Effect != "" {
				t.Errorf("evaluated %q, effect %q, error %q", got, e.Effect, e.Error)
			}
		})
	}
	e := Evaluate(context.Background(), base, week, EvaluateRequest{Input: json.RawMessage(`{"kept":{"resource":"clinic"}}`)})
	if diff := cmp.Diff(map[string][][2]int{"keep.rego": {{3, 5}}}, e.Covered); diff != "" {
		t.Errorf("covered (-want +got):\n%s", diff)
	}
}
