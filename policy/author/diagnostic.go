package author

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Severities of a Diagnostic. A content with an error is never activated.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
)

// The codes of this package, beside those of policy (policy_size_error and so on) and of OPA (rego_parse_error and so on). They never change.
const (
	FileErr = "policy_file_error"
	DataErr = "policy_data_error"
	// LimitErr ends a list that would be longer than maxDiagnostics.
	LimitErr = "policy_limit_error"
)

// maxDiagnostics is how many are told at once.
const maxDiagnostics = 100

// Diagnostic is one thing to be mended, and where.
type Diagnostic struct {
	File string `json:"file"`
	// Line and Column count from 1, columns in characters; 0 if the file as a whole is meant. EndLine and EndColumn are just after what is
	// meant, or after its first line if it has several.
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	EndLine   int    `json:"end_line"`
	EndColumn int    `json:"end_column"`
	Code      string `json:"code"`
	Severity  string `json:"severity"`
	Message   string `json:"message"`
}

// located makes diagnostics of what OPA and policy found.
func (c Content) located(errs ast.Errors) []Diagnostic {
	list := make([]Diagnostic, 0, len(errs))
	for _, err := range errs {
		d := Diagnostic{Code: err.Code, Severity: SeverityError, Message: err.Message}
		// What the parser says besides is a picture of the line.
		if err.Details != nil && err.Code != ast.ParseErr {
			d.Message = strings.Join(append([]string{d.Message}, err.Details.Lines()...), "\n")
		}
		if place := err.Location; place != nil {
			d.File, d.Line, d.EndLine = place.File, place.Row, place.Row
			d.Column = c.column(place)
			text, _, _ := bytes.Cut(place.Text, []byte("\n"))
			d.EndColumn = d.Column + max(1, utf8.RuneCount(bytes.TrimRight(text, "\r")))
		}
		list = append(list, d)
	}
	return list
}

// column is a place's in characters; OPA counts bytes.
func (c Content) column(place *ast.Location) int {
	row := 1
	for line := range strings.Lines(c.Files[place.File]) {
		if row == place.Row {
			return utf8.RuneCountInString(line[:min(max(place.Col-1, 0), len(line))]) + 1
		}
		row++
	}
	return max(place.Col, 1)
}

// diagnostics are the places that an error of OPA names; without any it is about the whole.
func (c Content) diagnostics(err error) []Diagnostic {
	var errs ast.Errors
	if errors.As(err, &errs) {
		return c.located(errs)
	}
	var one *ast.Error
	if errors.As(err, &one) {
		return c.located(ast.Errors{one})
	}
	return []Diagnostic{{Code: ast.CompileErr, Severity: SeverityError, Message: err.Error()}}
}

// ordered sorts by place, leaves out what is said twice, and keeps the list short.
func ordered(list []Diagnostic) []Diagnostic {
	slices.SortFunc(list, func(x, y Diagnostic) int {
		return cmp.Or(cmp.Compare(x.File, y.File), x.Line-y.Line, x.Column-y.Column, cmp.Compare(x.Code, y.Code), cmp.Compare(x.Message, y.Message))
	})
	list = slices.CompactFunc(append([]Diagnostic{}, list...), func(x, y Diagnostic) bool { return x == y })
	if len(list) > maxDiagnostics {
		list = append(list[:maxDiagnostics:maxDiagnostics], Diagnostic{
			Code: LimitErr, Severity: SeverityError, Message: "there is more; mend these first",
		})
	}
	return list
}

func failed(list []Diagnostic) bool {
	return slices.ContainsFunc(list, func(d Diagnostic) bool { return d.Severity == SeverityError })
}

// wholeFile is about a file rather than a place in it.
func wholeFile(file, code, message string) Diagnostic {
	return Diagnostic{File: file, Code: code, Severity: SeverityError, Message: message}
}

// wrong is about a byte of a file.
func (c Content) wrong(file string, offset int, code, message string) Diagnostic {
	text := c.Files[file]
	before := text[:min(max(offset, 0), len(text))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return Diagnostic{
		File: file, Line: line, Column: column, EndLine: line, EndColumn: column + 1, Code: code, Severity: SeverityError, Message: message,
	}
}
