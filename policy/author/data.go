package author

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/anteroom/anteroom/policy"
)

// maxDataDepth is how many objects and lists of data may be within each other.
const maxDataDepth = 64

// parseData reads DataFile. A key that is there twice, and a number that Rego couldn't have, are mistakes too.
func (c Content) parseData() (map[string]any, []Diagnostic) {
	text := c.Files[DataFile]
	if len(text) > policy.MaxDataBytes {
		return nil, []Diagnostic{wholeFile(DataFile, policy.SizeErr, fmt.Sprintf("the file has %d bytes, more than %d", len(text), policy.MaxDataBytes))}
	}
	if offset, wrong := scanData(text); wrong != "" {
		return nil, []Diagnostic{c.wrong(DataFile, offset, DataErr, wrong)}
	}
	data, err := decodeData(text)
	if err != nil || data == nil {
		return nil, []Diagnostic{c.wrong(DataFile, 0, DataErr, "the file has to be one JSON object")}
	}
	return data, nil
}

// decodeData keeps numbers as they are written.
func decodeData(text string) (data map[string]any, err error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&data)
	return data, err
}

// scanData says what is wrong with a JSON text, and at which byte.
func scanData(text string) (offset int, wrong string) {
	var whole json.RawMessage
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		return brokenAt(err, text), "this is no JSON: " + strings.TrimPrefix(err.Error(), "json: ")
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	// For each object that is open its keys, for each list nil.
	var open []map[string]bool
	key := false
	for {
		start := int(decoder.InputOffset())
		token, err := decoder.Token()
		if err != nil { // the end: there is no other error in what is valid
			return 0, ""
		}
		start += skipped(text[start:])
		inObject := len(open) > 0 && open[len(open)-1] != nil
		switch token := token.(type) {
		case json.Delim:
			switch token {
			case '{', '[':
				var keys map[string]bool
				if token == '{' {
					keys = map[string]bool{}
				}
				if open = append(open, keys); len(open) > maxDataDepth {
					return start, fmt.Sprintf("more than %d objects and lists are within each other", maxDataDepth)
				}
				key = token == '{'
				continue
			default:
				open = open[:len(open)-1]
			}
		case string:
			if inObject && key {
				if open[len(open)-1][token] {
					return start, fmt.Sprintf("the key %.40q is there twice", token)
				}
				open[len(open)-1][token] = true
				key = false
				continue
			}
		case json.Number:
			if len(token) > policy.MaxNumberChars || strings.ContainsAny(string(token), "eE") {
				return start, fmt.Sprintf("a number has at most %d characters and no exponent", policy.MaxNumberChars)
			}
		}
		key = len(open) > 0 && open[len(open)-1] != nil
	}
}

// skipped is how far the next token is.
func skipped(text string) int { return len(text) - len(strings.TrimLeft(text, " \t\r\n,:")) }

// brokenAt is the byte that an error is about; what ends too early is so at its end.
func brokenAt(err error, text string) int {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || strings.Contains(err.Error(), "unexpected end") {
		return len(text)
	}
	return int(syntax.Offset) - 1
}

// indentData is a JSON text in the form that Format gives it.
func indentData(text string) (string, error) {
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(strings.TrimSpace(text)), "", "  "); err != nil {
		return "", err
	}
	return pretty.String() + "\n", nil
}
