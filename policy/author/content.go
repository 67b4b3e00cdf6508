package author

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/anteroom/anteroom/policy"
)

// DataFile is the file whose JSON object the policy sees as data.organization.
const DataFile = "data.json"

// Content is an organisation's policy as its author has it. It isn't changed, once made.
type Content struct {
	// Files are texts by path: modules (*.rego, package anteroom.organization or below it), their tests (*_test.rego, package
	// anteroom.organization_test or below it) and DataFile.
	Files map[string]string `json:"files"`
}

// Digest names the content, tests included: 128 bits of SHA-256 in hexadecimal.
func (c Content) Digest() string {
	// What has texts only can always be encoded.
	id, _ := policy.Revision{Modules: c.Files}.ID()
	return id
}

// Revision is what is activated: the modules without their tests, and the data.
func (c Content) Revision() (policy.Revision, error) {
	r := policy.Revision{Modules: map[string]string{}}
	for name, text := range c.Files {
		if isModule(name) && !policy.IsTest(name) {
			r.Modules[name] = text
		}
	}
	text, ok := c.Files[DataFile]
	if !ok {
		return r, nil
	}
	data, err := decodeData(text)
	if err != nil {
		return policy.Revision{}, fmt.Errorf("decode %s: %w", DataFile, err)
	}
	r.Data = data
	return r, nil
}

// names are the files' paths in order.
func (c Content) names() []string { return slices.Sorted(maps.Keys(c.Files)) }

func isModule(name string) bool { return strings.HasSuffix(name, ".rego") }
