package config

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// node is one key of the configuration, or the whole of it: what the structs say about it.
type node struct {
	path     string // "kafka.brokers"; "" for the whole; "ingest.sources[]" for an entry of a list
	typ      reflect.Type
	children []*node // fields of a struct, in their order
	element  *node   // entries of a list of structs
}

var durationType = reflect.TypeFor[time.Duration]()

// schemaOf reads the koanf tags of a struct type. A field without one is no key.
func schemaOf(path string, typ reflect.Type) *node {
	n := &node{path: path, typ: typ}
	switch {
	case typ.Kind() == reflect.Struct:
		for field := range fields(typ) {
			n.children = append(n.children, schemaOf(join(path, field.tag), field.typ))
		}
	case typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct:
		n.element = schemaOf(path+"[]", typ.Elem())
	}
	return n
}

type taggedField struct {
	index int
	tag   string
	typ   reflect.Type
}

func fields(typ reflect.Type) func(func(taggedField) bool) {
	return func(yield func(taggedField) bool) {
		for i := range typ.NumField() {
			tag := typ.Field(i).Tag.Get("koanf")
			if tag == "" || tag == "-" {
				continue
			}
			if !yield(taggedField{i, tag, typ.Field(i).Type}) {
				return
			}
		}
	}
}

func (n *node) child(name string) *node {
	for _, c := range n.children {
		if c.name() == name {
			return c
		}
	}
	return nil
}

func (n *node) name() string { return n.path[strings.LastIndexByte(n.path, '.')+1:] }

// leaves lists the keys that hold values, in the order of the structs. Keys within list entries are not among them.
func (n *node) leaves() []*node {
	if n.typ.Kind() != reflect.Struct {
		return []*node{n}
	}
	var out []*node
	for _, c := range n.children {
		out = append(out, c.leaves()...)
	}
	return out
}

// secret tells whether a key's value must never be shown. The rule is the name, so that a new password can't be forgotten.
func secret(path string) bool {
	name := path[strings.LastIndexByte(path, '.')+1:]
	return slices.Contains([]string{"password", "secret", "token", "key"}, name)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// nearest finds the known name that was probably meant: one within a third of its length in edits, or "".
func nearest(name string, known []string) string {
	best, bestDistance := "", 1<<30
	for _, k := range known {
		if d := editDistance(name, k); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if bestDistance > max(1, len(name)/3) {
		return ""
	}
	return best
}

// editDistance is the Levenshtein distance in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
