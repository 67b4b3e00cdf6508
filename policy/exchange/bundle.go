package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/anteroom/anteroom/policy"
)

// Build makes the bundle with which an agent decides as an engine does that has activated a revision (nil: the base alone). name is what the agent and its
// logs say of it.
func Build(base *policy.Base, r *policy.Revision, name string, key *Key) ([]byte, error) {
	files, roots, err := base.Bundle(r)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it did
	}
	slices.Sort(roots)
	version := 1
	b := bundle.Bundle{Manifest: bundle.Manifest{Revision: name, Roots: &roots, RegoVersion: &version}}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if file == "data.json" {
			if err := json.Unmarshal([]byte(files[file]), &b.Data); err != nil {
				return nil, fmt.Errorf("build bundle: %w", err)
			}
			continue
		}
		parsed, err := ast.ParseModuleWithOpts(file, files[file], ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, fmt.Errorf("build bundle: %w", err)
		}
		b.Modules = append(b.Modules, bundle.ModuleFile{
			URL: path.Join("/", file), Path: path.Join("/", file), RelativePath: path.Join("/", file), Raw: []byte(strings.TrimSpace(files[file]) + "\n"), Parsed: parsed,
		})
	}
	if key != nil {
		if err := b.GenerateSignature(bundle.NewSigningConfig(key.private, "ES256", ""), key.ID, false); err != nil {
			return nil, fmt.Errorf("sign bundle: %w", err)
		}
	}
	var out bytes.Buffer
	if err := bundle.NewWriter(&out).DisableFormat(true).Write(b); err != nil {
		return nil, fmt.Errorf("write bundle: %w", err)
	}
	return out.Bytes(), nil
}
