package protocol_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/media/protocol"
)

// page is docs/protocol.md, by heading of the second and the third level.
func page(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections, heading := map[string]string{}, ""
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "## ") || strings.HasPrefix(line, "### ") {
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
			continue
		}
		sections[heading] += line
	}
	return sections
}

// declarations are those of a package's files, tests left out.
func declarations(t *testing.T, folder string) []*ast.GenDecl {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files in", folder, err)
	}
	var all []*ast.GenDecl
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				all = append(all, g)
			}
		}
	}
	return all
}

// constants are those whose name or type begins so, by name.
func constants(t *testing.T, folder, prefix string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, d := range declarations(t, folder) {
		if d.Tok != token.CONST {
			continue
		}
		for _, s := range d.Specs {
			spec, ok := s.(*ast.ValueSpec)
			if !ok || len(spec.Values) != len(spec.Names) {
				continue
			}
			typ, _ := spec.Type.(*ast.Ident)
			for i, name := range spec.Names {
				value, ok := spec.Values[i].(*ast.BasicLit)
				if ok && (strings.HasPrefix(name.Name, prefix) || (typ != nil && typ.Name == prefix)) {
					found[name.Name] = strings.Trim(value.Value, `"`)
				}
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("no constants %s… in %s", prefix, folder)
	}
	return found
}

func TestEveryMessageIsDocumented(t *testing.T) {
	sections := page(t)
	types := constants(t, ".", "Type")
	var all []string
	for _, value := range types {
		all = append(all, value)
	}
	listed := append(protocol.Requests(), protocol.Events()...)
	slices.Sort(listed)
	slices.Sort(all)
	if diff := cmp.Diff(slices.Compact(listed), slices.Compact(all)); diff != "" {
		t.Errorf("Requests and Events together (-) and the constants (+):\n%s", diff)
	}
	for heading, values := range map[string][]string{"Requests": protocol.Requests(), "Events": protocol.Events()} {
		for _, value := range values {
			if !strings.Contains(sections[heading], "\n| `"+value+"` | ") {
				t.Errorf("%s: no line for %s", heading, value)
			}
		}
		if got := strings.Count(sections[heading], "\n| `"); got != len(values) {
			t.Errorf("%s: %d lines for %d messages", heading, got, len(values))
		}
	}
}

func TestEveryReasonStateAndCodeIsDocumented(t *testing.T) {
	sections := page(t)
	for _, c := range []struct{ heading, folder, prefix string }{
		{"Reasons", ".", "Reason"},
		{"Reasons", filepath.Join("..", "meeting"), "Reason"},
		{"Reasons", filepath.Join("..", "..", "policy"), "Reason"},
		{"Reasons", filepath.Join("..", "..", "identity"), "Reason"},
		{"States", ".", "State"},
		{"Activities", ".", "Activity"},
		{"Close codes", ".", "Close"},
	} {
		for name, value := range constants(t, c.folder, c.prefix) {
			if strings.HasPrefix(value, "login_") {
				continue // Of browsers' log-in, which joins nothing.
			}
			if !strings.Contains(sections[c.heading], "`"+value+"`") {
				t.Errorf("%s: %s (%s) is missing", c.heading, value, name)
			}
		}
	}
}

func TestEveryFieldIsDocumented(t *testing.T) {
	sections := page(t)
	for _, d := range declarations(t, ".") {
		for _, s := range d.Specs {
			spec, ok := s.(*ast.TypeSpec)
			if !ok {
				continue
			}
			body, ok := spec.Type.(*ast.StructType)
			if !ok || !spec.Name.IsExported() {
				continue
			}
			section, ok := sections[spec.Name.Name]
			if !ok {
				t.Errorf("no section %s", spec.Name.Name)
				continue
			}
			var fields []string
			for _, f := range body.Fields.List {
				tag, err := strconv.Unquote(f.Tag.Value)
				if err != nil {
					t.Fatal(err)
				}
				name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
				fields = append(fields, name)
			}
			var documented []string
			for line := range strings.Lines(section) {
				if rest, ok := strings.CutPrefix(line, "| `"); ok {
					name, _, _ := strings.Cut(rest, "`")
					documented = append(documented, name)
				}
			}
			if diff := cmp.Diff(fields, documented); diff != "" {
				t.Errorf("%s: fields (-) and the page (+):\n%s", spec.Name.Name, diff)
			}
		}
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"Gus": true, "": false, " ": false, "\t": false, "Gus\nOrg user": false, "Gus\u202eresu": false, "\u2066Gus\u2069": false,
		"\u200f\u200f": false, "\u200fغس": true, "\u2028": false, "👋🏽": true, "\u200b": false, "Gus\x00": false, "\xff": false,
		"\u3164": false, "\u115f\u1160": false, "\uffa0": false, "\u2800 ": false, "Gus\ufff9b\ufffa": false, "Gus\U000e0047\U000e0073": false,
		"🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f": true, "Nguyễn Thị Hạnh": true, "김\u3164민": true,
		"o" + strings.Repeat("\u0308", 8): true, "o" + strings.Repeat("\u0308", 9): false,
		strings.Repeat("ö", protocol.MaxNameRunes): true, strings.Repeat("ö", protocol.MaxNameRunes+1): false,
	} {
		if got := protocol.ValidName(name); got != want {
			t.Errorf("ValidName(%q) = %v", name, got)
		}
	}
}

func TestUnaltered(t *testing.T) {
	for text, want := range map[string]bool{
		`{"a":"b"}`: true, `"\ud83d\udc4b"`: true, `"\uD83D\uDC4B\ud83d"`: false, `"\udc4b\ud83d"`: false, `"\ud83dx"`: false, `"\\ud83d"`: true,
		`"\\\ud83d"`: false, "\"\xff\"": false, `"\ud83d\u0041"`: false, `"\u00e9"`: true, `"\ud83d`: false, `\`: true, "\"👋\"": true,
	} {
		var s any
		if err := json.Unmarshal([]byte(text), &s); err == nil && strings.ContainsRune(fmt.Sprint(s), '\ufffd') == want {
			t.Errorf("%s became %q", text, s)
		}
		if got := protocol.Unaltered([]byte(text)); got != want {
			t.Errorf("Unaltered(%s) = %v", text, got)
		}
	}
}
