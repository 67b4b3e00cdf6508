package proof

import (
	"bytes"
	"testing"
)

// FuzzParse: what a parser takes is exactly what it would write.
func FuzzParse(f *testing.F) {
	seeds := []interface{ Canonical() ([]byte, error) }{
		&Row{}, &Leaf{}, &Line{}, &OtherStored{}, &OtherDeleted{}, &RowProof{Path: []Hash{{1}}}, &DigestLine{Value: []byte("{}")}, &Manifest{}, &StoredThing{},
	}
	for _, seed := range seeds {
		text, err := seed.Canonical()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		same := func(name string, value interface{ Canonical() ([]byte, error) }, err error) {
			if err != nil {
				return
			}
			if again, err := value.Canonical(); err != nil || !bytes.Equal(again, text) {
				t.Errorf("%s %q is written as %q: %v", name, text, again, err)
			}
		}
		row, err := ParseRow(text)
		same("row", &row, err)
		leaf, err := ParseLeaf(text)
		same("leaf", &leaf, err)
		line, err := ParseLine(text)
		same("line", &line, err)
		stored, err := ParseOtherStored(text)
		same("other stored", &stored, err)
		deleted, err := ParseOtherDeleted(text)
		same("other deleted", &deleted, err)
		proof, err := ParseRowProof(text)
		same("row's proof", &proof, err)
		digest, err := ParseDigestLine(text)
		same("digest", &digest, err)
		manifest, err := ParseManifest(text)
		same("manifest", &manifest, err)
	})
}

// FuzzNotes: no text is taken for a checkpoint that isn't signed.
func FuzzNotes(f *testing.F) {
	const key = "anteroom/emea+d6478a46+ASXA/s8NaMOg385x9wpMf/e0yZw570t41habu6gmeW1x"
	f.Add([]byte("anteroom/emea\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— anteroom/emea AAAA\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := ParseCheckpoint(text, key); err == nil {
			t.Errorf("%q is taken for %+v", text, c)
		}
		if err := CheckManifest(text, text, key); err == nil {
			t.Errorf("%q is taken for a signature", text)
		}
	})
}
