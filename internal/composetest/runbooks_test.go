package composetest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// alerts are those of the shipped rules, with the page that each names.
func alerts(t *testing.T) map[string]string {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(text(t, "deploy/prometheus/anteroom.rules.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			out[rule.Alert] = rule.Annotations["runbook"]
		}
	}
	return out
}

func text(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

const runbooks = "docs/runbooks/"

func TestEachAlertHasItsPageAndEachPageItsAlert(t *testing.T) {
	capital := regexp.MustCompile(`(.)([A-Z])`)
	index := text(t, runbooks+"README.md")
	var pages []string
	for alert, page := range alerts(t) {
		want := runbooks + strings.ToLower(capital.ReplaceAllString(strings.TrimPrefix(alert, "Anteroom"), "$1-$2")) + ".md"
		if page != want {
			t.Errorf("%s has the annotation runbook %q, want %s", alert, page, want)
			continue
		}
		pages = append(pages, filepath.Base(page))
		content := text(t, page)
		if !strings.HasPrefix(content, "# "+alert+"\n") {
			t.Errorf("%s is not about %s", page, alert)
		}
		for _, section := range []string{"\n## What it means\n", "\n## How to look\n", "\n## What to do\n"} {
			if !strings.Contains(content, section) {
				t.Errorf("%s lacks the section %q", page, strings.TrimSpace(section))
			}
		}
		if !strings.Contains(index, "("+filepath.Base(page)+")") {
			t.Errorf("%sREADME.md doesn't name %s", runbooks, page)
		}
	}
	there, err := filepath.Glob(filepath.Join(root, runbooks, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there {
		if name := filepath.Base(path); name != "README.md" && !slices.Contains(pages, name) {
			t.Errorf("%s%s is about no alert", runbooks, name)
		}
	}
	if len(pages) < 25 {
		t.Errorf("only %d alerts were found", len(pages))
	}
}

// TestEachGuaranteeIsWatched holds the table of run books against what is guaranteed.
func TestEachGuaranteeIsWatched(t *testing.T) {
	_, after, _ := strings.Cut(text(t, "docs/architecture.md"), "## What is guaranteed")
	table, _, _ := strings.Cut(after, "\n## ")
	promises := regexp.MustCompile(`(?m)^\| (\*\*[^*]+\*\*) \|`).FindAllStringSubmatch(table, -1)
	if len(promises) < 10 {
		t.Fatalf("only %d promises were found", len(promises))
	}
	index := text(t, runbooks+"README.md")
	for _, promise := range promises {
		if !strings.Contains(index, "\n| "+promise[1]+" | ") {
			t.Errorf("%sREADME.md doesn't say what watches over %s", runbooks, promise[1])
		}
	}
}

// TestPagesThatAreNamedAreThere: the links among the pages of operators, and what the doctor refers to.
func TestPagesThatAreNamedAreThere(t *testing.T) {
	check := func(from, dir, target string) {
		t.Helper()
		path, anchor, _ := strings.Cut(target, "#")
		content, err := os.ReadFile(filepath.Join(root, dir, path))
		if err != nil {
			t.Errorf("%s names %s, which is not there", from, target)
			return
		}
		heading := func(line string) string {
			line = strings.ToLower(strings.Trim(strings.TrimLeft(line, "#"), " "))
			return strings.ReplaceAll(regexp.MustCompile(`[^\w -]`).ReplaceAllString(line, ""), " ", "-")
		}
		if anchor != "" && !slices.ContainsFunc(strings.Split(string(content), "\n"), func(line string) bool { return strings.HasPrefix(line, "#") && heading(line) == anchor }) {
			t.Errorf("%s names %s, which has no such heading", from, target)
		}
	}
	pages, err := filepath.Glob(filepath.Join(root, runbooks, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)]+\.(?:md|yaml)[^)]*)\)`)
	for _, page := range append(pages, root+"/docs/operations.md") {
		relative, err := filepath.Rel(root, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllStringSubmatch(text(t, relative), -1) {
			check(relative, filepath.Dir(relative), found[1])
		}
	}
	sources, err := filepath.Glob(root + "/internal/doctor/*.go")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, source := range sources {
		relative, err := filepath.Rel(root, source)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`docs/[\w/.-]+\.md(#[\w-]+)?`).FindAllString(text(t, relative), -1) {
			named++
			check(relative, ".", found)
		}
	}
	if named < 3 {
		t.Errorf("the doctor names %d pages", named)
	}
}
