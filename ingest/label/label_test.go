package label_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/label"
)

func pseudonyms(t *testing.T, master byte, org string) label.Pseudonyms {
	t.Helper()
	keys, err := label.NewKeyring(bytes.Repeat([]byte{master}, label.MinKeyLen))
	if err != nil {
		t.Fatal(err)
	}
	p, err := keys.For(org)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRule_D4_PseudonymsAreScopedToTheCall shows that within a call the same participant is recognised and another told apart, and that
// nothing links a participant across calls, organisations or keys.
func TestRule_D4_PseudonymsAreScopedToTheCall(t *testing.T) {
	clinic := pseudonyms(t, 1, "clinic")
	dana := clinic.ID(label.Participant, "call-1", "dana")
	if !bytes.Equal(dana, clinic.ID(label.Participant, "call-1", "dana")) {
		t.Error("the same participant of the same call has two pseudonyms")
	}
	for name, other := range map[string][]byte{
		"another participant":  clinic.ID(label.Participant, "call-1", "dan"),
		"another call":         clinic.ID(label.Participant, "call-2", "dana"),
		"another kind":         clinic.ID(label.Stream, "call-1", "dana"),
		"another organisation": pseudonyms(t, 1, "court").ID(label.Participant, "call-1", "dana"),
		"another key":          pseudonyms(t, 2, "clinic").ID(label.Participant, "call-1", "dana"),
		"shifted parts":        clinic.ID(label.Participant, "call-1", "da", "na"),
		"shifted call":         clinic.ID(label.Participant, "call-1d", "ana"),
	} {
		if bytes.Equal(dana, other) {
			t.Errorf("%s has the same pseudonym", name)
		}
	}
	if len(dana) != 16 || dana[6]>>4 != 8 || dana[8]>>6 != 2 {
		t.Errorf("%x is no UUID of version 8", dana)
	}
}

// TestRule_D2_OnlyProvenOrgUsersAreKnown shows whose name is kept.
func TestRule_D2_OnlyProvenOrgUsersAreKnown(t *testing.T) {
	for kind, want := range map[eventpb.Identity_Kind]label.Identity{
		eventpb.Identity_KIND_ORG_USER:    {OrgUser: true, UserID: "u-1", DisplayName: "Olga"},
		eventpb.Identity_KIND_GUEST:       {},
		eventpb.Identity_KIND_UNSPECIFIED: {},
		eventpb.Identity_KIND_SERVICE:     {Service: true},
		99:                                {},
	} {
		got := label.Resolve(&eventpb.Identity{Kind: kind, UserId: "u-1", DisplayName: "Olga"})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("kind %v (-want +got):\n%s", kind, diff)
		}
	}
	if got := label.Resolve(nil); got != (label.Identity{}) {
		t.Errorf("nobody is known as %+v", got)
	}
}

func TestShortKeyIsRefused(t *testing.T) {
	if _, err := label.NewKeyring(make([]byte, label.MinKeyLen-1)); err == nil {
		t.Error("a key of 31 bytes was taken")
	}
}

func TestReduceUserAgent(t *testing.T) {
	for agent, want := range map[string]label.Client{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/99.0.4844.51 Safari/537.36":                              {Family: "Chrome", Version: "99", OS: "Windows"},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91":               {Family: "Edge", Version: "120", OS: "Windows"},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:82.0) Gecko/20100101 Firefox/82.0":                                                              {Family: "Firefox", Version: "82", OS: "macOS"},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.4 Safari/605.1.15":                           {Family: "Safari", Version: "15", OS: "macOS"},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 16_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.1 Mobile/15E148 Safari/604.1":         {Family: "Safari", Version: "16", OS: "iOS"},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 16_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/107.0.5304.66 Mobile/15E148 Safari/604.1":  {Family: "Chrome", Version: "107", OS: "iOS"},
		"Mozilla/5.0 (Linux; Android 12; SM-G991B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/19.0 Chrome/102.0.5005.125 Mobile Safari/537.36": {Family: "Samsung Internet", Version: "19", OS: "Android"},
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36":                                   {Family: "Chrome", Version: "156", OS: "Linux"},
		"": {}, "something else": {},
	} {
		if diff := cmp.Diff(want, label.ReduceUserAgent(agent)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", agent, diff)
		}
	}
}
