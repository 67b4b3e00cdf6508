package ingest

import (
	"context"
	"errors"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/sealing"
)

// Opener opens what was sealed to a key of the region. Errors are those of sealing.Keeper.
type Opener interface {
	Open(ctx context.Context, keyID string, about, sealed []byte) ([]byte, error)
}

// opened is the text of a record.
type opened struct {
	// text is event.ChatContent as bytes, or a guest's id; empty where there is none, and where lost says so.
	text string
	// lost: the key is destroyed. That is done once all that was sealed to it is ingested and committed, so this record was: its text is stored, or was
	// and is gone for good. Or the folder of keys was given up for lost; then the text never comes.
	lost bool
}

// open opens the texts of collected records whose events may be new. It waits for as long as a key may still come; a record that can't be opened by
// any key is refused, and its dead letter has no text, as none has.
func (a *assembler) open(ctx context.Context) error {
	for i := range a.current {
		d := &a.current[i]
		for _, e := range d.events {
			keyID, sealed := sealedText(e, a.cfg.Region)
			if mark, _ := a.marks.get(markOf(e)); keyID == "" || e.Sequence <= mark {
				continue
			}
			var text []byte
			var final error
			err := a.retry(ctx, checkKeys, "open chat", func() error {
				var err error
				text, err = a.deps.Chat.Open(ctx, keyID, event.SealingContext(e, a.cfg.Region), sealed)
				if final = err; isFinal(err) {
					return nil
				}
				return err
			})
			if err != nil {
				return err
			}
			switch {
			case final == nil:
				d.opened.text = string(text)
			case errors.Is(final, sealing.ErrDestroyed):
				d.opened.lost = true
				a.metrics.lost.WithLabelValues(a.topic).Inc()
			default:
				d.events, d.refusals = nil, append(d.refusals, refusal{-1, "its text can't be opened: " + final.Error()})
			}
		}
	}
	return nil
}

// noKeys is in a process that was given none.
type noKeys struct{}

func (noKeys) Open(context.Context, string, []byte, []byte) ([]byte, error) {
	return nil, errors.New("this process has no keys")
}

// isFinal tells outcomes that no waiting changes.
func isFinal(err error) bool {
	return errors.Is(err, sealing.ErrDestroyed) || errors.Is(err, sealing.ErrAltered) || errors.Is(err, sealing.ErrNoKey)
}

// sealedText is what an event has for a region: the thread's text at home, the copy's elsewhere; the id of a guest of one of its resources.
func sealedText(e *eventpb.Event, region string) (keyID string, sealed []byte) {
	if guest := e.GetResourceGuest(); guest.GetResourceRegion() == region {
		return guest.GetSealingKeyId(), guest.GetSealedUserId()
	}
	chat := e.GetChat()
	if e.GetSourceKind() != eventpb.SourceKind_SOURCE_KIND_MEDIA || chat == nil {
		return "", nil
	}
	if e.GetRegion() == region {
		return chat.GetSealingKeyId(), chat.GetSealedText()
	}
	for _, c := range chat.GetCopies() {
		if c.GetRegion() == region {
			return c.GetSealingKeyId(), c.GetSealedText()
		}
	}
	return "", nil
}
