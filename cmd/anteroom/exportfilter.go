package main

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/retention/report"
)

// filterTypes are the filters of calls that the API takes, by name, each with the type of its value.
func filterTypes() map[string]reflect.Kind {
	out := map[string]reflect.Kind{}
	for field := range reflect.TypeFor[openapi.ExportCallsFilter]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		kind := field.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		out[name] = kind.Kind()
	}
	return out
}

// filterNames are these filters' names, in order.
func filterNames() []string {
	var out []string
	for name := range filterTypes() {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// filterCompletions are what a shell offers.
func filterCompletions() []string {
	names := filterNames()
	for i := range names {
		names[i] += "="
	}
	return names
}

// filterOf reads --filter NAME=VALUE as the API takes it; nil for none. What values there may be, the server says.
func filterOf(kind string, given []string) (map[string]any, error) {
	if len(given) == 0 {
		return nil, nil //nolint:nilnil // nothing was asked for, which is no error
	}
	if k := report.Kind(kind); k != report.Calls && k != report.Participants && k != report.Streams {
		return nil, fmt.Errorf("%w: --filter: is for the kinds calls, participants and streams, not for %s", errConfig, kind)
	}
	types, out := filterTypes(), map[string]any{}
	for _, text := range given {
		name, value, ok := strings.Cut(text, "=")
		if !ok || value == "" {
			return nil, fmt.Errorf("%w: --filter: %q is not of the form name=value, such as verdict=poor", errConfig, text)
		}
		typ, known := types[name]
		if !known {
			return nil, fmt.Errorf("%w: --filter: there is no filter %q; there are %s", errConfig, name, strings.Join(filterNames(), ", "))
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("%w: --filter %s: is given twice", errConfig, name)
		}
		var err error
		switch typ { //nolint:exhaustive // all others are texts
		case reflect.Bool:
			if value != "true" && value != "false" {
				err = fmt.Errorf("%q is neither true nor false", value)
			}
			out[name] = value == "true"
		case reflect.Int, reflect.Int64:
			if out[name], err = strconv.ParseInt(value, 10, 64); err != nil {
				err = fmt.Errorf("%q is not a whole number", value)
			}
		default:
			out[name] = value
		}
		if err != nil {
			return nil, fmt.Errorf("%w: --filter %s: %w", errConfig, name, err)
		}
	}
	return out, nil
}

// exportFlag is the flag that a field of the request was made of; "" for none.
func exportFlag(field string) string {
	if name, ok := strings.CutPrefix(field, "filter."); ok {
		return "--filter " + name
	}
	field, _, _ = strings.Cut(field, "[")
	switch field {
	case "kind", "region", "from", "to", "reason":
		return "--" + field
	case "meeting_id", "resource_id":
		return "--" + strings.TrimSuffix(field, "_id")
	case "classes":
		return "--class"
	case "formats":
		return "--format"
	}
	return ""
}
