package analytics

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever a table of sites says, it is taken or its line is named; what is taken is read the same way when it was written as CSV or stored.
func FuzzReadSites(f *testing.F) {
	for _, seed := range []string{
		"subnet,site\n192.0.2.0/24,Paris\n", "site,building,subnet\nParis,North,2001:db8::/32\n", "\ufeffsubnet,site\n10.0.0.0/8,\"A \"\"quoted\"\" one\"\n",
		"subnet,site\n10.0.0.0/8,=1+1\n", "subnet,site\n10.0.0.0/8,\u202eevil\n", "subnet,site\n", "", "subnet,site\n::ffff:10.0.0.0/104,x\n",
		"site,subnet\n0\"0",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := ReadSites(bytes.NewReader(text))
		var bad *SiteError
		if err != nil {
			if !errors.As(err, &bad) || bad.Line < 1 || bad.Reason == "" {
				t.Fatalf("an error without a line: %v", err)
			}
			return
		}
		var out bytes.Buffer
		if err := got.WriteCSV(&out); err != nil {
			t.Fatal(err)
		}
		if _, err := csv.NewReader(bytes.NewReader(out.Bytes())).ReadAll(); err != nil {
			t.Fatalf("what is written is no CSV: %v", err)
		}
		again, err := ReadSites(&out)
		if err != nil {
			t.Fatalf("what is written is not taken: %v\n%q", err, text)
		}
		if diff := cmp.Diff(got.Rows(), again.Rows()); diff != "" {
			t.Fatalf("what is written reads otherwise:\n%s", diff)
		}
		stored, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var kept Sites
		if err := json.Unmarshal(stored, &kept); err != nil {
			t.Fatal(err)
		}
		for _, row := range got.Rows() {
			if kept.Of(row.Subnet) != got.Of(row.Subnet) {
				t.Errorf("%s is in %q, and in %q when it was stored", row.Subnet, got.Of(row.Subnet), kept.Of(row.Subnet))
			}
		}
	})
}
