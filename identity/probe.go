package identity

import (
	"context"
	"log/slog"
	"time"
)

// ProbeIssuer fetches an issuer's metadata and keys as the service does, and says what is wrong with them.
func ProbeIssuer(ctx context.Context, cfg Config, issuer string) error {
	timeout := cfg.IssuerTimeout
	if timeout <= 0 {
		timeout = DefaultConfig().IssuerTimeout
	}
	_, err := newIssuers(timeout, time.Now, slog.New(slog.DiscardHandler)).fetch(ctx, issuer)
	return err
}
