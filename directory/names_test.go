package directory_test

import (
	"strings"
	"testing"

	"github.com/anteroom/anteroom/directory"
)

// Names that pass themselves off as others, or cover what stands around them, are not taken; names of the world's scripts are.
func TestNamesCanBeRead(t *testing.T) {
	for name, good := range map[string]bool{
		"Contoso": true, "Müller & Söhne": true, "株式会社アンテ": true, "שלום": true, "नमस्ते": true, "Tiếng Việt": true, "👩‍⚕️ Clinic": true, "Z\u0301\u0302": true,
		"evil\u202egpj.exe": false, "\u2066x": false, "a\x00b": false, "a\nb": false, "\u200b\u200b": false, "\u3164": false, "   ": false, "\u200d": false,
		"Z" + strings.Repeat("\u0301", 9): false, "\xff": false, strings.Repeat("x", 1000): false,
	} {
		err := directory.Organization{ID: "contoso", Name: name, Region: "emea"}.WithDefaults().Validate()
		if (err == nil) != good {
			t.Errorf("%q: %v, want good: %t", name, err, good)
		}
	}
}
