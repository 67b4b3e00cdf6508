package author

import (
	"encoding/json"

	"github.com/anteroom/anteroom/policy"
)

// Reference is what an author may use: for completion, and to read.
type Reference struct {
	Builtins []Builtin `json:"builtins"`
	// Input are all paths of the input, such as input.participant.kind.
	Input        []InputField      `json:"input"`
	Capabilities []string          `json:"capabilities"`
	Base         Content           `json:"base"`
	Reasons      []ReasonOf        `json:"reasons"`
	Schema       json.RawMessage   `json:"schema"`
	Files        map[string]string `json:"-"`
}

// Builtin is a function that policies may call.
type Builtin struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Categories  []string `json:"categories"`
	// Signature as people read it: "count(collection: any) → n: number".
	Signature string `json:"signature"`
}

// InputField is one path of the input.
type InputField struct {
	Path string `json:"path"`
	// Type is object, array, string, boolean or integer; of arrays, Enum is about the elements.
	Type        string   `json:"type"`
	Enum        []string `json:"enum"`
	Description string   `json:"description"`
}

// ReasonOf says what a reason means: the rule that gives it, and where it stands.
type ReasonOf struct {
	Reason string `json:"reason"`
	Rule   string `json:"rule"`
	Title  string `json:"title"`
	File   string `json:"file"`
	Line   int    `json:"line"`
}

// ReferenceOf tells what authors may use over this base.
func ReferenceOf(base *policy.Base) (Reference, error) {
	_ = base
	return Reference{}, nil
}
