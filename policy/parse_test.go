package policy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseInput(t *testing.T) {
	for _, want := range []Input{guest(ActionJoin, ""), orgUser(ActionUse, SendChat)} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseInput(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	good, err := json.Marshal(guest(ActionUse, SendChat))
	if err != nil {
		t.Fatal(err)
	}
	for old, changed := range map[string]string{
		`"kind":"guest"`:      `"kind":"Jane Doe"`,
		`"state":"admitted"`:  `"state":"admitted","name":"Jane Doe"`,
		`"action":"use"`:      `"action":"fly"`,
		`"sendChat"`:          `"Jane Doe"`,
		`"kind":"work"`:       `"kind":7`,
		`"withdrawn":null`:    `"withdrawn":["Jane Doe"]`,
		`"kind":"scheduled"`:  `"kind":""`,
		`{"action"`:           `{} {"action"`,
		`"capability":`:       `"email":`,
		`"lobby_bypass":"org`: `"lobby_bypass":"Jane`,
	} {
		text := strings.Replace(string(good), old, changed, 1)
		if text == string(good) {
			t.Errorf("%s isn't in %s", old, good)
		}
		if in, err := ParseInput([]byte(text)); err == nil {
			t.Errorf("%s was taken as %+v", text, in)
		} else if strings.Contains(err.Error(), "Jane") {
			t.Errorf("the error has what was sent: %v", err)
		}
	}
}
