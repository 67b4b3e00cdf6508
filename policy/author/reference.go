package author

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/anteroom/anteroom/policy"
)

// Reference is what an author may use: for completion, and to read.
type Reference struct {
	// Builtins that are called by their names; operators are left out.
	Builtins []Builtin `json:"builtins"`
	// Input are all paths of the input, such as input.participant.kind, in the schema's order of names.
	Input        []InputField    `json:"input"`
	Capabilities []CapabilityOf  `json:"capabilities"`
	Base         Content         `json:"base"`
	Reasons      []ReasonOf      `json:"reasons"`
	Schema       json.RawMessage `json:"schema"`
}

// Builtin is a function that policies may call.
type Builtin struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Categories  []string `json:"categories"`
	// Signature as people read it: "count(collection: any) → n: number".
	Signature string `json:"signature"`
}

// InputField is one path of the input.
type InputField struct {
	Path string `json:"path"`
	// Type is object, array, string, boolean or integer.
	Type        string   `json:"type"`
	Enum        []string `json:"enum"`
	Description string   `json:"description"`
}

// CapabilityOf is one that a participant may have.
type CapabilityOf struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	// Guests: a guest who is inside an ordinary meeting has it under the base alone; Reason says why not.
	Guests bool   `json:"guests"`
	Reason string `json:"reason"`
	// Grantable: an organisation's policy may give it where the base's rules on roles refuse it.
	Grantable bool `json:"grantable"`
}

// ReasonOf says what a reason means: the rule that gives it, and where it stands.
type ReasonOf struct {
	Reason string `json:"reason"`
	Rule   string `json:"rule"`
	Title  string `json:"title"`
	File   string `json:"file"`
	Line   int    `json:"line"`
}

// ReferenceOf tells what authors may use over this base.
func ReferenceOf(base *policy.Base) (Reference, error) {
	files, err := base.Files()
	if err != nil {
		return Reference{}, err
	}
	r := Reference{Builtins: builtinsOf(base), Base: Content{Files: map[string]string{}}, Schema: json.RawMessage(files[policy.SchemaFile])}
	for name, text := range files {
		if isModule(name) {
			r.Base.Files[name] = text
		}
	}
	r.Input = listed(fieldsOf(base))
	if r.Capabilities, err = capabilitiesOf(base); err != nil {
		return Reference{}, err
	}
	r.Reasons = ReasonsOf(base, Content{})
	return r, nil
}

func builtinsOf(base *policy.Base) []Builtin {
	list := []Builtin{}
	for _, b := range base.Builtins() {
		if b.Infix != "" || strings.HasPrefix(b.Name, "internal.") {
			continue
		}
		categories := b.Categories
		if family, _, ok := strings.Cut(b.Name, "."); ok && len(categories) == 0 {
			categories = []string{family}
		}
		list = append(list, Builtin{b.Name, b.Description, append([]string{}, categories...), signature(b)})
	}
	list = append(list, Builtin{"print", "Writes the values to the output of tests and of trying; it does nothing in a decision.", []string{"debugging"}, "print(values…)"})
	slices.SortFunc(list, func(x, y Builtin) int { return strings.Compare(x.Name, y.Name) })
	return list
}

func signature(b *ast.Builtin) string {
	// Arguments' names are lost on the way through the list of what is allowed.
	if standard, ok := ast.BuiltinMap[b.Name]; ok {
		b = standard
	}
	args := []string{}
	for _, arg := range b.Decl.NamedFuncArgs().Args {
		args = append(args, named(arg))
	}
	return b.Name + "(" + strings.Join(args, ", ") + ") → " + named(b.Decl.NamedResult())
}

func named(t types.Type) string {
	if n, ok := t.(*types.NamedType); ok {
		return n.Name + ": " + plain(n.Type)
	}
	return plain(t)
}

// plain names a type: "string", "set", "string or array".
func plain(t types.Type) string {
	switch t := t.(type) {
	case types.Any:
		names := make([]string, len(t))
		for i, one := range t {
			names[i] = plain(one)
		}
		return cmp.Or(strings.Join(names, " or "), "any")
	case *types.NamedType:
		return plain(t.Type)
	case *types.Array, *types.Object, *types.Set:
		name, _, _ := strings.Cut(types.Sprint(t), "[")
		return name
	}
	return types.Sprint(t)
}

// listed are a field's fields and theirs.
func listed(of field) []InputField {
	list := []InputField{}
	for _, name := range slices.Sorted(maps.Keys(of.Properties)) {
		f := of.Properties[name]
		list = append(list, InputField{f.path, f.Type, append([]string{}, f.Enum...), f.Description})
		list = append(list, listed(f)...)
		if f.Items != nil {
			list = append(list, listed(*f.Items)...)
		}
	}
	return list
}

func capabilitiesOf(base *policy.Base) ([]CapabilityOf, error) {
	engine, err := base.Engine(slog.New(slog.DiscardHandler), organization, nil)
	if err != nil {
		return nil, err
	}
	grants, err := engine.TryGrants(context.Background(), organization, policy.Input{
		Organization: policy.Organization{Kind: "work", AnonymousJoin: true}, Meeting: policy.Meeting{Kind: "scheduled"},
		Participant: policy.Participant{Kind: "guest", State: "admitted", AdmittedByOrgUser: true},
		Session:     policy.Session{OrgUsers: 1, Participants: 2, ChatMembers: 2},
	})
	if err != nil {
		return nil, err
	}
	grantable := base.Config().Grantable
	var list []CapabilityOf
	for _, capability := range policy.Capabilities() {
		list = append(list, CapabilityOf{
			Name: string(capability), Description: capability.Description(), Guests: grants[capability].Allowed,
			Reason: string(grants[capability].Reason), Grantable: slices.Contains(grantable, string(capability)),
		})
	}
	return list, nil
}

// ReasonsOf are the reasons that the base's rules give and those of a content, with the title of the rule's metadata and its place; those of
// the base first. What can't be parsed is left out.
func ReasonsOf(base *policy.Base, c Content) []ReasonOf {
	list := []ReasonOf{}
	modules := base.Modules()
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		list = append(list, reasonsIn(modules[name])...)
	}
	p, _ := c.parse(base)
	for _, name := range slices.Sorted(maps.Keys(p.modules)) {
		list = append(list, reasonsIn(p.modules[name])...)
	}
	return list
}

func reasonsIn(module *ast.Module) []ReasonOf {
	list := []ReasonOf{}
	for _, rule := range module.Rules {
		if rule.Head.RuleKind() != ast.MultiValue {
			continue
		}
		r := ReasonOf{File: rule.Location.File, Line: rule.Location.Row}
		if annotation := annotationOf(module, rule); annotation != nil {
			r.Title = annotation.Title
			r.Reason, _ = annotation.Custom["reason"].(string)
			r.Rule, _ = annotation.Custom["rule"].(string)
		}
		// A reason that is written in the head.
		if text, ok := rule.Head.Key.Value.(ast.String); ok && r.Reason == "" {
			r.Reason = string(text)
		}
		if r.Reason != "" {
			list = append(list, r)
		}
	}
	return list
}

// annotationOf is the metadata that ends on the line above the rule.
func annotationOf(module *ast.Module, rule *ast.Rule) *ast.Annotations {
	for _, annotation := range module.Annotations {
		if annotation.EndLoc().Row == rule.Location.Row-1 {
			return annotation
		}
	}
	return nil
}
