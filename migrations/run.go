package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/pressly/goose/v3"
)

var (
	// ErrAhead: the database was migrated by a newer version of the program.
	ErrAhead = errors.New("the database is newer than this program")
	// ErrLayout: the database was made for another layout.
	ErrLayout = errors.New("the database was made for another layout")
)

// State is a migration as one node sees it.
type State struct {
	Version int64  `json:"version"`
	File    string `json:"file"`
	Applied bool   `json:"applied"`
	// AppliedAt is zero for what is not applied.
	AppliedAt time.Time `json:"applied_at,omitzero"`
}

// Run applies what the node behind db lacks, and returns the versions applied now. db is connected to the database that is
// to hold the tables. It fails with ErrAhead or ErrLayout, before it changes anything, when the database is not this program's.
// A run that was cut short is continued by the next.
func Run(ctx context.Context, db *sql.DB, layout Layout) ([]int64, error) {
	provider, err := open(db, layout)
	if err != nil {
		return nil, err
	}
	if _, err := checked(ctx, db, provider); err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		return versions(partial.Applied), fmt.Errorf("apply migration %d: %w", partial.Failed.Source.Version, partial.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("apply migrations: %w", err)
	}
	return versions(results), nil
}

// Status lists the migrations of a layout in order, and whether the node behind db has them. It makes the version table if it
// is missing. It fails as Run does, with the list all the same.
func Status(ctx context.Context, db *sql.DB, layout Layout) ([]State, error) {
	provider, err := open(db, layout)
	if err != nil {
		return nil, err
	}
	return checked(ctx, db, provider)
}

// checked reads what is applied, and refuses a database that isn't this program's. The versions are read before the states: where others migrate at the same
// time, a state that is older than a version would look like a gap.
func checked(ctx context.Context, db *sql.DB, provider *goose.Provider) ([]State, error) {
	if _, err := provider.GetDBVersion(ctx); err != nil { // makes the table of versions
		return nil, fmt.Errorf("read applied migrations: %w", err)
	}
	applied, err := appliedVersions(ctx, db)
	if err != nil {
		return nil, err
	}
	states, err := status(ctx, provider)
	if err != nil {
		return nil, err
	}
	return states, check(applied, states)
}

func open(db *sql.DB, layout Layout) (*goose.Provider, error) {
	fsys, err := Render(layout)
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(goose.DialectClickHouse, db, fsys,
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return provider, nil
}

func status(ctx context.Context, provider *goose.Provider) ([]State, error) {
	list, err := provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("read applied migrations: %w", err)
	}
	var out []State
	for _, m := range list {
		out = append(out, State{
			Version: m.Source.Version, File: m.Source.Path,
			Applied: m.State == goose.StateApplied, AppliedAt: m.AppliedAt,
		})
	}
	return out, nil
}

// check refuses a database that knows a version this program doesn't, and one with the versions of another layout: tables don't
// change their layout by being migrated.
func check(applied []int64, states []State) error {
	known, err := embedded()
	if err != nil {
		return err
	}
	current, newest := slices.Max(applied), slices.Max(slices.Collect(maps.Keys(known)))
	if current > newest {
		return fmt.Errorf("%w: it is at version %d, the program knows %d; use the newer program", ErrAhead, current, newest)
	}
	const advice = "check clickhouse.cluster and clickhouse.replicated, or use another database"
	ours := map[int64]bool{0: true} // goose's own first row
	for _, state := range states {
		ours[state.Version] = true
		if !state.Applied && state.Version < current {
			return fmt.Errorf("%w: it lacks %s; %s", ErrLayout, state.File, advice)
		}
	}
	for _, version := range applied {
		if !ours[version] {
			return fmt.Errorf("%w: it has %s; %s", ErrLayout, known[version], advice)
		}
	}
	return nil
}

// appliedVersions is never empty: goose begins with version 0.
func appliedVersions(ctx context.Context, db *sql.DB) ([]int64, error) {
	rows, err := db.QueryContext(ctx, "SELECT DISTINCT version_id FROM "+goose.DefaultTablename)
	if err != nil {
		return nil, fmt.Errorf("read applied migrations: %w", err)
	}
	defer rows.Close()
	out := []int64{0}
	for rows.Next() {
		var version int64
		if err := rows.Scan(&version); err != nil {
			return nil, fmt.Errorf("read applied migrations: %w", err)
		}
		out = append(out, version)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read applied migrations: %w", err)
	}
	return out, nil
}

// embedded gives the file of each version of any layout.
func embedded() (map[int64]string, error) {
	entries, err := fs.ReadDir(files, "sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	out := map[int64]string{}
	for _, entry := range entries {
		version, err := goose.NumericComponent(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("list migrations: %w", err)
		}
		out[version] = entry.Name()
	}
	return out, nil
}

func versions(results []*goose.MigrationResult) []int64 {
	var out []int64
	for _, result := range results {
		out = append(out, result.Source.Version)
	}
	return out
}
