package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// problem is one thing wrong with the configuration.
type problem struct {
	// where is "anteroom.yaml:12" or the name of a variable or flag.
	where  string
	key    string
	reason string
	// about are the keys that it leaves without the value that was meant for them.
	about []string
}

func (p *problem) Error() string {
	if p.key == "" {
		return p.where + ": " + p.reason
	}
	return p.where + ": " + p.key + ": " + p.reason
}

// reader turns YAML into the tree that koanf merges, checking it against the schema on the way.
type reader struct {
	root     *node
	where    func(line int) string
	problems []error
}

func (r *reader) bad(at *yaml.Node, key, format string, args ...any) {
	r.problems = append(r.problems, &problem{where: r.where(at.Line), key: key, reason: fmt.Sprintf(format, args...), about: []string{key}})
}

// value reads the value of one key. What can't be read is noted, and nil given back.
func (r *reader) value(n *node, path string, y *yaml.Node) any {
	if y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	if y.Kind == yaml.ScalarNode && y.Tag == "!!null" {
		r.bad(y, path, "has no value; give one, or remove the line to keep the default")
		return nil
	}
	switch {
	case n.typ.Kind() == reflect.Struct:
		return r.section(n, path, y)
	case n.element != nil:
		return r.list(n, path, y)
	case n.typ.Kind() == reflect.Map:
		return r.mapping(n.typ, path, y)
	case n.typ.Kind() == reflect.Slice:
		return r.strings(path, y)
	}
	if y.Kind != yaml.ScalarNode {
		r.bad(y, path, "takes %s, not a list or a section", kindOf(n.typ))
		return nil
	}
	v, err := scalar(n.typ, y.Value)
	if err != nil {
		r.bad(y, path, "%s", describe(path, n.typ, y.Value))
		return nil
	}
	return v
}

// section reads a mapping whose keys are known.
func (r *reader) section(n *node, path string, y *yaml.Node) any {
	if y.Kind != yaml.MappingNode {
		r.bad(y, path, "takes a section of keys")
		return nil
	}
	out := map[string]any{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		here := join(path, key.Value)
		child := n.child(key.Value)
		if child == nil {
			hint, meant := r.hint(n, path, key.Value)
			r.problems = append(r.problems, &problem{where: r.where(key.Line), key: here, reason: "unknown key" + hint, about: []string{meant}})
			continue
		}
		if _, twice := out[key.Value]; twice {
			r.bad(key, here, "stands here a second time")
			continue
		}
		if v := r.value(child, here, y.Content[i+1]); v != nil {
			out[key.Value] = v
		}
	}
	return out
}

// hint names what was probably meant, in words and as a key: a neighbour of nearly that name, or a key of that very name elsewhere.
func (r *reader) hint(n *node, path, name string) (text, meant string) {
	var siblings []string
	for _, c := range n.children {
		siblings = append(siblings, c.name())
	}
	if near := nearest(name, siblings); near != "" {
		return "; did you mean " + join(path, near) + "?", join(path, near)
	}
	for _, leaf := range r.root.leaves() {
		if leaf.name() == name {
			return "; did you mean " + leaf.path + "?", leaf.path
		}
	}
	if n.path == "" || len(siblings) < 12 {
		return "; known here are " + strings.Join(siblings, ", "), ""
	}
	return "", ""
}

func (r *reader) list(n *node, path string, y *yaml.Node) any {
	if y.Kind != yaml.SequenceNode {
		r.bad(y, path, "takes a list")
		return nil
	}
	out := make([]any, 0, len(y.Content))
	for i, entry := range y.Content {
		v := r.value(n.element, fmt.Sprintf("%s[%d]", path, i), entry)
		if said, ok := v.(map[string]any); ok && n.path == "regions" {
			v = over(toMap(reflect.ValueOf(DefaultRegion())), said)
		}
		out = append(out, v)
	}
	return out
}

// over puts what was said over defaults, section by section.
func over(defaults, said map[string]any) map[string]any {
	for name, v := range said {
		inner, isSection := v.(map[string]any)
		below, hasSection := defaults[name].(map[string]any)
		if isSection && hasSection {
			v = over(below, inner)
		}
		defaults[name] = v
	}
	return defaults
}

// strings reads a list of texts; a single text is a list of one.
func (r *reader) strings(path string, y *yaml.Node) any {
	if y.Kind == yaml.ScalarNode {
		return []string{y.Value}
	}
	if y.Kind != yaml.SequenceNode {
		r.bad(y, path, "takes a list")
		return nil
	}
	out := make([]string, 0, len(y.Content))
	for _, entry := range y.Content {
		if entry.Kind != yaml.ScalarNode {
			r.bad(entry, path, "takes a list of single values")
			return nil
		}
		out = append(out, entry.Value)
	}
	return out
}

// mapping reads a map with free keys, whose room checks them. The innermost values are scalars.
func (r *reader) mapping(typ reflect.Type, path string, y *yaml.Node) any {
	if y.Kind != yaml.MappingNode {
		r.bad(y, path, "takes a section of keys")
		return nil
	}
	out := map[string]any{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		name := y.Content[i].Value
		if v := r.value(&node{path: join(path, name), typ: typ.Elem()}, join(path, name), y.Content[i+1]); v != nil {
			out[name] = v
		}
	}
	return out
}

// scalar reads a single value. Numbers and switches are taken strictly: a duration without a unit is refused, since nobody
// can tell which one was meant.
func scalar(typ reflect.Type, text string) (any, error) {
	switch {
	case typ == durationType:
		return time.ParseDuration(text)
	case typ.Kind() == reflect.String:
		return text, nil
	case typ.Kind() == reflect.Bool:
		switch text {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, strconv.ErrSyntax
	case typ.Kind() == reflect.Float64:
		return strconv.ParseFloat(text, 64)
	case typ.Kind() == reflect.Int || typ.Kind() == reflect.Int64:
		return strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
	case typ.Kind() == reflect.Uint64:
		return strconv.ParseUint(strings.ReplaceAll(text, "_", ""), 10, 64)
	}
	return nil, fmt.Errorf("no reader for %s", typ)
}

func kindOf(typ reflect.Type) string {
	switch {
	case typ == durationType:
		return "a duration with its unit, as 500ms, 30s or 168h"
	case typ.Kind() == reflect.Bool:
		return "true or false"
	case typ.Kind() == reflect.Float64:
		return "a number"
	case typ.Kind() == reflect.String:
		return "a text"
	case typ.Kind() == reflect.Slice:
		return "a list"
	}
	if typ.Kind() == reflect.Uint64 {
		return "a whole number from 0"
	}
	return "a whole number"
}

// describe says what is wrong with a value, showing it unless it is a secret.
func describe(path string, typ reflect.Type, text string) string {
	if secret(path) {
		return "takes " + kindOf(typ)
	}
	return fmt.Sprintf("%q is not %s", text, kindOf(typ))
}
