package report

import (
	"fmt"
	"strings"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
)

// fonts are the Go fonts, which have Latin, Greek and Cyrillic letters.
type fonts struct {
	regular *sfnt.Font
	buffer  sfnt.Buffer
}

func readFonts() (*fonts, error) {
	regular, err := sfnt.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("read font: %w", err)
	}
	return &fonts{regular: regular}, nil
}

func (*fonts) addTo(pdf *fpdf.Fpdf) {
	pdf.AddUTF8FontFromBytes("text", "", goregular.TTF)
	pdf.AddUTF8FontFromBytes("text", "B", gobold.TTF)
	pdf.AddUTF8FontFromBytes("code", "", gomono.TTF)
}

// plain is a text as the fonts can show it: what they lack becomes a mark, and what turns the direction of writing is left out. The files have the
// text itself.
func (f *fonts) plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Bidi_Control, r), unicode.IsControl(r):
			return -1
		case r == '\u2009': // a thin space, which is none of the fonts'
			return '\u00a0'
		}
		if index, err := f.regular.GlyphIndex(&f.buffer, r); err != nil || index == 0 {
			return '\ufffd'
		}
		return r
	}, text)
}
