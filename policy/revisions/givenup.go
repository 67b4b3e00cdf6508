package revisions

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/policy"
	"github.com/anteroom/anteroom/policy/author"
)

// What an organisation whose policies hang may still activate: each of them leaves evaluations behind that nothing can end, in every process.
const (
	maxHung    = 3
	hungWithin = time.Hour
)

// notGivenUp refuses a content that the breaker gave up once: it would do the same again. Another one, if it differs by a comment only, is its author's
// answer to that. A new policy is refused too while too many hung; the way back stays open.
func (s *Service) notGivenUp(ctx context.Context, org string, c author.Content, isNew bool) error {
	rows, err := s.deps.Store.History(ctx, kindActive, org, idBreaker)
	if err != nil || len(rows) == 0 {
		return err //nolint:wrapcheck // the store says what it did
	}
	history, err := s.history(ctx, org)
	if err != nil {
		return err
	}
	// Tests are no part of what decides: with others it is the same policy.
	id, err := idOf(c)
	if err != nil {
		return err
	}
	same := map[string]bool{c.Digest(): true}
	for _, a := range history {
		if a.Runtime == id {
			same[a.Digest] = true
		}
	}
	hung := 0
	for _, row := range rows {
		b, err := decode[breakerRow](row)
		if err != nil {
			return err
		}
		if same[b.FailedDigest] {
			return &Refused{Errors: []string{fmt.Sprintf("This is the policy of revision %d, which was given up on %s because %s. Change what makes it fail, and activate that.",
				b.FailedRevision, b.Since.UTC().Format("2 January 2006 at 15:04 UTC"), failureWords[policy.FailureKind(b.Reason)])}}
		}
		if b.Reason == string(policy.FailedTimeout) && time.Since(b.Since) < hungWithin {
			hung++
		}
	}
	if isNew && hung >= maxHung {
		return &Refused{Errors: []string{fmt.Sprintf("%d policies were given up within the last hour because their decisions took too long. Activate the next one later, or roll back.", hung)}}
	}
	return nil
}

// failureWords say why a policy was given up.
var failureWords = map[policy.FailureKind]string{
	policy.FailedError:     "its rules failed while they decided",
	policy.FailedUndefined: "it had no answer",
	policy.FailedTimeout:   "its decisions took too long",
	policy.FailedNotLoaded: "it could not be loaded",
}
