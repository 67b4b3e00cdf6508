package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const envPrefix = "ANTEROOM_"

// FileEnv names the configuration file, like the flag --config.
const FileEnv = envPrefix + "CONFIG"

// short are the names of their own that the everyday settings have besides the ones made of their keys.
func short() map[string]string {
	return map[string]string{
		"ANTEROOM_DATA":   "embedded.data",
		"ANTEROOM_LISTEN": "api.listen",
		"ANTEROOM_DEMO":   "embedded.demo",
	}
}

// elsewhere are names that mean something to other parts than the configuration: ANTEROOM_CHDB to the embedded engine, the
// others to the project's own tests.
var elsewhere = regexp.MustCompile(`^ANTEROOM_(CHDB|FIXTURES|TORTURE|TEST_\w+)$`)

// serviceLinks are what Kubernetes puts into every container beside a service that is called anteroom or anteroom-…:
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
var serviceLinks = regexp.MustCompile(`^ANTEROOM_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// EnvName is the variable of a key: "kafka.sasl.username" gives "ANTEROOM_KAFKA_SASL_USERNAME".
func EnvName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// EnvNames lists all variables that are understood, sorted.
func EnvNames() []string {
	names := []string{FileEnv}
	for _, leaf := range schema().leaves() {
		names = append(names, EnvName(leaf.path))
	}
	for name := range short() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// fromEnv reads the variables that begin with ANTEROOM_ and refuses those it doesn't know. A list is written with commas
// between its entries; lists of sections and maps are written as YAML. A variable that is empty counts as not set, as compose
// files and shells leave them.
func fromEnv(environ []string) (map[string]any, []error) {
	byName := map[string]*node{}
	root := schema()
	for _, leaf := range root.leaves() {
		byName[EnvName(leaf.path)] = leaf
	}
	for name, key := range short() {
		byName[name] = find(root, key)
	}
	out := map[string]any{}
	setBy := map[string]string{}
	var problems []error
	environ = slices.Sorted(slices.Values(environ))
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || name == FileEnv || text == "" {
			continue
		}
		n := byName[name]
		if n == nil {
			if !elsewhere.MatchString(name) && !serviceLinks.MatchString(name) {
				problems = append(problems, unknownVariable(name, byName))
			}
			continue
		}
		if other := setBy[n.path]; other != "" {
			problems = append(problems, &problem{where: name, reason: fmt.Sprintf("says the same as %s; set one of them", other)})
			continue
		}
		setBy[n.path] = name
		v, errs := variable(root, n, name, text)
		if len(errs) > 0 {
			problems = append(problems, errs...)
			continue
		}
		put(out, n.path, v)
	}
	return out, problems
}

func unknownVariable(name string, byName map[string]*node) error {
	reason := "unknown variable; anteroom.example.yaml lists the keys that variables are made of"
	var about []string
	if near := nearest(name, EnvNames()); near != "" {
		reason = "unknown variable; did you mean " + near + "?"
		if n := byName[near]; n != nil {
			about = []string{n.path}
		}
	}
	return &problem{where: name, reason: reason, about: about}
}

func variable(root, n *node, name, text string) (any, []error) {
	if n.path == "embedded.demo" {
		switch text {
		case "on":
			return true, nil
		case "off":
			return false, nil
		}
	}
	switch kind := n.typ.Kind(); {
	case n.element != nil || kind == reflect.Map:
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) != 1 {
			return nil, []error{&problem{where: name, key: n.path, reason: "is not YAML", about: []string{n.path}}}
		}
		r := &reader{root: root, where: func(int) string { return name }}
		v := r.value(n, n.path, doc.Content[0])
		if len(r.problems) > 0 {
			return nil, r.problems
		}
		return v, nil
	case kind == reflect.Slice:
		out := []string{}
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
		return out, nil
	}
	v, err := scalar(n.typ, text)
	if err != nil {
		return nil, []error{&problem{where: name, reason: describe(n.path, n.typ, text), about: []string{n.path}}}
	}
	return v, nil
}

func find(root *node, key string) *node {
	n := root
	for part := range strings.SplitSeq(key, ".") {
		if n = n.child(part); n == nil {
			panic("config: there is no key " + key)
		}
	}
	return n
}

// put sets a key of a tree of maps.
func put(tree map[string]any, key string, v any) {
	parts := strings.Split(key, ".")
	for _, part := range parts[:len(parts)-1] {
		next, ok := tree[part].(map[string]any)
		if !ok {
			next = map[string]any{}
			tree[part] = next
		}
		tree = next
	}
	tree[parts[len(parts)-1]] = v
}
