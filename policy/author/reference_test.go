package author

import "testing"

// What is completed in the editor is explained there: each part of the input says what it is.
func TestReferenceExplainsTheInput(t *testing.T) {
	r, err := ReferenceOf(newBase(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Input) == 0 {
		t.Fatal("no input")
	}
	for _, f := range r.Input {
		if f.Description == "" {
			t.Errorf("%s is not explained", f.Path)
		}
	}
}
