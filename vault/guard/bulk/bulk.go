// Package bulk bounds calls that move a lot: they may take as long as they get
// on, up to a limit.
package bulk

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// Limits of a call that moves a lot.
const (
	Timeout = 30 * time.Minute // all of it
	Stall   = 40 * time.Second // for as long nothing may move
)

var errStalled = usererr.New(usererr.Timeout, "Nothing moved any more, so the call was given up", "Try again; look at the connection if it happens again")

type pulseKey struct{}

// pulse is when something moved last.
type pulse struct {
	begun time.Time
	at    atomic.Int64 // time since begun
}

// Moved says that a call gets on. It costs next to nothing, and may be called
// from any goroutine; a context that is not from [With] does not mind.
func Moved(ctx context.Context) {
	if p, ok := ctx.Value(pulseKey{}).(*pulse); ok {
		p.at.Store(int64(time.Since(p.begun)))
	}
}

// With returns a context that ends after Timeout, or when nothing has moved
// for Stall; its cause is a user error that says so.
func With(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithTimeout(ctx, Timeout)
	ctx, cancel := context.WithCancelCause(ctx)
	p := &pulse{begun: time.Now()}
	ctx = context.WithValue(ctx, pulseKey{}, p)
	armed := make(chan struct{})
	var watch *time.Timer
	watch = time.AfterFunc(Stall, func() {
		<-armed
		if left := Stall - time.Since(p.begun) + time.Duration(p.at.Load()); left > 0 {
			watch.Reset(left)
			return
		}
		cancel(errStalled)
	})
	close(armed)
	return ctx, func() {
		watch.Stop()
		cancel(nil)
		end()
	}
}
