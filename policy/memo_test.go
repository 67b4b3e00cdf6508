package policy

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// leaves calls f with each field of a struct that has no fields of its own.
func leaves(v reflect.Value, path string, f func(field reflect.Value, path string)) {
	for i := range v.NumField() {
		field, name := v.Field(i), path+v.Type().Field(i).Name
		if field.Kind() == reflect.Struct {
			leaves(field, name+".", f)
			continue
		}
		f(field, name)
	}
}

// each tells all numbers apart.
var each = &scales{orgUsers: scale{each: true}, participants: scale{each: true}, chatMembers: scale{each: true}}

// TestEachFieldIsPartOfTheQuestion: no two inputs that differ are taken for each other, whatever field an Input gets.
func TestEachFieldIsPartOfTheQuestion(t *testing.T) {
	var in Input
	whole := each.questionOf(&in)
	seen := map[question]string{whole: "none"}
	leaves(reflect.ValueOf(&in).Elem(), "", func(field reflect.Value, path string) {
		var values []reflect.Value
		switch field.Kind() {
		case reflect.String:
			values = append(values, reflect.ValueOf("x").Convert(field.Type()))
		case reflect.Bool:
			values = append(values, reflect.ValueOf(true))
		case reflect.Int:
			values = append(values, reflect.ValueOf(1))
		case reflect.Slice:
			for _, list := range [][]Capability{{""}, {"", ""}, {"a"}, {"a", "b"}, {"ab"}, {"b", "a"}, {"a\x01b"}} {
				values = append(values, reflect.ValueOf(list))
			}
		default:
			t.Errorf("%s is a %s, which this test knows nothing of", path, field.Kind())
		}
		for _, value := range values {
			field.Set(value)
			q := each.questionOf(&in)
			if other, ok := seen[q]; ok {
				t.Errorf("with %s = %v it is the question of %s", path, value, other)
			}
			seen[q] = path
		}
		field.SetZero()
	})
	if len(seen) < 25 {
		t.Errorf("%d questions only", len(seen))
	}
}

// What is remembered is what would be answered, belongs to whoever asked, and ends with the policy.
func TestRememberedDecisions(t *testing.T) {
	e := engine(t, DefaultConfig())
	for _, in := range []Input{guest(ActionUse, SendChat), guest(ActionUse, RaiseHand), guest(ActionJoin, "")} {
		first := e.Decide(t.Context(), "acme", in)
		first.Reasons = append(first.Reasons, "x")
		fresh, _, err := e.Try(t.Context(), "acme", in)
		second := e.Decide(t.Context(), "acme", in)
		if diff := cmp.Diff(fresh, second, cmpopts.IgnoreFields(Decision{}, "Took"), cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%v (-made +remembered):\n%s", err, diff)
		}
	}
	in := guest(ActionUse, "")
	grants := e.Grants(t.Context(), "acme", in)
	want := grants[SendChat]
	grants[SendChat] = Grant{Reason: "changed"}
	if got := e.Grants(t.Context(), "acme", in)[SendChat]; got != want {
		t.Errorf("remembered %+v, want %+v: somebody changed it", got, want)
	}
	if err := e.Activate("acme", Revision{Modules: map[string]string{"own.rego": strings.Replace(narrowing, "shareScreen", "sendChat", 1)}}); err != nil {
		t.Fatal(err)
	}
	if d := e.Decide(t.Context(), "acme", guest(ActionUse, SendChat)); d.Allowed() {
		t.Errorf("the old policy's decision: %+v", d)
	}
	if d := e.Decide(t.Context(), "other", guest(ActionUse, SendChat)); !d.Allowed() {
		t.Errorf("another organisation's: %+v", d)
	}
}

func TestMemo(t *testing.T) {
	m := newMemo[int](each)
	asked := 0
	ask := func(n int, err error) func() (int, error) { return func() (int, error) { asked++; return n, err } }
	in := guest(ActionJoin, "")
	failed := errors.New("failed")
	if _, err := m.answer(&in, ask(1, failed)); !errors.Is(err, failed) {
		t.Errorf("%v", err)
	}
	for range 3 {
		if got, err := m.answer(&in, ask(2, nil)); got != 2 || err != nil {
			t.Errorf("%d, %v", got, err)
		}
	}
	if asked != 2 { // A failure isn't remembered, an answer is.
		t.Errorf("asked %d times", asked)
	}
	for n := range 2 * memoShards * memoEntries {
		in.Session.Participants = n
		if got, err := m.answer(&in, ask(n, nil)); got != n || err != nil {
			t.Fatalf("%d, %v", got, err)
		}
	}
	remembered := 0
	for i := range m.shards {
		remembered += len(m.shards[i].known)
	}
	if remembered == 0 || remembered > memoShards*memoEntries {
		t.Errorf("%d are remembered", remembered)
	}
}
