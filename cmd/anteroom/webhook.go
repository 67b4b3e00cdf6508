package main

import (
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/internal/webhook"
	"github.com/anteroom/anteroom/media/meeting"
)

// notifier tells webhooks what meetings have to tell.
type notifier struct {
	sender    *webhook.Sender
	directory *registry.Registry
}

// startWebhooks starts what delivers them.
func (s *service) startWebhooks() (notifier, error) {
	sender, err := webhook.New(s.cfg.Webhooks, webhook.Deps{Metrics: s.metrics, Log: s.log.With("room", "webhook")})
	if err != nil {
		return notifier{}, err
	}
	s.app.Go("webhooks", sender.Run)
	return notifier{sender, s.directory}, nil
}

// Meeting hands an event to those that it is for: events of a call that a guest started to the guest's resource, all others to the organisation
// that hosts the meeting (M12).
func (n notifier) Meeting(event string, facts meeting.Facts, call, participant uuid.UUID) {
	hooks := facts.Organization.Webhooks
	switch event {
	case meeting.NotifyCallStarted, meeting.NotifyCallEnded, meeting.NotifyCallParticipantJoined, meeting.NotifyCallParticipantLeft:
		resource, found := n.directory.Resources.FindID(facts.Meeting.Resource)
		if !found {
			return
		}
		hooks = resource.Value.Webhooks
	}
	if len(hooks) == 0 {
		return
	}
	out := webhook.Event{
		ID: uuid.New(), Kind: event, At: time.Now().UTC(), Organization: facts.Organization.ID, MeetingID: facts.Meeting.ID, CallID: call.String(),
	}
	if participant != uuid.Nil {
		out.ParticipantID = participant.String()
	}
	n.sender.Send(targets(hooks), out)
}

func targets(hooks []directory.Webhook) []webhook.Target {
	out := make([]webhook.Target, 0, len(hooks))
	for _, hook := range hooks {
		out = append(out, webhook.Target{URL: hook.URL, Secret: hook.Secret, Events: hook.Events})
	}
	return out
}
