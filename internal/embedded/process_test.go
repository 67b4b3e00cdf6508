package embedded

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTail_QuotesWhatTellsSomething(t *testing.T) {
	var many strings.Builder
	for i := range 20 {
		fmt.Fprintf(&many, "line %d\n", i)
	}
	for _, test := range []struct{ name, output, want string }{
		{"nothing", "", ""},
		{"chatter", "\x1b[0J\x1b[?25hClickHouse local version 26.7.2.1.\n\nLogging warning to /d/log\nQuery id: x\n\nOk.\n\n0 rows in set. Elapsed: 0.002 sec.\n\x1b[?2004h:)", ""},
		{"an error in colour", "Logging errors to /d/log\r\n\x1b[1;31mCode: 210\x1b[0m\r\nAddress already in use\r\n", "; it said: Code: 210; Address already in use"},
		{"the last lines", many.String(), "; it said: line 12; line 13; line 14; line 15; line 16; line 17; line 18; line 19"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var output tail
			if _, err := output.Write([]byte(test.output)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, output.quote()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
