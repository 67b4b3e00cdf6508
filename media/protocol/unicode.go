package protocol

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Unaltered tells whether decoding the JSON text keeps its strings as they were sent. encoding/json puts U+FFFD where they have no valid UTF-8 and
// for \u escapes of half a surrogate pair.
func Unaltered(json []byte) bool {
	if !utf8.Valid(json) {
		return false
	}
	for {
		i := bytes.IndexByte(json, '\\')
		if i < 0 || i+1 >= len(json) {
			return true
		}
		r, ok := escaped(json[i:])
		json = json[i+2:]
		if !ok || !utf16.IsSurrogate(r) {
			continue
		}
		json = json[4:]
		low, ok := escaped(json)
		if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
			return false
		}
		json = json[6:]
	}
}

// escaped is the code unit of the \u escape that text begins with.
func escaped(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(unit), err == nil
}
