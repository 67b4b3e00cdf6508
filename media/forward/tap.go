package forward

import "time"

type tap struct{}

func (t *tap) offer(*packet) {}
func (t *tap) stop()         {}

func (t *track) tapReport(time.Time, uint32, *layer) {}
func (p *Peer) tapTrack(*track)                      {}

// Tap copies the peer's media until stop is called; stop closes the tap's writers and returns when they are closed.
func (p *Peer) Tap(Tap) (stop func()) { return func() {} }
