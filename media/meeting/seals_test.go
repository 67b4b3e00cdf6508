package meeting

import (
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
)

// seals is a Sealer with one key per region, which opens what it sealed. Keys that come and go are package sealing's, tried with the whole service.
type seals struct {
	t    *testing.T
	kem  hpke.KEM
	mu   sync.Mutex
	keys map[string]hpke.PrivateKey // guarded by mu
	away map[string]bool            // guarded by mu: regions that publish no key
}

func newSeals(t *testing.T) *seals {
	return &seals{t: t, kem: hpke.DHKEM(ecdh.X25519()), keys: map[string]hpke.PrivateKey{}, away: map[string]bool{}}
}

// key of a region, made when it is asked for.
func (s *seals) key(region string) hpke.PrivateKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[region] == nil {
		key, err := s.kem.GenerateKey()
		if err != nil {
			s.t.Fatal(err)
		}
		s.keys[region] = key
	}
	return s.keys[region]
}

// without takes a region's key away from those who seal, and returns what brings it back.
func (s *seals) without(region string) (again func()) {
	set := func(away bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.away[region] = away
	}
	set(true)
	return func() { set(false) }
}

func (s *seals) Seal(region string, about, text []byte) (keyID string, sealed []byte, err error) {
	s.mu.Lock()
	away := s.away[region]
	s.mu.Unlock()
	if away {
		return "", nil, errors.New("no key")
	}
	sealed, err = hpke.Seal(s.key(region).PublicKey(), hpke.HKDFSHA256(), hpke.AES256GCM(), about, text)
	return region + "-key", sealed, err
}

// opened is what a region's copier or ingest makes of an act: the texts by region, and who holds them.
type opened struct {
	Act     eventpb.Chat_Act
	Thread  event.ChatContent
	Copies  map[string]event.ChatContent
	Holders map[string][]uuid.UUID
}

func (s *seals) open(e *eventpb.Event) opened {
	s.t.Helper()
	text := func(region, keyID string, sealed []byte) event.ChatContent {
		if len(sealed) == 0 {
			return event.ChatContent{}
		}
		if keyID != region+"-key" {
			s.t.Errorf("sealed for %s to %q", region, keyID)
		}
		plain, err := hpke.Open(s.key(region), hpke.HKDFSHA256(), hpke.AES256GCM(), event.SealingContext(e, region), sealed)
		if err != nil {
			s.t.Errorf("open for %s: %v", region, err)
			return event.ChatContent{}
		}
		content, err := event.ParseChatContent(plain)
		if err != nil {
			s.t.Error(err)
		}
		return content
	}
	chat := e.GetChat()
	out := opened{
		Act: chat.GetAct(), Thread: text(e.GetRegion(), chat.GetSealingKeyId(), chat.GetSealedText()),
		Copies: map[string]event.ChatContent{}, Holders: map[string][]uuid.UUID{},
	}
	for _, c := range chat.GetCopies() {
		out.Copies[c.GetRegion()] = text(c.GetRegion(), c.GetSealingKeyId(), c.GetSealedText())
		for _, h := range c.GetHolders() {
			out.Holders[c.GetRegion()] = append(out.Holders[c.GetRegion()], uuid.UUID(h.GetParticipantId()))
		}
	}
	return out
}

// acts are the chat events that were recorded, opened.
func (k *kit) acts() []opened {
	k.t.Helper()
	var out []opened
	for _, e := range k.notes.all() {
		if e.GetChat() != nil {
			out = append(out, k.seals.open(e))
		}
	}
	return out
}
