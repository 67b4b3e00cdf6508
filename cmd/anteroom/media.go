package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/api"
	"github.com/anteroom/anteroom/directory/registry"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/internal/recorder"
	"github.com/anteroom/anteroom/media"
	"github.com/anteroom/anteroom/media/forward"
	"github.com/anteroom/anteroom/media/meeting"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/media/record"
	"github.com/anteroom/anteroom/media/signal"
)

// startMedia starts what meetings run on, from the bottom up: the recorder, the sockets of media, recordings, the node.
func (s *service) startMedia(ctx context.Context) error {
	log := s.log.With("room", "media")
	if err := s.startRecorder(); err != nil {
		return err
	}
	if err := s.startRing(); err != nil {
		return err
	}
	sockets, err := forward.New(s.cfg.Media.Forward)
	if err != nil {
		return err
	}
	if err := sockets.Listen(ctx); err != nil {
		return err
	}
	s.app.OnStop("media sockets", func(context.Context) error { return sockets.Close() })
	deps := media.Deps{
		Decider: s.engine, Recorder: s.recorder, Sealer: sealer{s.ring}, Forward: sockets,
		Authenticator: s.identity, Control: control{s.directory, s.regions, s.home.name}, Origins: origins{s.directory},
		Links: s.identity, Tokens: s.identity, Gone: gone{s.identity, s.nodes}, Log: log, Registry: s.metrics,
	}
	if deps.Recordings, err = s.recordings(ctx); err != nil {
		return err
	}
	if deps.Transcriptions, err = s.transcriptions(); err != nil {
		return err
	}
	if deps.Notifier, err = s.startWebhooks(); err != nil {
		return err
	}
	if s.nodes != nil {
		deps.Owners = s.nodes
	}
	if s.node, err = media.New(s.cfg.Media, deps); err != nil {
		return err
	}
	s.engine.OnChange(s.node.PolicyChanged)
	s.startNodes()
	s.app.Go("meetings", s.node.Run)
	s.startRecovery()
	s.signal, err = signal.New(s.cfg.Signalling, signal.Deps{
		Node: s.node, Session: s.sessionOf, Ready: s.directory.Known, Tokens: s.relayTokens(), Log: log, Registry: s.metrics,
	})
	if err != nil {
		return err
	}
	s.app.OnStop("connections", s.signal.Shutdown)
	return nil
}

// startRecorder starts the way from meetings to Kafka. Its source names this start of this node, which no other will have.
func (s *service) startRecorder() error {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	producer := s.kafka.NewProducer()
	s.app.OnStop("event producer", func(context.Context) error { return producer.Close() })
	s.recorder, err = recorder.New(s.cfg.Recorder, fmt.Sprintf("media/%.64s/%s", host, uuid.NewString()), producer, s.log.With("room", "recorder"), s.metrics, s.tracing.Tracer("recorder"))
	if err != nil {
		return err
	}
	s.app.OnCheck("events to Kafka", func(context.Context) error { return s.recorder.Check() })
	s.app.Go("recorder", s.recorder.Run)
	return nil
}

// relayTokens seal what nodes tell each other of clients; nil where this node has all meetings.
func (s *service) relayTokens() media.Tokens {
	if s.nodes == nil {
		return nil
	}
	return s.identity
}

// sessionOf is who is signed in on the page that a connection comes from.
func (s *service) sessionOf(r *http.Request) *identity.Principal { return s.api.SessionOf(r) }

// control tells meetings what the directory knows of them.
type control struct {
	directory *registry.Registry
	regions   map[string]*regionRuntime
	home      string
}

// Region is that of a resource's row; the join page is everywhere, and its guests' copies stay at home.
func (c control) Region(resource string) (string, bool) {
	region := c.home
	if resource != identity.JoinPageResource {
		row, known := c.directory.Resources.FindID(resource)
		if !known {
			return "", false
		}
		region = row.Value.Region
	}
	_, here := c.regions[region]
	return region, here
}

func (c control) Meeting(id string) (meeting.Facts, bool) {
	facts, ok := c.directory.Meeting(id)
	return meeting.Facts{Organization: facts.Organization, Meeting: facts.Meeting, Organizer: facts.Organizer}, ok
}

func (c control) Watch(changed func(meetingID string)) {
	c.directory.OnChange(func(kind, _, id string) {
		switch kind {
		case registry.KindMeeting:
			changed(id)
		case registry.KindOrganization, registry.KindUser:
			changed("")
		}
	})
}

// origins knows the web origins of resources.
type origins struct{ directory *registry.Registry }

func (o origins) OriginAllowed(org, resource, origin string) bool {
	for _, r := range o.directory.Resources.All() {
		if (r.Value.ID == resource || (resource == "" && r.Value.Org == org)) && slices.Contains(r.Value.Origins, origin) {
			return true
		}
	}
	return false
}

// recordings are files in a folder; nil where none is configured.
func (s *service) recordings(ctx context.Context) (meeting.Recordings, error) {
	if s.cfg.Recording.Dir == "" {
		return nil, nil
	}
	files, err := record.New(s.cfg.Recording, s.log.With("room", "record"))
	if err != nil {
		return nil, err
	}
	s.recoverRecordings(ctx, files)
	s.app.OnStop("recordings", files.Close)
	s.files = files
	return recordings{files}, nil
}

type recordings struct{ files *record.Recorder }

func (r recordings) Start(ctx context.Context, call uuid.UUID, org, region string) (meeting.Recording, error) {
	started, err := r.files.Start(ctx, call, org, region)
	if err != nil {
		return nil, err
	}
	return recording{started}, nil
}

type recording struct{ *record.Recording }

func (r recording) Stop(ctx context.Context) (meeting.RecordingFacts, error) {
	got, err := r.Recording.Stop(ctx)
	return meeting.RecordingFacts{
		ID: got.ID, StartedAt: got.Started, Duration: got.Duration, ContentType: got.ContentType, ChannelType: got.ChannelType,
		Format: got.Format, Chunks: got.Chunks, AudioChannels: got.AudioChannels, Truncated: got.Truncated,
	}, err
}

// transcriptions stream audio to a service; nil where none is configured.
func (s *service) transcriptions() (meeting.Transcriptions, error) {
	if s.cfg.Transcription.URL == "" {
		return nil, nil
	}
	sink, err := record.NewSink(s.cfg.Transcription, s.log.With("room", "record"))
	if err != nil {
		return nil, err
	}
	return transcriptions{sink}, nil
}

type transcriptions struct{ sink *record.Sink }

func (t transcriptions) Start(_ context.Context, call uuid.UUID, _, _ string) (meeting.Transcription, error) {
	return transcription{t.sink.Start(call)}, nil
}

type transcription struct{ *record.Transcription }

func (t transcription) Stop(ctx context.Context) error {
	t.Transcription.Stop(ctx)
	return nil
}

// meetings are the node's, as the API asks for them.
type meetings struct {
	node      *media.Node
	directory *registry.Registry
}

func (m meetings) End(ctx context.Context, org, meetingID, by string) error {
	return asLive(m.node.End(ctx, org, meetingID, by))
}

func (m meetings) Roster(ctx context.Context, meetingID string) ([]api.RosterEntry, error) {
	facts, ok := m.directory.Meeting(meetingID)
	if !ok {
		return nil, api.ErrNotRunning
	}
	inside, _, err := m.node.Roster(ctx, facts.Organization.ID, meetingID)
	if err != nil {
		return nil, asLive(err)
	}
	users, err := m.node.Users(ctx, facts.Organization.ID, meetingID)
	if err != nil {
		return nil, asLive(err)
	}
	ids := make(map[uuid.UUID]string, len(users))
	for _, u := range users {
		ids[u.Participant] = u.UserID
	}
	out := make([]api.RosterEntry, 0, len(inside))
	for _, p := range inside {
		id, err := uuid.Parse(p.ParticipantID)
		if err != nil {
			return nil, fmt.Errorf("read participant id: %w", err)
		}
		out = append(out, api.RosterEntry{Participant: id, DisplayName: p.DisplayName, Guest: p.External, UserID: ids[id], Connected: p.Connected})
	}
	return out, nil
}

func (m meetings) Messages(ctx context.Context, q api.MessageQuery) (api.MessagePage, error) {
	history := protocol.ChatHistory{Before: q.Before, Limit: q.Limit}
	var got protocol.ChatMessages
	var err error
	if q.ParticipantToken != "" {
		got, err = m.node.Messages(ctx, q.MeetingID, q.ParticipantToken, history)
	} else {
		got, err = m.node.UserMessages(ctx, q.Org, q.MeetingID, q.UserID, history)
	}
	var refused *protocol.Error
	if errors.As(err, &refused) && refused.Field != "" {
		return api.MessagePage{}, &api.Error{Code: api.CodeInvalidParameter, Parameter: refused.Field, Detail: refused.Message}
	}
	if err != nil {
		return api.MessagePage{}, asLive(err)
	}
	page := api.MessagePage{More: got.More, Messages: make([]api.Message, 0, len(got.Messages))}
	for _, from := range got.Messages {
		message, err := messageOf(from)
		if err != nil {
			return api.MessagePage{}, err
		}
		page.Messages = append(page.Messages, message)
	}
	return page, nil
}

func (m meetings) Rate(ctx context.Context, callID, token string, s api.SurveyAnswer) error {
	err := m.node.Rate(ctx, callID, token, protocol.Survey{Ratings: s.Ratings, Issues: s.Issues})
	var refused *protocol.Error
	if errors.As(err, &refused) && refused.Field != "" && refused.Reason == protocol.ReasonInvalidField {
		return &api.Error{Code: api.CodeInvalidField, Parameter: refused.Field, Detail: refused.Message}
	}
	return asLive(err)
}

func messageOf(from protocol.ChatMessage) (api.Message, error) {
	to := api.Message{ID: from.MessageID, DisplayName: from.DisplayName, External: from.External, Text: from.Text}
	var err error
	if to.Participant, err = uuid.Parse(from.ParticipantID); err != nil {
		return to, fmt.Errorf("read participant id: %w", err)
	}
	if to.SentAt, err = time.Parse(time.RFC3339, from.SentAt); err != nil {
		return to, fmt.Errorf("read time of message: %w", err)
	}
	if from.EditedAt == "" {
		return to, nil
	}
	if to.EditedAt, err = time.Parse(time.RFC3339, from.EditedAt); err != nil {
		return to, fmt.Errorf("read time of edit: %w", err)
	}
	return to, nil
}

// asLive translates what the node refuses.
func asLive(err error) error {
	var refused *protocol.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Reason {
	case protocol.ReasonNotFound, protocol.ReasonMeetingEnded:
		return api.ErrNotRunning
	case protocol.ReasonNotInMeeting, protocol.ReasonNotAdmitted:
		return api.ErrNotInMeeting
	case protocol.ReasonRateLimited:
		return &api.Error{Code: api.CodeTooManyRequests}
	case protocol.ReasonInvalidToken, protocol.ReasonResumeExpired:
		return &identity.Error{Reason: identity.TokenSignature, Detail: refused.Message}
	case protocol.ReasonInternal:
		return err
	}
	return &api.Error{Code: api.CodeForbidden, Detail: refused.Message} // policy's
}
