package collect

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/ingest/decode"
)

// reasonOf is the stable id of why something is refused, of a closed set.
func reasonOf(err error) string {
	var refused *Refusal
	if errors.As(err, &refused) {
		return refused.Reason
	}
	if reason := identity.ReasonOf(err); reason != "" {
		return string(reason)
	}
	return "internal"
}

// detailOf is what the client is told.
func detailOf(err error) string {
	var refused *Refusal
	var token *identity.Error
	switch {
	case errors.As(err, &refused):
		return refused.Detail
	case errors.As(err, &token):
		return token.Sentence()
	}
	return "Something went wrong here; try again."
}

// sentence says what is wrong with what a client sent.
func sentence(bad *decode.Error) string {
	text := bad.Reason
	if bad.Field != "" {
		text = "The field " + bad.Field + ": " + text
	}
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	return strings.TrimSuffix(text, ".") + "."
}

// closeText fits a text into what a close frame holds.
func closeText(text string) string {
	const most = 120
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-3], "") + "…"
}
