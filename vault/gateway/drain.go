package gateway

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/stream"
)

const (
	drainEvery = 50 * time.Millisecond
	lastWords  = time.Second // for a shim to acknowledge the last answer
)

// Drain tells every shim to go and come back later, lets calls under way
// finish, and closes each stream once its answers have arrived, all of them
// after Config.DrainTimeout or when ctx ends. Calls that wait for a sign-in
// are not waited for: their shims ask again elsewhere. No stream begins once
// Drain was called.
func (g *Gateway) Drain(ctx context.Context) {
	g.mu.Lock()
	already := g.draining
	g.draining = true
	g.mu.Unlock()
	if already {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.DrainTimeout)
	defer cancel()
	bye := wire.Bye{Reason: wire.ByeDrain, Message: "the vault restarts", RetryAfterMillis: 1000}
	frame := wire.Encode(wire.KindBye, bye)
	streams := g.all(nil)
	for _, s := range streams {
		g.spawn(func() { s.Send(frame) })
	}
	g.cfg.Log.Info("draining", "streams", len(streams))
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	quiet := map[*stream.Stream]time.Time{} // since when no call is under way
	for {
		select {
		case <-ctx.Done():
			for _, s := range g.all(nil) {
				s.Drop(wsconn.CodeGoingAway, &bye)
			}
			return
		case now := <-tick.C:
			if g.drainSome(quiet, now) == 0 {
				return
			}
		}
	}
}

// drainSome closes the streams that have nothing more to say and counts the
// others.
func (g *Gateway) drainSome(quiet map[*stream.Stream]time.Time, now time.Time) int {
	left := 0
	for _, s := range g.all(nil) {
		calls, unheard := s.Busy()
		if calls > 0 {
			delete(quiet, s)
			left++
			continue
		}
		if _, known := quiet[s]; !known {
			quiet[s] = now
		}
		if unheard && now.Sub(quiet[s]) < lastWords {
			left++
			continue
		}
		s.Drop(wsconn.CodeGoingAway, nil)
	}
	return left
}
