package policy

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/open-policy-agent/opa/v1/ast"
)

// Numbers that are only compared with constants have these as marks; whatever else is done with one, by any way of writing it, makes each of its values count.
func TestScales(t *testing.T) {
	counts := scale{each: true}
	at := func(marks ...int) scale { return scale{marks: marks} }
	data := map[string]any{"limits": map[string]any{"most": 250, "half": 0.5, "text": "7"}, "organization": map[string]any{"few": 3.0}}
	for name, c := range map[string]struct {
		rule string
		want scale
	}{
		"not named":             {`deny contains "x" if input.participant.kind == "guest"`, at()},
		"all comparisons":       {"deny contains \"x\" if {\n\tinput.session.participants > 5\n\tinput.session.participants <= 9\n\tinput.session.participants != 7\n}", at(5, 7, 9)},
		"other parts":           {"deny contains \"x\" if {\n\tinput.action == \"join\"\n\tp := input.participant\n\tp.kind == \"guest\"\n}", at()},
		"the constant first":    {`deny contains "x" if 5 < input.session.participants`, at(5)},
		"data":                  {`deny contains "x" if input.session.participants >= data.limits.most`, at(250)},
		"an organisation's":     {`deny contains "x" if input.session.participants == data.organization.few`, at(3)},
		"unified":               {`deny contains "x" if input.session.participants = 4`, at(4)},
		"not":                   {`deny contains "x" if not input.session.participants < 4`, at(4)},
		"in a comprehension":    {`deny contains "x" if count([1 | input.session.participants < 4]) > 0`, at(4)},
		"as a value":            {`deny contains "x" if {` + "\n\tmany := input.session.participants > 4\n\tmany == true\n}", at(4)},
		"in brackets":           {`deny contains "x" if input["session"]["participants"] > 4`, at(4)},
		"a fraction":            {`deny contains "x" if input.session.participants > 4.5`, counts},
		"data that is none":     {`deny contains "x" if input.session.participants > data.limits.nothing`, counts},
		"data that is half":     {`deny contains "x" if input.session.participants > data.limits.half`, counts},
		"data that is text":     {`deny contains "x" if input.session.participants > data.limits.text`, counts},
		"text":                  {`deny contains "x" if input.session.participants > "4"`, counts},
		"with itself":           {`deny contains "x" if input.session.participants > input.session.org_users`, counts},
		"with a variable":       {"deny contains \"x\" if {\n\tsome n in [1, 2]\n\tinput.session.participants > n\n}", counts},
		"assigned":              {"deny contains \"x\" if {\n\tn := input.session.participants\n\tn > 4\n}", counts},
		"reckoned with":         {`deny contains "x" if input.session.participants - 1 > 4`, counts},
		"in a set":              {`deny contains "x" if input.session.participants in {1, 2}`, counts},
		"told":                  {`deny contains sprintf("%d", [input.session.participants]) if true`, counts},
		"an index":              {`deny contains "x" if data.limits[input.session.participants]`, counts},
		"the session":           {"deny contains \"x\" if {\n\ts := input.session\n\ts.participants > 4\n}", counts},
		"all of the input":      {"deny contains \"x\" if {\n\ts := input\n\ts.session.participants > 4\n}", counts},
		"whatever part":         {"deny contains \"x\" if {\n\tsome part\n\tinput[part].participants > 4\n}", counts},
		"whatever field":        {"deny contains \"x\" if {\n\tsome field\n\tinput.session[field] == 4\n}", counts},
		"other input":           {`deny contains "x" if data.a.b with input as {"session": {"participants": 4}}`, counts},
		"another number":        {`deny contains "x" if data.a.b with input.session.participants as 4`, counts},
		"another limit":         {`deny contains "x" if data.a.b with data.limits.most as 4`, counts},
		"compared and more too": {"deny contains \"x\" if {\n\tinput.session.participants > 4\n\tinput.session.participants % 2 == 0\n}", counts},
	} {
		t.Run(name, func(t *testing.T) {
			module, err := ast.ParseModuleWithOpts("own.rego", ownHeader+c.rule+"\n", ast.ParserOptions{ProcessAnnotation: true})
			if err != nil {
				t.Fatal(err)
			}
			got := scalesOf(map[string]*ast.Module{"own.rego": module}, data).participants
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(scale{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	imported, err := ast.ParseModule("own.rego", "package anteroom.organization\n\nimport input.session as s\n\ndeny contains \"x\" if s.participants > 4\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := scalesOf(map[string]*ast.Module{"own.rego": imported}, data).participants; !got.each {
		t.Errorf("imported: %+v", got)
	}
}

func TestPlacesOnAScale(t *testing.T) {
	s := scale{marks: []int{1, 5}}
	var got []int
	for _, n := range []int{-7, 0, 1, 2, 4, 5, 6, 900} {
		got = append(got, s.place(n))
	}
	if diff := cmp.Diff([]int{0, 0, 1, 2, 2, 3, 4, 4}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The base policy does no more with numbers than to compare them: in a meeting that grows little is asked anew.
func TestScalesOfTheBase(t *testing.T) {
	s := engine(t, DefaultConfig()).current.Load().base.decisions.scales
	want := &scales{orgUsers: scale{marks: []int{1}}, participants: scale{marks: []int{350, 1000}}, chatMembers: scale{marks: []int{250}}}
	if diff := cmp.Diff(want, s, cmp.AllowUnexported(scales{}, scale{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is remembered of an input is what is decided on any other that falls to the same place.
func TestRememberedByPlaces(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7)) //nolint:gosec // a test's
	for name, own := range map[string]string{
		"base": "", "compares": narrowing + "\ndeny contains \"few\" if input.session.participants == 7\n\nwithhold.sendChat contains \"many\" if input.session.chat_members > data.limits.chat_guest\n",
		"reckons": narrowing + "\ndeny contains \"alone\" if input.session.participants - input.session.org_users == 1\n",
		"tells":   narrowing + "\ndeny contains \"seven\" if {\n\tcounts := [input.session.participants, 3]\n\tcounts[0] == 7\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			e := engine(t, DefaultConfig())
			if own != "" {
				activate(t, e, "acme", own)
			}
			for range 1500 {
				in := guest(ActionJoin, "")
				if random.IntN(2) == 0 {
					in = guest(ActionUse, Capabilities()[random.IntN(len(Capabilities()))])
				}
				near := func(of ...int) int { return max(of[random.IntN(len(of))]+random.IntN(3)-1, 0) }
				in.Session.OrgUsers, in.Session.Participants, in.Session.ChatMembers = near(0, 1, 2), near(0, 7, 350, 1000, 90), near(0, 250, 40)
				want, wantRefusals, err := e.Try(t.Context(), "acme", in)
				got, refusals, err2 := e.Replay(t.Context(), "acme", in)
				if diff := cmp.Diff(fmt.Sprint(want, wantRefusals, err), fmt.Sprint(got, refusals, err2)); diff != "" {
					t.Fatalf("%+v (-decided +remembered):\n%s", in.Session, diff)
				}
			}
		})
	}
}
