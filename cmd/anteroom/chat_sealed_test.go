package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/media/protocol"
	"github.com/anteroom/anteroom/sealing"
	"github.com/anteroom/anteroom/store"
)

// chatRecords are the acts on the chat topic of a call, in order of what they are about; raw is all of them as they stand in Kafka.
func (r *rig) chatRecords(t *testing.T, call string) (acts []*eventpb.Event, raw []byte) {
	t.Helper()
	for _, m := range r.records(t, event.Topic("emea", event.Content)) {
		e, err := event.Decode(m.Value)
		if err != nil {
			t.Fatal(err)
		}
		if e.CallId == call {
			raw = append(raw, m.Value...)
			if e.GetChat() != nil { // whose guest somebody is comes by the same way
				acts = append(acts, e)
			}
		}
	}
	slices.SortFunc(acts, func(a, b *eventpb.Event) int { return int(a.ObservedAtUs - b.ObservedAtUs) })
	return acts, raw
}

// unknownProgress is of somebody who doesn't know: keys are kept.
type unknownProgress struct{}

func (unknownProgress) Ingested(context.Context, time.Time) (bool, error) { return false, nil }

// openerOf opens what is sealed for a region with the keys of a data folder.
func openerOf(t *testing.T, data, region string) func(e *eventpb.Event, keyID string, sealed []byte) (string, error) {
	t.Helper()
	cfg := sealing.DefaultConfig()
	cfg.Dir = filepath.Join(data, "keys")
	elsewhere := store.DefaultConfig()
	elsewhere.Addresses = []string{"127.0.0.1:1"} // asked about keys only that are not in the folder
	home, err := store.Open(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = home.Close() })
	keeper, err := sealing.NewKeeper(cfg, region, sealing.KeeperDeps{Home: home, Progress: unknownProgress{}})
	if err != nil {
		t.Fatal(err)
	}
	return func(e *eventpb.Event, keyID string, sealed []byte) (string, error) {
		text, err := keeper.Open(t.Context(), keyID, event.SealingContext(e, region), sealed)
		if err != nil {
			return "", err
		}
		content, err := event.ParseChatContent(text)
		return content.Text, err
	}
}

// What is said crosses Kafka sealed: to the home region, and to the region of each guest who may receive it, with these guests as its holders.
func TestRule_S5_ChatIsSealedOnItsWay(t *testing.T) {
	t.Parallel()
	r := usualRig.get(t)
	s := newStage(t, r, nil, nil)
	far := s.house.application(fields{"region": "amer"})
	secret := func(what string) string { return what + "-" + strings.ToLower(rand.Text()[:16]) }
	before, said, answered, edited, after := secret("before"), secret("said"), secret("answered"), secret("edited"), secret("after")

	host := s.host
	send := func(p *person, text string) string {
		t.Helper()
		sent, err := p.ChatSend(p.soon(), protocol.ChatSend{Text: text})
		p.do(err)
		return sent.MessageID
	}
	send(host, before)
	near, away := s.inside("Greta"), s.admitted(host, far, "Ferdinand")
	waiting := s.guest(s.app, "Walter")
	id := send(host, said)
	await(away, protocol.TypeChatMessage, func(m protocol.ChatMessage) bool { return m.Text == said })
	reply := send(away, answered)
	host.do(host.ChatEdit(host.soon(), id, edited))
	await(away, protocol.TypeChatEdited, func(m protocol.ChatEdited) bool { return m.Text == edited })
	away.do(away.ChatDelete(away.soon(), reply))
	away.do(away.Leave(away.soon()))
	await(host, protocol.TypeParticipantLeft, func(p protocol.ParticipantLeft) bool { return p.ParticipantID == away.id() })
	send(host, after)
	_ = waiting

	acts, raw := r.chatRecords(t, host.Joined().CallID)
	for _, text := range []string{before, said, answered, edited, after} {
		if bytes.Contains(raw, []byte(text)) {
			t.Errorf("%q stands in Kafka", text)
		}
	}
	homeOpens, amerOpens := openerOf(t, r.data, "emea"), openerOf(t, r.data, "amer")
	type got struct {
		Act           string
		Thread, Amer  string
		Emea, AmerHas []string
	}
	var have []got
	for _, e := range acts {
		c := e.GetChat()
		g := got{Act: c.Act.String()}
		if len(c.SealedText) > 0 {
			var err error
			if g.Thread, err = homeOpens(e, c.SealingKeyId, c.SealedText); err != nil {
				t.Errorf("open the thread's text: %v", err)
			}
			if _, err := amerOpens(e, c.SealingKeyId, c.SealedText); err == nil {
				t.Error("amer opens the thread's text")
			}
		}
		for _, copied := range c.Copies {
			holders := []string{}
			for _, h := range copied.Holders {
				holders = append(holders, uuid.UUID(h.ParticipantId).String()+" of "+h.ResourceId)
			}
			switch copied.Region {
			case "emea":
				if g.Emea = holders; len(copied.SealedText) > 0 {
					t.Error("the home region's copy has a text of its own")
				}
			case "amer":
				g.AmerHas = holders
				if len(copied.SealedText) == 0 {
					break
				}
				var err error
				if g.Amer, err = amerOpens(e, copied.SealingKeyId, copied.SealedText); err != nil {
					t.Errorf("open the copy's text: %v", err)
				}
				if _, err := homeOpens(e, copied.SealingKeyId, copied.SealedText); err == nil {
					t.Error("emea opens amer's copy")
				}
			}
		}
		if c.MeetingId != s.id || c.SentAtUs == 0 {
			t.Errorf("%s: meeting %q, sent at %d", g.Act, c.MeetingId, c.SentAtUs)
		}
		have = append(have, g)
	}
	nearHolds, awayHolds := []string{near.id() + " of " + s.app.id}, []string{away.id() + " of " + far.id}
	want := []got{
		{Act: "ACT_SENT", Thread: before},
		{Act: "ACT_SENT", Thread: said, Amer: said, Emea: nearHolds, AmerHas: awayHolds},
		{Act: "ACT_SENT", Thread: answered, Amer: answered, Emea: nearHolds, AmerHas: awayHolds},
		{Act: "ACT_EDITED", Thread: edited, Amer: edited},
		{Act: "ACT_DELETED"},
		{Act: "ACT_SENT", Thread: after, Emea: nearHolds},
	}
	if diff := cmp.Diff(want, have, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("on the chat topic (-want +got):\n%s", diff)
	}
	for _, region := range []string{"emea", "amer"} {
		r.checkKeys(t, region)
	}
}

// checkKeys looks at who may read a region's keys.
func (r *rig) checkKeys(t *testing.T, region string) {
	t.Helper()
	dir := filepath.Join(r.data, "keys", region)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files of keys, %v", len(files), err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o", f.Name(), info.Mode().Perm())
		}
	}
}

// Organisations are of the home region, applications of a region that is here.
func TestRegionsThatAreNotHere(t *testing.T) {
	t.Parallel()
	h := newHouse(t, usualRig.get(t), nil)
	for path, c := range map[string]struct {
		token string
		input fields
	}{
		"/v1/resources":     {h.admin, fields{"name": "Stray", "region": "apac", "keys": fields{"keys": []fields{}}}},
		"/v1/organizations": {h.token("operator", "operator"), fields{"id": "stray", "name": "Stray", "region": "amer"}},
	} {
		var problem struct{ Field string }
		h.rig.must(t, http.StatusUnprocessableEntity, c.token, http.MethodPost, path, c.input).read(t, &problem)
		if problem.Field != "region" {
			t.Errorf("%s: refused for the field %q", path, problem.Field)
		}
	}
}
