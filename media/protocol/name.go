package protocol

import (
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks may stand on one character in a name: scripts use up to four; more is made to cover other lines.
const maxMarks = 8

// ValidName tells whether a guest may be shown by this name: 1 to MaxNameRunes code points, valid UTF-8, something visible in it, and no
// control, line-separating, bidi-reordering, tag or annotation character, with which a name could pass itself off as something else in a line
// of text, and at most maxMarks combining marks on a character. Direction marks (U+200E, U+200F, U+061C) stay: right-to-left names need them.
func ValidName(name string) bool {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > MaxNameRunes {
		return false
	}
	visible, marks, flag := false, 0, false
	for _, r := range name {
		// Tags are invisible but in the flags of parts of countries, which are spelt with them.
		tag := r >= '\U000e0020' && r <= '\U000e007f'
		if forbidden(r) || tag && !flag {
			return false
		}
		flag = r == '🏴' || tag
		if !unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Me, r) {
			marks = 0
		} else if marks++; marks > maxMarks {
			return false
		}
		visible = visible || !blank(r) && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsPunct(r) || unicode.IsSymbol(r))
	}
	return visible
}

func forbidden(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' ||
		r >= '\ufff9' && r <= '\ufffb' || r >= '\U000e0000' && r <= '\U000e001f'
}

// blank are letters and symbols that are drawn as nothing: the fillers of Hangul, and Braille without dots.
func blank(r rune) bool {
	switch r {
	case '\u115f', '\u1160', '\u3164', '\uffa0', '\u2800':
		return true
	}
	return false
}
