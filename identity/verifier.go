package identity

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/anteroom/anteroom/directory"
)

// defaultRoleClaim is where issuers state roles unless configured.
const defaultRoleClaim = "roles"

var errNotBuilt = errors.New("not built")

// Directory is what identity needs to know of organisations and resources, as it is now. found is false where there is no such row; an error
// means that nothing is known.
type Directory interface {
	// OrganizationsByIssuer are all organisations whose issuer has exactly this URL.
	OrganizationsByIssuer(ctx context.Context, issuer string) ([]directory.Organization, error)
	Organization(ctx context.Context, id string) (o directory.Organization, found bool, err error)
	Resource(ctx context.Context, id string) (r directory.Resource, found bool, err error)
}

// Deps are what a Verifier works with.
type Deps struct {
	Directory Directory
	Log       *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Verifier proves who asks, and signs the service's own tokens. All methods are safe for concurrent use.
type Verifier struct {
	*Sealer
}

var _ Authenticator = (*Verifier)(nil)

// New opens the journal of used tokens and derives the service's own keys. It starts nothing; Close gives the journal back.
func New(cfg Config, deps Deps) (*Verifier, error) { return nil, errNotBuilt }

// Close waits for tokens being written down and closes the journal; Guest then refuses everybody.
func (v *Verifier) Close() error { return errNotBuilt }

// User proves a user of an organisation, or an operator.
func (v *Verifier) User(ctx context.Context, bearer string) (Principal, error) {
	return Principal{}, errNotBuilt
}

// Guest proves a resource's guest.
func (v *Verifier) Guest(ctx context.Context, token string) (Principal, error) {
	return Principal{}, errNotBuilt
}

// JoinPageResource is the id of the built-in resource of the shipped join page, whose guests type a name. No registered resource may have it.
const JoinPageResource = "00000000-0000-4000-8000-00000000a001"

// JoinPage is the built-in resource's row; it has no keys, since only this service signs for it.
func JoinPage(region string) directory.Resource {
	return directory.Resource{ID: JoinPageResource, Name: "Join page", Region: region}
}

// SignGuest makes a token for somebody who types a name on the shipped join page: random subject, works once, valid for two minutes.
func (v *Verifier) SignGuest() (string, error) { return "", errNotBuilt }

// CheckKeySet tells whether a resource's JSON Web Key Set can be registered: at most 64 KiB, 1 to 16 public signature keys (RSA of at least
// 2048 bits, P-256, P-384, P-521, Ed25519), distinct key ids if there are several.
func CheckKeySet(raw []byte) error { return errNotBuilt }
