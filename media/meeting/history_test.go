package meeting

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom/anteroom/media/protocol"
)

// Edits and reactions count as messages do.
func TestHistoryStaysBounded(t *testing.T) {
	const most = 10_000
	for name, grow := range map[string]func(*chatLog, *message){
		"edits": func(c *chatLog, msg *message) { c.edit(msg, strings.Repeat("y", 3_000), time.Now()) },
		"reactions": func(c *chatLog, msg *message) {
			for range 100 {
				c.react(msg, uuid.New(), strings.Repeat("z", 64))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := newChatLog(Config{ChatMessages: 100, ChatBytes: most})
			for range 20 {
				log.add(&message{id: uuid.New(), text: "x"})
			}
			for _, msg := range slices.Clone(log.messages) {
				if log.byID[msg.id] != nil {
					grow(&log, msg)
				}
				if log.bytes > most && len(log.messages) > 1 {
					t.Fatalf("%d bytes in %d messages", log.bytes, len(log.messages))
				}
			}
			for len(log.messages) > 0 {
				log.remove(log.messages[0])
			}
			if log.bytes != 0 {
				t.Errorf("%d bytes are left", log.bytes)
			}
		})
	}
	log := newChatLog(Config{ChatMessages: 100, ChatBytes: most})
	msg, by := &message{id: uuid.New()}, uuid.New()
	log.add(msg)
	for _, reaction := range []string{"👍", "👎👎", ""} {
		log.react(msg, by, reaction)
		if log.bytes != msg.size() {
			t.Errorf("after %q: %d bytes, want %d", reaction, log.bytes, msg.size())
		}
	}
}

// Reading the history through the API doesn't say that the client has had the reply to its resume.
func TestHistoryIsNoSignOfTheClient(t *testing.T) {
	bubble(t, func(k *kit) {
		u := k.user("uma")
		u.say("hello")
		u.Disconnected(u.screen)
		s := &screen{}
		mb, _, err := k.m.Resume(t.Context(), u.Ticket(), s)
		if err != nil {
			t.Fatal(err)
		}
		k.guest("Gina")
		page, err := mb.History(protocol.ChatHistory{})
		synctest.Wait()
		if err != nil || len(page.Messages) != 1 || s.count() != 0 {
			t.Errorf("read %+v, %v; %d events before the reply", page, err, s.count())
		}
		mb.Ready()
		synctest.Wait()
		if s.count() == 0 {
			t.Error("no events after the reply")
		}
		u.must(protocol.TypeLeave, nil)
		if _, err := mb.History(protocol.ChatHistory{}); reasonOf(err) != protocol.ReasonNotInMeeting {
			t.Errorf("after leaving: %v", err)
		}
	})
}
