package forward

import (
	"time"

	"github.com/pion/rtcp"
)

// keyframes throttles the requests for key frames of one layer, whoever of its subscribers needs one.
type keyframes struct {
	wanted bool
	asked  time.Time
}

// needKey notes that a subscriber needs a key frame and asks for it, at once or when the interval since the last request has passed.
func (l *layer) needKey() {
	l.mu.Lock()
	l.keyed.wanted = true
	l.mu.Unlock()
	l.askKey(time.Now())
}

// askKey sends the request that is wanted and due.
func (l *layer) askKey(now time.Time) {
	peer := l.section.publisher.peer
	l.mu.Lock()
	due := l.keyed.wanted && now.Sub(l.keyed.asked) >= peer.cfg.KeyframeInterval
	if due {
		l.keyed.wanted, l.keyed.asked = false, now
	}
	l.mu.Unlock()
	if due {
		l.in.PLI()
		l.section.publisher.write(&rtcp.PictureLossIndication{MediaSSRC: l.ssrc})
	}
}

// keyArrived: whoever waited has it now. Requests made after the one that it answers would only bring another.
func (l *layer) keyArrived(time.Time) {
	l.mu.Lock()
	l.keyed.wanted = false
	l.mu.Unlock()
}
