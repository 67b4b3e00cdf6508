package api

import (
	"slices"
	"strings"
)

// checkHome refuses an organisation of another region than the home region: what is known of it is there.
func (h *handlers) checkHome(region string) error {
	if len(h.regions) == 0 || region == h.regions[0] || region == "" { // what is missing is refused in better words
		return nil
	}
	return &Error{Code: CodeInvalidField, Field: "region", Detail: "The field region must be " + h.regions[0] + ", the region that this service keeps organisations in."}
}

// checkRegion refuses a resource of a region that isn't here: copies of chat for its guests could be stored nowhere.
func (h *handlers) checkRegion(region string) error {
	if len(h.regions) == 0 || slices.Contains(h.regions, region) || region == "" {
		return nil
	}
	return &Error{Code: CodeInvalidField, Field: "region", Detail: "The field region must be one of this service's regions: " + strings.Join(h.regions, ", ") + "."}
}
