package ledger

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/note"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/store"
)

// Deps are what a ledger works with.
type Deps struct {
	// Store is the region's: leaves come from its outbox. Only Run and Fsck need it.
	Store *store.Store
	// Log. Default: none.
	Log *slog.Logger
	// Metrics is where the ledger's own are registered. Default: nowhere.
	Metrics prometheus.Registerer
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Journal keeps leaves, and what they were made of, outside of the tables before they are appended. Default: nothing does.
	Journal Journal
}

// Journal is told of leaves before they are appended. What is in the log and in no table can't be proven any more, and a log is never rewritten: so a lost
// table must be made good by what it keeps.
type Journal interface {
	Leaves(ctx context.Context, leaves []store.OutboxLeaf) error
}

// Ledger is a region's. All methods are safe for concurrent use; Run is called once at a time.
type Ledger struct {
	cfg     Config
	region  string
	deps    Deps
	folder  *folder
	signer  note.Signer
	key     string
	metrics metrics

	// What follows is Run's own.
	// recorded is how many leaves of the log have their entries.
	recorded uint64
	// since, older and seen spare looking at all of the outbox each time; see waiting.
	since       time.Time
	older, seen uint64
	// refused are leaves that can't be appended, by id.
	refused map[string]bool
}

var regionPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// Open makes a region's ledger ready to be read, and to be appended to by Run. It makes folder and keys if there are none.
func Open(cfg Config, region string, deps Deps) (*Ledger, error) {
	return open(cfg, region, deps, true)
}

// OpenExisting is Open for those who only look: it fails with ErrNone where there is no ledger.
func OpenExisting(cfg Config, region string, deps Deps) (*Ledger, error) {
	return open(cfg, region, deps, false)
}

func open(cfg Config, region string, deps Deps, mayMake bool) (*Ledger, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	if !regionPattern.MatchString(region) {
		return nil, errors.New("open ledger: the region's name is not valid")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	f, err := openFolder(cfg.Dir, region, cfg.Origin, mayMake)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	l := &Ledger{cfg: cfg, region: region, deps: deps, folder: f, refused: map[string]bool{}}
	path := filepath.Join(f.path, signerFile)
	if l.signer, err = note.NewSigner(f.signer); err != nil {
		return nil, fmt.Errorf("open ledger: %s holds no key", path)
	}
	if want := cfg.Origin + "/" + region; l.signer.Name() != want {
		return nil, fmt.Errorf("open ledger: origin: the ledger's name is %s, not %s: it can't be changed once the ledger is made", l.signer.Name(), want)
	}
	if l.key, err = publicHalf(f.signer); err != nil {
		return nil, fmt.Errorf("open ledger: %s: %w", path, err)
	}
	if err := l.metrics.register(deps.Metrics, l); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return l, nil
}

// Region is the region's name.
func (l *Ledger) Region() string { return l.region }

// Origin is the log's name.
func (l *Ledger) Origin() string { return l.signer.Name() }

// VerifierKey is the public half of the key that checkpoints and manifests are signed with, as notes have it.
func (l *Ledger) VerifierKey() string { return l.key }

// IDKey is what the region's proof.ThingID and tags of organisations are made with. It is secret.
func (l *Ledger) IDKey() []byte { return append([]byte(nil), l.folder.ids...) }

// OrganizationSalt is that of an organisation's tag in this region's log: for the organisation's own reports.
func (l *Ledger) OrganizationSalt(org string) proof.Hash {
	return proof.OrganizationSalt(l.folder.ids, l.region, org)
}

// inLog is a leaf as it is appended: with the organisation's tag.
func (l *Ledger) inLog(leaf proof.Leaf) proof.Leaf {
	if leaf.Organization != "" {
		leaf.Organization = proof.OrganizationTag(l.OrganizationSalt(leaf.Organization), l.region, leaf.Organization)
	}
	return leaf
}

// SignManifest signs the manifest of a report. The text that is signed can't be taken for a checkpoint.
func (l *Ledger) SignManifest(manifest []byte) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: proof.ManifestNote(l.Origin(), manifest)}, l.signer)
	if err != nil {
		return nil, fmt.Errorf("sign manifest: %w", err)
	}
	return signed, nil
}

// publicHalf makes the verifier key of a signer's key, which is PRIVATE+KEY+name+hash+base64 of the algorithm (1) and the seed.
func publicHalf(private string) (string, error) {
	parts := strings.SplitN(private, "+", 5)
	if len(parts) != 5 {
		return "", errors.New("holds no key")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return "", errors.New("holds no key")
	}
	public, ok := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return "", errors.New("holds no key")
	}
	return note.NewEd25519VerifierKey(parts[2], public) //nolint:wrapcheck // the caller says which file it is
}
