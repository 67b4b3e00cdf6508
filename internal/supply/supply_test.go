package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

func text(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestLicencesAreListedAndAllowed(t *testing.T) {
	all, err := read(root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text(t, "THIRD_PARTY.md"), licences(all)); diff != "" {
		t.Errorf("THIRD_PARTY.md is out of date: run make licences (-there +now):\n%s", diff)
	}
	for _, c := range all {
		if !slices.Contains(allowed(), c.Licence) && (c.Shipped || !slices.Contains(allowedForBuilding(), c.Licence)) {
			t.Errorf("%s %s has the licence %q, which is not allowed", c.Name, c.Version, c.Licence)
		}
	}
	if len(all) < 100 {
		t.Errorf("only %d parts were found", len(all))
	}
}

func TestLicenceTextsAreTold(t *testing.T) {
	for want, words := range map[string]string{
		"MIT":          "Permission is hereby granted, free of charge, to any person",
		"Apache-2.0":   "Apache License\n  Version 2.0, January 2004",
		"BSD-3-Clause": "Redistributions in binary form must reproduce … may be used to endorse or\npromote products derived",
		"BSD-2-Clause": "Redistributions in binary form must\n reproduce the above",
		"":             "GNU GENERAL PUBLIC LICENSE Version 3",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte(words), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := licenceOf(dir); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v, want %q", words, got, err, want)
		}
	}
	if _, err := licenceOf(t.TempDir()); err == nil {
		t.Error("a folder without a licence has one")
	}
}

func TestBillOfMaterials(t *testing.T) {
	all, err := read(root)
	if err != nil {
		t.Fatal(err)
	}
	first, err := json.Marshal(bill(all))
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(bill(all))
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("two bills of the same differ: %v", err)
	}
	refs := map[string]bool{}
	for _, part := range bill(all).Parts {
		if refs[part.Ref] || part.Version == "" || len(part.Licences) != 1 || !strings.HasPrefix(part.PURL, "pkg:") || !strings.HasSuffix(part.PURL, "@"+part.Version) {
			t.Errorf("%+v", part)
		}
		refs[part.Ref] = true
	}
	for _, ref := range []string{"pkg:golang/github.com/segmentio/kafka-go@", "pkg:npm/%40chdb/lib-linux-x64-gnu@"} {
		if !slices.ContainsFunc(bill(all).Parts, func(p bomComponent) bool { return strings.HasPrefix(p.Ref, ref) }) {
			t.Errorf("%s is not in it", ref)
		}
	}
}

// TestVersionsArePinned: what is built today is what is built tomorrow.
func TestVersionsArePinned(t *testing.T) {
	exact := regexp.MustCompile(`^\d+\.\d+\.\d+(-[\w.]+)?$`)
	for _, path := range []string{"web/package.json", "web/client/package.json", "web/console/package.json", "internal/embedded/package.json", "internal/demo/record/package.json"} {
		var file map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text(t, path)), &file); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, section := range []string{"dependencies", "devDependencies", "optionalDependencies"} {
			wanted := map[string]string{}
			if raw, ok := file[section]; ok {
				if err := json.Unmarshal(raw, &wanted); err != nil {
					t.Fatalf("%s: %v", path, err)
				}
			}
			for name, version := range wanted {
				if !exact.MatchString(version) && version != "*" || version == "*" && !ofOurs(name) {
					t.Errorf("%s: %s %q is no exact version", path, name, version)
				}
			}
		}
	}
	for _, from := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(text(t, "Dockerfile"), -1) {
		if !regexp.MustCompile(`:\d+(\.\d+)*-?[\w.-]*$`).MatchString(from[1]) || strings.Contains(from[1], "latest") {
			t.Errorf("Dockerfile: %s has no version", from[1])
		}
	}
	for _, image := range regexp.MustCompile(`(?m)^\s+image: (\S+)`).FindAllStringSubmatch(text(t, "docker-compose.yml"), -1) {
		if !regexp.MustCompile(`:(v?\d[\w.-]*|local)$`).MatchString(image[1]) {
			t.Errorf("docker-compose.yml: %s has no version", image[1])
		}
	}
	floating := regexp.MustCompile(`@latest\b|go install [^\n]*@(main|master)\b|npx [^\n]*@latest|pip install (?:-\S+ )*[a-z][\w-]*(?:\s|$)`)
	for _, pattern := range []string{"scripts/*.sh", "Makefile", "Dockerfile", ".ci/run"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if found := floating.Find(content); found != nil {
				t.Errorf("%s: %q has no version", path, found)
			}
		}
	}
}

// ofOurs tells whether a package is one of this repository's own.
func ofOurs(name string) bool {
	return strings.HasPrefix(name, "anteroom") || strings.HasPrefix(name, "@anteroom/")
}

// TestEachThreatNamesATestThatIsThere reads SECURITY.md: whoever says that something stops an attack shows it.
func TestEachThreatNamesATestThatIsThere(t *testing.T) {
	tests := map[string]bool{}
	definition := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{"node_modules", ".git", "bin", "data"}, entry.Name()) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		content, err := os.ReadFile(path)
		for _, found := range definition.FindAllStringSubmatch(string(content), -1) {
			tests[found[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, model, _ := strings.Cut(text(t, "SECURITY.md"), "## Threat model")
	rows := 0
	for line := range strings.Lines(model) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| who ") {
			continue
		}
		rows++
		named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(line, -1)
		if len(named) == 0 {
			t.Errorf("no test shows this: %s", line)
		}
		for _, name := range named {
			if !tests[name[1]] {
				t.Errorf("there is no %s", name[1])
			}
		}
	}
	if rows < 15 {
		t.Errorf("only %d threats were found", rows)
	}
}
