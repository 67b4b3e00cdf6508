package directory_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/anteroom/anteroom/directory"
)

func TestQuery(t *testing.T) {
	ada := map[string]string{"department": "Legal", "country": "FR", "cost centre": `7"\`, "not": "x"}
	for _, test := range []struct {
		query string
		want  bool
	}{
		{`department == "Legal"`, true},
		{`department == "legal"`, false},
		{`department != "Legal"`, false},
		{`grade == ""`, false},
		{`grade != "7"`, true},
		{`has country`, true},
		{`has grade`, false},
		{`not has grade`, true},
		{`country in ["DE", "FR"]`, true},
		{`department == "Legal" and not country in ["DE","FR"]`, false},
		{`department == "Legal" and not country in ["US"]`, true},
		{`department startswith "Leg"`, true},
		{`grade startswith ""`, false},
		// and is stronger than or, not stronger than and.
		{`has country or has grade and has grade`, true},
		{`(has country or has grade) and has grade`, false},
		{`not has grade and has country`, true},
		{`not (has grade and has country)`, true},
		{"`cost centre` == \"7\\\"\\\\\"", true},
		{"`not` == \"x\"", true},
		{"\n\tnot\nnot has country", true},
	} {
		q, err := directory.ParseQuery(test.query)
		if err != nil {
			t.Errorf("%s: %v", test.query, err)
			continue
		}
		if q.Matches(ada) != test.want {
			t.Errorf("%s matches: %v", test.query, !test.want)
		}
	}
}

func TestQueryErrorsNameThePlace(t *testing.T) {
	for _, test := range []struct {
		query  string
		column int
		reason string
	}{
		{``, 1, "attribute's name"},
		{`department`, 11, "==, !=, in or startswith"},
		{`department = "canary"`, 12, "equality is =="},
		{`department == 'canary'`, 15, "texts stand in double quotes"},
		{`department == canary`, 15, "a text in double quotes"},
		{`department == "canary`, 15, "no closing quote"},
		{`department == "\n"`, 16, "backslash"},
		{`department in "canary"`, 15, "a list"},
		{`department in []`, 16, "a text"},
		{`department in ["canary" "x"]`, 25, "a comma"},
		{`(department == "canary"`, 24, "a closing parenthesis"},
		{`department == "canary")`, 23, "and, or, or the end"},
		{`department == "canary" and`, 27, "attribute's name"},
		{`not and`, 5, "attribute's name"},
		{"`", 1, "backquote"},
		{"`` == \"x\"", 1, "backquote"},
		{`"ä" == "ö"`, 1, "attribute's name"},
		{`größe == "ö" !`, 14, "no meaning"},
		{"\xff", 1, "UTF-8"},
		{strings.Repeat("(", 30) + `has x` + strings.Repeat(")", 30), 22, "deep"},
		{strings.TrimSuffix(strings.Repeat("has x or ", 200), " or "), 901, "comparisons"},
		{strings.Repeat(" ", directory.MaxQueryBytes+1), 1, "bytes"},
	} {
		_, err := directory.ParseQuery(test.query)
		var wrong *directory.QueryError
		if !errors.As(err, &wrong) || wrong.Column != test.column || !strings.Contains(wrong.Reason, test.reason) {
			t.Errorf("%.60s: %v", test.query, err)
			continue
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("the error quotes the query: %v", err)
		}
	}
}

func TestQueryWidens(t *testing.T) {
	for _, test := range []struct {
		old, now string
		want     bool
	}{
		{`has a`, `has  a`, true},
		{`has a`, `has a or has b`, true},
		{`has a`, `has b or (has a)`, true},
		{`has a or has b`, `(has a or has b) or has c`, true},
		{`has a and has b`, `has c or has a and has b`, true},
		{`has a`, `has b`, false},
		{`has a or has b`, `has a`, false},
		{`has a`, `has a and has b`, false},
		{`has a`, `not has a`, false},
	} {
		old, err := directory.ParseQuery(test.old)
		if err != nil {
			t.Fatal(err)
		}
		now, err := directory.ParseQuery(test.now)
		if err != nil {
			t.Fatal(err)
		}
		if now.Widens(old) != test.want {
			t.Errorf("%s to %s widens: %v", test.old, test.now, !test.want)
		}
	}
}

// FuzzQuery: whatever can be read has one form, which reads as the same.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{`department == "Legal" and not country in ["DE","FR"]`, "not (has a or `b c` != \"\\\"\") and c startswith \"\"", `((`, `a in [`} {
		f.Add(seed, "a", "b c")
	}
	f.Fuzz(func(t *testing.T, text, name, value string) {
		q, err := directory.ParseQuery(text)
		if err != nil {
			if !errors.As(err, new(*directory.QueryError)) {
				t.Fatalf("not a QueryError: %v", err)
			}
			return
		}
		again, err := directory.ParseQuery(q.String())
		if len(q.String()) > directory.MaxQueryBytes {
			return
		}
		if err != nil {
			t.Fatalf("%q has the form %q, which can't be read: %v", text, q, err)
		}
		attributes := map[string]string{name: value}
		if again.String() != q.String() || again.Matches(attributes) != q.Matches(attributes) || !again.Widens(q) {
			t.Fatalf("%q has the form %q, which reads as %q", text, q, again)
		}
	})
}
