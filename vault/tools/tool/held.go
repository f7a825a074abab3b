package tool

import (
	"context"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/guard/bulk"
)

// Held is a file of the caller's computer that a call writes and that gets its
// name after guard.Do, once the call is on record: what Confluence has sent is
// nobody's before. One goroutine may use it.
type Held struct {
	ctx    context.Context //nolint:containedctx // of the one call, longer than guard.Do
	cancel context.CancelCauseFunc
	loose  func() bool // from the context within guard.Do
	target Target
}

// Hold prepares a file. ctx is that with which guard.Do is called; Drop must be.
func Hold(ctx context.Context) *Held {
	h := &Held{}
	h.ctx, h.cancel = context.WithCancelCause(ctx)
	return h
}

// Create begins the file within guard.Do, whose context is ctx.
func (h *Held) Create(ctx context.Context, c Computer, folder, name string, size int64) (target Target, err error) {
	h.loose = context.AfterFunc(ctx, func() { h.cancel(context.Cause(ctx)) })
	if target, err = c.Create(h.ctx, folder, name, size); err == nil {
		h.target = target
	}
	return target, err
}

// Written says that all of it was written, so that it may outlive guard.Do.
func (h *Held) Written() { h.loose() }

// Keep gives the file its name and returns where it is.
func (h *Held) Keep() (path string, err error) {
	if h.target == nil {
		return "", errors.New("tool: a file was kept that nobody has begun") // impossible
	}
	stalled := time.AfterFunc(bulk.Stall, func() { h.cancel(context.DeadlineExceeded) })
	defer stalled.Stop()
	return h.target.Keep()
}

// Drop leaves nothing of a file that was not kept.
func (h *Held) Drop() {
	if h.target != nil {
		h.target.Drop()
	}
	h.cancel(nil)
}
