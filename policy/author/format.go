package author

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"

	"github.com/anteroom/anteroom/policy"
)

// Format writes each file as `opa fmt` does, and the data with two spaces of indentation. A file that can't be parsed stays as it is, with
// diagnostics that say why.
func Format(c Content) (Content, []Diagnostic) {
	out := Content{Files: make(map[string]string, len(c.Files))}
	list := []Diagnostic{}
	for _, name := range c.names() {
		text, err := formatted(name, c.Files[name])
		if err != nil {
			list = append(list, c.diagnostics(err)...)
			text = c.Files[name]
		}
		out.Files[name] = text
	}
	return out, ordered(list)
}

func formatted(name, text string) (string, error) {
	switch {
	case name == DataFile:
		if len(text) > policy.MaxDataBytes {
			return text, nil
		}
		return indentData(text)
	case !isModule(name):
		return text, nil
	}
	if _, errs := policy.ParseModule(name, text); len(errs) > 0 {
		return "", errs
	}
	pretty, err := format.SourceWithOpts(name, []byte(text), format.Opts{RegoVersion: ast.RegoV1})
	if err != nil {
		return "", fmt.Errorf("format %s: %w", name, err)
	}
	return string(pretty), nil
}
