package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const mask = "********"

// Masked is the configuration as a tree of maps, durations as texts and secrets that are set as asterisks.
func (c Config) Masked() map[string]any {
	masked, _ := shown("", toMap(reflect.ValueOf(c))).(map[string]any)
	return masked
}

// YAML is the configuration as a file that could be read again, but for the secrets, which are masked.
func (c Config) YAML() ([]byte, error) {
	out, err := yaml.Marshal(c.Masked())
	if err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return out, nil
}

// toMap turns a struct with koanf tags into a tree of maps with typed values.
func toMap(v reflect.Value) map[string]any {
	out := map[string]any{}
	for field := range fields(v.Type()) {
		out[field.tag] = toTree(v.Field(field.index))
	}
	return out
}

func toTree(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.Struct:
		return toMap(v)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		list := make([]any, 0, v.Len())
		for i := range v.Len() {
			list = append(list, toMap(v.Index(i)))
		}
		return list
	case v.Kind() == reflect.Slice && v.IsNil():
		return []string{}
	case v.Kind() == reflect.Map:
		out := map[string]any{}
		for _, key := range v.MapKeys() {
			out[key.String()] = toTree(v.MapIndex(key))
		}
		return out
	}
	return v.Interface()
}

func shown(path string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, inner := range v {
			out[name] = shown(join(path, name), inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = shown(path, inner)
		}
		return out
	case time.Duration:
		return duration(v)
	case string:
		if v != "" && secret(path) {
			return mask
		}
	}
	return v
}

// duration writes 168h where Go would write 168h0m0s.
func duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
