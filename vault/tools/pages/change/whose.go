package change

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

// clockSkew is how far Confluence's clock may be behind ours.
const clockSkew = 2 * time.Minute

// Whose says who wrote a version that stands where a write of ours should.
type Whose int

// Who may have written it.
const (
	Unclear Whose = iota // we, but perhaps not with this call
	Ours
	Others
)

// Wrote decides whose a version is: ours was written by the same account,
// after the write was begun, with the same content. With the same content, a
// time that is too early proves nothing: clocks differ, and it must not be said
// that nothing was written when it was.
func Wrote(ctx context.Context, w *guard.Wiki, version guard.Page, started time.Time, same bool) Whose {
	me, err := w.Me(ctx)
	switch {
	case err != nil:
		return Unclear
	case version.Author != me.ID:
		return Others
	}
	early := version.Updated.Before(started.Add(-clockSkew))
	switch {
	case same && !early:
		return Ours
	case !same && early:
		return Others // our own, of before
	}
	return Unclear
}
