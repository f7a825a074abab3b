package bulk_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/bulk"
)

func TestWhatGetsOnMayTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := bulk.With(t.Context())
		defer cancel()
		begun := time.Now()
		for ctx.Err() == nil {
			time.Sleep(bulk.Stall - time.Second)
			bulk.Moved(ctx)
		}
		if took := time.Since(begun); took < bulk.Timeout || took > bulk.Timeout+bulk.Stall || context.Cause(ctx) != context.DeadlineExceeded {
			t.Errorf("ended after %v: %v", took, context.Cause(ctx))
		}
	})
}

func TestWhatStandsStillEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := bulk.With(t.Context())
		defer cancel()
		begun := time.Now()
		time.Sleep(bulk.Stall / 2)
		bulk.Moved(ctx)
		<-ctx.Done()
		if took := time.Since(begun); took != bulk.Stall*3/2 || usererr.CodeOf(context.Cause(ctx)) != usererr.Timeout {
			t.Errorf("ended after %v: %v", took, context.Cause(ctx))
		}
	})
}

func TestTheEndIsTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := bulk.With(t.Context())
		cancel()
		if ctx.Err() == nil {
			t.Error("the context lives on")
		}
		time.Sleep(2 * bulk.Timeout) // no timer is left that does something
		bulk.Moved(t.Context())
	})
}
