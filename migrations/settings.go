package migrations

import "strings"

// Settings are what the migrations of a layout set tables of the region's database to, by table and setting.
func Settings(layout Layout) (map[string]map[string]string, error) {
	made, err := statements(layout, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	out := map[string]map[string]string{}
	for _, statement := range made {
		found := tableWithRows.FindStringSubmatch(statement)
		_, list, set := strings.Cut(statement, "\nSETTINGS ")
		if found == nil || !set {
			continue
		}
		out[found[1]] = ParseSettings(list)
	}
	return out, nil
}

// ParseSettings reads a list of settings as statements have it: a = 1, b = 2.
func ParseSettings(list string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(list, ",") {
		if name, value, found := strings.Cut(part, "="); found {
			out[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return out
}
