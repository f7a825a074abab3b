package pages

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

// clockSkew is how far Confluence's clock may be behind ours.
const clockSkew = 2 * time.Minute

// whose says who wrote a version that stands where a write of ours should.
type whose int

const (
	unclear whose = iota // we, but perhaps not this
	ours
	others
)

// wrote decides whose a version is: ours was written by the same account,
// after the write was begun, with the same content. With the same content, a
// time that is too early proves nothing: clocks differ, and it must not be said
// that nothing was written when it was.
func wrote(ctx context.Context, w *guard.Wiki, version guard.Page, started time.Time, same bool) whose {
	me, err := w.Me(ctx)
	switch {
	case err != nil:
		return unclear
	case version.Author != me.ID:
		return others
	}
	early := version.Updated.Before(started.Add(-clockSkew))
	switch {
	case same && !early:
		return ours
	case !same && early:
		return others // our own, of before
	}
	return unclear
}
