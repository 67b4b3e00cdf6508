package author

import (
	"context"
	"encoding/json"

	"github.com/anteroom/anteroom/policy"
)

// EvaluateRequest is what is to be tried.
type EvaluateRequest struct {
	// Input as the schema has it.
	Input json.RawMessage `json:"input"`
	// Query is a Rego expression whose value is asked for beside the decision, as in a module of package anteroom.organization; "" for none.
	Query string `json:"query"`
}

// Evaluation is what a policy says of an input.
type Evaluation struct {
	// Effect is allow, lobby or deny; deny, with Error, if the policy failed.
	Effect  string   `json:"effect"`
	Reasons []string `json:"reasons"`
	// Rules that refused, by the ids of their metadata.
	Rules       []string `json:"rules"`
	Obligations []string `json:"obligations"`
	// Grants are all capabilities, as if this participant asked for them.
	Grants map[string]policy.Grant `json:"grants"`
	// Value of the query, nil if it is undefined or none was asked.
	Value any `json:"value"`
	// Printed are the lines of print().
	Printed []string `json:"printed"`
	// Covered are the ranges of lines that were evaluated, by file of the content.
	Covered map[string][][2]int `json:"covered"`
	// TookUs is the time of the decision alone in microseconds.
	TookUs int64 `json:"took_us"`
	// Error says why the policy failed, or what is wrong with the request.
	Error string `json:"error"`
}

// Evaluate decides on an input by a content over the base. Nil files: by the base alone.
func Evaluate(ctx context.Context, base *policy.Base, c Content, request EvaluateRequest) Evaluation {
	_, _, _, _ = ctx, base, c, request
	return Evaluation{Effect: "deny", Error: "not yet"}
}
