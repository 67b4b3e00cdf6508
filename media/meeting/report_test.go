package meeting

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// listed are the words in code of the lists in a section of docs/protocol.md, in their order.
func listed(t *testing.T, heading string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n### "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n### ")
	_, lists, found := strings.Cut(section, "\n- ")
	if !found {
		t.Fatalf("%s has no list", heading)
	}
	var words []string
	for _, match := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(lists, -1) {
		words = append(words, match[1])
	}
	return words
}

// Whoever writes a client of its own has nothing but the page to know these names by.
func TestClosedSetsOfReportsAreDocumented(t *testing.T) {
	var diagnostics, issues []string
	for _, lane := range diagnosticLanes() {
		diagnostics = append(diagnostics, diagnosticNames(lane)...)
	}
	for _, subject := range []string{"overall", "audio", "video", "screen"} {
		issues = slices.Concat(issues, []string{subject}, surveyIssues(subject))
	}
	if diff := cmp.Diff(diagnostics, listed(t, "Diagnostic")); diff != "" {
		t.Errorf("diagnostics of the code (-) and of the page (+):\n%s", diff)
	}
	if diff := cmp.Diff(issues, listed(t, "Survey")); diff != "" {
		t.Errorf("issues of the code (-) and of the page (+):\n%s", diff)
	}
}
