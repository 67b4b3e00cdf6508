package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/retention/ledger"
	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store"
)

// staleLeaves is how long leaves may wait for the ledger; an alert says the same (AnteroomLeavesWaiting).
const staleLeaves = time.Minute

// Ledger looks at a region's ledger. running: somebody is to append to it now.
func Ledger(region string, cfg ledger.Config, tables store.Config, running bool) Job {
	return Job{Name: "ledger", Region: region, look: func(ctx context.Context, s *subject) {
		s1, err := store.Open(tables)
		if err != nil {
			s.fail("ledger", "Mend the section clickhouse.", "%v", err)
			return
		}
		defer s1.Close()
		l, err := ledger.OpenExisting(cfg, region, ledger.Deps{Store: s1})
		if errors.Is(err, ledger.ErrNone) {
			s.skip("ledger", "Run it where the role retention of this region runs, if there is a ledger already.", "there is none in %s", cfg.Dir)
			return
		}
		if err != nil {
			s.fail("ledger", "Do what the error says. Keys that are lost come back from a backup only: with new ones it would be another log.", "%v", err)
			return
		}
		g, err := l.Glance(ctx)
		judgeLedger(s, g, err, running, time.Now())
	}}
}

func judgeLedger(s *subject, g ledger.Glance, err error, running bool, now time.Time) {
	switch {
	case errors.Is(err, ledger.ErrNoCheckpoint) && g.Recorded == 0:
		s.ok("ledger.checkpoint", "nothing has been published yet")
		return
	case errors.Is(err, store.ErrUnavailable):
		s.fail("ledger", doReach, "the region's tables can't be asked: %v", err)
		return
	case err != nil:
		s.fail("ledger.checkpoint", "Stop the role retention, keep the folder as it is, bring back its newest copy and run `anteroom ledger fsck` (docs/runbooks/leaves-waiting.md).", "%v", err)
		return
	case g.Recorded > g.Size:
		s.fail("ledger.checkpoint", "The folder is an older copy: stop the role retention and bring back the newest one (docs/runbooks/leaves-waiting.md).", "the log has %d leaves, the tables know of %d", g.Size, g.Recorded)
		return
	}
	s.ok("ledger.checkpoint", "signed, %d leaves, written %s; its last leaf leads to its root", g.Size, g.Written.UTC().Format(time.RFC3339))
	switch waited := now.Sub(g.Since); {
	case g.Waiting == 0:
		s.ok("ledger.waiting", "no leaf waits")
	case waited > staleLeaves && !running:
		s.skip("ledger.waiting", "Start the service: they are appended then.", "%d leaves wait, and nothing runs", g.Waiting)
	case waited > staleLeaves:
		s.fail("ledger.waiting", "See in the log of the role retention why nothing is appended (docs/runbooks/leaves-waiting.md): deletions aren't proven meanwhile.", "%d leaves wait, the first for %v", g.Waiting, waited.Round(time.Second))
	default:
		s.ok("ledger.waiting", "%d leaves wait, for less than a minute", g.Waiting)
	}
}

// Keys looks whether each region has a key that chat can be sealed to now. running: somebody is to make some.
func Keys(home store.Config, cfg sealing.Config, regions []string, running bool) Job {
	return Job{Name: "keys", look: func(ctx context.Context, s *subject) {
		for _, region := range regions {
			if cfg.Dir == "" {
				break
			}
			if held, err := sealing.Held(cfg, region); err == nil && held > 0 {
				s.ok("keys.private", "%s: %s in sealing.dir", region, count(held, "key"))
			} else if running {
				s.warn("keys.private", "If this machine ingests that region's chat, see that sealing.dir is the folder that the region's nodes share; what was sealed to keys that are lost can't be read any more.",
					"%s: there are no keys in %s", region, cfg.Dir)
			}
		}
		if !running {
			s.skip("keys.published", "Run it while the service runs.", "keys hold for ten minutes, and nothing runs that makes some")
			return
		}
		tables, err := store.Open(home)
		if err != nil {
			s.fail("keys.published", "Mend the section clickhouse.", "%v", err)
			return
		}
		defer tables.Close()
		ring, err := sealing.NewRing(sealing.RingDeps{Home: tables})
		if err != nil {
			s.fail("keys.published", doReach, "%v", err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() { _ = ring.Run(ctx) }() // what it can't read is told by Await
		wait, stop := context.WithTimeout(ctx, 3*time.Second)
		defer stop()
		if ring.Await(wait, regions...) == nil {
			s.ok("keys.published", "%s: chat can be sealed", strings.Join(regions, ", "))
			return
		}
		for _, region := range regions {
			if err := ring.Check(region); err != nil {
				s.fail("keys.published", "See that a process with the role ingest works for that region (--regions) and reaches the home region's ClickHouse (docs/runbooks/chat-refused.md): chat is refused meanwhile.", "%v", err)
			}
		}
	}}
}

// Directory looks at what depends on the rows of the home region: OpenID providers, and regions that resources name. regions are those that are configured.
func Directory(home store.Config, cfg identity.Config, regions []string) Job {
	return Job{Name: "directory", look: func(ctx context.Context, s *subject) {
		issuers := map[string]string{}
		if cfg.OperatorIssuer.URL != "" {
			issuers[cfg.OperatorIssuer.URL] = "identity.operator_issuer"
		}
		if err := directoryIssuers(ctx, s, home, issuers, regions); err != nil {
			s.fail("directory", doReach, "organisations and resources can't be read: %v", err)
		}
		urls := make([]string, 0, len(issuers))
		for url := range issuers {
			urls = append(urls, url)
		}
		slices.Sort(urls)
		for _, url := range urls {
			if err := identity.ProbeIssuer(ctx, cfg, url); err != nil {
				s.fail("issuers", "See that the provider runs, that its URL is exactly its issuer, and that this machine reaches it over TLS it believes: nobody can sign in meanwhile.",
					"%s (%s): %v", url, issuers[url], err)
				continue
			}
			s.ok("issuers", "%s (%s): metadata and keys can be fetched", url, issuers[url])
		}
	}}
}

func directoryIssuers(ctx context.Context, s *subject, home store.Config, issuers map[string]string, regions []string) error {
	tables, err := store.Open(home)
	if err != nil {
		return err
	}
	defer tables.Close()
	organizations, err := rows[directory.Organization](ctx, tables, registry.KindOrganization)
	if err != nil {
		return err
	}
	resources, err := rows[directory.Resource](ctx, tables, registry.KindResource)
	if err != nil {
		return err
	}
	for _, o := range organizations {
		if o.Issuer != nil && issuers[o.Issuer.URL] == "" {
			issuers[o.Issuer.URL] = "organisation " + o.ID
		}
	}
	astray := 0
	for _, r := range resources {
		if r.Issuer != nil && issuers[r.Issuer.URL] == "" {
			issuers[r.Issuer.URL] = "resource " + r.ID
		}
		if !slices.Contains(regions, r.Region) {
			astray++
			s.fail("regions", "Configure that region on every node (regions), as it was: copies of chat for its guests go nowhere.", "resource %s is in the region %s, which is not configured", r.ID, r.Region)
		}
	}
	if astray == 0 {
		s.ok("regions", "%s; %s and %s are in them", strings.Join(regions, ", "), count(len(organizations), "organisation"), count(len(resources), "resource"))
	}
	return nil
}

// rows are the values of a kind that are there, of all organisations.
func rows[T any](ctx context.Context, tables *store.Store, kind string) ([]T, error) {
	all, err := tables.ListEverywhere(ctx, kind)
	if err != nil {
		return nil, err
	}
	var out []T
	for i := range all {
		if all[i].Deleted {
			continue
		}
		var value T
		if err := json.Unmarshal(all[i].Value, &value); err != nil {
			return nil, fmt.Errorf("read %s %s: %w", kind, all[i].ID, err)
		}
		out = append(out, value)
	}
	return out, nil
}
