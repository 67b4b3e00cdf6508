package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/anteroom/anteroom/directory"
)

// defaultRoleClaim is where issuers state roles unless configured.
const defaultRoleClaim = "roles"

const (
	masterKeyFile = "master.key"
	journalFile   = "used-tokens.journal"
)

// Directory is what identity needs to know of organisations and resources, as it is now. found is false where there is no such row; an error
// means that nothing is known.
type Directory interface {
	// OrganizationsByIssuer are all organisations whose issuer has exactly this URL.
	OrganizationsByIssuer(ctx context.Context, issuer string) ([]directory.Organization, error)
	Organization(ctx context.Context, id string) (o directory.Organization, found bool, err error)
	Resource(ctx context.Context, id string) (r directory.Resource, found bool, err error)
	// SessionEnded tells whether EndSession was called for a session of a user (org "": an operator), on whatever node; ends is when it would have ended
	// by itself.
	SessionEnded(ctx context.Context, org, subject, session string) (bool, error)
	EndSession(ctx context.Context, org, subject, session string, ends time.Time) error
}

// Deps are what a Verifier works with.
type Deps struct {
	Directory Directory
	Log       *slog.Logger
	// First tells whether nobody has used a token in any process before, until it expires; nil: there is no other process.
	First func(ctx context.Context, token string, until time.Time) (bool, error)
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Verifier proves who asks, and signs the service's own tokens. All methods are safe for concurrent use.
type Verifier struct {
	*Sealer
	cfg       Config
	directory Directory
	now       func() time.Time
	log       *slog.Logger
	issuers   *issuers
	journal   *journal
	revoked   *journal
	joinPage  joinPage
	first     func(ctx context.Context, token string, until time.Time) (bool, error) // nil without other processes
}

var _ Authenticator = (*Verifier)(nil)

// New opens the journals of used and of revoked tokens and derives the service's own keys. It starts nothing; Close gives the journal back. One process at a
// time may have a state folder.
func New(cfg Config, deps Deps) (*Verifier, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure identity: %w", err)
	}
	if cfg.StateFolder == "" {
		return nil, errors.New("configure identity: state_folder: is missing")
	}
	if deps.Directory == nil || deps.Log == nil {
		return nil, errors.New("configure identity: directory and log are needed")
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if err := os.MkdirAll(cfg.StateFolder, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	master, err := readMaster(cfg)
	if err != nil {
		return nil, err
	}
	sealer := &Sealer{master: master, now: deps.Now}
	page, err := newJoinPage(sealer)
	if err != nil {
		return nil, err
	}
	used, err := openJournal(filepath.Join(cfg.StateFolder, journalFile), cfg.MaxRemembered, deps.Now)
	if err != nil {
		return nil, err
	}
	revoked, err := openJournal(filepath.Join(cfg.StateFolder, revokedFile), maxRevoked, deps.Now)
	if err != nil {
		return nil, errors.Join(err, used.Close())
	}
	return &Verifier{
		Sealer: sealer, cfg: cfg, directory: deps.Directory, now: deps.Now, log: deps.Log,
		issuers: newIssuers(cfg.IssuerTimeout, deps.Now, deps.Log), journal: used, revoked: revoked, joinPage: page,
		first: deps.First,
	}, nil
}

// Close waits for tokens being written down and closes the journals; Guest then refuses everybody.
func (v *Verifier) Close() error {
	v.issuers.client.CloseIdleConnections()
	return errors.Join(v.journal.Close(), v.revoked.Close())
}

// use marks a token as used, here and in all other processes.
func (v *Verifier) use(ctx context.Context, resource, token string, forget time.Time) error {
	if err := v.journal.Use(ctx, resource, token, forget); err != nil || v.first == nil {
		return err
	}
	first, err := v.first(ctx, resource+"\x00"+token, forget)
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("claim the use of a token: %w", ctx.Err())
	case err != nil:
		v.log.WarnContext(ctx, "the use of a token can't be told to other processes", "error", err.Error())
		return refuse(JournalUnavailable, "the use of the token can't be written down just now; get a new one and try again")
	case !first:
		return refuse(TokenReplayed, "the token was used before; each works once, so get a new one")
	}
	return nil
}

// lookup turns a failure of the directory into a refusal that says that nothing is known.
func (v *Verifier) lookup(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("look up issuer: %w", ctx.Err())
	}
	v.log.ErrorContext(ctx, "the directory can't be asked for a token's issuer", "error", err.Error())
	return refuse(IssuerUnavailable, "the token's issuer can't be looked up just now; try again")
}
