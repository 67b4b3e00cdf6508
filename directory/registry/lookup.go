package registry

import (
	"context"
	"errors"

	"github.com/anteroom/anteroom/directory"
)

// ErrNotReady: the snapshot has not been read yet, so nothing is known.
var ErrNotReady = errors.New("the directory has not been read yet")

// Facts are what the snapshot knows about one meeting.
type Facts struct {
	Organization directory.Organization
	Meeting      directory.Meeting
	// Organizer is the zero User where the directory has no row of the organiser.
	Organizer directory.User
}

// Organization by its id. It fails with ErrNotReady only.
func (r *Registry) Organization(_ context.Context, id string) (o directory.Organization, found bool, err error) {
	row, found := r.Organizations.Find("", id)
	return row.Value, found, r.Known()
}

// OrganizationsByIssuer are all whose issuer has exactly this URL, in order of id. It fails with ErrNotReady only.
func (r *Registry) OrganizationsByIssuer(_ context.Context, issuer string) ([]directory.Organization, error) {
	var out []directory.Organization
	for _, o := range r.Organizations.All() {
		if o.Value.Issuer != nil && o.Value.Issuer.URL == issuer {
			out = append(out, o.Value)
		}
	}
	return out, r.Known()
}

// User of an organisation. It fails with ErrNotReady only.
func (r *Registry) User(_ context.Context, org, id string) (u directory.User, found bool, err error) {
	row, found := r.Users.Find(org, id)
	return row.Value, found, r.Known()
}

// Resource by its id, whatever organisation registered it. It fails with ErrNotReady only.
func (r *Registry) Resource(_ context.Context, id string) (res directory.Resource, found bool, err error) {
	row, found := r.Resources.FindID(id)
	return row.Value, found, r.Known()
}

// Meeting by its id, whatever organisation hosts it. One whose organisation is not known is not there.
func (r *Registry) Meeting(id string) (Facts, bool) {
	found, ok := r.Meetings.FindID(id)
	if !ok {
		return Facts{}, false
	}
	organization, ok := r.Organizations.Find("", found.Value.Org)
	if !ok {
		return Facts{}, false
	}
	organizer, _ := r.Users.Find(found.Value.Org, found.Value.Organizer)
	return Facts{Organization: organization.Value, Meeting: found.Value, Organizer: organizer.Value}, true
}

// Known fails with ErrNotReady until everything has been read: before, what isn't found may be there all the same.
func (r *Registry) Known() error {
	select {
	case <-r.ready:
		return nil
	default:
		return ErrNotReady
	}
}
