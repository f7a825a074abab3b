package gateway

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/crew"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/stream"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// Run does what streams need from time to time: acknowledgements, pings,
// deadlines, revocations. It accepts shims while it runs; when ctx ends it
// drops every stream, waits until all their goroutines have ended, and
// returns nil.
func (g *Gateway) Run(ctx context.Context) error {
	g.mu.Lock()
	if g.running {
		g.mu.Unlock()
		return errors.New("gateway: Run runs already")
	}
	// Handlers are cancelled by dropping their streams, below.
	g.life, g.running, g.crew = context.WithoutCancel(ctx), true, crew.New(maxResting)
	g.mu.Unlock()
	g.known.Store(int64(time.Since(g.start)))

	var loops sync.WaitGroup
	for _, loop := range []func(context.Context){g.wheel, g.watch, g.keep} {
		loops.Add(1)
		go func() { // ends with ctx
			defer loops.Done()
			loop(ctx)
		}()
	}
	loops.Wait()

	for g.dropAll() > 0 {
		time.Sleep(10 * time.Millisecond) // a shim may be arriving
	}
	g.mu.Lock()
	g.running = false
	all := g.crew
	g.mu.Unlock()
	g.tasks.Wait()
	all.Dismiss()
	return nil
}

func (g *Gateway) dropAll() int {
	g.mu.Lock()
	g.draining = true
	g.mu.Unlock()
	streams := g.all(nil)
	for _, s := range streams {
		s.Drop(wsconn.CodeGoingAway, &wire.Bye{Reason: wire.ByeDrain, RetryAfterMillis: 1000})
	}
	return len(streams)
}

// wheel turns pings and deadlines. It never waits for a peer or the store.
func (g *Gateway) wheel(ctx context.Context) {
	tick := time.NewTicker(wire.AckDelay)
	defer tick.Stop()
	var streams []*stream.Stream
	swept := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			g.payAcknowledgements()
			if now.Sub(swept) < sweepEvery {
				continue
			}
			swept = now
			streams = g.all(streams[:0])
			for _, s := range streams {
				s.Turn(now)
			}
			clear(streams)
		}
	}
}

// watch looks for revocations.
func (g *Gateway) watch(ctx context.Context) {
	tick := time.NewTicker(epochEvery)
	defer tick.Stop()
	hint, listening := make(chan struct{}, 1), sync.WaitGroup{}
	if g.cfg.Moves != nil {
		listening.Go(func() { // ends with ctx
			g.cfg.Moves(ctx, func() {
				select {
				case hint <- struct{}{}:
				default: // it is looked anyway
				}
			})
		})
	}
	defer listening.Wait()
	complained := time.Time{}
	for {
		if err := g.readEpoch(ctx); err == nil {
			g.known.Store(int64(time.Since(g.start)))
		} else if ctx.Err() == nil && time.Since(complained) > time.Minute {
			complained = time.Now()
			g.cfg.Log.Error("revocations cannot be read; calls are refused until they can", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-hint:
		}
	}
}

// readEpoch checks the session of every stream when the epoch has
// changed. The new epoch counts as seen first, so that a stream that arrives
// meanwhile checks itself.
func (g *Gateway) readEpoch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	epoch, err := g.cfg.Sessions.Epoch(ctx)
	if err != nil {
		return err
	}
	before := g.epoch.Swap(epoch)
	if before == epoch {
		return nil
	}
	if g.cfg.Moved != nil {
		g.cfg.Moved()
	}
	if err = g.checkAll(ctx, epoch); err != nil {
		g.epoch.CompareAndSwap(epoch, before) // once more, soon
	}
	return err
}

// checkAll compares every stream with what the store says now, which is at
// epoch or later. It asks for many devices at once, so that ten thousand take
// well under a second.
func (g *Gateway) checkAll(ctx context.Context, epoch int64) error {
	g.mu.Lock()
	devices := make([]identity.DeviceID, 0, len(g.devices))
	for device, streams := range g.devices {
		if slices.ContainsFunc(streams, signedIn) {
			devices = append(devices, device)
		}
	}
	g.mu.Unlock()
	for some := range slices.Chunk(devices, askAtOnce) {
		sessions, err := g.currentAll(ctx, some)
		if err != nil {
			return err
		}
		for _, device := range some {
			now := stream.Standing{Session: sessions[device], Epoch: epoch}
			for _, s := range g.of(device) {
				if err := s.Check(now, nil); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func signedIn(s *stream.Stream) bool {
	now, _ := s.Standing()
	return now.ID != ""
}

func (g *Gateway) currentAll(ctx context.Context, devices []identity.DeviceID) (map[identity.DeviceID]session.Session, error) {
	if many, ok := g.cfg.Sessions.(Many); ok {
		return many.CurrentAll(ctx, devices)
	}
	all := make(map[identity.DeviceID]session.Session, len(devices))
	for _, device := range devices {
		now, err := g.cfg.Sessions.Current(ctx, device)
		if err == nil {
			all[device] = now
		} else if !errors.Is(err, session.ErrNone) {
			return nil, err
		}
	}
	return all, nil
}

// standing asks the store for the session of device; epoch must have been
// known before.
func (g *Gateway) standing(ctx context.Context, device identity.DeviceID, epoch int64) (stream.Standing, error) {
	now, err := g.cfg.Sessions.Current(ctx, device)
	return stream.Standing{Session: now, Epoch: epoch}, err
}

// check compares s with what the store says of its device, again if something
// was revoked meanwhile: the watch passes by streams that are guests' when it
// looks.
func (g *Gateway) check(ctx context.Context, device identity.DeviceID, s *stream.Stream) error {
	for {
		epoch := g.epoch.Load()
		now, err := g.standing(ctx, device, epoch)
		if err == nil && g.epoch.Load() != epoch {
			continue
		}
		if err := s.Check(now, err); err != nil || g.epoch.Load() == epoch {
			return err
		}
	}
}

// keep notes the use of sessions and ends those whose time is over.
func (g *Gateway) keep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var streams []*stream.Stream
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			streams = g.all(streams[:0])
			for _, s := range streams {
				g.keepOne(ctx, s, now)
			}
			clear(streams)
		}
	}
}

func (g *Gateway) keepOne(ctx context.Context, s *stream.Stream, now time.Time) {
	had, touch, due := s.Used(now, touchEvery)
	if !due || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if touch {
		if err := g.cfg.Sessions.Touch(ctx, had); err != nil {
			g.cfg.Log.Warn("noting the use of a session", "session", had.ID, "err", err)
		}
	}
	if err := g.check(ctx, s.Device(), s); err != nil {
		g.cfg.Log.Warn("reading a session", "session", had.ID, "err", err)
	}
}

// payAcknowledgements sends what the streams on the list are owed.
func (g *Gateway) payAcknowledgements() {
	g.dueMu.Lock()
	due := g.due
	g.due = nil
	g.dueMu.Unlock()
	for _, s := range due {
		s.Pay()
	}
}

// storeContext bounds a question to the store that no caller waits for.
func (g *Gateway) storeContext() (context.Context, context.CancelFunc) {
	g.mu.Lock()
	life := g.life
	g.mu.Unlock()
	return context.WithTimeout(life, storeTimeout)
}
