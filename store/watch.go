package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// watchEvery is the pause between two looks at the versions of rows: settings act within half a second.
const watchEvery = 400 * time.Millisecond

// Watch calls do with the newest version of every row of a kind, of all organisations, and then with each newer one as it
// appears, deletions too (rows deleted before the watch began are left out). Versions that follow each other within one look
// are one call. It blocks until the context ends, which is no error, or do returns one. While ClickHouse is away it goes on
// asking; what it last told stays the truth meanwhile.
func (s *Store) Watch(ctx context.Context, kind string, do func(Control) error) error {
	defer s.looks.join(s, kind)()
	seen := map[ControlKey]uint64{}
	var last *controlLook
	for first := true; ; {
		if last = s.looks.next(ctx, last, kind); last == nil {
			return nil
		}
		rows, err := []Control(nil), last.err
		if err == nil {
			rows, err = s.newer(ctx, kind, last.versions[kind], seen)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !errors.Is(err, ErrUnavailable):
			return err
		case err == nil:
			if err := tell(rows, seen, first, do); err != nil {
				return fmt.Errorf("watch %s: %w", kind, err)
			}
			first = false
		}
	}
}

// looks are what all watchers of a store share: one question for the versions of all kinds that are watched, instead of one for each.
type looks struct {
	mu    sync.Mutex
	kinds map[string]int     // guarded by mu: how many watch each
	last  *controlLook       // guarded by mu: nil before the first
	came  chan struct{}      // guarded by mu: closed when last has changed
	again chan struct{}      // asks for a look at once
	stop  context.CancelFunc // guarded by mu: nil while nobody watches
}

// controlLook is what was seen of the kinds that were watched then.
type controlLook struct {
	versions map[string][]controlVersion
	err      error
}

type controlVersion struct {
	key     ControlKey
	version uint64
}

// join has a kind looked at until leave is called.
func (l *looks) join(s *Store, kind string) (leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop == nil {
		ctx, stop := context.WithCancel(context.Background())
		l.kinds, l.last, l.came, l.again, l.stop = map[string]int{}, nil, make(chan struct{}), make(chan struct{}, 1), stop
		go s.lookAll(ctx, l.again)
	}
	l.kinds[kind]++
	select {
	case l.again <- struct{}{}:
	default:
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.kinds[kind]--; l.kinds[kind] == 0 {
			delete(l.kinds, kind)
		}
		if len(l.kinds) == 0 {
			l.stop()
			l.stop = nil
		}
	}
}

// next waits for a look at a kind that came after the last; nil when the context ends.
func (l *looks) next(ctx context.Context, last *controlLook, kind string) *controlLook {
	for {
		l.mu.Lock()
		now, came := l.last, l.came
		l.mu.Unlock()
		if now != nil && now != last {
			if _, looked := now.versions[kind]; looked {
				return now
			}
		}
		select {
		case <-came:
		case <-ctx.Done():
			return nil
		}
	}
}

// lookAll looks again and again, at what is watched then, until the context ends.
func (s *Store) lookAll(ctx context.Context, again <-chan struct{}) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	l := &s.looks
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-again:
		}
		l.mu.Lock()
		kinds := slices.Collect(maps.Keys(l.kinds))
		l.mu.Unlock()
		found := &controlLook{}
		found.versions, found.err = s.controlVersions(ctx, kinds)
		l.mu.Lock()
		if ctx.Err() == nil {
			l.last = found
			close(l.came)
			l.came = make(chan struct{})
		}
		l.mu.Unlock()
	}
}

// ControlKey names a control row of a kind.
type ControlKey struct{ Org, ID string }

func tell(rows []Control, seen map[ControlKey]uint64, first bool, do func(Control) error) error {
	for _, row := range rows {
		if !first || !row.Deleted {
			if err := do(row); err != nil {
				return err
			}
		}
		seen[ControlKey{row.Org, row.ID}] = row.Version
	}
	return nil
}

// Changed returns the newest version of each row of a kind that is above the one seen, deletions too.
func (s *Store) Changed(ctx context.Context, kind string, seen map[ControlKey]uint64) ([]Control, error) {
	versions, err := s.controlVersions(ctx, []string{kind})
	if err != nil {
		return nil, err
	}
	return s.newer(ctx, kind, versions[kind], seen)
}

// controlVersions reads the newest versions of all rows of kinds, which are few, since the times of writers and servers are no order to rely on.
// Each kind is in what it returns, with an error too.
func (s *Store) controlVersions(ctx context.Context, kinds []string) (map[string][]controlVersion, error) {
	out := make(map[string][]controlVersion, len(kinds))
	for _, kind := range kinds {
		out[kind] = nil
	}
	err := s.scan(s.controlContext(ctx, ""), "watch control rows", `
		SELECT kind, org, id, max(version) FROM control WHERE kind IN {kinds:Array(String)} GROUP BY kind, org, id ORDER BY kind, org, id`,
		func(rows driver.Rows) error {
			var kind string
			var v controlVersion
			if err := rows.Scan(&kind, &v.key.Org, &v.key.ID, &v.version); err != nil {
				return err
			}
			out[kind] = append(out[kind], v)
			return nil
		}, clickhouse.Named("kinds", kinds))
	return out, err
}

// newer reads the rows whose versions are above those seen.
func (s *Store) newer(ctx context.Context, kind string, versions []controlVersion, seen map[ControlKey]uint64) ([]Control, error) {
	var out []Control
	for _, v := range versions {
		if v.version <= seen[v.key] {
			continue
		}
		row, err := s.newest(ctx, kind, v.key.Org, v.key.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, nil
}
