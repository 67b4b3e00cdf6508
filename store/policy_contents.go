package store

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// PolicyContent is what a policy of an organisation consists of.
type PolicyContent struct {
	Org string
	// Digest of the files, by which they are found; the store doesn't know how it is made.
	Digest string
	// Draft: no revision has it (yet), so it may go after a year.
	Draft bool
	// Files is a JSON object of path to text.
	Files string
}

// PutPolicyContent stores a content. It may be there already. When it returns nil, whoever reads finds it.
func (s *Store) PutPolicyContent(ctx context.Context, c PolicyContent) error {
	const action = "put content of policy"
	// Not deduplicated: to be taken for a repetition of a row that a crash lost would lose it, and to be there twice does no harm.
	batch, err := s.conn.PrepareBatch(s.controlContext(ctx, "content:"+uuid.NewString()), "INSERT INTO policy_contents (org, digest, draft, files)")
	if err != nil {
		return wrap(action, err)
	}
	if err := batch.Append(c.Org, c.Digest, c.Draft, c.Files); err != nil {
		_ = batch.Abort()
		return fmt.Errorf("%s: %w", action, err)
	}
	return wrap(action, batch.Send())
}

// PolicyContent reads the files of a content. It fails with ErrNotFound if there is none.
func (s *Store) PolicyContent(ctx context.Context, org, digest string) (files string, err error) {
	const action = "get content of policy"
	found := false
	err = s.scan(s.controlContext(ctx, ""), action, "SELECT files FROM policy_contents WHERE org = {org:String} AND digest = {digest:String} LIMIT 1",
		func(rows driver.Rows) error { found = true; return rows.Scan(&files) },
		clickhouse.Named("org", org), clickhouse.Named("digest", digest))
	if err == nil && !found {
		err = fmt.Errorf("%s %s: %w", action, digest, ErrNotFound)
	}
	return files, err
}
