package revisions

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
	"github.com/anteroom/anteroom/store"
)

// Keeping has a policy.Retention decide by what is active. Unlike a Follower it looks only when it is told to, so that who decides knows exactly what it decides
// by. Safe for concurrent use.
type Keeping struct {
	store  *store.Store
	engine *policy.Retention
	log    *slog.Logger

	mu sync.Mutex
	// orgs has what the engine has of each: the digest of a content, "" for the base alone. Guarded by mu.
	orgs map[string]string
	// bad are organisations whose content could not be taken. Guarded by mu.
	bad map[string]bool
}

// NewKeeping makes one. log may be nil.
func NewKeeping(s *store.Store, engine *policy.Retention, log *slog.Logger) *Keeping {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Keeping{store: s, engine: engine, log: log, orgs: map[string]string{}, bad: map[string]bool{}}
}

// Refresh has the engine decide by what is active now, and names the organisations for which that is another content than before. A content that can't be taken
// is left out, and the rules of the house decide alone: that is told by each decision. It fails where the store can't be read; it is called again then.
func (k *Keeping) Refresh(ctx context.Context) (changed []string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	rows, err := k.store.ListEverywhere(ctx, kindActive)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	byOrg := map[string][]store.Control{}
	for _, row := range rows {
		byOrg[row.Org] = append(byOrg[row.Org], row)
	}
	for org := range k.orgs { // Rows are never taken away, but by a restore.
		if byOrg[org] == nil {
			byOrg[org] = []store.Control{}
		}
	}
	for org, rows := range byOrg {
		is, err := k.take(ctx, org, rows)
		if err != nil {
			return changed, err
		}
		if is {
			changed = append(changed, org)
		}
	}
	return changed, nil
}

// take has the engine decide by what an organisation's rows say, and tells whether that is something else. The caller holds mu.
func (k *Keeping) take(ctx context.Context, org string, rows []store.Control) (bool, error) {
	now, err := standingOf(rows)
	_, digest := now.runs()
	if err == nil && !k.bad[org] && k.orgs[org] == digest {
		return false, nil
	}
	var content author.Content
	if err == nil && digest != "" {
		content, err = load(ctx, k.store, org, digest)
	}
	if errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
		return false, err
	}
	if err == nil {
		err = k.activate(org, content)
	}
	if err == nil {
		k.orgs[org] = digest
		delete(k.bad, org)
		return true, nil
	}
	k.engine.Refuse(org, digest, err)
	was := k.bad[org]
	k.orgs[org], k.bad[org] = digest, true
	if !was {
		k.log.ErrorContext(ctx, "policy can't be loaded: the rules of the house decide alone how long things are kept",
			slog.String("organization", org), slog.String("digest", digest), slog.String("error", err.Error()))
	}
	return !was, nil
}

func (k *Keeping) activate(org string, content author.Content) error {
	if isBaseAlone(content) {
		k.engine.Deactivate(org)
		return nil
	}
	r, err := content.Revision()
	if err != nil {
		return err //nolint:wrapcheck // it says which file
	}
	return k.engine.Activate(org, r) //nolint:wrapcheck // it names file and line
}
