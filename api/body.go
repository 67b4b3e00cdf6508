package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/anteroom/anteroom/directory"
)

// bodies reads JSON bodies for the generated code and holds them against the document. A field that the document does not know is
// refused: a setting with a slip in its name would else seem to be set.
type bodies struct{ operations map[string]operation }

// Bind is echo.Binder.
func (b bodies) Bind(into any, c echo.Context) error {
	op, ok := b.operations[c.Request().Method+" "+c.Path()]
	if !ok || op.route.Operation.RequestBody == nil {
		return &Error{Code: CodeInvalidRequest}
	}
	wanted := op.route.Operation.RequestBody.Value
	text, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	if len(bytes.TrimSpace(text)) == 0 && !wanted.Required {
		return nil
	}
	if err := checkMedia(c.Request()); err != nil {
		return err
	}
	if err := checkBody(text, wanted.Content.Get(echo.MIMEApplicationJSON).Schema.Value); err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return &Error{Code: CodeInvalidRequest, Detail: "The body is not the JSON that is wanted; see /openapi.json."}
	}
	return nil
}

// mergePatch is what a change is (RFC 7396); it may be called so.
const mergePatch = "application/merge-patch+json"

func checkMedia(r *http.Request) error {
	media, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
	patch := r.Method == http.MethodPatch
	switch {
	case err == nil && (media == echo.MIMEApplicationJSON || (patch && media == mergePatch)):
		return nil
	case patch:
		return &Error{Code: CodeUnsupportedMedia, Detail: "Send the body as application/json or " + mergePatch + "."}
	}
	return &Error{Code: CodeUnsupportedMedia, Detail: "Send the body as application/json."}
}

func checkBody(text []byte, schema *openapi3.Schema) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return &Error{Code: CodeInvalidRequest, Detail: "The body is not JSON."}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return &Error{Code: CodeInvalidRequest, Detail: "The body has more than one JSON value."}
	}
	if _, ok := v.(map[string]any); !ok {
		return &Error{Code: CodeInvalidRequest, Detail: "The body must be a JSON object."}
	}
	if field := unknownField(v, schema, ""); field != "" {
		return &Error{Code: CodeInvalidField, Field: field, Detail: "The field " + field + " is unknown here; see /openapi.json."}
	}
	v, odd := asNumbers(v, schema, "")
	err := schema.VisitJSON(v, openapi3.EnableFormatValidation())
	var wrong *openapi3.SchemaError
	switch {
	case err == nil && odd == "":
		return nil
	case err == nil:
		return &Error{Code: CodeInvalidField, Field: odd, Detail: "The field " + odd + " must be a whole number, written with digits only."}
	case !errors.As(err, &wrong):
		return &Error{Code: CodeInvalidRequest}
	}
	field, reason := fieldOf(wrong.JSONPointer()), whySchema(wrong)
	if wrong.SchemaField == "required" {
		reason = "is missing"
	}
	return &Error{Code: CodeInvalidField, Field: field, Detail: "The field " + field + " " + reason + "."}
}

// unknownField finds the first field, in order of name, that a closed object of the document doesn't have.
func unknownField(v any, schema *openapi3.Schema, path string) string {
	switch v := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			at := strings.TrimPrefix(path+"."+name, ".")
			property := schema.Properties[name]
			if property == nil {
				if open := schema.AdditionalProperties.Has; open != nil && !*open {
					return printable(at)
				}
				continue
			}
			if found := unknownField(v[name], property.Value, at); found != "" {
				return found
			}
		}
	case []any:
		if schema.Items == nil {
			return ""
		}
		for i := range v {
			if found := unknownField(v[i], schema.Items.Value, fmt.Sprintf("%s[%d]", path, i)); found != "" {
				return found
			}
		}
	}
	return ""
}

// asNumbers makes of what was read with its numbers as text what schemas are held against, and tells the first field, in order of name, that is to be a whole
// number and is written as another one, such as 1e2 or 30.0: JSON Schema takes it for one, and Go does not. "" for none.
func asNumbers(v any, schema *openapi3.Schema, path string) (out any, odd string) {
	note := func(found string) {
		if odd == "" {
			odd = found
		}
	}
	switch v := v.(type) {
	case json.Number:
		if schema != nil && schema.Type != nil && schema.Type.Is(openapi3.TypeInteger) && strings.ContainsAny(v.String(), ".eE") {
			note(path)
		}
		n, err := v.Float64()
		if err != nil { // It is beyond what there are numbers for.
			n = math.Copysign(math.MaxFloat64, n)
		}
		return n, odd
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			at, property := path, propertyOf(schema, name)
			if property != nil { // Of what the document knows nothing, no field is told.
				at = strings.TrimPrefix(path+"."+name, ".")
			}
			var found string
			v[name], found = asNumbers(v[name], property, at)
			note(found)
		}
	case []any:
		var items *openapi3.Schema
		if schema != nil && schema.Items != nil {
			items = schema.Items.Value
		}
		for i := range v {
			at := path
			if items != nil {
				at = fmt.Sprintf("%s[%d]", path, i)
			}
			var found string
			v[i], found = asNumbers(v[i], items, at)
			note(found)
		}
	}
	return v, odd
}

// propertyOf is the schema of an object's field; nil where the document knows none.
func propertyOf(schema *openapi3.Schema, name string) *openapi3.Schema {
	if schema == nil {
		return nil
	}
	if property := schema.Properties[name]; property != nil {
		return property.Value
	}
	for _, part := range schema.AllOf {
		if property := propertyOf(part.Value, name); property != nil {
			return property
		}
	}
	return nil
}

// printable keeps a name that a client made up short enough to be told back.
func printable(name string) string {
	if runes := []rune(name); len(runes) > 100 {
		name = string(runes[:100]) + "…"
	}
	return strings.ToValidUTF8(name, "?")
}

// fieldOf writes a JSON pointer as answers name fields: webhooks[0].url.
func fieldOf(pointer []string) string {
	var out strings.Builder
	for i, part := range pointer {
		switch {
		case part != "" && strings.Trim(part, "0123456789") == "":
			out.WriteString("[" + part + "]")
		case i > 0:
			out.WriteString("." + part)
		default:
			out.WriteString(part)
		}
	}
	return printable(out.String())
}

// asFieldError is the problem of the first field that the directory can't keep; nil if err is about none.
func asFieldError(err error) *Error {
	fields := directory.Fields(err)
	if len(fields) == 0 {
		return nil
	}
	texts := make([]string, len(fields))
	for i, f := range fields {
		texts[i] = "The field " + f.Field + " " + f.Reason + "."
	}
	return &Error{Code: CodeInvalidField, Field: fields[0].Field, Detail: strings.Join(texts[:min(len(texts), 5)], " ")}
}

// merge applies a JSON merge patch (RFC 7396) to a value and reads the result into another of the same shape.
func merge[T any](old T, patch json.RawMessage) (T, error) {
	var out T
	text, err := json.Marshal(old)
	if err != nil {
		return out, fmt.Errorf("write value: %w", err)
	}
	var value, change any
	if err := errors.Join(json.Unmarshal(text, &value), json.Unmarshal(patch, &change)); err != nil {
		return out, &Error{Code: CodeInvalidRequest}
	}
	if text, err = json.Marshal(merged(value, change)); err != nil {
		return out, fmt.Errorf("write value: %w", err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return out, &Error{Code: CodeInvalidRequest}
	}
	return out, nil
}

func merged(value, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := value.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, change := range changes {
		if change == nil {
			delete(object, name)
		} else {
			object[name] = merged(object[name], change)
		}
	}
	return object
}
