package forward

import (
	"time"

	"github.com/anteroom/anteroom/media/protocol"
)

func (p *Peer) report(time.Time)                     {}
func (p *Peer) trackEnded(*track)                    {}
func (p *Peer) subscriptionEnded(*subscription)      {}
func (p *Peer) addClientStats([]protocol.TrackStats) {}
