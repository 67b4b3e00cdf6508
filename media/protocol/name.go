package protocol

import (
	"unicode"
	"unicode/utf8"
)

// ValidName tells whether a guest may be shown by this name: 1 to MaxNameRunes code points, valid UTF-8, something visible in it, and no
// control, line-separating or bidi-reordering character, with which a name could pass itself off as something else in a line of text.
// Direction marks (U+200E, U+200F, U+061C) stay: right-to-left names need them.
func ValidName(name string) bool {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > MaxNameRunes {
		return false
	}
	visible := false
	for _, r := range name {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return false
		case unicode.IsLetter(r), unicode.IsNumber(r), unicode.IsPunct(r), unicode.IsSymbol(r):
			visible = true
		}
	}
	return visible
}
