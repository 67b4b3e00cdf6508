package collect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/getstats"
)

// Batch is what a client sends over HTTP.
type Batch struct {
	// Token of a resource, for the first batch and every other.
	Token string
	// Session is the client's own name for its call, and Sequence numbers the batches from 1.
	Session  string
	Sequence uint64
	// Origin of the page that sends it, "" for none; Own: it is this service's.
	Origin    string
	Own       bool
	UserAgent string
	Entries   []getstats.Entry
	// Ended: the call is over, and this is the last batch.
	Ended bool
}

// Receipt says that all batches up to Acknowledged are safe.
type Receipt struct {
	CallID, SupportCode string
	Acknowledged        uint64
}

// Collect takes a batch and returns when Kafka has its events. A batch that was taken before is acknowledged again. The errors are *Refusal,
// *identity.Error, or of the context.
func (c *Collector) Collect(ctx context.Context, b Batch) (Receipt, error) {
	s, err := c.session(ctx, hello{token: b.Token, id: b.Session, dialect: dialectBatches, origin: b.Origin, own: b.Own, userAgent: b.UserAgent},
		func(opt decode.Options, source string) live { return getstats.NewLive(opt, source, b.UserAgent) })
	if err != nil {
		c.refused(err)
		return Receipt{}, err
	}
	defer c.leave(s)
	receipt, err := c.take(ctx, s, b)
	if err != nil {
		c.refused(err)
		return Receipt{}, err
	}
	return receipt, nil
}

// take holds the session: batches of one session are taken one after the other.
func (c *Collector) take(ctx context.Context, s *session, b Batch) (Receipt, error) {
	receipt := Receipt{CallID: s.live.Call(), SupportCode: supportCode(s.live.Call(), s.live.Participant()), Acknowledged: b.Sequence}
	end, err := func() (end bool, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case s.over:
			return false, &Refusal{Reason: ReasonUsed, Detail: "The session is over; begin another one with a new token."}
		case b.Sequence > s.batches+1:
			return false, &Refusal{Reason: ReasonSequence, Field: "sequence", Detail: fmt.Sprintf("The field sequence must be %d: that is the next batch of this session.", s.batches+1)}
		}
		waiting, cancel := context.WithTimeout(ctx, c.cfg.AcknowledgeTimeout)
		defer cancel()
		// What came before goes first, so that no more waits for Kafka than one batch.
		if err := s.publish(waiting, c.publisher); err != nil {
			return false, unsafe()
		}
		if b.Sequence == s.batches+1 {
			if end, err = c.decodeBatch(ctx, s, b); err != nil {
				return end, err
			}
			s.batches++
		}
		if err := s.publish(waiting, c.publisher); err != nil {
			return false, unsafe()
		}
		return b.Ended, nil
	}()
	if !end {
		return receipt, err
	}
	how := howEnded
	if err != nil {
		how = howInvalid
	}
	if failed := c.finish(context.WithoutCancel(ctx), s, how); failed != nil && err == nil {
		return receipt, &Refusal{Reason: ReasonUnavailable, Detail: "The end of the call is not known to be safe; what came before it is."}
	}
	return receipt, err
}

func unsafe() *Refusal {
	return &Refusal{Reason: ReasonUnavailable, Detail: "The batch is not known to be safe yet; send it again, with the same number."}
}

// decodeBatch reads a batch. end tells that the session can't go on. The caller holds the session's mu.
func (c *Collector) decodeBatch(ctx context.Context, s *session, b Batch) (end bool, err error) {
	batches, ok := s.live.(*getstats.Live)
	if !ok {
		return false, &Refusal{Reason: ReasonUsed, Detail: "The token is in use for a connection; each is good for one session, so get a new one."}
	}
	c.metrics.messages.WithLabelValues(dialectBatches).Inc()
	broken, err := batches.Batch(b.Entries, c.deps.Now())
	if err == nil {
		err = s.encode(batches.Events())
	}
	var bad *decode.Error
	switch {
	case errors.As(err, &bad):
		return broken, &Refusal{Reason: ReasonInvalid, Field: bad.Field, Detail: sentence(bad)}
	case err != nil:
		c.log.ErrorContext(ctx, "a batch can't be made events", slog.Any("error", err))
		return true, fmt.Errorf("take batch: %w", err)
	}
	return false, nil
}

// refused counts.
func (c *Collector) refused(err error) { c.metrics.refused.WithLabelValues(reasonOf(err)).Inc() }
