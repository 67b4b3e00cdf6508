package author

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/policy"
)

type checkCase struct {
	content Content
	want    []string
	// message is part of each.
	message string
}

// checked are contents and what Check says of them, as "file:line:column code". What the stock tool says of the same files has the same place
// and code, but for the codes that begin with policy_.
func checked() map[string]checkCase {
	const week = `{"days": 7, "rule": "ACME5", "reason": "acme_week"}`
	keep := func(rules string) Content {
		return Content{Files: map[string]string{"keep.rego": "package anteroom.organization.retention\n\n" + rules}}
	}
	const good = "deny contains \"x\" if input.participant.kind == \"guest\"\n"
	module := func(text string) Content { return Content{Files: map[string]string{"own.rego": text}} }
	tested := func(test string) Content {
		return own(good).with(map[string]string{"own_test.rego": testHeader + test})
	}
	deep := func(n int) string {
		return "deny contains \"x\" if " + strings.Repeat("[", n) + "1" + strings.Repeat("]", n) + "\n"
	}
	many := map[string]string{}
	for i := range policy.MaxModules + 1 {
		many[fmt.Sprintf("m%d.rego", i)] = header + good
	}
	return map[string]checkCase{
		"the base alone":         {Content{}, nil, ""},
		"good":                   {own(good), nil, ""},
		"good test":              {tested("test_x if organization.deny == {\"x\"} with input.participant.kind as \"guest\"\n"), nil, ""},
		"test with whole inputs": {tested("test_x if organization.deny == {\"x\"} with input as {\"participant\": {\"kind\": \"guest\"}}\n"), nil, ""},
		"cases of a test":        {tested("test_x[kind] if {\n\tsome kind in [\"guest\"]\n\torganization.deny == {\"x\"} with input.participant.kind as kind\n}\n"), nil, ""},
		"data":                   {own(good).with(map[string]string{"data.json": "{\"a\": [1, {\"b\": null}]}\n"}), nil, ""},
		"metadata":               {own("# METADATA\n# title: X\n# custom:\n#   rule: A1\n#   reason: a_one\ndeny contains rego.metadata.rule().custom if input.participant.invited\n"), nil, ""},

		"module that needs a test's function": {own("deny contains \"x\" if data.anteroom.organization_test.f(1)\n").with(map[string]string{"own_test.rego": testHeader + "f(x) := x\n\ntest_x if organization.deny\n"}), []string{"own.rego:3:22 policy_test_error"}, "tests are no part of the policy"},
		"module and its test":                 {own("deny contains \"x\" if input.a\n").with(map[string]string{"own_test.rego": testHeader + "test_x if organization.deny[input.b]\n"}), []string{"own.rego:3:22 rego_type_error", "own_test.rego:5:29 rego_type_error"}, "undefined ref"},
		"syntax":                              {own("deny contains"), []string{"own.rego:3:13 rego_parse_error", "own.rego:3:13 rego_parse_error"}, "unexpected eof token"},
		"open bracket":                        {own("deny contains \"x\" if {\n\tinput.action == \"join\"\n"), []string{"own.rego:5:1 rego_parse_error"}, "eof"},
		"columns in characters":               {own("deny contains \"é\" if \"äö\" == fo(1)\n"), []string{"own.rego:3:27 rego_type_error"}, "undefined function"},
		"typo in the input":                   {own("deny contains \"x\" if input.participant.knid == \"guest\"\n"), []string{"own.rego:3:22 rego_type_error"}, "undefined ref: input.participant.knid"},
		"typo in an enum":                     {own("deny contains \"x\" if input.participant.kind == \"gest\"\n"), []string{"own.rego:3:48 policy_input_error"}, "is never \"gest\"; it is one of \"guest\", \"org_user\""},
		"wrong type":                          {own("deny contains \"x\" if input.session.participants == \"five\"\n"), []string{"own.rego:3:22 rego_type_error"}, "match error"},
		"unused variable":                     {own("deny contains \"x\" if {\n\ty := 1\n}\n"), []string{"own.rego:4:2 rego_compile_error"}, "assigned var y unused"},
		"unused import":                       {module("package anteroom.organization\n\nimport data.anteroom.meeting\n\n" + good), []string{"own.rego:3:1 rego_compile_error"}, "unused"},
		"unsafe variable":                     {own("deny contains x if input.participant.invited\n"), []string{"own.rego:3:15 rego_unsafe_var_error"}, "var x is unsafe"},
		"recursion":                           {own("deny contains \"x\" if a\n\na if b\n\nb if a\n"), []string{"own.rego:5:1 rego_recursion_error", "own.rego:7:1 rego_recursion_error"}, "recursive"},
		"network":                             {own("deny contains \"x\" if http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"}).status_code == 200\n"), []string{"own.rego:3:22 rego_type_error"}, "undefined function http.send"},
		"clock":                               {own("deny contains \"x\" if time.now_ns() > 5\n"), []string{"own.rego:3:22 rego_type_error"}, "undefined function time.now_ns"},
		"runtime":                             {own("deny contains \"x\" if opa.runtime().env.HOME == \"/\"\n"), []string{"own.rego:3:22 rego_type_error"}, "undefined function opa.runtime"},
		"multiplication":                      {own("deny contains \"x\" if input.session.participants * 2 > 5\n"), []string{"own.rego:3:22 rego_type_error"}, "undefined function mul"},
		"typo in a test":                      {tested("test_x if organization.deny == {\"x\"} with input.participant.knid as \"guest\"\n"), []string{"own_test.rego:5:43 policy_input_error"}, "there is no input.participant.knid"},
		"typo among words":                    {own("deny contains \"x\" if input.meeting.kind in {\"webinar\", \"webinair\"}\n"), []string{"own.rego:3:56 policy_input_error"}, "never \"webinair\""},
		"typo in a test's whole input":        {tested("test_x if organization.deny == {\"x\"} with input as object.union({}, {\"participant\": {\"knid\": \"guest\"}})\n"), []string{"own_test.rego:5:86 policy_input_error"}, "there is no input.participant.knid"},
		"typo in a test's word":               {tested("test_x if organization.deny == {\"x\"} with input.participant as {\"kind\": \"gest\"}\n"), []string{"own_test.rego:5:73 policy_input_error"}, "never \"gest\""},
		"typo in a test's own input":          {tested("test_x if {\n\torganization.deny\n\tinput.participant.knid == \"guest\"\n}\n"), []string{"own_test.rego:7:2 rego_type_error"}, "undefined ref"},
		"both at once":                        {own("deny contains \"x\" if input.a\n\nlobby contains \"y\" if input.b\n"), []string{"own.rego:3:22 rego_type_error", "own.rego:5:23 rego_type_error"}, "undefined ref"},

		"periods":                  {keep("shorten.copy contains " + week + " if input.kept.resource == \"x\"\n"), nil, ""},
		"periods beside others":    {keep("shorten.copy contains " + week + " if input.kept.policies[_].days > 9\n").with(own(good).Files), nil, ""},
		"test of periods":          {keep("shorten.copy contains " + week + "\n").with(map[string]string{"own_test.rego": testHeader + "test_x if count(organization.retention.shorten.copy) == 1 with input as {\"kept\": {\"policies\": [{\"action\": \"delete\"}]}}\n"}), nil, ""},
		"typo in what is kept":     {keep("shorten.copy contains " + week + " if input.kept.resorce == \"x\"\n"), []string{"keep.rego:3:78 rego_type_error"}, "undefined ref: input.kept.resorce"},
		"typo in a policy's":       {keep("shorten.copy contains " + week + " if input.kept.policies[_].daze > 9\n"), []string{"keep.rego:3:78 rego_type_error"}, "undefined ref: input.kept.policies"},
		"typo in an action":        {keep("shorten.copy contains " + week + " if input.kept.policies[_].action == \"delte\"\n"), []string{"keep.rego:3:111 policy_input_error"}, "is never \"delte\""},
		"typo in a test's policy":  {keep("shorten.copy contains " + week + "\n").with(map[string]string{"own_test.rego": testHeader + "test_x if organization.retention.shorten with input as {\"kept\": {\"policies\": [{\"acton\": \"delete\"}]}}\n"}), []string{"own_test.rego:5:80 policy_input_error"}, "there is no input.kept.policies[_].acton"},
		"participants for periods": {keep("shorten.copy contains " + week + " if input.participant.invited\n"), []string{"keep.rego:3:84 policy_input_error"}, "see input.kept and nothing else"},
		"periods for participants": {own("deny contains \"x\" if input.kept.resource == \"x\"\n"), []string{"own.rego:3:28 policy_input_error"}, "only rules of package"},
		"no days":                  {keep("shorten.copy contains {\"days\": 0, \"rule\": \"A\", \"reason\": \"a\"}\n"), []string{"keep.rego:3:23 policy_period_error"}, "from 1 to 36500"},
		"no class":                 {keep("shorten.notice contains " + week + "\n"), []string{"keep.rego:3:9 policy_period_error"}, "copy, thread"},
		"shorten is a set":         {keep("shorten contains " + week + "\n"), []string{"keep.rego:3:1 policy_entry_error"}, "must add to a set"},

		"number":                {own("deny contains \"x\" if input.session.participants > 100000000000000000000\n"), []string{"own.rego:3:51 policy_number_error"}, "at most 20 characters"},
		"exponent":              {own("deny contains \"x\" if input.session.participants > 1e9\n"), []string{"own.rego:3:51 policy_number_error"}, "no exponent"},
		"number in a test":      {tested("test_x if organization.deny != 1e9\n"), []string{"own_test.rego:5:32 policy_number_error"}, "no exponent"},
		"base's package":        {module("package anteroom.meeting\n\nguest if input.action == \"use\"\n"), []string{"own.rego:1:1 policy_package_error"}, "is not anteroom.organization"},
		"system's package":      {module("package system.log\n\nmask contains \"x\"\n"), []string{"own.rego:1:1 policy_package_error"}, "is not anteroom.organization"},
		"similar package":       {module("package anteroom.organizations\n\n" + good), []string{"own.rego:1:1 policy_package_error"}, "is not anteroom.organization"},
		"what merges":           {own("deny contains \"x\" if data.anteroom.entry.own\n"), []string{"own.rego:3:22 policy_package_error"}, "names what it needs"},
		"what agents merge":     {module("package anteroom.organization\n\nimport data.anteroom.decision\n\ndeny contains \"x\" if decision.allow\n"), []string{"own.rego:3:8 policy_package_error"}, "names what it needs"},
		"some package":          {own("deny contains \"x\" if data.anteroom[_].answer\n"), []string{"own.rego:3:22 policy_package_error"}, "names what it needs"},
		"any data":              {own("deny contains \"x\" if data[_].decision.answer\n"), []string{"own.rego:3:22 policy_package_error"}, "names what it needs"},
		"test's package":        {own(good).with(map[string]string{"own_test.rego": header + "test_x if true\n"}), []string{"own_test.rego:1:1 policy_package_error"}, "anteroom.organization_test"},
		"nothing that is asked": {own("dney contains \"x\" if input.action == \"join\"\n"), []string{":0:0 policy_entry_error"}, "none of the rules that are asked"},
		"no modules":            {Content{Files: map[string]string{"data.json": "{}\n"}}, []string{":0:0 policy_entry_error"}, "no modules"},
		"deny is no set":        {own("deny := \"no\"\n"), []string{"own.rego:3:1 policy_entry_error"}, "must add to a set"},
		"withhold is a set":     {own("withhold contains \"sendChat\"\n"), []string{"own.rego:3:1 policy_entry_error"}, "must add to a set"},
		"unknown capability":    {own("withhold.sendChatt contains \"x\" if input.participant.invited\n"), []string{"own.rego:3:10 policy_capability_error"}, "not a capability"},
		"unknown grant":         {own("grant contains \"fly\" if input.participant.invited\n"), []string{"own.rego:3:16 policy_capability_error"}, "not a capability"},
		"capability asked":      {own("withhold.sendChat contains \"x\" if input.capability == \"sendChat\"\n"), []string{"own.rego:3:35 policy_capability_error"}, "input.capability is empty here"},
		"schema of one's own":   {own("# METADATA\n# schemas:\n#   - input: {type: object}\n" + good), []string{"own.rego:3:1 policy_schema_error"}, "schema is given"},
		"deep":                  {own(deep(policy.MaxDepth + 5)), []string{"own.rego:3:" + fmt.Sprint(22+policy.MaxDepth-1) + " policy_depth_error"}, "within each other"},
		"very deep":             {own(deep(20_000)), []string{"own.rego:3:" + fmt.Sprint(22+policy.MaxDepth-1) + " policy_depth_error"}, "within each other"},
		"too deep to parse":     {own(deep(100_000)), []string{"own.rego:3:50018 rego_parse_error"}, "recursion depth"},
		"ten megabytes":         {own(good + "#" + strings.Repeat("x", 10<<20)), []string{":0:0 policy_size_error"}, "more than"},
		"large module":          {own(good + "#" + strings.Repeat("x", policy.MaxModuleBytes)), []string{"own.rego:1:1 policy_size_error"}, "more than"},
		"too many modules":      {Content{Files: many}, []string{":0:0 policy_size_error"}, "65 modules, more than 64"},
		"path upwards":          {own(good).with(map[string]string{"../x.rego": header + good}), []string{"../x.rego:0:0 policy_file_error"}, ""},
		"another file":          {own(good).with(map[string]string{"notes.txt": "x"}), []string{"notes.txt:0:0 policy_file_error"}, "data.json"},
		"name with a space":     {own(good).with(map[string]string{"a b.rego": header + good}), []string{"a b.rego:0:0 policy_file_error"}, ""},
		"empty module":          {own(good).with(map[string]string{"empty.rego": ""}), []string{"empty.rego:1:1 rego_parse_error"}, "empty"},
		"data is a list":        {own(good).with(map[string]string{"data.json": "[1]"}), []string{"data.json:1:1 policy_data_error"}, "one JSON object"},
		"data is broken":        {own(good).with(map[string]string{"data.json": "{\n  \"a\": 1,\n}"}), []string{"data.json:3:1 policy_data_error"}, "no JSON"},
		"data ends early":       {own(good).with(map[string]string{"data.json": "{\n  \"a\": [1"}), []string{"data.json:2:10 policy_data_error"}, "no JSON"},
		"data has two":          {own(good).with(map[string]string{"data.json": "{}\n{}"}), []string{"data.json:2:1 policy_data_error"}, "after top-level value"},
		"data's key twice":      {own(good).with(map[string]string{"data.json": "{\"a\": {\"b\": 1,\n \"b\": 2}}"}), []string{"data.json:2:2 policy_data_error"}, "twice"},
		"data's number":         {own(good).with(map[string]string{"data.json": "{\"a\":\n 1e1000000}"}), []string{"data.json:2:2 policy_data_error"}, "no exponent"},
		"data too deep":         {own(good).with(map[string]string{"data.json": "{\"a\":" + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}"}), []string{"data.json:1:69 policy_data_error"}, "within each other"},
		"data too large":        {own(good).with(map[string]string{"data.json": "{\"a\": \"" + strings.Repeat("x", policy.MaxDataBytes) + "\"}"}), []string{"data.json:0:0 policy_size_error"}, "more than"},
	}
}

func TestCheckSaysWhere(t *testing.T) {
	base := newBase(t)
	for name, c := range checked() {
		t.Run(name, func(t *testing.T) {
			got := Check(context.Background(), base, c.content)
			var places []string
			for _, d := range got.Diagnostics {
				places = append(places, fmt.Sprintf("%s:%d:%d %s", d.File, d.Line, d.Column, d.Code))
				if !strings.Contains(d.Message, c.message) || d.Severity != SeverityError {
					t.Errorf("%s %s, want an error with %q", d.Severity, d.Message, c.message)
				}
				if d.Line > 0 && (d.EndLine != d.Line || d.EndColumn <= d.Column) {
					t.Errorf("ends at %d:%d, begins at %d:%d", d.EndLine, d.EndColumn, d.Line, d.Column)
				}
			}
			if diff := cmp.Diff(c.want, places); diff != "" || got.OK != (len(c.want) == 0) {
				t.Errorf("ok: %v (-want +got):\n%s\n%+v", got.OK, diff, got.Diagnostics)
			}
		})
	}
}
