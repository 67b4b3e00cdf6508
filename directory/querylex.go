package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	// tokenWord is a name or a word of the language, tokenQuoted a name in backquotes, tokenText a text in double quotes.
	tokenWord
	tokenQuoted
	tokenText
	tokenSign
)

// token is a piece of a query.
type token struct {
	kind   tokenKind
	text   string
	column int
}

func (t token) unexpected(wanted string) error {
	if t.kind == tokenEnd {
		return &QueryError{t.column, "the query ends where " + wanted + " is expected"}
	}
	return &QueryError{t.column, wanted + " is expected"}
}

func nameRune(r rune, first bool) bool {
	return r == '_' || unicode.IsLetter(r) || (!first && (r == '-' || r == '.' || unicode.IsDigit(r)))
}

// lexQuery cuts a query into pieces, the last of them its end.
func lexQuery(text string) ([]token, error) {
	if !utf8.ValidString(text) {
		return nil, &QueryError{1, "the query is not UTF-8"}
	}
	var out []token
	runes := []rune(text)
	for at := 0; ; {
		for at < len(runes) && unicode.IsSpace(runes[at]) {
			at++
		}
		if at == len(runes) {
			return append(out, token{tokenEnd, "", at + 1}), nil
		}
		t, length, err := lexOne(runes[at:], at+1)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		at += length
	}
}

// lexOne reads the piece that stands first and tells its length.
func lexOne(runes []rune, column int) (token, int, error) {
	switch r := runes[0]; {
	case nameRune(r, true):
		length := 1
		for length < len(runes) && nameRune(runes[length], false) {
			length++
		}
		return token{tokenWord, string(runes[:length]), column}, length, nil
	case r == '"':
		return lexText(runes, column)
	case r == '`':
		for i := 1; i < len(runes); i++ {
			if runes[i] == '`' && i > 1 {
				return token{tokenQuoted, string(runes[1:i]), column}, i + 1, nil
			}
		}
		return token{}, 0, &QueryError{column, "the name that begins here has no closing backquote, or is empty"}
	case strings.ContainsRune("()[],", r):
		return token{tokenSign, string(r), column}, 1, nil
	case (r == '=' || r == '!') && len(runes) > 1 && runes[1] == '=':
		return token{tokenSign, string(runes[:2]), column}, 2, nil
	}
	return token{}, 0, &QueryError{column, "this character has no meaning here; texts stand in double quotes, and equality is =="}
}

func lexText(runes []rune, column int) (token, int, error) {
	var out strings.Builder
	for i := 1; i < len(runes); i++ {
		switch r := runes[i]; {
		case r == '"':
			return token{tokenText, out.String(), column}, i + 1, nil
		case r == '\\' && i+1 < len(runes) && (runes[i+1] == '"' || runes[i+1] == '\\'):
			i++
			out.WriteRune(runes[i])
		case r == '\\':
			return token{}, 0, &QueryError{column + i, `a backslash stands before " or \ only`}
		default:
			out.WriteRune(r)
		}
	}
	return token{}, 0, &QueryError{column, "the text that begins here has no closing quote"}
}
