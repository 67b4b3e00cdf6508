package registry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/store"
)

// value is what a collection keeps.
type value[T any] interface {
	// Key names the control row.
	Key() (org, id string)
	WithDefaults() T
	Validate() error
}

type key struct{ org, id string }

// Collection keeps the values of one kind.
type Collection[T value[T]] struct {
	kind     string
	store    *store.Store
	registry *Registry

	mu   sync.RWMutex
	rows map[key]entry[T] // guarded by mu
	// byID has the ids of kinds whose ids are of no organisation alone: all but users.
	byID map[string]key // guarded by mu
	// unreadable are rows whose newest version can't be read, with that version.
	unreadable map[key]uint64 // guarded by mu
}

// entry is a row of the snapshot; a deleted one is kept so that older versions that arrive late stay out.
type entry[T any] struct {
	directory.Versioned[T]
	deleted bool
}

func collect[T value[T]](r *Registry, s *store.Store, kind string) *Collection[T] {
	return &Collection[T]{kind: kind, store: s, registry: r, rows: make(map[key]entry[T]), byID: make(map[string]key), unreadable: make(map[key]uint64)}
}

// Get reads the newest version. It fails with store.ErrNotFound if there is none.
func (c *Collection[T]) Get(ctx context.Context, org, id string) (directory.Versioned[T], error) {
	row, err := c.store.Get(ctx, c.kind, org, id)
	if err != nil {
		return directory.Versioned[T]{}, err //nolint:wrapcheck // the store says what it did
	}
	out, err := decode[T](row)
	if err != nil {
		return out, fmt.Errorf("get %s: %w", c.kind, err)
	}
	c.take(row)
	return out, nil
}

// List reads the newest versions of an organisation's values in order of id. What can't be read is left out.
func (c *Collection[T]) List(ctx context.Context, org string) ([]directory.Versioned[T], error) {
	rows, err := c.store.List(ctx, c.kind, org)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	out := make([]directory.Versioned[T], 0, len(rows))
	for _, row := range rows {
		if v, err := decode[T](row); err == nil {
			out = append(out, v)
		}
		c.take(row)
	}
	return out, nil
}

// Put fills in defaults, validates (*directory.FieldError) and writes the version after ifVersion, 0 for a new row; author is who changed
// it, never a guest. It fails with store.ErrConflict if another version is the newest, and with store.ErrNotFound if there is no row to
// replace. The snapshot has the value when Put returns.
func (c *Collection[T]) Put(ctx context.Context, v T, ifVersion uint64, author string) (directory.Versioned[T], error) {
	row, err := c.PutRow(ctx, v, ifVersion, author)
	if err != nil {
		return directory.Versioned[T]{}, err
	}
	return decode[T](row)
}

// PutRow is Put for who needs the row as it is stored.
func (c *Collection[T]) PutRow(ctx context.Context, v T, ifVersion uint64, author string) (store.Control, error) {
	v = v.WithDefaults()
	if err := v.Validate(); err != nil {
		return store.Control{}, fmt.Errorf("put %s: %w", c.kind, err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return store.Control{}, fmt.Errorf("put %s: %w", c.kind, err)
	}
	org, id := v.Key()
	row, err := c.store.Put(ctx, store.Control{Kind: c.kind, Org: org, ID: id, Value: text, Author: author}, ifVersion)
	if err != nil {
		return store.Control{}, err //nolint:wrapcheck // the store says what it did
	}
	c.take(row)
	return row, nil
}

// Decode reads a row of the collection's kind.
func (c *Collection[T]) Decode(row store.Control) (directory.Versioned[T], error) {
	return decode[T](row)
}

// Find looks a value up in the snapshot.
func (c *Collection[T]) Find(org, id string) (directory.Versioned[T], bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	row, ok := c.rows[key{org, id}]
	return row.Versioned, ok && !row.deleted
}

// FindID looks a value up whose id is enough to name it: an organisation, a resource or a meeting.
func (c *Collection[T]) FindID(id string) (directory.Versioned[T], bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	at, ok := c.byID[id]
	row := c.rows[at]
	return row.Versioned, ok && !row.deleted
}

// All lists the snapshot in order of organisation and id.
func (c *Collection[T]) All() []directory.Versioned[T] {
	return c.where(func(key) bool { return true })
}

// Of lists an organisation's values of the snapshot in order of id.
func (c *Collection[T]) Of(org string) []directory.Versioned[T] {
	return c.where(func(at key) bool { return at.org == org })
}

func (c *Collection[T]) where(wanted func(key) bool) []directory.Versioned[T] {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var keys []key
	for at, row := range c.rows {
		if !row.deleted && wanted(at) {
			keys = append(keys, at)
		}
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Or(cmp.Compare(a.org, b.org), cmp.Compare(a.id, b.id)) })
	out := make([]directory.Versioned[T], len(keys))
	for i, at := range keys {
		out[i] = c.rows[at].Versioned
	}
	return out
}

// History reads all versions of a value, oldest first; those that can't be read and deletions are left out. It fails with store.ErrNotFound if there
// are none.
func (c *Collection[T]) History(ctx context.Context, org, id string) ([]directory.Versioned[T], error) {
	rows, err := c.store.History(ctx, c.kind, org, id)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what it did
	}
	out := make([]directory.Versioned[T], 0, len(rows))
	for _, row := range rows {
		if v, err := decode[T](row); err == nil && !row.Deleted {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("read history of %s: %w", c.kind, store.ErrNotFound)
	}
	return out, nil
}

// Refresh brings the snapshot up to what is stored now, without waiting for it to follow by itself.
func (c *Collection[T]) Refresh(ctx context.Context) error {
	c.mu.RLock()
	seen := make(map[store.ControlKey]uint64, len(c.rows))
	for at, row := range c.rows {
		seen[store.ControlKey{Org: at.org, ID: at.id}] = row.Version
	}
	c.mu.RUnlock()
	rows, err := c.store.Changed(ctx, c.kind, seen)
	if err != nil {
		return err //nolint:wrapcheck // the store says what it did
	}
	for _, row := range rows {
		c.take(row)
	}
	return nil
}

// Unreadable lists the ids of an organisation's rows that can't be read, in order: of those the snapshot has an older version or none. For who must
// not go on as if they weren't there.
func (c *Collection[T]) Unreadable(org string) []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var ids []string
	for at := range c.unreadable {
		if at.org == org {
			ids = append(ids, at.id)
		}
	}
	slices.Sort(ids)
	return ids
}

// read brings an organisation's values into the snapshot.
func (c *Collection[T]) read(ctx context.Context, org string) error {
	_, err := c.List(ctx, org)
	return err
}

func (c *Collection[T]) watch(ctx context.Context) error {
	return c.store.Watch(ctx, c.kind, func(row store.Control) error { //nolint:wrapcheck // the store says what it did
		c.take(row)
		return nil
	})
}

// take brings a row into the snapshot unless it has that version or a newer one, and tells of it.
func (c *Collection[T]) take(row store.Control) {
	v, err := decode[T](row)
	if err != nil {
		c.registry.bad.WithLabelValues(c.kind).Inc()
		c.registry.log.Warn("row of the directory can't be read", slog.String("kind", c.kind), slog.String("org", row.Org), slog.Uint64("version", row.Version))
		c.mu.Lock()
		defer c.mu.Unlock()
		c.unreadable[key{row.Org, row.ID}] = row.Version
		return
	}
	if c.keep(row, v) {
		c.registry.changed(c.kind, row.Org, row.ID)
	}
}

func (c *Collection[T]) keep(row store.Control, v directory.Versioned[T]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := key{row.Org, row.ID}
	if known, ok := c.rows[at]; ok && known.Version >= row.Version {
		return false
	}
	c.rows[at] = entry[T]{Versioned: v, deleted: row.Deleted}
	if c.unreadable[at] < row.Version {
		delete(c.unreadable, at)
	}
	// An id that two organisations have names neither's second row: the first one stays what the id means.
	if _, taken := c.byID[row.ID]; !taken && c.kind != KindUser {
		c.byID[row.ID] = at
	}
	return true
}

// decode reads a row's value and holds it to the row's key: a value can't claim to be another's.
func decode[T value[T]](row store.Control) (directory.Versioned[T], error) {
	out := directory.Versioned[T]{Version: row.Version, Author: row.Author, At: row.At}
	if row.Deleted {
		return out, nil
	}
	if err := json.NewDecoder(bytes.NewReader(row.Value)).Decode(&out.Value); err != nil {
		return out, fmt.Errorf("decode version %d: not the JSON that it should be", row.Version)
	}
	out.Value = out.Value.WithDefaults()
	if org, id := out.Value.Key(); org != row.Org || id != row.ID {
		return out, fmt.Errorf("decode version %d: the value is of another row", row.Version)
	}
	return out, nil
}
