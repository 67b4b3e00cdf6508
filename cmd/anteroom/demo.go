package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/ingest"
	"github.com/anteroom/anteroom/internal/demo"
	"github.com/anteroom/anteroom/store"
)

// demoOrg is the organisation that hosted the demonstration calls.
const demoOrg = "demo"

// loadDemo imports the demonstration calls if there are no others, the same way as any file: over Kafka. What an earlier run was
// cut off from is made up for. It tells whether any were loaded.
func (s *service) loadDemo(ctx context.Context) (bool, error) {
	defer s.loading.Store(false)
	wanted, err := s.lacksDemo(ctx)
	if err != nil || !wanted {
		return false, err
	}
	defer s.cli.progress("Loading the demonstration calls")()
	var calls []string
	for _, file := range demo.Files() {
		request := ingest.ImportRequest{Format: ingest.FormatRTCStats, Org: demoOrg, Body: bytes.NewReader(file.Data)}
		got, err := s.importer.Import(ctx, request)
		if err != nil {
			return false, fmt.Errorf("load demonstration call %s: %w", file.Name, err)
		}
		calls = append(calls, got.Calls...)
	}
	if err := s.awaitSummaries(ctx, demoOrg, calls); err != nil {
		return false, fmt.Errorf("load demonstration calls: %w", err)
	}
	s.log.InfoContext(ctx, "demonstration calls loaded", "files", len(demo.Files()))
	return true, nil
}

// playDemo has the demonstration meeting played while the service goes on, and given up when it stops. It is not the meeting that there is to try.
func (s *service) playDemo() {
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		switch err := s.play(ctx); {
		case err == nil:
			s.log.InfoContext(ctx, "demonstration meeting played")
		case ctx.Err() == nil:
			s.log.WarnContext(ctx, "demonstration meeting failed", "error", err)
		}
	}()
	s.app.OnStop("demonstration meeting", func(stop context.Context) error {
		cancel()
		select {
		case <-over:
			return nil
		case <-stop.Done():
			return stop.Err()
		}
	})
}

func (s *service) play(ctx context.Context) error {
	facts, ok := s.directory.Meeting(playedMeeting)
	if !ok {
		return nil
	}
	return demo.Play(ctx, demo.Meeting{
		URL: s.url, ID: playedMeeting, Secret: s.identity.LinkSecret(playedMeeting, facts.Meeting.LinkVersion),
		UserToken: func(user, name string) (string, error) {
			return s.devIssuer.NamedToken(demoOrg, []identity.Role{identity.OrgUser}, user, name, time.Hour)
		},
		GuestToken: func(ctx context.Context) (string, error) { return joinPageToken(ctx, s.url) },
	})
}

// What there is to try a meeting with.
const (
	demoMeeting = "5f6d0d5c-8f0e-4c9e-9a40-2f4f6c6b7a11"
	demoUser    = "ada"
)

// playedMeeting is the one that is played.
const playedMeeting = "0c6a7f0e-52a9-4f07-9d3c-1d1c1b5ab0d2"

// makeDemoMeeting makes an organisation with a meeting where there are no organisations, and returns the meeting's link; "" if it isn't there.
func (s *service) makeDemoMeeting(ctx context.Context) (string, error) {
	select {
	case <-s.directory.Ready():
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if len(s.directory.Organizations.All()) == 0 {
		if err := s.putDemo(ctx); err != nil && !errors.Is(err, store.ErrConflict) {
			return "", fmt.Errorf("make demonstration meeting: %w", err)
		}
	}
	facts, ok := s.directory.Meeting(demoMeeting)
	if !ok {
		return "", nil
	}
	return fmt.Sprintf("%s/join/%s#%s", s.url, demoMeeting, s.identity.LinkSecret(demoMeeting, facts.Meeting.LinkVersion)), nil
}

func (s *service) putDemo(ctx context.Context) error {
	const author = "anteroom run"
	_, err := s.directory.Organizations.Put(ctx, directory.Organization{
		ID: demoOrg, Name: "Demo Clinic", Kind: directory.KindWork, Region: s.cfg.Ingest.Region,
	}, 0, author)
	if err != nil {
		return err
	}
	for _, user := range demo.Users() {
		if _, err = s.directory.Users.Put(ctx, directory.User{ID: user[0], Org: demoOrg, Name: user[1]}, 0, author); err != nil {
			return err
		}
	}
	for id, title := range map[string]string{demoMeeting: "Consultation", playedMeeting: "Case conference"} {
		if _, err = s.directory.Meetings.Put(ctx, directory.Meeting{
			ID: id, Org: demoOrg, Title: title, Kind: directory.MeetingScheduled, Organizer: demoUser, LinkVersion: 1,
		}, 0, author); err != nil {
			return err
		}
	}
	return nil
}

// lacksDemo tells whether there are no calls but some of the demonstration's.
func (s *service) lacksDemo(ctx context.Context) (bool, error) {
	all := len(demo.Files())
	calls, err := store.NewReader(s.store, store.QueryLimits{}).Calls(ctx, store.CallFilter{}, nil, all)
	if err != nil {
		return false, fmt.Errorf("look for calls: %w", err)
	}
	for _, call := range calls {
		if call.Org != demoOrg {
			return false, nil
		}
	}
	return len(calls) < all, nil
}
