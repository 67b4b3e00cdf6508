package webhook

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// page is what those who receive webhooks read.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// kinds are the values of the Notify… constants of the meeting room, which this room can't import.
func kinds(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../media/meeting/*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) == 0 {
				return true
			}
			for i, constant := range spec.Names {
				value, ok := spec.Values[i].(*ast.BasicLit)
				if !ok || !strings.HasPrefix(constant.Name, "Notify") {
					continue
				}
				if out[constant.Name], err = strconv.Unquote(value.Value); err != nil {
					t.Fatal(err)
				}
			}
			return true
		})
	}
	return out
}

func TestThePageHasEveryKind(t *testing.T) {
	text, all := page(t), kinds(t)
	if len(all) < 10 {
		t.Errorf("only %d kinds were found: %v", len(all), all)
	}
	known := map[string]bool{}
	for name, kind := range all {
		known[kind] = true
		if !regexp.MustCompile("(?m)^\\|.*`" + regexp.QuoteMeta(kind) + "`.*\\|$").MatchString(text) {
			t.Errorf("no line of the table has %s (%s)", kind, name)
		}
	}
	for _, line := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(text, -1) {
		for _, kind := range strings.Split(strings.ReplaceAll(line[1], "`", ""), ", ") {
			if !known[kind] {
				t.Errorf("the page has the kind %s, which nothing tells", kind)
			}
		}
	}
	for _, header := range []string{SignatureHeader, EventHeader, EventIDHeader} {
		if !strings.Contains(text, header+": ") {
			t.Errorf("the page lacks the header %s", header)
		}
	}
}

// What the page says how to check signatures takes those of Sign, and no others.
func TestThePagesSnippetsCheckSignatures(t *testing.T) {
	now := time.Now()
	const secret, body = "s3cret-of-the-target", `{"kind":"meeting.started"}`
	good := Sign(secret, now, []byte(body))
	cases := []struct {
		name, header, body string
		want               bool
	}{
		{"good", good, body, true},
		{"another body", good, body + " ", false},
		{"another secret", Sign("another-secret-entirely", now, []byte(body)), body, false},
		{"old", Sign(secret, now.Add(-time.Hour), []byte(body)), body, false},
		{"of the future", Sign(secret, now.Add(time.Hour), []byte(body)), body, false},
		{"cut short", good[:len(good)-2], body, false},
		{"none", "", body, false},
		{"nonsense", "t=x,v1=y", body, false},
	}
	for language, runner := range map[string]struct {
		file, before, after string
		command             []string
	}{
		"js": {
			"verify.mjs", "", "\nconst [, , secret, header, body] = process.argv;\nconsole.log(verify(secret, header, Buffer.from(body)));\n",
			[]string{"node"},
		},
		"go": {
			"verify.go",
			"package main\n\nimport (\n\"crypto/hmac\"\n\"crypto/sha256\"\n\"encoding/hex\"\n\"fmt\"\n\"os\"\n\"strconv\"\n\"strings\"\n\"time\"\n)\n\n",
			"\nfunc main() { fmt.Println(verify(os.Args[1], os.Args[2], []byte(os.Args[3]))) }\n",
			[]string{"go", "run"},
		},
	} {
		t.Run(language, func(t *testing.T) {
			if _, err := exec.LookPath(runner.command[0]); err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatalf("%s is missing", runner.command[0])
				}
				t.Skipf("%s is missing", runner.command[0])
			}
			_, rest, found := strings.Cut(page(t), "```"+language+"\n")
			snippet, _, closed := strings.Cut(rest, "```")
			if lines := strings.Count(snippet, "\n"); !found || !closed || lines > 12 {
				t.Fatalf("the snippet has %d lines", lines)
			}
			path := filepath.Join(t.TempDir(), runner.file)
			if err := os.WriteFile(path, []byte(runner.before+snippet+runner.after), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, test := range cases {
				args := append(append([]string{}, runner.command[1:]...), path, secret, test.header, test.body)
				out, err := exec.CommandContext(t.Context(), runner.command[0], args...).CombinedOutput()
				if got := strings.TrimSpace(string(out)); err != nil || got != strconv.FormatBool(test.want) {
					t.Errorf("%s: %s %v, want %t", test.name, got, err, test.want)
				}
			}
		})
	}
}
