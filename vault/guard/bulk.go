package guard

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/guard/bulk"
)

// limited is ctx for all of a call that reads.
func (a action) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.bulk {
		return bulk.With(ctx)
	}
	return context.WithTimeout(ctx, CallTimeout)
}

// sending is ctx for the part of a write that sends. Of what moves a lot the
// caller may think better while it is under way.
func (a action) sending(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.bulk {
		ctx, cancel := bulk.With(ctx)
		stop := context.AfterFunc(a.caller, cancel)
		return ctx, func() { stop(); cancel() }
	}
	limit := CallTimeout
	if at, ok := ctx.Deadline(); ok {
		limit = time.Until(at)
	}
	return context.WithTimeout(ctx, limit*5/8)
}

// patient is ctx without its cancellation, but with a deadline.
func (a action) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := CallTimeout
	if a.bulk {
		limit += bulk.Timeout
	}
	if at, ok := ctx.Deadline(); ok {
		limit = max(min(limit, time.Until(at)), leastTime)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}

// Remark adds to the audit record what is not in the names of its objects. It
// must be fit to be kept: no path, no content.
func (w *Wiki) Remark(text string) { w.rec.details = append(w.rec.details, text) }
