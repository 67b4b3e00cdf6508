package policy

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// shipped is the base policy with its data, what its Rego and organisations' may call, and the form of the input.
//
//go:embed anteroom data.json capabilities.json input.schema.json retention.json retention.schema.json
var shipped embed.FS

// The shipped packages, as the folders that they are in.
const (
	meetingFolder   = "anteroom/meeting"
	retentionFolder = "anteroom/retention"
	// decisionFolder merges the answers of base and organisation where there is no Engine.
	decisionFolder = "anteroom/decision"
)

// base is what every snapshot is built from.
type base struct {
	modules      map[string]*ast.Module
	data         map[string]any
	capabilities *ast.Capabilities
	schemas      *ast.SchemaSet
	// rank orders reasons: data.precedence by reason.
	rank     map[Reason]int
	revision string
}

// loadBase reads what is shipped and puts the operator's data in. It fails only if the build is broken.
func loadBase(cfg Config) (*base, error) {
	b, err := load(meetingFolder, DataFile, SchemaFile, func(data map[string]any) {
		grantable := make([]any, len(cfg.Grantable))
		for i, name := range cfg.Grantable {
			grantable[i] = name
		}
		data["grantable"] = grantable
		data["limits"] = map[string]any{
			"participants": cfg.Limits.Participants, "call_guest": cfg.Limits.CallGuest, "chat_guest": cfg.Limits.ChatGuest,
		}
	})
	if err != nil {
		return nil, err
	}
	order, _ := b.data["precedence"].([]any)
	for i, reason := range order {
		name, _ := reason.(string)
		b.rank[Reason(name)] = i
	}
	return b, nil
}

// load reads one shipped package, its data, into which set puts the operator's, and the schema of its input.
func load(folder, data, schema string, set func(data map[string]any)) (*base, error) {
	b := &base{modules: map[string]*ast.Module{}, rank: map[Reason]int{}}
	texts, err := shippedTexts(folder, false)
	if err != nil {
		return nil, err
	}
	for name, text := range texts {
		if b.modules[name], err = parseModule(name, text); err != nil {
			return nil, err
		}
	}
	capabilities, err := b.readFormats(schema)
	if err != nil {
		return nil, err
	}
	text, err := shipped.ReadFile(data)
	if err != nil {
		return nil, fmt.Errorf("read the base policy's data: %w", err)
	}
	if err := json.Unmarshal(text, &b.data); err != nil {
		return nil, fmt.Errorf("decode the base policy's data: %w", err)
	}
	set(b.data)
	effective, err := json.Marshal(b.data)
	if err != nil {
		return nil, fmt.Errorf("encode the base policy's data: %w", err)
	}
	b.revision = digest(texts, effective, capabilities)
	return b, nil
}

// readFormats reads the allow-list of built-ins and the input's schema; it returns the allow-list's text.
func (b *base) readFormats(schemaFile string) ([]byte, error) {
	text, err := shipped.ReadFile(CapabilitiesFile)
	if err != nil {
		return nil, fmt.Errorf("read the list of built-ins: %w", err)
	}
	b.capabilities, err = ast.LoadCapabilitiesJSON(strings.NewReader(string(text)))
	if err != nil {
		return nil, fmt.Errorf("decode the list of built-ins: %w", err)
	}
	// An empty list allows no host; a missing one would allow all.
	b.capabilities.AllowNet = []string{}
	schemaText, err := shipped.ReadFile(schemaFile)
	if err != nil {
		return nil, fmt.Errorf("read the input's schema: %w", err)
	}
	var schema any
	if err := json.Unmarshal(schemaText, &schema); err != nil {
		return nil, fmt.Errorf("decode the input's schema: %w", err)
	}
	b.schemas = ast.NewSchemaSet()
	b.schemas.Put(ast.SchemaRootRef, schema)
	return text, nil
}

// shippedTexts are the sources in a folder by path, the tests only if asked for.
func shippedTexts(folder string, tests bool) (map[string]string, error) {
	texts := map[string]string{}
	err := fs.WalkDir(shipped, folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() || (strings.HasSuffix(path, "_test.rego") && !tests) {
			return nil
		}
		text, err := shipped.ReadFile(path)
		texts[path] = string(text)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the base policy: %w", err)
	}
	return texts, nil
}
