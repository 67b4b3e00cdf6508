// Command supply tells what Anteroom is made of: licences of all that is linked, embedded or used to build and test it (THIRD_PARTY.md), and a bill of
// materials of what is shipped (CycloneDX). It reads the module graph and the lock files, and asks no network.
//
//	go run ./internal/supply licences > THIRD_PARTY.md
//	go run ./internal/supply sbom > bin/anteroom.cdx.json
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "supply:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("say licences or sbom")
	}
	all, err := read(".")
	if err != nil {
		return err
	}
	switch args[0] {
	case "licences":
		_, err = io.WriteString(out, licences(all))
	case "sbom":
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(bill(all))
	default:
		err = fmt.Errorf("%q is neither licences nor sbom", args[0])
	}
	return err
}

// component is something of others.
type component struct {
	Name, Version, Licence string
	// Ecosystem is go or npm.
	Ecosystem string
	// Shipped: it is in the binary or beside it; else it builds and tests only.
	Shipped bool
}

// lockFiles are those of npm, and whether what isn't marked as for development is shipped.
func lockFiles() map[string]bool {
	return map[string]bool{"web/package-lock.json": true, "internal/embedded/package-lock.json": true, "internal/demo/record/package-lock.json": false}
}

func read(root string) ([]component, error) {
	all, err := readGo(root)
	if err != nil {
		return nil, err
	}
	for path, shipped := range lockFiles() {
		found, err := readNPM(filepath.Join(root, path), shipped)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b component) int {
		return strings.Compare(fmt.Sprint(a.Ecosystem, " ", a.Name, " ", a.Version, " ", !a.Shipped), fmt.Sprint(b.Ecosystem, " ", b.Name, " ", b.Version, " ", !b.Shipped))
	})
	return slices.CompactFunc(all, func(a, b component) bool {
		return a.Ecosystem == b.Ecosystem && a.Name == b.Name && a.Version == b.Version
	}), nil
}

// readGo lists the modules whose packages the binary has, on Linux on x86-64.
func readGo(root string) ([]component, error) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/anteroom")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list modules: %w: %s", err, stderr.String())
	}
	seen := map[string]bool{}
	var out []component
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 3 || seen[fields[0]] {
			continue
		}
		seen[fields[0]] = true
		licence, err := licenceOf(fields[2])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", fields[0], err)
		}
		out = append(out, component{fields[0], fields[1], licence, "go", true})
	}
	return out, nil
}

// readNPM lists the packages of a lock file.
func readNPM(path string, shipped bool) ([]component, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read lock file: %w", err)
	}
	var lock struct {
		Packages map[string]struct {
			Version, License string
			Link, Dev        bool
		}
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var out []component
	for place, p := range lock.Packages {
		i := strings.LastIndex(place, "node_modules/")
		if i < 0 || p.Link { // our own
			continue
		}
		name := place[i+len("node_modules/"):]
		licence := p.License
		if licence == "" {
			licence = undeclared()[name]
		}
		out = append(out, component{name, p.Version, licence, "npm", shipped && !p.Dev})
	}
	return out, nil
}

func licences(all []component) string {
	var out strings.Builder
	out.WriteString("# What Anteroom is made of\n\nWritten by `make licences`; a test holds it against the module graph and the lock files. *Shipped* is in the binary, or beside it; the rest builds and tests only.\n")
	for _, ecosystem := range []string{"go", "npm"} {
		fmt.Fprintf(&out, "\n## %s\n\n| | version | licence | |\n|---|---|---|---|\n", map[string]string{"go": "Go modules", "npm": "npm packages"}[ecosystem])
		for _, c := range all {
			if c.Ecosystem != ecosystem {
				continue
			}
			fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", c.Name, c.Version, c.Licence, map[bool]string{true: "shipped", false: ""}[c.Shipped])
		}
	}
	return out.String()
}

// bom is a bill of materials, as far as it is used here: https://cyclonedx.org/docs/1.6/json/
type bom struct {
	Format   string         `json:"bomFormat"`
	Spec     string         `json:"specVersion"`
	Serial   string         `json:"serialNumber"`
	Version  int            `json:"version"`
	Metadata bomMetadata    `json:"metadata"`
	Parts    []bomComponent `json:"components"`
}

type bomMetadata struct {
	Component bomComponent `json:"component"`
}

type bomComponent struct {
	Type     string       `json:"type"`
	Ref      string       `json:"bom-ref"`
	Name     string       `json:"name"`
	Version  string       `json:"version,omitempty"`
	PURL     string       `json:"purl"`
	Licences []bomLicence `json:"licenses"`
}

type bomLicence struct {
	Expression string `json:"expression"`
}

// bill is the same whenever and wherever it is made of the same parts.
func bill(all []component) bom {
	part := func(kind, name, version, purl, licence string) bomComponent {
		return bomComponent{Type: kind, Ref: purl, Name: name, Version: version, PURL: purl, Licences: []bomLicence{{licence}}}
	}
	sum := sha256.New()
	out := bom{Format: "CycloneDX", Spec: "1.6", Version: 1, Parts: []bomComponent{}}
	out.Metadata.Component = part("application", "anteroom", "", "pkg:golang/github.com/anteroom/anteroom", "Apache-2.0")
	for _, c := range all {
		if !c.Shipped {
			continue
		}
		purl := "pkg:npm/" + strings.Replace(c.Name, "@", "%40", 1) + "@" + c.Version
		if c.Ecosystem == "go" {
			purl = "pkg:golang/" + c.Name + "@" + c.Version
		}
		fmt.Fprintln(sum, purl)
		out.Parts = append(out.Parts, part("library", c.Name, c.Version, purl, c.Licence))
	}
	out.Serial = "urn:uuid:" + uuid.NewSHA1(uuid.NameSpaceURL, []byte(hex.EncodeToString(sum.Sum(nil)))).String()
	return out
}
