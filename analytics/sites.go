package analytics

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SitesKind is the kind of control rows that hold an organisation's sites; its id is SitesID.
const (
	SitesKind = "sites"
	SitesID   = "sites"
)

// Limits of the table of sites.
const (
	MaxSites    = 5000
	maxSiteName = 128
)

// Site is one network of an organisation and where it is.
type Site struct {
	Subnet   string `json:"subnet"`
	Site     string `json:"site"`
	Building string `json:"building,omitempty"`
}

// Sites tells where networks are: by the narrowest of those that hold them. The zero value and nil know none.
type Sites struct {
	rows []Site
	// byPrefix has the rows' networks, and bits which lengths there are, narrowest first.
	byPrefix map[netip.Prefix]string
}

// SiteError says what is wrong in which line, and in which field of it, of a table of sites.
type SiteError struct {
	Line int
	// Field is "subnet", "site" or "building"; "" for what is about a line as a whole.
	Field  string
	Reason string
}

func (e *SiteError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// ReadSites reads a table as CSV: a head with the columns subnet, site and, if there are buildings, building, in any order, then a network a line. A
// network is told by /24 (IPv4) or /48 (IPv6) at the finest, since calls are known by no more. Errors are *SiteError.
func ReadSites(in io.Reader) (*Sites, error) {
	r := csv.NewReader(in)
	r.TrimLeadingSpace, r.ReuseRecord = true, true
	head, err := r.Read()
	if err != nil {
		return nil, csvError(err, 1)
	}
	column := map[string]int{}
	for i, name := range head {
		name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
		if _, twice := column[name]; twice || (name != "subnet" && name != "site" && name != "building") {
			return nil, &SiteError{1, "", fmt.Sprintf("the columns are subnet, site and building, each once; column %d is none of them", i+1)}
		}
		column[name] = i
	}
	for _, name := range []string{"subnet", "site"} {
		if _, ok := column[name]; !ok {
			return nil, &SiteError{1, name, "the column " + name + " is missing"}
		}
	}
	var rows []Site
	first := map[string]int{}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return newSites(rows), nil
		}
		if err != nil {
			return nil, csvError(err, 1+len(rows)+1)
		}
		line, _ := r.FieldPos(0)
		row := Site{Subnet: strings.TrimSpace(record[column["subnet"]]), Site: strings.TrimSpace(record[column["site"]])}
		if at, ok := column["building"]; ok {
			row.Building = strings.TrimSpace(record[at])
		}
		var field string
		if row.Subnet, field, err = row.check(); err != nil {
			return nil, &SiteError{line, field, err.Error()}
		}
		if before := first[row.Subnet]; before > 0 {
			return nil, &SiteError{line, "subnet", fmt.Sprintf("%s is in line %d already", row.Subnet, before)}
		}
		if first[row.Subnet] = line; len(rows) == MaxSites {
			return nil, &SiteError{line, "", fmt.Sprintf("at most %d networks are taken", MaxSites)}
		}
		rows = append(rows, row)
	}
}

func csvError(err error, line int) error {
	var parse *csv.ParseError
	switch {
	case errors.As(err, &parse):
		return &SiteError{parse.Line, "", "it can't be read as CSV: " + parse.Err.Error()}
	case errors.Is(err, io.EOF):
		return &SiteError{1, "", "there is no head; it must name the columns subnet and site"}
	}
	return &SiteError{line, "", "it can't be read"}
}

// check gives the network as it is always written, or which field is wrong.
func (s *Site) check() (network, field string, err error) {
	for _, f := range []struct{ name, text string }{{"site", s.Site}, {"building", s.Building}} {
		if !utf8.ValidString(f.text) || utf8.RuneCountInString(f.text) > maxSiteName || strings.ContainsFunc(f.text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return "", f.name, fmt.Errorf("the %s must be text of at most %d characters, none of them invisible", f.name, maxSiteName)
		}
		// The table is handed out as it was taken, and opened with what it was written with.
		if strings.IndexAny(f.text, "=+-@") == 0 {
			return "", f.name, fmt.Errorf("the %s must not begin with %q: a spreadsheet would take it for a formula", f.name, f.text[:1])
		}
	}
	if s.Site == "" {
		return "", "site", errors.New("the site is empty")
	}
	prefix, err := netip.ParsePrefix(s.Subnet)
	if err != nil {
		return "", "subnet", errors.New("the subnet must be a network such as 192.0.2.0/24 or 2001:db8:1::/48")
	}
	finest := 48
	if prefix.Addr().Is4() {
		finest = 24
	}
	if prefix.Bits() > finest {
		return "", "subnet", fmt.Errorf("the subnet is finer than /%d, and calls are known by no more than that", finest)
	}
	return prefix.Masked().String(), "", nil
}

func newSites(rows []Site) *Sites {
	s := &Sites{rows: rows, byPrefix: make(map[netip.Prefix]string, len(rows))}
	for _, row := range rows {
		if prefix, err := netip.ParsePrefix(row.Subnet); err == nil {
			s.byPrefix[prefix] = row.Site
		}
	}
	return s
}

// Rows are the networks, in the order in which they were read.
func (s *Sites) Rows() []Site {
	if s == nil {
		return nil
	}
	return s.rows
}

// Of is the site of a network such as "192.0.2.0/24"; empty where none is known.
func (s *Sites) Of(network string) string {
	if s == nil || network == "" {
		return ""
	}
	prefix, err := netip.ParsePrefix(network)
	if err != nil {
		return ""
	}
	for bits := prefix.Bits(); bits >= 0; bits-- {
		wider, err := prefix.Addr().Prefix(bits)
		if err != nil {
			return ""
		}
		if site, ok := s.byPrefix[wider]; ok {
			return site
		}
	}
	return ""
}

// MarshalJSON writes the value of a control row.
func (s *Sites) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct { //nolint:wrapcheck // says what it does
		Rows []Site `json:"rows"`
	}{s.Rows()})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Sites) UnmarshalJSON(text []byte) error {
	var value struct {
		Rows []Site `json:"rows"`
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return fmt.Errorf("read sites: %w", err)
	}
	*s = *newSites(value.Rows)
	return nil
}

// WriteCSV writes the table as ReadSites takes it.
func (s *Sites) WriteCSV(out io.Writer) error {
	w := csv.NewWriter(out)
	rows := [][]string{{"subnet", "site", "building"}}
	for _, row := range s.Rows() {
		rows = append(rows, []string{row.Subnet, row.Site, row.Building})
	}
	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("write sites: %w", err)
	}
	return nil
}
