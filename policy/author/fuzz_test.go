package author

import (
	"context"
	"strings"
	"testing"
)

// FuzzCheck: whatever is written in the files, Check answers, its places are in the files, what it lets pass can be activated, and formatting
// what it lets pass changes nothing of its verdict.
func FuzzCheck(f *testing.F) {
	for _, c := range checked() {
		if len(c.content.Files["own.rego"]) < 10_000 {
			f.Add(c.content.Files["own.rego"], c.content.Files["own_test.rego"], c.content.Files[DataFile])
		}
	}
	base := newBase(f)
	f.Fuzz(func(t *testing.T, module, test, data string) {
		c := Content{Files: map[string]string{"own.rego": module}}
		if test != "" {
			c.Files["own_test.rego"] = test
		}
		if data != "" {
			c.Files[DataFile] = data
		}
		got := Check(context.Background(), base, c)
		for _, d := range got.Diagnostics {
			text, ok := c.Files[d.File]
			if (d.File != "" && !ok) || d.Code == "" || d.Message == "" || (d.Line > 0 && (d.Column < 1 || d.EndColumn <= d.Column || d.Line > strings.Count(text, "\n")+1)) {
				t.Errorf("%+v", d)
			}
		}
		if !got.OK {
			return
		}
		if _, err := c.Revision(); err != nil {
			t.Errorf("the revision of what passes: %v", err)
		}
		pretty, diagnostics := Format(c)
		if len(diagnostics) > 0 {
			t.Fatalf("what passes can't be formatted: %+v", diagnostics)
		}
		if again := Check(context.Background(), base, pretty); !again.OK || len(again.Unformatted) > 0 {
			t.Errorf("formatted, it is %+v:\n%s", again, pretty.Files["own.rego"])
		}
	})
}
