package forward

import (
	"time"
)

// repair asks the publisher for what is missing and due.
func (p *Peer) repair(now time.Time) {
	for _, s := range p.pub.all() {
		if s.audio {
			continue
		}
		for _, l := range s.list() {
			if request := l.askAgain(now, 0); request != nil {
				p.pub.write(request)
			}
			l.askKey(now)
		}
	}
}

// chooseLayers gives each subscription the layer that fits.
func (p *Peer) chooseLayers(now time.Time) {
	for _, sub := range p.sub.all() {
		if sub.starving(now) {
			sub.needKey()
		}
	}
}

// everySecond sends reports.
func (p *Peer) everySecond(now time.Time, elapsed time.Duration) {
	for _, s := range p.pub.all() {
		for _, l := range s.list() {
			l.measureBits(elapsed)
		}
	}
}
