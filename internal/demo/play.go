package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/anteroom/anteroom/media/client"
	"github.com/anteroom/anteroom/media/protocol"
)

// Meeting is where the demonstration meeting is played, and how its people get in.
type Meeting struct {
	// URL of the server; ID and Secret are of the meeting's link.
	URL, ID, Secret string
	// UserToken is a token of an org user, GuestToken one of the join page's.
	UserToken  func(user, name string) (string, error)
	GuestToken func(ctx context.Context) (string, error)
}

// Users of the organisation that the meeting needs, by id, with their names. The first is the host.
func Users() [][2]string { return [][2]string{{"ada", "Dr. Ada Byron"}, {"ben", "Ben Okafor"}} }

// The guests of the meeting. Their names are made up, and stay in the meeting.
const (
	goodGuest = "Dana Demo-Guest"
	badGuest  = "Milo Demo-Guest"
	stranger  = "Nobody Invited"
)

// Guests are the names of the meeting's guests, which may be found nowhere but in the meeting.
func Guests() []string { return []string{goodGuest, badGuest, stranger} }

// Play plays a meeting: a guest waits for a host, guests wait in the lobby, one is turned away, they speak, show themselves and write, some of it is recorded, one of
// them has a bad network and is cut off for a moment, and they say how it was. It takes less than a minute, uses the little media that measurements
// need, and leaves nobody in when it returns, also when ctx ends before: then the meeting is ended at once.
func Play(ctx context.Context, m Meeting) (err error) {
	p := &play{Meeting: m, over: make(chan struct{})}
	defer func() { err = errors.Join(err, p.clear(ctx.Err() != nil)) }()
	for _, act := range []struct {
		name string
		do   func(context.Context) error
		then time.Duration
	}{
		{"a guest waits for a host", p.open, time.Second},
		{"guests are let in", p.letIn, time.Second},
		{"one is turned away", p.turnAway, time.Second},
		{"everybody publishes", p.publish, 8 * time.Second},
		{"they write", p.write, 4 * time.Second},
		{"it is recorded", p.record, 12 * time.Second},
		{"it is not any more", p.stopRecording, 2 * time.Second},
		{"one is cut off", p.cutOff, 8 * time.Second},
		{"they say how it was", p.rate, time.Second},
	} {
		if err := act.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", act.name, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", act.name, ctx.Err())
		case <-time.After(act.then):
		}
	}
	return nil
}

type play struct {
	Meeting
	host, ben, dana, milo *client.Client

	all []*client.Client

	acknowledging sync.WaitGroup
	over          chan struct{} // closed when nothing is acknowledged any more
}

// patience bounds each single request.
const patience = 15 * time.Second

// enter has somebody join: an org user by id, or a guest.
func (p *play) enter(ctx context.Context, user, name string, info protocol.ClientInfo, network client.Network) (*client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	settings, err := client.Impaired(network)
	if err != nil {
		return nil, err //nolint:wrapcheck // the client says what it did
	}
	join := protocol.Join{Meeting: p.ID, Secret: p.Secret, Client: info}
	if user != "" {
		join.UserToken, err = p.UserToken(user, name)
	} else {
		join.DisplayName = name
		join.GuestToken, err = p.GuestToken(ctx)
	}
	if err != nil {
		return nil, err
	}
	notices := make(chan protocol.Notice, 8)
	c, err := client.Dial(ctx, p.URL+"/v1/connect", client.Options{Settings: settings, OnEvent: func(e client.Event) {
		var notice protocol.Notice
		if e.Type == protocol.TypeNotice && e.Decode(&notice) == nil {
			select {
			case notices <- notice:
			default: // more than there ever are
			}
		}
	}})
	if err != nil {
		return nil, err //nolint:wrapcheck // the client says what it did
	}
	p.acknowledging.Go(func() {
		for {
			select {
			case <-p.over:
				return
			case notice := <-notices: // as a page would, once it shows it
				_ = within(context.Background(), func(ctx context.Context) error { return c.NoticeAck(ctx, notice.NoticeID) })
			}
		}
	})
	p.all = append(p.all, c)
	_, err = c.Join(ctx, join)
	return c, err //nolint:wrapcheck // the client says what it did
}

func (p *play) open(ctx context.Context) (err error) {
	chrome := protocol.ClientInfo{Family: "Chrome", Version: "142", OS: "Windows"}
	p.dana, err = p.enter(ctx, "", goodGuest, chrome, client.Network{Delay: 15 * time.Millisecond, Jitter: 4 * time.Millisecond})
	return err
}

func (p *play) letIn(ctx context.Context) (err error) {
	users := Users()
	if p.host, err = p.enter(ctx, users[0][0], users[0][1], protocol.ClientInfo{Family: "Firefox", Version: "140", OS: "Linux"}, client.Network{}); err != nil {
		return err
	}
	if p.ben, err = p.enter(ctx, users[1][0], users[1][1], protocol.ClientInfo{Family: "Safari", Version: "26", OS: "macOS"}, client.Network{
		LossDown: 0.01, Delay: 30 * time.Millisecond, Jitter: 10 * time.Millisecond,
	}); err != nil {
		return err
	}
	if p.milo, err = p.enter(ctx, "", badGuest, protocol.ClientInfo{Family: "Chrome", Version: "139", OS: "Android"}, client.Network{
		LossUp: 0.12, LossDown: 0.06, Delay: 90 * time.Millisecond, Jitter: 150 * time.Millisecond,
	}); err != nil {
		return err
	}
	return p.admit(ctx, p.dana, p.milo)
}

// admit lets guests in and waits until they are.
func (p *play) admit(ctx context.Context, guests ...*client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, guest := range guests {
		if err := p.host.Admit(ctx, guest.Joined().ParticipantID); err != nil {
			return err //nolint:wrapcheck // the client says what it did
		}
		for state := guest.Joined().State; state != protocol.StateAdmitted; {
			e, err := guest.Next(ctx, protocol.TypeState)
			if err != nil {
				return err //nolint:wrapcheck // the client says what it did
			}
			var now protocol.State
			if err := e.Decode(&now); err != nil {
				return err //nolint:wrapcheck // the client says what it did
			}
			state = now.State
		}
	}
	return nil
}

func (p *play) turnAway(ctx context.Context) error {
	c, err := p.enter(ctx, "", stranger, protocol.ClientInfo{Family: "Edge", Version: "142", OS: "Windows"}, client.Network{})
	if err != nil {
		return err
	}
	return within(ctx, func(ctx context.Context) error { return p.host.Reject(ctx, c.Joined().ParticipantID) })
}

func (p *play) publish(ctx context.Context) error {
	camera := client.Source{Kind: client.Video, Bitrate: 150_000, FrameRate: 15, Height: 360}
	for i, c := range []*client.Client{p.host, p.dana, p.milo, p.ben} {
		sources := []client.Source{{Kind: client.Audio, Level: uint8(25 + 5*i)}} //nolint:gosec // four of them
		if c != p.ben {
			sources = append(sources, camera)
		}
		err := within(ctx, func(ctx context.Context) error {
			_, err := c.Publish(ctx, sources...)
			return err //nolint:wrapcheck // the client says what it did
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *play) write(ctx context.Context) error {
	for _, line := range []struct {
		by   *client.Client
		text string
	}{
		{p.host, "Welcome. Can everybody hear me?"}, {p.dana, "Loud and clear."}, {p.milo, "You keep breaking up here."}, {p.ben, "The summary is in the shared folder."},
	} {
		err := within(ctx, func(ctx context.Context) error {
			_, err := line.by.ChatSend(ctx, protocol.ChatSend{Text: line.text})
			return err //nolint:wrapcheck // the client says what it did
		})
		if err != nil {
			return err
		}
	}
	// A guest can't raise a hand: a refusal, with its reason, among the decisions.
	_ = within(ctx, func(ctx context.Context) error { return p.dana.Activity(ctx, "raise_hand", nil) })
	return within(ctx, func(ctx context.Context) error { return p.milo.Diagnostic(ctx, "networkReceiveQuality", "Poor") })
}

func (p *play) record(ctx context.Context) error {
	// Nothing to record to: the rest of the meeting is worth showing all the same.
	_ = within(ctx, p.host.StartRecording)
	return ctx.Err()
}

func (p *play) stopRecording(ctx context.Context) error {
	_ = within(ctx, p.host.StopRecording)
	return ctx.Err()
}

func (p *play) cutOff(ctx context.Context) error {
	p.milo.Drop()
	return within(ctx, func(ctx context.Context) error {
		if _, err := p.milo.Reconnect(ctx); err != nil {
			return err //nolint:wrapcheck // the client says what it did
		}
		return p.milo.Diagnostic(ctx, "networkReconnect", "Bad") //nolint:wrapcheck // the client says what it did
	})
}

func (p *play) rate(ctx context.Context) error {
	return within(ctx, func(ctx context.Context) error {
		return errors.Join(
			p.milo.Survey(ctx, protocol.Survey{Ratings: map[string]int{"overall": 2, "audio": 1}, Issues: map[string][]string{"audio": {"AudioInterruption"}}}),
			p.host.Survey(ctx, protocol.Survey{Ratings: map[string]int{"overall": 4}}),
		)
	})
}

func within(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return do(ctx)
}

// clear ends the meeting and all clients. In a hurry nobody waits for long.
func (p *play) clear(hurry bool) error {
	limit := patience
	if hurry {
		limit = time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var err error
	if p.host != nil {
		err = p.host.EndMeeting(ctx)
	}
	var all sync.WaitGroup
	for _, c := range p.all {
		all.Go(c.Close)
	}
	all.Wait()
	close(p.over)
	p.acknowledging.Wait()
	return err //nolint:wrapcheck // the client says what it did
}
