package api

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/labstack/echo/v4"
)

// operation is what the document says of one route.
type operation struct {
	route *routers.Route
	// parameters by name, those of the path included.
	parameters map[string]*openapi3.Parameter
}

// checkParameters holds a request's parameters against the document before any handler sees them. A parameter that the document
// does not know is refused: a filter with a slip in its name would else seem to filter.
func (*Server) checkParameters(doc *openapi3.T) echo.MiddlewareFunc {
	operations := operationsOf(doc)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			op, ok := operations[c.Request().Method+" "+c.Path()]
			if !ok {
				return next(c)
			}
			if err := op.check(c); err != nil {
				return err
			}
			return next(c)
		}
	}
}

// operationsOf lists the operations by method and echo's pattern of the path.
func operationsOf(doc *openapi3.T) map[string]operation {
	braces := regexp.MustCompile(`\{([a-z_]+)\}`)
	out := make(map[string]operation)
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			op := operation{
				route:      &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: o},
				parameters: make(map[string]*openapi3.Parameter),
			}
			for _, list := range []openapi3.Parameters{item.Parameters, o.Parameters} {
				for _, p := range list {
					op.parameters[p.Value.Name] = p.Value
				}
			}
			out[method+" "+braces.ReplaceAllString(path, ":$1")] = op
		}
	}
	return out
}

func (op operation) check(c echo.Context) error {
	query := c.QueryParams()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if p := op.parameters[name]; p == nil || p.In != openapi3.ParameterInQuery {
			return &Error{Code: CodeUnknownParameter, Parameter: name}
		}
		if len(query[name]) > 1 {
			return invalidParameter(name, "The parameter "+name+" is given more than once.")
		}
	}
	if strings.Contains(c.Request().URL.RawQuery, ";") {
		return &Error{Code: CodeInvalidRequest, Detail: "The query has a semicolon; write it as %3B."}
	}
	input := &openapi3filter.RequestValidationInput{
		Request: c.Request(), PathParams: make(map[string]string), QueryParams: query, Route: op.route,
		Options: &openapi3filter.Options{ExcludeRequestBody: true, SkipSettingDefaults: true},
	}
	for i, name := range c.ParamNames() {
		value := c.ParamValues()[i]
		if c.Request().URL.RawPath != "" { // routed as it was written; handlers get it unescaped
			var err error
			if value, err = url.PathUnescape(value); err != nil {
				return invalidParameter(name, "The parameter "+name+" is escaped wrongly.")
			}
		}
		input.PathParams[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(op.parameters)) {
		if err := openapi3filter.ValidateParameter(c.Request().Context(), input, op.parameters[name]); err != nil {
			return invalidParameter(name, "The parameter "+name+" "+why(err, op.parameters[name])+".")
		}
	}
	return nil
}

// why says what is wrong with a parameter, without its value.
func why(err error, p *openapi3.Parameter) string {
	var schema *openapi3.SchemaError
	var parse *openapi3filter.ParseError
	wanted := p.Schema.Value
	switch {
	case errors.Is(err, openapi3filter.ErrInvalidRequired):
		return "is missing"
	case errors.Is(err, openapi3filter.ErrInvalidEmptyValue):
		return "is empty"
	case wanted.Type.Is("integer") && wanted.Min != nil && wanted.Max != nil:
		return fmt.Sprintf("must be a whole number from %v to %v", *wanted.Min, *wanted.Max)
	case errors.As(err, &parse):
		return "has the wrong type"
	case errors.As(err, &schema) && schema.SchemaField == "pattern" && p.Name == "org":
		return "must be the short name of an organisation: 1 to 63 lower-case letters, digits, '.', '_' and '-', of which the first is a letter or digit"
	case errors.As(err, &schema) && schema.SchemaField == "pattern" && wanted.Format == "uuid":
		return "must be an id such as 123e4567-e89b-12d3-a456-426614174000"
	case errors.As(err, &schema):
		return whySchema(schema)
	}
	return "is invalid"
}

func whySchema(err *openapi3.SchemaError) string {
	// What is wrong with a part of a schema is said by the part.
	var part *openapi3.SchemaError
	if err.SchemaField == "allOf" && errors.As(err.Origin, &part) {
		return whySchema(part)
	}
	s := err.Schema
	switch {
	case s == nil:
		return "is invalid"
	case err.SchemaField == "enum":
		names := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			names[i] = fmt.Sprint(v)
		}
		return "must be one of " + strings.Join(names, ", ")
	case err.SchemaField == "minimum" && s.Min != nil:
		return fmt.Sprintf("must be at least %v", *s.Min)
	case err.SchemaField == "maximum" && s.Max != nil:
		return fmt.Sprintf("must be at most %v", *s.Max)
	case err.SchemaField == "minLength":
		return fmt.Sprintf("must have at least %d characters", s.MinLength)
	case err.SchemaField == "maxLength" && s.MaxLength != nil:
		return fmt.Sprintf("must have at most %d characters", *s.MaxLength)
	case err.SchemaField == "minItems":
		return fmt.Sprintf("must have at least %d entries", s.MinItems)
	case err.SchemaField == "maxItems" && s.MaxItems != nil:
		return fmt.Sprintf("must have at most %d entries", *s.MaxItems)
	case err.SchemaField == "uniqueItems":
		return "must not have an entry twice"
	case err.SchemaField == "minProperties":
		return fmt.Sprintf("must have at least %d fields", s.MinProps)
	case err.SchemaField == "maxProperties" && s.MaxProps != nil:
		return fmt.Sprintf("must have at most %d fields", *s.MaxProps)
	case err.SchemaField == "pattern" && s.Format == "uuid":
		return "must be an id such as 123e4567-e89b-12d3-a456-426614174000"
	case err.SchemaField == "pattern" && s.Example != nil:
		return fmt.Sprintf("must be such as %v (it has to match %s)", s.Example, s.Pattern)
	case err.SchemaField == "pattern":
		return "must match " + s.Pattern
	case err.SchemaField == "format" && s.Format == "date-time":
		return "must be an RFC 3339 time such as 2026-03-04T12:00:00Z"
	case err.SchemaField == "format":
		return "must be a " + s.Format
	case err.SchemaField == "type" && s.Type != nil:
		return "must be of type " + strings.Join(s.Type.Slice(), " or ")
	}
	return "is invalid"
}
