package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// shippedPackages are the packages as they are loaded, by folder.
func shippedPackages(t *testing.T) map[string]*base {
	t.Helper()
	meeting, err := loadBase(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	retention, err := loadRetention(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*base{meetingFolder: meeting, retentionFolder: retention, decisionFolder: meeting}
}

// TestShippedRegoPassesItsTests runs the tests beside the Rego with OPA's tester; each line of each rule must have been evaluated.
func TestShippedRegoPassesItsTests(t *testing.T) {
	for folder, b := range shippedPackages(t) {
		t.Run(folder, func(t *testing.T) { runRegoTests(t, folder, b) })
	}
}

func runRegoTests(t *testing.T, folder string, b *base) {
	t.Helper()
	texts, err := shippedTexts(folder, true)
	if err != nil {
		t.Fatal(err)
	}
	modules := maps.Clone(b.modules)
	for name, text := range texts {
		if modules[name], err = parseModule(name, text); err != nil {
			t.Fatal(err)
		}
	}
	// The tests' inputs are put together from parts, which the schema's types can't follow; New compiles the policy itself with it.
	compiler := ast.NewCompiler().WithCapabilities(b.capabilities).WithStrict(true)
	coverage := cover.New()
	store := inmem.NewFromObject(b.data)
	txn := storage.NewTransactionOrDie(context.Background(), store)
	results, err := tester.NewRunner().SetCompiler(compiler).SetStore(store).SetCoverageQueryTracer(coverage).SetModules(modules).
		RaiseBuiltinErrors(true).RunTests(context.Background(), txn)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for result := range results {
		ran++
		if !result.Pass() {
			t.Errorf("%s: %s failed (%v)", result.Location, result.Name, result.Error)
		}
	}
	if ran == 0 {
		t.Fatal("no test ran")
	}
	report := coverage.Report(modules)
	for name, file := range report.Files {
		if strings.HasPrefix(name, folder) && !strings.HasSuffix(name, "_test.rego") && len(file.NotCovered) > 0 {
			t.Errorf("%s: lines not covered: %v", name, file.NotCovered)
		}
	}
}

func TestShippedRegoIsFormatted(t *testing.T) {
	texts, err := shippedTexts("anteroom", true)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		want, err := format.SourceWithOpts(name, []byte(text), format.Opts{RegoVersion: ast.RegoV1})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), text); diff != "" {
			t.Errorf("%s is not formatted (-want +got):\n%s", name, diff)
		}
	}
}

// TestShippedRegoDescribesItself holds the Rego to what people and the console rely on: titles everywhere, and a rule and a known reason
// on all that refuses.
func TestShippedRegoDescribesItself(t *testing.T) {
	b, err := loadBase(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[Reason]bool{}
	for name, module := range b.modules {
		if want := "data." + strings.ReplaceAll(name[:strings.LastIndex(name, "/")], "/", "."); module.Package.Path.String() != want {
			t.Errorf("%s: package %s is not its directory %s", name, module.Package.Path, want)
		}
		for _, rule := range module.Rules {
			entry := string(rule.Head.Ref()[0].Value.(ast.Var))
			if !slices.Contains([]string{entryDeny, entryLobby, entryWithhold}, entry) {
				continue
			}
			annotation := annotationOf(module, rule)
			if annotation == nil || annotation.Title == "" {
				t.Errorf("%s: has no title", rule.Location)
				continue
			}
			reason, _ := annotation.Custom["reason"].(string)
			id, _ := annotation.Custom["rule"].(string)
			if _, ranked := b.rank[Reason(reason)]; !ranked || !validReason(reason) || id == "" {
				t.Errorf("%s: has no rule (%q) or no reason with a place in data.precedence (%q)", rule.Location, id, reason)
			}
			seen[Reason(reason)] = true
		}
	}
	for reason := range b.rank {
		if !seen[reason] {
			t.Errorf("data.precedence has %s, which no rule gives", reason)
		}
	}
}

// annotationOf is the metadata that ends on the line above the rule.
func annotationOf(module *ast.Module, rule *ast.Rule) *ast.Annotations {
	for _, annotation := range module.Annotations {
		if annotation.EndLoc().Row == rule.Location.Row-1 {
			return annotation
		}
	}
	return nil
}

func TestShippedRegoKnowsAllCapabilities(t *testing.T) {
	b, err := loadBase(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rule := range b.modules["anteroom/meeting/capabilities.rego"].Rules {
		if rule.Head.Name == "known" {
			rule.Head.Value.Value.(ast.Set).Foreach(func(term *ast.Term) { got = append(got, string(term.Value.(ast.String))) })
		}
	}
	var want []string
	for _, capability := range Capabilities() {
		want = append(want, string(capability))
	}
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("capabilities.rego and capability.go name different ones (-want +got):\n%s", diff)
	}
}

// TestInputSchemasAreTheInputs: the schemas have exactly the fields of the inputs, so that a policy can't name another.
func TestInputSchemasAreTheInputs(t *testing.T) {
	t.Run("meeting", func(t *testing.T) {
		checkSchema(t, "input.schema.json", reflect.TypeFor[Input](), reflect.TypeFor[struct {
			Kept KeptInput `json:"kept"`
		}]())
	})
	t.Run("retention", func(t *testing.T) { checkSchema(t, "retention.schema.json", reflect.TypeFor[RetentionInput]()) })
}

// checkSchema holds a schema against one input, or the fields of several.
func checkSchema(t *testing.T, file string, inputs ...reflect.Type) {
	t.Helper()
	text, err := shipped.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		Type       string          `json:"type"`
		Properties map[string]node `json:"properties"`
		Items      *node           `json:"items"`
		Closed     *bool           `json:"additionalProperties"`
	}
	var schema node
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	var of func(typ reflect.Type) node
	no := false
	of = func(typ reflect.Type) node {
		switch typ.Kind() {
		case reflect.Struct:
			n := node{Type: "object", Properties: map[string]node{}, Closed: &no}
			for i := range typ.NumField() {
				name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
				n.Properties[name] = of(typ.Field(i).Type)
			}
			return n
		case reflect.Slice:
			items := of(typ.Elem())
			return node{Type: "array", Items: &items}
		case reflect.Bool:
			return node{Type: "boolean"}
		case reflect.Int:
			return node{Type: "integer"}
		case reflect.String:
			return node{Type: "string"}
		}
		panic(fmt.Sprintf("no schema for %v", typ))
	}
	want := of(inputs[0])
	for _, more := range inputs[1:] {
		maps.Copy(want.Properties, of(more).Properties)
	}
	if diff := cmp.Diff(want, schema); diff != "" {
		t.Errorf("%s is not the input (-Go +schema):\n%s", file, diff)
	}
}

// TestInputValueIsItsJSON: the value built by hand is what OPA would make of the input's JSON.
func TestInputValueIsItsJSON(t *testing.T) {
	full := Input{
		Action: ActionUse, Capability: SendChat,
		Organization: Organization{"work", true, true, BypassInvited, []Capability{SendChat, RaiseHand}, true},
		Meeting:      Meeting{"webinar", BypassEveryone, BypassOrganizers, []Capability{ReceiveMedia}, []Capability{ShareFile}, true, true},
		Participant:  Participant{"guest", "admitted", true, true, true, true, true, true},
		Session:      Session{1, 2000, 3, true},
	}
	empty := []Capability{}
	blank := Input{Capability: "x", Organization: Organization{Withdrawn: empty}, Meeting: Meeting{Withdrawn: empty, OrganizerWithdrawn: empty}}
	k := newKeys()
	for _, in := range []Input{full, blank} {
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		want, err := ast.ValueFromReader(strings.NewReader(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if got := k.value(&in); got.Compare(want) != 0 {
			t.Errorf("the input is built as\n%v\nbut its JSON is\n%v", got, want)
		}
	}
}
