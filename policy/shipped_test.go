package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
)

var update = flag.Bool("update", false, "write capabilities.json anew from the list in this test")

// builtins are what policies may call: functions of their arguments alone, whose time and result grow no faster than their arguments.
// Multiplication is not among them: repeated squaring can't be interrupted. Neither are those that make a text or an array of two, for
// doubling again and again uses up all memory (concat, array.concat, template strings, sprintf), nor numbers.range, nor all that reads a
// clock, the network or the machine.
func builtins() []string {
	return []string{
		"and", "array.reverse", "array.slice", "assign", "contains", "count", "endswith", "eq", "equal", "gt", "gte",
		"indexof", "internal.member_2", "internal.member_3", "internal.print", "internal.test_case", "intersection", "is_array", "is_boolean", "is_null", "is_number",
		"is_object", "is_set", "is_string", "lower", "lt", "lte", "max", "min", "minus", "neq", "object.filter", "object.get", "object.keys",
		"object.remove", "object.subset", "object.union", "or", "plus", "regex.match", "rego.metadata.chain", "rego.metadata.rule", "sort",
		"split", "startswith", "strings.any_prefix_match", "strings.any_suffix_match", "substring", "sum", "trim", "trim_left", "trim_prefix",
		"trim_right", "trim_space", "trim_suffix", "type_name", "union", "upper",
	}
}

func TestShippedBuiltinsAreThoseListed(t *testing.T) {
	standard := ast.CapabilitiesForThisVersion()
	features := slices.DeleteFunc(slices.Clone(standard.Features), func(f string) bool {
		return f == ast.FeatureTemplateStrings || strings.HasPrefix(f, ast.FeatureRegoV2)
	})
	want := &ast.Capabilities{FutureKeywords: standard.FutureKeywords, Features: features, AllowNet: []string{}}
	for _, b := range standard.Builtins {
		if slices.Contains(builtins(), b.Name) {
			want.Builtins = append(want.Builtins, b)
		}
	}
	if len(want.Builtins) != len(builtins()) {
		t.Errorf("OPA has %d of the %d built-ins listed", len(want.Builtins), len(builtins()))
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	// An empty allow_net is left out by the encoder, and a missing one would allow all hosts.
	text = append(bytes.TrimSuffix(text, []byte("}")), []byte(`,"allow_net":[]}`)...)
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	if *update {
		if err := os.WriteFile("capabilities.json", pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("capabilities.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pretty.String(), string(got)); diff != "" {
		t.Errorf("capabilities.json is not what the list makes; run with -update (-want +got):\n%s", diff)
	}
}
