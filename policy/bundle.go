package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
)

// DecisionPath is where an agent that has a bundle asks for what Decide answers: an object with effect, reasons, rules and obligations.
const DecisionPath = "anteroom/decision/answer"

// Bundle are the files that an agent needs to decide as an Engine does that has activated the revision for an organisation (nil: none), by path: Rego
// without tests, and data.json. roots are what they own of all data.
func (b *Base) Bundle(r *Revision) (files map[string]string, roots []string, err error) {
	files = map[string]string{}
	for _, folder := range []string{meetingFolder, decisionFolder} {
		texts, err := shippedTexts(folder, false)
		if err != nil {
			return nil, nil, err
		}
		maps.Copy(files, texts)
	}
	var data map[string]any
	if r != nil {
		for name, text := range r.Modules {
			files[path.Join("anteroom", OwnFolder, name)] = text
		}
		data = r.Data
	}
	all := b.Data(data)
	text, err := json.Marshal(all)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the policy's data: %w", err)
	}
	files["data.json"] = string(text)
	roots = []string{meetingFolder, decisionFolder, path.Join("anteroom", OwnFolder)}
	for key := range all {
		roots = append(roots, key)
	}
	return files, roots, nil
}
