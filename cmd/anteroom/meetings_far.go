package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/anteroom/anteroom/api"
	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/media/nodes"
)

// askPath is where a media node answers other processes about its meetings.
const askPath = "/internal/meetings"

const (
	// askTTL is how long a question is good for, askPatience how long an answer may take.
	askTTL      = 30 * time.Second
	askPatience = 15 * time.Second
	// askBytes bounds an answer: the longest is a page of messages.
	askBytes = 32 << 20
)

// question is what one process asks another about a meeting, on behalf of whom its API has let in. It travels sealed, by the master key that all have.
type question struct {
	What    string           `json:"what"`
	Org     string           `json:"org,omitempty"`
	Meeting string           `json:"meeting"`
	By      string           `json:"by,omitempty"`
	Query   api.MessageQuery `json:"query"`
}

const (
	askEnd      = "end"
	askRoster   = "roster"
	askMessages = "messages"
)

// reply is the answer.
type reply struct {
	Roster []api.RosterEntry `json:"roster,omitempty"`
	Page   api.MessagePage   `json:"page"`
	// Refused is why not, as the API of the process that asked tells it; empty: it is done.
	Refused   string `json:"refused,omitempty"`
	Code      string `json:"code,omitempty"`
	Parameter string `json:"parameter,omitempty"`
	Detail    string `json:"detail,omitempty"`
}

const (
	refusedNotRunning   = "not_running"
	refusedNotInMeeting = "not_in_meeting"
	refusedToken        = "token"
	refusedOther        = "problem"
	refusedFailed       = "failed"
)

// farMeetings are the meetings of all nodes, as the API asks for them.
type farMeetings struct {
	near  api.Meetings // nil without the role media
	nodes *nodes.Nodes
	seal  *identity.Verifier
	http  *http.Client
}

func (f farMeetings) End(ctx context.Context, org, meetingID, by string) error {
	if f.near != nil {
		if err := f.near.End(ctx, org, meetingID, by); !errors.Is(err, api.ErrNotRunning) {
			return err
		}
	}
	_, err := f.ask(ctx, question{What: askEnd, Org: org, Meeting: meetingID, By: by}, api.ErrNotRunning)
	return err
}

func (f farMeetings) Roster(ctx context.Context, meetingID string) ([]api.RosterEntry, error) {
	if f.near != nil {
		if got, err := f.near.Roster(ctx, meetingID); !errors.Is(err, api.ErrNotRunning) {
			return got, err
		}
	}
	got, err := f.ask(ctx, question{What: askRoster, Meeting: meetingID}, api.ErrNotRunning)
	return got.Roster, err
}

func (f farMeetings) Messages(ctx context.Context, q api.MessageQuery) (api.MessagePage, error) {
	if f.near != nil {
		if got, err := f.near.Messages(ctx, q); !errors.Is(err, api.ErrNotInMeeting) && !errors.Is(err, api.ErrNotRunning) {
			return got, err
		}
	}
	got, err := f.ask(ctx, question{What: askMessages, Meeting: q.MeetingID, Query: q}, api.ErrNotInMeeting)
	return got.Page, err
}

// ask asks the node that has the meeting. Where none has it, the answer is nowhere.
func (f farMeetings) ask(ctx context.Context, q question, nowhere error) (reply, error) {
	url, shared, err := f.nodes.Find(ctx, q.Meeting)
	switch {
	case err != nil:
		return reply{}, err
	case !shared && f.near == nil:
		return reply{}, &api.Error{Code: api.CodeMediaUnavailable}
	case url == "":
		return reply{}, nowhere
	}
	sealed, err := f.seal.Sign(identity.KindRelay, q, askTTL)
	if err != nil {
		return reply{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(url, "/")+askPath, strings.NewReader(sealed))
	if err != nil {
		return reply{}, fmt.Errorf("ask a meeting's node: %w", err)
	}
	resp, err := f.http.Do(req)
	if err != nil {
		return reply{}, fmt.Errorf("ask a meeting's node: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return reply{}, fmt.Errorf("ask a meeting's node: it answered HTTP status %d", resp.StatusCode)
	}
	var got reply
	if err := json.NewDecoder(io.LimitReader(resp.Body, askBytes)).Decode(&got); err != nil {
		return reply{}, fmt.Errorf("read what a meeting's node answers: %w", err)
	}
	return got, got.err()
}

func (r reply) err() error {
	switch r.Refused {
	case "":
		return nil
	case refusedNotRunning:
		return api.ErrNotRunning
	case refusedNotInMeeting:
		return api.ErrNotInMeeting
	case refusedToken:
		return &identity.Error{Reason: identity.TokenSignature, Detail: r.Detail}
	case refusedOther:
		return &api.Error{Code: api.Code(r.Code), Parameter: r.Parameter, Detail: r.Detail}
	}
	return errors.New("a meeting's node failed to answer; its log says why")
}

// answerAsked serves the questions of other processes about the meetings that run here.
func (s *service) answerAsked(near api.Meetings) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		var q question
		if err != nil || r.Method != http.MethodPost || s.identity.Open(identity.KindRelay, string(body), &q) != nil || q.What == "" {
			http.Error(w, "only processes of this installation are answered here", http.StatusForbidden)
			return
		}
		var got reply
		switch q.What {
		case askEnd:
			err = near.End(r.Context(), q.Org, q.Meeting, q.By)
		case askRoster:
			got.Roster, err = near.Roster(r.Context(), q.Meeting)
		case askMessages:
			got.Page, err = near.Messages(r.Context(), q.Query)
		default:
			err = fmt.Errorf("another process asks for %q, which this version doesn't know", q.What)
		}
		if err != nil {
			got = s.refusalOf(r.Context(), err)
		}
		var out bytes.Buffer
		if err := json.NewEncoder(&out).Encode(got); err != nil {
			http.Error(w, "the answer could not be written", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(out.Bytes())
	})
}

// refusalOf is how an error of a meeting is told to the process that asked.
func (s *service) refusalOf(ctx context.Context, err error) reply {
	var problem *api.Error
	var token *identity.Error
	switch {
	case errors.Is(err, api.ErrNotRunning):
		return reply{Refused: refusedNotRunning}
	case errors.Is(err, api.ErrNotInMeeting):
		return reply{Refused: refusedNotInMeeting}
	case errors.As(err, &token):
		return reply{Refused: refusedToken, Detail: token.Detail}
	case errors.As(err, &problem):
		return reply{Refused: refusedOther, Code: string(problem.Code), Parameter: problem.Parameter, Detail: problem.Detail}
	}
	s.log.ErrorContext(ctx, "a question of another process about a meeting failed", "error", err)
	return reply{Refused: refusedFailed}
}
